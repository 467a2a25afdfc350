"""A run that goes on from a checkpoint of another: what would have come there comes here."""

import json
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
import torch

import nnlab
from nnlab.comparison.comparison import settle_source
from nnlab.core.errors import ConfigError
from nnlab.display.open_view import open_view
from nnlab.runs.building.session import Session
from nnlab.runs.folder import checkpoint
from nnlab.runs.run import last_of, resume, stream_run, train

MLP: dict[str, Any] = {
    "data": {"kind": "spirals", "samples": 200},
    "model": {"kind": "mlp", "hidden": [8, 8], "activation": "tanh", "dropout": 0.2},
    "optimizer": {"kind": "adam", "lr": 0.01},
    "schedule": "cosine",
    "train": {"steps": 90, "batch_size": 16, "compile": "off"},
    "log": {"every": "7 steps", "probes": "21 steps", "checkpoints": "30 steps"},
}
CNN: dict[str, Any] = {
    "data": {"kind": "digits", "augment": ["shift"]},
    "model": {"kind": "cnn", "channels": [4], "dense": [8], "norm": "batch", "dropout": 0.3},
    "optimizer": {"kind": "sgd", "lr": 0.05, "momentum": 0.9},
    "train": {"steps": 90, "batch_size": 32, "clip_norm": 1.0, "compile": "off"},
    "log": {"every": "10 steps", "probes": "20 steps", "checkpoints": "30 steps"},
}
AVERAGED: dict[str, Any] = {
    "data": {"kind": "function", "samples": 200},
    "model": {"kind": "mlp", "hidden": [8], "norm": "layer"},
    "schedule": "plateau",
    "train": {"steps": 90, "batch_size": 16, "averaging": "ema", "compile": "off"},
    "log": {"every": "10 steps", "checkpoints": "30 steps"},
}
CARRIED: dict[str, Any] = {
    "data": {"kind": "text", "path": "TEXT", "window": 8},
    "model": {"kind": "rnn", "units": 8, "embed": 4},
    "train": {"steps": 90, "batch_size": 4, "carry": True, "compile": "off"},
    "log": {"every": "10 steps", "probes": "10 steps", "checkpoints": "30 steps"},
}
RULE: dict[str, Any] = {
    "data": {"kind": "blobs", "samples": 100, "cluster_std": 4.0},
    "model": "linear",
    "rule": "perceptron",
    "train": {"steps": 90, "batch_size": 1},
    "log": {"every": "10 steps", "checkpoints": "30 steps"},
}
CASES = {"mlp": MLP, "cnn": CNN, "averaged": AVERAGED, "carried": CARRIED, "rule": RULE}


def begun(parent: Path, step: int | str = 30, **more: Any) -> dict[str, Any]:
    return {"start": {"run": str(parent), "step": step, **more}}


def kept(run: Path, step: int = 30) -> dict[str, torch.Tensor]:
    return checkpoint.read_checkpoint(run / "checkpoints" / f"step-{step:08d}").tensors


def tensors(run: Path, name: checkpoint.Pointer = "last") -> dict[str, torch.Tensor]:
    return checkpoint.named_checkpoint(run / "checkpoints", name).tensors


