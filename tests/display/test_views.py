import io
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import pytest

from nnlab.core.events import EpochEnd, Reading
from nnlab.display.open_view import open_view
from nnlab.display.shown_summary import ShownSummary, write_summary
from nnlab.display.views import RunAbout, Speed, View

ABOUT = RunAbout(
    name="digits",
    folder=Path("runs/digits/1"),
    device="cpu, 2 threads",
    parameters=13002,
    steps_total=600,
    steps_per_epoch=60,
    sizes={"train": 54000, "validation": 6000, "test": 10000},
    progress=lambda: 0,
)
TRAIN = {
    "loss": 0.123,
    "penalty": 0.5,
    "accuracy": 0.961,
    "learning_rate": 1e-3,
    "samples_per_second": 182_123.0,
    "grad_norm/total": 0.42,
    "grad_norm/00_hidden1.weight": 0.4,
}
OVER = {"loss": 0.321, "penalty": 0.6, "accuracy": 0.852}
VALIDATION = {"loss": 0.14, "accuracy": 0.955}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def play(view: View, about: RunAbout, epochs: int) -> None:
    view.start(about)
    for epoch in range(1, epochs + 1):
        step = epoch * about.steps_per_epoch
        view.reading(Reading(step, epoch, "validation", VALIDATION))
        view.reading(Reading(step, epoch, "train", TRAIN, OVER))
        view.epoch(EpochEnd(epoch, step))
    view.finish()
    view.finish()


def plain(epochs: int, *, steps_total: int | None) -> list[str]:
    stream = io.StringIO()
    about = replace(ABOUT, steps_total=steps_total)
    play(open_view(quiet=False, stream=stream), about, epochs)
    return stream.getvalue().splitlines()[3:]


def test_plain_lines_say_everything() -> None:
    lines = plain(10, steps_total=600)
    assert len(lines) == 10
    assert lines[2] == (
        "epoch  3/10  loss 0.3210 (val 0.1400)  accuracy 0.8520 (val 0.9550)  "
        "|grad| 0.42  lr 0.001  182k samples/s"
    )


def test_the_speed_of_a_line_is_that_since_the_line_before() -> None:
    """Windows of 2 s, 2 s and 8 s: an interrupted one is a part of it, and never the whole."""
    speed = Speed()
    for epoch, rate in ((0.4, 200.0), (0.8, 200.0), (1.0, 25.0)):
        speed.add(Reading(0, epoch, "train", {"samples_per_second": rate}))
        speed.add(Reading(0, epoch, "validation", {"samples_per_second": 7.0}))
    assert speed.rate == pytest.approx(1000 / (2 + 2 + 8))  # of a thousand examples
    speed.end_line()
    assert speed.rate == pytest.approx(1000 / 12)  # until there is something to say
    speed.add(Reading(0, 1.5, "train", {"samples_per_second": 500.0}))
    assert speed.rate == pytest.approx(500.0)


def test_each_line_has_its_own_speed() -> None:
    stream = io.StringIO()
    view = open_view(quiet=False, stream=stream)
    view.start(ABOUT)
    for epoch, rates in ((1, (400_000.0, 400_000.0, 46_600.0)), (2, (500.0, 500.0, 500.0))):
        for part, rate in enumerate(rates, start=1):
            done = epoch - 1 + part / 3
            view.reading(Reading(epoch, done, "train", {"loss": 1.0, "samples_per_second": rate}))
        view.epoch(EpochEnd(epoch, epoch))
    first, second = stream.getvalue().splitlines()[3:]
    assert first.endswith("113k samples/s")  # 3 / (1 / 400 + 1 / 400 + 1 / 46.6)
    assert second.endswith("500 samples/s")


@pytest.mark.parametrize("epochs", [1, 7, 39, 40, 41, 100, 1001, 5000])
def test_plain_lines_are_few_and_end_with_the_last_epoch(epochs: int) -> None:
    lines = plain(epochs, steps_total=60 * epochs)
    assert min(epochs, 20) <= len(lines) <= 42
    assert lines[-1].startswith(f"epoch {epochs:,}/{epochs:,}")


def test_plain_lines_grow_rare_where_the_clock_decides() -> None:
    lines = plain(5000, steps_total=None)
    assert len(lines) < 320
    assert lines[-1].startswith("epoch 5,000  ")


def test_a_run_shorter_than_an_epoch_has_a_line() -> None:
    stream = io.StringIO()
    view = open_view(quiet=False, stream=stream)
    view.start(ABOUT)
    view.reading(Reading(20, 1 / 3, "train", {"loss": float("nan")}))
    view.finish()
    assert stream.getvalue().splitlines()[3:] == ["epoch 1 so far (step 20)  loss nan"]


def test_heading_names_parameters_device_data_and_folder() -> None:
    stream = io.StringIO()
    open_view(quiet=False, stream=stream).start(ABOUT)
    assert stream.getvalue().splitlines() == [
        "digits: 13,002 parameters on cpu, 2 threads",
        "54,000 train, 6,000 validation, 10,000 test examples",
        "runs/digits/1",
    ]


def test_quiet_says_notes_alone() -> None:
    stream = Terminal()
    view = open_view(quiet=True, stream=stream)
    view.note("the disk is almost full")
    play(view, ABOUT, 3)
    assert stream.getvalue() == "the disk is almost full\n"


