import json
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.optim import lr_scheduler

from nnlab.core.contracts import ObservingFn
from nnlab.core.durations import Duration
from nnlab.core.kinds import kinds_of
from nnlab.parts.schedules import Schedule
from nnlab.parts.schedules.cycles import CosineConfig, OneCycleConfig, WarmRestartsConfig
from nnlab.parts.schedules.decays import (
    ConstantScheduleConfig,
    ExponentialConfig,
    InverseSqrtConfig,
    LinearScheduleConfig,
    PolynomialConfig,
    StepsConfig,
)
from nnlab.parts.schedules.family import ScheduleConfig
from nnlab.parts.schedules.plateau import PlateauConfig

PER_EPOCH, TOTAL = 10, 60
BASE = 0.5
CONFIGS: list[Any] = [kind.example() for kind in kinds_of(Schedule).values()]


def factors(config: ScheduleConfig, *, total: int | None = TOTAL) -> list[float]:
    schedule = config.build(per_epoch=PER_EPOCH, total=total)
    return [schedule(step) for step in range(TOTAL)]


def sgd() -> torch.optim.SGD:
    return torch.optim.SGD([torch.zeros(1)], lr=BASE)


def rates(scheduler: lr_scheduler.LRScheduler) -> list[float]:
    """torch's rate before each update, as a factor of the base."""
    result: list[float] = []
    for _ in range(TOTAL):
        result.append(float(scheduler.get_last_lr()[0]) / BASE)
        scheduler.optimizer.step()
        scheduler.step()
    return result


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.kind)
class TestEverySchedule:
    def test_factors_are_positive_and_at_most_one(self, config: ScheduleConfig) -> None:
        assert all(0 < factor <= 1 for factor in factors(config))

    def test_does_not_depend_on_what_was_asked_before(self, config: ScheduleConfig) -> None:
        schedule = config.build(per_epoch=PER_EPOCH, total=TOTAL)
        backwards = [schedule(step) for step in reversed(range(TOTAL))]
        assert backwards[::-1] == factors(config)

    def test_warms_up_linearly_to_its_first_factor(self, config: ScheduleConfig) -> None:
        warm = config.model_copy(update={"warmup": Duration(1.2)})
        first = factors(config)[0]
        expected = [first * (step + 1) / 12 for step in range(12)]
        assert factors(warm)[:12] == pytest.approx(expected)

    def test_starts_after_the_warm_up_where_it_would_have(self, config: ScheduleConfig) -> None:
        warm = config.model_copy(update={"warmup": Duration(7, "steps")})
        assert factors(warm)[7] == pytest.approx(factors(config)[0])

    def test_goes_on_beyond_the_planned_end(self, config: ScheduleConfig) -> None:
        schedule = config.build(per_epoch=PER_EPOCH, total=TOTAL)
        assert 0 <= schedule(10 * TOTAL) <= 1
        if config.kind != "warm_restarts":
            assert schedule(10 * TOTAL) <= schedule(TOTAL)

    @pytest.mark.parametrize("total", [1, 2, 3])
    def test_fits_a_run_of_few_steps(self, config: ScheduleConfig, total: int) -> None:
        warm = config.model_copy(update={"warmup": Duration(2, "steps")})
        for schedule in (c.build(per_epoch=1, total=total) for c in (config, warm)):
            assert all(0 <= schedule(step) <= 1 for step in range(total))

    def test_needs_the_total_only_if_it_says_so(self, config: ScheduleConfig) -> None:
        if config.uses_total:
            with pytest.raises(ValueError, match="length of the run"):
                factors(config, total=None)
        else:
            assert factors(config, total=None) == factors(config)


def test_warm_up_in_per_cent_is_of_the_run() -> None:
    assert factors(ConstantScheduleConfig(warmup=Duration(50, "%"))).index(1.0) == TOTAL // 2 - 1


def test_steps_every_is_that_of_torch() -> None:
    config = StepsConfig(every=Duration(1.5), gamma=0.3)
    expected = rates(lr_scheduler.StepLR(sgd(), step_size=15, gamma=0.3))
    np.testing.assert_allclose(factors(config), expected)


