"""Networks: what is designed is what is built, and how it begins."""

import subprocess
import sys
from hashlib import sha256
from itertools import pairwise
from math import prod, sqrt
from time import process_time
from typing import Any

import pytest
import torch
from counting import CountFlops
from pydantic import TypeAdapter
from torch import Tensor

from nnlab.core.contracts import DataShape, Shape, Task, TokenShape
from nnlab.core.errors import MistakeError
from nnlab.core.kinds import kinds_of
from nnlab.models import Model
from nnlab.models.family import Design, ModelConfig, design_network
from nnlab.models.network import assemble, build_network, initial_fills
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.losses.classes import BceConfig, CrossEntropyConfig
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.losses.regression import MseConfig
from nnlab.training.probes.sight import trailed

READ: Any = TypeAdapter(Model)
ZEROS = ZerosConfig()
DIGITS: Shape = (1, 28, 28)


def data(inputs: Shape, outputs: int = 10, task: Task = "classes") -> DataShape:
    names = tuple(map(str, range(outputs))) if task == "classes" else ()
    return DataShape(inputs, task, outputs, names, {"train": 100})


def model(**keys: Any) -> ModelConfig:
    return READ.validate_python(keys)


def designed(
    inputs: Shape, loss: LossConfig | None = None, outputs: int = 10, **keys: Any
) -> Design:
    return design_network(model(**keys), data(inputs, outputs), loss or CrossEntropyConfig())


LENET = (
    {"kind": "conv", "channels": 6, "kernel": 5, "padding": 2},
    {"kind": "avg_pool", "kernel": 2},
    {"kind": "conv", "channels": 16, "kernel": 5},
    {"kind": "avg_pool", "kernel": 2},
    "flatten",
    {"kind": "linear", "units": 120},
    {"kind": "linear", "units": 84},
)
BLOCK = {
    "kind": "residual",
    "layers": (
        {"kind": "conv", "channels": 6, "kernel": 3, "padding": 1, "stride": 2},
        {"kind": "conv", "channels": 6, "padding": "same"},
    ),
}
INNER = {"kind": "residual", "layers": ({"kind": "linear", "units": 6},)}
FLAT = ("linear", "mlp", "perceptron", "stack")
NETWORKS: dict[str, tuple[Shape, dict[str, Any]]] = {
    "linear": ((4,), {"kind": "linear"}),
    "linear on images": (DIGITS, {"kind": "linear"}),
    "mlp": (DIGITS, {"kind": "mlp", "hidden": (16, 16), "activation": "sigmoid"}),
    "mlp without hidden layers": ((5,), {"kind": "mlp", "hidden": ()}),
    "mlp, equal": ((5,), {"kind": "mlp", "hidden": {"width": 6, "depth": 4}}),
    "mlp, all": (
        (5,),
        {"kind": "mlp", "hidden": (8, 8), "norm": "batch", "dropout": 0.5, "activation": "prelu"},
    ),
    "mlp, slopes by unit": (
        (5,),
        {"kind": "mlp", "hidden": (8, 6), "activation": {"kind": "prelu", "per": "channel"}},
    ),
    "cnn, slopes by channel": (
        (1, 8, 8),
        {"kind": "cnn", "channels": (4,), "activation": {"kind": "prelu", "per": "channel"}},
    ),
    "residual, slopes by channel": (
        (1, 8, 8),
        {
            **{"kind": "stack", "activation": {"kind": "prelu", "per": "channel"}},
            "layers": ({"kind": "conv", "channels": 4}, BLOCK, "flatten"),
        },
    ),
    "mlp, layer norm": ((5,), {"kind": "mlp", "hidden": (8,), "norm": "layer"}),
    "cnn": (DIGITS, {"kind": "cnn", "channels": (4, 8), "dense": (16,)}),
    "cnn, all": (
        (3, 16, 12),
        {
            **{"kind": "cnn", "channels": (8, 16), "dense": (16, 16), "kernel": 5, "pool": 2},
            **{"norm": "group", "dropout": 0.2, "activation": "silu", "init": "orthogonal"},
        },
    ),
    "cnn without dense layers": ((1, 8, 8), {"kind": "cnn", "channels": (2,), "dense": ()}),
    "lenet": (DIGITS, {"kind": "stack", "activation": "tanh", "layers": LENET}),
    "residual": (
        DIGITS,
        {
            **{"kind": "stack", "activation": "relu", "norm": "batch"},
            "layers": ({"kind": "conv", "channels": 4}, BLOCK, BLOCK, "global_pool"),
        },
    ),
    "resnet20": ((3, 8, 8), {"kind": "resnet20", "width": 4}),
    "resnet50": ((1, 9, 7), {"kind": "resnet50", "width": 4, "zero_init": True}),
    "lenet5_1998": (DIGITS, {"kind": "lenet5_1998"}),
    "residual in residual": (
        (6,),
        {"kind": "stack", "layers": ({"kind": "residual", "layers": (INNER,)},)},
    ),
}


