"""The same config, plain and in the studio, however it is watched and led: the same bytes."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest

import nnlab
from nnlab.studio.messages import FRAME, head_of, kind_of
from nnlab.studio.worker.__main__ import TrainingWork
from nnlab.studio.worker.post import Post

MLP: dict[str, Any] = {
    "data": {"kind": "spirals", "samples": 200},
    "model": {"kind": "mlp", "hidden": [8, 8], "activation": "tanh"},
    "optimizer": {"kind": "adam", "lr": 0.01},
    "train": {"epochs": 40, "batch_size": 16, "compile": "off"},
}
FASTER = {"kind": "adam", "lr": 0.05}
CNN: dict[str, Any] = {
    "data": {"kind": "digits", "augment": ["shift"]},
    "model": {"kind": "cnn", "channels": [4], "dense": [8], "norm": "batch", "dropout": 0.3},
    "optimizer": {"kind": "sgd", "lr": 0.05, "momentum": 0.9},
    "schedule": "cosine",
    "train": {"steps": 90, "batch_size": 32, "clip_norm": 1.0, "compile": "off"},
    "log": {"every": "7 steps", "probes": "21 steps"},
}
REGRESSION: dict[str, Any] = {
    "data": {"kind": "function", "samples": 200},
    "model": {"kind": "mlp", "hidden": [8], "norm": "layer"},
    "train": {"steps": 150, "batch_size": 16, "averaging": "ema", "compile": "off"},
}
RULE: dict[str, Any] = {
    "data": {"kind": "blobs", "samples": 100},
    "model": "linear",
    "rule": "perceptron",
    "train": {"epochs": 5, "batch_size": 1},
}
CASES = {"mlp": MLP, "cnn": CNN, "regression": REGRESSION, "perceptron": RULE}


class Reader:
    """What a run says, taken apart as it comes; `then` is called with the head of each message."""

    def __init__(self, then: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
        self.events: list[dict[str, Any]] = []
        self.frames = 0
        self._then = then
        self._waiting = bytearray()

    def take(self, view: memoryview) -> int:
        self._waiting += view
        while len(self._waiting) >= 4:
            size = int.from_bytes(self._waiting[:4], "little")
            if len(self._waiting) < 4 + size:
                break
            message = bytes(self._waiting[4 : 4 + size])
            del self._waiting[: 4 + size]
            self.frames += kind_of(message) == FRAME
            head = head_of(message)
            if kind_of(message) != FRAME:
                self.events.append(head)
            self._then(head)
        return len(view)


def in_studio(
    config: Mapping[str, Any], folder: Path, *commands: Mapping[str, Any], playing: bool = True
) -> Reader:
    """Trains it as the worker does, while somebody leads it."""
    reader = Reader()
    post = Post(reader.take)
    order = {"text": json.dumps(config), "file": "f", "folder": ".", "name": "x"}
    work = TrainingWork(
        post, {**order, "device": "cpu", "playing": playing, "run_dir": str(folder)}
    )

    def lead() -> None:
        for command in commands:
            if "wait" in command:
                sleep(command["wait"])
            else:
                work.gate.put(command)

    leading = Thread(target=lead)
    leading.start()
    assert work.train() == 0, reader.events
    leading.join()
    post.close()
    return reader


def content(run: Path) -> Iterator[tuple[str, bytes]]:
    """All that a run leaves, without times and places."""
    last = run / "checkpoints" / (run / "checkpoints" / "last").read_text().strip()
    for path in sorted(last.glob("*.safetensors")):
        yield path.name, path.read_bytes()
    for number, line in enumerate((run / "metrics.jsonl").read_text().splitlines()):
        values = json.loads(line)
        values.pop("samples_per_second", None)
        yield f"metrics {number}", json.dumps(values).encode()


@pytest.mark.parametrize("config", CASES.values(), ids=CASES.keys())
def test_watched_and_led_by_the_hand_it_ends_in_the_same_bytes(
    config: dict[str, Any], tmp_path: Path
) -> None:
    nnlab.train(config, run_dir=tmp_path / "plain", device="cpu")
    wanted = dict(content(tmp_path / "plain"))
    assert len(wanted) > 3
    watched = in_studio(config, tmp_path / "watched")
    assert dict(content(tmp_path / "watched")) == wanted
    assert watched.frames >= 1
    led = in_studio(
        config,
        tmp_path / "led",
        {"do": "step", "count": 5},
        {"do": "example", "split": "train", "number": 3},
        {"wait": 0.2},
        {"do": "watch", "pictures": ["decision boundary", "predictions", "fitted function"]},
        {"do": "step", "count": 1},
        {"do": "prove"},
        {"do": "rate", "rate": 400},
        {"do": "epoch"},
        {"wait": 0.2},
        {"do": "play"},
        {"wait": 0.1},
        {"do": "pause"},
        {"wait": 0.2},
        {"do": "rate", "rate": 0},
        {"do": "play"},
        playing=False,
    )
    assert dict(content(tmp_path / "led")) == wanted
    assert led.frames >= 4


@pytest.mark.slow
@pytest.mark.parametrize("config", [MLP, CNN], ids=["mlp", "cnn"])
def test_so_does_a_compiled_step(config: dict[str, Any], tmp_path: Path) -> None:
    compiled = {**config, "train": {**config["train"], "compile": "on"}}
    compiled["data"] = {k: v for k, v in config["data"].items() if k != "augment"}
    nnlab.train(compiled, run_dir=tmp_path / "plain", device="cpu")
    led = in_studio(
        compiled,
        tmp_path / "led",
        {"do": "step", "count": 7},
        {"wait": 0.2},
        {"do": "play"},
        playing=False,
    )
    assert not any("steps are eager" in e.get("text", "") for e in led.events)
    assert dict(content(tmp_path / "led")) == dict(content(tmp_path / "plain"))


@pytest.mark.slow
def test_a_fork_with_a_compiled_step_is_what_its_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path))
    compiled = {**MLP, "train": {**MLP["train"], "compile": "on"}}
    parent = {**compiled, "log": {"checkpoints": "10 steps"}, "name": "parent"}
    in_studio(parent, tmp_path / "parent" / "1", {"do": "step", "count": 3}, {"do": "play"})
    fork = {**compiled, "start": {"run": "parent/1", "step": 20}, "optimizer": FASTER}
    nnlab.train(fork, run_dir=tmp_path / "plain", device="cpu")
    led = in_studio(
        fork,
        tmp_path / "led",
        {"do": "step", "count": 4},
        {"wait": 0.2},
        {"do": "play"},
        playing=False,
    )
    assert not any("steps are eager" in e.get("text", "") for e in led.events)
    assert dict(content(tmp_path / "led")) == dict(content(tmp_path / "plain"))


def test_steps_are_updates_and_time_held_is_no_training(tmp_path: Path) -> None:
    steps = [{"do": "step", "count": 1} for _ in range(4)]
    led = in_studio(
        {**MLP, "train": {"steps": 4, "batch_size": 16}},
        tmp_path / "run",
        {"wait": 0.6},
        *steps,
        playing=False,
    )
    made = [event["step"] for event in led.events if event["kind"] == "state"]
    assert made[-1] == 4
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["steps"] == 4
    assert summary["seconds"]["train"] < 0.5


def test_a_mistaken_command_ends_no_run(tmp_path: Path) -> None:
    led = in_studio(
        MLP,
        tmp_path / "run",
        {"do": "example", "split": "train", "number": 10**9},
        {"do": "rate", "rate": "fast"},
        {"do": "dance"},
        {"do": "play"},
        playing=False,
    )
    refused = [event["why"] for event in led.events if event["kind"] == "refused"]
    assert refused[0] == "the train split has no example 1000000000"
    assert len(refused) == 3


def test_stopping_saves_what_was_trained(tmp_path: Path) -> None:
    in_studio_stopped = in_studio(
        {**MLP, "train": {"epochs": 10_000, "batch_size": 16, "compile": "off"}},
        tmp_path / "run",
        {"wait": 0.4},
        {"do": "stop", "why": "enough"},
    )
    summary = next(e for e in in_studio_stopped.events if e["kind"] == "summary")
    assert (summary["status"], summary["why"]) == ("interrupted", "enough")
    assert nnlab.load(tmp_path / "run")
