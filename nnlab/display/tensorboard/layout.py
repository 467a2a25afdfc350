"""The page that answers "is it learning?": which curves share a chart in TensorBoard."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from nnlab.core.contracts import Seen
from nnlab.training.probes.labels import number_of
from nnlab.training.probes.readings import READINGS

ChartCategory = tuple[str, Mapping[str, Sequence[str]]]
"""A title, and for each of its charts the patterns of the tags in it."""

LEARNING = "is it learning?"
DEPTH = "layer by layer"


def chart_categories(
    tags: Sequence[str], cards: Collection[str], seen: Sequence[Seen] | None
) -> list[ChartCategory]:
    """The categories of the custom scalars page.

    Args:
        tags: of losses and scores, by split.
        cards: keys of the gradient norms that have a curve; none where the rule follows none.
        seen: the layers that full probes see; None where there is none.
    """
    names = dict.fromkeys(tag.rpartition("/")[0] for tag in tags)
    first = {name: _exactly(t for t in tags if t.rpartition("/")[0] == name) for name in names}
    if not cards:
        return [(LEARNING, {**first, "learning rate": _exactly(["learning_rate"])})]
    keys = sorted(cards, key=depth_order)
    # What is between the first and the last layer stands in the other category.
    ends = [keys[0], keys[-1]] if len(keys) > 1 else keys
    first["gradient norm of first and last layer"] = _exactly(ends)
    if seen is not None:
        ratios = [key.replace("grad_norm", "update_ratio") for key in ends]
        first["update ratio of first and last layer"] = _exactly(ratios)
    first["learning rate"] = _exactly(["learning_rate"])
    return [(LEARNING, first), (DEPTH, _deep(seen))]


def _deep(seen: Sequence[Seen] | None) -> dict[str, list[str]]:
    """A chart for each reading that has one and that is there."""
    there = {"parameter": True}
    if seen is not None:
        there |= {"matrix": True,
                  "preactivation": any(s.before for s in seen),
                  "activation": any(s.after for s in seen),
                  "bounded": any(s.after and s.bounds for s in seen)}  # fmt: skip
    known = {name: found for name, found in READINGS.items() if found.chart}
    return {d.chart: [rf"^{name}/\d"] for name, d in known.items() if there.get(d.of)}


def depth_order(key: str) -> int:
    """By which keys of layers are sorted: as text, the hundredth would stand behind the tenth."""
    number = number_of(key)
    return -1 if number is None else number


def _exactly(tags: Iterable[str]) -> list[str]:
    return [f"^{re.escape(tag)}$" for tag in tags]