@pytest.mark.parametrize(("inputs", "keys"), NETWORKS.values(), ids=NETWORKS)
class TestEveryNetwork:
    def test_has_the_parameters_of_its_plan(self, inputs: Shape, keys: dict[str, Any]) -> None:
        network = designed(inputs, **keys)
        with torch.device("meta"):
            module = assemble(network)
        planned = {n: s for plan in network.plans for n, s in plan.parameters.items()}
        assert planned == {n: tuple(p.shape) for n, p in module.named_parameters()}

    def test_has_the_buffers_of_its_plan(self, inputs: Shape, keys: dict[str, Any]) -> None:
        network = designed(inputs, **keys)
        with torch.device("meta"):
            module = assemble(network)
        planned = {n: s for plan in network.plans for n, s in plan.buffers.items()}
        assert planned == {n: tuple(b.shape) for n, b in module.named_buffers()}

    def test_gives_the_shapes_of_its_plan(self, inputs: Shape, keys: dict[str, Any]) -> None:
        network = designed(inputs, **keys)
        seen: dict[str, Tensor] = {}
        module = build_network(network, seed=0)
        with trailed(module, seen.__setitem__):
            outputs = module(torch.zeros(2, *inputs))
        assert outputs.shape == (2, 10)
        for plan in network.plans:
            # The last module of a layer, hidden1_dropout, gives its output.
            last = [name for name in seen if name == plan.name or name.startswith(f"{plan.name}_")]
            assert seen[last[-1]].shape == (2, *plan.output)

    def test_counts_what_the_dispatcher_counts(self, inputs: Shape, keys: dict[str, Any]) -> None:
        network = designed(inputs, **keys)
        module = build_network(network, seed=0).eval()
        with CountFlops() as counter, torch.no_grad():
            module(torch.zeros(1, *inputs))
        assert network.flops == counter.total

    def test_begins_with_finite_numbers(self, inputs: Shape, keys: dict[str, Any]) -> None:
        module = build_network(designed(inputs, **keys), seed=0)
        assert all(torch.isfinite(t).all() for t in module.state_dict().values())

    def test_begins_the_same_from_the_same_seed(self, inputs: Shape, keys: dict[str, Any]) -> None:
        first, second = (
            build_network(designed(inputs, **keys), seed=3).state_dict() for _ in range(2)
        )
        assert all(torch.equal(value, second[name]) for name, value in first.items())

    def test_begins_elsewhere_from_another_seed(self, inputs: Shape, keys: dict[str, Any]) -> None:
        network = designed(inputs, **keys)
        first, second = (
            dict(build_network(network, seed=seed).named_parameters()) for seed in (3, 4)
        )
        begins = initial_fills(network)
        drawn = [n for n, fill in begins.items() if n.endswith("weight") and fill.init != ZEROS]
        assert drawn
        assert not any(torch.equal(first[name], second[name]) for name in drawn)

    def test_draws_from_no_global_stream(self, inputs: Shape, keys: dict[str, Any]) -> None:
        before = torch.get_rng_state()
        build_network(designed(inputs, **keys), seed=0)
        assert torch.equal(torch.get_rng_state(), before)

    def test_begins_the_same_whatever_was_drawn_before(
        self, inputs: Shape, keys: dict[str, Any]
    ) -> None:
        first = build_network(designed(inputs, **keys), seed=0).state_dict()
        with torch.random.fork_rng():
            torch.rand(7)
            second = build_network(designed(inputs, **keys), seed=0).state_dict()
        assert all(torch.equal(value, second[name]) for name, value in first.items())

    def test_is_on_the_cpu_in_float32(self, inputs: Shape, keys: dict[str, Any]) -> None:
        module = build_network(designed(inputs, **keys), seed=0)
        assert {(p.device.type, p.dtype) for p in module.parameters()} == {("cpu", torch.float32)}


