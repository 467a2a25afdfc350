"""Lessons: each asks, lets predict, and holds what it says over its seeds."""

from io import StringIO
from pathlib import Path

import pytest

from nnlab.comparison.comparison import load_comparison, settle_comparison, settle_source
from nnlab.comparison.lesson import lesson_of
from nnlab.comparison.train import train_comparison
from nnlab.comparison.view import ComparisonView
from nnlab.config import loading
from nnlab.core.contracts import Machine

LESSONS = sorted(name for name in loading.bundled_configs() if name.startswith("lessons/"))
# Of the shortest; the others are slow.
SAMPLE = ("lessons/line_detector", "lessons/ravine", "lessons/xor_by_hand")
# Nothing is drawn in these: a second seed would repeat the first.
DRAWN_NOWHERE = ("line_detector", "ravine", "saddle", "xor_by_hand")
PARTS_NAMED = ("Question", "Predict", "Observe", "Change next")
PARTS = ("# Question     ", "# Predict      ", "# Observe      ", "# Change next  ")


@pytest.mark.parametrize("name", LESSONS)
class TestEveryLesson:
    def test_opens_with_a_question_a_prediction_and_what_to_change_next(self, name: str) -> None:
        lines = loading.read_text(name).text.splitlines()
        head = [line for line in lines if line.startswith("#")]
        assert head == lines[: len(head)]
        assert head[0].endswith((".", "?"))
        starts = [line for line in head if line.startswith(PARTS)]
        assert [line[:15] for line in starts] == list(PARTS)
        assert max(map(len, lines)) <= 100

    def test_is_read_as_a_lesson_part_by_part(self, name: str) -> None:
        lines = loading.read_text(name).text.splitlines()
        first = next(n for n, line in enumerate(lines) if line.startswith(PARTS))
        head = [line for line in lines[first:] if line.startswith("#")]
        lesson = lesson_of("\n".join(lines))
        assert list(lesson) == list(PARTS_NAMED)
        assert all("\n" not in part for part in lesson.values())
        assert " ".join(lesson.values()).split() == " ".join(line[2:] for line in head).split()

    def test_expects_something_and_means_something(self, name: str) -> None:
        comparison = load_comparison(name)
        assert comparison.expectations
        settle_comparison(comparison, Machine("cpu", 2))

    def test_is_trained_with_five_seeds_where_anything_is_drawn(self, name: str) -> None:
        comparison = load_comparison(name)
        drawn = name.removeprefix("lessons/") not in DRAWN_NOWHERE
        assert len(comparison.members) == len(comparison.config.names) * (5 if drawn else 1)


def test_a_lesson_asks_before_and_shows_what_came_after(tmp_path: Path) -> None:
    stream = StringIO()
    text = loading.read_text("lessons/xor_by_hand")
    view = ComparisonView(quiet=False, stream=stream)
    train_comparison(settle_source(text), run_dir=tmp_path / "run", view=view)
    found = stream.getvalue()
    order = ("Question     ", "Predict      ", "1/", "Observe      ", "holds ", "Change next  ")
    places = [found.index(f"\n{start}") for start in order]
    assert places == sorted(places)


@pytest.mark.parametrize("text", [None, "", "# A config.\ndata: xor\n", "# Question  why?\n"])
def test_any_other_config_is_no_lesson(text: str | None) -> None:
    assert lesson_of(text) == {}


def holds(name: str, folder: Path) -> None:
    view = ComparisonView(quiet=True, stream=StringIO())
    comparison = train_comparison(settle_source(name), run_dir=folder, view=view)
    assert [verdict.line for verdict in comparison.verdicts if not verdict.holds] == []
    assert comparison.exit_code == 0


@pytest.mark.parametrize("name", SAMPLE)
def test_what_a_lesson_says_holds(name: str, tmp_path: Path) -> None:
    holds(name, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LESSONS if name not in SAMPLE])
def test_what_a_longer_lesson_says_holds(name: str, tmp_path: Path) -> None:
    holds(name, tmp_path / "run")
