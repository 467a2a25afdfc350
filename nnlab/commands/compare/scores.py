"""What the variants reach: by the monitor, at the best and the last checkpoint, in pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import isnan
from typing import Any, Literal, NamedTuple

from nnlab.commands.compare.runs import Side
from nnlab.commands.compare.variants import Variant
from nnlab.comparison.result import Estimate, estimate_mean, paired_by_seed
from nnlab.core.errors import ConfigError

MOMENTS = ("best", "last")


@dataclass(frozen=True, slots=True)
class VariantScore:
    """What the variants are ranked by.

    Attributes:
        tag: as TensorBoard calls it.
        higher_is_better: None for a reading that is no score, by which nothing is ranked.
    """

    tag: str
    higher_is_better: bool | None


class Pairs(NamedTuple):
    """A variant minus the first, seed by seed.

    Attributes:
        variant: its label.
        seeds: how many the two share.
        found: moment -> tag -> mean and interval of the differences.
    """

    variant: str
    seeds: int
    found: dict[str, dict[str, Estimate]]


def score_of(sides: Sequence[Side], asked: str | None) -> VariantScore:
    """The reading to rank by and to draw.

    Args:
        sides: the runs.
        asked: a score (accuracy: of validation where there is one) or a tag; None takes what the
            first run watches.

    Raises:
        ConfigError: no run reads that.
    """
    known = list(dict.fromkeys(tag for side in sides for tag in side.curves))
    better = {key: up for side in sides for key, up in side.better.items()}
    monitor = sides[0].summary.monitor
    wanted = asked or (monitor if monitor in known else "loss")
    candidates = (wanted, f"{wanted}/validation", f"{wanted}/train")
    tag = next((name for name in candidates if name in known), None)
    if tag is None:
        near = get_close_matches(wanted, [*better, *known], n=1)
        what = f"did you mean {near[0]}?" if near else f"readings are {', '.join(known[:8])}, ..."
        raise ConfigError(f"--score {wanted}: no run reads it ({what})")
    key = tag.rpartition("/")[0]
    return VariantScore(tag, better.get(key))


def tags_of(sides: Sequence[Side], score: VariantScore) -> list[str]:
    """The columns of the tables: what is ranked by, then loss and scores of the same split."""
    split = score.tag.rpartition("/")[2] if score.higher_is_better is not None else "validation"
    keys = dict.fromkeys(key for side in sides for key in side.better)
    tags = [f"{key}/{split}" for key in keys]
    known = [tag for tag in tags if any(tag in side.curves for side in sides)]
    return list(dict.fromkeys([score.tag, *known]))


def split_of(tags: Sequence[str]) -> str:
    """The split that all of them are of; empty if they are not of one."""
    found = {tag.rpartition("/")[2] for tag in tags}
    return found.pop() if len(found) == 1 and found <= {"train", "validation"} else ""


def reached_score(variant: Variant, tag: str, moment: str) -> Estimate | None:
    """Mean and interval over its seeds; None where it is not read."""
    runs = [run for run in variant.measured if tag in run.curves]
    return estimate_mean([run.value(tag, moment) for run in runs]) if runs else None


def rank_variants(variants: Sequence[Variant], score: VariantScore) -> list[Variant]:
    """The best first; what diverged or is not finite, last. As they are where nothing ranks."""
    if score.higher_is_better is None:
        return list(variants)
    sign = -1.0 if score.higher_is_better else 1.0

    def place(variant: Variant) -> tuple[bool, float]:
        found = reached_score(variant, score.tag, "best")
        diverged = any(side.status == "diverged" for side in variant.sides)
        bad = diverged or found is None or isnan(found.mean)
        return bad, 0.0 if found is None or bad else sign * found.mean

    return sorted(variants, key=place)


def paired_differences(variants: Sequence[Variant], tags: Sequence[str]) -> list[Pairs]:
    """Every other variant minus the first, where the two share two seeds or more."""
    first = variants[0]
    found: list[Pairs] = []
    for variant in variants[1:]:
        shared = [seed for seed in variant.seeds if seed in first.seeds]
        if len(shared) > 1:
            values = {
                moment: {
                    tag: paired_by_seed(variant.measured, first.measured, tag, moment)
                    for tag in tags
                }
                for moment in MOMENTS
            }
            found.append(Pairs(variant.label, len(shared), values))
    return found


def scores_as_plain(value: Estimate | None) -> dict[Literal["mean", "half"], Any] | None:
    """For JSON, which has no NaN."""
    if value is None:
        return None
    mean, half = (None if isnan(number) else number for number in value)
    return {"mean": mean, "half": half}
