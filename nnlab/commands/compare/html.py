"""The page of `nnlab compare`: one file that loads nothing from the network."""

from collections.abc import Sequence
from pathlib import Path

from nnlab.commands.compare.compared import Compared, compared_keys
from nnlab.commands.compare.page import (
    SEEDS,
    differences_table,
    moment_sentence,
    pairs_table,
    runs_table,
    sameness_cells,
    scores_table,
)
from nnlab.commands.compare.scores import MOMENTS
from nnlab.comparison.curves import average_curve, lines_of
from nnlab.core import files
from nnlab.display.web.html import (
    Content,
    Markup,
    html_document,
    page_section,
    score_title,
    scrolling_table,
    side_by_side,
    tag,
)
from nnlab.display.web.learning import DrawnCurve, curves_figure

_STYLES = (("validation", "solid"), ("train", "dotted"))


def write_html(found: Compared, file: Path) -> None:
    """Writes the page.

    Raises:
        ResourceError: it cannot be written.
    """
    files.write_file(file, page(found))


def page(found: Compared) -> str:
    """The page as text."""
    names = ", ".join(variant.label for variant in found.variants)
    scores: list[Content] = [_scores(found, moment) for moment in MOMENTS]
    if any(len(variant.seeds) > 1 for variant in found.variants):
        scores.append(tag("p", SEEDS.replace("+-", "\N{PLUS-MINUS SIGN}"), class_="soft"))
    reference = found.sides[0].label
    same = _table(("run", "readings", "weights"), [*map(sameness_cells, found.same)])
    return html_document(
        f"{len(found.sides)} runs: {names}",
        [tag("p", note, class_="looks") for note in found.notes],
        _table(*runs_table(found)),
        page_section(
            "How they learned",
            _findings(found),
            side_by_side(*(_curves(found, key) for key in compared_keys(found))),
        ),
        page_section(
            "What the configs differ in", [_table(*some) for some in differences_table(found, None)]
        ),
        page_section("Scores", scores),
        page_section(f"The same run? Each held against {reference}", same),
        lead=tag("p", "The first is the reference.", class_="sub"),
    )


def _scores(found: Compared, moment: str) -> list[Content]:
    up = found.score.higher_is_better
    ranked = ""
    if up is not None:
        by = f"{found.score.tag} at the best checkpoint"
        ranked = f"Ranked by {by} ({'higher' if up else 'lower'} is better)."
    parts: list[Content] = [tag("h3", moment_sentence(found, moment).capitalize())]
    parts += [tag("p", ranked, class_="soft"), _table(*scores_table(found, moment), numbers=True)]
    if found.pairs:
        paired = f"{moment_sentence(found, moment)}, paired by seed".capitalize()
        parts += [tag("h3", paired), _table(*pairs_table(found, moment), numbers=True)]
    return parts


def _curves(found: Compared, key: str) -> Markup:
    """One quantity of every variant: the mean over seeds, each seed as a faint line."""
    several = any(key in run.curves for run in found.measured)  # a whole tag
    tags = [(key, "solid", "")] if several else [
        (f"{key}/{split}", style, f" ({split})") for split, style in _STYLES
    ]  # fmt: skip
    curves: list[DrawnCurve] = []
    for number, variant in enumerate(found.variants):
        for name, style, said in tags:
            lines = lines_of(variant.measured, name, found.axis)
            if not lines:
                continue
            if len(lines) > 1:
                curves += [DrawnCurve("", *line, number, "faint") for line in lines]
            label = f"{variant.label or 'runs'}{said}"
            solid = "dotted" if style == "dotted" else "solid"
            curves.append(DrawnCurve(label, *average_curve(lines), number, solid))
    return curves_figure(score_title(key), found.axis.label, curves)


def _findings(found: Compared) -> Markup:
    """What was found wrong while they trained, and with which of them."""
    runs: dict[tuple[str, str, str], list[str]] = {}
    for side in found.sides:
        for one in side.summary.findings:
            what = str(one["name"]).replace("_", " "), one.get("layer") or "", one["level"]
            runs.setdefault(what, []).append(side.label)
    if not runs:
        text = "Nothing was found wrong with any of them while they trained."
        return tag("p", text, class_="soft")
    rows = [(*what, ", ".join(dict.fromkeys(labels))) for what, labels in runs.items()]
    return scrolling_table(("found while they trained", "layer", "level", "runs"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = False) -> Markup:
    """A table of texts; with `numbers`, all columns but the first are numbers."""
    signed = [[cell.replace(" +- ", " \N{PLUS-MINUS SIGN} ") for cell in row] for row in rows]
    return scrolling_table(head, signed, right=range(1, len(head)) if numbers else ())
