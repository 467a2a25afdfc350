"""The page: one HTML file that asks nobody for anything."""

from collections.abc import Sequence
from math import isclose, isfinite
from shlex import quote

from nnlab.commands.report.facts import Judged, OfText
from nnlab.commands.report.html.sections import task_sections
from nnlab.commands.report.learned.section import curves_section, learned_section
from nnlab.commands.report.report import ComparedRun, RunPair, RunReport, RunsReport, Scored
from nnlab.display.shown_summary import two_decimals
from nnlab.display.web.html import (
    Content,
    Markup,
    command_text,
    facts_list,
    html_document,
    interval_text,
    number_text,
    p_value,
    page_section,
    percent_text,
    score_title,
    scrolling_table,
    tag,
)
from nnlab.runs.folder.looks import LookCounts

_ABREAST = 3
"""So many pairs are columns of the table of differences, more are its rows."""
_SHARES = ("accuracy", "balanced_accuracy", "error_rate", "exact_match")
_UP_TO_ONE = (*_SHARES, "f1_macro", "f1_micro", "roc_auc", "average_precision", "r2",
              "matthews_corrcoef", "cohen_kappa", "precision_macro", "recall_macro")  # fmt: skip


def page_of_run(report: RunReport) -> str:
    """The report of one run."""
    about = report.about
    return html_document(
        f"{report.run.name}, {about.split} split",
        facts_list(_facts(report)),
        learned_section(report.learning),
        page_section("Scores", _scores(report)),
        task_sections(report.answers, about),
        _explained(report),
        _foot(about, text=isinstance(report.answers, OfText)),
        tag("details", tag("summary", "The whole config"), tag("pre", report.config)),
        lead=[_subtitle(about), _look(report.looks), _key(report.scores)],
    )


def _explained(report: RunReport) -> Markup | None:
    """Where a few answers come from, and whether the methods see what was learned."""
    found = report.explained
    if found is None:
        return None
    text = (
        "Rows of the greatest loss, and one of the least. Red speaks for the answer, blue against "
        "it, where a method has a sign. A method that shows the same for a network of random "
        "weights shows the input, not what was learned (Adebayo et al. 2018); more methods and "
        "the test layer by layer: "
    )
    command = command_text(f"nnlab explain {quote(report.run.folder)} --split {report.about.split}")
    gap = percent_text(found.completeness_gap, 2)
    added = f"The parts of integrated gradients add up to within {gap} of what they explain."
    return page_section(
        "Where answers come from",
        tag("p", text, command, class_="soft"),
        found.shown,
        tag("ul", [tag("li", one) for one in (*found.sight, added)]),
    )


def page_of_runs(report: RunsReport) -> str:
    """The report of several runs side by side, with the curves of all."""
    about, runs, pairs = report.about, report.runs, report.pairs
    parts: list[Content] = [page_section("Scores", _side_by_side(runs))]
    if any(pair.mcnemar is not None for pair in pairs):
        parts.append(page_section("McNemar's test", _mcnemar(pairs)))
    parts.append(page_section("Differences", _differences(pairs)))
    if report.classes is not None:
        rows = [
            (row.class_, f"{row.support:,}", *(number_text(f1, like=0.5) for f1 in row.f1))
            for row in report.classes
        ]
        head = ("class", "support", *(one.label for one in runs))
        right = range(1, len(head))
        parts.append(page_section("F1 of each class", scrolling_table(head, rows, right=right)))
    each = [
        (one.label, run.network, run.loss, run.optimizer, str(run.seed), f"{run.epoch:.3g}")
        for one in runs
        for run in [one.run]
    ]
    head = ("run", "network", "loss", "optimizer", "seed", "epoch of the checkpoint")
    return html_document(
        f"{len(runs)} runs on the {about.split} split",
        scrolling_table(head, each, right=(4, 5)),
        curves_section(report.learning),
        parts,
        _foot(about, compared=True),
        lead=[_subtitle(about), _look(report.looks)],
    )


