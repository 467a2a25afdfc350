"""What `nnlab compare` prints: tables and a chart for a terminal of any width."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nnlab.commands.compare.compared import Compared
from nnlab.commands.compare.identical import COMPARED, Sameness, WeightsOfBoth
from nnlab.commands.compare.scores import MOMENTS, reached_score, split_of
from nnlab.commands.compare.variants import Variant, by_variant
from nnlab.comparison.curves import average_curve, lines_of
from nnlab.comparison.result import mean_with_interval
from nnlab.config.described import plain_text
from nnlab.core.text import render_text, text_grid, text_grids
from nnlab.core.wrap import terminal_width
from nnlab.display.shown_summary import two_decimals
from nnlab.display.text_chart import Drawn, curve_color, text_chart, wants_log_axis

_CELL = 24
"""Characters of a value in the table of differences; longer ones are broken into lines."""
SEEDS = "mean +- 95 % interval over seeds (Student's t)"
WHEN = {"best": "at the best checkpoint", "last": "at the last reading"}

_Rows = list[tuple[str, ...]]


def compare_page(found: Compared) -> str:
    """The whole, as wide as the terminal (80 columns where there is none, 120 at most).

    In colours where stdout is a terminal; NO_COLOR and TERM=dumb are heard.
    """
    import sys

    width = terminal_width()
    return render_text(*parts_of(found, width), width=width, colors=sys.stdout.isatty())


def parts_of(found: Compared, width: int) -> list[Any]:
    """Tables, lines and the chart, in their order, for `printing.rendered`."""
    parts: list[Any] = [*_legend(found), "", "what the configs differ in", ""]
    for head, rows in differences_table(found, width):
        parts += [text_grid(rows, head=head, whole=(0,)), ""]
    parts += ["", *_chart(found, width), ""]
    for moment in MOMENTS:
        head, rows = scores_table(found, moment)
        parts += [
            moment_sentence(found, moment) + _ranked(found, moment),
            "",
            text_grid(rows, head=head, whole=(0,)),
            "",
        ]
    for moment in MOMENTS if found.pairs else ():
        head, rows = pairs_table(found, moment)
        parts += [
            f"{moment_sentence(found, moment)}, paired by seed",
            "",
            text_grid(rows, head=head, whole=(0,)),
            "",
        ]
    if any(len(variant.seeds) > 1 for variant in found.variants):
        parts += [SEEDS, ""]
    reference = found.sides[0].label
    parts += [f"the same run? Each held against {reference}", ""]
    parts += [line for one in found.same for line in sameness_lines(one)]
    return [*parts, *([""] if found.notes else ()), *(f"note: {note}" for note in found.notes)]


def _legend(found: Compared) -> list[Any]:
    head, rows = runs_table(found)
    colors = {v.letter: curve_color(number) for number, v in enumerate(found.variants)}
    right = range(len(head) - 3, len(head))
    tables = text_grids(rows, head=head, right=right, kept=2, styles=[colors[r[0]] for r in rows])
    return [part for table in tables for part in ("", table)][1:]


def runs_table(found: Compared) -> tuple[tuple[str, ...], _Rows]:
    """Each run: its letter in the chart, how it ended, what it took."""
    named = any(v.label != s.label for v in found.variants for s in v.sides)
    head = ("", "run", *(("variant",) if named else ()), "status", "seed", "epochs", "parameters")
    rows: _Rows = []
    for variant in found.variants:
        for side in variant.sides:
            done = side.summary
            rows.append(
                (
                    variant.letter,
                    side.label,
                    *((variant.label,) if named else ()),
                    side.status.replace("_", " "),
                    str(side.seed),
                    two_decimals(done.epochs_trained),
                    f"{done.parameters:,}",
                    f"{done.session_seconds:,.1f} s",
                )
            )
    return (*head, "training"), rows


def differences_table(
    found: Compared, width: int | None
) -> Iterator[tuple[tuple[str, ...], _Rows]]:
    """The fields that differ, a column for each variant; several tables where one is too wide.

    Args:
        found: the comparison.
        width: characters of a line; None for one table.
    """
    fields = by_variant(found.variants)
    if not fields:
        yield ("field",), [("nothing: the configs are the same",)]
        return
    keys = [*map(len, fields)]
    cells: Mapping[str, list[str]] = {k: [*map(_value, v)] for k, v in fields.items()}
    columns = list(range(len(found.variants)))
    room = len(columns) if width is None else _room(cells, found.variants, width - max(keys))
    for start in range(1, max(2, len(columns)), max(1, room - 1)):
        some = [0, *columns[start : start + max(1, room - 1)]]
        head = ("field", *(found.variants[i].label for i in some))
        yield head, [(key, *(cells[key][i] for i in some)) for key in fields]


def _value(value: Any) -> str:
    return "-" if value is None else plain_text(value)


def _room(cells: Mapping[str, list[str]], variants: Sequence[Variant], left: int) -> int:
    """How many columns fit beside the names of the fields."""
    longest = max(len(text) for row in cells.values() for text in row)
    widest = max(min(_CELL, longest), *(min(_CELL, len(v.label)) for v in variants))
    return max(2, left // (widest + 1))


def _chart(found: Compared, width: int) -> Iterator[Any]:
    from rich.text import Text

    tag = found.score.tag
    curves: list[Drawn] = []
    values: list[float] = []
    for number, variant in enumerate(found.variants):
        lines = lines_of(variant.measured, tag, found.axis)
        if lines:
            curves.append(Drawn(variant.letter, average_curve(lines), number))
            values += curves[-1].line.values
    mean = ", mean over seeds" if any(len(v.seeds) > 1 for v in found.variants) else ""
    yield f"{tag}{mean}{', logarithmic' if wants_log_axis(values) else ''}"
    yield ""
    yield text_chart(curves, width=width, label=found.axis.label)
    entries = [f"{variant.letter} {variant.said}" for variant in found.variants]
    between = "  " if len("  ".join(entries)) <= width else "\n"
    legend = Text()
    for number in range(len(entries)):
        legend.append(between if number else "").append(entries[number], curve_color(number))
    yield legend


def _ranked(found: Compared, moment: str) -> str:
    up = found.score.higher_is_better
    if moment != "best" or up is None:
        return ""
    return f", ranked by {found.score.tag} ({'higher' if up else 'lower'} is better)"


def scores_table(found: Compared, moment: str) -> tuple[tuple[str, ...], _Rows]:
    """What each variant reaches, the best first."""
    rows = [
        (
            variant.label,
            str(len(variant.measured)),
            *(_cell(variant, t, moment) for t in found.tags),
        )
        for variant in found.order
    ]
    return ("variant", "runs", *_columns(found)), rows


def moment_sentence(found: Compared, moment: str) -> str:
    """At which checkpoint the numbers of a table were read, and of which split."""
    split = split_of(found.tags)
    return WHEN[moment] + (f" ({split})" if split else "")


def _columns(found: Compared) -> list[str]:
    split = split_of(found.tags)
    return [tag.removesuffix(f"/{split}") if split else tag for tag in found.tags]


def _cell(variant: Variant, tag: str, moment: str) -> str:
    value = reached_score(variant, tag, moment)
    return "-" if value is None else mean_with_interval(value)


def pairs_table(found: Compared, moment: str) -> tuple[tuple[str, ...], _Rows]:
    """Each variant minus the first."""
    first = found.variants[0].label
    rows = [
        (
            f"{pair.variant} minus {first}",
            str(pair.seeds),
            *(mean_with_interval(pair.found[moment][tag]) for tag in found.tags),
        )
        for pair in found.pairs
    ]
    return ("", "seeds", *_columns(found)), rows


def sameness_lines(found: Sameness) -> list[str]:
    """Where a run leaves the reference, in sentences: first its readings, then its weights."""
    if found.identical:
        return [
            f"{found.run}  bit for bit the same run: all {found.shared:,} readings (but for their "
            "times) and the weights of init, best and last"
        ]
    run, readings, weights = sameness_cells(found)
    return [f"{run}  readings: {readings}", f"{' ' * len(run)}  weights: {weights}"]


def sameness_cells(found: Sameness) -> tuple[str, str, str]:
    """A run, where its readings leave those of the reference, and where its weights do."""
    return found.run, _readings(found), _weights(found.weights)


def _readings(found: Sameness) -> str:
    """As in: differ from step 11 on, first in loss of train and 3 other values of that reading."""
    if not found.shared:
        return "the two have none in common"
    alone = f"; {found.alone:,} are in one run only" if found.alone else ""
    if found.first is None:
        return f"equal in all {found.shared:,} that both have{alone}"
    first = found.first
    more = first.count - 1
    others = f" and {more} other value{'s' if more > 1 else ''} of that reading" if more else ""
    where = f"first in {first.key} of {first.split}{others}"
    return f"differ from step {first.step:,} on, {where}{alone}"


def _weights(found: Mapping[str, WeightsOfBoth]) -> str:
    """As in: equal at init; best differs in all 6 tensors (step 1,000 against 600)."""
    equal = [name for name in COMPARED if found[name].result == "equal"]
    parts = [f"equal at {', '.join(equal)}"] if equal else []
    for name in COMPARED:
        both = found[name]
        if both.result == "missing":
            parts.append(f"{name} is missing in one of them")
        elif both.result == "differ":
            many = f"all {both.of}" if both.tensors == both.of else f"{both.tensors} of {both.of}"
            steps = " against ".join(f"{step:,}" for step in dict.fromkeys(both.steps))
            at = f" (step {steps})" if len(set(both.steps)) > 1 else ""
            parts.append(f"{name} differs in {many} tensors{at}")
    return "; ".join(parts)
