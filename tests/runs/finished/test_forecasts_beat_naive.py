"""Forecasts of bundled series beside the value a season ago, over five seeds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from nnlab.commands.report.cases import case_of
from nnlab.parts.datasets.sequences.naive import naive_forecasts
from nnlab.parts.datasets.sequences.series import SeriesLikeConfig
from nnlab.runs.finished.reopen import open_run
from nnlab.runs.run import train

SERIES: dict[str, dict[str, Any]] = {
    "sunspots": {
        "data": {"kind": "sunspots", "window": 22, "validation": 40, "test": 60},
        "model": {"kind": "gru", "units": 32},
        "train": {"epochs": 40, "batch_size": 32, "clip_norm": 1.0},
    },
    "co2": {
        "data": {"kind": "co2", "window": 52},
        "model": {"kind": "gru", "units": 16},
        "train": {"steps": 400, "batch_size": 32, "clip_norm": 1.0},
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SERIES)
def test_they_are_better_on_the_years_that_follow(name: str, tmp_path: Path) -> None:
    """The 95 % interval of their mean absolute error, Student's t over seeds, lies below it."""
    found: list[float] = []
    naive = np.inf
    for seed in range(5):
        config = {**SERIES[name], "optimizer": {"kind": "adam", "lr": 3e-3}, "seed": seed}
        run = train(config, run_dir=tmp_path / str(seed)).run
        opened = open_run(Path(run), split="test", device=torch.device("cpu"))
        case = case_of(opened, "test")
        predicted, actual = case.numbers
        found.append(float(np.abs(predicted - actual).mean()))
        data, windows = opened.experiment.config.data, opened.examples.windows
        assert isinstance(data, SeriesLikeConfig)
        assert windows is not None
        season = naive_forecasts(windows, data.season)["the value a season ago"][case.rows]
        naive = float(np.abs(season - actual).mean())
    half = stats.t.ppf(0.975, 4) * np.std(found, ddof=1) / 5**0.5
    print(f"{name}: {np.mean(found):.4g} +- {half:.2g}, naive {naive:.4g}")  # noqa: T201
    assert np.mean(found) + half < naive
