"""Layers of transformers against their formulas in float64, and as parts of a network."""

from math import cos, sin, sqrt
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from building import make
from torch import Tensor, nn
from torch.nn import functional as F

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Machine, Noise, Shape
from nnlab.core.errors import ConfigError, MistakeError
from nnlab.experiment.settle import settle
from nnlab.parts.activations.rectifiers import PreluConfig
from nnlab.parts.activations.textbook import IdentityConfig, SoftmaxConfig
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.layers.attention import (
    AttentionConfig,
    ClassTokenConfig,
    FirstConfig,
    PatchesConfig,
    PositionsConfig,
    SwigluConfig,
)
from nnlab.parts.layers.attention_modules import Attention, rotated
from nnlab.parts.layers.family import Defaults, LayerConfig
from nnlab.parts.layers.norm_layers import (
    BatchNormConfig,
    GroupNormConfig,
    LayerNormConfig,
    RmsNormConfig,
)
from nnlab.parts.layers.plain import ActivationLayerConfig
from nnlab.parts.layers.residual import ResidualConfig
from nnlab.parts.layers.weighted import LinearConfig
from nnlab.parts.norms import NoNormConfig

DEFAULTS = Defaults(NoNormConfig(), IdentityConfig(), "auto", ZerosConfig(), 0.0)
N, T, D, H = 3, 7, 12, 3
KINDS: tuple[Literal["none", "rotary", "alibi"], ...] = ("none", "rotary", "alibi")


def built(layer: LayerConfig, inputs: Shape = (T, D)) -> Any:
    """The only module of a layer, in float64, with weights from N(0, 1)."""
    torch.manual_seed(1)
    (module,) = layer.settled(DEFAULTS).build(inputs).values()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module.double()


def drawn(*shape: int) -> Tensor:
    return torch.randn(N, *(shape or (T, D)), dtype=torch.float64)


def by_hand(layer: Attention, x: Tensor) -> Tensor:
    """Place by place and head by head, in Python: Vaswani 2017, eq. 1, and the two papers."""
    weight, bias = layer.in_proj_weight.detach(), layer.in_proj_bias
    assert bias is not None
    e, found = D // H, np.zeros((N, T, D))
    maps = (x @ weight.T + bias.detach()).numpy()
    for n in range(N):
        for h in range(H):
            q, k, v = (maps[n, :, i * D + h * e : i * D + (h + 1) * e] for i in range(3))
            if layer.positions == "rotary":
                q, k = turned_by_hand(q), turned_by_hand(k)
            for t in range(T):
                seen = range(t + 1 if layer.causal else T)
                slope = 2.0 ** (-8.0 * (h + 1) / H) if layer.positions == "alibi" else 0.0
                logits = [q[t] @ k[s] / sqrt(e) - slope * abs(t - s) for s in seen]
                shares = np.exp(np.array(logits) - max(logits))
                for s, share in zip(seen, shares / shares.sum(), strict=True):
                    found[n, t, h * e : (h + 1) * e] += share * v[s]
    return torch.from_numpy(found) @ layer.out_proj.weight.T + layer.out_proj.bias


