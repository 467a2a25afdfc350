"""Recurrent layers against torch.nn, in float64, values and gradients."""

from pathlib import Path
from typing import Any

import pytest
import torch
from building import make
from torch import Tensor, nn

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import DataShape, Machine, Noise
from nnlab.core.errors import ConfigError, MistakeError
from nnlab.experiment.settle import settle
from nnlab.parts.gru import gru_pass
from nnlab.parts.layers.recurrent import (
    GruLayerConfig,
    LstmLayerConfig,
    RecurrentConfig,
    RnnLayerConfig,
)
from nnlab.parts.layers.recurrent_modules import Recurrent, gru_step
from nnlab.parts.modules import TimeDropout
from nnlab.training.compiled.recording import unrolled

N, T, D, H = 3, 11, 5, 7
TORCH: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
LAYERS: list[RecurrentConfig] = [
    kind(units=H, bidirectional=both)  # pyright: ignore[reportCallIssue]
    for kind in (RnnLayerConfig, LstmLayerConfig, GruLayerConfig)
    for both in (False, True)
]


def ours_and_torchs(config: RecurrentConfig) -> tuple[Recurrent, nn.RNNBase]:
    torch.manual_seed(0)
    ours = config.build((T, D))[""].double()
    assert isinstance(ours, Recurrent)
    theirs = TORCH[config.kind](D, H, batch_first=True, bidirectional=config.bidirectional).double()
    for name, parameter in ours.named_parameters():
        stem, end = name.removesuffix("_reverse"), "_reverse" if "_reverse" in name else ""
        nn.init.normal_(parameter, std=0.4)
        getattr(theirs, f"{stem}_l0{end}").data.copy_(parameter.data)
    return ours, theirs


def gradients(layer: nn.Module, x: Tensor, weights: Tensor) -> tuple[Tensor, list[Tensor]]:
    found = layer(x)
    outputs = found[0] if isinstance(found, tuple) else found
    parameters = [p for _, p in sorted(layer.named_parameters())]
    return outputs, list(torch.autograd.grad((outputs * weights).sum(), [*parameters, x]))


