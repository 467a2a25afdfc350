"""The page's parts of sequences."""

from nnlab.commands.report.in_time.facts import DrawnWindow, ForecastFacts, ReadWindow, TextFacts
from nnlab.display.web.html import (
    NONE,
    Markup,
    figure_with_caption,
    interval_text,
    number_text,
    page_section,
    scrolling_table,
    side_by_side,
    tag,
)
from nnlab.display.web.learning import DrawnCurve, curves_legend
from nnlab.display.web.shaded import plain_text, shaded_text
from nnlab.display.web.svg_plot import SvgPlot, covering_range

_PLACES = 12
"""So many places have a row in the table, at equal distances."""


def text_sections(facts: TextFacts) -> list[Markup]:
    """Loss by place, samples, the worst windows."""
    found = [_loss_by_place(facts)]
    if facts.samples:
        found.append(_samples(facts))
    found.append(
        page_section(
            "Worst windows",
            tag("p", "The windows of the greatest mean loss; the stronger a step is marked, the "
                "more it cost.", class_="soft"),
            side_by_side(*(_window(one) for one in facts.worst)),
        )
    )  # fmt: skip
    return found


def _loss_by_place(facts: TextFacts) -> Markup:
    places = facts.places
    points = [(one.place, one.loss) for one in places]
    losses = [one.loss for one in places]
    ends = [end for one in places for end in (one.low, one.high) if end is not None]
    guess = [] if facts.guess is None else [facts.guess]
    across = (1.0, max(2.0, float(len(places))))
    plot = SvgPlot("loss by place", "step of the window", "loss", across,
                   covering_range(losses, ends, guess))  # fmt: skip
    if facts.guess is not None:
        plot.line([(across[0], facts.guess), (across[1], facts.guess)], "guess")
    for end in ("low", "high"):
        line = [(one.place, getattr(one, end)) for one in places if getattr(one, end) is not None]
        plot.line(line, "thin")
    plot.line(points, "strong")
    text = (
        "Each window begins with an empty state: the farther a step stands in it, the more is "
        "known of what comes before. Thin: 95 % interval of the mean over windows."
    )
    if facts.guess is not None:
        text += f" Dashed: by the frequencies of single tokens, {number_text(facts.guess)}."
    count = min(_PLACES, len(places))
    chosen = sorted({round(k * (len(places) - 1) / max(1, count - 1)) for k in range(count)})
    rows = [
        (
            str(places[k].place),
            number_text(places[k].loss),
            interval_text((places[k].low, places[k].high), like=places[k].loss),
        )
        for k in chosen
    ]
    table = scrolling_table(("step", "loss", "95 % interval"), rows, right=(0, 1, 2))
    return page_section("Loss by place", side_by_side(figure_with_caption(plot.svg(), text), table))


def _samples(facts: TextFacts) -> Markup:
    shown = facts.samples[0].shown
    parts = [
        tag(
            "div",
            tag("h3", f"temperature {one.temperature:g}"),
            plain_text(tag("span", shown, class_="soft"), one.wrote),
        )
        for one in facts.samples
    ]
    text = "Pale: what the network was shown, of the validation split; then what it wrote."
    return page_section("Samples", tag("p", text, class_="soft"), side_by_side(*parts))


def _window(one: ReadWindow) -> Markup:
    """A window as text, each token the darker the more it cost."""
    head = f"row {one.row:,}, loss {number_text(one.loss)}"
    return tag("div", tag("h3", head), shaded_text(one.tokens, one.losses))


def forecast_sections(facts: ForecastFacts) -> list[Markup]:
    """Error by horizon beside the naive forecasts, and the worst windows."""
    return [_by_horizon(facts), _worst_windows(facts)]


def _by_horizon(facts: ForecastFacts) -> Markup:
    horizon, names = facts.horizon, [*facts.horizon[0].naive]
    rows = [
        (
            str(one.step),
            number_text(one.mae),
            interval_text((one.low, one.high), like=one.mae),
            *(number_text(one.naive[name], like=one.mae) for name in names),
            NONE if not one.naive or not min(one.naive.values())
            else number_text(one.mae / min(one.naive.values()), like=0.5),
        )
        for one in horizon
    ]  # fmt: skip
    head = ("steps ahead", "mean absolute error", "95 % interval", *names, "over the best of these")
    table = scrolling_table(head, rows, right=range(len(head)))
    text = (
        "In the series' own unit, beside forecasts that learn nothing. Intervals are over windows; "
        "neighbouring windows share steps, so that they are too narrow."
    )
    parts: list[Markup] = [table]
    if len(horizon) > 1:
        curves = [("network", [one.mae for one in horizon])]
        curves += [(name, [one.naive[name] for one in horizon]) for name in names]
        plot = SvgPlot("error by horizon", "steps ahead", "mean absolute error",
                       (1.0, float(len(horizon))),
                       covering_range([0.0], *(line for _, line in curves)))  # fmt: skip
        for number, (_, line) in enumerate(curves):
            plot.line([(k + 1.0, value) for k, value in enumerate(line)], f"curve s{number}")
        legend = curves_legend([DrawnCurve(name, (), (), k) for k, (name, _) in enumerate(curves)])
        parts.insert(0, tag("figure", plot.svg(), legend))
    return page_section("Error by horizon", side_by_side(*parts), tag("p", text, class_="soft"))


def _worst_windows(facts: ForecastFacts) -> Markup:
    text = "Grey dots: what came before; then the forecast, and dashed what came."
    return page_section(
        "Worst windows",
        tag("p", text, class_="soft"),
        side_by_side(*(_drawn(one) for one in facts.worst)),
    )


def _drawn(one: DrawnWindow) -> Markup:
    begin, end = one.first - len(one.past), one.first + len(one.truth)
    plot = SvgPlot(f"row {one.row}", "step of the series", "value", (begin, max(end, begin + 1)),
                   covering_range(one.past, one.truth, one.told))  # fmt: skip
    past = [(begin + k, value) for k, value in enumerate(one.past)]
    plot.dots([x for x, _ in past], [y for _, y in past], "soft")
    truth = [past[-1], *((one.first + k, value) for k, value in enumerate(one.truth))]
    told = [past[-1], *((one.first + k, value) for k, value in enumerate(one.told))]
    plot.line(truth, "guess")
    plot.line(told, "strong")
    return figure_with_caption(
        plot.svg(), f"Row {one.row:,}: mean absolute error {number_text(one.mae)}."
    )
