from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Examples
from nnlab.core.errors import ConfigError
from nnlab.parts.datasets.checks import data_notes

RUN = {"model": "linear", "train": {"epochs": 1}}


def load(noise: Any, **data: Any) -> Examples:
    section = {"kind": "digits", "label_noise": noise, **data}
    return load_config({"data": section, **RUN}).data.load(place_for(Path.cwd()))


CLEAN = load(0.0)
TRAIN = CLEAN.rows["train"]


def changed(examples: Examples) -> np.ndarray:
    return np.flatnonzero(examples.targets != CLEAN.targets)


@pytest.mark.parametrize("kind", ["uniform", "flip"])
def test_exactly_its_share_of_the_training_labels_is_wrong_and_no_other(kind: str) -> None:
    noisy = load({"share": 0.2, "kind": kind})
    assert len(changed(noisy)) == round(0.2 * len(TRAIN))
    assert set(changed(noisy)) <= set(TRAIN)


def test_the_labels_before_are_kept_so_that_the_wrong_rows_can_be_found() -> None:
    noisy = load(0.2)
    assert noisy.clean is not None
    np.testing.assert_array_equal(noisy.clean, CLEAN.targets)
    assert CLEAN.clean is None


def test_a_number_is_uniform_noise_of_seed_0() -> None:
    mapping = load({"share": 0.2, "seed": 0, "kind": "uniform"})
    np.testing.assert_array_equal(load(0.2).targets, mapping.targets)


def test_uniform_takes_every_other_class_alike() -> None:
    away = np.zeros(10, int)
    for seed in range(20):
        noisy = load({"share": 0.5, "seed": seed})
        rows = changed(noisy)
        away += np.bincount((noisy.targets - CLEAN.targets)[rows] % 10, minlength=10)
    assert away[0] == 0
    expected = away.sum() / 9
    # Four deviations of a binomial count.
    assert np.abs(away[1:] - expected).max() < 4 * np.sqrt(expected * 8 / 9)


def test_flip_takes_the_next_class() -> None:
    noisy = load({"share": 0.3, "kind": "flip"})
    rows = changed(noisy)
    np.testing.assert_array_equal(noisy.targets[rows], (CLEAN.targets[rows] + 1) % 10)


def test_share_1_makes_random_labels() -> None:
    # A label is right by chance, once in 10: then it says nothing of the input.
    right = [np.mean(load({"share": 1.0, "seed": s}).targets[TRAIN] == CLEAN.targets[TRAIN])
             for s in range(10)]  # fmt: skip
    assert abs(np.mean(right) - 0.1) < 4 * np.sqrt(0.1 * 0.9 / (10 * len(TRAIN)))


def test_another_seed_draws_other_rows_and_the_same_seed_the_same() -> None:
    first, second, again = (changed(load({"share": 0.1, "seed": s})) for s in (1, 2, 1))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, again)


def test_the_digest_is_that_of_the_data_without_noise() -> None:
    assert load(0.2).digest == CLEAN.digest


def test_a_run_says_how_many_labels_are_wrong() -> None:
    count = round(0.2 * len(TRAIN))
    assert (
        f"label noise: {count} of {len(TRAIN):,} training labels are wrong on purpose"
        in data_notes(load(0.2))
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("diabetes", "data.label_noise: needs a class for each example"),
        ("xor", "data.label_noise: all splits of xor are the same rows"),
    ],
)
def test_refuses_data_that_it_cannot_make_noisy(data: str, message: str) -> None:
    config = load_config({"data": {"kind": data, "label_noise": 0.2}, **RUN})
    with pytest.raises(ConfigError, match=message):
        config.data.describe(place_for(Path.cwd()))


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_from_0_to_1(share: float) -> None:
    with pytest.raises(ConfigError, match="label_noise"):
        load(share)
