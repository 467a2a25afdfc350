"""The published networks: their sizes as published, torchvision's outputs, and what they refuse."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from nnlab.commands.menu.page import menu_page
from nnlab.commands.schema import build_schema
from nnlab.commands.show.expand import brief
from nnlab.commands.show.page import show_page
from nnlab.comparison.comparison import settle_first
from nnlab.config.loading import Text, load_config, place_for
from nnlab.core.contracts import DataShape, Shape
from nnlab.core.errors import ConfigError, MistakeError
from nnlab.core.kinds import kinds_of
from nnlab.models import Model
from nnlab.models.architecture import ArchitectureConfig
from nnlab.models.family import Design, ModelConfig, design_network
from nnlab.models.network import assemble, build_network, initial_fills
from nnlab.parts.losses.classes import CrossEntropyConfig
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.losses.regression import MseConfig

READ: Any = TypeAdapter(Model)
KINDS = kinds_of(Model)
IMAGENET: Shape = (3, 224, 224)
CIFAR: Shape = (3, 32, 32)
DIGIT: Shape = (1, 28, 28)
PUBLISHED = [name for name, kind in KINDS.items() if issubclass(kind, ArchitectureConfig)]
NAMES = [*PUBLISHED, "perceptron"]
SCHEMA = build_schema()
STAGED = [name for name in PUBLISHED if "width" in KINDS[name].model_fields]
# Of each network one that is built in milliseconds.
SMALL: dict[str, tuple[Shape, dict[str, Any]]] = {
    **{name: ((3, 9, 9), {"width": 4}) for name in STAGED if not name.endswith(("34", "56"))},
    "resnet20, projection": ((3, 9, 7), {"kind": "resnet20", "width": 4, "shortcut": "projection"}),
    "resnet50, pad": ((3, 9, 7), {"kind": "resnet50", "width": 4, "shortcut": "pad"}),
    "resnet18, zero_init": ((3, 9, 7), {"kind": "resnet18", "width": 4, "zero_init": True}),
    "resnet20, no norm": ((3, 9, 7), {"kind": "resnet20", "width": 4, "norm": "none"}),
    "lenet5": (DIGIT, {}),
    "lenet5 on 32x32": (CIFAR, {"kind": "lenet5"}),
    "lenet5_1998": (DIGIT, {}),
    "alexnet": (CIFAR, {"norm": "batch"}),
    "perceptron": ((2,), {}),
    "perceptron on images": (DIGIT, {"kind": "perceptron"}),
    "mlp": ((4,), {"hidden": (5, 3), "norm": "batch", "dropout": 0.1, "activation": "prelu"}),
    "mlp on images": (DIGIT, {"kind": "mlp", "hidden": {"width": 5, "depth": 3}}),
    "mlp without hidden layers": ((4,), {"kind": "mlp", "hidden": ()}),
    "cnn": (DIGIT, {"channels": (2, 3), "dense": (4, 5), "dropout": 0.1, "init": "orthogonal"}),
    "linear": (DIGIT, {"output": {"init": "zeros"}}),
}


def data(inputs: Shape, outputs: int = 10) -> DataShape:
    return DataShape(inputs, "classes", outputs, tuple(map(str, range(outputs))), {"train": 100})


def loss_of(model: ModelConfig) -> LossConfig:
    return MseConfig() if model.kind == "perceptron" else CrossEntropyConfig()


def designed(name: str, inputs: Shape, outputs: int = 10, **keys: Any) -> Design:
    model = READ.validate_python({"kind": name, **keys})
    return design_network(model, data(inputs, outputs), loss_of(model))


def small(name: str) -> tuple[ModelConfig, Shape]:
    inputs, keys = SMALL[name]
    return READ.validate_python({"kind": name, **keys}), inputs


def shapes(network: Design) -> dict[str, Shape]:
    return {name: shape for plan in network.plans for name, shape in plan.parameters.items()}


class TestSizes:
    @pytest.mark.parametrize(
        ("name", "parameters"),
        [
            # torchvision's documentation of its weights: num_params.
            ("alexnet", 61_100_840),
            ("vgg11", 132_863_336),
            ("vgg16", 138_357_544),
            ("resnet18", 11_689_512),
            ("resnet34", 21_797_672),
            ("resnet50", 25_557_032),
        ],
    )
    def test_on_imagenet_are_those_published(self, name: str, parameters: int) -> None:
        assert designed(name, IMAGENET, 1000).parameters == parameters

    def test_of_vgg16_with_batch_norm_is_that_of_torchvision(self) -> None:
        assert designed("vgg16", IMAGENET, 1000, norm="batch").parameters == 138_365_992

    @pytest.mark.parametrize(("depth", "published"), [(20, 0.27e6), (56, 0.85e6)])
    @pytest.mark.parametrize("shortcut", ["pad", "projection"])
    def test_of_residual_networks_for_cifar_follow_the_formula(
        self, depth: int, published: float, shortcut: str
    ) -> None:
        # He et al. 2015, section 4.2: 6n + 2 layers, 16, 32 and 64 channels, no biases, batch
        # normalization; table 6 prints 0.27M and 0.85M.
        n = (depth - 2) // 6
        first = 9 * 3 * 16 + n * 2 * 9 * 16**2
        others = sum(9 * c * 2 * c + (2 * n - 1) * 9 * (2 * c) ** 2 for c in (16, 32))
        norms = 2 * (16 + 2 * n * (16 + 32 + 64))
        around = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64) if shortcut == "projection" else 0
        count = designed(f"resnet{depth}", CIFAR, shortcut=shortcut).parameters
        assert count == first + others + norms + around + 64 * 10 + 10
        assert abs(count - published) < 0.01e6

    def test_of_residual_networks_for_cifar_are_the_known_ones(self) -> None:
        # The counts that implementations with options A and B print.
        assert designed("resnet20", CIFAR).parameters == 269_722
        assert designed("resnet20", CIFAR, shortcut="projection").parameters == 272_474
        assert designed("resnet56", CIFAR).parameters == 853_018
        assert designed("resnet56", CIFAR, shortcut="projection").parameters == 855_770

    @pytest.mark.parametrize(
        ("plain", "residual", "inputs"),
        [
            ("plain20", "resnet20", CIFAR),
            ("plain56", "resnet56", CIFAR),
            ("plain18", "resnet18", IMAGENET),
            ("plain34", "resnet34", IMAGENET),
        ],
    )
    def test_of_plain_networks_are_those_of_residual_ones_with_padding(
        self, plain: str, residual: str, inputs: Shape
    ) -> None:
        # He et al. 2015, section 3.3: the identity shortcuts have no parameters.
        first, second = designed(plain, inputs), designed(residual, inputs, shortcut="pad")
        assert first.parameters == second.parameters
        assert first.flops == second.flops

    @pytest.mark.parametrize(
        ("name", "billions"),
        [("resnet18", 1.8), ("resnet34", 3.6), ("plain34", 3.6), ("vgg16", 15.3)],
    )
    def test_in_multiply_adds_are_those_of_the_paper(self, name: str, billions: float) -> None:
        # He et al. 2015, table 1 and section 4.1 (VGG-16: 15.3 billion, the dense layers aside).
        # torchvision's 50 layers move a stride, and differ from the table's 3.8.
        network = designed(name, IMAGENET, 1000)
        dense = sum(plan.flops for plan in network.plans if plan.kind == "linear")
        assert (network.flops - dense) / 2e9 == pytest.approx(billions, abs=0.1)

    @pytest.mark.parametrize("inputs", [DIGIT, (1, 32, 32)])
    def test_of_lenet5_is_61706(self, inputs: Shape) -> None:
        # 6 * 25 + 6, 16 * 6 * 25 + 16, 400 * 120 + 120, 120 * 84 + 84, 84 * 10 + 10.
        assert designed("lenet5", inputs).parameters == 61_706

    def test_of_lenet5_in_1998_is_60000_before_the_output(self) -> None:
        # LeCun et al. 1998, section II-B, layer by layer; "60,000 trainable parameters".
        counts = [
            sum(torch.Size(shape).numel() for shape in plan.parameters.values())
            for plan in designed("lenet5_1998", (1, 32, 32)).plans
            if plan.parameters and plan.name != "output"
        ]
        assert counts == [156, 12, 1_516, 32, 48_120, 10_164]
        assert sum(counts) == 60_000

    def test_in_connections_of_lenet5_in_1998_are_those_of_the_paper(self) -> None:
        # LeCun et al. 1998: C1 has 122,304 connections and C3 151,600, biases counted.
        plans = {plan.name: plan for plan in designed("lenet5_1998", (1, 32, 32)).plans}
        for name, connections in (("conv1", 122_304), ("conv2", 151_600)):
            units = torch.Size(plans[name].output).numel()
            assert plans[name].flops // 2 + units == connections

    @pytest.mark.parametrize(
        ("name", "parameters"),
        [
            # Convolutions of the published form; bearpaw/pytorch-classification, cifar/alexnet.py:
            # one linear map of 256.
            ("alexnet", 61_100_840 - 58_631_144 + 256 * 10 + 10),
            # chengyangfu/pytorch-vgg-cifar10: two hidden layers of 512.
            ("vgg11", 9_220_480 + 2 * (512 * 512 + 512) + 512 * 10 + 10),
            ("vgg16", 14_714_688 + 2 * (512 * 512 + 512) + 512 * 10 + 10),
        ],
    )
    def test_on_cifar_are_those_of_the_usual_small_forms(self, name: str, parameters: int) -> None:
        # 58,631,144 = (9216 + 1) 4096 + (4096 + 1) 4096 + (4096 + 1) 1000.
        assert designed(name, CIFAR).parameters == parameters

    @pytest.mark.parametrize("name", ["alexnet", "vgg11", "vgg16"])
    def test_change_at_64_pixels(self, name: str) -> None:
        parts = [designed(name, (3, side, side)).parameters for side in (32, 63, 64, 224)]
        assert parts[0] < 20e6 < parts[2] == parts[3]
        assert parts[1] < 20e6


def twin(name: str) -> nn.Module:
    """torchvision's network of this name, on the meta device."""
    from torchvision import models

    with torch.device("meta"):
        return models.get_model(name, weights=None)


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("resnet34", "resnet50")),
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("alexnet", "vgg11", "vgg16")),
    ],
)
def test_gives_what_torchvision_gives_with_the_same_weights(name: str) -> None:
    # 64x64: adaptive pools and the last stages work as on 224x224, in a twelfth of the time.
    inputs = (3, 64, 64)
    with torch.device("meta"):
        ours = assemble(designed(name, inputs, 1000))
    theirs = twin(name)
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}
    for key, value in theirs.state_dict().items():
        if value.dtype == torch.int64:
            state[key] = torch.zeros((), dtype=torch.int64)
            continue
        drawn = torch.empty(value.shape).uniform_(generator=generator)
        # Weights around 0 with He's variance; norms and their statistics around 1.
        fan = value.shape[1:].numel()
        state[key] = (drawn - 0.5) * (24 / fan) ** 0.5 if value.ndim > 1 else 0.5 + drawn
    theirs.load_state_dict(state, assign=True)
    # The order of the layers is the same, the names are not.
    assert [v.shape for v in ours.state_dict().values()] == [v.shape for v in state.values()]
    renamed = dict(zip(ours.state_dict(), state.values(), strict=True))
    ours.load_state_dict(renamed, assign=True)
    x = torch.randn(2, *inputs, generator=generator)
    with torch.no_grad():
        first, second = ours.eval()(x), theirs.eval()(x)
    # float32: the means of the pools are rounded otherwise, and thousands of terms are summed.
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5 * second.abs().max().item())


