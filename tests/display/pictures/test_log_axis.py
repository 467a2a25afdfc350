"""Logarithmic axes whose labels can be read."""

import itertools

import pytest

from nnlab.display.pictures.drawing import axes_of, log_y_axis, new_figure


@pytest.mark.parametrize(
    ("low", "high"), [(0.31, 0.36), (0.2, 1.7), (1e-4, 8e-4), (0.03, 1.4), (1e-7, 1.0), (2.0, 2.0)]
)
def test_labels_do_not_lie_on_one_another(low: float, high: float) -> None:
    figure = new_figure()
    axes = axes_of(figure)
    axes.plot([1, 2, 3], [low, high, low])
    log_y_axis(axes, low, high)
    figure.canvas.draw()
    ticks = axes.yaxis.get_ticklabels(which="both")
    boxes = [tick.get_window_extent() for tick in ticks if tick.get_text()]
    inside = sorted((box for box in boxes if 0 < box.y0 < figure.bbox.height), key=lambda b: b.y0)
    assert len(inside) >= 2
    assert all(upper.y0 >= lower.y1 for lower, upper in itertools.pairwise(inside))