EXAMPLE_DATA = {
    "cnn": data((1, 16, 16)),
    "mcculloch_pitts": data((2,), 2),
    **dict.fromkeys(("rnn", "lstm", "gru", "transformer"), data((6, 3))),
    "gpt2": DataShape(TokenShape((6,), 9), "classes", 9, (), {"train": 1}, places=(6,)),
    "point": DataShape((2,), "regression", 1, (), {"train": 1}, start=(-1.5, 2.0)),
}


@pytest.mark.parametrize("kind", kinds_of(Model).values(), ids=kinds_of(Model))
class TestEveryKind:
    def test_has_help_of_one_line(self, kind: type[ModelConfig]) -> None:
        assert (kind.__doc__ or "").splitlines()[0].endswith(".")

    def test_has_an_example_that_builds(self, kind: type[ModelConfig]) -> None:
        inputs: Shape = (7,) if kind.name() in FLAT else (1, 32, 32)
        shape = EXAMPLE_DATA.get(kind.name(), data(inputs))
        loss = MseConfig() if kind.name() == "perceptron" else CrossEntropyConfig()
        network = design_network(kind.example().settled_for(shape), shape, loss)
        with torch.device("meta"):
            dtype = torch.int64 if shape.tokens else torch.float32
            outputs = assemble(network)(torch.zeros(2, *shape.inputs, dtype=dtype))
        assert outputs.shape == (2, *network.plans[-1].output)


class TestSizes:
    @pytest.mark.parametrize(("hidden", "count"), [((16, 16), 13_002), ((256, 128), 235_146)])
    def test_of_784_16_16_10_are_13002_and_of_784_256_128_10_235146(
        self, hidden: tuple[int, ...], count: int
    ) -> None:
        """By the sum of n m + m over the layers.

        One of the source texts prints 234,378 for the second; its own formula gives 235,146.
        """
        sizes = (784, *hidden, 10)
        assert sum(n * m + m for n, m in pairwise(sizes)) == count
        assert designed(DIGITS, kind="mlp", hidden=hidden).parameters == count

    def test_of_784_16_16_10_are_12960_weights_and_42_biases(self) -> None:
        plans = designed(DIGITS, kind="mlp", hidden=(16, 16)).plans
        shapes = {n: shape for plan in plans for n, shape in plan.parameters.items()}
        weights = sum(prod(shape) for n, shape in shapes.items() if n.endswith("weight"))
        biases = sum(prod(shape) for n, shape in shapes.items() if n.endswith("bias"))
        assert (weights, biases) == (12_960, 42)

    def test_of_lenet(self) -> None:
        # LeCun et al. 1998 with full connections in its third layer: 156 + 2,416 + 48,120 +
        # 10,164 + 850.
        network = designed(DIGITS, kind="stack", layers=LENET)
        assert network.parameters == 156 + 2_416 + 48_120 + 10_164 + 850 == 61_706

    @pytest.mark.parametrize("widths", [(3,), (5, 4), (7, 1, 9)])
    def test_follow_the_formula(self, widths: tuple[int, ...]) -> None:
        sizes = (11, *widths, 10)
        formula = sum(n * m + m for n, m in pairwise(sizes))
        assert designed((11,), kind="mlp", hidden=widths).parameters == formula

    def test_more_than_ten_billion_are_refused_before_anything_is_allocated(self) -> None:
        start = process_time()
        with pytest.raises(MistakeError, match="more than the limit of 10,000,000,000"):
            designed((10,), kind="mlp", hidden=(10**6, 10**6))
        assert process_time() - start < 0.5

    def test_ten_billion_are_designed(self) -> None:
        # 99,998 units are 99,998^2 + 11 weights and a bias for each: just below 10^10.
        assert designed((99_987,), kind="mlp", hidden=(99_998,)).parameters < 10**10


