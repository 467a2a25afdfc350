"""Transformers: published sizes, torch's own blocks as the oracle, tied outputs, first weights."""

from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from building import make
from torch import Tensor, nn

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import DataShape, Machine, TokenShape
from nnlab.core.errors import ConfigError
from nnlab.experiment.settle import settle
from nnlab.models.family import Design, ModelConfig, design_network
from nnlab.models.network import assemble, build_network
from nnlab.models.transformer import Gpt2Config, TransformerConfig
from nnlab.models.vit import VitB16Config, VitConfig, VitTinyConfig
from nnlab.parts.layers.attention import SwigluConfig
from nnlab.parts.losses.classes import CrossEntropyConfig

ENDS = ("embedding", "output")
IMAGENET = DataShape((3, 224, 224), "classes", 1000, (), {})


def text_shape(tokens: int, window: int) -> DataShape:
    return DataShape(TokenShape((window,), tokens), "classes", tokens, (), {}, places=(window,))


def designed(model: ModelConfig, data: DataShape) -> Design:
    return design_network(model.settled_for(data), data, CrossEntropyConfig())


@pytest.mark.parametrize(
    ("model", "data", "parameters"),
    [
        # The sizes of the released weights: the paper's 117M were counted without the embedding.
        (Gpt2Config(), text_shape(50257, 1024), 124_439_808),
        (VitB16Config(), IMAGENET, 86_567_656),
        (VitTinyConfig(), IMAGENET, 5_717_416),
    ],
    ids=["gpt2", "vit_b16", "vit_tiny"],
)
def test_published_networks_have_their_size(model: Any, data: DataShape, parameters: int) -> None:
    design = designed(model, data)
    assert design.parameters == parameters
    with torch.device("meta"):
        built = assemble(design)
    assert sum(p.numel() for p in built.parameters()) == parameters


def test_vit_b16_computes_what_torchvisions_does() -> None:
    from torchvision.models import VisionTransformer

    # The same code as torchvision's vit_b_16 at 4 of its 12 blocks and images of 64.
    torch.manual_seed(0)
    theirs = VisionTransformer(64, 16, 4, 12, 768, 3072, num_classes=10).eval()
    for name, parameter in theirs.named_parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
        assert parameter.any(), name
    data = DataShape((3, 64, 64), "classes", 10, (), {})
    ours = build_network(designed(VitConfig(patch=16, width=768, depth=4, heads=12), data), seed=0)
    ours.load_state_dict(from_torchvision(theirs.state_dict()))
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), theirs(images), rtol=0, atol=1e-5)


@pytest.mark.slow
def test_the_whole_vit_b16_computes_what_torchvisions_does() -> None:
    from torchvision.models import vit_b_16

    torch.manual_seed(0)
    theirs = vit_b_16(weights=None).eval()
    nn.init.normal_(theirs.heads[0].weight, std=0.02)  # pyright: ignore[reportArgumentType]
    ours = build_network(designed(VitB16Config(), IMAGENET), seed=0)
    ours.load_state_dict(from_torchvision(theirs.state_dict()))
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), theirs(images), rtol=0, atol=1e-5)


