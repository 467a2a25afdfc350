"""What the live view draws beside the table, in a terminal and in a notebook."""

import io
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from nnlab.core.events import Reading
from nnlab.core.finding import Finding
from nnlab.core.text import render_text
from nnlab.display.dashboard import CHART_POINTS, Curves, Room, decades, draw_dashboard
from nnlab.display.notebook import NotebookView
from nnlab.display.views import RunAbout

VALUES = {
    "loss": 0.5,
    "accuracy": 0.8,
    "grad_norm/total": 1.0,
    "grad_norm/00_hidden1.weight": 1e-6,
    "grad_norm/00_hidden1.bias": 9.0,
    "grad_norm/01_hidden2.weight": 1e-2,
    "grad_norm/02_output.weight": 1.0,
    "saturated/00_hidden1": 0.62,
    "dead_units/01_hidden2": 0.25,
    "dead_units/total": 0.1,
}
SICK = Finding("vanishing_gradient", "fault", "hidden1", 1e-6, "ratio", 0, "does not learn")


def layers_in(values: dict[str, float]) -> dict[str, str]:
    """What a run says of its layers before it begins."""
    keys = [key for key in values if key.startswith("grad_norm/") and key.endswith(".weight")]
    return {key: key.partition("_norm/")[2][3:].removesuffix(".weight") for key in keys}


def told(values: dict[str, float] = VALUES) -> Curves:
    curves = Curves(layers=layers_in(values))
    for step in range(1, 11):
        falling = {**values, "loss": 2.0 / step, "accuracy": step / 10}
        curves.add(Reading(step, step / 5, "train", falling), ["loss", "accuracy"])
        scored = {"loss": 2.5 / step, "accuracy": step / 12}
        curves.add(Reading(step, step / 5, "validation", scored), ["loss", "accuracy"])
    return curves


def screen(curves: Curves, width: int = 80, height: int = 32) -> list[str]:
    console = Console(width=width, record=True, force_terminal=True, file=io.StringIO())
    console.print(draw_dashboard(curves, ["loss", "accuracy"], Room.of(width, height)))
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (120, "loss  t train  v validation | accuracy  t train  v validation"),
        (60, "loss  t train  v val | accuracy  t train  v val"),
        (54, "loss  t train  v val | accuracy  t train  v val"),
    ],
)
def test_titles_of_curves_are_whole(width: int, titles: str) -> None:
    first = screen(told(), width)[0]
    assert first.split() == titles.replace("|", "").split()


def test_beside_a_long_title_the_curves_names_stand_below_both() -> None:
    curves, key = Curves(), "expected_calibration"
    for split in ("train", "validation"):
        curves.add(Reading(1, 1.0, split, {"loss": 1.0, key: 0.1}), ["loss", key])
    console = Console(width=50, record=True, file=io.StringIO())
    console.print(draw_dashboard(curves, ["loss", key], Room.of(50, 32)))
    first, second, third = console.export_text().splitlines()[:3]
    assert first.split() == ["loss", key]
    assert second.split() == ["t", "train", "v", "val"] * 2
    # Both charts begin in one line.
    assert third.count("│") == 2


def test_a_curve_of_one_split_is_named_by_it() -> None:
    curves = Curves()
    curves.add(Reading(1, 1.0, "validation", {"loss": 1.0}), ["loss"])
    assert screen(curves)[0].split() == ["loss", "v", "validation"]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 32), (120, 50), (50, 24)])
def test_fits_the_screen(width: int, height: int) -> None:
    lines = screen(told(), width, height)
    assert max(map(len, lines)) <= width
    assert len(lines) <= height - 10
    assert any("gradient norm by layer" in line for line in lines)


def test_a_small_screen_draws_nothing() -> None:
    assert screen(told(), 40, 12) == [""] or screen(told(), 40, 12) == []


def test_bars_are_as_long_as_the_logarithm_of_the_norm() -> None:
    lines = screen(told())
    bars = {line.split()[0]: line.count("█") for line in lines if "e-0" in line or "e+0" in line}
    assert [*bars] == ["gradient", "hidden1", "hidden2", "output"]
    low, high = decades([1e-6, 1e-2, 1.0])
    assert (low, high) == (-6, 0)
    full = bars["output"]
    assert bars["hidden2"] == pytest.approx(full * 4 / 6, abs=1)
    assert bars["hidden1"] <= 1


