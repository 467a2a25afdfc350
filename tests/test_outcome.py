"""What a run says at its end is what it has read, under the right name."""

import io
from pathlib import Path
from typing import Any

import pytest

from nnlab import listing
from nnlab.base import ConfigError
from nnlab.evaluation import evaluate
from nnlab.run import train
from nnlab.summary import Summary
from nnlab.terminal import open_view

CONFIG: dict[str, Any] = {
    "name": "tiny",
    "data": {"kind": "moons", "samples": 200},
    "model": {"kind": "mlp", "hidden": [8]},
    "train": {"epochs": 3, "batch_size": 16},
}


def trained(folder: Path, *overrides: str, **sections: Any) -> tuple[Summary, list[str]]:
    """The summary and the lines that a person saw."""
    stream = io.StringIO()
    view = open_view(quiet=False, stream=stream)
    summary = train({**CONFIG, **sections}, overrides=overrides, run_dir=folder, view=view)
    return summary, stream.getvalue().splitlines()


def row(lines: list[str], name: str) -> list[str]:
    """The cells of a row of the closing table."""
    (found,) = [line for line in lines if line.startswith(name) and "examples" not in line]
    return found.split()[-2:]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Summary, list[str]]:
    folder = tmp_path_factory.mktemp("outcome") / "tiny" / "1"
    return trained(folder, "train.monitor=loss/train")


class TestMonitorOfTraining:
    def test_validation_in_the_closing_table_is_validation(
        self, watched: tuple[Summary, list[str]]
    ) -> None:
        summary, lines = watched
        last = summary.last["validation"]
        assert row(lines, "validation")[0] == f"{last['loss']:#.4g}"

    def test_validation_in_the_list_of_runs_is_validation(
        self, watched: tuple[Summary, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        summary = watched[0]
        monkeypatch.setenv("NNLAB_RUNS", str(summary.run.parent.parent))
        (found,) = listing.listing()
        assert found.scores["loss"] == summary.last["validation"]["loss"]

    def test_the_summary_says_of_which_split_the_best_is(
        self, watched: tuple[Summary, list[str]]
    ) -> None:
        best = watched[0].best
        assert best is not None
        assert best["split"] == "train"
        values = {r["step"]: r["loss"] for r in watched[0].history if r["split"] == "train"}
        assert best["loss"] == pytest.approx(min(values.values()), rel=1e-6)  # a float32 there


def test_without_a_test_split_the_next_command_names_one_that_is_there(tmp_path: Path) -> None:
    data = {"kind": "moons", "samples": 200, "test": "none"}
    summary, lines = trained(tmp_path / "run", data=data)
    assert f"next  nnlab eval {summary.run} --split validation" in lines
    with pytest.raises(ConfigError, match=r"has no test split, only .*\(use --split validation\)"):
        evaluate(summary.run)
