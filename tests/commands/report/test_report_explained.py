"""The report's section on where answers come from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nnlab
from nnlab.__main__ import main
from nnlab.commands.report import explained
from nnlab.commands.report.explained import explain_few
from nnlab.commands.report.facts import ExplainedAnswers
from nnlab.runs.finished.outputs import split_answers
from nnlab.runs.finished.reopen import Opened, open_run

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    layers = [{"kind": "conv", "channels": 3, "kernel": 3}, "flatten"]
    config: dict[str, Any] = {
        "data": "digits",
        "model": {"kind": "stack", "layers": layers},
        "train": {"epochs": 2, "batch_size": 64},
    }
    run = nnlab.train(config, run_dir=tmp_path_factory.mktemp("digits") / "1").run
    return open_run(run, split="validation", device=CPU)


def found_of(opened: Opened) -> tuple[ExplainedAnswers, np.ndarray[Any, Any]]:
    losses = split_answers(opened, "validation").losses.numpy()
    found = explain_few(opened, "validation", losses)
    assert found is not None
    return found, losses


def test_the_costliest_rows_and_the_cheapest_are_explained(opened: Opened) -> None:
    found, losses = found_of(opened)
    order = np.argsort(-losses, kind="stable")
    # As the worst mistakes of the report and nnlab explain count: in the whole table.
    table = opened.examples.rows["validation"]
    assert list(found.rows) == table[order[[0, 1, -1]]].tolist()
    assert set(found.alike_with_random_weights) == {"integrated_gradients", "grad_cam"}
    assert found.completeness_gap < 0.05
    assert len(found.shown) == 3
    assert found.sight[0].startswith("integrated gradients: ")
    # Asked once more, the same: the untrained network is always the same one.
    again, _ = found_of(opened)
    assert again == found


def test_what_would_take_long_is_left_to_the_command(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explained, "_SECONDS", 1e-9)
    assert explain_few(opened, "validation", np.arange(10.0)) is None


def test_the_page_and_the_json_hold_it_and_one_look_is_counted(
    opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(opened.run), "--report", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["explained"]["rows"]) == 3
    assert "shown" not in told["explained"]
    assert told["looks"] == {"run": 1, "family": 1}
    page = Path(told["page"]).read_text(encoding="utf-8")
    assert "Where answers come from" in page
    assert "layer by layer" in page
