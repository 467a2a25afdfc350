"""What a check of the doctor is: a function from facts to findings."""

from collections.abc import Callable
from typing import NamedTuple

from nnlab.core.finding import Finding
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History


class Check(NamedTuple):
    """One thing that can be wrong.

    Attributes:
        name: of its finding.
        judge: what is wrong at the newest reading, or None. Reads the history, keeps nothing.
        explained_by: findings whose consequence this one is: where one of them has been made, this
            one would say nothing new.
        begun_by: findings whose consequence this one is, but only where it was there before the
            first update: nothing that an update did can be the cause of that.
        at_end: asked when the run has ended, not at each reading.
    """

    name: str
    judge: Callable[[History, Facts], Finding | None]
    explained_by: tuple[str, ...] = ()
    begun_by: tuple[str, ...] = ()
    at_end: bool = False


CAUSES = (
    "divergence",
    "symmetric_units",
    "dead_units",
    "saturation",
    "vanishing_gradient",
    "exploding_gradient",
)
"""What explains that nothing is learned."""
