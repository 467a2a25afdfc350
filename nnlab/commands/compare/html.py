"""The page of `nnlab compare`: one file that asks no host for anything."""

import html
from collections.abc import Sequence
from pathlib import Path

from nnlab.commands.compare.compared import Compared, compared_keys
from nnlab.commands.compare.page import (
    SEEDS,
    differences_table,
    moment_sentence,
    pairs_table,
    runs_table,
    sameness_lines,
    scores_table,
)
from nnlab.commands.compare.scores import MOMENTS
from nnlab.comparison.curves import curve_svg
from nnlab.core import files
from nnlab.core.wrap import visible_text

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1a1a1a; --soft: #666; --rule: #ddd; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #161718; --ink: #e6e3dd; --soft: #9c988f; --rule: #3a3b3d; }
  /* Drawn on white: blackened, in the same hues. */
  .charts svg { filter: invert(1) hue-rotate(180deg); mix-blend-mode: screen; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 76rem; margin: 0 auto; padding: 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; }
p { margin: .3rem 0; } .soft { color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; white-space: nowrap; }
td { max-width: 30rem; } td.long { white-space: normal; min-width: 14rem; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; }
.charts svg { flex: 1 1 20rem; width: 100%; max-width: 36rem; height: auto; min-width: 0; }
.note { border-left: 3px solid #c80; padding-left: .7rem; }
@media print {
  :root { color-scheme: light; --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; }
  body { padding: 0; font-size: 10pt; }
  h1, h2, h3, .soft { break-after: avoid; } tr, .charts svg { break-inside: avoid; }
  /* Nobody can scroll there. */
  th, td { white-space: normal; overflow-wrap: anywhere; padding-right: .6rem; }
  table { font-size: 8.5pt; } td.long { min-width: 0; }
  .scroll { overflow: visible; break-inside: avoid; } .charts { display: block; }
  .charts svg { width: 48%; display: inline-block; filter: none; mix-blend-mode: normal; }
}
"""
_LONG = 40


def escape(text: str) -> str:
    """A text of others for HTML: nothing in it acts on the page or on what shows it."""
    return html.escape(visible_text(text))


def write_html(found: Compared, file: Path) -> None:
    """Writes the page.

    Raises:
        ResourceError: it cannot be written.
    """
    files.write_file(file, page(found))


def page(found: Compared) -> str:
    """The page as text."""
    title = f"{len(found.sides)} runs: " + ", ".join(v.label for v in found.variants)
    parts = [f"<h1>{escape(title)}</h1>"]
    parts += [f'<p class="note">{escape(note)}</p>' for note in found.notes]
    parts += [_table(*runs_table(found)), _title("What the configs differ in")]
    parts += [_table(*some) for some in differences_table(found, None)]
    parts += [_title(f"Curves over {found.axis.label}"), '<div class="charts">']
    parts += [curve_svg(found.measured, key, axis=found.axis) for key in compared_keys(found)]
    parts.append("</div>")
    for moment in MOMENTS:
        parts += [_title(f"Scores {moment_sentence(found, moment)}"), *_ranking(found)]
        parts.append(_table(*scores_table(found, moment)))
        if found.pairs:
            parts += ["<h3>paired by seed</h3>", _table(*pairs_table(found, moment))]
    if any(len(variant.seeds) > 1 for variant in found.variants):
        parts.append(f"<p>{escape(SEEDS)}</p>")
    parts += [
        _title(f"The same run? Each held against {found.sides[0].label}"),
        *(f"<p>{escape(line)}</p>" for one in found.same for line in sameness_lines(one)),
    ]
    # Even if a name slipped through: nothing may be fetched and no script run.
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _ranking(found: Compared) -> list[str]:
    up = found.score.higher_is_better
    if up is None:
        return []
    by = f"Ranked by {found.score.tag} at the best checkpoint"
    return [f'<p class="soft">{escape(by)} ({"higher" if up else "lower"} is better).</p>']


def _title(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'


def _cell(text: str) -> str:
    start = '<td class="long">' if len(text) > _LONG else "<td>"
    return f"{start}{escape(text.replace(' +- ', ' ± '))}</td>"