@pytest.mark.parametrize("config", LAYERS, ids=lambda c: f"{c.kind}-{len(c.directions)}")
@pytest.mark.parametrize("how", ["kernel", "unrolled"])
def test_values_and_gradients_are_those_of_torch(config: RecurrentConfig, how: str) -> None:
    ours, theirs = ours_and_torchs(config)
    x = torch.randn(N, T, D, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(N, T, H * len(config.directions), dtype=torch.float64)
    if how == "unrolled":
        with unrolled(ours):
            mine, found = gradients(ours, x, weights)
        assert not ours.unrolled
    else:
        mine, found = gradients(ours, x, weights)
    right, expected = gradients(theirs, x, weights)
    torch.testing.assert_close(mine, right, rtol=0, atol=1e-12)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("config", LAYERS, ids=lambda c: f"{c.kind}-{len(c.directions)}")
class TestEveryLayer:
    def test_has_the_parameters_that_its_plan_says(self, config: RecurrentConfig) -> None:
        plan, layer = config.plan((T, D), "a", ()), config.build((T, D))[""]
        found = {f"a.{name}": tuple(p.shape) for name, p in layer.named_parameters()}
        assert found == dict(plan.parameters)
        assert layer(torch.zeros(N, T, D)).shape[1:] == plan.output

    def test_begins_gate_by_gate(self, config: RecurrentConfig) -> None:
        fills = config.fills((T, D))
        for end in config.directions:
            fill = fills[f"weight_hh{end}"]
            weight = torch.empty(config.gates * H, H)
            fill.init.fill(
                weight, fan_in=H, fan_out=H, gain=1.0, generator=torch.Generator().manual_seed(1)
            )
            for gate in weight.chunk(config.gates):
                torch.testing.assert_close(gate @ gate.T, torch.eye(H), rtol=0, atol=1e-5)


def test_a_gru_has_a_second_derivative() -> None:
    """Curvature needs it, and the gradient that is written out works in place."""
    ours, theirs = ours_and_torchs(GruLayerConfig(units=H))
    x = torch.randn(N, T, D, dtype=torch.float64, requires_grad=True)
    found: list[Tensor] = []
    for layer in (ours, theirs):
        outputs = layer(x)
        states: Tensor = outputs[0] if isinstance(outputs, tuple) else outputs
        weight = dict(layer.named_parameters())
        first = weight["weight_hh" if layer is ours else "weight_hh_l0"]
        (gradient,) = torch.autograd.grad(states.square().sum(), first, create_graph=True)
        found += torch.autograd.grad(gradient.square().sum(), [first, x])
    for one, other in zip(found[:2], found[2:], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_a_gru_learns_its_first_state() -> None:
    x, first = torch.randn(N, T, D).double(), torch.randn(N, H).double().requires_grad_()
    weights = [torch.randn(shape).double() for shape in ((3 * H, D), (3 * H, H), 3 * H, 3 * H)]
    w, u, b, c = weights
    state = first
    for each in (x @ w.T + b).unbind(1):
        (state,) = gru_step(each, state @ u.T + c, (state,))
    (expected,) = torch.autograd.grad(state.sum(), first)
    states = gru_pass(x, first, (w, u, b, c))
    (found,) = torch.autograd.grad(states[:, -1].sum(), first)
    torch.testing.assert_close(states[:, -1], state, rtol=0, atol=1e-12)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_a_gru_in_lower_precision_is_torchs() -> None:
    torch.manual_seed(0)
    layer = GruLayerConfig(units=H).build((T, D))[""]
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.4)
    x = torch.randn(N, T, D)
    whole = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(layer(x).float(), whole, rtol=0, atol=0.05)


def test_the_forget_gate_begins_open() -> None:
    made = make(
        data={"kind": "adding", "steps": 6, "samples": 40},
        model={"kind": "lstm", "units": 4, "forget_bias": 2.0},
    )
    bias = made.weights()["lstm1.bias_ih"]
    assert bias.tolist() == [0.0] * 4 + [2.0] * 4 + [0.0] * 8
    assert not made.weights()["lstm1.bias_hh"].any()


def test_a_plain_layers_gradient_by_hand_is_that_of_autograd() -> None:
    """delta_t = f'(z_t) U' delta_(t+1), dL/dU = sum of delta_t h_(t-1)': Werbos 1990."""
    ours, _ = ours_and_torchs(RnnLayerConfig(units=H))
    x, weights = torch.randn(1, T, D).double(), torch.randn(H).double()
    h = ours(x)[0]
    expected = torch.autograd.grad((h[-1] * weights).sum(), ours.get_parameter("weight_hh"))[0]
    u, h = ours.get_parameter("weight_hh").detach(), h.detach()
    before = torch.cat([torch.zeros(1, H, dtype=torch.float64), h[:-1]])
    delta, found = (1 - h[-1] ** 2) * weights, torch.zeros(H, H, dtype=torch.float64)
    for t in range(T - 1, -1, -1):
        found += torch.outer(delta, before[t])
        delta = (1 - before[t] ** 2) * (u.T @ delta)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_dropout_is_the_same_at_every_step() -> None:
    layer, noise = TimeDropout(0.4), Noise(torch.tensor(3))
    assert noise.attach(nn.Sequential(layer))
    noise.rows = torch.arange(200)
    found = layer(torch.ones(200, 9, 16))
    assert torch.equal(found, found[:, :1].expand_as(found))
    assert 0.3 < float((found == 0).double().mean()) < 0.5


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
class TestEveryModel:
    def test_keeps_every_step_where_the_targets_do(self, kind: str) -> None:
        made = make(data={"kind": "copy", "samples": 40}, model={"kind": kind, "units": 8})
        assert made.experiment.design.plans[-1].output == (30, 10)
        batch = made.built.source.gather(made.rows[:4])
        assert batch.targets.shape == (120,)
        assert made.built.network(batch.inputs).shape == (4, 30, 10)

    def test_is_the_stack_that_it_expands_into(self, kind: str) -> None:
        config = {
            "data": {"kind": "adding", "samples": 40},
            "model": {"kind": kind, "units": [6, 4]},
        }
        one = make(**config)
        stack = one.experiment.config.model.expanded(one.experiment.shape.inputs)
        other = make(**{**config, "model": stack.model_dump()})
        assert one.weights().keys() == other.weights().keys()
        assert all(torch.equal(one.weights()[n], w) for n, w in other.weights().items())

    def test_probes_see_its_units_on_the_last_axis(self, kind: str) -> None:
        made = make(
            data={"kind": "adding", "samples": 60, "steps": 5}, model={"kind": kind, "units": 8}
        )
        step = made.built.step
        step.fill_learning_rate(1e-3)
        batches = made.built.trainer.order.batches(0)
        step.probe(batches[0], beside=[])
        step.update(batches[0])
        read = step.read()
        assert read[f"dead_units/00_{kind}1"] == 0.0
        assert f"saturated/00_{kind}1" in read


def refused(**sections: Any) -> str:
    with pytest.raises(ConfigError) as error:
        settle(load_config(sections), place_for(Path.cwd()), Machine("cpu", 1))
    return str(error.value)


def test_what_does_not_fit_says_what_would() -> None:
    copy, adding = {"kind": "copy", "samples": 40}, {"kind": "adding", "samples": 40}
    assert "remove bidirectional" in refused(
        data=copy, model={"kind": "gru", "units": 4, "bidirectional": True}
    )
    assert "put embedding before" in refused(data=copy, model={"kind": "mlp", "hidden": [4]})
    assert "last or mean_time" in refused(
        data=adding, model={"kind": "stack", "layers": [{"kind": "rnn", "units": 4}]}
    )
    assert "needs a sequence" in refused(data="iris", model="gru")
    assert "keep the sequence" in refused(
        data=copy, model={"kind": "stack", "layers": ["embedding", "last"]}
    )


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"log": {"examples": 2}}, "keeps one loss for each example"),
        ({"train": {"sampling": "balanced"}}, "balanced needs one class for each example"),
        ({"scores": ["roc_auc"]}, "looks at all outputs at once"),
        ({"scores": ["adversarial_accuracy"]}, "tokens are names"),
    ],
)
def test_what_needs_one_answer_or_numbers_is_refused(sections: dict[str, Any], told: str) -> None:
    data = {"kind": "copy", "samples": 40}
    assert told in refused(data=data, model={"kind": "gru", "units": 4}, **sections)


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"data": {"kind": "copy", "samples": 40}}, "no windows that follow each other"),
        ({"data": {"kind": "shakespeare", "stride": 3}}, "write auto, or remove train.carry"),
        ({"train": {"carry": True, "accumulate": 2}}, "a place of the whole batch"),
        (
            {"model": {"kind": "stack", "layers": ["embedding", "positions", "gru"]}},
            "positions begins anew in every window",
        ),
        (
            {"model": {"kind": "stack", "layers": ["embedding", {"kind": "linear", "units": 4}]}},
            "stack has no state to carry",
        ),
    ],
)
def test_a_state_that_cannot_be_carried_is_refused(sections: dict[str, Any], told: str) -> None:
    plain = {"data": "shakespeare", "model": {"kind": "gru", "units": 4}, "train": {"carry": True}}
    assert told in refused(**{**plain, **sections})


def test_an_embedding_needs_tokens() -> None:
    from nnlab.parts.layers.sequence import EmbeddingConfig

    with pytest.raises(MistakeError, match="numbers need none"):
        EmbeddingConfig().plan((4,), "a", ())
    assert DataShape((2,), "classes", 2, ("a", "b"), {}).tokens == 0
