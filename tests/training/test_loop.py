"""The loop's events: when, in which order, how a run ends."""

from collections.abc import Mapping, Sequence
from math import inf, nan
from typing import Any

import pytest
import torch
from torch import Tensor

from nnlab.core.events import EpochEnd, Event, Reading, SaveDue, Stopped
from nnlab.training.loop import Trainer
from nnlab.training.order import Order
from nnlab.training.pace import Pace
from nnlab.training.progress import Best, Limits, Monitor, Progress
from nnlab.training.window import Window


class CountingStep:
    """Counts calls; its loss is what the test says."""

    observation = None

    def __init__(self, losses: dict[int, float] | None = None) -> None:
        self.window = Window({}, torch.device("cpu"))
        self.rows: list[list[int]] = []
        self.probed: list[int] = []
        self.rates: list[float] = []
        self._losses = losses or {}

    def fill_learning_rate(self, value: float) -> None:
        self.rates.append(value)

    def update(self, rows: Tensor) -> None:
        self.rows.append(rows.tolist())
        self.window.examples += len(rows)

    def probe(self, rows: Tensor, *, beside: Sequence[Tensor] | None = None) -> None:
        self.probed.append(len(self.rows))

    def read(self) -> dict[str, float]:
        loss = self._losses.get(len(self.rows), 1.0)
        if self.window.examples:
            self.window.end([loss * self.window.examples, 0.0])
        return {"loss": loss}

    def state(self) -> dict[str, Tensor]:
        return {}

    def load(self, state: Mapping[str, Tensor]) -> None: ...


def constant(step: int) -> float:
    return 1.0


def hyperbola(step: int) -> float:
    return 1.0 / (1 + step)


def trainer(step: CountingStep, **changes: Any) -> Trainer:
    order = Order(
        torch.arange(100, 110), batch_size=3, drop_last=False, seed=0, device=torch.device("cpu")
    )
    parts: dict[str, Any] = {
        "step": step,
        "order": order,
        "schedule": constant,
        "base_lr": 0.5,
        "evaluate": {"validation": lambda: {"loss": 2.0}},
        "pace": Pace(3),
        "limits": Limits(steps=8),
        "monitor": Monitor("loss", "validation", higher_is_better=False),
        "announce": list,
    }
    return Trainer(**{**parts, **changes})


def events_of(step: CountingStep, **changes: Any) -> list[Event]:
    return list(trainer(step, **changes).run(Progress()))


def test_reads_at_step_0_every_n_steps_at_each_epoch_and_at_the_end() -> None:
    events = events_of(CountingStep(), limits=Limits(steps=11))
    steps = [e.step for e in events if isinstance(e, Reading) and e.split == "train"]
    assert steps == [0, 3, 4, 6, 8, 9, 11]


def test_validates_at_step_0_at_each_epoch_and_at_the_end() -> None:
    events = events_of(CountingStep(), limits=Limits(steps=11))
    steps = [e.step for e in events if isinstance(e, Reading) and e.split == "validation"]
    assert steps == [0, 4, 8, 11]


def test_the_mean_over_an_epoch_counts_every_example_of_it_once() -> None:
    # Windows of 3 batches of 3 examples and of the short batch of 1.
    events = events_of(CountingStep({3: 2.0, 4: 12.0, 6: 5.0, 8: 4.0}), limits=Limits(steps=8))
    means = {e.step: e.epoch_means for e in events if isinstance(e, Reading) and e.split == "train"}
    assert means[0] == {}
    assert means[3] == {"loss": pytest.approx(2.0)}
    assert means[4] == {"loss": pytest.approx((9 * 2.0 + 1 * 12.0) / 10)}
    assert means[6] == {"loss": pytest.approx(5.0)}
    assert means[8] == {"loss": pytest.approx((6 * 5.0 + 4 * 4.0) / 10)}


def test_has_at_most_one_reading_per_step_and_split() -> None:
    readings = [e for e in events_of(CountingStep()) if isinstance(e, Reading)]
    assert len({(e.step, e.split) for e in readings}) == len(readings)


def test_probes_once_before_the_last_update_of_each_window() -> None:
    step = CountingStep()
    events_of(step)
    assert step.probed == [0, 2, 3, 5, 7]


def test_an_epoch_sees_every_row_once_and_the_last_batch_is_short() -> None:
    step = CountingStep()
    events_of(step)
    assert [len(rows) for rows in step.rows[:4]] == [3, 3, 3, 1]
    assert sorted(row for rows in step.rows[:4] for row in rows) == list(range(100, 110))
    assert step.rows[:4] != step.rows[4:8]


def test_ends_with_save_and_stopped() -> None:
    events = events_of(CountingStep())
    assert isinstance(events[-2], SaveDue)
    assert events[-1] == Stopped("completed", "8 steps")
    assert [e.epoch for e in events if isinstance(e, EpochEnd)] == [1, 2]


