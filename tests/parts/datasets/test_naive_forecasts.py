"""Forecasts that learn nothing, against the series itself read step by step."""

from pathlib import Path

import numpy as np
import pytest

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Machine, Windows
from nnlab.diagnosis.evidence.blind_guess import naive_losses
from nnlab.experiment.settle import settle
from nnlab.parts.datasets.sequences.naive import naive_forecasts


def windows(*, relative: bool, stride: int) -> Windows:
    series = np.random.default_rng(2).standard_normal(40).astype(np.float32)
    return Windows(series[:, None], series, 6, stride, offset=6, count=5, relative=relative)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("season", [2, 4, 6])
def test_each_step_is_told_by_what_was_seen(season: int, stride: int, *, relative: bool) -> None:
    made = windows(relative=relative, stride=stride)
    found = naive_forecasts(made, season)
    for window in range(made.examples):
        last = window * stride + 5
        base = float(made.targets[last]) if relative else 0.0
        for step in range(5):
            place = last + 1 + step
            while place > last:
                place -= season
            assert found["the last value"][window, step] + base == made.targets[last]
            ago = found["the value a season ago"][window, step] + base
            assert ago == pytest.approx(float(made.targets[place]), abs=1e-6)


def test_a_season_longer_than_the_first_window_is_left_out() -> None:
    assert [*naive_forecasts(windows(relative=False, stride=1), 9)] == ["the last value"]


@pytest.mark.parametrize("difference", [False, True])
def test_their_loss_is_that_of_a_network_that_gives_them(*, difference: bool) -> None:
    """In the unit of the series the squared error of the last value, whatever the scale."""
    config = load_config({
        "data": {"kind": "sunspots", "window": 12, "difference": difference},
        "model": {"kind": "rnn", "units": 4},
    })  # fmt: skip
    experiment = settle(config, place_for(Path.cwd()), Machine("cpu", 1))
    examples = experiment.load()
    assert examples.windows is not None
    assert examples.target_scale is not None
    last, season = naive_losses(experiment, examples)
    rows = examples.rows["validation"]
    series = examples.windows.targets.astype(np.float64)
    told, seen = series[rows + 12], series[rows + 11]
    scale = examples.target_scale.deviation[0] ** 2
    assert last.loss * scale == pytest.approx(float(((told - seen) ** 2).mean()), rel=1e-5)
    ago = series[rows + 12 - 11]
    assert season.loss * scale == pytest.approx(float(((told - ago) ** 2).mean()), rel=1e-5)
