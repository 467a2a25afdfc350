"""Layers beyond the plain ones, each against torch's functional form or its formula."""

from itertools import product
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnlab.core.contracts import Shape
from nnlab.core.errors import MistakeError
from nnlab.core.kinds import kinds_of
from nnlab.parts.activations.textbook import IdentityConfig, ReluConfig
from nnlab.parts.containers import Residual, Stack
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.initializers.structured import OrthogonalConfig
from nnlab.parts.layers import AnyLayer
from nnlab.parts.layers.family import Defaults, LayerConfig
from nnlab.parts.layers.historical import SubsamplingConfig, TableConvConfig
from nnlab.parts.layers.norm_layers import LocalResponseNormConfig
from nnlab.parts.layers.pools import AdaptivePoolConfig, MaxPoolConfig
from nnlab.parts.layers.residual import ResidualConfig
from nnlab.parts.layers.weighted import ConvConfig, LinearConfig
from nnlab.parts.norms import BatchConfig, NoNormConfig

DEFAULTS = Defaults(NoNormConfig(), IdentityConfig(), "auto", ZerosConfig(), 0.0)
IMAGE: Shape = (6, 12, 10)
Behind = Literal["circular", "reflect", "replicate"]
PADDINGS: tuple[Behind, ...] = ("circular", "reflect", "replicate")


def built(layer: LayerConfig, inputs: Shape = IMAGE) -> Stack:
    modules = layer.settled(DEFAULTS).build(inputs)
    return Stack({f"it{suffix}": module for suffix, module in modules.items()}).double()


def drawn(module: nn.Module) -> dict[str, Tensor]:
    """The parameters by name, filled with N(0, 1)."""
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return {name.removeprefix("it."): p for name, p in module.named_parameters()}


def images(*shape: int) -> Tensor:
    return torch.randn(2, *(shape or IMAGE), dtype=torch.float64)


def refused(layer: LayerConfig, inputs: Shape = IMAGE) -> MistakeError:
    with pytest.raises(MistakeError) as caught:
        layer.settled(DEFAULTS).plan(inputs, "it", ("model", "layers", 0))
    return caught.value


