from typing import Any

import pytest
import torch

from nnlab.core.contracts import Batch, DataShape
from nnlab.core.kinds import kinds_of
from nnlab.parts.augments import Augment
from nnlab.parts.augments.family import AugmentConfig, apply_augments
from nnlab.parts.augments.moves import FlipConfig

CONFIGS: list[Any] = [kind.example() for kind in kinds_of(Augment).values()]
ALONE = [config for config in CONFIGS if not config.mixes]


def at(batch: Batch, places: Any, dtype: torch.dtype = torch.float32) -> Batch:
    """Some examples of a batch."""
    return Batch(batch.inputs[places].to(dtype), batch.targets[places], batch.rows[places])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.kind)
class TestEveryAugment:
    @pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
    def test_keeps_shape_and_type(
        self, config: AugmentConfig, dtype: torch.dtype, shape: DataShape, batch: Batch
    ) -> None:
        changed = config.build(shape)(at(batch, slice(None), dtype), 1)
        assert (changed.inputs.shape, changed.inputs.dtype) == (batch.inputs.shape, dtype)
        assert changed.targets.dtype == (dtype if config.mixes else torch.int64)
        assert torch.equal(changed.rows, batch.rows)

    def test_another_seed_changes_otherwise(
        self, config: AugmentConfig, shape: DataShape, batch: Batch
    ) -> None:
        augment = config.build(shape)
        assert not torch.equal(augment(batch, 1).inputs, augment(batch, 2).inputs)

    def test_the_same_seed_changes_alike(
        self, config: AugmentConfig, shape: DataShape, batch: Batch
    ) -> None:
        first, second = config.build(shape)(batch, 5), config.build(shape)(batch, 5)
        assert torch.equal(first.inputs, second.inputs)
        assert torch.equal(first.targets, second.targets)

    def test_leaves_its_inputs_alone(
        self, config: AugmentConfig, shape: DataShape, batch: Batch
    ) -> None:
        before = batch.inputs.clone(), batch.targets.clone()
        config.build(shape)(batch, 1)
        assert torch.equal(batch.inputs, before[0])
        assert torch.equal(batch.targets, before[1])

    def test_draws_nothing_from_torch_generators(
        self, config: AugmentConfig, shape: DataShape, batch: Batch
    ) -> None:
        before = torch.get_rng_state()
        config.build(shape)(batch, 1)
        assert torch.equal(torch.get_rng_state(), before)

    def test_takes_a_batch_of_one(
        self, config: AugmentConfig, shape: DataShape, batch: Batch
    ) -> None:
        assert config.build(shape)(at(batch, slice(0, 1)), 3).inputs.isfinite().all()

    @pytest.mark.gpu
    def test_changes_alike_on_cuda_without_waiting(
        self, config: AugmentConfig, shape: DataShape, batch: Batch
    ) -> None:
        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")
        augment = config.build(shape)
        there = Batch(*(part.cuda() for part in batch))
        augment(there, 4)
        torch.cuda.set_sync_debug_mode("error")
        try:
            found = augment(there, 4)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        torch.testing.assert_close(found.inputs.cpu(), augment(batch, 4).inputs)


@pytest.mark.parametrize("config", ALONE, ids=lambda c: c.kind)
def test_an_example_changes_alike_in_any_batch(
    config: AugmentConfig, shape: DataShape, batch: Batch
) -> None:
    augment = config.build(shape)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))[:7]
    together = augment(batch, 9).inputs[order]
    assert torch.equal(augment(at(batch, order), 9).inputs, together)
    alone = torch.cat([augment(at(batch, order[i : i + 1]), 9).inputs for i in range(7)])
    assert torch.equal(alone, together)


@pytest.mark.parametrize("config", ALONE, ids=lambda c: c.kind)
def test_what_does_not_mix_leaves_the_targets_alone(
    config: AugmentConfig, shape: DataShape, batch: Batch
) -> None:
    assert config.build(shape)(batch, 9).targets is batch.targets


def test_noise_and_mixup_alone_take_what_is_no_image() -> None:
    assert [c.kind for c in CONFIGS if not c.needs_images] == ["mixup", "noise"]


def test_chain_applies_in_order(shape: DataShape, batch: Batch) -> None:
    vertical = FlipConfig(direction="vertical", probability=1.0)
    both = apply_augments([FlipConfig(probability=1.0), vertical], shape)
    assert torch.equal(both(batch, 1).inputs, batch.inputs.flip(3).flip(2))


def test_chain_gives_each_augmentation_its_own_draws(shape: DataShape, batch: Batch) -> None:
    both = apply_augments([FlipConfig(), FlipConfig()], shape)(batch, 2**63 - 1)
    # With the same draws, the second flip would undo the first.
    assert not torch.equal(both.inputs, batch.inputs)


def test_chain_of_nothing_changes_nothing(shape: DataShape, batch: Batch) -> None:
    assert apply_augments([], shape)(batch, 1) is batch
