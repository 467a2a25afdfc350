"""Pictures of attention against the network and the definition of the rollout."""

from typing import Any

import numpy as np
import pytest
import torch
from building import Made, make
from PIL import Image
from test_collected import scene, shown, titles

from nnlab.display.pictures.drawing import PIXELS, figure_png
from nnlab.display.pictures.family import Moment
from nnlab.display.pictures.sequences.attention import (
    AttentionMaps,
    AttentionOverImage,
    PositionSimilarity,
    attention_rollout,
)

TEXT: dict[str, Any] = {
    "data": {"kind": "copy", "samples": 60, "delay": 4, "symbols": 4},
    "model": {"kind": "transformer", "width": 8, "depth": 2, "heads": 2},
}
IMAGES: dict[str, Any] = {
    "data": "digits",
    "model": {"kind": "vit", "patch": 2, "width": 8, "depth": 2, "heads": 2},
}


def strong(sections: dict[str, Any]) -> Made:
    """A network whose attention is not uniform."""
    made = make(**sections)
    torch.manual_seed(0)
    for parameter in made.built.network.parameters():
        torch.nn.init.normal_(parameter)
    return made


def test_apply_by_the_network() -> None:
    assert {"attention maps", "positions"} <= titles(TEXT)
    assert "attention over images" not in titles(TEXT)
    assert {"attention maps", "positions", "attention over images"} <= titles(IMAGES)
    rotary = {**TEXT, "model": {**TEXT["model"], "positions": "rotary"}}
    assert "positions" not in titles(rotary)


def test_the_maps_are_the_softmax_of_each_head() -> None:
    made = strong(TEXT)
    whole = scene(made)
    found = shown(AttentionMaps(whole))
    network = made.built.network.eval()
    x = whole.source.gather(whole.probe[:1]).inputs
    with torch.no_grad():
        for name in ("embedding", "positions"):
            x = network.get_submodule(name)(x)
        block = network.get_submodule("block1")
        y = block.get_submodule("norm1")(x)[0]
        weight = block.get_parameter("attention1.in_proj_weight")
        bias = block.get_parameter("attention1.in_proj_bias")
        q, k, _ = (y @ weight.T + bias).chunk(3, 1)
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            logits = q[:, part] @ k[:, part].T / 2.0
            logits = logits.masked_fill(torch.ones_like(logits).triu(1).bool(), -torch.inf)
            right = logits.softmax(1)[:24, :24].numpy()
            np.testing.assert_allclose(found["maps"][0, head], right, atol=1e-5)
    names = made.experiment.shape.classes
    tokens = whole.source.gather(whole.probe[:1]).inputs[0]
    assert found["tokens"].tolist() == [names[t][:4] for t in tokens[:24]]


def test_a_rollout_is_the_product_of_the_paths() -> None:
    """Entry (t, s): the sum over all paths from s to t, a step of which stays or attends."""
    rng = np.random.default_rng(0)
    weights = [rng.dirichlet(np.ones(3), (2, 3)) for _ in range(2)]
    found = attention_rollout(weights)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    first, second = (0.5 * (w[0] + w[1]) for w in weights)
    for t in range(3):
        for s in range(3):
            paths = 0.0
            for middle in range(3):
                there = 0.5 * second[t, middle] + 0.5 * (t == middle)
                paths += there * (0.5 * first[middle, s] + 0.5 * (middle == s))
            assert found[t, s] == pytest.approx(paths)


def test_a_patch_that_alone_is_looked_at_is_the_brightest() -> None:
    """With queries of 0 but for a key direction that one patch has, attention is there."""
    made = strong(IMAGES)
    whole = scene(made)
    picture = AttentionOverImage(whole)
    network = made.built.network
    # The class token attends by its key alone; the place of patch 5 gets a key that all want.
    with torch.no_grad():
        for number in (1, 3):
            attention = network.get_submodule(f"block{number}.attention1")
            attention.get_parameter("in_proj_weight").zero_()
            attention.get_parameter("in_proj_bias").zero_()
    even = shown(picture)["maps"]
    np.testing.assert_allclose(even, np.broadcast_to(even[0, 0, 0], even.shape), rtol=1e-5)
    with torch.no_grad():
        position = network.get_parameter("positions.weight")
        position[6] = 100.0 * torch.arange(8).sub(3.5)
        attention = network.get_submodule("block1.attention1")
        attention.get_parameter("in_proj_bias")[:8] = torch.arange(8).sub(3.5)
        attention.get_parameter("in_proj_weight")[8:16] = torch.eye(8)
        norm = network.get_submodule("block1.norm1")
        norm.get_parameter("weight").fill_(1.0)
        norm.get_parameter("bias").zero_()
    maps = shown(picture)["maps"]
    assert maps.shape == (4, 4, 4)
    assert (maps.reshape(4, 16).argmax(1) == 5).all()


def test_positions_are_cosines() -> None:
    made = strong(TEXT)
    found = shown(PositionSimilarity(scene(made)))["cosines"]
    weight = made.built.network.get_parameter("positions.weight").detach()
    right = torch.nn.functional.cosine_similarity(weight[:, None], weight[None], dim=2)
    np.testing.assert_allclose(found, right.numpy(), atol=1e-5)


@pytest.mark.parametrize("sections", [TEXT, IMAGES], ids=["text", "images"])
def test_collecting_leaves_the_network_and_drawing_gives_a_png(
    sections: dict[str, Any], tmp_path: Any
) -> None:
    made = strong(sections)
    before, state = made.weights(), torch.get_rng_state()
    for kind in (AttentionMaps, AttentionOverImage, PositionSimilarity):
        if kind.fits(made.experiment):
            arrays = shown(kind(scene(made)))
            png = tmp_path / f"{kind.title}.png"
            png.write_bytes(figure_png(kind, arrays, Moment(3, 0.1)))
            with Image.open(png) as image:
                assert image.size == PIXELS
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], w) for name, w in made.weights().items())
