from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from nnlab.core.contracts import Batch, DataShape
from nnlab.parts.augments.family import apply_augments
from nnlab.parts.augments.mixes import CutmixConfig, MixupConfig
from nnlab.parts.row_random import uniform_rows


def partners(batch: Batch, seed: int) -> np.ndarray:
    return uniform_rows(batch.rows, seed, 1)[:, 0].numpy().argsort(kind="stable")


def one_hot(batch: Batch) -> np.ndarray:
    return np.eye(5)[batch.targets.numpy()]


@pytest.mark.parametrize("seed", range(5))
def test_mixup_is_the_sum_of_the_paper(seed: int, shape: DataShape, batch: Batch) -> None:
    mixed = MixupConfig(alpha=0.7).build(shape)(batch, seed)
    share, other = Random(seed).betavariate(0.7, 0.7), partners(batch, seed)
    x, y = batch.inputs.double().numpy(), one_hot(batch)
    expected = share * x + (1 - share) * x[other], share * y + (1 - share) * y[other]
    np.testing.assert_allclose(mixed.inputs.numpy(), expected[0], atol=1e-6)
    np.testing.assert_allclose(mixed.targets.numpy(), expected[1], atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_cutmix_pastes_a_box_and_mixes_targets_by_its_area(
    seed: int, shape: DataShape, batch: Batch
) -> None:
    mixed = CutmixConfig().build(shape)(batch, seed)
    other = partners(batch, seed)
    kept = (mixed.inputs == batch.inputs).all(dim=1)
    pasted = (mixed.inputs == batch.inputs[torch.from_numpy(other)]).all(dim=1)
    assert bool((kept | pasted).all())
    # Where one is mixed with oneself, nothing is seen of the box.
    moved = torch.from_numpy(other != np.arange(40))
    inside = ~kept[moved][0]
    assert bool((~kept[moved] == inside).all()), "one box for all"
    rows, columns = inside.any(dim=1), inside.any(dim=0)
    assert bool((inside == rows[:, None] & columns).all()), "a rectangle"
    share = 1.0 - float(inside.double().mean())
    y = one_hot(batch)
    np.testing.assert_allclose(mixed.targets.numpy(), share * y + (1 - share) * y[other], atol=1e-6)


def test_cutmix_takes_the_box_of_the_authors_code(shape: DataShape, batch: Batch) -> None:
    # rand_bbox of github.com/clovaai/CutMix-PyTorch, train.py.
    augment = CutmixConfig(alpha=0.6).build(shape)
    for seed in range(20):
        draws = Random(seed)
        cut = np.sqrt(1.0 - draws.betavariate(0.6, 0.6))
        cy, cx = draws.randrange(8), draws.randrange(6)
        y1, y2 = np.clip([cy - int(8 * cut / 2), cy + int(8 * cut / 2)], 0, 8)
        x1, x2 = np.clip([cx - int(6 * cut / 2), cx + int(6 * cut / 2)], 0, 6)
        expected = batch.inputs.clone()
        expected[:, :, y1:y2, x1:x2] = batch.inputs[partners(batch, seed), :, y1:y2, x1:x2]
        assert torch.equal(augment(batch, seed).inputs, expected)


@pytest.mark.parametrize("kind", [MixupConfig, CutmixConfig])
class TestEveryMix:
    def test_targets_are_distributions(self, kind: Any, shape: DataShape, batch: Batch) -> None:
        targets = kind().build(shape)(batch, 3).targets
        assert targets.shape == (40, 5)
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(40))
        assert float(targets.min()) >= 0.0

    def test_with_probability_0_only_the_form_of_targets_changes(
        self, kind: Any, shape: DataShape, batch: Batch
    ) -> None:
        mixed = kind(probability=0.0).build(shape)(batch, 3)
        assert torch.equal(mixed.inputs, batch.inputs)
        assert torch.equal(mixed.targets, torch.from_numpy(one_hot(batch)).float())

    def test_happens_in_its_share_of_the_steps(
        self, kind: Any, shape: DataShape, batch: Batch
    ) -> None:
        # Great shares of both, so that every mix is seen.
        augment = kind(alpha=50.0, probability=0.3).build(shape)
        seen = [not torch.equal(augment(batch, s).inputs, batch.inputs) for s in range(400)]
        assert abs(np.mean(seen) - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 400)

    def test_mixes_numbers_of_regression_too(self, kind: Any, batch: Batch) -> None:
        shape = DataShape((3, 8, 6), "regression", 2, (), {"train": 40})
        numbers = torch.rand(40, 2)
        mixed = kind(alpha=50.0).build(shape)(batch._replace(targets=numbers), 3)
        assert mixed.targets.shape == (40, 2)
        assert float(mixed.targets.std()) < float(numbers.std())
        torch.testing.assert_close(mixed.targets.mean(dim=0), numbers.mean(dim=0))

    def test_can_follow_another_mix(self, kind: Any, shape: DataShape, batch: Batch) -> None:
        targets = apply_augments([MixupConfig(), kind()], shape)(batch, 3).targets
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(40))
