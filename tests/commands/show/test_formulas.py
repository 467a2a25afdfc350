import json
from typing import Any

import pytest

from nnlab.commands.show.formulas import bound_formulas, objective_formula, penalty_formula
from nnlab.commands.show.page import show_page
from nnlab.comparison.comparison import settle_first


def formula(*sets: str, name: str = "mnist_mlp16") -> str:
    return objective_formula(settle_first(name, sets))


def test_without_penalties_the_objective_is_the_mean_loss() -> None:
    assert formula() == "J = mean cross_entropy"


def test_shows_the_terms_with_their_numbers_and_what_they_fall_on() -> None:
    # 13,002 parameters, 42 of them biases.
    assert formula("regularize.l2=1e-4", "regularize.l1=0.01") == (
        "J = mean cross_entropy + 0.5 * 0.0001 * sum w^2 + 0.01 * sum |w| "
        "(w: 12,960 weights, not the 42 biases and the like)"
    )


def test_per_dataset_divides_by_the_training_examples() -> None:
    found = formula("regularize.l2=1", "regularize.per=dataset", "regularize.on=all")
    examples = settle_first("mnist_mlp16").shape.sizes["train"]
    expected = f"J = mean cross_entropy + 0.5 * 1 / {examples:,} * sum w^2 (w: all 13,002 params)"
    assert found == expected.replace("params", "parameters")


@pytest.mark.parametrize(
    ("sets", "line"),
    [
        (("train.clip_norm=2",), "clip_norm: g * min(1, 2 / |g|), |g| over all parameters"),
        (
            ("optimizer={kind: adamw, weight_decay: 0.1}",),
            "weight_decay: w - lr * 0.1 * w, apart from g "
            "(w: 12,960 weights, not the 42 biases and the like)",
        ),
        (
            ("optimizer={kind: sgd, weight_decay: 0.1, decay: all}",),
            "weight_decay: g + 0.1 * w (w: all 13,002 parameters)",
        ),
        (("regularize.max_norm=3",), "max_norm: |weights into a unit| <= 3 after each update"),
        (
            ("train.averaging={kind: ema, decay: 0.99}",),
            "averaging: a = 0.99 * a + 0.01 * w is evaluated",
        ),
        (
            ("train.averaging=swa",),
            "averaging: the mean of w, every epoch from 75% on, is evaluated",
        ),
    ],
)
def test_shows_what_stands_beside_the_objective(sets: tuple[str, ...], line: str) -> None:
    assert line in [*bound_formulas(settle_first("mnist_mlp16", sets))]


def test_a_plain_run_has_no_bounds() -> None:
    sets = ["optimizer=sgd", "train={epochs: 1}"]
    assert [*bound_formulas(settle_first("mnist_mlp16", sets))] == []


def test_the_page_and_its_json_have_them() -> None:
    sets = ["regularize.l2=0.5", "regularize.max_norm=3", "data.label_noise=0.25",
            "train.sampling=balanced", "data.augment=[shift]"]  # fmt: skip
    text = show_page("digits_mlp", sets, data=False, as_json=False)
    assert "J = mean cross_entropy + 0.5 * 0.5 * sum w^2" in text
    assert "label noise: 0.25 of the training labels, uniform" in text
    for words in ("max_norm:", "balanced", "shift, pixels 2"):
        assert words in text
    found: dict[str, Any] = json.loads(show_page("digits_mlp", sets, data=False, as_json=True))
    assert found["objective"]["formula"].startswith("J = mean")
    assert len(found["objective"]["bounds"]) == 1
    assert found["regularize"] == penalty_formula(settle_first("digits_mlp", sets))
