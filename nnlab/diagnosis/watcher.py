"""Watches a run: asks the checks after its readings, says each finding once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, final

from nnlab.core.contracts import Split
from nnlab.core.events import Event, Reading, Stopped
from nnlab.core.finding import LEVELS, Finding
from nnlab.diagnosis.checks import (
    data,
    label_noise,
    layers,
    learning_rate,
    loss,
    pacing,
    restraint,
    scores,
    signal,
    splits,
    unusual,
    weights,
)
from nnlab.diagnosis.checks.check import Check
from nnlab.diagnosis.checks.remedies import effective
from nnlab.diagnosis.checks.sequences.attention import ATTENTION_CHECKS
from nnlab.diagnosis.checks.sequences.through_time import TIME_CHECKS
from nnlab.diagnosis.checks.sequences.told import SEQUENCE_CHECKS
from nnlab.diagnosis.evidence.course import held_out_gone, scored_well, share_of_loss_gone
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History

SETTINGS = (*restraint.RESTRAINTS, *pacing.PACING, *unusual.UNUSUAL)
"""Causes that stand in the config."""
CHECKS: tuple[Check, ...] = (
    *data.DATA_CHECKS,
    *splits.SPLIT_CHECKS,
    *(setting.check() for setting in SETTINGS),
    *weights.WEIGHT_CHECKS,
    *layers.LAYER_CHECKS,
    *ATTENTION_CHECKS,
    *TIME_CHECKS,
    *signal.SIGNAL_CHECKS,
    *loss.ALWAYS,
    *learning_rate.RATE_CHECKS,
    *loss.LOSS_CHECKS,
    *scores.SCORE_CHECKS,
    *SEQUENCE_CHECKS,
    *label_noise.LABEL_CHECKS,
)
"""Causes before what they cause: data, config, weights, signal, rate, loss."""
TOPICS: Mapping[str, frozenset[str]] = {
    topic: frozenset(check.name for check in checks)
    for topic, checks in (
        ("data", data.DATA_CHECKS),
        ("splits", splits.SPLIT_CHECKS),
        ("settings", [setting.check() for setting in SETTINGS]),
        ("weights", weights.WEIGHT_CHECKS),
        ("layers", (*layers.LAYER_CHECKS, *signal.SIGNAL_CHECKS)),
        ("attention", ATTENTION_CHECKS),
        ("sequences", (*TIME_CHECKS, *SEQUENCE_CHECKS)),
        ("learning rate", learning_rate.RATE_CHECKS),
        ("loss and scores", (*loss.ALWAYS, *loss.LOSS_CHECKS, *scores.SCORE_CHECKS)),
        ("labels", label_noise.LABEL_CHECKS),
    )
}
"""Names of findings by what they are about."""
_ALL, _PACE = 30, 1.1
"""So many readings are all judged, later ones at growing distances: checks cost time."""
_WELL = 0.98
"""Where so much of a blind guess's loss is gone at the end, nothing that has passed did harm."""
_ENDED = ("completed", "early_stopped", "time_limit")


class Looked(NamedTuple):
    """What the checks could look at.

    Attributes:
        done: names of findings that were looked for.
        missed: those that were not, and why.
    """

    done: tuple[str, ...]
    missed: Mapping[str, str]