def readings(run: Path, after: int = -1) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for values in found:
        values.pop("samples_per_second", None)
    return [values for values in found if values["step"] > after]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def bytes_of(run: Path) -> dict[str, str]:
    files = (path for path in sorted(run.rglob("*")) if path.is_file())
    return {str(p.relative_to(run)): sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(MLP, run_dir=tmp_path_factory.mktemp("parent") / "run").run


@pytest.mark.parametrize("name", CASES)
def test_without_a_change_it_goes_on_as_the_other_did(name: str, tmp_path: Path) -> None:
    config = json.loads(json.dumps(CASES[name]).replace("TEXT", str(tmp_path / "text.txt")))
    (tmp_path / "text.txt").write_text("to be or not to be, that is the question " * 60)
    old = train(config, run_dir=tmp_path / "old").run
    before = bytes_of(old)
    new = train({**config, **begun(old)}, run_dir=tmp_path / "new").run
    assert same(tensors(new), tensors(old))
    assert readings(new, 30) == readings(old, 30)
    assert len(readings(new, 30)) > 5
    assert readings(new)[0]["step"] == 30
    assert bytes_of(old) == before


def test_of_a_run_stopped_within_a_window_too(tmp_path: Path) -> None:
    config = {**MLP, "log": {"every": "10 steps"}}
    whole = train(config, run_dir=tmp_path / "whole").run

    def stop_soon(session: Session) -> None:
        def look(step: int) -> None:
            if step == 37:
                session.built.trainer.stop("enough")

        trainer: Any = session.built.trainer
        trainer.step = _Counted(trainer.step, look)

    view = open_view(quiet=True, stream=sys.stderr)
    last_of(stream_run(config, run_dir=tmp_path / "old", view=view, alone=True, opened=stop_soon))
    new = train({**config, **begun(tmp_path / "old", "last")}, run_dir=tmp_path / "new").run
    assert json.loads((new / "env.json").read_text())["start"]["step"] == 37
    assert same(tensors(new), tensors(whole))
    assert readings(new, 37) == readings(whole, 37)


class _Counted:
    """A step that tells how many updates it has made."""

    def __init__(self, step: Any, told: Callable[[int], None]) -> None:
        self._step, self._told = step, told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def update(self, rows: torch.Tensor) -> None:
        self._step.update(rows)
        self._told(self._step.count)


def test_it_can_be_resumed_and_says_where_it_began(parent: Path, tmp_path: Path) -> None:
    whole = {**MLP, **begun(parent, 60), "schedule": "constant"}
    new = train({**whole, "train": {**MLP["train"], "steps": 75}}, run_dir=tmp_path / "new").run
    resume(new, overrides=["train.steps=90"])
    other = train(whole, run_dir=tmp_path / "other").run
    assert same(tensors(new), tensors(other))
    assert readings(new, 77) == readings(other, 77)
    for run in (new, other):
        start = json.loads((run / "env.json").read_text())["start"]
        manifest = parent / "checkpoints" / "step-00000060" / "manifest.json"
        assert start["sha256"] == sha256(manifest.read_bytes()).hexdigest()
        assert (start["run"], start["step"]) == (str(parent.resolve()), 60)
    assert nnlab.load(new) is not None


def test_the_name_of_a_run_is_kept_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path))
    old = train({**MLP, "name": "spirals"})
    again = {**MLP, "start": {"run": "spirals", "step": 60}, "name": "spirals"}
    new, newer = train(again), train(again)
    assert "spirals/1" in (new.run / "config.yaml").read_text()
    assert "spirals/2" in (newer.run / "config.yaml").read_text()
    rmtree(old.run)
    assert resume(new.run, overrides=["train.steps=100"]).steps == 100


