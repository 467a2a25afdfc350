"""Sequences that end at different steps: what is not there counts nowhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from building import Made, make
from numpy.typing import NDArray
from torch import nn

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError, DataError
from nnlab.experiment.settle import settle

N, T, D = 40, 9, 3
RNG = np.random.default_rng(0)
COUNTS = RNG.integers(1, T + 1, N)


def sequences() -> NDArray[np.float32]:
    inputs = RNG.normal(5.0, 3.0, (N, T, D)).astype(np.float32)
    inputs[np.arange(T) >= COUNTS[:, None]] = np.nan
    return inputs


def written(folder: Path, inputs: NDArray[Any]) -> dict[str, Any]:
    np.savez(folder / "rows.npz", inputs=inputs, targets=np.arange(len(inputs)) % 2)
    return {"kind": "npz", "path": str(folder / "rows.npz"), "lengths": "different"}


def built(folder: Path, model: dict[str, Any], **data: Any) -> Made:
    return make(
        data={**written(folder, sequences()), **data},
        model=model,
        train={"precision": "fp64", "batch_size": 8, "steps": 4},
    )


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("last", ["last", "mean"])
def test_a_sequence_is_told_as_if_it_were_alone(tmp_path: Path, kind: str, last: str) -> None:
    """Outputs and gradients of a batch against those of each sequence, cut where it ends."""
    made = built(tmp_path, {"kind": kind, "units": 5, "last": last})
    network, rows = made.built.network, made.rows
    parameters = list(network.parameters())
    batch = made.built.source.gather(rows)
    outputs = network(batch.inputs)
    loss = nn.functional.cross_entropy(outputs, batch.targets)
    found = torch.autograd.grad(loss, parameters)
    alone = torch.cat(
        [
            network(one[None, :count])
            for one, count in zip(batch.inputs, COUNTS[rows.numpy()].tolist(), strict=True)
        ]
    )
    expected = torch.autograd.grad(nn.functional.cross_entropy(alone, batch.targets), parameters)
    torch.testing.assert_close(outputs, alone, rtol=0, atol=1e-12)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_the_scale_is_that_of_the_steps_that_are_there(tmp_path: Path) -> None:
    made = built(tmp_path, {"kind": "gru", "units": 4}, scale="feature")
    stored = made.examples.inputs
    assert isinstance(stored, np.ndarray)
    steps = stored[made.examples.rows["train"]].reshape(-1, D).astype(np.float64)
    steps = steps[~np.isnan(steps[:, 0])]
    np.testing.assert_allclose(made.examples.shift.ravel(), steps.mean(0), rtol=1e-6)
    np.testing.assert_allclose(1 / made.examples.factor.ravel(), steps.std(0), rtol=1e-6)


def test_the_gradient_through_time_ends_with_the_sequence(tmp_path: Path) -> None:
    """Behind it there is none: measured there, every gradient would explode."""
    made = built(tmp_path, {"kind": "rnn", "units": 4})
    made.built.step.probe(made.rows[:8], beside=[])
    made.built.step.update(made.rows[:8])
    assert 0.0 < made.built.step.read()["time_gradient/00_rnn1"] < 1e3


def test_empty_cells_at_the_end_of_a_row_are_steps_that_are_not_there(tmp_path: Path) -> None:
    lines = [",".join(["1", "2", "3", "4"][: 2 + i % 3] + [""] * (2 - i % 3)) for i in range(30)]
    rows = [f"{line},{'ab'[i % 2]}" for i, line in enumerate(lines)]
    (tmp_path / "rows.csv").write_text("\n".join(["t1,t2,t3,t4,y", *rows]))
    data = {"kind": "csv", "path": str(tmp_path / "rows.csv"), "target": "y", "view": "time"}
    with pytest.raises(DataError, match=r"data\.lengths: different"):
        make(data=data, model={"kind": "gru", "units": 4})
    made = make(data={**data, "lengths": "different"}, model={"kind": "gru", "units": 4})
    there = ~np.isnan(np.asarray(made.examples.inputs)[:, :, 0])
    assert there.sum(axis=1).tolist() == [2 + i % 3 for i in range(30)]
    assert bool(made.built.network(made.built.source.gather(made.rows).inputs).isfinite().all())


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ([np.nan, np.nan, np.nan], "row 2 has no step at all"),
        ([1.0, np.nan, 3.0], "row 2 goes on behind a step that is missing"),
    ],
)
def test_says_where_a_gap_is_no_end(tmp_path: Path, row: list[float], told: str) -> None:
    inputs = np.ones((20, 3, 1), np.float32)
    inputs[2, :, 0] = row
    with pytest.raises(DataError, match=told):
        make(data=written(tmp_path, inputs), model={"kind": "gru", "units": 4})


def test_a_step_has_all_of_its_values_or_none(tmp_path: Path) -> None:
    inputs = np.ones((20, 3, 2), np.float32)
    inputs[4, 2, 1] = np.nan
    with pytest.raises(DataError, match="row 4 misses some values of a step"):
        make(data=written(tmp_path, inputs), model={"kind": "gru", "units": 4})


_GRU = {"kind": "gru", "units": 4}
_STACK = {"kind": "stack", "layers": ["masking", {"kind": "attention", "heads": 1}, "last"]}


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        (
            {"model": {**_GRU, "bidirectional": True}},
            "bidirectional would count steps that are not",
        ),
        ({"model": {"kind": "mlp", "hidden": [4]}}, "a stack has masking first"),
        ({"model": _STACK}, r"\(attention\): would count steps that are not there"),
        ({"data": {"scale": "center"}}, "center looks at a step by itself"),
        ({"data": {"kind": "digits"}}, "different is for sequences of numbers, digits has none"),
    ],
)
def test_what_would_count_padding_is_refused(
    tmp_path: Path, sections: dict[str, Any], told: str
) -> None:
    data = written(tmp_path, sequences()) | sections.get("data", {})
    if data["kind"] == "digits":
        del data["path"]
    config = {"data": data, "model": sections.get("model", _GRU)}
    with pytest.raises(ConfigError, match=told):
        settle(load_config(config), place_for(tmp_path), Machine("cpu", 1))
