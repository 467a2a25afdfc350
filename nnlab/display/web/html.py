"""HTML and SVG as text: whatever is not markup is escaped, so that no name can become code."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, final

from nnlab.core.wrap import visible_text

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


STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fdfcfa; --ink: #1c1b19; --soft: #66625b; --rule: #d9d4ca; --faint: #f1eee8;
  --blue: #1f5fa8; --red: #b8431f; --on: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #161718; --ink: #e6e3dd; --soft: #9c988f; --rule: #3a3b3d; --faint: #212325;
    --blue: #6aa8ee; --red: #ec7b54; --on: #101112;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 Charter, "Bitstream Charter", "Iowan Old Style", "Source Serif 4", Georgia, serif;
  font-variant-numeric: lining-nums tabular-nums; overflow-wrap: break-word;
}
main { max-width: 1120px; margin: 0 auto; padding: 40px 28px 64px; }
h1 { font-size: 2rem; line-height: 1.15; margin: 0 0 .25rem; font-weight: 600; }
h2 {
  font-size: 1.28rem; margin: 3rem 0 .8rem; padding-top: .55rem; font-weight: 600;
  border-top: 1px solid var(--ink);
}
h3 { font-size: 1rem; margin: .8rem 0 .4rem; font-weight: 600; }
p { margin: .4rem 0; max-width: 46rem; }
.soft, figcaption, caption { color: var(--soft); }
.sub { font-size: 1.05rem; margin: 0 0 1.4rem; color: var(--soft); max-width: none; }
.looks { margin: 0 0 1.2rem; padding: .45rem .8rem; border-left: 3px solid var(--red); }
.key { display: flex; flex-wrap: wrap; gap: .6rem 3rem; margin: 1.2rem 0 1.6rem; }
.key div { min-width: 9rem; }
.key dt, .facts dt { color: var(--soft); font-size: .86rem; }
.key dd { margin: 0; font-size: 2rem; line-height: 1.2; }
.key dd small { display: block; font-size: .86rem; color: var(--soft); }
.facts {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr));
  gap: .55rem 1.6rem; margin: 0;
}
.facts dd { overflow-wrap: anywhere; margin: 0; font-size: .95rem; }
.wide { overflow-x: auto; margin: .6rem 0 1rem; }
table { border-collapse: collapse; font-size: .93rem; border-bottom: 1.5px solid var(--ink); }
thead th { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink); }
th, td { padding: .26rem 1rem .26rem 0; text-align: left; font-weight: 400; vertical-align: top; }
th:last-child, td:last-child { padding-right: .2rem; }
td.n, th.n { text-align: right; white-space: nowrap; }
tbody tr + tr > * { border-top: 1px solid var(--faint); }
tr.main > * { font-weight: 600; }
td.range { width: 190px; padding-top: .42rem; }
td.range svg { width: 170px; height: 14px; }
.columns {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(310px, 1fr)); gap: 1.4rem;
}
.columns > * { min-width: 0; }
figure { margin: .6rem 0 1rem; max-width: 470px; }
figcaption { font-size: .86rem; line-height: 1.4; margin-top: .3rem; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px system-ui, "Segoe UI", Roboto, sans-serif; fill: var(--ink); }
svg .tick { fill: var(--soft); } svg .middle { text-anchor: middle; }
svg .end { text-anchor: end; } svg .name { fill: var(--ink); font-size: 11.5px; }
svg .number { text-anchor: middle; fill: var(--ink); } svg .number.strong { fill: var(--on); }
svg .grid { stroke: var(--faint); } svg .axes { stroke: var(--soft); fill: none; }
svg .line { fill: none; stroke-linejoin: round; }
svg .strong:not(text) { stroke: var(--blue); stroke-width: 2; }
svg .thin { stroke: var(--blue); stroke-width: .8; opacity: .38; }
svg .guess { stroke: var(--soft); stroke-dasharray: 4 3; }
svg .dots { fill: none; stroke: var(--blue); stroke-linecap: round; opacity: .55; }
svg .bar, svg .hit { fill: var(--blue); } svg .miss { fill: var(--red); }
svg .gap { fill: var(--red); fill-opacity: .28; stroke: var(--red); stroke-width: .8; }
svg .under { fill: var(--blue); fill-opacity: .3; stroke: var(--blue); stroke-width: .8; }
svg .empty { fill: var(--faint); }
svg .track { stroke: var(--rule); } svg .between { stroke: var(--blue); stroke-width: 5; }
svg .here { fill: var(--ink); } svg .base { stroke: var(--red); stroke-width: 1.5; }
.gallery {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 1rem;
  margin: .6rem 0 1rem; padding: 0; list-style: none;
}
.gallery img {
  width: 100%; image-rendering: pixelated; border: 1px solid var(--rule); display: block;
  background: #000;
}
.gallery span { display: block; font-size: .84rem; line-height: 1.35; }
.gallery span:first-of-type { margin-top: .3rem; font-size: .95rem; }
details { margin: 1rem 0; } summary { cursor: pointer; }
pre {
  font: 13px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-x: auto;
  background: var(--faint); padding: .8rem 1rem; overflow-wrap: normal;
}
footer { margin-top: 3rem; font-size: .86rem; color: var(--soft); }
footer p { max-width: none; } footer ul { padding-left: 1.1rem; margin: .4rem 0; }
@media (max-width: 560px) {
  main { padding: 22px 14px 40px; } h1 { font-size: 1.6rem; }
  td.range, th.range { display: none; } th, td { padding-right: .7rem; }
  .facts { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .5rem 1rem; }
  .gallery { grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); }
  .key { gap: .6rem 1.6rem; } .key dd { font-size: 1.6rem; }
}
@media print {
  :root {
    color-scheme: light; --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; --faint: #eee;
    --blue: #1f5fa8; --red: #b8431f; --on: #fff;
  }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 10.5pt; } main { padding: 0; max-width: none; }
  figure, tr, .gallery li { break-inside: avoid; } h2, h3, h2 + p { break-after: avoid; }
  table { font-size: 8.5pt; } th, td { padding-right: .65rem; overflow-wrap: anywhere; }
  .wide { overflow: visible; break-inside: avoid; } /* nobody can scroll there */
  .columns { grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 1rem; }
  details { display: none; }
}
"""


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


def score_title(key: str) -> str:
    """A score as people call it."""
    return _NAMES.get(key, key.replace("_", " "))


def number_text(value: float | None, *, like: float | None = None, sign: bool = False) -> str:
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


def percent_text(share: float | None, digits: int = 1) -> str:
    """A share."""
    return NONE if share is None else f"{100 * share:.{digits}f} %"


def p_value(p: float) -> str:
    """A p-value; small ones by their bound."""
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def interval_text(one: Mapping[str, Any], *, like: float | None = None, sign: bool = False) -> str:
    """`low to high`."""
    if one["low"] is None:
        return NONE
    low, high = (number_text(one[end], like=like, sign=sign) for end in ("low", "high"))
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


def figure_with_caption(picture: Markup, caption: Content) -> Markup:
    """A picture with what it shows."""
    return tag("figure", picture, tag("figcaption", caption))


def page_section(title: str, *content: Content) -> Markup:
    """A part of the page."""
    return tag("section", tag("h2", title), content)


def side_by_side(*parts: Content) -> Markup:
    """Side by side where there is room."""
    return tag("div", parts, class_="columns")


def facts_list(pairs: Sequence[tuple[str, Content]], style: str = "facts") -> Markup:
    """Names and values."""
    return tag("dl", [tag("div", tag("dt", k), tag("dd", v)) for k, v in pairs], class_=style)
