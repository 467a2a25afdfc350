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


def _able(_: History, __: Facts) -> None:
    """Nothing keeps it from looking."""


def needs_layers(history: History, facts: Facts) -> str | None:
    """For checks of what happens in the layers."""
    if not facts.layers or not facts.followed:
        return ""
    return None if history.probed else "no look into the layers was recorded (log.probes=auto does)"


def needs_updates(history: History, facts: Facts) -> str | None:
    """For checks of how far updates move the weights."""
    if why := needs_layers(history, facts):
        return why
    moved = any(point.step for point in history.probed)
    return None if moved else "no update was recorded yet"


def needs_losses(history: History, _: Facts) -> str | None:
    """For checks of the course of the training loss."""
    return None if len(history.curve("loss")) >= 9 else "fewer than 9 readings of the loss"


def needs_validation(history: History, facts: Facts) -> str | None:
    """For checks that hold training against other rows."""
    if "validation" not in facts.experiment.shape.sizes:
        return "the data have no validation split (data.validation=0.2 makes one)"
    few = len(history.curve("loss", "validation")) < 6
    return "fewer than 6 readings of validation" if few else None


def needs_data(_: History, facts: Facts) -> str | None:
    """For checks of the data."""
    if facts.experiment.shape.start:
        return ""
    return None if facts.data is not None else facts.missing or "the data are not at hand"


def needs_table(history: History, facts: Facts) -> str | None:
    """For checks of single columns."""
    if len(facts.experiment.shape.inputs) != 1:
        return ""
    return needs_data(history, facts)


def needs_all_rows(history: History, facts: Facts) -> str | None:
    """For checks that read every row, as `nnlab doctor` does."""
    if facts.data is not None and not facts.data.all_read:
        return "not all rows were read"
    return needs_data(history, facts)


def needs_classes(history: History, facts: Facts) -> str | None:
    """For checks of class numbers."""
    return "" if facts.experiment.shape.task != "classes" else needs_data(history, facts)


def needs_numbers(history: History, facts: Facts) -> str | None:
    """For checks of targets that are numbers."""
    return "" if facts.experiment.shape.task != "regression" else needs_data(history, facts)


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
        passes: whether a warning is taken back at the end where it holds no more: of what the loss
            did for a while. A note always is.
        unable: what keeps it from looking, as a sentence; "" where it does not apply to such a
            run; None where it can look.
    """

    name: str
    judge: Callable[[History, Facts], Finding | None]
    explained_by: tuple[str, ...] = ()
    begun_by: tuple[str, ...] = ()
    at_end: bool = False
    of_config: bool = False
    passes: bool = False
    unable: Callable[[History, Facts], str | None] = _able


CAUSES = (
    "divergence",
    "symmetric_units",
    "dead_units",
    "saturation",
    "vanishing_gradient",
    "vanishing_through_time",
    "exploding_gradient",
    "exploding_through_time",
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