@final
class Watcher:
    """Finds what is wrong, from the events of a run.

    Args:
        facts: what is known before the first step.
        told: findings that an earlier session of the run has told.

    Attributes:
        findings: all so far, by name; of one name the worst.
    """

    def __init__(self, facts: Facts, *, told: Sequence[Finding] = ()) -> None:
        self._facts = facts
        self._history = History()
        followed = facts.followed and not facts.experiment.shape.start
        self._follows = followed
        # Rules of Hebb and Rosenblatt, and points on a surface, have losses of another kind.
        self._checks = (
            CHECKS if followed else (*data.DATA_CHECKS, *splits.SPLIT_CHECKS, *loss.ALWAYS)
        )
        self._readings = 0
        self._next = 0
        self.findings: dict[str, Finding] = {finding.name: finding for finding in told}

    def observe(self, event: Event) -> list[Finding]:
        """What is wrong and has not been said, after an event of the run."""
        if isinstance(event, Reading):
            return self.read(event.step, event.split, event.values)
        if isinstance(event, Stopped):
            return self.finish(event.status)
        return []

    def recall(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Takes over the readings of earlier sessions, as metrics.jsonl has them."""
        for record in history:
            self._take(*_taken(record))

    def replay(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Judges the readings of a whole run, as metrics.jsonl has them."""
        for record in history:
            self.read(*_taken(record))

    def read(self, step: int, split: Split, values: Mapping[str, float | None]) -> list[Finding]:
        """The new findings after a reading."""
        broken = any(value is None or value - value != 0.0 for value in values.values())
        if not self._take(step, split, values) and not broken:
            return []
        return list(self._new(at_end=False))

    def finish(self, status: str) -> list[Finding]:
        """The new findings when the run has ended with this status."""
        self._history.diverged = status == "diverged"
        self._history.ended = status in _ENDED
        self._history.status = status
        if not self._history.ended:
            return list(self._new(at_end=False))
        found = list(self._new(at_end=True))
        # A note that holds no more was a phase, and so was a loss that came down in the end.
        passed = [check.name for check in self._checks if self._passed(check)]
        self.findings = {n: f for n, f in self.findings.items() if n not in passed}
        if self._passed_over("overfitting"):
            del self.findings["overfitting"]  # validation fell again: it was a phase
        if self.best_share >= _WELL and not self.heavy_weights:
            mended = {name: self.findings[name] for name in self._mended()}
            self.findings |= {name: replace(one, level="note") for name, one in mended.items()}
        return found

    def looked(self) -> "Looked":
        """What was looked for, and what could not be."""
        done: list[str] = []
        missed: dict[str, str] = {}
        for check in self._checks:
            why = check.unable(self._history, self._facts)
            if check.name in self._facts.limits.ignore:
                why = "diagnose.ignore names it"
            elif why is None and check.at_end and not self._history.ended:
                why = "only a run that came to its end shows it"
            if why:
                missed[check.name] = why
            elif why is None:
                done.append(check.name)
        return Looked(tuple(done), missed)

    @property
    def best_step(self) -> int:
        """Where the validation loss is lowest so far."""
        return label_noise.best_step(self._history)

    def suspects(self) -> list[Finding]:
        """Notes of fields of the config that are far from usual and that nothing recorded confirms.

        None where the config ignores them. Nobody is told of these before one has been tried.
        """
        known = {*self.findings, *self._facts.limits.ignore}
        asked = (one for one in SETTINGS if one.name not in known and self._follows)
        found = (setting.suspect(self._history, self._facts) for setting in asked)
        return [one for one in found if one is not None]

    @property
    def best_share(self) -> float:
        """How much of a blind guess's loss is gone, of training or validation; 0 where unknown."""
        shares = (
            share_of_loss_gone(self._history, self._facts),
            held_out_gone(self._history, self._facts),
        )
        return max((share for share in shares if share is not None), default=0.0)

    @property
    def went_well(self) -> bool:
        """Whether a validation score is most of the way to a perfect one."""
        return scored_well(self._history, self._facts)

    @property
    def heavy_weights(self) -> bool:
        """Whether a layer's first weights were several times as long as usual ones."""
        return weights.heavy_weights(self._history, self._facts)

    def _passed_over(self, name: str) -> bool:
        """Whether what was found once does not hold at the end."""
        (check,) = (check for check in CHECKS if check.name == name)
        return name in self.findings and check.judge(self._history, self._facts) is None

    def _mended(self) -> list[str]:
        """Symptoms that counted once and do not hold at the end of a run that learned well."""
        return [
            check.name
            for check in (*weights.WEIGHT_CHECKS, *signal.SIGNAL_CHECKS, *learning_rate.RATE_CHECKS)
            if self._passed_over(check.name)
        ]

    def _passed(self, check: Check) -> bool:
        known = self.findings.get(check.name)
        mild = known is not None and (check.passes or not known.worse_than("note"))
        return mild and check.judge(self._history, self._facts) is None

    def _take(self, step: int, split: Split, values: Mapping[str, float | None]) -> bool:
        """Adds a reading; whether it is one to be judged."""
        self._history.add(step, split, values)
        self._readings += 1
        due = self._readings >= self._next
        if due and self._readings > _ALL:
            self._next = int(self._readings * _PACE) + 1
        return due

    def _new(self, *, at_end: bool) -> Iterator[Finding]:
        for check in self._checks:
            late = at_end or (check.of_config and self._history.diverged)
            if (check.at_end and not late) or check.name in self._facts.limits.ignore:
                continue
            if self._explained(check):
                continue
            known = self.findings.get(check.name)
            if known is not None and known.level == LEVELS[-1]:
                continue
            finding = check.judge(self._history, self._facts)
            if finding is not None and (known is None or finding.worse_than(known.level)):
                finding = replace(finding, remedy=effective(self._facts, finding.remedy))
                self.findings[check.name] = finding
                yield finding

    def _explained(self, check: Check) -> bool:
        """Whether a finding that counts has this one as its consequence."""
        known = {name: f for name, f in self.findings.items() if f.worse_than("note")}
        return any(name in known for name in check.explained_by) or any(
            name in known and known[name].since == 0 for name in check.begun_by
        )


def _taken(record: Mapping[str, Any]) -> tuple[int, Split, dict[str, float | None]]:
    """A line of metrics.jsonl as step, split and values."""
    values = {k: v for k, v in record.items() if k not in ("step", "epoch", "split")}
    return record["step"], record["split"], values
