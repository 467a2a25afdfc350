"""Runs that share a config but for the seed, and what their configs differ in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnlab.commands.compare.runs import Side
from nnlab.comparison.result import MeasuredQuantity
from nnlab.config.described import plain_text

_APART = ("name", "seed", "log", "data.root", "train.threads")
"""Fields that do not make another experiment of a run."""
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LONGEST = 32


@dataclass(frozen=True, slots=True)
class Variant:
    """One experiment, with as many runs as it has seeds.

    Attributes:
        letter: its sign in the chart.
        label: what the tables call it.
        said: the label, and where it is a run's what that differs in, if it is said shortly.
        sides: its runs.
        repeated: labels of runs whose seed another one has: the same run twice.
    """

    letter: str
    label: str
    said: str
    sides: tuple[Side, ...]
    repeated: tuple[str, ...]

    @property
    def seeds(self) -> tuple[int | str, ...]:
        """Of its runs, each once."""
        return tuple(dict.fromkeys(side.seed for side in self.sides))

    @property
    def measured(self) -> tuple[MeasuredQuantity, ...]:
        """Its runs as `nnlab.comparison.result` counts them: one for each seed."""
        return tuple(
            MeasuredQuantity(side.label, self.label, side.seed, side.summary, side.curves, {})
            for side in self.sides
            if side.label not in self.repeated
        )


def differing_fields(sides: Sequence[Side]) -> dict[str, tuple[Any, ...]]:
    """Dotted key -> its value in each run, of the fields that are not the same in all.

    None stands where a config has no such field. The name of an experiment is none of its settings.
    """
    known = dict.fromkeys(key for side in sides for key in side.fields)
    # What only later runs have stands with its section.
    sections = list(dict.fromkeys(key.split(".")[0] for key in known))
    parts = list(dict.fromkeys(".".join(key.split(".")[:2]) for key in known))
    keys = sorted(known, key=lambda key: _place(key, sections, parts))
    found = {key: tuple(side.fields.get(key) for side in sides) for key in keys if key != "name"}
    return {key: values for key, values in found.items() if len(set(map(repr, values))) > 1}


def _place(key: str, sections: Sequence[str], parts: Sequence[str]) -> tuple[int, int]:
    first, _, rest = key.partition(".")
    part = f"{first}.{rest.partition('.')[0]}" if rest else first
    return sections.index(first), parts.index(part)


def variants_of(sides: Sequence[Side]) -> list[Variant]:
    """The runs by experiment, in the order of their first run."""
    found: dict[tuple[tuple[str, str], ...], list[Side]] = {}
    for side in sides:
        found.setdefault(_experiment(side), []).append(side)
    variants = list(found.values())
    labels, differences = _labels(variants), _differences(variants)
    # Of all or of none: `exclude` is a path.
    fit = max(map(len, differences), default=0) <= _LONGEST
    return [
        Variant(
            letter=LETTERS[number % len(LETTERS)],
            label=label,
            said=f"{label} ({said})" if fit and said and said != label else label,
            sides=tuple(mine),
            repeated=_repeated(mine),
        )
        for number, (label, said, mine) in enumerate(
            zip(labels, differences, variants, strict=True)
        )
    ]


def _experiment(side: Side) -> tuple[tuple[str, str], ...]:
    return (
        *((key, repr(value)) for key, value in side.fields.items() if not key.startswith(_APART)),
        ("data", side.digest),
    )


def _repeated(sides: Sequence[Side]) -> tuple[str, ...]:
    seen: set[int | str] = set()
    return tuple(s.label for s in sides if s.seed in seen or seen.add(s.seed))


def _labels(variants: Sequence[Sequence[Side]]) -> list[str]:
    """A name for each: the comparison's own, that of its only run, or what it differs in."""
    alone = all(len(sides) == 1 for sides in variants)
    found: list[str] = []
    for sides, said in zip(variants, _differences(variants), strict=True):
        if len({side.variant for side in sides}) == 1 and sides[0].variant:
            found.append(sides[0].variant)
        else:
            found.append(sides[0].label if alone or not 0 < len(said) <= _LONGEST else said)
    if len(set(found)) == len(found):
        return found
    return [sides[0].label for sides in variants]


def _differences(variants: Sequence[Sequence[Side]]) -> list[str]:
    """Each experiment's values of the fields that differ: lr=0.1, hidden=[16, 16]."""
    firsts = [sides[0] for sides in variants]
    keys = [key for key in differing_fields(firsts) if not key.startswith(_APART)]
    short = {key: key.removesuffix(".kind").rpartition(".")[2] for key in keys}
    names = {k: s if [*short.values()].count(s) == 1 else k for k, s in short.items()}
    return [
        ", ".join(f"{names[k]}={plain_text(first.fields[k])}" for k in keys if k in first.fields)
        for first in firsts
    ]


def by_variant(variants: Sequence[Variant]) -> Mapping[str, tuple[Any, ...]]:
    """Like `differing_fields`, a value for each variant; that of `seed` is a list of its seeds."""
    differs = differing_fields([side for variant in variants for side in variant.sides])
    found: dict[str, tuple[Any, ...]] = {}
    for key in differs:
        if key.partition(".")[0] == "seed":
            found["seed"] = tuple([*variant.seeds] for variant in variants)
        else:
            found[key] = tuple(variant.sides[0].fields.get(key) for variant in variants)
    return found
