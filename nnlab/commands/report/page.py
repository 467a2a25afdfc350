"""The page: one HTML file that asks nobody for anything."""

from collections.abc import Mapping, Sequence
from typing import Any

from nnlab.commands.report import sections
from nnlab.commands.report.learned.facts import Learned, LearningCurves
from nnlab.commands.report.learned.section import curves_section, learned_section
from nnlab.display.web.html import (
    Content,
    Markup,
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

_Plain = Mapping[str, Any]
_ABREAST = 3
"""So many pairs are columns of the table of differences, more are its rows."""
_SHARES = ("accuracy", "balanced_accuracy", "error_rate", "exact_match")
_UP_TO_ONE = (*_SHARES, "f1_macro", "f1_micro", "roc_auc", "average_precision", "r2",
              "matthews_corrcoef", "cohen_kappa", "precision_macro", "recall_macro")  # fmt: skip


def page_of(content: _Plain, config: str, learned: Learned, of_time: Sequence[Markup] = ()) -> str:
    """The report of one run.

    Args:
        content: as `content_of` gives it, the worst examples with their pictures.
        config: of the run, as YAML.
        learned: how it came to these scores.
        of_time: the parts that sequences have.
    """
    run, task = content["run"], content["task"]
    parts: list[Content] = [of_time]
    if task == "regression":
        residuals = sections.residuals_section(content)
        # Of a long horizon the first step and the last: those between lie between.
        if of_time and len(residuals) > _ABREAST:
            residuals = residuals[:: len(residuals) - 1]
        parts += [residuals, sections.worst_section(content)]
    elif "text" not in content:
        parts = [sections.classes_section(content)]
        if task == "classes":
            parts.append(sections.confusion_section(content))
        parts += [sections.worst_section(content), sections.calibration_section(content)]
        parts += [sections.curves_section(content), sections.noise_section(content)]
    return html_document(
        f"{run['name']}, {content['split']} split",
        facts_list(_facts(content)),
        learned_section(learned),
        page_section("Scores", _scores(content)),
        parts,
        _foot(content),
        tag("details", tag("summary", "The whole config"), tag("pre", config)),
        lead=[_subtitle(content), _look(content), _key(content)],
    )


def page_of_comparison(content: _Plain, learned: Sequence[LearningCurves]) -> str:
    """The report of several runs side by side, with the curves of all."""
    runs: Sequence[_Plain] = content["runs"]
    names = [run["label"] for run in runs]
    parts: list[Content] = [page_section("Scores", _side_by_side(runs))]
    if "mcnemar" in content["pairs"][0]:
        parts.append(page_section("McNemar's test", _mcnemar(content["pairs"])))
    parts.append(page_section("Differences", _differences(content)))
    if "classes" in content:
        rows = [
            (row["class"], f"{row['support']:,}", *(number_text(f1, like=0.5) for f1 in row["f1"]))
            for row in content["classes"]
        ]
        head = ("class", "support", *names)
        right = range(1, len(head))
        parts.append(page_section("F1 of each class", scrolling_table(head, rows, right=right)))
    about = [
        (run["label"], run["network"], run["loss"], run["optimizer"], str(run["seed"]),
         f"{run['epoch']:.3g}")
        for run in runs
    ]  # fmt: skip
    head = ("run", "network", "loss", "optimizer", "seed", "epoch of the checkpoint")
    return html_document(
        f"{len(runs)} runs on the {content['split']} split",
        scrolling_table(head, about, right=(4, 5)),
        curves_section(learned),
        parts,
        _foot(content),
        lead=[_subtitle(content), _look(content)],
    )


def _subtitle(content: _Plain) -> Markup:
    kinds = {"classes": "classes", "labels": "labels"}
    what = kinds.get(content["task"])
    targets = f"{len(content['names'])} {what}" if what else "regression"
    date = content["made"].replace("T", " ").replace("+00:00", " UTC")
    text = f"{content['data']}, {targets}, {content['samples']:,} examples. {date}"
    return tag("p", text, class_="sub")


def _look(content: _Plain) -> Markup | None:
    if "looks" not in content:
        return None
    text = LookCounts(**content["looks"]).sentence
    return tag("p", f"{text[0].upper()}{text[1:]}.", class_="looks")


def _key(content: _Plain) -> Markup:
    """The first scores, large."""
    found = [one for one in content["scores"] if one["key"] != "loss"][:3]

    def value(one: _Plain) -> Content:
        share = one["key"] in _SHARES
        said = percent_text(one["value"], 2) if share else number_text(one["value"])
        low, high, base = (
            percent_text(one[k], 2) if share else number_text(one[k], like=one["value"])
            for k in ("low", "high", "baseline")
        )
        small = [] if one["low"] is None else [tag("small", f"{low} to {high}")]
        small += [] if one["baseline"] is None else [tag("small", f"baseline {base}")]
        return [said, small]

    return facts_list([(score_title(one["key"]), value(one)) for one in found], "key")


def _facts(content: _Plain) -> list[tuple[str, Content]]:
    run = content["run"]
    epoch = f"epoch {run['epoch']:.4g}, step {run['step']:,}"
    chosen = "the last" if run["chosen_by"] == "none" else f"best {run['chosen_by']}"
    sizes = ", ".join(f"{name} {count:,}" for name, count in run["sizes"].items())
    return [
        ("run", run["folder"]),
        ("checkpoint", f"{epoch} ({chosen})"),
        ("network", run["network"]),
        ("parameters", f"{run['parameters']:,}"),
        ("loss", run["loss"]),
        ("optimizer", f"{run['optimizer']}; schedule {run['schedule']}"),
        ("training", f"{run['epochs']} epochs, batches of {run['batch_size']}; {run['status']}"),
        ("seed", str(run["seed"])),
        ("examples", sizes),
        ("data, SHA-256", f"{content['digest'][:16]}\N{HORIZONTAL ELLIPSIS}"),
    ]


def _scores(content: _Plain) -> Markup:
    rows = [
        (
            score_title(one["key"]),
            number_text(one["value"]),
            interval_text(one, like=one["value"]),
            number_text(one["baseline"], like=one["value"]),
            _range(one),
        )
        for one in content["scores"]
    ]
    base = {"regression": "mean"}.get(content["task"], "majority")
    head = ("", "value", "95 % interval", f"baseline ({base})", "")
    return scrolling_table(head, rows, right=(1, 2, 3), main=(1,), classes={4: "range"})


def _range(one: _Plain) -> Markup | None:
    """A score on its scale: a dot, its interval, a line for the baseline."""
    known = [one[key] for key in ("value", "low", "high", "baseline") if one[key] is not None]
    if one["value"] is None or one["low"] is None:
        return None
    low, high = min(0.0, *known), 1.0 if one["key"] in _UP_TO_ONE else 1.05 * max(known)
    if high <= low:
        return None

    def at(value: float) -> str:
        return f"{4 + 162 * (value - low) / (high - low):.1f}"

    base = one["baseline"]
    parts = [
        tag("line", x1=4, x2=166, y1=7, y2=7, class_="track"),
        tag("line", x1=at(one["low"]), x2=at(one["high"]), y1=7, y2=7, class_="between"),
        tag("circle", cx=at(one["value"]), cy=7, r=2.6, class_="here"),
    ]
    if base is not None:
        parts.append(tag("line", x1=at(base), x2=at(base), y1=1, y2=13, class_="base"))
    return tag("svg", parts, viewBox="0 0 170 14", aria_hidden="true")


def _side_by_side(runs: Sequence[_Plain]) -> Markup:
    scores = [{one["key"]: one for one in run["scores"]} for run in runs]
    shared = [key for key in scores[0] if all(key in found for found in scores)]
    rows: list[Sequence[Content]] = []
    for key in shared:
        cells: list[Content] = []
        for found in scores:
            one = found[key]
            text = interval_text(one, like=one["value"])
            small = tag("small", tag("br"), text, class_="soft")
            cells.append([number_text(one["value"]), small])
        rows.append((score_title(key), *cells, number_text(scores[0][key]["baseline"])))
    head = ("", *(run["label"] for run in runs), "baseline")
    return scrolling_table(head, rows, right=range(1, len(head)), main=(1,))


def _mcnemar(pairs: Sequence[_Plain]) -> Markup:
    rows = [
        (
            f"{one['first']}, {one['second']}",
            f"{one['mcnemar']['only_first_right']:,}",
            f"{one['mcnemar']['only_second_right']:,}",
            one["mcnemar"]["method"],
            p_value(one["mcnemar"]["p"]),
            p_value(one["mcnemar"]["p_holm"]),
        )
        for one in pairs
    ]
    head = ("pair", "only the first right", "only the second right", "method", "p", "p, Holm")
    return scrolling_table(head, rows, right=(1, 2, 4, 5))


def _differences(content: _Plain) -> Markup:
    keys = list(content["pairs"][0]["differences"])
    rows: list[Sequence[Content]] = []
    for pair in content["pairs"]:
        cells: list[Content] = []
        for key in keys:
            one = pair["differences"][key]
            size = one["difference"]
            text = interval_text(one, like=size, sign=True)
            cells.append(
                [number_text(size, sign=True), tag("small", tag("br"), text, class_="soft")]
            )
        rows.append((f"{pair['first']} \N{MINUS SIGN} {pair['second']}", *cells))
    head: Sequence[Content] = ("pair", *map(score_title, keys))
    if len(rows) <= _ABREAST:
        head, *turned = zip(head, *rows, strict=True)
        head, rows = ("", *head[1:]), list(turned)
    return scrolling_table(head, rows, right=range(1, len(head)))


def _foot(content: _Plain) -> Markup:
    """How the numbers were made."""
    lines = [
        "Intervals are 95 %: Wilson's for shares of examples (1927), for all else the percentile "
        "bootstrap over examples (Efron 1979), 1000 resamples, fixed seed; 200 for ROC AUC and "
        "average precision of more than 20 classes.",
        "Baseline: the majority class, the classes' shares where probabilities are judged, or the "
        "mean, all of the training split.",
    ]
    if "text" in content:
        lines.append("Of a text whole windows are drawn again: the steps of one hang together.")
    elif content["task"] == "classes":
        lines += [
            "Expected calibration error: 15 bins of equal width (Naeini et al. 2015, Guo et al. "
            "2017). Temperature scaling: Guo et al. 2017.",
        ]
    if "pairs" in content:
        lines += [
            "Differences are the first run minus the second, over the same resamples for both.",
        ]
        if "mcnemar" in content["pairs"][0]:
            lines.append(
                "McNemar's test: exact binomial below 25 discordant examples, else chi-squared "
                "with Edwards's correction; Holm's adjustment for all pairs. Of more than six runs "
                "the first is compared with each."
            )
    about = f"nnlab {content['nnlab']}, on {content['device']}."
    return tag("footer", tag("h3", "Methods"), tag("ul", [tag("li", t) for t in lines]),
               tag("p", about))  # fmt: skip