class TestConv:
    @pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
    @pytest.mark.parametrize("padding", [1, (2, 3), (0, 4)])
    def test_pads_as_torch_does(self, mode: Any, padding: Any) -> None:
        layer = ConvConfig(channels=4, kernel=(3, 5), stride=2, padding=padding, padding_mode=mode)
        module = built(layer)
        torchs = nn.Conv2d(6, 4, (3, 5), 2, padding, padding_mode=mode, dtype=torch.float64)
        for mine, other in zip(module.parameters(), torchs.parameters(), strict=True):
            mine.data.copy_(other)
        x = images()
        torch.testing.assert_close(module(x), torchs(x))

    def test_gradient_agrees_with_finite_differences_where_it_pads(self) -> None:
        for mode in ("circular", "reflect", "replicate"):
            layer = ConvConfig(channels=1, kernel=3, padding=2, padding_mode=mode)
            module = built(layer, (1, 4, 4))
            x = torch.randn(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
            assert torch.autograd.gradcheck(module, (x,))

    def test_takes_stride_dilation_and_groups_as_torch_does(self) -> None:
        layer = ConvConfig(
            channels=8, kernel=3, stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2
        )
        module, x = built(layer), images()
        weight, bias = module.parameters()
        expected = F.conv2d(x, weight, bias, (2, 1), (1, 2), (1, 2), 2)
        torch.testing.assert_close(module(x), expected)

    @pytest.mark.parametrize(
        ("mode", "padding", "fits"),
        [
            *(("reflect", 9, True), ("reflect", 10, False)),
            *(("circular", 10, True), ("circular", 11, False), ("replicate", 30, True)),
        ],
    )
    def test_repeats_no_more_of_an_image_than_there_is(
        self, mode: Any, padding: int, fits: bool
    ) -> None:
        layer = ConvConfig(channels=1, padding=padding, padding_mode=mode)
        if fits:
            planned = layer.settled(DEFAULTS).plan(IMAGE, "it", ()).output
            assert built(layer)(images()).shape == (2, *planned)
        else:
            assert refused(layer).mistake.path[-1] == "padding_mode"


class TestPools:
    @pytest.mark.parametrize("size", [1, 2, 3, (6, 6), (5, 7), (12, 10), (7, 13)])
    def test_adaptive_pool_is_torchs(self, size: Any) -> None:
        x = images()
        expected = F.adaptive_avg_pool2d(x, size)
        torch.testing.assert_close(built(AdaptivePoolConfig(size=size))(x), expected)

    def test_adaptive_pool_to_one_cell_is_the_global_mean(self) -> None:
        x = images()
        pooled = built(AdaptivePoolConfig(size=1))(x)
        torch.testing.assert_close(pooled, x.mean((2, 3), keepdim=True))

    def test_adaptive_pools_gradient_agrees_with_finite_differences(self) -> None:
        x = torch.randn(1, 1, 5, 4, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(built(AdaptivePoolConfig(size=(3, 2))), (x,))

    @pytest.mark.parametrize(
        ("kernel", "stride", "padding", "side"),
        [p for p in product((2, 3, 5), (1, 2, 3, 4), (0, 1), (5, 6, 7, 8)) if p[2] <= p[0] // 2],
    )
    def test_ceil_mode_counts_windows_as_torch_does(
        self, kernel: int, stride: int, padding: int, side: int
    ) -> None:
        layer = MaxPoolConfig(kernel=kernel, stride=stride, padding=padding, ceil_mode=True)
        x = images(1, side, side)
        expected = F.max_pool2d(x, kernel, stride, padding, ceil_mode=True)
        assert layer.plan((1, side, side), "it", ()).output == expected.shape[1:]
        assert torch.equal(built(layer, (1, side, side))(x), expected)


class TestLocalResponseNorm:
    @pytest.mark.parametrize("size", [1, 2, 5, 9])
    def test_is_torchs(self, size: int) -> None:
        layer = LocalResponseNormConfig(size=size, alpha=0.1, beta=0.6, k=1.5)
        x = images()
        expected = F.local_response_norm(x, size, alpha=0.1, beta=0.6, k=1.5)
        torch.testing.assert_close(built(layer)(x), expected)

    def test_has_the_papers_numbers_by_default(self) -> None:
        # Krizhevsky et al. 2012, section 3.3: k = 2, n = 5, alpha = 1e-4, beta = 0.75; there
        # alpha stands before the sum, not before the mean.
        x = images(1, 3, 3)
        expected = x / (2.0 + 1e-4 * x**2) ** 0.75
        torch.testing.assert_close(built(LocalResponseNormConfig(), (1, 3, 3))(x), expected)


class TestSubsampling:
    def test_is_a_coefficient_times_the_sum_plus_a_bias(self) -> None:
        module, x = built(SubsamplingConfig(kernel=2, activation=ReluConfig())), images()
        weights = drawn(module)
        sums = x.unflatten(2, (6, 2)).unflatten(4, (5, 2)).sum((3, 5))
        expected = sums * weights["weight"][:, None, None] + weights["bias"][:, None, None]
        torch.testing.assert_close(module(x), expected.relu())

    def test_begins_as_the_mean(self) -> None:
        x = images()
        pooled = built(SubsamplingConfig(kernel=(3, 2)))(x)
        torch.testing.assert_close(pooled, F.avg_pool2d(x, (3, 2)))


class TestTableConv:
    TABLE = ((0, 5), (1, 2, 3), (4,), (0, 1, 2, 3, 4, 5))

    def test_is_a_convolution_with_zeros_for_what_is_not_in_the_table(self) -> None:
        module, x = built(TableConvConfig(table=self.TABLE, kernel=(3, 2))), images()
        weights = drawn(module)
        dense = torch.zeros(4, 6, 3, 2, dtype=torch.float64)
        places = [(out, seen) for out, row in enumerate(self.TABLE) for seen in row]
        for (out, seen), weight in zip(places, weights["weight"], strict=True):
            dense[out, seen] = weight[0]
        torch.testing.assert_close(module(x), F.conv2d(x, dense, weights["bias"]))

    def test_counts_the_mean_fan_of_its_units(self) -> None:
        fill = TableConvConfig(table=self.TABLE, kernel=(3, 2)).settled(DEFAULTS).fills(IMAGE)
        # 12 connections of 6 weights over 4 maps, and from 6 channels.
        assert (fill["weight"].fan_in, fill["weight"].fan_out) == (18, 12)

    @pytest.mark.parametrize("row", [(0, 6), (1, 1)])
    def test_refuses_channels_that_are_not_there_or_come_twice(self, row: Any) -> None:
        error = refused(TableConvConfig(table=((0,), row)))
        assert error.mistake.path == ("model", "layers", 0, "table", 1)


def block(**fields: Any) -> ResidualConfig:
    conv = ConvConfig(channels=9, stride=2, padding=1)
    return ResidualConfig(layers=(conv,), **fields)


class TestPadSkip:
    def test_takes_every_second_pixel_and_zeros_as_new_channels(self) -> None:
        # He et al. 2015, section 3.3, option A.
        module, x = built(block(skip="pad")), images()
        weights = drawn(module)
        body = F.conv2d(x, weights["conv1.weight"], weights["conv1.bias"], 2, 1)
        skip = torch.zeros(2, 9, 6, 5, dtype=torch.float64)
        skip[:, :6] = x[:, :, ::2, ::2]
        torch.testing.assert_close(module(x), body + skip)

    def test_has_no_weights(self) -> None:
        plan = block(skip="pad").settled(DEFAULTS).plan(IMAGE, "it", ())
        assert [child.kind for child in plan.children] == ["conv", "pad"]
        assert not plan.children[1].parameters

    def test_is_the_identity_where_shapes_agree(self) -> None:
        layer = ResidualConfig(layers=(ConvConfig(channels=6, padding=1),), skip="pad")
        assert len(layer.settled(DEFAULTS).plan(IMAGE, "it", ()).children) == 1

    @pytest.mark.parametrize("inputs", [(24, 12, 10), (6, 13, 13)])
    def test_is_refused_where_it_leads_elsewhere(self, inputs: Shape) -> None:
        layer = ResidualConfig(layers=(ConvConfig(channels=9, kernel=4),), skip="pad")
        assert "channels of zeros" in str(refused(layer, inputs))


class TestBlocks:
    BEFORE = Defaults(BatchConfig(), ReluConfig(), "auto", ZerosConfig(), 0.0)

    def test_begin_as_the_activation_behind_them_wants(self) -> None:
        last = ConvConfig(channels=9, padding=1, activation=IdentityConfig())
        first = ConvConfig(channels=9, stride=2, padding=1)
        fills = ResidualConfig(layers=(first, last)).settled(self.BEFORE).fills(IMAGE)
        for name in ("conv1", "conv2", "skip"):
            fill = fills[f"{name}.weight"]
            assert (fill.init.kind, fill.gain) == ("he_normal", 2**0.5)

    def test_take_the_stacks_initialization_for_the_skip_too(self) -> None:
        before = Defaults(NoNormConfig(), ReluConfig(), OrthogonalConfig(), ZerosConfig(), 0.0)
        fills = block().settled(before).fills(IMAGE)
        assert fills["skip.weight"].init == OrthogonalConfig()

    @pytest.mark.parametrize("skip", ["auto", "pad"])
    def test_with_zero_init_begin_as_their_skip(self, skip: Any) -> None:
        # Goyal et al. 2017, arXiv:1706.02677, section 5.1.
        layer = block(skip=skip, zero_init=True, activation=IdentityConfig()).settled(self.BEFORE)
        module = Stack({"it": layer.build(IMAGE)[""]}).eval()
        parameters = dict(module.named_parameters())
        (name,) = [key for key in layer.fills(IMAGE) if key.endswith("_norm.weight")]
        assert name == "conv1_norm.weight"
        assert layer.fills(IMAGE)[name].init == ZerosConfig()
        nn.init.zeros_(parameters[f"it.{name}"])
        x = torch.randn(2, *IMAGE)
        around: Any = module.get_submodule("it.skip")
        skipped = around(x) / (1 if skip == "pad" else (1 + 1e-5) ** 0.5)
        torch.testing.assert_close(module(x), skipped)

    def test_with_zero_init_need_a_norm_at_their_end(self) -> None:
        assert refused(block(zero_init=True)).mistake.path[-1] == "zero_init"

    @pytest.mark.parametrize("x", [-1.5, 0.0, 0.3, 2.0])
    def test_the_gradient_of_a_residual_block_is_1_plus_that_of_its_body(self, x: float) -> None:
        # textbook.md: residual gradient 1 + dF/dx; here F(x) = tanh(w x + b), F' = w (1 - F^2).
        linear = nn.Linear(1, 1, dtype=torch.float64)
        body = {"hidden1": linear, "hidden1_activation": nn.Tanh()}
        module = Residual(body, {"skip": nn.Identity()}, nn.Identity())
        at = torch.tensor([[x]], dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(module(at).sum(), at)
        f = torch.tanh(linear(at))
        torch.testing.assert_close(gradient, 1 + linear.weight * (1 - f**2))

    def test_a_chain_of_blocks_keeps_a_gradient_where_a_plain_chain_loses_it(self) -> None:
        # Products of 1 + F' against products of F': 20 layers of slope 1/4 at most.
        x = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
        plain, skipped = x, x
        for _ in range(20):
            plain = torch.sigmoid(plain)
            skipped = skipped + torch.sigmoid(skipped)
        small, large = (torch.autograd.grad(y, x)[0].item() for y in (plain, skipped))
        assert 0 < small <= 0.25**20
        assert large >= 1


def test_a_linear_pad_skip_adds_zero_entries() -> None:
    layer = ResidualConfig(layers=(LinearConfig(units=5),), skip="pad")
    module, x = built(layer, (3,)), torch.randn(2, 3, dtype=torch.float64)
    weights = drawn(module)
    body = F.linear(x, weights["hidden1.weight"], weights["hidden1.bias"])
    torch.testing.assert_close(module(x), body + F.pad(x, (0, 2)))


def _settled_examples() -> list[tuple[LayerConfig, Shape]]:
    before = Defaults(BatchConfig(), ReluConfig(), "auto", ZerosConfig(), 0.0)
    layers: list[Any] = [
        *(kind.example() for kind in kinds_of(AnyLayer).values()),
        *(ConvConfig(channels=4, padding=1, padding_mode=m) for m in PADDINGS),
        AdaptivePoolConfig(size=(5, 7)),
        MaxPoolConfig(kernel=3, stride=2, padding=1, ceil_mode=True),
        block(skip="pad"),
    ]
    flat = {"linear"}
    return [
        (layer.settled(before), (8,) if layer.kind in flat else (8, 12, 10)) for layer in layers
    ]


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("layer", "inputs"), _settled_examples(), ids=[c.kind for c, _ in _settled_examples()]
)
def test_computes_on_cuda_what_it_does_on_the_cpu_with_a_deterministic_gradient(
    layer: LayerConfig, inputs: Shape, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    # Without it cuBLAS refuses to be deterministic.
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    modules = layer.build(inputs)
    module = Stack({f"it{suffix}": part for suffix, part in modules.items()}).double().eval()
    x = torch.randn(4, *inputs, dtype=torch.float64)
    torch.use_deterministic_algorithms(True)
    try:
        on_cpu = x.clone().requires_grad_()
        module(on_cpu).square().sum().backward()
        on_gpu = x.cuda().requires_grad_()
        module.cuda()(on_gpu).square().sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert on_cpu.grad is not None
    assert on_gpu.grad is not None
    torch.testing.assert_close(on_gpu.grad.cpu(), on_cpu.grad)
