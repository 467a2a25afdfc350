"""The counter of looks at a test split."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnlab.__main__ import main
from nnlab.core import files
from nnlab.core.contracts import DataShape, Examples, Split
from nnlab.core.errors import CheckpointError
from nnlab.runs.finished.ensemble import evaluate_together
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.folder import looks
from nnlab.runs.folder.looks import LookCounts
from nnlab.runs.run import train

SHAPE = DataShape((2,), "classes", 2, ("a", "b"), {"train": 2, "test": 2})
ROWS: dict[Split, NDArray[np.int64]] = {"train": np.array([0, 1]), "test": np.array([2, 3])}
EXAMPLES = Examples(
    np.zeros((4, 2), np.float32), np.zeros(4, np.int64), ROWS, SHAPE,
    np.zeros(2, np.float32), np.ones(2, np.float32), "digest",
)  # fmt: skip


def run_in(folder: Path, name: str) -> Path:
    run = folder / name
    run.mkdir(parents=True)
    return run


def test_sums_over_the_runs_beside_it(tmp_path: Path) -> None:
    one, two = run_in(tmp_path, "mlp/1"), run_in(tmp_path, "mlp/2")
    looks.count_look(one, EXAMPLES, command="eval")
    looks.count_look(two, EXAMPLES, command="eval")
    looks.count_look(two, EXAMPLES, command="report")
    assert looks.looks_so_far([one]) == LookCounts(1, 3)
    assert looks.looks_so_far([one, two]) == LookCounts(3, 3)


def test_runs_of_another_name_are_no_family(tmp_path: Path) -> None:
    one, other = run_in(tmp_path, "mlp/1"), run_in(tmp_path, "cnn/1")
    for run in (one, other):
        looks.count_look(run, EXAMPLES, command="eval")
    assert looks.looks_so_far([one]) == LookCounts(1, 1)


@pytest.mark.parametrize(
    "others",
    [replace(EXAMPLES, digest="changed"), replace(EXAMPLES, rows={"test": np.array([1, 3])})],
    ids=["other data", "another split"],
)
def test_other_test_rows_are_no_family(tmp_path: Path, others: Examples) -> None:
    one, two = run_in(tmp_path, "mlp/1"), run_in(tmp_path, "mlp/2")
    looks.count_look(one, EXAMPLES, command="eval")
    looks.count_look(two, others, command="eval")
    assert looks.looks_so_far([one]) == LookCounts(1, 1)


def test_runs_of_a_comparison_belong_to_the_family_of_its_name(tmp_path: Path) -> None:
    alone, member = run_in(tmp_path, "mlp/1"), run_in(tmp_path, "mlp/2/relu-s0")
    (tmp_path / "mlp/2/group.json").write_text("{}")
    for run in (alone, member):
        looks.count_look(run, EXAMPLES, command="eval")
    assert looks.looks_so_far([alone]) == looks.looks_so_far([member]) == LookCounts(1, 2)


def test_looks_of_many_at_once_are_all_counted(tmp_path: Path) -> None:
    run = run_in(tmp_path, "mlp/1")
    with ThreadPoolExecutor(8) as pool:
        for waiting in [
            pool.submit(looks.count_look, run, EXAMPLES, command="eval") for _ in range(24)
        ]:
            waiting.result()
    assert looks.looks_so_far([run]).run == 24


def test_a_crash_while_writing_leaves_the_looks_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_in(tmp_path, "mlp/1")
    looks.count_look(run, EXAMPLES, command="eval")

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", crash)
        with pytest.raises(KeyboardInterrupt):
            looks.count_look(run, EXAMPLES, command="eval")
    assert looks.looks_so_far([run]) == LookCounts(1, 1)
    looks.count_look(run, EXAMPLES, command="eval")
    assert looks.looks_so_far([run]) == LookCounts(2, 2)


def test_a_damaged_record_is_not_taken_for_none(tmp_path: Path) -> None:
    run = run_in(tmp_path, "mlp/1")
    looks.count_look(run, EXAMPLES, command="eval")
    (run / "eval/looks.json").write_text('{"format": 1, "looks": [')
    with pytest.raises(CheckpointError, match=r"looks.json: cannot be read"):
        looks.count_look(run, EXAMPLES, command="eval")


@pytest.mark.parametrize(("number", "word"), [(1, "once"), (2, "twice"), (3, "3 times")])
def test_says_the_number_in_english(number: int, word: str) -> None:
    said = LookCounts(number, number).sentence
    why = "counted because choosing by test scores makes them too good"
    assert said == f"the test split has been evaluated {word} so far ({why})"


def test_every_command_that_scores_the_test_split_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [tmp_path / "runs/iris" / str(number) for number in (1, 2)]
    for seed, run in enumerate(runs):
        train({"data": "iris", "model": "linear", "train": {"epochs": 1}, "seed": seed},
              run_dir=run)  # fmt: skip
    evaluate(runs[0], split="validation")
    assert looks.looks_so_far([runs[0]]) == LookCounts(0, 0)
    evaluate(runs[0])
    evaluate_together(runs)
    assert looks.looks_so_far([runs[1]]) == LookCounts(1, 3)
    assert main(["eval", str(runs[1])]) == 0
    told = capsys.readouterr()
    assert "evaluated 4 times so far, twice by other runs in the same folder" in told.err
    assert "looks" not in told.out
    assert main(["eval", str(runs[1]), "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["looks"] == {"run": 3, "family": 5}
    assert main(["eval", *map(str, runs), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["looks"] == {"run": 7, "family": 7}
