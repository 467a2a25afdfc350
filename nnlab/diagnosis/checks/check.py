"""What a check of the doctor is: a function from facts to findings.

A cause that stands in the config is asked for in two parts. `far` reads the config alone, `proof`
what was recorded. Both together are a finding, which comes before every symptom; `far` alone is a
suspicion, which nnlab doctor RUN can try.
"""

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
        of_config: whether the cause stands in the config; then it is asked when a run diverged too.
    """

    name: str
    judge: Callable[[History, Facts], Finding | None]
    explained_by: tuple[str, ...] = ()
    begun_by: tuple[str, ...] = ()
    at_end: bool = False
    of_config: bool = False


CAUSES = (
    "divergence",
    "symmetric_units",
    "dead_units",
    "saturation",
    "vanishing_gradient",
    "exploding_gradient",
)
"""What explains that nothing is learned."""


class Far(NamedTuple):
    """A field that is far from usual.

    Attributes:
        meaning: the field with its value, and what such a value does, in a sentence.
        remedy: what brings it back, as `--set` takes it.
        layer: that it concerns; None for all.
    """

    meaning: str
    remedy: tuple[str, ...]
    layer: str | None = None


class Proof(NamedTuple):
    """What was recorded that confirms it.

    Attributes:
        measured: the number.
        quantity: what that number is.
    """

    measured: float | None
    quantity: str


class Setting(NamedTuple):
    """One field of the config that can be the cause.

    Attributes:
        name: of the finding.
        far: whether the field is far from usual.
        proof: whether the run shows it, asked where the field is far.
        source: a paper or a book.
    """

    name: str
    far: Callable[[Facts], Far | None]
    proof: Callable[[History, Facts], Proof | None]
    source: str = ""

    def judge(self, history: History, facts: Facts) -> Finding | None:
        """The finding, where the config has it and the run shows it."""
        found = self.far(facts)
        seen = self.proof(history, facts) if found is not None else None
        return None if found is None or seen is None else self._finding(found, seen)

    def suspect(self, history: History, facts: Facts) -> Finding | None:
        """A note, where the config has it and the run does not show it."""
        found = self.far(facts)
        if found is None or self.proof(history, facts) is not None:
            return None
        return self._finding(found, None)

    def check(self) -> Check:
        """As the watcher asks it."""
        return Check(self.name, self.judge, at_end=True, of_config=True)

    def _finding(self, found: Far, seen: Proof | None) -> Finding:
        return Finding(
            name=self.name,
            level="note" if seen is None else "warning",
            layer=found.layer,
            measured=None if seen is None else seen.measured,
            quantity="" if seen is None else seen.quantity,
            since=0,
            meaning=found.meaning,
            remedy=found.remedy,
            source=self.source,
        )
