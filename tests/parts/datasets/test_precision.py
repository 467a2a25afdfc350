"""Numbers far from 0 keep what tells them apart; all others keep their bits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlab
from nnlab.__main__ import main
from nnlab.core.contracts import Examples
from nnlab.parts.datasets.checks import data_notes
from nnlab.parts.datasets.family import DataConfig, Place
from nnlab.parts.datasets.files.arrays import ArraysConfig, held_of
from nnlab.parts.datasets.files.csv_table import CsvConfig
from nnlab.parts.datasets.files.npz import NpzConfig
from nnlab.parts.datasets.precision import merged_values, narrowed
from nnlab.training.sources import targets_of

DRAW = np.random.default_rng(0)
FAR = {
    "seconds since 1970": 1.6e9 + np.sort(DRAW.choice(700, 240, replace=False)).astype(float),
    "hours as YYYYMMDDHH": 2024010100.0 + (np.arange(240) // 24) * 100 + np.arange(240) % 24,
    "nanoseconds": 1.7e18 + np.arange(240) * 1e6,
    "below zero": -3e7 - np.arange(240) / 8,
    "with one sentinel": np.where(np.arange(240) == 7, 0.0, 1.6e9 + np.arange(240)),
}
NEAR = {
    "normal": DRAW.normal(size=240),
    "degrees": -122.4 + DRAW.random(240),
    "small": 1e-9 * DRAW.random(240),
    "prices": np.rint(DRAW.random(240) * 1e6),
    "years": 1990.0 + np.arange(240) % 30,
    "constant": np.full(240, 1.1),
    "seconds of years": 1.2e9 + DRAW.random(240) * 4e8,
    "of all sizes": 10.0 ** DRAW.uniform(-20, 20, 240),
}


def kinds(place: Place, inputs: Any, targets: Any, **fields: Any) -> list[DataConfig]:
    """The same table as csv, npz and arrays."""
    names = ",".join(f"x{i + 1}" for i in range(inputs.shape[1]))
    rows = [
        ",".join(map(repr, map(float, (*row, y)))) for row, y in zip(inputs, targets, strict=True)
    ]
    (place.folder / "t.csv").write_text("\n".join([f"{names},y", *rows]) + "\n")
    np.savez(place.folder / "t.npz", inputs=inputs, targets=targets)
    given = {"task": "regression", "validation": "none", **fields}
    return [
        CsvConfig.model_validate({"path": "t.csv", "target": "y", **given}),
        NpzConfig.model_validate({"path": "t.npz", **given}),
        ArraysConfig.model_validate(given).holding(held_of({"train": (inputs, targets)})),
    ]


def seen(examples: Examples) -> Any:
    """What the network gets, in float32 as on a device."""
    return (np.asarray(examples.inputs) - examples.shift) * examples.factor


@pytest.mark.parametrize("name", FAR)
def test_far_values_stay_apart_from_every_source(place: Place, name: str) -> None:
    inputs = np.column_stack([FAR[name], NEAR["normal"]])
    for config in kinds(place, inputs, NEAR["normal"]):
        examples = config.load(place)
        found = seen(examples)
        assert len(np.unique(found[:, 0])) == len(np.unique(FAR[name]))
        apart = inputs - inputs[:1]  # exact, where a mean in float64 is not
        train = apart[examples.rows["train"]]
        expected = (apart - train.mean(axis=0)) / train.std(axis=0)
        # float32 has 24 bits, of the distances as of the scale.
        assert np.allclose(found, expected, rtol=1e-5, atol=2e-6)
        assert examples.base is not None
        assert examples.base[0, 1] == 0.0


@pytest.mark.parametrize("name", NEAR)
def test_other_values_keep_the_bits_of_float32(place: Place, name: str) -> None:
    inputs = NEAR[name][:, None]
    for config in kinds(place, inputs, NEAR["normal"]):
        examples = config.load(place)
        assert np.asarray(examples.inputs).tobytes() == inputs.astype(np.float32).tobytes()
        assert examples.base is None


@pytest.mark.parametrize("scale", ["none", "unit", "feature", "center"])
def test_every_scale_is_that_of_the_values_themselves(place: Place, scale: str) -> None:
    inputs = np.column_stack([FAR["seconds since 1970"], NEAR["years"]])
    for config in kinds(place, inputs, NEAR["normal"], scale=scale):
        examples = config.load(place)
        train = inputs[examples.rows["train"]]
        low, high = train.min(axis=0), train.max(axis=0)
        expected = {
            "none": inputs,
            "unit": (inputs - low) / (high - low),
            "feature": (inputs - train.mean(axis=0)) / train.std(axis=0),
            "center": inputs - train.mean(axis=0),
        }[scale]
        assert np.allclose(seen(examples), expected, rtol=1e-6, atol=3e-5)


def test_points_of_any_shape_are_put_back_by_a_common_scale(place: Place) -> None:
    inputs = 1.6e9 + np.arange(240.0).reshape(40, 3, 2)
    for scale in ("none", "unit"):
        given = {"task": "regression", "scale": scale, "validation": "none"}
        held = held_of({"train": (inputs, np.arange(40.0))})
        examples = ArraysConfig.model_validate(given).holding(held).load(place)
        train = inputs[examples.rows["train"]]
        span = train.max() - train.min()
        expected = inputs if scale == "none" else (inputs - train.min()) / span
        assert np.allclose(seen(examples), expected, rtol=1e-6, atol=1e-5)
        if scale == "unit":
            assert len(np.unique(seen(examples))) == 240


def test_far_targets_are_scaled_before_they_become_float32(place: Place) -> None:
    targets = FAR["seconds since 1970"]
    for config in kinds(place, NEAR["normal"][:, None], targets, scale_target="standard"):
        examples = config.load(place)
        import torch

        found = targets_of(examples, torch.float32)[:, 0].numpy()
        train = targets[examples.rows["train"]]
        assert np.allclose(found, (targets - train.mean()) / train.std(), atol=1e-6)
        assert data_notes(examples) == ()


def test_says_where_float32_merges_values(place: Place) -> None:
    targets = FAR["seconds since 1970"]
    merged = len(np.unique(targets.astype(np.float32)))
    for config in kinds(place, NEAR["normal"][:, None], targets):
        (note,) = data_notes(config.load(place))
        assert f"240 different values are {merged} in float32 (scale_target: standard" in note
    wide = np.concatenate([1e9 + np.arange(100.0), 3e9 + np.arange(140.0)])
    for config in kinds(place, wide[:, None], NEAR["normal"]):
        (note,) = data_notes(config.load(place))
        assert "x1: 240 different values are" in note


def test_a_straight_line_over_timestamps_is_learned_and_predicted(tmp_path: Path) -> None:
    times = FAR["seconds since 1970"]
    line = 1.7e9 + (times - times.mean()) / 3
    config = {
        "data": {"kind": "csv", "path": str(tmp_path / "t.csv"), "target": "y"},
        "model": "linear",
        "optimizer": {"kind": "lbfgs"},
        "train": {"epochs": 20, "batch_size": "full", "threads": 1},
    }
    rows = [f"{x!r},{y!r}" for x, y in zip(times.tolist(), line.tolist(), strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["ts,y", *rows]) + "\n")
    made = nnlab.train(config, set={"data.scale_target": "standard"}, run_dir=tmp_path / "run")
    found = nnlab.predict(made.run, times[:, None]).outputs[:, 0]
    assert np.abs(found - line).max() < 1e-3 * line.std()


class TestNarrowed:
    def test_floats_that_are_narrow_already_are_left(self) -> None:
        values = (1.6e9 + np.arange(99)).astype(np.float32)[:, None]
        found = narrowed(values)
        assert found.values is values
        assert found.base is None

    def test_whole_numbers_are_looked_at_too(self) -> None:
        found = narrowed((1_600_000_000 + np.arange(99))[:, None])
        assert found.base is not None
        assert np.array_equal(found.values[:, 0] + found.base[0], 1_600_000_000 + np.arange(99))

    def test_missing_values_stay_missing(self) -> None:
        values = 1.6e9 + np.arange(99.0)[:, None]
        values[3] = np.nan
        found = narrowed(values)
        assert np.isnan(found.values[:, 0]).tolist() == [row == 3 for row in range(99)]
        assert np.isnan(narrowed(np.full((9, 1), np.nan)).values).all()

    def test_values_that_differ_less_than_float64_tells_are_one(self) -> None:
        assert merged_values(np.array([[1.0], [1.0 + 1e-17]])) == {}


def test_what_is_stored_can_be_shown_in_its_own_numbers(place: Place) -> None:
    inputs = np.column_stack([FAR["below zero"], NEAR["years"]])
    for config in kinds(place, inputs, NEAR["normal"]):
        examples = config.load(place)
        assert np.array_equal(examples.own(np.asarray(examples.inputs)), inputs)
    for config in kinds(place, NEAR["years"][:, None], NEAR["normal"]):
        examples = config.load(place)
        stored = np.asarray(examples.inputs)
        assert examples.own(stored) is stored


def test_show_tells_the_values_of_the_file(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    (config, _, _) = kinds(place, FAR["seconds since 1970"][:, None], NEAR["normal"])
    assert isinstance(config, CsvConfig)
    file = place.folder / "c.yaml"
    file.write_text("data: {kind: csv, path: t.csv, target: y}\nmodel: linear\n")
    assert main(["show", str(file), "--data"]) == 0
    told = capsys.readouterr().out
    (line,) = [line for line in told.splitlines() if line.split()[:1] == ["x1"]]
    assert "1.6" in line
