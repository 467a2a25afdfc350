"""The section "How it learned" of a report."""

from collections.abc import Sequence

from nnlab.commands.report.learned.facts import Learned, LearningCurves
from nnlab.core.finding import Finding
from nnlab.display.web.html import (
    Content,
    Markup,
    command_text,
    page_section,
    score_title,
    side_by_side,
    tag,
)
from nnlab.display.web.learning import DrawnCurve, curves_figure, depth_figure

_LAYERS = 8
"""Of more layers only those with the greatest share at any time are drawn."""


def learned_section(learned: Learned) -> Markup:
    """Curves, findings with their remedies, gradients by depth, units, the picture of the task."""
    return page_section(
        "How it learned",
        tag("p", _lead(learned)),
        _findings(learned),
        side_by_side(*_curves(learned), *_inside(learned)),
        _picture(learned),
    )


def curves_section(quantities: Sequence[LearningCurves]) -> Markup:
    """The curves of several runs over one another."""
    figures = [
        curves_figure(
            score_title(one.key),
            "epoch",
            one.curves,
            caption="Dotted: training." if any(c.style == "dotted" for c in one.curves) else None,
        )
        for one in quantities
    ]
    return page_section("How they learned", side_by_side(*figures))


def _lead(learned: Learned) -> Content:
    if learned.best is None:
        return learned.ended
    key, _, split = learned.chosen.rpartition("/")
    by = f"{split} {score_title(key)}" if key else learned.chosen
    return (
        f"{learned.ended} Its best weights, by {by}, are those of epoch {learned.best.place:.4g}."
    )


def _findings(learned: Learned) -> Markup:
    doctor = command_text(learned.doctor)
    if not learned.findings:
        text = "Nothing was found wrong while it trained; ", doctor, " examines it once more."
        return tag("p", text, class_="soft")
    items = [_finding(one, learned.again) for one in learned.findings]
    more = tag("p", "Examine it once more: ", doctor, class_="soft")
    return tag("div", tag("ul", items, class_="findings"), more)


def _finding(finding: Finding, again: str) -> Markup:
    where = f" in {finding.layer}" if finding.layer else ""
    number = (
        f" ({finding.quantity}: {finding.measured:.3g})" if finding.measured is not None else ""
    )
    title = f"{finding.title}{where}".capitalize()
    since = f" {finding.level}, since step {finding.since:,}{number}"
    way = [tag("p", "Try ", command_text(f"{again} {finding.flags}"))] if finding.remedy else []
    rest = [tag("p", text) for text in (finding.tried, finding.advice) if text]
    if finding.because:
        causes = ", ".join(name.replace("_", " ") for name in finding.because)
        rest.append(tag("p", f"Follows from: {causes}."))
    source = [tag("p", finding.source, class_="soft")] if finding.source else []
    head = tag("p", tag("strong", title), tag("span", since, class_="soft"))
    return tag("li", head, tag("p", finding.meaning), way, rest, source, class_=finding.level)


def _curves(learned: Learned) -> list[Markup]:
    found = [
        curves_figure(score_title(one.key), "epoch", one.curves, mark=learned.best)
        for one in learned.quantities
    ]
    if learned.learning_rate is not None:
        found.append(curves_figure("learning rate", "epoch", [learned.learning_rate], log=False))
    return found


def _inside(learned: Learned) -> list[Markup]:
    """What was read of the layers."""
    found: list[Markup] = []
    if learned.gradients:
        caption = (
            "The gradient of each layer's weights, pale at the beginning, dark at the end. A line "
            "that falls to the left is a vanishing gradient, one that rises an exploding one."
        )
        moments = [(f"step {step:,}", norms) for step, norms in learned.gradients]
        found.append(depth_figure("gradient norm", learned.layers, moments, caption=caption))
    if learned.dead:
        caption = "Units that are 0 on every example of the probe set: they learn nothing there."
        found.append(_shares("share of dead units", learned.dead, caption))
    if learned.saturated:
        caption = "Activations close to a bound, where their slope is below a tenth."
        found.append(_shares("share of saturated activations", learned.saturated, caption))
    return found


def _shares(title: str, curves: tuple[DrawnCurve, ...], caption: str) -> Markup:
    highest = max((value for curve in curves for value in curve.values), default=0.0)
    shown = curves
    if len(curves) > _LAYERS:
        by_height = sorted(curves, key=lambda curve: -max(curve.values))[:_LAYERS]
        shown = tuple(curve for curve in curves if curve in by_height)
        caption = f"{caption} The {_LAYERS} layers with most of them, of {len(curves)}."
    shown = tuple(curve._replace(hue=number) for number, curve in enumerate(shown))
    caption = f"{caption} Layer: {shown[0].label}." if len(shown) == 1 else caption
    span = (0.0, min(1.0, max(0.1, 1.15 * highest)))
    return curves_figure(title, "epoch", shown, span=span, caption=caption)


def _picture(learned: Learned) -> Markup | None:
    found = learned.picture
    if found is None:
        return None
    about = tag("p", found.about, class_="soft")
    return tag("div", tag("h3", found.title), side_by_side(found.figure, about))
