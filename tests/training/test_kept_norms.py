"""Who watches between the readings: gradient norms without a pass, and a clock that can stand."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from building import Made, make
from torch import Tensor

from nnlab.core.events import Reading
from nnlab.training.progress import Progress
from nnlab.training.step import Step

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch norm and dropout": {
        "model": {"kind": "mlp", "hidden": [8, 8], "norm": "batch", "dropout": 0.5},
    },
    "clipped": {"train": {"epochs": 2, "batch_size": 16, "clip_norm": 0.1}},
    "full probes": {"log": {"every": "3 steps", "probes": "6 steps"}},
    "lbfgs": {"optimizer": "lbfgs", "train": {"epochs": 2, "batch_size": "full"}},
}
BASE: dict[str, Any] = {
    "data": {"kind": "blobs", "samples": 120},
    "model": {"kind": "mlp", "hidden": [8]},
    "train": {"epochs": 2, "batch_size": 16},
}


def readings_of(made: Made, before: Callable[[], None] | None = None) -> list[Reading]:
    """The readings of a run without its speed; `before` each update something is done."""
    trainer = made.built.trainer
    if before is not None:
        trainer.step = interrupted(made.built.step, before)
    found = [event for event in trainer.run(Progress()) if isinstance(event, Reading)]
    return [replace(each, values=without_speed(each)) for each in found]


def without_speed(reading: Reading) -> dict[str, float]:
    return {k: v for k, v in reading.values.items() if k != "samples_per_second"}


class Interrupted:
    """A step that somebody stands before."""

    def __init__(self, inner: Any, before: Callable[[], None]) -> None:
        self._inner, self._before = inner, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def update(self, rows: Tensor) -> None:
        self._before()
        self._inner.update(rows)


def interrupted(step: Step, before: Callable[[], None]) -> Step:
    return cast("Step", Interrupted(step, before))


@pytest.mark.parametrize("sections", CASES.values(), ids=CASES.keys())
def test_keeping_before_every_update_changes_neither_weights_nor_readings(
    sections: dict[str, Any],
) -> None:
    alone, watched = (make(**{**BASE, **sections}) for _ in range(2))
    observation = watched.built.step.observation
    assert observation is not None
    assert readings_of(alone) == readings_of(watched, observation.keep_norms)
    for name, tensor in alone.built.step.state().items():
        assert torch.equal(watched.built.step.state()[name], tensor), name


def test_the_norms_are_those_of_the_update() -> None:
    made = make(**BASE)
    step, network = made.built.step, made.built.network
    assert step.observation is not None
    rows = made.rows[:16]
    batch = made.built.source.gather(rows)
    loss = torch.nn.functional.cross_entropy(network(batch.inputs), batch.targets)
    expected = torch.stack([g.norm() for g in torch.autograd.grad(loss, [*network.parameters()])])
    step.observation.keep_norms()
    step.fill_learning_rate(0.1)
    step.update(rows)
    assert step.observation.kept_norms is not None
    torch.testing.assert_close(step.observation.kept_norms, expected)


def test_an_update_that_is_not_asked_leaves_the_norms_of_the_last_that_was() -> None:
    made = make(**BASE)
    observation = made.built.step.observation
    assert observation is not None
    made.built.step.fill_learning_rate(0.1)
    made.built.step.update(made.rows[:16])
    assert observation.kept_norms is None
    observation.keep_norms()
    made.built.step.update(made.rows[:16])
    first = observation.kept_norms
    made.built.step.update(made.rows[16:32])
    assert observation.kept_norms is first


def test_a_rule_without_gradients_has_none_to_show() -> None:
    made = make(data="xor", model="linear", rule="perceptron", train={"epochs": 1})
    assert made.built.step.observation is None


class StandingClock:
    """Moves by a second at each update, and not while somebody holds the run up."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def tick(self) -> None:
        self.now += 1.0


def test_a_clock_that_is_handed_in_is_the_one_that_counts() -> None:
    clock, made = StandingClock(), make(**BASE)
    made.built.trainer.clock = clock
    progress = Progress()
    made.built.trainer.step = interrupted(made.built.step, clock.tick)
    list(made.built.trainer.run(progress))
    updates = progress.step
    assert progress.seconds == updates
    assert progress.train_seconds == updates


def test_minutes_are_those_of_the_clock() -> None:
    clock = StandingClock()
    made = make(**{**BASE, "train": {"minutes": 0.5, "batch_size": 16}})
    made.built.trainer.clock = clock
    made.built.trainer.step = interrupted(made.built.step, clock.tick)
    progress = Progress()
    events = [*made.built.trainer.run(progress)]
    assert progress.step == 30
    assert getattr(events[-1], "status", "") == "time_limit"
