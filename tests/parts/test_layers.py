"""What holds for every layer: its plan is what is built; and each layer against its definition."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from counting import CountFlops
from torch import Tensor, nn
from torch.nn import functional as F

from nnlab.core.contracts import Shape, TokenShape
from nnlab.core.errors import MistakeError
from nnlab.core.kinds import kinds_of
from nnlab.parts.activations import Activation
from nnlab.parts.activations.rectifiers import PreluConfig
from nnlab.parts.activations.textbook import IdentityConfig, ReluConfig
from nnlab.parts.containers import Residual, Stack
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.layers import AnyLayer
from nnlab.parts.layers.attention import SwigluConfig
from nnlab.parts.layers.attention_modules import Patches
from nnlab.parts.layers.family import Defaults, LayerConfig, name_layers
from nnlab.parts.layers.historical import SubsamplingConfig, TableConvConfig
from nnlab.parts.layers.modules import TableConv
from nnlab.parts.layers.norm_layers import BatchNormConfig, GroupNormConfig, LayerNormConfig
from nnlab.parts.layers.plain import ActivationLayerConfig, DropoutConfig, FlattenConfig
from nnlab.parts.layers.pools import (
    AdaptivePoolConfig,
    AvgPoolConfig,
    GlobalPoolConfig,
    MaxPoolConfig,
)
from nnlab.parts.layers.residual import ResidualConfig
from nnlab.parts.layers.weighted import ConvConfig, LinearConfig
from nnlab.parts.norms import BatchConfig, GroupConfig, NoNormConfig, Norm
from nnlab.training.probes.sight import trailed

KINDS = kinds_of(AnyLayer)
DEFAULTS = Defaults(NoNormConfig(), IdentityConfig(), "auto", ZerosConfig(), 0.0)
IMAGE: Shape = (8, 12, 10)
FLAT: Shape = (24,)


def settled(layer: LayerConfig) -> LayerConfig:
    return layer.settled(DEFAULTS)


def built(layer: LayerConfig, inputs: Shape, name: str = "it") -> Stack:
    return Stack({name + suffix: module for suffix, module in layer.build(inputs).items()})


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def takes(layer: LayerConfig, inputs: Shape) -> bool:
    try:
        layer.plan(inputs, "it", ())
    except MistakeError:
        return False
    return True


CONVS = [
    ConvConfig(channels=6, kernel=(3, 5)),
    ConvConfig(channels=6, kernel=3, stride=(2, 1), padding=2),
    ConvConfig(channels=6, kernel=5, padding="same"),
    ConvConfig(channels=6, kernel=(1, 3), padding="same", dilation=2),
    ConvConfig(channels=6, kernel=3, padding="valid", dilation=3),
    ConvConfig(channels=8, kernel=3, groups=4, bias=False),
    ConvConfig(channels=8, kernel=2, norm=BatchConfig(), activation=ReluConfig(), dropout=0.5),
    ConvConfig(channels=6, kernel=(5, 3), padding=(2, 0), dilation=(1, 3)),
    *(
        ConvConfig(channels=6, kernel=(5, 3), stride=2, padding=(3, 1), padding_mode=mode)
        for mode in ("circular", "reflect", "replicate")
    ),
    TableConvConfig(table=((0, 7), (3,), (1, 2, 4, 5)), kernel=(3, 4), bias=False),
    SubsamplingConfig(kernel=(3, 2), activation=PreluConfig()),
]
POOLS = [
    *(
        kind(kernel=kernel, stride=stride, padding=padding, ceil_mode=ceil_mode)
        for kind in (MaxPoolConfig, AvgPoolConfig)
        for kernel, stride, padding in ((2, None, 0), (3, 1, 1), ((3, 2), (2, 3), 1), (5, 2, 2))
        for ceil_mode in (False, True)
    ),
    *(AdaptivePoolConfig(size=size) for size in (1, (12, 10), (4, 5), (5, 7), (13, 24))),
]
BLOCKS = [
    ResidualConfig(layers=(ConvConfig(channels=8, padding="same"),)),
    ResidualConfig(layers=(ConvConfig(channels=8, padding="same"),), skip="projection"),
    ResidualConfig(
        layers=(ConvConfig(channels=16, stride=2, padding=1), ConvConfig(channels=16, padding=1)),
        norm=BatchConfig(),
        activation=ReluConfig(),
    ),
    ResidualConfig(
        layers=(ConvConfig(channels=16, stride=2, padding=1), ConvConfig(channels=16, padding=1)),
        skip="pad",
    ),
    ResidualConfig(layers=(LinearConfig(units=24),)),
    ResidualConfig(layers=(LinearConfig(units=30),), skip="pad"),
    ResidualConfig(layers=(LinearConfig(units=7), LinearConfig(units=5)), norm=BatchConfig()),
    ResidualConfig(layers=(ResidualConfig(layers=(LinearConfig(units=3),)), DropoutConfig())),
]
NORMED = [
    LinearConfig(units=16, norm=norm.example(), activation=act, dropout=0.25)  # pyright: ignore[reportArgumentType]
    for norm in kinds_of(Norm).values()
    for act in (IdentityConfig(), PreluConfig())
]
LAYERS: list[LayerConfig] = [
    *(kind.example() for kind in KINDS.values()),  # pyright: ignore[reportAssignmentType]
    *(ActivationLayerConfig(function=kind.example()) for kind in kinds_of(Activation).values()),  # pyright: ignore[reportArgumentType]
    *CONVS,
    *POOLS,
    *BLOCKS,
    *NORMED,
]
CASES = [
    (settled(layer), inputs) for layer in LAYERS for inputs in (IMAGE, FLAT) if takes(layer, inputs)
]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
class TestEveryKind:
    def test_has_help_of_one_line(self, kind: type[LayerConfig]) -> None:
        first = (kind.__doc__ or "").splitlines()[0]
        assert first.endswith(".")
        assert len(first) <= 100

    def test_has_an_example_that_fits_somewhere(self, kind: type[LayerConfig]) -> None:
        shapes = (IMAGE, FLAT, (5, 3), TokenShape((5,), 9))
        assert any(takes(kind.example(), shape) for shape in shapes)

    def test_is_settled_once_and_for_all(self, kind: type[LayerConfig]) -> None:
        once = settled(kind.example())
        other = Defaults(BatchConfig(), ReluConfig(), ZerosConfig(), ZerosConfig(), 0.5)
        assert once.settled(other) == once

    def test_stands_where_the_alphabet_wants_it(self, kind: type[LayerConfig]) -> None:
        assert list(KINDS) == sorted(KINDS)


@pytest.mark.parametrize(
    ("layer", "inputs"), CASES, ids=[f"{i}-{c.kind}-{len(s)}d" for i, (c, s) in enumerate(CASES)]
)
class TestEveryPlan:
    def test_names_the_parameters_that_are_built(self, layer: LayerConfig, inputs: Shape) -> None:
        plan = layer.plan(inputs, "it", ())
        with torch.device("meta"):
            module = built(layer, inputs)
        assert dict(plan.parameters) == shapes(dict(module.named_parameters()))

    def test_names_the_buffers_that_are_built(self, layer: LayerConfig, inputs: Shape) -> None:
        plan = layer.plan(inputs, "it", ())
        with torch.device("meta"):
            module = built(layer, inputs)
        assert dict(plan.buffers) == shapes(dict(module.named_buffers()))

    def test_gives_the_shape_that_comes_out(self, layer: LayerConfig, inputs: Shape) -> None:
        module = built(layer, inputs)
        assert module(torch.zeros(2, *inputs)).shape == (2, *layer.plan(inputs, "it", ()).output)

    def test_counts_what_the_dispatcher_counts(self, layer: LayerConfig, inputs: Shape) -> None:
        module = built(layer, inputs).eval()
        with CountFlops() as counter, torch.no_grad():
            module(torch.zeros(1, *inputs))
        assert layer.plan(inputs, "it", ()).flops == counter.total

    def test_fills_weights_that_exist(self, layer: LayerConfig, inputs: Shape) -> None:
        filled = {f"it.{key}" for key in layer.fills(inputs)}
        assert filled <= set(layer.plan(inputs, "it", ()).parameters)

    def test_fills_every_weight_of_linear_and_conv(self, layer: LayerConfig, inputs: Shape) -> None:
        names = {
            f"{name}.{key}"
            for name, module in built(layer, inputs).named_modules()
            if isinstance(module, nn.Linear | nn.Conv2d | TableConv | Patches)
            for key, _ in module.named_parameters()
        }
        assert {f"it.{key}" for key in layer.fills(inputs)} == names

    def test_counts_fans_as_torch_does(self, layer: LayerConfig, inputs: Shape) -> None:
        weights = dict(built(layer, inputs).named_parameters())
        for key, fill in layer.fills(inputs).items():
            # A table's units see different channels; two maps side by side have the fans of one.
            if key.endswith("weight") and not isinstance(layer, TableConvConfig | SwigluConfig):
                fans: Any = nn.init._calculate_fan_in_and_fan_out  # pyright: ignore[reportPrivateUsage]
                assert (fill.fan_in, fill.fan_out) == fans(weights[f"it.{key}"])


class TestNames:
    def test_count_by_depth_and_kind(self) -> None:
        layers: tuple[LayerConfig, ...] = (
            ConvConfig(channels=1),
            MaxPoolConfig(),
            ConvConfig(channels=1),
            AvgPoolConfig(),
            ResidualConfig.example(),
            FlattenConfig(),
            LinearConfig(units=1),
            BatchNormConfig(),
            LayerNormConfig(),
            GroupNormConfig(),
            ActivationLayerConfig(),
            DropoutConfig(),
            LinearConfig(units=1),
            GlobalPoolConfig(),
            FlattenConfig(),
        )
        assert [p.name for p in name_layers(layers, ((),) * len(layers))] == [
            *("conv1", "pool1", "conv2", "pool2", "block1", "flatten", "hidden1"),
            *("norm1", "norm2", "norm3", "activation1", "dropout1", "hidden2"),
            *("global_pool", "flatten2"),
        ]

    def test_a_layer_lends_its_name_to_what_follows_it(self) -> None:
        layer = LinearConfig(units=3, norm=BatchConfig(), activation=ReluConfig(), dropout=0.5)
        assert list(settled(layer).build(FLAT)) == ["", "_norm", "_activation", "_dropout"]

    def test_what_does_nothing_is_not_built(self) -> None:
        assert list(settled(LinearConfig(units=3)).build(FLAT)) == [""]

    def test_a_block_names_its_inside(self) -> None:
        plan = settled(BLOCKS[2]).plan(IMAGE, "block1", ())
        assert [child.name for child in plan.children] == [
            "block1.conv1",
            "block1.conv2",
            "block1.skip",
        ]
        assert "block1.skip_norm.weight" in plan.parameters


class TestResidual:
    def test_adds_the_input_to_its_body(self) -> None:
        layer = settled(ResidualConfig(layers=(LinearConfig(units=24),)))
        module, x = built(layer, FLAT), torch.randn(3, 24)
        weight, bias = (
            dict(module.named_parameters())[f"it.hidden1.{n}"] for n in ("weight", "bias")
        )
        torch.testing.assert_close(module(x), F.linear(x, weight, bias) + x)

    def test_adds_a_projection_of_the_input_where_shapes_differ(self) -> None:
        layer = settled(ResidualConfig(layers=(LinearConfig(units=5),), activation=ReluConfig()))
        module, x = built(layer, FLAT), torch.randn(3, 24)
        weights = dict(module.named_parameters())
        body = F.linear(x, weights["it.hidden1.weight"], weights["it.hidden1.bias"])
        torch.testing.assert_close(module(x), (body + x @ weights["it.skip.weight"].T).relu())

    def test_projects_images_by_a_strided_1_x_1_convolution(self) -> None:
        layer = settled(BLOCKS[2])
        module, x = built(layer, IMAGE).eval(), torch.randn(2, *IMAGE)
        weights = dict(module.named_parameters())
        assert weights["it.skip.weight"].shape == (16, 8, 1, 1)
        body = F.conv2d(x, weights["it.conv1.weight"], weights["it.conv1.bias"], 2, 1)
        body = F.conv2d(body, weights["it.conv2.weight"], weights["it.conv2.bias"], 1, 1)
        # A fresh batch normalization in evaluation divides by sqrt(1 + eps).
        skip = F.conv2d(x, weights["it.skip.weight"], None, 2) / (1 + 1e-5) ** 0.5
        torch.testing.assert_close(module(x), (body + skip).relu())

    def test_lets_the_gradient_through_beside_the_body(self) -> None:
        layer = settled(ResidualConfig(layers=(LinearConfig(units=24),)))
        module = built(layer, FLAT)
        weight = dict(module.named_parameters())["it.hidden1.weight"]
        x = torch.randn(24)

        def network(v: Tensor) -> Tensor:
            return module(v[None])[0]

        jacobian = torch.autograd.functional.jacobian(network, x)
        torch.testing.assert_close(jacobian, torch.eye(24) + weight)

    def test_takes_what_the_stack_says_above_the_list(self) -> None:
        defaults = Defaults(BatchConfig(), ReluConfig(), "auto", ZerosConfig(), 0.0)
        block = ResidualConfig(layers=(ConvConfig(channels=8, padding="same"),)).settled(defaults)
        inner = block.layers[0]
        assert isinstance(inner, ConvConfig)
        assert (inner.norm, inner.activation) == (BatchConfig(), ReluConfig())

    @pytest.mark.parametrize(
        ("layer", "inputs", "text"),
        [
            (
                ResidualConfig(layers=(LinearConfig(units=3),), skip="identity"),
                FLAT,
                "the skip is the identity",
            ),
            (ResidualConfig(layers=(FlattenConfig(),)), IMAGE, "no projection leads from"),
            (
                ResidualConfig(layers=(ConvConfig(channels=8, kernel=6),)),
                IMAGE,
                "no 1 x 1 stride leads from",
            ),
        ],
    )
    def test_refuses_a_way_around_that_does_not_fit(
        self, layer: LayerConfig, inputs: Shape, text: str
    ) -> None:
        with pytest.raises(MistakeError, match=text):
            settled(layer).plan(inputs, "it", ())


class TestAgainstTheirDefinition:
    def test_global_pool_is_the_mean_of_each_channel(self) -> None:
        x = torch.randn(2, *IMAGE)
        torch.testing.assert_close(built(GlobalPoolConfig(), IMAGE)(x), x.mean((2, 3)))

    def test_same_padding_is_torchs(self) -> None:
        layer = settled(ConvConfig(channels=3, kernel=(3, 5), padding="same", dilation=2))
        module, x = built(layer, IMAGE), torch.randn(2, *IMAGE)
        weight, bias = module.parameters()
        expected = F.conv2d(x, weight, bias, padding="same", dilation=2)
        torch.testing.assert_close(module(x), expected)

    def test_layer_norm_is_over_all_units_of_an_example(self) -> None:
        x = torch.randn(4, *IMAGE)
        torch.testing.assert_close(built(LayerNormConfig(), IMAGE)(x), F.layer_norm(x, list(IMAGE)))

    def test_group_norm_divides_the_channels(self) -> None:
        x = torch.randn(4, *IMAGE)
        torch.testing.assert_close(built(GroupNormConfig(groups=2), IMAGE)(x), F.group_norm(x, 2))

    def test_the_order_is_weights_norm_activation_dropout(self) -> None:
        layer = settled(LinearConfig(units=9, norm=GroupConfig(groups=3), activation=ReluConfig()))
        module, x = built(layer, FLAT), torch.randn(5, 24)
        weights = dict(module.named_parameters())
        z = F.linear(x, weights["it.weight"], weights["it.bias"])
        torch.testing.assert_close(module(x), F.group_norm(z, 3).relu())


class TestContainers:
    @staticmethod
    def network() -> Stack:
        inner = Residual({"hidden1": nn.Linear(4, 4)}, {"skip": nn.Identity()}, nn.Identity())
        outer = Residual(
            {"block1": inner, "hidden1": nn.Linear(4, 3)}, {"skip": nn.Linear(4, 3)}, nn.ReLU()
        )
        return Stack({"block1": outer, "output": nn.Linear(3, 2)})

    def test_a_trail_tells_every_module_in_the_order_of_the_pass(self) -> None:
        seen: dict[str, Tensor] = {}
        network = self.network()
        with trailed(network, seen.__setitem__):
            network(torch.zeros(1, 4))
        assert list(seen) == [
            "block1.block1.hidden1",
            "block1.block1.skip",
            "block1.block1.activation",
            "block1.block1",
            "block1.hidden1",
            "block1.skip",
            "block1.activation",
            "block1",
            "output",
        ]

    def test_a_trail_tells_what_each_module_gives(self) -> None:
        network, x = self.network(), torch.randn(3, 4)
        weights = dict(network.named_parameters())

        def linear(name: str, x: Tensor) -> Tensor:
            return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

        seen: dict[str, Tensor] = {}
        with trailed(network, seen.__setitem__):
            network(x)
        inner = linear("block1.block1.hidden1", x) + x
        outer = (linear("block1.hidden1", inner) + linear("block1.skip", x)).relu()
        torch.testing.assert_close(seen["block1.block1"], inner)
        torch.testing.assert_close(seen["block1"], outer)
        torch.testing.assert_close(seen["output"], linear("output", outer))

    def test_a_trail_changes_nothing_and_ends(self) -> None:
        network, x = self.network(), torch.randn(3, 4)
        seen: dict[str, Tensor] = {}
        with trailed(network, seen.__setitem__):
            found = network(x)
        seen.clear()
        assert torch.equal(network(x), found)
        assert not seen