def test_steps_at_is_that_of_torch() -> None:
    config = StepsConfig(at=(Duration(2), Duration(25, "steps"), Duration(75, "%")), gamma=0.5)
    expected = rates(lr_scheduler.MultiStepLR(sgd(), milestones=[20, 25, 45], gamma=0.5))
    np.testing.assert_allclose(factors(config), expected)


def test_warm_up_does_not_move_the_steps() -> None:
    config = StepsConfig(at=(Duration(2),), gamma=0.5, warmup=Duration(1))
    assert factors(config)[19:21] == [1.0, 0.5]


@pytest.mark.parametrize("wrong", [{}, {"every": 1, "at": (1,)}, {"every": 0}])
def test_steps_need_every_or_at(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="every"):
        StepsConfig.model_validate(wrong)


def test_exponential_falls_by_gamma_in_each_epoch_as_torch_does_step_by_step() -> None:
    expected = rates(lr_scheduler.ExponentialLR(sgd(), gamma=0.7 ** (1 / PER_EPOCH)))
    np.testing.assert_allclose(factors(ExponentialConfig(gamma=0.7)), expected)


def test_cosine_is_that_of_torch() -> None:
    expected = rates(lr_scheduler.CosineAnnealingLR(sgd(), T_max=TOTAL, eta_min=0.1 * BASE))
    np.testing.assert_allclose(factors(CosineConfig(final=0.1)), expected)


def test_cosine_is_the_formula_of_its_paper() -> None:
    t = np.arange(TOTAL)
    expected = 0.2 + 0.5 * (1 - 0.2) * (1 + np.cos(np.pi * t / TOTAL))
    np.testing.assert_allclose(factors(CosineConfig(final=0.2)), expected)


def test_cosine_runs_over_what_the_warm_up_leaves() -> None:
    config = CosineConfig(warmup=Duration(1))
    after = CosineConfig().build(per_epoch=PER_EPOCH, total=TOTAL - 10)
    assert factors(config)[10:] == [after(step) for step in range(TOTAL - 10)]


def test_cosine_ends_at_its_final_factor() -> None:
    assert CosineConfig(final=0.25).build(per_epoch=PER_EPOCH, total=TOTAL)(TOTAL) == 0.25


@pytest.mark.parametrize("final", [0.0, 0.2])
def test_linear_is_that_of_torch(final: float) -> None:
    scheduler = lr_scheduler.LinearLR(sgd(), 1.0, end_factor=final, total_iters=TOTAL)
    np.testing.assert_allclose(
        factors(LinearScheduleConfig(final=final)), rates(scheduler), rtol=1e-9
    )


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_polynomial_is_that_of_torch(power: float) -> None:
    scheduler = lr_scheduler.PolynomialLR(sgd(), total_iters=TOTAL, power=power)
    np.testing.assert_allclose(factors(PolynomialConfig(power=power)), rates(scheduler), rtol=1e-9)


def test_polynomial_ends_at_its_final_factor() -> None:
    config = PolynomialConfig(power=3.0, final=0.25)
    assert config.build(per_epoch=PER_EPOCH, total=TOTAL)(TOTAL) == 0.25


def test_inverse_sqrt_is_the_formula_of_its_paper() -> None:
    # Vaswani et al., eq. 3: min(n^-0.5, n * w^-1.5), as a share of its peak w^-0.5. Their n counts
    # from 1; behind the warm-up it is one less here, as the first factor there is the peak again.
    w = 13
    ours = factors(InverseSqrtConfig(warmup=Duration(w, "steps")))
    n = np.array([step + 1 if step < w else step for step in range(TOTAL)])
    np.testing.assert_allclose(ours, np.minimum(n**-0.5, n * w**-1.5) / w**-0.5)


@pytest.mark.parametrize(("multiplier", "first"), [(1, 7), (2, 5), (3, 4)])
def test_warm_restarts_are_those_of_torch(multiplier: int, first: int) -> None:
    expected = rates(
        lr_scheduler.CosineAnnealingWarmRestarts(
            sgd(), T_0=first, T_mult=multiplier, eta_min=0.1 * BASE
        )
    )
    config = WarmRestartsConfig(period=Duration(first, "steps"), multiplier=multiplier, final=0.1)
    np.testing.assert_allclose(factors(config), expected)


