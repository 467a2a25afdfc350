"""What becomes of a lesson's expectations in the studio: as `nnlab train` judges them."""

from pathlib import Path
from typing import Any

import nnlab
from nnlab.config.loading import Text
from nnlab.studio.server.judged import EndedRun, judge_runs

LESSON = """\
name: lesson
data: {kind: blobs, samples: 100}
model: linear
optimizer: adam
train: {epochs: 3, batch_size: 20, compile: off}
variants:
  slow: {optimizer.lr: 1e-9}
  quick: {optimizer.lr: 0.1}
expect:
  quick: {accuracy/validation: at_least 0.9, status: completed}
  slow over quick: {loss/train: at_least 1.01}
  slow: {loss/train: at_most 1e-6, loss/test: at_most 9}
"""


def trained(folder: Path, variant: str) -> EndedRun:
    config: dict[str, Any] = {
        "data": {"kind": "blobs", "samples": 100},
        "model": "linear",
        "train": {"epochs": 3, "batch_size": 20, "compile": "off"},
        "optimizer": {"kind": "adam", "lr": {"slow": 1e-9, "quick": 0.1}[variant]},
    }
    run = nnlab.train(config, run_dir=folder / variant, device="cpu").run
    return EndedRun(LESSON, variant, None, run)


def test_each_line_is_met_or_not_or_waits_for_a_variant(tmp_path: Path) -> None:
    text = Text(LESSON, "lesson.yaml", tmp_path, "lesson")
    assert [each["holds"] for each in judge_runs(text, [])] == [None] * 5
    quick = trained(tmp_path, "quick")
    first = judge_runs(text, [quick])
    assert [each["holds"] for each in first] == [True, True, None, None, None]
    assert first[2]["needs"] == ["slow"]
    slow = trained(tmp_path, "slow")
    both = judge_runs(text, [quick, slow])
    assert [each["holds"] for each in both] == [True, True, True, False, None]
    assert "test split" in both[4]["needs"][0]
    (tmp_path / "lesson.yaml").write_text(LESSON)
    whole = nnlab.train_comparison(tmp_path / "lesson.yaml", run_dir=tmp_path / "all", device="cpu")
    wanted = [verdict.plain() for verdict in whole.verdicts]
    assert [each["value"] for each in both[:4]] == [each["value"] for each in wanted[:4]]


def test_a_run_of_another_text_or_one_that_was_stopped_does_not_count(tmp_path: Path) -> None:
    text = Text(LESSON, "lesson.yaml", tmp_path, "lesson")
    quick = trained(tmp_path, "quick")
    assert judge_runs(text, [quick._replace(text=LESSON + "#")])[0]["holds"] is None
    assert judge_runs(text, [quick._replace(variant="gone")])[0]["holds"] is None
