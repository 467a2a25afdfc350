"""Predictions: those of the network applied by hand to rows scaled by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nnlab
from nnlab.config.loading import load_config, place_for
from nnlab.core.errors import DataError


def trained(folder: Path, **sections: Any) -> tuple[Any, Any]:
    """A run and its data."""
    train = {"epochs": 3}
    run = nnlab.train({"model": {"kind": "mlp", "hidden": [8]}, "train": train, **sections},
                      run_dir=folder).run  # fmt: skip
    return run, load_config(run / "config.yaml").data.load(place_for(run))


def by_hand(run: Path, examples: Any) -> Any:
    """The outputs, in float32 as the run computes them; numbers in their own unit."""
    inputs = (examples.inputs.astype(np.float32) - examples.shift) * examples.factor
    with torch.no_grad():
        outputs = nnlab.load(run)(torch.from_numpy(inputs)).numpy()
    scale = examples.target_scale
    return outputs if scale is None else outputs * scale.deviation + scale.mean


@pytest.mark.parametrize("data", ["breast_cancer", "digits"])
def test_class_names_and_probabilities_of_raw_rows(tmp_path: Path, data: str) -> None:
    run, examples = trained(tmp_path / "run", data=data)
    found = nnlab.predict(run, examples.inputs)
    outputs = by_hand(run, examples)
    assert found.outputs == pytest.approx(outputs, abs=1e-4)
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    assert found.probabilities == pytest.approx(powers / powers.sum(1, keepdims=True), abs=1e-4)
    rows = examples.rows["test"]
    right = [found.labels[row] == examples.shape.classes[examples.targets[row]] for row in rows]
    assert np.mean(right) == pytest.approx(nnlab.evaluate(run)["accuracy"])


def test_two_classes_of_one_logit(tmp_path: Path) -> None:
    run, examples = trained(tmp_path / "run", data="breast_cancer", loss="bce")
    found = nnlab.predict(run, examples.inputs)
    assert found.outputs.shape == (569, 1)
    assert found.probabilities is not None
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(569), abs=1e-6)
    likely = [examples.shape.classes[index] for index in found.probabilities.argmax(axis=1)]
    assert list(found.labels) == likely


def test_numbers_of_a_regression(tmp_path: Path) -> None:
    run, examples = trained(tmp_path / "run", data="diabetes")
    found = nnlab.predict(run, examples.inputs.tolist())
    assert found.outputs == pytest.approx(by_hand(run, examples), rel=1e-4, abs=1e-3)
    assert (found.labels, found.probabilities) == ((), None)


def test_says_what_rows_must_look_like(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", data="iris")
    with pytest.raises(DataError, match=r"have shape \(2, 3\), expected \(N, 4\) \(columns "):
        nnlab.predict(run, np.zeros((2, 3)))
    with pytest.raises(DataError, match="not finite"):
        nnlab.predict(run, np.full((1, 4), np.nan))
