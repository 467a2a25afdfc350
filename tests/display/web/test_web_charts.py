"""Plots of a page: marks stand where their numbers are, ticks are round, peaks survive thinning."""

import re
from math import inf, log10, nan

import numpy as np
import pytest

from nnlab.display.web.html import command_text, scrolling_table
from nnlab.display.web.learning import DrawnCurve, curves_figure, depth_figure, thin_curve
from nnlab.display.web.svg_plot import SvgPlot, covering_log_range, log_ticks

LEFT, RIGHT, TOP, BOTTOM = 52, 368, 14, 256
"""Where the axes are, of 380 x 300."""


def points_of(svg: str) -> list[list[tuple[float, float]]]:
    return [
        [tuple(map(float, pair.split(","))) for pair in line.split()]  # pyright: ignore[reportReturnType]
        for line in re.findall(r'<polyline points="([^"]*)"', svg)
    ]


@pytest.mark.parametrize(
    ("low", "high"), [(0.03, 0.2), (2.303, 2.31), (1e-4, 20.0), (1e-30, 1e30), (0.9, 1.1), (3, 700)]
)
def test_ticks_of_a_log_axis_are_round_and_few(low: float, high: float) -> None:
    found = log_ticks(low, high)
    assert 1 <= len(found) <= 13
    assert all(low <= value <= high for value in found)
    # Two or more say how long a stretch is; their labels do not lie on one another.
    places = [log10(value / low) / log10(high / low) * (BOTTOM - TOP) for value in found]
    assert len(found) >= 2
    assert min(np.diff(places)) >= 11  # pixels: the height of a letter
    assert len({f"{value:.4g}" for value in found}) == len(found)


def test_a_log_axis_spaces_by_ratio() -> None:
    plot = SvgPlot("t", "x", "y", (0, 2), (0.01, 1.0), log=True)
    plot.line([(0, 0.01), (1, 0.1), (2, 1.0)], "curve")
    ((a, b, c),) = points_of(plot.svg())
    assert a == (LEFT, BOTTOM)
    assert c == (RIGHT, TOP)
    assert b == ((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2)


def test_a_line_breaks_where_there_is_no_number() -> None:
    plot = SvgPlot("t", "x", "y", (0, 4), (0, 1))
    plot.line([(0, 0), (1, 1), (2, nan), (3, 0), (4, 1)], "curve")
    assert [len(line) for line in points_of(plot.svg())] == [2, 2]
    log = SvgPlot("t", "x", "y", (0, 4), (0.1, 1), log=True)
    log.line([(0, 0.1), (1, 1), (2, 0.0), (3, inf), (4, 1)], "curve")
    svg = log.svg()
    assert [len(line) for line in points_of(svg)] == [2]
    assert svg.count("<circle") == 1  # the last one stands alone


def test_a_straight_line_is_cut_at_the_axes() -> None:
    plot = SvgPlot("t", "x", "y", (0, 1), (0, 1))
    plot.clipped_line([(-1, -1), (2, 2)], "unit")  # the diagonal
    plot.clipped_line([(-1, 5), (2, 5)], "unit")  # above all
    plot.clipped_line([(0.5, -9), (0.5, 9)], "unit")  # upright
    middle = (LEFT + RIGHT) / 2
    assert points_of(plot.svg()) == [
        [(LEFT, BOTTOM), (RIGHT, TOP)],
        [(middle, BOTTOM), (middle, TOP)],
    ]


def test_a_long_curve_keeps_its_peaks_its_ends_and_its_gaps() -> None:
    draw = np.random.default_rng(0)
    values = draw.normal(size=10_000)
    values[1234], values[7000], values[5555] = 40.0, -40.0, nan
    thin = thin_curve(DrawnCurve("", range(10_000), values.tolist()), 300)
    assert len(thin.values) <= 310
    assert {0, 1234, 5555, 7000, 9999} <= set(thin.places)
    assert list(thin.places) == sorted(thin.places)
    assert all(
        v == values[int(k)] or k == 5555 for k, v in zip(thin.places, thin.values, strict=True)
    )


def test_every_curve_has_its_name_and_its_colour() -> None:
    curves = [
        DrawnCurve("<b>one</b>", (0, 1), (1, 2), 0),
        DrawnCurve("two", (0, 1), (2, 1), 9, "dotted"),
    ]
    figure = curves_figure("loss", "epoch", curves)
    assert "&lt;b&gt;one" in figure
    assert figure.count("curve s0") == figure.count("curve dotted s1") == 2  # line and legend
    assert "legend" not in curves_figure("loss", "epoch", curves[:1])


def test_layers_without_a_gradient_are_told() -> None:
    assert "was 0" in depth_figure("gradient norm", ["a", "b"], [("step 0", [0.0, nan])])
    some = depth_figure("gradient norm", ["a", "b", "c"], [("step 0", [0.1, 0.0, 1.0])])
    assert "without a point" in some
    assert some.count("<circle") == 4  # two points, and each stands alone


def test_a_range_of_one_value_has_room() -> None:
    low, high = covering_log_range([0.5, 0.5, 0.0, nan])
    assert low < 0.5 < high


def test_a_command_can_be_copied_word_for_word() -> None:
    command = "nnlab train 'a b/config.yaml' --set optimizer.lr=0.1"
    assert re.sub("<[^>]*>", "", command_text(command)).replace("&#x27;", "'") == command


def test_a_column_of_sentences_keeps_a_width_on_a_phone() -> None:
    words = "falls towards 0 as soon as the output layer is random"
    table = str(scrolling_table(("method", "", "rank"), [("a", words, "0.1")], right=(2,)))
    assert f'<td class="prose">{words}' in table
    assert '<td class="n">0.1' in table
    assert "prose" not in str(scrolling_table(("a",), [("b", "short")]))
