"""Networks as torch.export records them: for batches of any size, not of the one it was shown."""

from typing import Any

import pytest
import torch

from nnlab.core.contracts import DataShape, TokenShape
from nnlab.models.family import ModelConfig, design_network
from nnlab.models.network import build_network
from nnlab.models.recurrent import GruConfig, LstmConfig
from nnlab.models.transformer import TransformerConfig
from nnlab.models.vit import VitConfig
from nnlab.parts.losses.classes import CrossEntropyConfig

IMAGES = DataShape((1, 8, 8), "classes", 3, (), {})
SERIES = DataShape((6, 3), "classes", 3, (), {})
TEXT = DataShape(TokenShape((6,), 9), "classes", 9, (), {}, places=(6,))
SMALL: dict[str, Any] = {"width": 8, "depth": 1, "heads": 2}


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (VitConfig(**SMALL), IMAGES),
        (VitConfig(**SMALL, pool="mean"), IMAGES),
        (TransformerConfig(**SMALL), SERIES),
        (TransformerConfig(**SMALL), TEXT),
        (TransformerConfig(**SMALL, positions="rotary", feedforward={"kind": "swiglu"}), TEXT),  # pyright: ignore[reportArgumentType]
        (TransformerConfig(**SMALL, positions="alibi"), TEXT),
        (LstmConfig(units=4), SERIES),
        (GruConfig(units=4), SERIES),
    ],
    ids=["class token", "mean", "numbers", "tied", "rotary", "alibi", "lstm", "gru"],
)
def test_an_exported_network_takes_batches_of_any_size(model: ModelConfig, data: DataShape) -> None:
    design = design_network(model.settled_for(data), data, CrossEntropyConfig())
    network = build_network(design, seed=0).eval()

    def batch(size: int) -> torch.Tensor:
        if data.tokens:
            return torch.randint(data.tokens, (size, *data.inputs))
        return torch.randn(size, *data.inputs)

    shapes = ({0: torch.export.Dim("n", min=1, max=1000)},)
    exported = torch.export.export(network, (batch(3),), dynamic_shapes=shapes).module()
    for size in (2, 7):
        x = batch(size)
        torch.testing.assert_close(exported(x), network(x))