class TestOutput:
    def test_has_one_logit_for_two_classes_of_bce(self) -> None:
        assert designed((3,), BceConfig(), 2, kind="linear").plans[-1].output == (1,)

    def test_has_a_logit_for_each_of_three_classes_of_bce(self) -> None:
        assert designed((3,), BceConfig(), 3, kind="linear").plans[-1].output == (3,)

    def test_ends_in_logits_where_the_loss_has_the_link_inside(self) -> None:
        network = designed((3,), kind="linear")
        assert list(assemble(network)._modules) == ["output"]  # pyright: ignore[reportPrivateUsage]

    def test_has_the_activation_that_is_written(self) -> None:
        network = designed((3,), MseConfig(), kind="linear", output={"activation": "sigmoid"})
        outputs = build_network(network, seed=0)(100 * torch.randn(20, 3))
        assert 0 <= outputs.min() < outputs.max() <= 1

    def test_has_one_for_each_column_of_numbers(self) -> None:
        network = design_network(model(kind="linear"), data((3,), 4, "regression"), MseConfig())
        assert network.plans[-1].parameters == {"output.weight": (4, 3), "output.bias": (4,)}


class TestBeginning:
    def weights(self, **keys: Any) -> dict[str, Tensor]:
        return dict(build_network(designed((400,), **keys), seed=0).named_parameters())

    # A sample variance of n normal draws is within 5 * sqrt(2 / n) of the true one.
    @pytest.mark.parametrize(
        ("activation", "variance"),
        [
            ("sigmoid", 2 / (400 + 300)),
            ("tanh", 2 / (400 + 300)),
            ("relu", 2 / 400),
        ],
    )
    def test_has_the_variance_of_its_activation(self, activation: str, variance: float) -> None:
        weight = self.weights(kind="mlp", hidden=(300,), activation=activation)["hidden1.weight"]
        assert abs(weight.var().item() / variance - 1) < 5 * sqrt(2 / weight.numel())
        assert abs(weight.mean().item()) < 5 * sqrt(variance / weight.numel())

    @pytest.mark.parametrize(
        ("init", "variance"),
        [
            ("xavier_normal", 2 / (400 + 300)),
            ("xavier_uniform", 2 / (400 + 300)),
            ("he_normal", 2 / 400),
            ("he_uniform", 2 / 400),
            ("lecun_normal", 1 / 400),
            ({"kind": "normal", "std": 0.1}, 0.01),
        ],
        ids=str,
    )
    def test_has_the_variance_that_is_asked_for(self, init: Any, variance: float) -> None:
        weight = self.weights(kind="mlp", hidden=(300,), init=init)["hidden1.weight"]
        assert abs(weight.var().item() / variance - 1) < 5 * sqrt(2 / weight.numel())

    def test_counts_the_window_of_a_convolution(self) -> None:
        network = designed((32, 9, 9), kind="cnn", channels=(64,), pool=1, dense=())
        weight = dict(build_network(network, seed=0).named_parameters())["conv1.weight"]
        assert abs(weight.var().item() / (2 / (9 * 32)) - 1) < 5 * sqrt(2 / weight.numel())

    def test_has_zero_biases_unless_told(self) -> None:
        weights = self.weights(kind="mlp", hidden=(30,))
        assert not any(value.any() for name, value in weights.items() if name.endswith("bias"))

    def test_has_the_biases_that_are_asked_for(self) -> None:
        weights = self.weights(
            kind="mlp", hidden=(30,), bias_init={"kind": "constant", "value": 0.25}
        )
        assert weights["hidden1.bias"].eq(0.25).all()

    def test_of_norms_and_prelu_is_torchs(self) -> None:
        module = build_network(
            designed((40,), kind="mlp", hidden=(30,), norm="batch", activation="prelu"), seed=0
        ).state_dict()
        assert module["hidden1_norm.weight"].eq(1).all()
        assert module["hidden1_norm.bias"].eq(0).all()
        assert module["hidden1_norm.running_mean"].eq(0).all()
        assert module["hidden1_norm.running_var"].eq(1).all()
        assert module["hidden1_norm.num_batches_tracked"] == 0
        assert module["hidden1_activation.weight"].eq(0.25).all()

    def test_of_one_layer_does_not_move_with_another(self) -> None:
        first = self.weights(kind="mlp", hidden=(30, 20, 10))
        second = self.weights(kind="mlp", hidden=(30, 20, 15), activation="relu", dropout=0.5)
        for name in ("hidden1.weight", "hidden2.weight"):
            assert torch.equal(first[name], second[name])