def turned_by_hand(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Su et al. 2021, eq. 15: the block diagonal matrix of 2 x 2 rotations by m theta_i."""
    e, rows = x.shape[1], []
    for m, row in enumerate(x):
        matrix = np.zeros((e, e))
        for i in range(e // 2):
            a = m * 10000.0 ** (-2.0 * i / e)
            matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[cos(a), -sin(a)], [sin(a), cos(a)]]
        rows.append(matrix @ row)
    return np.stack(rows)


@pytest.mark.parametrize("positions", KINDS)
@pytest.mark.parametrize("causal", [False, True])
class TestAttention:
    def test_is_the_formula(self, positions: Any, causal: bool) -> None:
        layer = built(AttentionConfig(heads=H, causal=causal, positions=positions))
        x = drawn()
        torch.testing.assert_close(layer(x), by_hand(layer, x), rtol=0, atol=1e-10)

    def test_shows_a_probe_what_it_computes(self, positions: Any, causal: bool) -> None:
        layer = built(AttentionConfig(heads=H, causal=causal, positions=positions))
        x = drawn().requires_grad_()
        plain = layer(x)
        layer.kept = []
        torch.testing.assert_close(layer(x), plain, rtol=0, atol=1e-10)
        [(logits, weights)] = layer.kept
        torch.testing.assert_close(weights, logits.softmax(3), rtol=0, atol=1e-12)
        assert weights.shape == (N, H, T, T)
        if causal:
            assert not weights.triu(1).any()
        # The gradient is the same through both ways.
        layer.kept, found = None, []
        for kept in (None, []):
            layer.kept = kept
            found.append(torch.autograd.grad(layer(x).square().sum(), x)[0])
        torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-10)

    def test_written_out_is_torchs_kernel(self, positions: Any, causal: bool) -> None:
        layer = built(AttentionConfig(heads=H, causal=causal, positions=positions)).train()
        # More places than are computed at once, and not a multiple of them.
        x = torch.randn(2, 75, D, dtype=torch.float64, requires_grad=True)
        weights, found = torch.randn(2, 75, D, dtype=torch.float64), list[tuple[Tensor, ...]]()
        for layer.unrolled in (False, True):
            out = layer(x)
            given = [x, *layer.parameters()]
            found.append((out, *torch.autograd.grad((out * weights).sum(), given)))
        for kernel, written in zip(*found, strict=True):
            torch.testing.assert_close(written, kernel, rtol=1e-12, atol=1e-12)

    def test_goes_on_where_keys_were_there_before(self, positions: Any, causal: bool) -> None:
        layer = built(AttentionConfig(heads=H, causal=causal, positions=positions))
        if not causal:
            return  # what comes later would have been seen
        x = drawn()
        _, k, v = layer.heads_of(x)
        q, _, _ = layer.heads_of(x[:, 5:], start=5)
        part = layer.attended(q, k, v)
        whole = layer.attended(*layer.heads_of(x))
        torch.testing.assert_close(part, whole[:, :, 5:], rtol=0, atol=1e-10)


def test_is_torchs_multihead_attention() -> None:
    theirs = nn.MultiheadAttention(D, H, batch_first=True, dtype=torch.float64)
    ours = built(AttentionConfig(heads=H))
    assert {n: p.shape for n, p in ours.named_parameters()} == {
        n: p.shape for n, p in theirs.named_parameters()
    }
    theirs.load_state_dict(ours.state_dict())
    x = drawn()
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0], rtol=0, atol=1e-12)


def test_rotary_products_hang_on_the_distance_alone() -> None:
    """Su et al. 2021, eq. 11: <f(q, m), f(k, n)> is a function of q, k and m - n."""
    q, k = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64)
    places = torch.arange(40, dtype=torch.float64)
    turned_q, turned_k = (rotated(x.expand(1, 1, 40, 8), places)[0, 0] for x in (q, k))
    products = turned_q @ turned_k.T
    for distance in (0, 3, 17):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[0].expand_as(along), rtol=0, atol=1e-12)


def test_sinusoids_are_those_of_the_paper() -> None:
    found = built(PositionsConfig(encoding="sinusoidal"))(torch.zeros(1, T, D).double())[0]
    for p in range(T):
        for i in range(D // 2):
            angle = p / 10000.0 ** (2 * i / D)
            assert float(found[p, 2 * i]) == pytest.approx(sin(angle), abs=1e-14)
            assert float(found[p, 2 * i + 1]) == pytest.approx(cos(angle), abs=1e-14)
    odd = built(PositionsConfig(encoding="sinusoidal"), (T, 5))(torch.zeros(1, T, 5).double())
    assert odd.shape == (1, T, 5)


def test_learned_positions_are_added_place_by_place() -> None:
    layer, x = built(PositionsConfig()), drawn()
    assert torch.equal(layer(x), x + layer.weight)
    assert torch.equal(layer(x[:, :4]), x[:, :4] + layer.weight[:4])


def test_swiglu_is_the_paper() -> None:
    layer, x = built(SwigluConfig(units=5, bias=True)), drawn()
    w1, w2 = layer.in_proj.weight.chunk(2)
    b1, b2 = layer.in_proj.bias.chunk(2)
    a = x @ w1.T + b1
    hidden = a / (1 + (-a).exp()) * (x @ w2.T + b2)
    torch.testing.assert_close(layer(x), hidden @ layer.out_proj.weight.T + layer.out_proj.bias)
    plan = SwigluConfig().plan((T, 12), "a", ())
    # 8/3 of 12 features: as many weights as a plain hidden layer of 4 x 12.
    assert sum(a * b for a, b in plan.parameters.values()) == 2 * 12 * 48  # pyright: ignore


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_rms_norm_computes_in_full_precision_under_autocast(precision: torch.dtype) -> None:
    """As layer normalization does; torch's own warns there, and warnings are errors here."""
    norm = RmsNormConfig().norm.build((4,))
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=precision)
    with torch.autocast("cpu", dtype=precision):
        found = norm(x)
    expected = x.double() / (x.double().square().mean() + 1e-5).sqrt()
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)


