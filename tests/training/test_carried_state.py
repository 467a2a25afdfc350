"""Truncated backpropagation through time: windows that follow each other, and the state between."""

from pathlib import Path
from typing import Any

import pytest
import torch
from building import Made, make
from torch import Tensor

from nnlab.parts.layers.recurrent_modules import Recurrent
from nnlab.runs.folder import checkpoint
from nnlab.runs.run import resume, train
from nnlab.training.eager_step import EagerStep

LANES, WINDOW = 4, 5


def sections(folder: Path, kind: str, **fields: Any) -> dict[str, Any]:
    (folder / "text.txt").write_text("to be, or not to be, that is the question: " * 12)
    return {
        "data": {"kind": "text", "path": str(folder / "text.txt"), "window": WINDOW},
        "model": {"kind": kind, "units": 6, "embed": 4},
        "optimizer": {"kind": "sgd", "lr": 0.1},
        "train": {"batch_size": LANES, "precision": "fp64", "carry": True, "epochs": 2, **fields},
    }


def layer_of(made: Made) -> Recurrent:
    return next(m for m in made.built.network.modules() if isinstance(m, Recurrent))


@pytest.fixture(params=["rnn", "lstm", "gru"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    return make(**sections(tmp_path, request.param))


def test_windows_follow_each_other_in_lanes(made: Made) -> None:
    batches = made.built.trainer.order.batches(0)
    whole = torch.stack(batches)  # (updates, lanes)
    assert whole.shape == (len(made.rows) // LANES, LANES)
    assert (whole[1:] - whole[:-1] == 1).all()
    assert torch.equal(whole, torch.stack(made.built.trainer.order.batches(1)))
    # No window is seen twice.
    assert len(whole.unique()) == whole.numel()


def test_windows_with_a_carried_state_are_one_long_sequence(made: Made) -> None:
    """At a rate of 0, the loss of window after window is that of all of them at once."""
    step, batches = made.built.step, made.built.trainer.order.batches(0)[:6]
    step.fill_learning_rate(0.0)
    found: list[float] = []
    for rows in batches:
        step.update(rows)
        found.append(step.read()["loss"])
    parts = [made.built.source.gather(rows) for rows in batches]
    inputs = torch.cat([part.inputs for part in parts], dim=1)
    with torch.no_grad():
        outputs = made.built.network.eval()(inputs)
    for number, part in enumerate(parts):
        mine = outputs[:, number * WINDOW : (number + 1) * WINDOW].flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(mine, part.targets)
        assert found[number] == pytest.approx(float(loss), rel=1e-12)


def test_an_epoch_begins_with_a_state_of_nothing(made: Made) -> None:
    step, order = made.built.step, made.built.trainer.order
    step.fill_learning_rate(0.0)
    losses: list[list[float]] = []
    for epoch in range(2):
        losses.append([])
        for rows in order.batches(epoch):
            step.update(rows)
            losses[-1].append(step.read()["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


def test_the_gradient_stops_at_the_window(made: Made) -> None:
    step = made.built.step
    assert isinstance(step, EagerStep)
    first, second = made.built.trainer.order.batches(0)[:2]
    step.fill_learning_rate(0.0)
    step.update(first)
    carried = [state.clone() for state in layer_of(made).carried()]
    found = step.gradients(second)
    batch = made.built.source.gather(second)
    network, layer = made.built.network, layer_of(made)
    states = layer.resumed(network.get_submodule("embedding")(batch.inputs), tuple(carried))
    outputs = network.get_submodule("output")(torch.stack([s[0] for s in states], 1))
    loss = torch.nn.functional.cross_entropy(outputs.flatten(0, 1), batch.targets)
    expected = torch.autograd.grad(loss, list(network.parameters()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-14)


def test_a_probe_and_an_evaluation_leave_the_state_alone(made: Made) -> None:
    step, batches = made.built.step, made.built.trainer.order.batches(0)
    step.fill_learning_rate(0.1)
    step.update(batches[0])
    before = [state.clone() for state in layer_of(made).carried()]
    assert any(bool(state.any()) for state in before)
    step.probe(batches[1], beside=batches[2:4])
    made.built.measure["validation"]()
    after = layer_of(made).carried()
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_a_resumed_run_ends_in_the_same_bytes(tmp_path: Path) -> None:
    config = sections(tmp_path, "lstm", steps=12)
    del config["train"]["epochs"]
    train(config, run_dir=tmp_path / "whole")
    train(config, overrides=["train.steps=7"], run_dir=tmp_path / "run")
    resume(tmp_path / "run", overrides=["train.steps=12"])
    found: list[dict[str, Tensor]] = [
        checkpoint.named_checkpoint(tmp_path / name / "checkpoints", "last").tensors
        for name in ("whole", "run")
    ]
    assert any(name.startswith("carry/") for name in found[0])
    assert all(torch.equal(found[1][name], tensor) for name, tensor in found[0].items())