@pytest.mark.parametrize("loss", [nan, inf])
def test_stops_at_the_first_reading_that_is_not_finite_and_does_not_save_it(loss: float) -> None:
    events = events_of(CountingStep({6: loss}), limits=Limits(steps=100))
    assert isinstance(events[-1], Stopped)
    assert events[-1].status == "diverged"
    assert "step 6" in events[-1].why
    assert all(e.step < 6 for e in events if isinstance(e, SaveDue))


def test_stops_early_when_validation_has_not_become_better_for_the_patience() -> None:
    values = iter([5.0, 4.0, 3.0, 3.5, 3.2, 2.0])
    progress = Progress()
    run = trainer(
        CountingStep(),
        evaluate={"validation": lambda: {"loss": next(values)}},
        limits=Limits(steps=100, patience=8),
    )
    events = list(run.run(progress))
    assert isinstance(events[-1], Stopped)
    assert events[-1].status == "early_stopped"
    assert progress.step == 16
    assert progress.best == Best("validation", 8, 2.0, {"loss": 3.0})


def test_min_delta_does_not_move_the_best_but_the_patience() -> None:
    values = iter([5.0, 4.9, 4.8, 4.7, 4.6, 4.5])
    progress = Progress()
    run = trainer(
        CountingStep(),
        evaluate={"validation": lambda: {"loss": next(values)}},
        limits=Limits(steps=100, patience=12, min_delta=1.0),
    )
    list(run.run(progress))
    assert progress.step == 12
    assert progress.best is not None
    assert progress.best.values == {"loss": 4.7}


def test_stops_after_its_minutes() -> None:
    events = events_of(CountingStep(), limits=Limits(steps=None, seconds=0.02))
    assert isinstance(events[-1], Stopped)
    assert events[-1].status == "time_limit"


def test_a_request_to_stop_ends_before_the_next_update_and_saves() -> None:
    step = CountingStep()
    run = trainer(step, pace=Pace(100), limits=Limits(steps=1000))
    events: list[Event] = []
    for event in run.run(Progress()):
        events.append(event)
        if isinstance(event, EpochEnd) and event.epoch == 2:
            run.stop("asked")
    assert len(step.rows) == 8
    assert isinstance(events[-2], SaveDue)
    assert events[-1] == Stopped("interrupted", "asked")


def test_the_learning_rate_follows_the_schedule_of_the_step() -> None:
    step = CountingStep()
    events_of(step, schedule=hyperbola)
    assert step.rates == [0.5 / (1 + n) for n in range(8)]


class Watcher:
    """A schedule that notes what it is shown."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def __call__(self, step: int) -> float:
        return 1.0

    def observe(self, value: float) -> None:
        self.seen.append(value)

    def state(self) -> dict[str, Any]:
        return {"seen": list(self.seen)}

    def load(self, state: Mapping[str, Any]) -> None:
        self.seen = list(state["seen"])


def test_an_observing_schedule_is_shown_the_training_loss_of_each_epoch_where_that_is_watched() -> (
    None
):
    losses = {step: 10.0 - step for step in range(12)}
    schedule = Watcher()
    watched = Monitor("loss", "train", higher_is_better=False)
    events_of(CountingStep(losses), schedule=schedule, monitor=watched, limits=Limits(steps=10))
    assert schedule.seen == [6.0, 2.0, 0.0]  # after steps 4, 8 and 10


def test_the_state_at_a_reading_holds_what_the_schedule_was_shown() -> None:
    progress, schedule = Progress(), Watcher()
    for event in trainer(CountingStep(), schedule=schedule).run(progress):
        if isinstance(event, Reading) and event.split == "validation" and event.step:
            assert progress.schedule == {"seen": [2.0] * (event.step // 4)}


def test_continues_in_the_middle_of_an_epoch_with_the_same_rows() -> None:
    whole, second = CountingStep(), CountingStep()
    events_of(whole, limits=Limits(steps=20))
    list(trainer(second, limits=Limits(steps=20)).run(Progress(step=6, epoch=1)))
    assert second.rows == whole.rows[6:]


def test_ranks_share_an_epoch_between_them() -> None:
    rows = torch.arange(10)

    def batches(rank: int) -> list[int]:
        order = Order(rows, batch_size=2, drop_last=False, seed=3, device=torch.device("cpu"),
                      rank=rank, world=2)  # fmt: skip
        return torch.cat(order.batches(0)).tolist()

    assert sorted(batches(0) + batches(1)) == list(range(10))


def test_drop_last_leaves_the_short_batch_out() -> None:
    order = Order(
        torch.arange(10), batch_size=4, drop_last=True, seed=0, device=torch.device("cpu")
    )
    assert [len(batch) for batch in order.batches(5)] == [4, 4]
    assert order.per_epoch == 2