class TestStructure:
    def test_layers_are_named_by_depth(self) -> None:
        network = designed(DIGITS, kind="cnn", channels=(4, 4), dense=(8, 8))
        assert [plan.name for plan in network.plans] == [
            *("conv1", "pool1", "conv2", "pool2", "flatten", "hidden1", "hidden2", "output")
        ]

    def test_layers_of_a_shorthand_know_their_line(self) -> None:
        network = designed(DIGITS, kind="cnn", channels=(4,), dense=(8,))
        assert [plan.path for plan in network.plans] == [
            ("model", "channels", 0),
            ("model", "channels", 0),
            ("model",),
            ("model", "dense", 0),
            ("model", "output"),
        ]

    @pytest.mark.parametrize(
        ("inputs", "keys", "path"),
        [
            ((4,), {"kind": "cnn"}, ("model", "channels", 0)),
            ((1, 4, 4), {"kind": "cnn", "channels": (1, 1, 1)}, ("model", "channels", 2)),
            ((4,), {"kind": "mlp", "hidden": (16, 9), "norm": "group"}, ("model", "hidden", 1)),
            (
                (4,),
                {"kind": "mlp", "hidden": {"width": 9, "depth": 2}, "norm": "group"},
                ("model", "hidden"),
            ),
            ((4,), {"kind": "mlp", "hidden": (8,), "norm": "group"}, ("model", "hidden", 0)),
            ((4,), {"kind": "mlp", "hidden": (3, 1), "norm": "layer"}, ("model", "hidden", 1)),
            (
                (1, 4, 4),
                {"kind": "stack", "layers": ({"kind": "conv", "channels": 1},)},
                ("model", "layers", 0),
            ),
        ],
    )
    def test_mistakes_point_at_what_the_user_wrote(
        self, inputs: Shape, keys: dict[str, Any], path: tuple[str | int, ...]
    ) -> None:
        with pytest.raises(MistakeError) as caught:
            designed(inputs, **keys)
        assert caught.value.mistake.path == path

    def test_without_nonlinearity_depth_is_nothing(self) -> None:
        network = designed((7,), kind="mlp", hidden=(6, 9, 5), activation="identity")
        module = build_network(network, seed=0).double()
        weights = [value for name, value in module.named_parameters() if name.endswith("weight")]
        product = weights[0]
        for weight in weights[1:]:
            product = weight @ product
        x = torch.randn(20, 7, dtype=torch.float64)
        torch.testing.assert_close(module(x), x @ product.T)

    def test_without_nonlinearity_depth_is_nothing_with_biases_either(self) -> None:
        biases = {"kind": "normal", "std": 1.0}
        network = designed(
            (7,),
            kind="mlp",
            hidden=(6, 9),
            activation="identity",
            bias_init=biases,
            output={"bias_init": biases},
        )
        module = build_network(network, seed=0).double()
        weights = dict(module.named_parameters())
        matrix, shift = torch.eye(7, dtype=torch.float64), torch.zeros(7, dtype=torch.float64)
        for layer in ("hidden1", "hidden2", "output"):
            matrix = weights[f"{layer}.weight"] @ matrix
            shift = weights[f"{layer}.weight"] @ shift + weights[f"{layer}.bias"]
        x = torch.randn(20, 7, dtype=torch.float64)
        torch.testing.assert_close(module(x), x @ matrix.T + shift)

    def test_a_network_is_its_formula(self) -> None:
        network = designed((7,), kind="mlp", hidden=(6,), activation="tanh")
        module = build_network(network, seed=0).double()
        w = dict(module.named_parameters())
        x = torch.randn(20, 7, dtype=torch.float64)
        hidden = torch.tanh(x @ w["hidden1.weight"].T + w["hidden1.bias"])
        torch.testing.assert_close(module(x), hidden @ w["output.weight"].T + w["output.bias"])

    def test_a_cnn_is_the_stack_that_it_stands_for(self) -> None:
        short = designed(DIGITS, kind="cnn", channels=(3,), dense=(8,))
        long = designed(
            DIGITS,
            kind="stack",
            activation="relu",
            layers=(
                {"kind": "conv", "channels": 3, "kernel": 3, "padding": "same"},
                "max_pool",
                "flatten",
                {"kind": "linear", "units": 8},
            ),
        )
        x = torch.randn(2, *DIGITS)
        assert torch.equal(build_network(short, seed=0)(x), build_network(long, seed=0)(x))

    def test_a_network_learns_nothing_from_evaluation(self) -> None:
        module = build_network(designed((7,), kind="mlp", hidden=(6,), norm="batch"), seed=0).eval()
        before = {name: value.clone() for name, value in module.state_dict().items()}
        module(torch.randn(20, 7))
        assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())

    def test_inputs_of_a_dense_layer_are_all_of_the_image(self) -> None:
        network = designed((3, 5, 4), kind="linear")
        assert network.plans[-1].inputs == (prod((3, 5, 4)),)


