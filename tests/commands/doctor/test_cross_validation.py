"""Networks that have not seen a row: which rows they miss, and what they say of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nnlab
from nnlab.commands.doctor import cross_validation as module
from nnlab.commands.doctor.cross_validation import FOLDS, folds, predict_unseen
from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Examples, Machine
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.runs.folder.examples import read_record

STEPS = 60


def written(folder: Path, rows: int = 120, **sections: Any) -> dict[str, Any]:
    """Two clouds in three dimensions, in batches of 30."""
    draw = np.random.default_rng(1)
    targets = np.arange(rows) % 2
    inputs = (draw.normal(size=(rows, 3)) + 3.0 * targets[:, None]).astype(np.float32)
    np.savez(folder / "clouds.npz", inputs=inputs, targets=targets)
    return {
        "data": {"kind": "npz", "path": str(folder / "clouds.npz"), "scale": "none",
                 "validation": "none", "test": "none"},
        "model": {"kind": "mlp", "hidden": [8]},
        "optimizer": {"kind": "adam", "lr": 0.01},
        "train": {"steps": STEPS, "batch_size": 30, "threads": 1,
                  "monitor": "none"},
        "log": {"examples": 2, "every": f"{STEPS // 2} steps", "probes": "off"},
        **sections,
    }  # fmt: skip


def reopened(folder: Path) -> tuple[Experiment, Examples]:
    place = place_for(folder)
    experiment = settle(load_config(folder / "config.yaml"), place, Machine("cpu", 1))
    return experiment, experiment.config.data.load(place)


def test_folds_hold_as_many_rows_of_each_class() -> None:
    labels = np.repeat([0, 1, 2], [40, 20, 8])
    counts = [np.bincount(labels[folds(labels) == fold]).tolist() for fold in range(FOLDS)]
    assert counts == [[10, 5, 2]] * FOLDS


def test_answers_are_those_of_a_run_without_the_rows(tmp_path: Path) -> None:
    """Two of the folds against runs with `data.exclude`, asked by torch."""
    config = written(tmp_path)
    run = nnlab.train(config, run_dir=tmp_path / "run").run
    record, (experiment, examples) = read_record(run), reopened(run)
    found = predict_unseen(experiment, examples, record, until=STEPS)
    assert found is not None
    fold, moments = folds(record.labels), record.steps.tolist()
    assert isinstance(examples.inputs, np.ndarray)
    assert moments == [STEPS // 2, STEPS]
    for number in (0, FOLDS - 1):
        left = record.rows[fold == number]
        (tmp_path / "left.csv").write_text("row\n" + "\n".join(map(str, left)) + "\n")
        total = np.zeros(len(left))
        for moment in moments:
            settings = {"data.exclude": str(tmp_path / "left.csv"), "train.steps": moment}
            made = nnlab.train(config, set=settings, run_dir=tmp_path / f"{number}-{moment}")
            network = nnlab.load(made).double()
            with torch.no_grad():
                logits = network(torch.from_numpy(examples.inputs[left]).double()).numpy()
            ours = np.take_along_axis(logits, examples.targets[left, None], 1)[:, 0]
            total += ours - np.take_along_axis(logits, 1 - examples.targets[left, None], 1)[:, 0]
        np.testing.assert_allclose(
            found.margins[fold == number], total / len(moments), rtol=1e-4, atol=1e-5
        )


def test_a_last_batch_of_one_row_is_left_out(tmp_path: Path) -> None:
    """122 rows in batches of 30 leave two; 91 of them leave one, which has no deviation."""
    model = {"kind": "mlp", "hidden": [8], "norm": "batch"}
    run = nnlab.train(written(tmp_path, rows=122, model=model), run_dir=tmp_path / "run").run
    experiment, examples = reopened(run)
    found = predict_unseen(experiment, examples, read_record(run), until=STEPS)
    assert found is not None
    assert np.isfinite(found.margins).all()


@pytest.mark.parametrize(("name", "most"), [("MOST_STEPS", 4 * STEPS - 1), ("MOST_FLOPS", 1e5)])
def test_nobody_is_asked_where_it_would_take_too_long(
    name: str, most: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = nnlab.train(written(tmp_path), run_dir=tmp_path / "run").run
    monkeypatch.setattr(module, name, most)
    assert predict_unseen(*reopened(run), read_record(run), until=STEPS) is None


def test_nobody_is_asked_of_a_run_that_was_best_before_its_first_update(tmp_path: Path) -> None:
    """A rate that is far too high: the first weights are the best checkpoint."""
    run = nnlab.train(written(tmp_path), run_dir=tmp_path / "run").run
    record = read_record(run)
    first = replace(
        record,
        steps=record.steps[:1] * 0,
        losses=record.losses[:1],
        margins=None if record.margins is None else record.margins[:1],
        predicted=None if record.predicted is None else record.predicted[:1],
    )
    assert predict_unseen(*reopened(run), first, until=0) is None


def test_nobody_is_asked_where_too_few_rows_are_left_for_a_batch(tmp_path: Path) -> None:
    train = {"steps": STEPS, "batch_size": 100, "drop_last": True, "threads": 1}
    run = nnlab.train(written(tmp_path, train=train), run_dir=tmp_path / "run").run
    assert predict_unseen(*reopened(run), read_record(run), until=STEPS) is None


def test_nobody_is_asked_of_other_data_than_those_of_the_run(tmp_path: Path) -> None:
    run = nnlab.train(written(tmp_path), run_dir=tmp_path / "run").run
    experiment, examples = reopened(run)
    fewer = replace(examples, rows={**examples.rows, "train": examples.rows["train"][:-1]})
    corrected = replace(examples, targets=1 - examples.targets)
    for other in (fewer, corrected):
        assert predict_unseen(experiment, other, read_record(run), until=STEPS) is None
