"""The parts of the page that a task has: classes, labels, numbers, and the worst examples."""

from collections.abc import Mapping, Sequence
from typing import Any

from nnlab.commands.report import charts
from nnlab.display.web.html import (
    NONE,
    Markup,
    figure_with_caption,
    interval_text,
    number_text,
    page_section,
    percent_text,
    score_title,
    scrolling_table,
    side_by_side,
    tag,
)

_Plain = Mapping[str, Any]
_BARS = "As trained. Orange: surer than right; light blue: righter than sure."
_ARROW = " \N{RIGHTWARDS ARROW} "


def confusion_section(content: _Plain) -> Markup:
    """What is taken for what."""
    matrix, names = content["confusion"], content["names"]
    shade = "Blue is right, orange is wrong; the shade is the square root of the share."
    return page_section(
        "Confusion matrix",
        side_by_side(
            figure_with_caption(
                charts.confusion_chart(matrix, names, shares=False), f"Examples. {shade}"
            ),
            figure_with_caption(
                charts.confusion_chart(matrix, names, shares=True), "Percent of each actual class."
            ),
        ),
    )


def _pairs(content: _Plain) -> Markup:
    rows = [
        (pair["actual"], pair["predicted"], str(pair["count"]), percent_text(pair["share"]))
        for pair in content["confused_pairs"]
    ]
    head = ("actual", "predicted", "examples", "of the actual class")
    listed = scrolling_table(head, rows, right=(2, 3)) if rows else tag("p", "No mistake was made.")
    return tag("div", tag("h3", "Most confused pairs"), listed)


def classes_section(content: _Plain) -> Markup:
    """Precision, recall, F1 of each class or label."""
    rows = [
        (
            row["class"],
            number_text(row["precision"], like=0.5),
            number_text(row["recall"], like=0.5),
            interval_text({"low": row["recall_low"], "high": row["recall_high"]}, like=0.5),
            number_text(row["f1"], like=0.5),
            f"{row['support']:,}",
        )
        for row in content["classes"]
    ]
    word = "label" if content["task"] == "labels" else "class"
    head = (word, "precision", "recall", "95 % interval", "F1", "support")
    each = scrolling_table(head, rows, right=(1, 2, 3, 4, 5))
    if word == "label":
        return page_section("Labels", each)
    return page_section(
        "Classes", side_by_side(tag("div", tag("h3", "Each class"), each), _pairs(content))
    )


def calibration_section(content: _Plain) -> Markup | None:
    """Reliability before and after a temperature."""
    found = content.get("calibration")
    if found is None:
        return None
    before, after = found["before"], found["after"] if found.get("shown") else None
    keys = ("expected_calibration_error", "log_loss", "brier", "confidence", "accuracy")
    names = {"confidence": "mean confidence"}
    rows = [
        (
            names.get(key, score_title(key)),
            number_text(before[key], like=0.5),
            *([number_text(after[key], like=0.5)] if after else []),
        )
        for key in keys
    ]
    head = ("", "as trained", *(["with temperature"] if after else []))
    pictures = [
        figure_with_caption(
            charts.reliability_chart("reliability diagram", before["reliability"]), _BARS
        ),
        figure_with_caption(
            charts.confidence_chart("histogram of confidence", before["reliability"]),
            f"Confidence, {found['bins']} bins of equal width.",
        ),
    ]
    if after:
        shown = charts.reliability_chart(
            "reliability diagram, with temperature", after["reliability"]
        )
        caption = f"Logits divided by T = {number_text(found['temperature'])}."
        pictures.insert(1, figure_with_caption(shown, caption))
    return page_section(
        "Calibration",
        scrolling_table(head, rows, right=(1, 2)),
        tag("p", temperature_claim(found, content["split"]), class_="soft"),
        side_by_side(*pictures),
    )