def _subtitle(about: Judged) -> Markup:
    what = about.task
    targets = "regression" if what == "regression" else f"{len(about.names)} {what}"
    date = about.made.replace("T", " ").replace("+00:00", " UTC")
    text = f"{about.data}, {targets}, {about.samples:,} examples. {date}"
    return tag("p", text, class_="sub")


def _look(looks: LookCounts | None) -> Markup | None:
    if looks is None:
        return None
    text = looks.sentence
    return tag("p", f"{text[0].upper()}{text[1:]}.", class_="looks")


def _key(scores: Sequence[Scored]) -> Markup:
    """The first scores, large."""
    found = [one for one in scores if one.key != "loss"][:3]
    return facts_list([(score_title(one.key), _large(one)) for one in found], "key")


def _large(one: Scored) -> Content:
    """A score with its interval and its baseline, small; shares in percent."""

    def said(value: float | None) -> str:
        if one.key in _SHARES:
            return percent_text(value, 2)
        return number_text(value, like=one.value)

    small: list[Content] = []
    if one.interval is not None:
        small.append(tag("small", " to ".join(map(said, one.interval))))
    if one.baseline is not None:
        small.append(tag("small", f"baseline {said(one.baseline)}"))
    return [said(one.value), small]


def _facts(report: RunReport) -> list[tuple[str, Content]]:
    run = report.run
    epoch = f"epoch {run.epoch:.4g}, step {run.step:,}"
    chosen = "the last" if run.chosen_by == "none" else f"best {run.chosen_by}"
    sizes = ", ".join(f"{name} {count:,}" for name, count in run.sizes.items())
    return [
        ("run", run.folder),
        ("checkpoint", f"{epoch} ({chosen})"),
        ("network", run.network),
        ("parameters", f"{run.parameters:,}"),
        ("loss", run.loss),
        ("optimizer", f"{run.optimizer}; schedule {run.schedule}"),
        (
            "training",
            f"{two_decimals(run.epochs)} epochs, batches of {run.batch_size}; {run.status}",
        ),
        ("seed", str(run.seed)),
        ("examples", sizes),
        ("data, SHA-256", f"{report.about.digest[:16]}\N{HORIZONTAL ELLIPSIS}"),
    ]


def _scores(report: RunReport) -> Markup:
    rows = [
        (
            title,
            number_text(one.value),
            interval_text(one.interval, like=one.value),
            number_text(one.baseline, like=one.value),
            _range(one),
        )
        for title, one in shown_scores(report.scores)
    ]
    base = "mean" if report.about.task == "regression" else "majority"
    head = ("", "value", "95 % interval", f"baseline ({base})", "")
    return scrolling_table(head, rows, right=(1, 2, 3), main=(1,), classes={4: "range"})


def shown_scores(scores: Sequence[Scored]) -> list[tuple[str, Scored]]:
    """Each score with its title; the negative log-likelihood once, where it is the loss."""
    found = {one.key: one for one in scores}
    loss, likelihood = found.get("loss"), found.get("log_loss")
    same = (
        loss is not None
        and likelihood is not None
        and isclose(loss.value, likelihood.value, rel_tol=1e-6)
    )
    if not same:
        return [(score_title(one.key), one) for one in scores]
    title = f"{score_title('loss')} ({score_title('log_loss')})"
    return [
        (title, found["log_loss"]) if one.key == "loss" else (score_title(one.key), one)
        for one in scores
        if one.key != "log_loss"
    ]


def _range(one: Scored) -> Markup | None:
    """A score on its scale: a dot, its interval, a line for the baseline."""
    base = one.baseline
    if one.interval is None or not isfinite(one.value):
        return None
    known = [one.value, *one.interval, *([] if base is None else [base])]
    low, high = min(0.0, *known), 1.0 if one.key in _UP_TO_ONE else 1.05 * max(known)
    if high <= low:
        return None

    def at(value: float) -> str:
        return f"{4 + 162 * (value - low) / (high - low):.1f}"

    parts = [
        tag("line", x1=4, x2=166, y1=7, y2=7, class_="track"),
        tag("line", x1=at(one.interval.low), x2=at(one.interval.high), y1=7, y2=7,
            class_="between"),
        tag("circle", cx=at(one.value), cy=7, r=2.6, class_="here"),
    ]  # fmt: skip
    if base is not None:
        parts.append(tag("line", x1=at(base), x2=at(base), y1=1, y2=13, class_="base"))
    return tag("svg", parts, viewBox="0 0 170 14", aria_hidden="true")


