"""The layers of a network as a table; layers that repeat get one line."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import Any

from nnlab.core.contracts import Plan, Shape

_FEW = 3
"""Fewer layers of a kind than these are written out; blocks never."""


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One line: `count` layers alike, of which this is the first."""

    plan: Plan
    depth: int
    last: Plan
    count: int = 1

    @property
    def name(self) -> str:
        """hidden1; hidden2-9 for eight; inside a block without the block's name."""
        first = self.plan.name.rpartition(".")[2] if self.depth else self.plan.name
        if self.count == 1:
            return first
        return f"{first}-{re.sub(r'^.*?(?=[0-9]*$)', '', self.last.name)}"


def folded(plans: Sequence[Plan], depth: int = 0) -> Iterator[LayerRow]:
    """Each plan, behind it those inside it; what follows each other and is alike has one row."""
    for _, group in groupby(plans, _form):
        alike = list(group)
        if len(alike) > 1 and (len(alike) >= _FEW or alike[0].children):
            yield LayerRow(alike[0], depth, alike[-1], len(alike))
            yield from folded(alike[0].children, depth + 1)
            continue
        for plan in alike:
            yield LayerRow(plan, depth, plan)
            yield from folded(plan.children, depth + 1)


def _form(plan: Plan) -> tuple[Any, ...]:
    """What two layers have in common that differ in their names alone."""
    children = tuple(_form(child) for child in plan.children)
    shapes = tuple(plan.parameters.values())
    return (plan.kind, plan.inputs, plan.output, shapes, plan.flops, plan.note, children)


def layer_table(plans: Sequence[Plan]) -> Any:
    """Name, kind, shapes, parameters and FLOPs of each layer, and their sums."""
    from nnlab.core.text import text_grid
    from nnlab.core.wrap import terminal_width

    lines = [_line(row) for row in folded(plans)]
    sums = (f"{sum(map(count_parameters, plans)):,}", large(sum(plan.flops for plan in plans)))
    lines.append(("total", "", "", *sums, ""))
    head = ("layer", "kind", "one example", "parameters", "FLOPs", "")
    if _width([head, *lines]) > terminal_width():
        # What comes in is what went out above; so the notes keep their place.
        lines = [(*line[:2], line[2].rpartition(" ")[2], *line[3:]) for line in lines]
        head = (*head[:2], "output", *head[3:])
    return text_grid(lines, head=head, right=(3, 4), whole=(0, 1, 2, 3, 4))


def _line(row: LayerRow) -> tuple[str, ...]:
    plan = row.plan
    times = f"{row.count} x " if row.count > 1 else ""
    return (
        "  " * row.depth + row.name,
        "" if plan.kind == row.name else plan.kind,
        f"{shape_text(plan.inputs)} -> {shape_text(plan.output)}",
        f"{times}{count_parameters(plan):,}",
        f"{times}{large(plan.flops)}",
        plan.note.replace(" norm", ""),
    )


def _width(lines: Sequence[Sequence[str]]) -> int:
    """Of a table whose columns stand two blanks apart."""
    return sum(2 + max(map(len, column)) for column in zip(*lines, strict=True)) - 2


def count_parameters(plan: Plan) -> int:
    """How many weights and biases."""
    return sum(prod(shape) for shape in plan.parameters.values())


def shape_text(shape: Shape) -> str:
    """A shape as people say it: 1x28x28."""
    return "x".join(map(str, shape))


def large(count: int) -> str:
    """Three digits and a unit: 25.1k."""
    for limit, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count / limit:.3g}{unit}"
    return str(count)
