"""Images, and a short way to augment them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nnlab.core.contracts import Batch, DataShape
from nnlab.parts.augments.family import AugmentConfig

Change = Callable[[AugmentConfig, Tensor, Tensor, int], Tensor]


@pytest.fixture(scope="session")
def shape() -> DataShape:
    return DataShape((3, 8, 6), "classes", 5, tuple("abcde"), {"train": 40})


@pytest.fixture(scope="session")
def batch() -> Batch:
    inputs = torch.rand(40, 3, 8, 6, generator=torch.Generator().manual_seed(0)) + 0.1
    return Batch(inputs, torch.arange(40) % 5, torch.arange(100, 140))


@pytest.fixture(scope="session")
def change(shape: DataShape) -> Change:
    """The inputs that an augmentation makes of (inputs, rows, seed)."""

    def apply(config: AugmentConfig, inputs: Tensor, rows: Tensor, seed: int) -> Tensor:
        batch = Batch(inputs, torch.zeros(len(rows), dtype=torch.int64), rows)
        return config.build(shape)(batch, seed).inputs

    return apply