def temperature_claim(found: _Plain, split: str) -> str:
    """What a fitted temperature shows, or that these rows do not show it.

    Args:
        found: the facts of the calibration.
        split: the one that is told of.
    """
    if "temperature" not in found:
        return "There is no validation split to fit a temperature on."
    value = found["temperature"]
    if value is None:
        return "No temperature is best on the validation split: all of it is right, or too little."
    rows, on_these = found["fitted_on"], split == "validation"
    low, high = found["temperature_low"], found["temperature_high"]
    fitted = f"T = {number_text(value)}"
    if low is not None:
        fitted += f" (95 % interval {number_text(low)} to {number_text(high)})"
    fitted += f", fitted on {rows:,} validation rows"
    if low is None or low <= 1.0 <= high:
        why = "has no interval" if low is None else "may as well be 1"
        return (
            f"{fitted}: it {why}, so that these {rows:,} rows do not show that the network is too "
            "sure or not sure enough."
        )
    if not found["shown"]:
        before, after = (number_text(found[key]["log_loss"]) for key in ("before", "after"))
        return (
            f"{fitted}: the log loss of the {split} split does not fall with it ({before} before, "
            f"{after} with it), so that these {rows:,} rows do not show what would mend it."
        )
    word = "too sure" if value > 1 else "not sure enough"
    same = " It was fitted on the very split that is shown." if on_these else ""
    return f"{fitted}: the network is {word}.{same}"


def curves_section(content: _Plain) -> Markup | None:
    """ROC and precision-recall curves with their areas."""
    found = content["curves"]
    if not found:
        return None
    rows: list[Sequence[str]] = [
        (
            one["class"],
            number_text(one["roc_auc"], like=0.5),
            number_text(one["average_precision"], like=0.5),
            number_text(one["share"], like=0.5),
        )
        for one in found
    ]
    if len(found) > 1:
        means = [
            sum(one[key] for one in found) / len(found)
            for key in ("roc_auc", "average_precision", "share")
        ]
        rows.append(("macro mean", *(number_text(value, like=0.5) for value in means)))
        lines = "Thin lines: each against the rest; strong: their mean."
    else:
        lines = f"Positive: {found[0]['class']}."
    head = ("", "ROC AUC", "average precision", "share of examples")
    return page_section(
        "Curves over thresholds",
        side_by_side(
            figure_with_caption(charts.roc_chart(found), f"ROC. {lines} Dashed: guessing."),
            figure_with_caption(
                charts.precision_recall_chart(found), f"Precision over recall. {lines}"
            ),
        ),
        scrolling_table(
            head, rows, right=(1, 2, 3), main=(len(rows) - 1,) if len(found) > 1 else ()
        ),
    )


def noise_section(content: _Plain) -> Markup | None:
    """How sure the network is of noise."""
    found = content["meaningless_inputs"]
    if not found:
        return None
    rows = [
        (
            one["inputs"],
            f"{one['examples']:,}",
            number_text(one["confidence"], like=0.5),
            number_text(one["entropy"], like=0.5),
            percent_text(one["sure"]),
        )
        for one in found
    ]
    head = ("inputs", "examples", "mean confidence", "entropy / maximum", "above 0.9")
    text = (
        "Uniform noise covers the range of the training inputs; Gaussian noise has the mean and "
        "deviation of each; the shuffled inputs take every pixel or column from another example. "
        "A network that knows what it does not know is unsure of all three."
    )
    return page_section(
        "Confidence on inputs that mean nothing",
        scrolling_table(head, rows, right=(1, 2, 3, 4), main=(0,)),
        tag("p", text, class_="soft"),
    )