def test_rms_norm_divides_by_the_root_mean_square() -> None:
    layer, x = built(RmsNormConfig()), drawn()
    expected = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * layer.weight
    torch.testing.assert_close(layer(x), expected)


def test_layer_norm_of_a_sequence_is_that_of_each_step() -> None:
    layer, x = built(LayerNormConfig()), drawn()
    assert layer.weight.shape == (D,)
    expected = F.layer_norm(x.reshape(-1, D), [D], layer.weight, layer.bias).view(N, T, D)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("patch", [3, (2, 3), (6, 1)])
def test_patches_are_a_convolution_that_does_not_overlap(patch: Any) -> None:
    layer, x = built(PatchesConfig(patch=patch, units=5), (2, 6, 9)), drawn(2, 6, 9)
    sides = (patch, patch) if isinstance(patch, int) else patch
    expected = F.conv2d(x, layer.weight, layer.bias, stride=sides).flatten(2).mT
    torch.testing.assert_close(layer(x), expected)


def test_a_class_token_stands_first() -> None:
    layer, x = built(ClassTokenConfig()), drawn()
    whole = layer(x)
    assert torch.equal(whole[:, 1:], x)
    assert torch.equal(built(FirstConfig())(whole), layer.weight.expand(N, D))


class TestDropout:
    def noisy(self, rows: list[int]) -> Attention:
        layer = built(AttentionConfig(heads=H, dropout=0.4, causal=True)).train()
        noise = Noise(torch.tensor(5))
        assert noise.attach(nn.Sequential(layer))
        noise.rows = torch.tensor(rows)
        return layer

    def test_is_by_row(self) -> None:
        x = drawn()
        whole = self.noisy([4, 8, 2])(x)
        alone = self.noisy([2])(x[2:])
        torch.testing.assert_close(whole[2:], alone, rtol=0, atol=1e-12)
        assert not torch.allclose(self.noisy([3])(x[2:]), alone)

    def test_keeps_the_mean_of_the_weights(self) -> None:
        layer = self.noisy(list(range(200)))
        x = drawn()[:1].expand(200, -1, -1)
        layer.out_proj = nn.Linear(D, D).double()
        nn.init.eye_(layer.out_proj.weight)
        nn.init.zeros_(layer.out_proj.bias)
        mean = layer(x).mean(0)
        right = layer.eval()(x[:1])[0]
        # Of 200 draws: five deviations of a mean of values of the size of the values.
        assert float((mean - right).detach().abs().max()) < 5 * 3.0 / sqrt(200)

    def test_is_off_in_evaluation(self) -> None:
        layer, x = self.noisy([0, 1, 2]), drawn()
        assert torch.equal(layer.eval()(x), layer(x))


def refused(layer: LayerConfig, inputs: Shape = (T, D)) -> str:
    with pytest.raises(MistakeError) as caught:
        layer.settled(DEFAULTS).plan(inputs, "it", ("model", "layers", 0))
    return caught.value.mistake.text


