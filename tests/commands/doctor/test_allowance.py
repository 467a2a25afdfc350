"""What the doctor may cost: a share of the training, or what somebody agrees to."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nnlab.cli import app
from nnlab.commands.doctor import allowance as allowing
from nnlab.commands.doctor.allowance import SHARE, UNASKED, Allowance
from nnlab.commands.doctor.recorded import examine_run
from nnlab.runs.run import train

SLOW: dict[str, Any] = {
    "data": {"kind": "moons", "samples": 400, "validation": 0.5},
    "model": {"kind": "mlp", "hidden": [16]},
    "optimizer": {"kind": "adam", "lr": 1e-6},
    "train": {"epochs": 10, "batch_size": 20, "threads": 1},
}


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a fraction of a second whose rate is far too low."""
    folder = tmp_path_factory.mktemp("slow") / "run"
    train(SLOW, run_dir=folder)
    # What is imported once costs a look nothing more.
    examine_run(folder)
    return folder


def never(question: str) -> bool:
    raise AssertionError(question)


class TestAnAllowance:
    def test_affords_a_share_of_the_training_without_a_question(self) -> None:
        allowance = Allowance(100.0, ask=never)
        assert allowance.affords("a look", 0.9 * SHARE * 100.0)
        assert allowance.left == pytest.approx(SHARE * 100.0, abs=0.5)
        assert allowance.told("nnlab doctor run") == ()

    def test_asks_before_it_costs_more_and_takes_a_no(self) -> None:
        questions: list[str] = []
        allowance = Allowance(20.0, ask=lambda text: bool(questions.append(text)))
        assert not allowance.affords("a look", 8.0)
        assert questions == ["training took 20 s; a look takes about 8.0 s, 40% of that. Do it?"]
        assert allowance.skipped == [("a look", 8.0)]

    def test_asks_nobody_about_a_few_seconds(self) -> None:
        assert Allowance(1.0, ask=never).affords("a look", 0.9 * UNASKED)
        assert not Allowance(1.0).affords("a look", 0.9 * UNASKED)  # --quick: the share alone

    def test_asks_nobody_about_a_few_seconds_that_a_busy_machine_makes_many(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clocks = [0.0, 0.0]
        monkeypatch.setattr(allowing, "perf_counter", lambda: clocks[0])
        monkeypatch.setattr(allowing, "process_time", lambda: clocks[1])
        allowance = Allowance(20.0, ask=never)
        clocks[:] = [2.0, 0.5]  # four times as slow
        assert allowance.affords("a look", 0.8 * UNASKED)
        questions: list[str] = []
        allowance = Allowance(20.0, ask=lambda text: bool(questions.append(text)))
        clocks[:] = [6.0, 1.5]
        assert not allowance.affords("a look", 0.9 * UNASKED)
        assert "about 18 s" in questions[0]

    def test_asks_once_for_what_takes_about_as_long(self) -> None:
        answers = [True]
        allowance = Allowance(1.0, ask=lambda _: answers.pop())
        assert allowance.affords("a look", 6.0)
        assert allowance.affords("another", 6.0)  # a second question would find no answer

    def test_asks_again_for_what_takes_far_longer(self) -> None:
        answers = [False, True]
        allowance = Allowance(1.0, ask=lambda _: answers.pop())
        assert allowance.affords("a look", 6.0)
        assert not allowance.affords("training it four times", 60.0)

    def test_affords_everything_where_all_is_agreed_to(self) -> None:
        assert Allowance(0.0, ask=never, whole=True).affords("a look", 1e9)


def test_a_look_costs_no_more_than_its_share(slow: Path) -> None:
    """Of a training of 40 s, 6 s; trials take what the look at the data leaves of it."""
    allowance = Allowance(40.0)
    report = examine_run(slow, allowance=allowance)
    assert report.findings[0].tried
    assert allowance.spent <= SHARE * 40.0


def test_of_a_short_training_nothing_is_made_again_unasked(slow: Path) -> None:
    allowance = Allowance(0.5)
    report = examine_run(slow, allowance=allowance)
    names = [what for what, _ in allowance.skipped]
    assert names == ["a look at all rows", "trying changes on a copy of the run"]
    assert report.findings[0].name == "learning_rate_too_low"
    assert not report.findings[0].tried
    assert "outlier_rows" in report.looked.missed if report.looked else False


def doctor(*words: str) -> Any:
    return CliRunner().invoke(app, ["doctor", *words])


def test_the_command_that_does_the_rest_is_named_and_does_it(slow: Path) -> None:
    page = doctor(str(slow), "--quick").stdout
    left = re.search(r"left out, as all together may take 15% .*?: (.*?)\)\n", page, re.DOTALL)
    assert left, page
    assert "tried to its end" not in page
    (command,) = re.findall(r"nnlab (doctor \S+ --yes)", page.replace("\n", " "))
    again = CliRunner().invoke(app, shlex.split(command))
    assert "tried to its end" in again.stdout
    assert "left out" not in again.stdout


def test_where_nobody_can_be_asked_all_is_done_and_its_cost_is_said(slow: Path) -> None:
    done = doctor(str(slow), "--json")
    assert json.loads(done.stdout)["findings"][0]["tried"]
    assert re.search(r"this look took [\d.]+ s, and training [\d.]+ s .*--quick", done.stderr)
    assert "this look took" not in doctor(str(slow), "--json", "--yes").stderr


@pytest.mark.parametrize(("answer", "tries"), [(True, True), (False, False)])
def test_at_a_terminal_it_asks(
    slow: Path, answer: bool, tries: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []

    def asked(question: str) -> bool:
        questions.append(question)
        return answer

    monkeypatch.setattr(allowing, "somebody_to_ask", lambda: True)
    monkeypatch.setattr(allowing, "ask_on_terminal", asked)
    monkeypatch.setattr(allowing, "UNASKED", 0.0)  # the run is too short to ask about otherwise
    found = json.loads(doctor(str(slow), "--json").stdout)
    assert bool(found["findings"][0]["tried"]) is tries
    assert questions[0].startswith("training took ")


def test_at_a_terminal_a_few_seconds_are_spent_unasked_and_said(
    slow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowing, "somebody_to_ask", lambda: True)
    monkeypatch.setattr(allowing, "ask_on_terminal", never)
    monkeypatch.setattr(allowing, "UNASKED", 1000.0)  # on a busy machine all takes longer
    page = doctor(str(slow)).stdout
    assert "tried to its end" in page
    assert re.search(r"this look took [\d.]+ s, and\s+training [\d.]+ s", page)