def _side_by_side(runs: Sequence[ComparedRun]) -> Markup:
    scores = [{one.key: one for one in run.scores} for run in runs]
    shared = [key for key in scores[0] if all(key in found for found in scores)]
    rows: list[Sequence[Content]] = []
    for key in shared:
        cells: list[Content] = []
        for found in scores:
            one = found[key]
            text = interval_text(one.interval, like=one.value)
            small = tag("small", tag("br"), text, class_="soft")
            cells.append([number_text(one.value), small])
        rows.append((score_title(key), *cells, number_text(scores[0][key].baseline)))
    head = ("", *(run.label for run in runs), "baseline")
    return scrolling_table(head, rows, right=range(1, len(head)), main=(1,))


def _mcnemar(pairs: Sequence[RunPair]) -> Markup:
    rows = [
        (
            f"{pair.first}, {pair.second}",
            f"{test.only_first_right:,}",
            f"{test.only_second_right:,}",
            test.method,
            p_value(test.p),
            p_value(test.p_holm),
        )
        for pair in pairs
        if (test := pair.mcnemar) is not None
    ]
    head = ("pair", "only the first right", "only the second right", "method", "p", "p, Holm")
    return scrolling_table(head, rows, right=(1, 2, 4, 5))


def _differences(pairs: Sequence[RunPair]) -> Markup:
    # Runs of different losses have different scores: a table holds those that all pairs share.
    keys = [key for key in pairs[0].differences if all(key in p.differences for p in pairs)]
    rows: list[Sequence[Content]] = []
    for pair in pairs:
        cells: list[Content] = []
        for key in keys:
            one = pair.differences[key]
            size = one.difference
            text = interval_text((one.low, one.high), like=size, sign=True)
            cells.append(
                [number_text(size, sign=True), tag("small", tag("br"), text, class_="soft")]
            )
        rows.append((f"{pair.first} \N{MINUS SIGN} {pair.second}", *cells))
    head: Sequence[Content] = ("pair", *map(score_title, keys))
    if len(rows) <= _ABREAST:
        head, *turned = zip(head, *rows, strict=True)
        head, rows = ("", *head[1:]), list(turned)
    return scrolling_table(head, rows, right=range(1, len(head)))


def _foot(about: Judged, *, compared: bool = False, text: bool = False) -> Markup:
    """How the numbers were made."""
    lines = [
        "Intervals are 95 %: Wilson's for shares of examples (1927), for all else the percentile "
        "bootstrap over examples (Efron 1979), 1000 resamples, fixed seed; 200 for ROC AUC and "
        "average precision of more than 20 classes.",
        "Baseline: the majority class, the classes' shares where probabilities are judged, or the "
        "mean, all of the training split.",
    ]
    if text:
        lines.append("Of a text whole windows are drawn again: the steps of one hang together.")
    elif about.task == "classes":
        lines += [
            "Expected calibration error: 15 bins of equal width (Naeini et al. 2015, Guo et al. "
            "2017). Temperature scaling: Guo et al. 2017. The baseline's is about 0 by nature: who "
            "always says the classes' shares is as often right as that, and tells no example from "
            "another.",
        ]
    if compared:
        lines += [
            "Differences are the first run minus the second, over the same resamples for both.",
        ]
        if about.task != "regression":
            lines.append(
                "McNemar's test: exact binomial below 25 discordant examples, else chi-squared "
                "with Edwards's correction; Holm's adjustment for all pairs. Of more than six runs "
                "the first is compared with each."
            )
    made = f"nnlab {about.nnlab}, on {about.device}."
    return tag("footer", tag("h3", "Methods"), tag("ul", [tag("li", t) for t in lines]),
               tag("p", made))  # fmt: skip
