"""Truncated backpropagation through time: windows that follow each other, and the state between."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from building import Made, make
from torch import Tensor

from nnlab.core.errors import ConfigError
from nnlab.parts.layers.recurrent_modules import Recurrent
from nnlab.runs.building.row_answers import row_answers
from nnlab.runs.finished.outputs import split_answers
from nnlab.runs.finished.reopen import open_run
from nnlab.runs.folder import checkpoint
from nnlab.runs.run import resume, train
from nnlab.training.eager_step import EagerStep

LANES, WINDOW = 4, 5
GRU_OF_6 = {"kind": "gru", "units": 6}


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


def test_a_stack_with_recurrent_layers_carries_their_state_too(tmp_path: Path) -> None:
    losses: list[list[float]] = []
    stack = {"kind": "stack", "layers": [{"kind": "embedding", "units": 4}, GRU_OF_6]}
    for model in ({"kind": "gru", "units": 6, "embed": 4}, stack):
        made = make(**{**sections(tmp_path, "gru"), "model": model})
        found: list[float] = []
        for rows in made.built.trainer.order.batches(0)[:4]:
            made.built.step.update(rows)
            found.append(made.built.step.read()["loss"])
        losses.append(found)
    assert losses[0] == losses[1]
    flat = {"kind": "stack", "layers": [{"kind": "embedding", "units": 4}]}
    with pytest.raises(ConfigError, match="stack has no state to carry"):
        make(**{**sections(tmp_path, "gru"), "model": flat})


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


def losses_in_lanes(made: Made, rows: Tensor, lanes: int) -> Tensor:
    """(N, T) losses of rows that follow each other: each lane as one long sequence from 0."""
    network, found = made.built.network.eval(), list[Tensor]()
    for part in np.array_split(rows.numpy(), lanes):
        batch = made.built.source.gather(torch.from_numpy(part))
        with torch.no_grad():
            outputs = network(batch.inputs.reshape(1, -1))[0]
        losses = torch.nn.functional.cross_entropy(outputs, batch.targets, reduction="none")
        found.append(losses.view(-1, WINDOW))
    return torch.cat(found)


def test_an_evaluation_carries_the_state_too(made: Made) -> None:
    rows = torch.from_numpy(made.examples.rows["train"])
    assert len(rows) % LANES
    whole = losses_in_lanes(made, rows, LANES)
    found = made.built.measure["train"]()["loss"]
    assert found == pytest.approx(float(whole.mean()), rel=1e-12)
    # Rows that do not follow each other begin with a state of nothing.
    alone = made.built.source.gather(rows)
    with torch.no_grad():
        outputs = made.built.network.eval()(alone.inputs).flatten(0, 1)
    mixed = row_answers(
        made.experiment,
        made.examples,
        made.built.network,
        made.built.source,
        rows.numpy()[::-2].copy(),
    )["losses"]
    plain = torch.nn.functional.cross_entropy(outputs, alone.targets, reduction="none")
    expected = plain.view(-1, WINDOW).flip(0)[::2].flatten().float().numpy()
    np.testing.assert_allclose(mixed, expected, rtol=1e-6)
    assert abs(found - float(plain.mean())) > 1e-6


def test_a_finished_run_answers_in_the_order_of_its_rows(tmp_path: Path) -> None:
    config = sections(tmp_path, "lstm", steps=3)
    del config["train"]["epochs"]
    train(config, run_dir=tmp_path / "run")
    opened = open_run(tmp_path / "run", split="train", device=torch.device("cpu"))
    made = make(**config)
    made.built.network.load_state_dict(opened.network.state_dict(), strict=False)
    rows = torch.from_numpy(made.examples.rows["train"])
    whole = losses_in_lanes(made, rows, LANES)
    torch.testing.assert_close(split_answers(opened, "train").losses, whole.flatten())


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
