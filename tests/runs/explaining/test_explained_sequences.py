"""Explanations of tokens and steps: against captum, torch's own attention, and definitions."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nnlab.parts.layers.attention_modules import Attention, ClassToken, FirstStep, Patches
from nnlab.parts.modules import LastStep, MeanOverTime
from nnlab.runs.explaining.explainable import Explainable
from nnlab.runs.explaining.methods import METHODS, Question
from nnlab.runs.explaining.rollout import can_roll_out, rollout

TOKENS, WIDTH, STEPS, CLASSES = 7, 8, 5, 3


class Added(nn.Module):
    """A layer and the way around it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer(x)


def attention(*, causal: bool = False) -> Added:
    return Added(Attention(WIDTH, 2, causal=causal, dropout=0.0, positions="none", bias=True))


def made(*layers: nn.Module) -> nn.Sequential:
    generator = torch.Generator().manual_seed(5)
    network = nn.Sequential(*layers).double().eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.6, generator=generator)
    return network


def of_tokens(*, places: bool = False) -> Explainable:
    end = [] if places else [LastStep()]
    layers = (attention(causal=True), nn.LayerNorm(WIDTH), attention(causal=True), *end)
    network = made(nn.Embedding(TOKENS, WIDTH), *layers, nn.Linear(WIDTH, CLASSES))
    return Explainable(network, places=places, tokens=True)


def asked_of(inputs: Tensor, baseline: Tensor) -> Question:
    return Question(inputs, torch.tensor([0, 2, 1, 2]), baseline, None, attention=True)


def token_question() -> Question:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, TOKENS, (4, STEPS), generator=generator)
    return asked_of(tokens, torch.zeros(1, 1, 1, dtype=torch.float64))


@pytest.mark.parametrize("places", [False, True])
def test_what_is_asked_by_embeddings_is_what_the_network_says_of_tokens(places: bool) -> None:
    network, asked = of_tokens(places=places), token_question()
    said = network(network.numbers(asked.inputs))
    whole = network.network(asked.inputs)
    torch.testing.assert_close(said, whole[:, -1] if places else whole, rtol=0, atol=0)
    assert said.shape == (4, CLASSES)


def test_tokens_as_captum() -> None:
    attr = pytest.importorskip("captum.attr")
    network, asked = of_tokens(), token_question()
    embedding = network.embedding()
    layer = attr.LayerIntegratedGradients(network.network, embedding)
    # captum takes baselines as tokens: one more of them has an embedding of 0.
    assert embedding is not None
    with torch.no_grad():
        embedding.weight[0] = 0.0
    wanted: Any = layer.attribute(asked.inputs, 0, target=asked.columns, n_steps=64)
    found = METHODS["integrated_gradients"].attribute(network, asked)
    torch.testing.assert_close(found, wanted.sum(2), rtol=0, atol=1e-7)
    layer = attr.LayerGradientXActivation(network.network, embedding, multiply_by_inputs=False)
    wanted = layer.attribute(asked.inputs, target=asked.columns)
    found = METHODS["saliency"].attribute(network, asked)
    torch.testing.assert_close(found, wanted.detach().norm(dim=2), rtol=0, atol=1e-12)


def test_parts_of_tokens_add_up_to_the_difference_from_nothing() -> None:
    network, asked = of_tokens(places=True), token_question()
    parts = METHODS["integrated_gradients"].attribute(network, asked)
    numbers = network.numbers(asked.inputs)
    with torch.no_grad():
        difference = network(numbers) - network(torch.zeros_like(numbers))
    wanted = difference.gather(1, asked.columns[:, None])[:, 0]
    torch.testing.assert_close(parts.sum(1), wanted, rtol=0, atol=1e-3)


def test_a_covered_token_is_one_whose_embedding_is_0() -> None:
    network, asked = of_tokens(), token_question()
    found = METHODS["occlusion"].attribute(network, asked)
    for step in range(STEPS):
        numbers = network.numbers(asked.inputs)
        with torch.no_grad():
            whole = network(numbers)
            numbers[:, step] = 0.0
            fall = (whole - network(numbers)).gather(1, asked.columns[:, None])[:, 0]
        torch.testing.assert_close(found[:, step], fall, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["integrated_gradients", "occlusion", "saliency", "smoothgrad"])
def test_steps_of_numbers_have_one_number_each(name: str) -> None:
    network = Explainable(made(attention(), MeanOverTime(), nn.Linear(WIDTH, CLASSES)))
    inputs = torch.randn(4, STEPS, WIDTH, generator=torch.Generator().manual_seed(2)).double()
    found = METHODS[name].attribute(network, asked_of(inputs, torch.zeros_like(inputs[:1])))
    assert found.shape == (4, STEPS)
    assert found.isfinite().all()


def torch_weights(layer: Attention, x: Tensor, *, causal: bool) -> Tensor:
    """(N, H, T, T) by torch's own module."""
    theirs = nn.MultiheadAttention(WIDTH, 2, batch_first=True, dtype=torch.float64)
    theirs.load_state_dict(layer.state_dict())
    mask = torch.full((x.shape[1],) * 2, -torch.inf, dtype=x.dtype).triu(1) if causal else None
    weights: Tensor = theirs(x, x, x, attn_mask=mask, average_attn_weights=False)[1]
    return weights.detach()


def product(weights: list[Tensor]) -> Tensor:
    """(N, T, T): the product of (A + 1) / 2 over the layers."""
    eye = torch.eye(weights[0].shape[-1], dtype=torch.float64)
    found = eye.expand(len(weights[0]), -1, -1)
    for each in weights:
        found = (each.mean(1) + eye) / 2 @ found
    return found


def test_a_rollout_of_tokens_is_what_the_last_step_takes() -> None:
    network, asked = of_tokens(), token_question()
    layers: Any = network.network
    x = layers[0](asked.inputs)
    first = torch_weights(layers[1].layer, x, causal=True)
    second = torch_weights(layers[3].layer, layers[2](layers[1](x)), causal=True)
    wanted = product([first, second])[:, -1]
    torch.testing.assert_close(rollout(network, asked.inputs), wanted, rtol=0, atol=1e-12)
    assert can_roll_out(network, asked.inputs)


@pytest.mark.parametrize("token", [True, False])
def test_a_rollout_of_an_image_is_a_number_for_each_patch(token: bool) -> None:
    begin = [Patches(2, WIDTH, (2, 3)), *([ClassToken(WIDTH)] if token else [])]
    end = FirstStep() if token else MeanOverTime()
    network = Explainable(made(*begin, attention(), end, nn.Linear(WIDTH, CLASSES)))
    images = torch.randn(2, 2, 4, 9, generator=torch.Generator().manual_seed(2)).double()
    layers: Any = network.network
    x = images
    for layer in layers[: len(begin)]:
        x = layer(x)
    whole = product([torch_weights(layers[len(begin)].layer, x, causal=False)])
    row = whole[:, 0, 1:] if token else whole.mean(1)
    wanted = row.view(2, 2, 3).repeat_interleave(2, 1).repeat_interleave(3, 2)
    torch.testing.assert_close(rollout(network, images), wanted, rtol=0, atol=1e-12)
    assert can_roll_out(network, images)


def test_attention_that_is_not_between_the_inputs_places_is_not_rolled_out() -> None:
    images = torch.zeros(1, WIDTH, 2, 2, dtype=torch.float64)
    apart = nn.Sequential(nn.Flatten(2), nn.Linear(4, WIDTH))
    assert not can_roll_out(Explainable(made(apart, attention())), images)
    assert not can_roll_out(Explainable(made(nn.Linear(WIDTH, 2))), images[..., 0, 0])
