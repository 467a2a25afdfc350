"""What an optimizer and a schedule have against the sections beside them."""

from typing import Any

import pytest

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError
from nnlab.experiment.settle import settle

FULL = {"steps": 5, "batch_size": "full"}
BASE: dict[str, Any] = {"data": "digits", "model": {"kind": "mlp", "hidden": [4]}}


def refused(**sections: Any) -> list[str]:
    """The lines that refuse a config, without the word that stands for the file."""
    config = load_config({**BASE, **sections})
    with pytest.raises(ConfigError) as caught:
        settle(config, place_for(config.origins.folder), Machine("cpu", 1))
    return [line.removeprefix("config: ") for line in caught.value.lines]


def accepted(**sections: Any) -> None:
    config = load_config({**BASE, **sections})
    settle(config, place_for(config.origins.folder), Machine("cpu", 1))


class TestAnOptimizerThatEvaluatesTheLossSeveralTimes:
    def test_is_accepted_with_all_examples(self) -> None:
        accepted(optimizer="lbfgs", train=FULL)

    def test_needs_all_examples(self) -> None:
        (line,) = refused(optimizer="lbfgs")
        assert line == (
            "train.batch_size: lbfgs needs all examples in every update, got 64 (write full)"
        )

    @pytest.mark.parametrize(
        ("sections", "start"),
        [
            ({"train": {**FULL, "clip_norm": 1.0}}, "train.clip_norm: lbfgs chooses its step"),
            ({"train": {**FULL, "precision": "fp16"}}, "train.precision: lbfgs compares losses"),
            (
                {"train": FULL, "data": {"kind": "digits", "augment": ["shift"]}},
                "data.augment: is drawn anew in each evaluation",
            ),
            (
                {"train": FULL, "model": {"kind": "mlp", "hidden": [4], "dropout": 0.5}},
                "model.hidden.0: dropout is drawn anew",
            ),
            (
                {
                    "train": FULL,
                    "model": {
                        "kind": "stack",
                        "layers": ["flatten", "dropout", {"kind": "linear", "units": 4}],
                    },
                },
                "model.layers.1: dropout is drawn anew",
            ),
        ],
    )
    def test_needs_the_same_function_each_time(self, sections: dict[str, Any], start: str) -> None:
        (line,) = refused(optimizer="lbfgs", **sections)
        assert line.startswith(start)
        assert line.endswith(")")

    def test_knows_no_weight_decay(self) -> None:
        with pytest.raises(ConfigError, match="lbfgs has no weight_decay"):
            load_config({**BASE, "optimizer": {"kind": "lbfgs", "weight_decay": 0.1}})


def test_a_group_is_refused_at_its_key() -> None:
    (line,) = refused(optimizer={"kind": "sgd", "groups": {"hiden1": {"lr": 0.1}}})
    names = "hidden1.weight, hidden1.bias, output.weight, output.bias"
    assert line == f"optimizer.groups.hiden1: fits no parameter (there are {names})"


@pytest.mark.parametrize("schedule", ["cosine", {"kind": "constant", "warmup": 1}])
def test_a_schedule_beside_rprop_is_refused(schedule: Any) -> None:
    (line,) = refused(optimizer="rprop", schedule=schedule)
    assert line == "schedule: rprop reads lr before its first update alone (remove the schedule)"


@pytest.mark.parametrize(("warmup", "fits"), [("7 steps", True), ("8 steps", False), (1, False)])
def test_a_warm_up_ends_within_the_run(warmup: Any, fits: bool) -> None:
    sections = {"schedule": {"kind": "constant", "warmup": warmup}, "train": {"steps": 7}}
    if fits:
        accepted(**sections)
        return
    (line,) = refused(**sections)
    assert line.startswith("schedule.warmup: is ")
    assert "longer than the run of 7 (write such as 10%)" in line


def test_averaging_begins_within_the_run() -> None:
    def swa(start: Any) -> dict[str, Any]:
        return {"train": {"steps": 7, "averaging": {"kind": "swa", "start": start}}}

    accepted(**swa("7 steps"))
    (line,) = refused(**swa("8 steps"))
    text = "is 8 steps, longer than the run of 7 (write such as 75%)"
    assert line == f"train.averaging.start: {text}"


def test_the_length_of_a_run_in_minutes_is_not_known() -> None:
    accepted(schedule={"kind": "constant", "warmup": 100}, train={"minutes": 1})
