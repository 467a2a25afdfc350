"""How numbers, scores and tables are written."""

from collections.abc import Mapping, Sequence
from typing import Any

from nnlab.report.html import Content, Markup, tag

NONE = "\N{EN DASH}"
_NAMES = {
    "accuracy": "accuracy",
    "f1_macro": "F1, macro mean",
    "f1_micro": "F1, micro mean",
    "matthews_corrcoef": "Matthews correlation",
    "cohen_kappa": "Cohen's kappa",
    "log_loss": "negative log-likelihood",
    "brier": "Brier score",
    "expected_calibration_error": "expected calibration error",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "mse": "mean squared error",
    "r2": "R\N{SUPERSCRIPT TWO}",
    "mape": "mean absolute percentage error",
    "loss": "loss",
}


def name_of(key: str) -> str:
    """A score as people call it."""
    return _NAMES.get(key, key.replace("_", " "))


def number(value: float | None, *, like: float | None = None, sign: bool = False) -> str:
    """A number with as many decimals as its size deserves, or that of another one."""
    if value is None:
        return NONE
    size = abs(value if like is None else like)
    limits = ((1.0, 4), (10.0, 3), (100.0, 2), (10_000.0, 1))
    digits = next((digits for limit, digits in limits if size < limit), 0)
    text = f"{value:{'+' if sign else ''},.{digits}f}"
    if value and not float(text.replace(",", "")):
        text = f"{value:{'+' if sign else ''}.1e}"
    return text.replace("-", "\N{MINUS SIGN}")


def percent(share: float | None, digits: int = 1) -> str:
    """A share."""
    return NONE if share is None else f"{100 * share:.{digits}f} %"


def p_value(p: float) -> str:
    """A p-value; small ones by their bound."""
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def interval(one: Mapping[str, Any], *, like: float | None = None, sign: bool = False) -> str:
    """`low to high`."""
    if one["low"] is None:
        return NONE
    low, high = (number(one[end], like=like, sign=sign) for end in ("low", "high"))
    return f"{low} to {high}"


def table(
    head: Sequence[Content],
    rows: Sequence[Sequence[Content]],
    *,
    right: Sequence[int] = (),
    main: Sequence[int] = (),
    classes: Mapping[int, str] | None = None,
) -> Markup:
    """A table that scrolls where it is too wide.

    Args:
        head: titles.
        rows: their cells; the first of each is its title.
        right: columns of numbers.
        main: rows that stand out.
        classes: of other columns.
    """
    style = {**dict.fromkeys(right, "n"), **(classes or {})}
    titles = [
        tag("th", text, scope="col", class_=style.get(place)) for place, text in enumerate(head)
    ]
    lines = [
        tag(
            "tr",
            tag("th", row[0], scope="row", class_=style.get(0)),
            [tag("td", cell, class_=style.get(place)) for place, cell in enumerate(row) if place],
            class_="main" if index in main else None,
        )
        for index, row in enumerate(rows)
    ]
    whole = tag("table", tag("thead", tag("tr", titles)), tag("tbody", lines))
    return tag("div", whole, class_="wide")


def figure(picture: Markup, caption: Content) -> Markup:
    """A picture with what it shows."""
    return tag("figure", picture, tag("figcaption", caption))


def section(title: str, *content: Content) -> Markup:
    """A part of the page."""
    return tag("section", tag("h2", title), content)


def columns(*parts: Content) -> Markup:
    """Side by side where there is room."""
    return tag("div", parts, class_="columns")


def facts(pairs: Sequence[tuple[str, Content]], style: str = "facts") -> Markup:
    """Names and values."""
    return tag("dl", [tag("div", tag("dt", k), tag("dd", v)) for k, v in pairs], class_=style)
