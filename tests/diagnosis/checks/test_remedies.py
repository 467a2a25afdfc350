"""A remedy is what would change the run: nothing that is in force, and nothing that is refused."""

from typing import Any

import pytest
from cases import facts_of

from nnlab.diagnosis.checks.remedies import effective, try_init

MLP: dict[str, Any] = {"kind": "mlp", "hidden": [8, 8, 8]}


@pytest.mark.parametrize(
    ("sections", "changes", "left"),
    [
        ({}, ("model.init=auto",), ()),
        ({}, ("model.init=auto", "optimizer.lr=0.1"), ("optimizer.lr=0.1",)),
        ({"model": {**MLP, "init": "zeros"}}, ("model.init=auto",), ("model.init=auto",)),
        ({}, ("optimizer.lr=-1",), ()),
        ({}, ("optimizer.lr=-1", "train.clip_norm=1"), ("train.clip_norm=1",)),
        (
            # Every layer has its own: what is said above them reaches none.
            {"model": {**MLP, "layers": {f"hidden{n}": {"init": "zeros"} for n in (1, 2, 3)}}},
            ("model.init=lecun_normal",),
            (),
        ),
        (
            # Neither is possible alone.
            {"loss": "mae"},
            ("loss=auto", "model.output.activation=auto"),
            ("loss=auto", "model.output.activation=auto"),
        ),
    ],
)
def test_only_what_changes_the_experiment_is_advised(
    sections: dict[str, Any], changes: tuple[str, ...], left: tuple[str, ...]
) -> None:
    assert effective(facts_of(**sections), changes) == left


def test_an_initialization_reaches_layers_that_have_their_own() -> None:
    facts = facts_of(model={**MLP, "layers": {"hidden2": {"init": "zeros"}}})
    assert effective(facts, try_init(facts)) == ("model.layers.hidden2.init=auto",)