def test_what_does_not_fit_says_what_would() -> None:
    assert "5 heads do not divide 12" in refused(AttentionConfig(heads=5))
    assert "choose other heads" in refused(AttentionConfig(heads=4, positions="rotary"))
    assert "patches before" in refused(AttentionConfig(), (1, 8, 8))
    assert "choose 2, 4" in refused(PatchesConfig(patch=3), (1, 8, 8))
    for kind in (BatchNormConfig(), GroupNormConfig(groups=3)):
        assert "use layer_norm or rms_norm" in refused(kind)
    prelu = ActivationLayerConfig(function=PreluConfig(per="channel"))
    assert "use relu or leaky_relu" in refused(prelu)
    assert "use relu or leaky_relu" in refused(
        ResidualConfig(layers=(AttentionConfig(),), activation=PreluConfig(per="channel"))
    )


@pytest.mark.parametrize(
    "layer",
    [
        ActivationLayerConfig(function=SoftmaxConfig()),
        LinearConfig(units=12, activation=SoftmaxConfig()),
        ResidualConfig(layers=(AttentionConfig(),), activation=SoftmaxConfig()),
    ],
    ids=["activation", "linear", "residual"],
)
def test_no_layer_of_a_sequence_has_a_softmax_over_its_steps(layer: LayerConfig) -> None:
    assert "softmax is over the units of a flat layer" in refused(layer)


@pytest.mark.parametrize(
    ("layer", "way"),
    [
        ({"kind": "attention"}, "write causal: true"),
        ({"kind": "residual", "layers": ["layer_norm", "attention"]}, "write causal: true"),
        ({"kind": "gru", "units": 4, "bidirectional": True}, "remove bidirectional"),
    ],
)
def test_a_layer_that_sees_the_next_token_is_refused(layer: dict[str, Any], way: str) -> None:
    model = {"kind": "stack", "layers": [{"kind": "embedding", "units": 8}, layer]}
    sections = {"data": {"kind": "copy", "samples": 40}, "model": model}
    with pytest.raises(ConfigError, match=way):
        settle(load_config(sections), place_for(Path.cwd()), Machine("cpu", 1))


BLOCKS: list[Any] = [
    {"kind": "residual", "layers": ["layer_norm", {"kind": "attention", "causal": True}]},
    {"kind": "residual", "layers": ["rms_norm", {"kind": "swiglu", "units": 8}]},
]
NETWORK: dict[str, Any] = {
    "data": {"kind": "copy", "samples": 60, "symbols": 4},
    "model": {
        "kind": "stack",
        "dropout": 0.1,
        "layers": [{"kind": "embedding", "units": 8}, "positions", *BLOCKS, "layer_norm"],
    },
    "train": {"batch_size": 16},
}


def test_probes_see_attention_without_being_told() -> None:
    made = make(**NETWORK)
    step = made.built.step
    step.fill_learning_rate(1e-3)
    batches = made.built.trainer.order.batches(0)
    step.probe(batches[0], beside=[])
    step.update(batches[0])
    read = step.read()
    assert "preactivation_std/02_block1.attention1" in read
    assert "preactivation_std/03_block2.swiglu1" in read
    assert "grad_norm/02_block1.attention1.in_proj_weight" in read
    assert made.experiment.design.layers.axes["block1.attention1"] == 2


def test_the_probe_costs_the_run_nothing() -> None:
    """What training computes is the same with probes as without."""
    quiet, loud = make(**NETWORK), make(**NETWORK)
    for made, probes in ((quiet, False), (loud, True)):
        step = made.built.step
        step.fill_learning_rate(1e-2)
        for rows in made.built.trainer.order.batches(0)[:3]:
            if probes:
                step.probe(rows, beside=[])
            step.update(rows)
    for name, weight in quiet.weights().items():
        assert torch.equal(weight, loud.weights()[name]), name


def test_the_noise_floor_is_that_of_a_uniform_look() -> None:
    """With queries of 0 every place takes the mean of what it may see."""
    layer, x = built(AttentionConfig(heads=H, causal=True)), drawn()
    layer.in_proj_weight.data[:D] = 0.0
    layer.in_proj_bias.data[:D] = 0.0
    layer.kept = []
    layer(x)
    weights = layer.kept[0][1]
    expected = torch.ones(T, T).tril() / torch.arange(1, T + 1)[:, None]
    torch.testing.assert_close(weights, expected.double().expand_as(weights))
