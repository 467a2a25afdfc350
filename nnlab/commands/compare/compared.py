"""`compare_runs`: everything that is found out about some runs, before it is shown."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnlab.commands.compare.axes import Over, axis_of
from nnlab.commands.compare.identical import Sameness, find_sameness
from nnlab.commands.compare.runs import Side, gather_runs
from nnlab.commands.compare.scores import (
    MOMENTS,
    Pairs,
    VariantScore,
    paired_differences,
    rank_variants,
    reached_score,
    score_of,
    scores_as_plain,
)
from nnlab.commands.compare.scores import tags_of as _tags_of
from nnlab.commands.compare.variants import Variant, differing_fields, variants_of
from nnlab.comparison.curves import COLUMNS, Axis, draw_comparison
from nnlab.comparison.result import MeasuredQuantity

_SPLITS = ("data.validation", "data.test", "data.split_seed", "data.limit", "data.label_noise")


@dataclass(frozen=True, slots=True)
class Compared:
    """What some runs differ in.

    Attributes:
        sides: the runs; the first is the reference.
        variants: those that share a config but for the seed, in the order of the runs.
        score: what is ranked by and drawn.
        axis: what curves are drawn over.
        tags: what the tables show.
        order: the variants, the best first.
        pairs: differences to the first variant, seed by seed.
        same: how far each other run agrees with the reference.
        notes: what a reader must know beside the numbers.
    """

    sides: tuple[Side, ...]
    variants: tuple[Variant, ...]
    score: VariantScore
    axis: Axis
    tags: tuple[str, ...]
    order: tuple[Variant, ...]
    pairs: tuple[Pairs, ...]
    same: tuple[Sameness, ...]
    notes: tuple[str, ...]

    @property
    def measured(self) -> list[MeasuredQuantity]:
        """The runs as the pictures take them."""
        return [run for variant in self.variants for run in variant.measured]

    def plain(self) -> dict[str, Any]:
        """What `--json` prints."""
        labels = [side.label for side in self.sides]
        differences = differing_fields(self.sides)
        return {
            "runs": {side.label: _run(side) for side in self.sides},
            "differences": {k: dict(zip(labels, v, strict=True)) for k, v in differences.items()},
            "variants": {
                v.label: {
                    "runs": [side.label for side in v.sides],
                    "seeds": list(v.seeds),
                    **{
                        m: {t: scores_as_plain(reached_score(v, t, m)) for t in self.tags}
                        for m in MOMENTS
                    },
                }
                for v in self.variants
            },
            "score": self.score.tag,
            "higher_is_better": self.score.higher_is_better,
            "ranking": [variant.label for variant in self.order],
            "paired": {
                "reference": self.variants[0].label,
                "differences": {p.variant: _pairs(p) for p in self.pairs},
            },
            "reference": labels[0],
            "same": {found.run: found.plain() for found in self.same},
            "notes": list(self.notes),
        }


def _run(side: Side) -> dict[str, Any]:
    summary = side.summary
    return {
        "folder": str(side.folder),
        "status": side.status,
        "seed": side.seed,
        "parameters": summary.parameters,
        "epochs": summary.epochs,
        "steps": summary.steps,
        "monitor": summary.monitor,
        "best": summary.best,
        "last": summary.last,
        "seconds": summary.seconds,
        "data": side.digest,
    }


def _pairs(pairs: Pairs) -> dict[str, Any]:
    found = {
        m: {t: scores_as_plain(v) for t, v in values.items()} for m, values in pairs.found.items()
    }
    return {"seeds": pairs.seeds, **found}


def compare_runs(
    runs: Sequence[str], *, over: Over = "epoch", score: str | None = None
) -> Compared:
    """Finds out what some runs differ in.

    Args:
        runs: as RUN says it; a comparison stands for its members.
        over: what the curves are drawn over.
        score: what to rank by and to draw; None takes what the first run watches.

    Raises:
        ConfigError: fewer than two runs, no such reading.
        CheckpointError: the folder of a run cannot be read.
    """
    sides = gather_runs(runs)
    variants = variants_of(sides)
    chosen = score_of(sides, score)
    tags = _tags_of(sides, chosen)
    return Compared(
        sides=tuple(sides),
        variants=tuple(variants),
        score=chosen,
        axis=axis_of(sides, over),
        tags=tuple(tags),
        order=tuple(rank_variants(variants, chosen)),
        pairs=tuple(paired_differences(variants, tags)),
        same=tuple(find_sameness(sides[0], other) for other in sides[1:]),
        notes=tuple(_notes(sides, variants, chosen)),
    )


def _notes(sides: Sequence[Side], variants: Sequence[Variant], score: VariantScore) -> list[str]:
    first, found = sides[0], list[str]()
    other = [side.label for side in sides if side.digest != first.digest]
    if other:
        found.append(
            f"other data than {first.label} (SHA-256 differs): {', '.join(other)}; "
            "their scores are of other examples"
        )
    else:
        moved = [key for key in differing_fields(sides) if key.startswith(_SPLITS)]
        if moved:
            found.append(f"the splits may hold other rows: {', '.join(moved)} differ")
    watched = {side.summary.monitor for side in sides}
    if len(watched) > 1:
        each = ", ".join(f"{side.label} {side.summary.monitor}" for side in sides)
        found.append(f"best is chosen by different monitors: {each}")
    lacking = [side.label for side in sides if score.tag not in side.curves]
    if lacking:
        found.append(f"{score.tag} is not read by {', '.join(lacking)}")
    for side in sides:
        if side.status in ("running", "killed", "pruned", "interrupted", "failed"):
            found.append(f"{side.label} is not complete ({side.status}): its readings so far")
        elif side.status == "diverged":
            found.append(f"{side.label} diverged: {side.summary.why}")
    for variant in variants:
        if variant.repeated:
            names = ", ".join(variant.repeated)
            found.append(f"{names}: config and seed of another run, counted once in means")
    if score.higher_is_better is None:
        found.append(f"{score.tag} is no score: the order is that of the command")
    return found


def as_json(found: Compared) -> str:
    """One JSON object."""
    return json.dumps(found.plain(), default=str) + "\n"


def compared_keys(found: Compared) -> list[str]:
    """What the panels show: the score first, then loss and scores; each with both splits."""
    first = found.score.tag
    if found.score.higher_is_better is not None:
        first = first.rpartition("/")[0]
    keys = [tag.rpartition("/")[0] for tag in found.tags if tag != found.score.tag]
    return list(dict.fromkeys([first, *keys]))


def draw_png(found: Compared, file: Path) -> None:
    """Writes at most three panels.

    Raises:
        ResourceError: it cannot be written.
    """
    title = " / ".join(variant.label for variant in found.variants)
    title = title if len(title) <= 100 else f"{len(found.sides)} runs"
    draw_comparison(
        found.measured, compared_keys(found)[:COLUMNS], file, title=title, axis=found.axis
    )