def from_torchvision(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's weights by our names."""
    head = {
        "class_token": "class_token.weight",
        "conv_proj.weight": "patches.weight",
        "conv_proj.bias": "patches.bias",
        "encoder.pos_embedding": "positions.weight",
        "encoder.ln.weight": "norm1.weight",
        "encoder.ln.bias": "norm1.bias",
        "heads.head.weight": "output.weight",
        "heads.head.bias": "output.bias",
    }
    inner = {
        "ln_1": (1, "norm1"),
        "self_attention": (1, "attention1"),
        "ln_2": (2, "norm1"),
        "mlp.0": (2, "hidden1"),
        "mlp.3": (2, "hidden2"),
    }
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        if name in head:
            found[head[name]] = value.squeeze() if "token" in name else value
            if name == "encoder.pos_embedding":
                found[head[name]] = value[0]
            continue
        block, _, rest = name.removeprefix("encoder.layers.encoder_layer_").partition(".")
        stem = next(stem for stem in inner if rest.startswith(stem))
        half, layer = inner[stem]
        found[f"block{2 * int(block) + half}.{layer}{rest.removeprefix(stem)}"] = value
    return found


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_block_computes_what_torchs_encoder_layer_does(norm_first: bool) -> None:
    torch.manual_seed(0)
    theirs = nn.TransformerEncoderLayer(
        12, 3, 48, 0.0, "gelu", batch_first=True, norm_first=norm_first, dtype=torch.float64
    )
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    data = DataShape((7, 12), "classes", 3, (), {})
    model = TransformerConfig(width=12, depth=1, heads=3, positions="none", norm_first=norm_first)
    network = build_network(designed(model, data), seed=0).double()
    halves = ("norm1", "norm2") if not norm_first else ("block1.norm1", "block2.norm1")
    names = {
        "self_attn": "block1.attention1",
        "linear1": "block2.hidden1",
        "linear2": "block2.hidden2",
        "norm1": halves[0],
        "norm2": halves[1],
    }
    parameters = dict(network.named_parameters())
    for name, value in theirs.named_parameters():
        stem, _, rest = name.partition(".")
        parameters[f"{names[stem]}.{rest}"].data.copy_(value)
    # What stands before and behind the block: a map to features, which is here the identity.
    first = network.get_submodule("hidden1")
    nn.init.eye_(first.get_parameter("weight"))
    nn.init.zeros_(first.get_parameter("bias"))
    x = torch.randn(5, 7, 12, dtype=torch.float64)
    y = x
    for name, module in network.named_children():
        if name == ("norm1" if norm_first else "mean_time"):
            break
        y = module(y)
    torch.testing.assert_close(y, theirs(x), rtol=0, atol=1e-10)


class TestFirstWeights:
    def test_are_those_of_gpt2(self) -> None:
        made = designed(TransformerConfig(width=256, depth=8), text_shape(99, 32))
        network = build_network(made, seed=3)
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                assert not parameter.any()
            elif "norm" in name:
                assert bool((parameter == 1).all())
            else:
                ends = name.endswith(("out_proj.weight", "hidden2.weight"))
                std = 0.02 / sqrt(16) if ends else 0.02
                # A deviation from n draws is off by a share of 1 / sqrt(2 n).
                off = 5.0 / sqrt(2 * parameter.numel())
                assert float(parameter.detach().std()) == pytest.approx(std, rel=off), name

    def test_a_wide_sum_stays_of_the_size_of_its_parts(self) -> None:
        """The ends of 2 depth halves together add what one would: variances over 2 depth each."""
        stds = []
        for depth in (2, 12):
            design = designed(TransformerConfig(width=64, depth=depth), text_shape(99, 32))
            network = build_network(design, seed=0).eval()
            x = torch.randint(99, (8, 32))
            with torch.no_grad():
                for name, module in network.named_children():
                    if name == "norm1":
                        break
                    x = module(x)
            stds.append(float(x.std()))
        assert stds[1] / stds[0] == pytest.approx(1.0, abs=0.1)


class TestTied:
    def test_the_output_has_the_embeddings_weights(self) -> None:
        design = designed(TransformerConfig(width=8, depth=1), text_shape(11, 5))
        network = build_network(design, seed=0).eval()
        assert "output.weight" not in network.state_dict()
        tokens = torch.randint(11, (2, 5))
        x: Tensor = tokens
        for name, module in network.named_children():
            if name != "output":
                x = module(x)
        embedding = network.get_submodule("embedding").get_parameter("weight")
        torch.testing.assert_close(network(tokens), x @ embedding.T)

    def test_its_gradient_is_the_sum_of_both_uses(self) -> None:
        design = designed(TransformerConfig(width=8, depth=1), text_shape(11, 5))
        tied = build_network(design, seed=0).double()
        free = design_network(
            TransformerConfig(width=8, depth=1, tie=False).settled_for(text_shape(11, 5)),
            text_shape(11, 5),
            CrossEntropyConfig(),
        )
        apart = build_network(free, seed=0).double()
        weight = tied.get_submodule("embedding").get_parameter("weight")
        with torch.no_grad():
            apart.get_submodule("output").get_parameter("weight").copy_(weight)
        tokens, targets = torch.randint(11, (2, 4, 5)).unbind()
        for network in (tied, apart):
            logits = network(tokens).flatten(0, 1)
            nn.functional.cross_entropy(logits, targets.flatten()).backward()
        first, last = (apart.get_submodule(n).get_parameter("weight") for n in ENDS)
        assert first.grad is not None
        assert last.grad is not None
        torch.testing.assert_close(weight.grad, first.grad + last.grad)

    def test_says_what_it_needs(self) -> None:
        def refused(**sections: Any) -> str:
            with pytest.raises(ConfigError) as error:
                settle(load_config(sections), place_for(Path.cwd()), Machine("cpu", 1))
            return str(error.value)

        tied = {"tie": True}
        assert "there is none first" in refused(
            data="iris", model={"kind": "mlp", "hidden": [4], "output": tied}
        )
        layers = [{"kind": "embedding", "units": 8}, {"kind": "gru", "units": 4}]
        told = refused(
            data={"kind": "copy", "samples": 40},
            model={"kind": "stack", "layers": layers, "output": tied},
        )
        assert "the embedding's weights are" in told
        assert "gpt2 tells the next token" in refused(data="iris", model="gpt2")
        assert "model: vit" in refused(data="digits", model="transformer")
        assert "transformer takes sequences" in refused(data="iris", model="vit")


MODELS: dict[str, dict[str, Any]] = {
    "plain": {},
    "post": {"norm_first": False, "positions": "sinusoidal", "dropout": 0.1},
    "llama": {"norm": "rms", "positions": "rotary", "feedforward": "swiglu"},
    "alibi": {"positions": "alibi", "tie": False},
}


@pytest.mark.parametrize("fields", MODELS.values(), ids=MODELS)
class TestEveryForm:
    def made(self, fields: dict[str, Any]) -> Any:
        model = {"kind": "transformer", "width": 8, "depth": 1, "heads": 2, **fields}
        return make(data={"kind": "copy", "samples": 40, "delay": 4}, model=model)

    def test_is_the_stack_that_it_expands_into(self, fields: dict[str, Any]) -> None:
        one = self.made(fields)
        stack = one.experiment.config.model.expanded(one.experiment.shape.inputs)
        other = make(data={"kind": "copy", "samples": 40, "delay": 4}, model=stack.model_dump())
        assert one.weights().keys() == other.weights().keys()
        assert all(torch.equal(one.weights()[n], w) for n, w in other.weights().items())

    def test_tells_no_step_what_comes_behind_it(self, fields: dict[str, Any]) -> None:
        network = self.made(fields).built.network.eval()
        tokens = torch.randint(4, (2, 9))
        changed = tokens.clone()
        changed[:, 5] = (changed[:, 5] + 1) % 4
        with torch.no_grad():
            before, after = network(tokens), network(changed)
        assert torch.equal(before[:, :5], after[:, :5])
        assert not torch.equal(before[:, 5:], after[:, 5:])

    def test_learns(self, fields: dict[str, Any]) -> None:
        made = self.made(fields)
        step = made.built.step
        step.fill_learning_rate(1e-2)
        rows = made.rows[:32]
        losses = []
        for _ in range(15):
            step.update(rows)
            losses.append(step.read()["loss"])
        assert losses[-1] < 0.8 * losses[0]


def test_feedforward_layers_may_be_gated() -> None:
    model = TransformerConfig(width=12, feedforward=SwigluConfig(units=20))
    plans = designed(model, text_shape(9, 4)).plans
    assert any(child.note == "20 units" for plan in plans for child in plan.children)


@pytest.mark.parametrize("pool", ["class_token", "mean"])
def test_vit_learns_digits_a_little(pool: str) -> None:
    model = {"kind": "vit", "patch": 4, "width": 16, "depth": 1, "heads": 2, "pool": pool}
    optimizer = {"kind": "adam", "lr": 1e-2}
    train = {"epochs": 3, "batch_size": 64}
    made = make(data="digits", model=model, optimizer=optimizer, train=train)
    readings, stopped = made.run()
    assert stopped.status == "completed"
    assert readings[-1].values["accuracy"] > 0.5