def test_a_layer_says_what_share_of_it_is_dead_or_saturated() -> None:
    text = "\n".join(screen(told()))
    assert "saturated 62%" in text
    assert "dead 25%" in text


def test_a_finding_colours_its_layer_and_the_worst_one_counts() -> None:
    curves = told()
    curves.mark("hidden1", "fault")
    curves.mark("hidden1", "note")
    curves.mark(None, "fault")
    assert curves.sick == {"hidden1": "fault"}
    console = Console(width=80, record=True, force_terminal=True, file=io.StringIO())
    console.print(draw_dashboard(curves, ["loss"], Room.of(80, 32)))
    sick = [line for line in console.export_text(styles=True).splitlines() if "hidden1" in line]
    assert "\x1b[31m" in sick[0]  # red


def test_of_many_layers_some_are_drawn_and_always_the_first_and_the_last() -> None:
    many = {f"grad_norm/{n:02d}_hidden{n + 1}.weight": 0.1 for n in range(40)}
    lines = screen(told({**VALUES, **many}))
    drawn = [line.split()[0] for line in lines if line.startswith(("hidden", "output"))]
    assert len(drawn) <= 12
    assert drawn[0] == "hidden1"
    assert "of 4" in "\n".join(lines)


def test_layers_are_those_of_the_weights_in_the_order_of_depth() -> None:
    assert told().norms == {"hidden1": 1e-6, "hidden2": 1e-2, "output": 1.0}


def test_a_weight_of_another_name_has_a_bar_of_its_own() -> None:
    keys = ["grad_norm/00_lstm.weight_ih_l0", "grad_norm/00_lstm.weight_hh_l0"]
    curves = Curves(layers={key: key[13:] for key in keys})
    values = {**dict.fromkeys(keys, 0.1), "loss": 1.0}
    curves.add(Reading(1, 0.2, "train", values), ["loss"])
    drawn = [line.split()[0] for line in screen(curves) if line.startswith("lstm")]
    assert drawn == ["lstm.weight_ih_l0", "lstm.weight_hh_l0"]


def test_a_long_run_keeps_its_ends_and_no_more_points_than_are_drawn() -> None:
    curves = Curves()
    for step in range(1, 5 * CHART_POINTS):
        curves.add(Reading(step, step / 100, "train", {"loss": 1.0 / step}), ["loss"])
    epochs, _ = curves.lines["loss", "train"]
    assert len(epochs) <= CHART_POINTS
    assert epochs[0] == 0.01
    assert epochs[-1] == (5 * CHART_POINTS - 1) / 100


def test_what_is_not_finite_is_drawn_as_a_gap() -> None:
    nan = float("nan")
    curves = told()
    curves.add(Reading(11, 2.2, "train", {**VALUES, "loss": nan}), ["loss", "accuracy"])
    curves.add(Reading(12, 2.4, "train", {"grad_norm/00_hidden1.weight": nan}), ["loss"])
    assert "nan" in "\n".join(screen(curves))


class TestNotebook:
    def test_rich_puts_nothing_beside_the_cell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In a notebook it displays what a console prints, unless it is told not to."""
        beside: list[str] = []

        def displayed(_: object, text: str) -> None:
            beside.append(text)

        monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
        monkeypatch.setattr("rich.jupyter.display", displayed)
        shown: list[str] = []
        view = NotebookView(shown.append)
        view.start(RunAbout("xor", None, "cpu", 9, 100, 10, {"train": 4}, lambda: 1))
        view.reading(Reading(1, 0.1, "train", VALUES))
        view.finish()
        assert render_text("plain text") == "plain text\n"
        assert "xor" in shown[-1]
        assert beside == []

    def test_one_cell_is_written_anew(self) -> None:
        shown: list[str] = []
        view = NotebookView(shown.append)
        done = iter(range(1000))
        view.start(
            RunAbout("xor", Path("runs/xor/1"), "cpu", 9, 100, 10, {"train": 4}, lambda: next(done))
        )
        for step in range(1, 6):
            view.reading(Reading(step, step / 10, "train", {**VALUES, "loss": 1 / step}))
        view.finding(SICK)
        view.finish()
        assert "vanishing gradient" in shown[-1]
        assert "hidden1" in shown[-1]
        assert "runs/xor/1" in shown[-1]
        assert shown[-1].count("<pre") == 1
        HTMLParser().feed(shown[-1])
        assert "<script" not in shown[-1]
