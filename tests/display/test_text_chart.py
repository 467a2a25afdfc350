"""The chart of characters: dots where the values are."""

from math import nan

from nnlab.display.text_chart import Drawn, Line, text_chart

BLANK = "\u2800"


def drawn(*lines: tuple[list[float], list[float]], width: int = 40, height: int = 11) -> list[str]:
    curves = [Drawn("abc"[n], Line(*line), n) for n, line in enumerate(lines)]
    text = text_chart(curves, width=width, height=height, label="epoch").plain
    return text.splitlines()


def inside(lines: list[str], height: int = 11) -> list[str]:
    return [line.partition("│")[2].ljust(60) for line in lines[:height]]


def test_a_rising_line_goes_from_corner_to_corner() -> None:
    lines = drawn(([0.0, 1.0], [0.0, 10.0]))
    rows = inside(lines)
    assert rows[-1][0] != " "
    assert rows[0].rstrip()[-1] == "a"  # the end of a curve carries its letter
    first = [min(i for i, sign in enumerate(row) if sign != " ") for row in rows]
    assert first == sorted(first, reverse=True)
    assert lines[0].split()[0] == "10"
    assert lines[5].split()[0] == "5"
    assert lines[10].split()[0] == "0"


def test_every_dot_of_a_flat_line_has_one_height() -> None:
    rows = inside(drawn(([0.0, 4.0], [2.0, 2.0])))
    assert sum(bool(row.strip()) for row in rows) == 1


def test_a_value_that_is_not_finite_leaves_a_gap() -> None:
    whole = inside(drawn(([0.0, 1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0, 5.0])))
    gap = inside(drawn(([0.0, 1.0, 2.0, 3.0, 4.0], [1.0, 2.0, nan, 4.0, 5.0])))

    def columns(rows: list[str]) -> int:
        return sum(any(row[i] != " " for row in rows) for i in range(60))

    full = columns(whole)
    assert full == len(whole[0].rstrip()) or full > 30
    assert abs(columns(gap) - full / 2) <= 2  # two of four pieces are left
    assert drawn(([0.0], [nan])) == ["no finite value to draw"]


def test_far_apart_values_get_a_logarithmic_axis() -> None:
    lines = drawn(([0.0, 1.0, 2.0], [1.0, 100.0, 10_000.0]))
    assert lines[5].split()[0] == "100"
    # On it, a geometric row is straight: the middle of the axis is in the middle of the chart.
    row = inside(lines)[5]
    places = [i for i, sign in enumerate(row) if sign != " "]
    width = len(inside(lines)[0].rstrip())
    assert abs(sum(places) / len(places) - width / 2) < 2


def test_never_wider_than_asked() -> None:
    for width in (40, 80, 120):
        lines = drawn(([0.0, 0.5, 123456.0], [1e-7, 5.0, 2.0]), width=width)
        assert max(map(len, lines)) <= width


def test_a_chart_narrower_than_its_axis_is_drawn() -> None:
    lines = drawn(([-1.2345, 123456.0], [0.0, 10.0]), width=8)
    assert lines[-1].split() == ["-1.234", "123456"]
