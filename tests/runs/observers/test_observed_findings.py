"""Findings in the course of a run: told once, kept, and told by the commands."""

import json
from pathlib import Path
from typing import Any

import pytest

from nnlab.core.finding import Finding
from nnlab.diagnosis.watcher import CHECKS
from nnlab.display.views import PlainView, QuietView, calm_stream
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.observers.findings import read_findings
from nnlab.runs.run import resume, stream_run, train

SICK: dict[str, Any] = {
    "data": {"kind": "moons", "samples": 200},
    "model": {"kind": "mlp", "hidden": {"width": 6, "depth": 15}, "activation": "sigmoid"},
    "train": {"epochs": 4},
}


class Written:
    """A stream that keeps what is written."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False


def view_on(stream: Written, kind: Any = PlainView) -> Any:
    return kind(calm_stream(stream))  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a sick run, and what was written while it ran."""
    folder, stream = tmp_path_factory.mktemp("sick") / "run", Written()
    train(SICK, run_dir=folder, view=view_on(stream))
    return folder, stream.text


def test_a_finding_is_told_once_with_its_remedy(sick: tuple[Path, str]) -> None:
    lines = [line for line in sick[1].splitlines() if ": vanishing gradient in" in line]
    assert len(lines) == 1
    assert lines[0].startswith("fault: vanishing gradient in hidden1 since step 0")
    assert "--set model.activation=relu" in lines[0]


def test_what_follows_from_a_fault_gives_no_other_advice(sick: tuple[Path, str]) -> None:
    (line,) = [one for one in sick[1].splitlines() if "no better than baseline" in one]
    assert "; explained by: vanishing gradient" in line
    assert "nnlab lr" not in line
    assert "(accuracy on validation: 0." in line
    assert "a guess that never looks at the inputs has 0.5" in line


def test_the_folder_keeps_what_was_told(sick: tuple[Path, str]) -> None:
    found = read_findings(sick[0])
    assert found[0].name == "vanishing_gradient"
    brief = read_summary(sick[0]).findings
    assert [f["name"] for f in brief] == [f.name for f in found]
    assert brief[0] == {"name": "vanishing_gradient", "level": "fault", "layer": "hidden1",
                        "since": 0}  # fmt: skip


def test_the_doctor_finds_in_the_records_what_was_told(sick: tuple[Path, str]) -> None:
    from nnlab.commands.doctor.recorded import examine_run

    assert {f.name for f in read_findings(sick[0])} == {
        f.name for f in examine_run(sick[0]).findings
    }


def test_a_resumed_run_does_not_repeat_it(tmp_path: Path) -> None:
    stream = Written()
    for event in stream_run(SICK, run_dir=tmp_path / "run", view=view_on(stream)):
        if type(event).__name__ == "EpochEnd":
            break  # at once, after an epoch
    assert "vanishing gradient" in stream.text
    later = Written()
    resume(tmp_path / "run", view=view_on(later))
    assert ": vanishing gradient in" not in later.text
    names = [f.name for f in read_findings(tmp_path / "run")]
    assert names.count("vanishing_gradient") == 1


def test_watching_changes_no_weight(sick: tuple[Path, str], tmp_path: Path) -> None:
    ignored = {"ignore": [rule.name for rule in CHECKS]}
    train({**SICK, "diagnose": ignored}, run_dir=tmp_path / "run")

    def losses(folder: Path) -> list[float]:
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line)["loss"] for line in lines]

    assert read_findings(tmp_path / "run") == []
    assert losses(tmp_path / "run") == losses(sick[0])


def test_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    whole = Finding("x", "note", None, 1.0, "a number", 0, "it means something")
    torn = json.dumps(whole.plain())[:20]
    (tmp_path / "findings.jsonl").write_text(json.dumps(whole.plain()) + "\n" + torn)
    assert read_findings(tmp_path) == [whole]


def test_the_quiet_view_keeps_notes_to_itself() -> None:
    stream = Written()
    view = view_on(stream, QuietView)
    view.finding(Finding("a", "note", None, None, "", 0, "m"))
    assert stream.text == ""
    view.finding(Finding("b", "warning", None, None, "", 0, "m"))
    assert stream.text == "warning: b since step 0: m\n"


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_an_absurd_rate_is_stopped_at_the_first_reading(optimizer: str, tmp_path: Path) -> None:
    config = {
        "data": {"kind": "moons", "samples": 200},
        "model": {"kind": "mlp", "hidden": [8, 8], "activation": "tanh"},
        "loss": "quadratic",
        "optimizer": {"kind": optimizer, "lr": 1e10},
        "train": {"epochs": 20, "batch_size": 16},
    }
    summary = train(config, run_dir=tmp_path / "run")
    assert (summary.status, summary.exit_code) == ("diverged", 5)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    readings = [r for r in map(json.loads, lines) if r["split"] == "train"]
    assert len(readings) == 2  # step 0 and the one that was too much
    assert f"step {summary.steps}" in summary.why
    assert "hidden1" in summary.why or "output" in summary.why
    assert (tmp_path / "run" / "checkpoints" / "last").read_text().strip() == "step-00000000"


def test_a_run_whose_every_answer_is_right_is_told_nothing_of_its_score(tmp_path: Path) -> None:
    """Four rows prove nothing, but all of them are answered: to say "no better" would be wrong."""
    train("xor", run_dir=tmp_path / "run")
    summary = read_summary(tmp_path / "run")
    assert summary.last["validation"]["scores"]["accuracy"] == 1.0
    assert "no_better_than_baseline" not in {one["name"] for one in summary.findings}