def test_another_rate_changes_what_follows_and_keeps_the_memory(
    parent: Path, tmp_path: Path
) -> None:
    """Adam by its formula from the checkpoint's moments, in float64."""
    config = {
        **MLP,
        **begun(parent, 60),
        "optimizer": {"kind": "adam", "lr": 0.002},
        "schedule": "constant",
        "train": {**MLP["train"], "steps": 61},
    }
    now = tensors(train(config, run_dir=tmp_path / "new").run)
    old = kept(parent, 60)
    for name in ("hidden1.weight", "output.bias"):
        m, v = (old[f"optimizer/{name}/exp_avg{k}"].double() for k in ("", "_sq"))
        m1, v1 = (now[f"optimizer/{name}/exp_avg{k}"].double() for k in ("", "_sq"))
        gradient = (m1 - 0.9 * m) / 0.1
        torch.testing.assert_close(v1, 0.999 * v + 0.001 * gradient**2, rtol=1e-4, atol=1e-9)
        step = 0.002 * (m1 / (1 - 0.9**61)) / ((v1 / (1 - 0.999**61)).sqrt() + 1e-8)
        moved = old[f"model/{name}"].double() - step
        torch.testing.assert_close(now[f"model/{name}"].double(), moved, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": {"kind": "sgd", "lr": 0.1, "momentum": 0.9}},
        {"optimizer": {"kind": "adam", "lr": 0.01, "amsgrad": True}},
        {"regularize": {"l2": 0.01}},
        {"loss": "quadratic"},
        {"train": {**MLP["train"], "averaging": "ema"}},
    ],
    ids=["optimizer", "more memory", "regularize", "loss", "averaging"],
)
def test_it_begins_with_the_weights_whatever_else_is_changed(
    parent: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    new = train({**MLP, **begun(parent), **change}, run_dir=tmp_path / "new").run
    old, first = kept(parent), tensors(new, "init")
    for name in (n for n in old if n.startswith("model/")):
        assert torch.equal(first[name], old[name])
    assert json.loads((new / "summary.json").read_text())["steps"] == 90


def test_from_an_average_it_goes_on_with_what_was_trained(tmp_path: Path) -> None:
    old = train(AVERAGED, run_dir=tmp_path / "old").run
    plain = {**AVERAGED, "train": {**AVERAGED["train"], "averaging": "none"}}
    new = train({**plain, **begun(old)}, run_dir=tmp_path / "new").run
    first, there = tensors(new, "init"), kept(old)
    assert torch.equal(first["model/hidden1.weight"], there["trained/hidden1.weight"])
    assert not torch.equal(there["model/hidden1.weight"], there["trained/hidden1.weight"])


def test_another_batch_size_goes_on_at_the_same_place_of_the_data(
    parent: Path, tmp_path: Path
) -> None:
    config = {**MLP, **begun(parent), "train": {**MLP["train"], "batch_size": 32}}
    now = readings(train(config, run_dir=tmp_path / "new").run)
    there = next(values["epoch"] for values in readings(parent) if values["step"] == 30)
    assert there - 0.25 < now[0]["epoch"] <= there


def test_one_edited_weight_is_the_only_change(parent: Path, tmp_path: Path) -> None:
    edit = {"parameter": "hidden2.weight", "at": [3, 1], "value": 0.75}
    new = train({**MLP, **begun(parent, 30, edits=[edit])}, run_dir=tmp_path / "new").run
    first, wanted = tensors(new, "init"), kept(parent)
    wanted["model/hidden2.weight"][3, 1] = 0.75
    for name in (n for n in wanted if n.startswith("model/")):
        assert torch.equal(first[name], wanted[name])


@pytest.mark.parametrize(
    ("start", "change", "says"),
    [
        ({"run": "no-such-run"}, {}, r"start\.run: no-such-run: no such run"),
        ({"step": 31}, {}, r"start\.step: .* no checkpoint of step 31 \(it has .*30, 60"),
        ({}, {"model": {"kind": "mlp", "hidden": [8, 4]}}, r"hidden2\.weight has shape \[4, 8\],"),
        ({"step": "last"}, {}, r"train\.steps: the run ends at step 90, .* a longer train\.steps"),
        (
            {"edits": [{"parameter": "hidden9.bias", "at": [0], "value": 1.0}]},
            {},
            r"start\.edits\.0\.parameter: there is no hidden9\.bias \(there are hidden1\.weight",
        ),
        (
            {"edits": [{"parameter": "hidden1.bias", "at": [8], "value": 1.0}]},
            {},
            r"start\.edits\.0\.at: \[8\] is no place of hidden1\.bias, whose shape is \[8\]",
        ),
    ],
    ids=["run", "step", "layers", "length", "parameter", "place"],
)
def test_check_says_what_does_not_fit(
    parent: Path, start: dict[str, Any], change: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        settle_source({**MLP, "start": {**begun(parent)["start"], **start}, **change})


def test_a_comparison_can_start_from_one_checkpoint(parent: Path, tmp_path: Path) -> None:
    variants = {"slow": {"optimizer.lr": 0.001}, "fast": {"optimizer.lr": 0.1}}
    config = {**MLP, **begun(parent), "variants": variants}
    nnlab.train_comparison(config, run_dir=tmp_path / "all")
    first = [tensors(tmp_path / "all" / f"{name}-s0", "init") for name in variants]
    assert torch.equal(first[0]["model/hidden1.weight"], first[1]["model/hidden1.weight"])
    assert not torch.equal(
        *(tensors(tmp_path / "all" / f"{n}-s0")["model/hidden1.weight"] for n in variants)
    )
