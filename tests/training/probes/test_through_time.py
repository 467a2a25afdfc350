"""Readings of recurrent layers against their definitions."""

from typing import Any

import numpy as np
import pytest
import torch
from building import Made, make
from torch import Tensor

from nnlab.parts.layers.recurrent_modules import Recurrent
from nnlab.training.probes.through_time import probe_time

STEPS = 7


def built(kind: str, **fields: Any) -> Made:
    return make(
        data={"kind": "adding", "samples": 60, "steps": STEPS},
        model={"kind": kind, "units": 5, **fields},
        train={"precision": "fp64"},
    )


def measured(made: Made, name: str) -> tuple[dict[str, Tensor], Recurrent, Tensor]:
    batch = made.built.source.gather(made.rows[:8])

    def loss() -> Tensor:
        outputs = made.built.network(batch.inputs)
        return (outputs - batch.targets).square().mean()

    layer = made.built.network.get_submodule(name)
    assert isinstance(layer, Recurrent)
    return probe_time(made.built.network, {name: "00"}, loss), layer, batch.inputs


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_the_gradient_through_time_is_what_a_nudge_of_a_state_does(kind: str) -> None:
    """By central differences: the loss from a state of a step on, nudged number by number."""
    made = built(kind)
    batch = made.built.source.gather(made.rows[:8])
    found, layer, inputs = measured(made, f"{kind}1")
    head = made.built.network.get_submodule("output")
    with torch.no_grad():
        states = layer.states(inputs)[1][0]

        def loss_from(step: int, state: tuple[Tensor, ...]) -> float:
            outputs = state[0]
            if step < STEPS - 1:
                rest = layer.resumed(inputs[:, step + 1 :], state)
                outputs = rest[-1][0]
            return float((head(outputs) - batch.targets).square().mean())

        norms: list[float] = []
        for step in (0, STEPS - 1):
            total = 0.0
            for place in np.ndindex(*states[step][-1].shape):
                ends: list[float] = []
                for sign in (1, -1):
                    state = [each.clone() for each in states[step]]
                    state[-1][place] += sign * 1e-5
                    if kind == "lstm":  # its cell, and what the output gate lets out of it
                        h, c = states[step]
                        state[0] = h / torch.tanh(c) * torch.tanh(state[1])
                    ends.append(loss_from(step, tuple(state)))
                total += ((ends[0] - ends[1]) / 2e-5) ** 2
            norms.append(total**0.5)
    assert float(found["time_gradient/00"]) == pytest.approx(norms[0] / norms[1], rel=1e-4)


def test_the_spectral_radius_is_the_largest_eigenvalue() -> None:
    made = built("rnn", recurrent_init={"kind": "normal", "std": 0.7})
    found, layer, _ = measured(made, "rnn1")
    weight = layer.get_parameter("weight_hh").detach().numpy()
    expected = np.abs(np.linalg.eigvals(weight)).max()
    assert float(found["spectral_radius/00"]) == pytest.approx(expected, rel=1e-6)
    assert float(measured(built("rnn"), "rnn1")[0]["spectral_radius/00"]) == pytest.approx(1.0)


def test_gates_are_saturated_where_their_biases_push_them() -> None:
    made = built("lstm", forget_bias=10.0)
    found, layer, _ = measured(made, "lstm1")
    assert float(found["gate_saturated/00.forget"]) == 1.0
    assert float(found["gate_saturated/00.input"]) == 0.0
    with torch.no_grad():
        layer.get_parameter("bias_hh").chunk(4)[3].fill_(-10.0)
    assert float(measured(made, "lstm1")[0]["gate_saturated/00.output"]) == 1.0


@pytest.mark.parametrize("kind", ["rnn", "gru"])
def test_a_probe_leaves_the_layer_as_it_was(kind: str) -> None:
    made = built(kind)
    before = made.weights()
    _, layer, _ = measured(made, f"{kind}1")
    assert layer.kept is None
    assert all(torch.equal(before[name], w) for name, w in made.weights().items())
    assert all(p.grad is None for p in made.built.network.parameters())


def test_a_full_probe_reads_them_of_the_last_step_of_a_text() -> None:
    made = make(
        data={"kind": "copy", "samples": 60}, model={"kind": "gru", "units": [6, 4], "embed": 5}
    )
    step = made.built.step
    step.fill_learning_rate(1e-3)
    batches = made.built.trainer.order.batches(0)
    step.probe(batches[0], beside=[])
    step.update(batches[0])
    read = step.read()
    keys = {key for key in read if key.startswith(("time_gradient", "gate_saturated"))}
    assert keys == {
        "time_gradient/01_gru1",
        "time_gradient/02_gru2",
        *(f"gate_saturated/{layer}.{gate}" for layer in ("01_gru1", "02_gru2")
          for gate in ("reset", "update")),
    }  # fmt: skip
