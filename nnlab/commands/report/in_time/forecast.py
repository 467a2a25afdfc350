"""What a report says of a forecast: its error by horizon beside naive ones, the worst windows."""

import numpy as np

from nnlab.commands.report import intervals
from nnlab.commands.report.cases import Case
from nnlab.commands.report.in_time.facts import DrawnWindow, ForecastFacts, HorizonError
from nnlab.parts.datasets.sequences.naive import naive_forecasts
from nnlab.parts.datasets.sequences.series import SeriesLikeConfig

_WORST, _PAST = 6, 60
"""So many windows are drawn, with at most so many steps before them."""


def forecast_facts(case: Case) -> ForecastFacts | None:
    """Error by horizon and the worst windows; None where the data are no series."""
    windows = case.opened.examples.windows
    data = case.opened.experiment.config.data
    if windows is None or not isinstance(data, SeriesLikeConfig):
        return None
    predicted, actual = case.numbers
    errors = np.abs(predicted - actual)
    naive = {
        name: np.abs(found[case.rows] - actual)
        for name, found in naive_forecasts(windows, data.season).items()
    }
    count = len(errors)
    statistics: dict[str, intervals.Statistic] = {
        str(step): lambda counts, step=step: counts @ errors[:, step] / count
        for step in range(errors.shape[1])
    }
    draws = intervals.bootstrap_statistics(statistics, count)
    horizon: list[HorizonError] = []
    for step in range(errors.shape[1]):
        found = intervals.percentile_interval(draws[str(step)])
        horizon.append(
            HorizonError(
                step + 1,
                float(errors[:, step].mean()),
                None if found is None else found.low,
                None if found is None else found.high,
                {name: float(each[:, step].mean()) for name, each in naive.items()},
            )
        )
    return ForecastFacts(tuple(horizon), _worst(case, predicted, actual))


def _worst(case: Case, predicted: np.ndarray, actual: np.ndarray) -> tuple[DrawnWindow, ...]:
    windows = case.opened.examples.windows
    assert windows is not None
    means = np.abs(predicted - actual).mean(axis=1)
    order = np.argsort(-means, kind="stable")[:_WORST]
    found: list[DrawnWindow] = []
    for index in order:
        row = int(case.rows[index])
        start = row * windows.stride
        last = start + windows.length - 1
        base = float(windows.targets[last]) if windows.relative else 0.0
        past = windows.targets[max(start, last + 1 - _PAST) : last + 1].astype(np.float64)
        found.append(
            DrawnWindow(
                row,
                start + windows.offset,
                float(means[index]),
                tuple(past.tolist()),
                tuple((actual[index] + base).tolist()),
                tuple((predicted[index] + base).tolist()),
            )
        )
    return tuple(found)
