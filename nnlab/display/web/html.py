"""HTML and SVG as text: whatever is not markup is escaped, so that no name can become code."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite
from typing import final

from nnlab.core.wrap import visible_text
from nnlab.display.web.style import STYLE

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
VOID = ("img", "meta", "br", "hr")


@final
class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = str | int | None | Iterable["Content"]
"""What stands in a tag: markup as it is, other text escaped, nothing for None."""


def tag(name: str, /, *content: Content, **attributes: str | float | None) -> Markup:
    """`<name attributes>content</name>`.

    A trailing underscore of an attribute is left out (`class_`), other underscores become hyphens;
    None leaves it out.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_plain(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{_joined(content)}</{name}>")


def _joined(content: Content) -> Markup:
    """Several pieces as one."""
    if content is None:
        return Markup("")
    if isinstance(content, Markup):
        return content
    if isinstance(content, str | int):
        return Markup(_plain(str(content), quote=False))
    return Markup("".join(_joined(one) for one in content))


def _plain(text: str, *, quote: bool) -> str:
    """Escaped, and with nothing in it that acts on the page or on what shows it."""
    return escape(visible_text(text), quote=quote)


NONE = "\N{EN DASH}"
_PROSE = 40
"""Characters beyond which a cell is a sentence."""
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


def score_title(key: str) -> str:
    """A score as people call it."""
    return _NAMES.get(key, key.replace("_", " "))


def number_text(value: float | None, *, like: float | None = None, sign: bool = False) -> str:
    """A number with as many decimals as its size deserves, or that of another one.

    Args:
        value: None, NaN and infinity become a dash.
        like: the number whose size decides; None or not finite: `value` itself.
        sign: write a plus too.
    """
    if value is None or not isfinite(value):
        return NONE
    size = abs(value if like is None or not isfinite(like) else like)
    limits = ((1.0, 4), (10.0, 3), (100.0, 2), (10_000.0, 1))
    digits = next((digits for limit, digits in limits if size < limit), 0)
    text = f"{value:{'+' if sign else ''},.{digits}f}"
    if value and not float(text.replace(",", "")):
        text = f"{value:{'+' if sign else ''}.1e}"
    return text.replace("-", "\N{MINUS SIGN}")


def percent_text(share: float | None, digits: int = 1) -> str:
    """A share in [0, 1]; a dash for None and NaN."""
    return NONE if share is None or not isfinite(share) else f"{100 * share:.{digits}f} %"


def p_value(p: float) -> str:
    """A p-value; small ones by their bound."""
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def interval_text(
    ends: Sequence[float | None] | None, *, like: float | None = None, sign: bool = False
) -> str:
    """`low to high`; a dash where there is no interval.

    Args:
        ends: low and high; None, or a pair of None, for no interval.
        like: the number whose size decides how many decimals there are.
        sign: write a plus too.
    """
    if ends is None or ends[0] is None:
        return NONE
    low, high = (number_text(end, like=like, sign=sign) for end in ends)
    return f"{low} to {high}"


def scrolling_table(
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
    # A column of sentences keeps a width to read them in: else rows become as tall as a page.
    long = {k for row in rows for k, cell in enumerate(row) if isinstance(cell, str) and
            len(cell) > _PROSE}  # fmt: skip
    style = {**dict.fromkeys(long, "prose"), **dict.fromkeys(right, "n"), **(classes or {})}
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


def figure_with_caption(picture: Markup, caption: Content) -> Markup:
    """A picture with what it shows."""
    return tag("figure", picture, tag("figcaption", caption))


def html_document(title: str, *content: Content, lead: Content = ()) -> str:
    """A whole page.

    Args:
        title: of the window and above all.
        content: what follows the head of the page.
        lead: what stands in its head, below the title.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        # Even if a name slipped through: nothing may be fetched and no script run.
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    body = tag("body", tag("main", tag("header", tag("h1", title), lead), content))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def command_text(command: str) -> Markup:
    """A command to paste; lines break between its words alone."""
    words = [tag("span", word) for word in command.split(" ")]
    return tag("code", [[" ", word] if number else word for number, word in enumerate(words)])


def page_section(title: str, *content: Content) -> Markup:
    """A part of the page."""
    return tag("section", tag("h2", title), content)


def side_by_side(*parts: Content) -> Markup:
    """Side by side where there is room."""
    return tag("div", parts, class_="columns")


def facts_list(pairs: Sequence[tuple[str, Content]], style: str = "facts") -> Markup:
    """Names and values."""
    return tag("dl", [tag("div", tag("dt", k), tag("dd", v)) for k, v in pairs], class_=style)