@pytest.mark.parametrize("name", SMALL)
class TestEveryNetwork:
    def test_is_the_stack_that_it_expands_to(self, name: str) -> None:
        model, inputs = small(name)
        text = json.dumps(brief(model.expanded(inputs)))
        stack = READ.validate_python(_tuples(json.loads(text)))
        assert stack.kind == "stack"
        first, second = (design_network(m, data(inputs), loss_of(model)) for m in (model, stack))
        before, after = (build_network(d, seed=3) for d in (first, second))
        bits = before.state_dict()
        assert {n: tuple(v.shape) for n, v in bits.items()} == {
            n: tuple(v.shape) for n, v in after.state_dict().items()
        }
        assert all(torch.equal(value, bits[n]) for n, value in after.state_dict().items())
        x = torch.randn(3, *inputs)
        assert torch.equal(before.eval()(x), after.eval()(x))

    def test_is_built_as_it_is_planned(self, name: str) -> None:
        model, inputs = small(name)
        network = design_network(model, data(inputs), loss_of(model))
        with torch.device("meta"):
            module = assemble(network)
        assert shapes(network) == {n: tuple(p.shape) for n, p in module.named_parameters()}
        buffers = {n: s for plan in network.plans for n, s in plan.buffers.items()}
        assert buffers == {n: tuple(b.shape) for n, b in module.named_buffers()}
        outputs = module(torch.zeros(2, *inputs, device="meta"))
        assert outputs.shape == (2, *network.plans[-1].output)

    def test_learns_in_a_step(self, name: str) -> None:
        model, inputs = small(name)
        module = build_network(design_network(model, data(inputs), loss_of(model)), seed=0)
        before = {n: p.detach().clone() for n, p in module.named_parameters()}
        optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
        x, y = torch.randn(8, *inputs), torch.arange(8)
        nn.functional.cross_entropy(module(x), y).backward()
        optimizer.step()
        moved = {n for n, p in module.named_parameters() if not torch.equal(p, before[n])}
        assert all(torch.isfinite(p).all() for p in module.parameters())
        if model.kind == "perceptron":
            # Its step has gradient 0 everywhere.
            assert moved == set()
        else:
            assert "output.weight" in moved

    def test_settles_to_itself(self, name: str) -> None:
        model, inputs = small(name)
        again = model.resolved()
        first, second = (design_network(m, data(inputs), loss_of(model)) for m in (model, again))
        assert initial_fills(first) == initial_fills(second)
        assert again.resolved() == again


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples that strict validation wants."""
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["vgg16", "alexnet", "resnet50", "resnet56", "plain34"])
def test_a_large_network_is_the_stack_that_it_expands_to(name: str) -> None:
    # The same names, shapes and fills are the same bits: each parameter has a stream of its own.
    model = READ.validate_python(name)
    stack = READ.validate_python(_tuples(brief(model.expanded(IMAGENET))))
    first, second = (
        design_network(m, data(IMAGENET, 1000), loss_of(model)) for m in (model, stack)
    )
    assert shapes(first) == shapes(second)
    assert initial_fills(first) == initial_fills(second)


@pytest.mark.parametrize("name", NAMES)
class TestEveryName:
    def config(self, name: str) -> tuple[str, list[str]]:
        if name == "perceptron":
            return "xor", ["model=perceptron", "loss=mse"]
        return ("mnist_cnn" if name.startswith("lenet") else "cifar10_cnn"), [f"model={name}"]

    def test_is_checked_and_shown(self, name: str) -> None:
        source, overrides = self.config(name)
        table = show_page(source, overrides, data=False, as_json=False)
        assert max(map(len, table.splitlines())) <= 80
        facts = json.loads(show_page(source, overrides, data=False, as_json=True))
        assert f"{facts['parameters']:,}" in table

    def test_shows_a_config_that_means_the_same(self, name: str) -> None:
        source, overrides = self.config(name)
        written = show_page(source, overrides, data=False, expand=True, as_json=False)
        assert written.startswith(f"# {name} for inputs of ")
        text = Text(written, "expanded.yaml", Path(), "expanded")
        first = settle_first(source, overrides)
        config = load_config(text)
        assert config.model.kind == "stack"
        second = design_network(config.model, first.shape, first.loss)
        assert shapes(second) == shapes(first.design)
        assert initial_fills(second) == initial_fills(first.design)
        assert max(map(len, written.splitlines())) <= 100

    def test_stands_on_the_menu_and_in_the_schema(self, name: str) -> None:
        assert menu_page(name).startswith(f"{name} (models, chosen in model)")
        assert name in {entry.get("title") for entry in SCHEMA["$defs"].values()}


def test_expansion_says_all_of_the_rest_too() -> None:
    written = show_page(
        "cifar10_cnn",
        ["model={kind: resnet20, output: {init: zeros}}", "seed=7"],
        data=False,
        expand=True,
        as_json=True,
    )
    tree = json.loads(written)
    assert tree["seed"] == 7
    assert tree["train"] == {"epochs": 10, "batch_size": 128}
    assert list(tree["model"]) == ["kind", "activation", "norm", "layers", "output"]
    assert tree["model"]["output"] == {"init": "zeros"}
    assert tree["model"]["layers"][0] == {
        **{"kind": "conv", "channels": 16, "padding": 1, "bias": False},
    }


def test_expansion_and_data_are_two_pages() -> None:
    with pytest.raises(ConfigError, match="--expand: prints a config"):
        show_page("xor", [], data=True, expand=True, as_json=False)


class TestWrongImages:
    @pytest.mark.parametrize(
        ("name", "inputs", "text"),
        [
            (
                "alexnet",
                DIGIT,
                r"\(alexnet\): needs images of 32x32 or more, gets 1x28x28 \(lenet5",
            ),
            ("vgg16", (3, 64, 31), r"\(vgg16\): needs images of 32x32 or more, gets 3x64x31"),
            ("lenet5", (3, 64, 64), r"\(lenet5\): needs images of 28x28 or 32x32, gets 3x64x64"),
            ("lenet5_1998", (1, 28, 32), r"needs images of 28x28 or 32x32, gets 1x28x32"),
            *((n, (4,), rf"\({n}\): needs images \(channels, height, width\)") for n in PUBLISHED),
        ],
    )
    def test_are_refused_at_the_model(self, name: str, inputs: Shape, text: str) -> None:
        with pytest.raises(MistakeError, match=text) as caught:
            designed(name, inputs)
        assert caught.value.mistake.path == ("model",)

    def test_are_refused_with_the_place_of_the_model(self) -> None:
        text = Text("data: digits\nmodel: alexnet\n", "a.yaml", Path(), "a")
        from nnlab.core.contracts import Machine
        from nnlab.experiment.settle import settle

        with pytest.raises(ConfigError, match=r"^a\.yaml:2:8: model \(alexnet\): needs images of"):
            settle(load_config(text), place_for(Path()), Machine("cpu", 2))

    @pytest.mark.parametrize("name", STAGED)
    @pytest.mark.parametrize("inputs", [(1, 1, 1), (2, 3, 5), (1, 8, 8), (3, 37, 50)])
    def test_of_no_size_are_refused_by_networks_that_end_in_a_mean(
        self, name: str, inputs: Shape
    ) -> None:
        assert designed(name, inputs, width=4).plans[-1].output == (10,)


class TestFields:
    def test_a_perceptron_is_a_step_of_a_linear_map(self) -> None:
        module = build_network(designed("perceptron", (3,), 2), seed=0)
        w = dict(module.named_parameters())
        x = torch.randn(50, 3)
        expected = (x @ w["output.weight"].T + w["output.bias"] >= 0).float()
        assert torch.equal(module(x), expected)

    def test_a_perceptron_says_which_losses_take_a_step(self) -> None:
        with pytest.raises(MistakeError, match="takes softmax, got step \\(mse and quadratic"):
            design_network(READ.validate_python("perceptron"), data((2,), 2), CrossEntropyConfig())

    def test_blocks_with_zero_init_begin_as_their_skips(self) -> None:
        network = designed("resnet20", CIFAR, width=4, zero_init=True)
        module = build_network(network, seed=0).eval()
        x = torch.randn(2, *CIFAR)
        # All blocks but their skips fall away: conv1, relu, every fourth pixel, zeros, the mean.
        names = [name for name, _ in module.named_children()]
        y = x
        for name in names[: names.index("block1")]:
            y = module.get_submodule(name)(y)
        mean = y[:, :, ::4, ::4].mean((2, 3))
        weights = dict(module.named_parameters())
        logits = mean @ weights["output.weight"][:, :4].T + weights["output.bias"]
        torch.testing.assert_close(module(x), logits)

    def test_without_a_norm_convolutions_have_biases(self) -> None:
        names = [n for p in designed("resnet20", CIFAR, norm="none").plans for n in p.parameters]
        assert "block1.conv2.bias" in names
        assert not any("norm" in name for name in names)

    def test_convolutions_stand_before_the_norm_and_that_before_the_activation(self) -> None:
        # Ioffe & Szegedy 2015, section 3.2; He et al. 2015, section 3.4.
        module = assemble(designed("resnet20", CIFAR))
        inner = [name for name, _ in module.get_submodule("block1").named_children()]
        assert inner == [
            *("conv1", "conv1_norm", "conv1_activation", "conv2", "conv2_norm", "skip"),
            "activation",
        ]


def test_an_mlp_imports_no_network_and_no_layer_that_it_does_not_have() -> None:
    code = """
import sys
from nnlab.comparison.comparison import settle_first
settle_first("mnist_mlp")
print(sorted(name for name in sys.modules if name.startswith(("nnlab.models.", "nnlab.parts.lay"))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == [
        *("nnlab.models.by_name", "nnlab.models.family", "nnlab.models.mlp", "nnlab.parts.layers"),
        *("nnlab.parts.layers.family", "nnlab.parts.layers.plain", "nnlab.parts.layers.weighted"),
    ]
