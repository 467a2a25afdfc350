"""Whether numbers are learned in their own unit, where the config does not say so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlab
from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Machine
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.runs.folder.summary import read_summary


def houses(folder: Path, low: float = 150_000.0, size: float = 90_000.0) -> dict[str, Any]:
    """300 rows; a price that hangs on three numbers."""
    draw = np.random.default_rng(3)
    inputs = draw.normal(size=(300, 3))
    price = np.tanh(inputs[:, 0]) + inputs[:, 1] * inputs[:, 2] / 3 + draw.normal(0, 0.05, 300)
    rows = np.column_stack([inputs, low + size * (price - price.min()) / np.ptp(price)])
    text = "\n".join(",".join(f"{v:.9g}" for v in row) for row in rows)
    (folder / "houses.csv").write_text(f"a,b,c,price\n{text}\n")
    return {"kind": "csv", "path": str(folder / "houses.csv"), "target": "price"}


def settled(data: dict[str, Any], **sections: Any) -> Experiment:
    config = load_config({"data": data, "model": {"kind": "mlp", "hidden": [8]}, **sections})
    return settle(config, place_for(Path.cwd()), Machine("cpu", 2))


def scaled(data: dict[str, Any], **sections: Any) -> str:
    return settled(data, **sections).config.data.scale_target


def test_numbers_of_a_table_are_scaled(tmp_path: Path) -> None:
    data = houses(tmp_path)
    assert scaled(data) == "standard"
    assert scaled(data, loss="huber") == scaled(data, loss="mae") == "standard"
    assert scaled(data, model="linear") == "standard"
    assert settled(data).written.data.scale_target == "auto"


MLP = {"kind": "mlp", "hidden": [8]}
QUICK: dict[str, Any] = {
    "model": {"kind": "mlp", "hidden": [32]}, "optimizer": {"kind": "adam", "lr": 0.02},
    "train": {"epochs": 40, "batch_size": 32}, "log": {"every": "5 epochs", "probes": "off"},
}  # fmt: skip


@pytest.mark.parametrize(
    "sections",
    [
        {"model": {**MLP, "output": {"activation": "sigmoid"}}},
        {"model": {**MLP, "output": {"activation": "softplus"}}},
        {"model": {**MLP, "output": {"bias_init": {"kind": "constant", "value": 150.0}}}},
        {"loss": {"kind": "huber", "delta": 20.0}},
        {"loss": {"kind": "smooth_l1", "beta": 20.0}},
        {"loss": "poisson_nll"},
        {"train": {"epochs": 3, "early_stopping": {"patience": 3, "min_delta": 25.0}}},
    ],
    ids=str,
)
def test_what_is_written_in_the_own_unit_leaves_it(
    sections: dict[str, Any], tmp_path: Path
) -> None:
    assert scaled(houses(tmp_path), **sections) == "none"


def test_what_has_no_numbers_to_learn_has_none_to_scale() -> None:
    assert scaled({"kind": "iris"}) == scaled({"kind": "digits"}) == "none"
    assert scaled({"kind": "function", "formula": "sinc"}) == "none"
    assert scaled({"kind": "sunspots"}, model="rnn") == "standard"


@pytest.mark.parametrize("shape", [(60, 12, 2), (60, 3, 8, 8)], ids=["sequences", "images"])
def test_numbers_of_sequences_and_images_are_scaled_as_those_of_a_table(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    """Only points on a plane are drawn with what is learned of them, in its own unit."""
    draw = np.random.default_rng(0)
    targets = 1e4 + 300.0 * draw.normal(size=(60, 1))
    np.savez(tmp_path / "many.npz", inputs=draw.normal(size=shape).astype("f4"), targets=targets)
    npz = {"kind": "npz", "path": str(tmp_path / "many.npz"), "task": "regression"}
    model: dict[str, Any] = {"model": {"kind": "gru" if len(shape) == 3 else "cnn"}}
    assert scaled(npz, **model) == "standard"
    assert scaled({"kind": "adding", "steps": 10, "samples": 60}, model="gru") == "standard"


@pytest.mark.parametrize("written", ["none", "standard"])
def test_what_is_written_stays(written: str, tmp_path: Path) -> None:
    assert scaled({**houses(tmp_path), "scale_target": written}) == written


@pytest.mark.parametrize("name", ["diabetes", "function", "sunspots"])
def test_bundled_configs_learn_what_they_did(name: str) -> None:
    """diabetes begins its output at the mean of the targets, in their own unit."""
    from nnlab.comparison.comparison import settle_source

    found = settle_source(name).first.config.data.scale_target
    assert found == ("standard" if name == "sunspots" else "none")


def test_prices_are_learned_and_told_in_their_own_unit(tmp_path: Path) -> None:
    config = {"data": houses(tmp_path), **QUICK, "scores": ["r2", "mae"]}
    run = nnlab.train(config, run_dir=tmp_path / "run").run
    scores = read_summary(run).last["validation"]["scores"]
    assert scores["r2"] > 0.85
    assert 500.0 < scores["mae"] < 20_000.0
    told = nnlab.predict(run, [[0.1, 0.2, 0.3], [1.0, 1.0, 1.0]]).outputs
    assert told.min() > 100_000.0
    unscaled = {**config, "data": {**houses(tmp_path), "scale_target": "none"}}
    other = read_summary(nnlab.train(unscaled, run_dir=tmp_path / "other").run)
    assert other.last["validation"]["scores"]["r2"] < 0.0


def test_a_share_behind_a_sigmoid_is_learned_as_it_is(tmp_path: Path) -> None:
    """Deviations of both signs are out of a sigmoid's reach."""
    data = houses(tmp_path, low=0.05, size=0.9)
    model = {**QUICK["model"], "output": {"activation": "sigmoid"}}
    config = {**QUICK, "model": model, "loss": "mse"}
    reached = [
        read_summary(
            nnlab.train({**config, "data": {**data, **more}}, run_dir=tmp_path / str(n)).run
        ).last["validation"]["scores"]["r2"]
        for n, more in enumerate(({}, {"scale_target": "standard"}))
    ]
    assert reached[0] > 0.85
    assert reached[1] < reached[0] - 0.2
