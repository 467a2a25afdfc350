"""The parts of the page that a task has: classes, labels, numbers, and the worst examples."""

from collections.abc import Mapping, Sequence

from nnlab.commands.report.facts import (
    Calibration,
    CalibrationMeasures,
    ClassCurve,
    ClassMeasures,
    ConfusedPair,
    Judged,
    NamedValue,
    OfClasses,
    OfLabels,
    OfNumbers,
    OfText,
    Sureness,
    TargetColumn,
    WorstClassified,
    WorstLabels,
    WorstPredicted,
)
from nnlab.commands.report.html import charts
from nnlab.commands.report.html.sequences import forecast_sections, text_sections
from nnlab.display.web.html import (
    NONE,
    Content,
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

_Worst = WorstClassified | WorstLabels | WorstPredicted
_STEPS = 3
"""Of a horizon of more steps the residuals of two are shown."""
_BARS = "As trained. Orange: surer than right; light blue: righter than sure."
_MEASURES = (
    *map(score_title, ("expected_calibration_error", "log_loss", "brier")),
    *("mean confidence", "accuracy"),
)
_ARROW = " \N{RIGHTWARDS ARROW} "


def task_sections(
    answers: OfClasses | OfLabels | OfNumbers | OfText, about: Judged
) -> list[Content]:
    """What a page says of the task, from top to bottom."""
    if isinstance(answers, OfText):
        return [text_sections(answers.text)]
    if isinstance(answers, OfNumbers):
        residuals = residuals_section(answers.columns, about.target_columns)
        worst = worst_section(answers.worst)
        if answers.forecast is None:
            return [residuals, worst]
        # Of a long horizon the first step and the last: the others lie between them.
        if len(residuals) > _STEPS:
            residuals = [residuals[0], residuals[-1]]
        return [forecast_sections(answers.forecast), residuals, worst]
    ends: list[Content] = [
        curves_section(answers.curves),
        noise_section(answers.meaningless_inputs),
    ]
    worst = worst_section(answers.worst, answers.mistakes)
    if isinstance(answers, OfLabels):
        return [classes_section(answers.classes, None), worst, *ends]
    return [
        classes_section(answers.classes, answers.confused_pairs),
        confusion_section(answers.confusion, about.names),
        worst,
        calibration_section(answers.calibration, about.split),
        *ends,
    ]


def confusion_section(matrix: list[list[int]], names: Sequence[str]) -> Markup:
    """What is taken for what.

    Args:
        matrix: (K, K) examples, the right classes in rows.
        names: of the K classes.
    """
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


def _pairs(pairs: Sequence[ConfusedPair]) -> Markup:
    rows = [
        (pair.actual, pair.predicted, str(pair.count), percent_text(pair.share)) for pair in pairs
    ]
    head = ("actual", "predicted", "examples", "of the actual class")
    listed = scrolling_table(head, rows, right=(2, 3)) if rows else tag("p", "No mistake was made.")
    return tag("div", tag("h3", "Most confused pairs"), listed)


def classes_section(
    measures: Sequence[ClassMeasures], pairs: Sequence[ConfusedPair] | None
) -> Markup:
    """Precision, recall, F1 of each class or label.

    Args:
        measures: of each.
        pairs: the classes that are most often confused; None of labels.
    """
    rows = [
        (
            row.class_,
            number_text(row.precision, like=0.5),
            number_text(row.recall, like=0.5),
            interval_text((row.recall_low, row.recall_high), like=0.5),
            number_text(row.f1, like=0.5),
            f"{row.support:,}",
        )
        for row in measures
    ]
    word = "label" if pairs is None else "class"
    head = (word, "precision", "recall", "95 % interval", "F1", "support")
    each = scrolling_table(head, rows, right=(1, 2, 3, 4, 5))
    if pairs is None:
        return page_section("Labels", each)
    classes = tag("div", tag("h3", "Each class"), each)
    return page_section("Classes", side_by_side(classes, _pairs(pairs)))


def calibration_section(found: Calibration | None, split: str) -> Markup | None:
    """Reliability before and after a temperature; None where there are no probabilities."""
    if found is None:
        return None
    fitted = found.fitted
    applied = None if fitted is None else fitted.applied
    shown = applied if applied is not None and applied.shown else None
    before = found.before
    columns = [_measured(before), *([_measured(shown.after)] if shown else [])]
    rows = [*zip(_MEASURES, *columns, strict=True)]
    head = ("", "as trained", *(["with temperature"] if shown else []))
    pictures = [
        figure_with_caption(
            charts.reliability_chart("reliability diagram", before.reliability), _BARS
        ),
        figure_with_caption(
            charts.confidence_chart("histogram of confidence", before.reliability),
            f"Confidence, {found.bins} bins of equal width.",
        ),
    ]
    if shown and fitted:
        picture = charts.reliability_chart(
            "reliability diagram, with temperature", shown.after.reliability
        )
        caption = f"Logits divided by T = {number_text(fitted.temperature)}."
        pictures.insert(1, figure_with_caption(picture, caption))
    return page_section(
        "Calibration",
        scrolling_table(head, rows, right=(1, 2)),
        tag("p", temperature_claim(found, split), class_="soft"),
        side_by_side(*pictures),
    )


def _measured(one: CalibrationMeasures) -> list[str]:
    """The numbers of `_MEASURES`."""
    numbers = (one.expected_calibration_error, one.log_loss, one.brier, one.confidence)
    return [number_text(number, like=0.5) for number in (*numbers, one.accuracy)]


def temperature_claim(found: Calibration, split: str) -> str:
    """What a fitted temperature shows, or that these rows do not show it.

    Args:
        found: the facts of the calibration.
        split: the one that is told of.
    """
    if found.fitted is None:
        return "There is no validation split to fit a temperature on."
    value, applied = found.fitted.temperature, found.fitted.applied
    if value is None or applied is None:
        return "No temperature is best on the validation split: all of it is right, or too little."
    rows, on_these = found.fitted.fitted_on, split == "validation"
    low, high = applied.temperature_low, applied.temperature_high
    fitted = f"T = {number_text(value)}"
    if low is not None:
        fitted += f" (95 % interval {number_text(low)} to {number_text(high)})"
    fitted += f", fitted on {rows:,} validation rows"
    if low is None or high is None or low <= 1.0 <= high:
        why = "has no interval" if low is None else "may as well be 1"
        return (
            f"{fitted}: it {why}, so that these {rows:,} rows do not show that the network is too "
            "sure or not sure enough."
        )
    if not applied.shown:
        before, after = (number_text(one.log_loss) for one in (found.before, applied.after))
        return (
            f"{fitted}: the log loss of the {split} split does not fall with it ({before} before, "
            f"{after} with it), so that these {rows:,} rows do not show what would mend it."
        )
    word = "too sure" if value > 1 else "not sure enough"
    same = " It was fitted on the very split that is shown." if on_these else ""
    return f"{fitted}: the network is {word}.{same}"


def curves_section(found: Sequence[ClassCurve]) -> Markup | None:
    """ROC and precision-recall curves with their areas."""
    if not found:
        return None
    rows: list[Sequence[str]] = [
        (
            one.class_,
            number_text(one.roc_auc, like=0.5),
            number_text(one.average_precision, like=0.5),
            number_text(one.share, like=0.5),
        )
        for one in found
    ]
    if len(found) > 1:
        numbers = [(one.roc_auc, one.average_precision, one.share) for one in found]
        means = [sum(column) / len(found) for column in zip(*numbers, strict=True)]
        rows.append(("macro mean", *(number_text(value, like=0.5) for value in means)))
        lines = "Thin lines: each against the rest; strong: their mean."
    else:
        lines = f"Positive: {found[0].class_}."
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


def noise_section(found: Sequence[Sureness]) -> Markup | None:
    """How sure the network is of noise."""
    if not found:
        return None
    rows = [
        (
            one.inputs,
            f"{one.examples:,}",
            number_text(one.confidence, like=0.5),
            number_text(one.entropy, like=0.5),
            percent_text(one.sure),
        )
        for one in found
    ]
    head = ("inputs", "examples", "mean confidence", "entropy / maximum", "above 0.9")
    of_tokens = any(one.inputs == "random tokens" for one in found)
    drawn = (
        "Random tokens are drawn with the same chance each; the shuffled inputs take every token "
        "from another example. "
        if of_tokens
        else "Uniform noise covers the range of the training inputs; Gaussian noise has the mean "
        "and deviation of each; the shuffled inputs take every pixel or column from another "
        "example. "
    )
    text = f"{drawn}A network that knows what it does not know is unsure of all of them."
    return page_section(
        "Confidence on inputs that mean nothing",
        scrolling_table(head, rows, right=(1, 2, 3, 4), main=(0,)),
        tag("p", text, class_="soft"),
    )


def residuals_section(columns: Sequence[TargetColumn], names: Sequence[str]) -> list[Markup]:
    """The fit of each target column.

    Args:
        columns: T of them.
        names: of the T columns.
    """
    many = len(columns) > 1
    found: list[Markup] = []
    for name, column in zip(names, columns, strict=True):
        spread = column.quantiles
        rows = [
            ("mean residual", number_text(column.mean_residual)),
            ("deviation of residuals", number_text(column.deviation)),
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


def worst_section(found: Sequence[_Worst], mistakes: int = 0) -> Markup | None:
    """The examples that were judged worst, with what can be seen of them.

    Args:
        found: the worst first.
        mistakes: how many the split has, more or as many; of no meaning for a regression.
    """
    if not found:
        return None
    titles = {
        WorstClassified: "Worst mistakes",
        WorstLabels: "Worst examples",
        WorstPredicted: "Farthest off",
    }
    told = [_told(one) for one in found]
    pictures = [one.inputs.picture for one in found]
    values = [one.inputs.values for one in found]
    if pictures[0] is not None:
        items = map(_pictured, found, pictures, told)
        shown = tag("ul", items, class_="gallery")
    else:
        head = ["row", *told[0], *(["values"] if values[0] is not None else [])]
        rows = [
            [f"{one.row:,}", *text.values(), *([_values(seen)] if seen is not None else [])]
            for one, text, seen in zip(found, told, values, strict=True)
        ]
        numbers = [k for k, key in enumerate(head) if key not in ("actual", "predicted", "values")]
        if isinstance(found[0], WorstPredicted):
            numbers = [0, 1, 2, 3]
        shown = scrolling_table(head, rows, right=numbers)
    return page_section(
        titles[type(found[0])],
        tag("p", _how(found[0], len(found), mistakes), class_="soft"),
        shown,
    )


def _how(first: _Worst, shown: int, count: int) -> str:
    unusual = "Beside each value: its distance from the training mean in deviations."
    if isinstance(first, WorstPredicted):
        return f"The greatest residuals. Rows count from 0 in the whole table. {unusual}"
    if isinstance(first, WorstLabels):
        order = "the most wrong labels first"
    else:
        order = "the greatest loss first" if first.confidence is None else "the surest first"
    tables = "" if first.inputs.values is None else f" {unusual}"
    head = f"All {count:,}" if shown == count else f"{shown} of {count:,}"
    return f"{head}, {order}. Rows count from 0 in the whole table.{tables}"


def _told(one: _Worst) -> dict[str, str]:
    """What is said of an example, by the name of its column."""
    if isinstance(one, WorstPredicted):
        parts = {"actual": one.actual, "predicted": one.predicted, "residual": one.residual}
        return {
            name: ", ".join(number_text(v, sign=name == "residual") for v in numbers)
            for name, numbers in parts.items()
        }
    if isinstance(one, WorstLabels):
        actual, predicted = (", ".join(some) or NONE for some in (one.actual, one.predicted))
        return {"actual": actual, "predicted": predicted, "wrong": str(one.wrong)}
    sure = {} if one.confidence is None else {"confidence": percent_text(one.confidence)}
    return {"actual": one.actual, "predicted": one.predicted, **sure}


def _pictured(one: _Worst, picture: str | None, told: Mapping[str, str]) -> Markup:
    pair = f"{told['actual']}{_ARROW}{told['predicted']}"
    rest = [text for key, text in told.items() if key not in ("actual", "predicted")]
    image = tag("img", src=picture, alt=f"row {one.row}: {pair}")
    lines = [pair, " ".join([*rest, f"row {one.row}"])]
    return tag("li", image, [tag("span", line) for line in lines])


def _values(values: Sequence[NamedValue]) -> str:
    return "; ".join(
        f"{part.column} {part.value:.4g} ({part.deviations:+.1f})".replace("-", "\N{MINUS SIGN}")
        for part in values
    )
