from pathlib import Path
from typing import Any

import pytest

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError
from nnlab.experiment.settle import settle


def lines(**sections: Any) -> list[str]:
    config = load_config({"data": "digits", "model": "linear", **sections})
    try:
        settle(config, place_for(Path.cwd()), Machine("cpu", 1))
    except ConfigError as error:
        return [line.partition(": ")[2] for line in error.lines]
    return []


def digits(*augments: Any) -> dict[str, Any]:
    return {"kind": "digits", "augment": list(augments)}


@pytest.mark.parametrize("loss", ["cross_entropy", "bce", "kl", "mse", "quadratic"])
def test_mixes_for_losses_that_take_shares_of_classes(loss: str) -> None:
    assert lines(data=digits("mixup"), loss=loss) == []


def test_mixes_numbers_for_any_loss_of_numbers() -> None:
    assert lines(data={"kind": "diabetes", "augment": ["mixup"]}, loss="huber") == []


GATE = {"data": {"kind": "or", "augment": ["mixup"]}}
UNIT = {"kind": "mcculloch_pitts", "weights": [1, 1], "threshold": 1.0}


@pytest.mark.parametrize(
    ("sections", "kind"),
    [
        ({**GATE, "rule": "perceptron"}, "mixup"),
        ({**GATE, "rule": "none", "model": UNIT}, "mixup"),
        ({"data": digits("mixup"), "rule": "perceptron"}, "mixup"),
        ({"data": digits("cutmix"), "rule": "perceptron"}, "cutmix"),
    ],
)
def test_refuses_shares_of_classes_where_wrong_answers_are_counted(
    sections: dict[str, Any], kind: str
) -> None:
    text = f"{kind} makes shares of classes, and here an answer is right or wrong (remove it)"
    assert lines(**sections) == [f"data.augment.0: {text}"]


@pytest.mark.parametrize("rule", ["oja", "sanger", "hebb"])
def test_takes_mixed_examples_where_no_target_is_looked_at(rule: str) -> None:
    assert lines(data={**digits("mixup"), "scale": "center"}, rule=rule) == []


def test_refuses_a_crop_that_pads_by_more_than_the_image() -> None:
    crop = {"kind": "crop", "padding": 8, "padding_mode": "reflect"}
    assert lines(data=digits(crop)) == [
        "data.augment.0: reflect pads images of 8x8 by at most 7, got 8"
    ]


@pytest.mark.parametrize("kind", ["flip", "elastic", "cutmix", "erasing"])
def test_refuses_images_changes_on_a_table(kind: str) -> None:
    found = lines(data={"kind": "iris", "augment": [kind]})
    assert found == [f"data.augment.0: {kind} needs images, iris has none"]


def test_refuses_balanced_sampling_of_numbers() -> None:
    found = lines(data="diabetes", train={"sampling": "balanced"})
    assert found == [
        "train.sampling: balanced needs classes, the targets are real numbers (shuffled)"
    ]


def test_refuses_percents_of_a_run_in_minutes() -> None:
    found = lines(train={"minutes": 1, "averaging": "swa"})
    assert found == [
        "train.averaging.start: 75% cannot be counted in steps here (give epochs or steps)"
    ]
