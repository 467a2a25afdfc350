"""`nnlab show --expand`: a network as a list of layers is the same network, and is trained so."""

from pathlib import Path
from typing import Any

import pytest

from nnlab.commands.show.expand import expanded_config
from nnlab.config.loading import Text
from nnlab.core.errors import ConfigError
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.handed import experiment_of

LATE: dict[str, Any] = {
    "data": "digits",
    "model": {"kind": "cnn", "channels": [4, 8], "freeze": ["conv*"]},
    "optimizer": {"kind": "adam", "groups": {"conv*": {"lr": 1e-4}}},
    "schedule": {"kind": "steps", "at": ["25%", 3], "warmup": "10 steps"},
    "train": {"epochs": 5, "unfreeze": {"conv1": 2}, "early_stopping": {"patience": 3}},
}
CARRIED: dict[str, Any] = {
    "data": {"kind": "shakespeare", "window": 16},
    "model": {"kind": "lstm", "units": 4},
    "train": {"steps": 100, "carry": True},
}


@pytest.mark.parametrize(
    "source",
    ["shakespeare_transformer", "sunspots", LATE, CARRIED],
    ids=["transformer", "series", "late", "carried"],
)
def test_what_is_written_out_is_the_same_experiment(source: Any, tmp_path: Path) -> None:
    first = experiment_of(source)
    text = expanded_config(first, as_json=False)
    again = experiment_of(Text(text, "expanded.yaml", tmp_path, "expanded"))
    assert again.config.model.kind == "stack"
    assert shapes_of(again) == shapes_of(first)
    assert (again.total, again.shape, again.pace) == (first.total, first.shape, first.pace)
    for section in ("data", "optimizer", "schedule", "train", "loss"):
        assert getattr(again.config, section) == getattr(first.config, section), section


def test_a_rule_that_trains_no_stack_is_told() -> None:
    one = experiment_of({"data": "and", "model": "linear", "rule": "perceptron"})
    with pytest.raises(ConfigError, match="rule perceptron trains linear alone"):
        expanded_config(one, as_json=False)


def shapes_of(experiment: Experiment) -> dict[str, Any]:
    return {k: v for plan in experiment.design.plans for k, v in plan.parameters.items()}