def test_warm_restarts_need_a_period() -> None:
    with pytest.raises(ValidationError, match="period must be greater than 0"):
        WarmRestartsConfig(period=Duration(0))


@pytest.mark.parametrize("pct_start", [0.0, 0.25, 0.9])
def test_one_cycle_is_that_of_torch(pct_start: float) -> None:
    # One more than the updates: torch refuses the scheduler step after the last one.
    scheduler = lr_scheduler.OneCycleLR(
        sgd(), BASE, total_steps=TOTAL + 1, pct_start=pct_start, cycle_momentum=False, div_factor=9
    )
    config = OneCycleConfig(pct_start=pct_start, div_factor=9.0)
    schedule = config.build(per_epoch=PER_EPOCH, total=TOTAL + 1)
    np.testing.assert_allclose([schedule(step) for step in range(TOTAL)], rates(scheduler))


def plateau(
    config: PlateauConfig, *, higher_is_better: bool = False, total: int = 60
) -> ObservingFn:
    schedule = config.build(per_epoch=10, total=total, higher_is_better=higher_is_better)
    assert isinstance(schedule, ObservingFn)
    return schedule


READINGS = [
    round(float(value), 2)
    for value in 2 + np.cumsum(np.random.default_rng(3).normal(0, 0.05, 60)).clip(-1.5, 5)
]


@pytest.mark.parametrize("higher_is_better", [False, True])
@pytest.mark.parametrize(
    "fields",
    [
        {"patience": 2},
        {"patience": 0, "factor": 0.5},
        {"patience": 1, "cooldown": 3},
        {"patience": 1, "threshold": 0.05, "min_factor": 0.01},
    ],
)
def test_plateau_is_that_of_torch(fields: dict[str, Any], higher_is_better: bool) -> None:
    config = PlateauConfig.model_validate(fields)
    torchs = lr_scheduler.ReduceLROnPlateau(
        sgd(),
        mode="max" if higher_is_better else "min",
        factor=config.factor,
        patience=config.patience,
        threshold=config.threshold,
        cooldown=config.cooldown,
        min_lr=config.min_factor * BASE,
        eps=0.0,
    )
    ours = plateau(config, higher_is_better=higher_is_better)
    for reading in READINGS:
        torchs.step(reading)
        ours.observe(reading)
        assert ours(100) == pytest.approx(torchs.get_last_lr()[0] / BASE)
    assert ours(100) < 1.0


def test_plateau_counts_a_reading_that_is_not_finite_as_no_improvement() -> None:
    schedule = plateau(PlateauConfig(patience=1))
    for value in (1.0, float("nan"), float("inf")):
        schedule.observe(value)
    assert schedule(0) == pytest.approx(0.1)


def test_plateau_improves_after_a_first_reading_that_was_not_finite() -> None:
    schedule = plateau(PlateauConfig(patience=0))
    schedule.observe(float("inf"))
    for value in (5.0, 4.0, 3.0):
        schedule.observe(value)
    assert schedule(0) == pytest.approx(0.1)


def test_plateau_wants_negative_values_to_rise_too() -> None:
    schedule = plateau(PlateauConfig(patience=0, threshold=0.1), higher_is_better=True)
    for value in (-1.0, -1.05):
        schedule.observe(value)
    assert schedule(0) == pytest.approx(0.1)


def test_plateau_goes_on_from_its_state() -> None:
    config = PlateauConfig(patience=1, cooldown=2)
    whole, broken = plateau(config), plateau(config)
    for index, reading in enumerate(READINGS):
        if index == 23:
            state = json.loads(json.dumps(broken.state()))
            broken = plateau(config)
            broken.load(state)
        whole.observe(reading)
        broken.observe(reading)
    assert broken.state() == whole.state()
    assert broken(5) == whole(5)


def test_only_plateau_observes() -> None:
    observers = [c.kind for c in CONFIGS if isinstance(c.build(per_epoch=1, total=9), ObservingFn)]
    assert observers == ["plateau"]


@pytest.mark.parametrize("field", ["div_factor", "final_div_factor"])
def test_one_cycle_begins_and_ends_below_its_peak(field: str) -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        OneCycleConfig.model_validate({field: 0.5})
