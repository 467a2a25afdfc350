"""nnlab from Python."""

import subprocess
import sys
from pathlib import Path

import pytest

import nnlab
from nnlab.core import errors
from nnlab.core.events import EpochEnd, Reading

CONFIG = {"data": "iris", "model": {"kind": "mlp", "hidden": [8]}, "train": {"epochs": 2}}


def test_train_gives_a_summary_with_its_folder_and_history(tmp_path: Path) -> None:
    summary = nnlab.train(CONFIG, set={"optimizer.lr": 0.01}, run_dir=tmp_path / "run")
    assert summary.run == tmp_path / "run"
    assert {row["split"] for row in summary.history} == {"train", "validation"}
    assert "lr: 0.01" in (tmp_path / "run" / "config.yaml").read_text()


def test_evaluate_and_load_take_a_summary(tmp_path: Path) -> None:
    summary = nnlab.train(CONFIG, run_dir=tmp_path / "run")
    assert nnlab.evaluate(summary)["samples"] == 30
    assert sum(p.numel() for p in nnlab.load(summary).parameters()) == summary.parameters


def test_stream_gives_the_events_of_the_run(tmp_path: Path) -> None:
    events = list(nnlab.stream(CONFIG, run_dir=tmp_path / "run"))
    assert any(isinstance(event, Reading) for event in events)
    assert [event.epoch for event in events if isinstance(event, EpochEnd)] == [1, 2]


def test_a_run_without_a_folder_goes_below_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path))
    summary = nnlab.train({**CONFIG, "name": "flower"})
    assert summary.run == tmp_path / "flower" / "1"
    assert nnlab.evaluate("flower")["split"] == "test"


def test_a_text_in_set_stays_a_text(tmp_path: Path) -> None:
    for number, name in enumerate(("2024", "null", "1e3")):
        summary = nnlab.train(CONFIG, set={"name": name}, run_dir=tmp_path / str(number))
        assert summary.name == name


def test_a_bare_kind_in_set_is_a_section(tmp_path: Path) -> None:
    summary = nnlab.train(CONFIG, set={"optimizer": "sgd"}, run_dir=tmp_path / "run")
    assert "kind: sgd" in (summary.run / "config.yaml").read_text()


def test_errors_are_there_without_torch_and_pydantic() -> None:
    code = (
        "import sys, nnlab\n"
        "assert issubclass(nnlab.ConfigError, nnlab.NnlabError)\n"
        "print(sorted({'torch', 'pydantic', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_error_that_a_call_can_raise_is_exported() -> None:
    for kind in (errors.NnlabError, *errors.NnlabError.__subclasses__()):
        assert getattr(nnlab, kind.__name__) is kind
        assert kind.__name__ in nnlab.__all__
    with pytest.raises(nnlab.ConfigError):
        nnlab.train({"data": "xor"})