@pytest.mark.parametrize(
    ("keys", "digest"),
    [
        (
            {"kind": "cnn", "norm": "batch", "activation": "prelu", "init": "he_uniform"},
            "fdd0302a4753c4d1e2a4ec28d7dfe999ff0cff129eeaeed042b2cbd1b309a45f",
        ),
        (
            {"kind": "mlp", "hidden": (7, 5), "norm": "layer", "init": "xavier_uniform"},
            "f6b41fdc7954a1ec2886370dc50107b4318bd501507a0d0e6c50d0023d28b375",
        ),
    ],
)
def test_the_same_seed_gives_the_first_weights_of_earlier_versions(
    keys: dict[str, Any], digest: str
) -> None:
    # Taken where networks were built on the meta device. Uniform: no CPU rounds those otherwise.
    found = sha256()
    for name, tensor in build_network(designed((1, 8, 8), **keys), seed=3).state_dict().items():
        found.update(name.encode() + tensor.contiguous().numpy().tobytes())
    assert found.hexdigest() == digest


def test_building_leaves_the_default_generator_alone_and_imports_no_tracing() -> None:
    code = (
        "import sys, torch\n"
        "from nnlab.comparison.comparison import settle_first\n"
        "from nnlab.models.network import build_network\n"
        "from nnlab.training.device import torch_settings\n"
        "design = settle_first('digits_cnn').design\n"
        "before, state = set(sys.modules), torch.get_rng_state()\n"
        "with torch_settings(threads=1, deterministic=False): build_network(design, seed=0)\n"
        "assert torch.equal(state, torch.get_rng_state())\n"
        "heavy = {'sympy', 'torch._dynamo', 'torch._inductor', 'torch._meta_registrations'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