class Gone(Terminal):
    """A terminal that was closed."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


class GonePipe(Gone):
    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize("stream", [Gone(), GonePipe()])
def test_a_closed_terminal_ends_no_run(stream: TextIO) -> None:
    play(open_view(quiet=False, stream=stream), ABOUT, 3)


@pytest.fixture
def eighty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")


def drawn(latest: Callable[[View], None], *, about: RunAbout = ABOUT) -> list[str]:
    """What stands on an 80 column screen."""
    from rich.console import Console

    from nnlab.display.live import LiveView

    view = LiveView(Terminal())
    view.start(about)
    try:
        latest(view)
        console = Console(width=80, record=True, force_terminal=True, file=io.StringIO())
        console.print(view.render())
        return [line.rstrip() for line in console.export_text().splitlines()]
    finally:
        view.finish()


def both(view: View) -> None:
    view.reading(Reading(180, 3, "validation", VALIDATION))
    view.reading(Reading(200, 10 / 3, "train", TRAIN, OVER))


@pytest.mark.usefixtures("eighty")
def test_live_view_fits_eighty_columns() -> None:
    lines = drawn(both, about=replace(ABOUT, progress=lambda: 210))
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("epoch 4/10 ━")
    assert "35%" in lines[0]
    assert lines[1:5] == [
        "                                  loss  accuracy",
        "train (mean of epoch 4 so far)  0.3210    0.8520",
        "validation (after epoch 3)      0.1400    0.9550",
        "gradient norm 0.42   learning rate 0.001   182k samples/s",
    ]


def test_live_view_cuts_none_of_its_numbers_where_there_is_little_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("LINES", "40")
    lines = drawn(both, about=replace(ABOUT, progress=lambda: 210))
    assert max(map(len, lines)) <= 50
    assert lines[4:6] == ["gradient norm 0.42   learning rate 0.001", "182k samples/s"]


@pytest.mark.usefixtures("eighty")
def test_live_view_leaves_room_for_the_echo_of_an_interrupt() -> None:
    (line,) = drawn(lambda view: None, about=replace(ABOUT, progress=lambda: 70))
    assert 70 < len(line) <= 80 - len("^C")


@pytest.mark.usefixtures("eighty")
def test_live_view_draws_before_the_first_reading_and_without_an_end() -> None:
    lines = drawn(lambda view: None, about=replace(ABOUT, steps_total=None, progress=lambda: 70))
    assert lines[0].startswith("epoch 2")


@pytest.mark.usefixtures("eighty")
def test_live_view_draws_by_itself_and_leaves_no_thread() -> None:
    stream, step = Terminal(), 0
    before = threading.active_count()
    view = open_view(quiet=False, stream=stream)
    view.start(replace(ABOUT, progress=lambda: step))
    step = 300
    deadline = time.monotonic() + 5
    while "50%" not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.02)
    view.note("a [note]")
    view.finish()
    assert "50%" in stream.getvalue()
    assert "a [note]" in stream.getvalue()
    while threading.active_count() > before:  # rich tells its thread to end and does not wait
        assert time.monotonic() < deadline
        time.sleep(0.01)


SHOWN = ShownSummary(
    run="runs/digits/1",
    status="early_stopped",
    why="no better for 5 epochs",
    steps=4690,
    seconds=12.34,
    best_epoch=8.0,
    scores={
        "train (mean of epoch 10)": {"loss": 0.0912, "accuracy": 0.9731},
        "validation (after epoch 8)": {"accuracy": 0.9744},
    },
    baseline={"accuracy": 0.1135},
    baseline_name="majority class",
)


def test_report_shows_the_scores_beside_the_baseline_and_what_to_do_next() -> None:
    stream = io.StringIO()
    write_summary(SHOWN, stream=stream)
    assert stream.getvalue().splitlines() == [
        "early stopped (no better for 5 epochs): 4,690 steps in 12.3 s, best at epoch 8",
        "                                 loss   accuracy",
        "train (mean of epoch 10)      0.09120     0.9731",
        "validation (after epoch 8)                0.9744",
        "majority class (baseline)                 0.1135",
        "next  nnlab eval runs/digits/1",
        "      nnlab tensorboard runs/digits/1",
    ]


def test_report_names_the_newest_run_once() -> None:
    stream = io.StringIO()
    write_summary(replace(SHOWN, newest=True, sick=True, resumable=True), stream=stream)
    assert stream.getvalue().splitlines()[-4:] == [
        "next  nnlab doctor runs/digits/1",
        "      nnlab resume last",
        "      nnlab eval last",
        "      nnlab tensorboard last",
    ]


def test_report_rounds_the_epoch_of_the_best_weights() -> None:
    stream = io.StringIO()
    write_summary(replace(SHOWN, best_epoch=0.118483), stream=stream)
    assert stream.getvalue().splitlines()[0].endswith("best at epoch 0.12")


def test_report_of_a_run_without_scores() -> None:
    stream = io.StringIO()
    bare = replace(SHOWN, why="", scores={}, baseline={}, best_epoch=None, status="completed")
    write_summary(bare, stream=stream)
    begins = "completed: 4,690 steps in 12.3 s\nnext  nnlab eval runs/digits/1\n"
    assert stream.getvalue().startswith(begins)


def test_is_imported_without_torch_and_rich() -> None:
    modules = "nnlab.display.views, nnlab.core.files"
    code = f"import sys, {modules}; print({{'torch', 'rich'}} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