def residuals_section(content: _Plain) -> list[Markup]:
    """The fit of each target column."""
    names = content["target_columns"]
    many = len(content["columns"]) > 1
    found: list[Markup] = []
    for name, column in zip(names, content["columns"], strict=True):
        spread = column["quantiles"]
        rows = [
            ("mean residual", number_text(column["mean_residual"])),
            ("deviation of residuals", number_text(column["deviation"])),
            ("half of the errors are below", number_text(spread["50%"])),
            ("nine of ten are below", number_text(spread["90%"])),
        ]
        found.append(
            page_section(
                f"Residuals of {name}" if many else "Residuals",
                side_by_side(
                    figure_with_caption(charts.fitted_chart(column, name), "Dashed: exact."),
                    figure_with_caption(
                        charts.residuals_chart(column, name), "Residual: prediction minus target."
                    ),
                    figure_with_caption(
                        charts.histogram_chart(column), "How often which residual."
                    ),
                ),
                scrolling_table(("", name), rows, right=(1,)),
            )
        )
    return found


def worst_section(content: _Plain) -> Markup | None:
    """The examples that were judged worst, with what can be seen of them."""
    found: Sequence[_Plain] = content["worst"]
    if not found:
        return None
    task = content["task"]
    title = {"classes": "Worst mistakes", "labels": "Worst examples"}.get(task, "Farthest off")
    told = [_told(one, task) for one in found]
    if "picture" in found[0]:
        items = [_pictured(one, text) for one, text in zip(found, told, strict=True)]
        shown = tag("ul", items, class_="gallery")
    else:
        head = ["row", *told[0], *(["values"] if "values" in found[0] else [])]
        rows = [
            [f"{one['row']:,}", *text.values(), *([_values(one)] if "values" in one else [])]
            for one, text in zip(found, told, strict=True)
        ]
        numbers = [k for k, key in enumerate(head) if key not in ("actual", "predicted", "values")]
        if task == "regression":
            numbers = [0, 1, 2, 3]
        shown = scrolling_table(head, rows, right=numbers)
    return page_section(title, tag("p", _how(content), class_="soft"), shown)


def _how(content: _Plain) -> str:
    if content["task"] == "regression":
        unusual = "Beside each value: its distance from the training mean in deviations."
        return f"The greatest residuals. Rows count from 0 in the whole table. {unusual}"
    shown, count = len(content["worst"]), content["mistakes"]
    order = "the surest first" if "confidence" in content["worst"][0] else "the greatest loss first"
    if content["task"] == "labels":
        order = "the most wrong labels first"
    unusual = ""
    if "values" in content["worst"][0]:
        unusual = " Beside each value: its distance from the training mean in deviations."
    head = f"All {count:,}" if shown == count else f"{shown} of {count:,}"
    return f"{head}, {order}. Rows count from 0 in the whole table.{unusual}"


def _told(one: _Plain, task: str) -> dict[str, str]:
    """What is said of an example, by the name of its column."""
    if task == "regression":
        parts = ("actual", "predicted", "residual")
        return {
            name: ", ".join(number_text(v, sign=name == "residual") for v in one[name])
            for name in parts
        }
    if task == "labels":
        labels = {name: ", ".join(one[name]) or NONE for name in ("actual", "predicted")}
        return {**labels, "wrong": str(one["wrong"])}
    sure = {"confidence": percent_text(one["confidence"])} if "confidence" in one else {}
    return {"actual": one["actual"], "predicted": one["predicted"], **sure}


def _pictured(one: _Plain, told: Mapping[str, str]) -> Markup:
    pair = f"{told['actual']}{_ARROW}{told['predicted']}"
    rest = [text for key, text in told.items() if key not in ("actual", "predicted")]
    image = tag("img", src=one["picture"], alt=f"row {one['row']}: {pair}")
    lines = [pair, " ".join([*rest, f"row {one['row']}"])]
    return tag("li", image, [tag("span", line) for line in lines])


def _values(one: _Plain) -> str:
    return "; ".join(
        f"{part['column']} {part['value']:.4g} ({part['deviations']:+.1f})".replace(
            "-", "\N{MINUS SIGN}"
        )
        for part in one["values"]
    )
