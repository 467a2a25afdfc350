"""How long a run is where its config does not say so."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Machine
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle


def settled(rows: int, train: dict[str, Any] | None = None, **sections: Any) -> Experiment:
    """An experiment on so many training rows."""
    data = {"kind": "moons", "samples": rows, "validation": "none", "test": "none"}
    given = {} if train is None else {"train": train}
    model = {"kind": "mlp", "hidden": [4]}
    config = load_config({"data": data, "model": model, **given, **sections})
    return settle(config, place_for(Path.cwd()), Machine("cpu", 2))


@pytest.mark.parametrize(
    ("rows", "epochs"),
    [
        (40, 200),  # one update an epoch: 1,000 epochs would be too many
        (320, 200),  # five, and 1,000 updates in all
        (640, 100),
        (1000, 63),  # 16 an epoch: 62 epochs are 992
        (6400, 10),
        (20_000, 10),
    ],
)
def test_few_rows_are_seen_more_often(rows: int, epochs: int) -> None:
    found = settled(rows)
    assert found.config.train.epochs == epochs
    assert found.total == epochs * -(-rows // 64)
    assert found.written.train.epochs == "auto"


def test_the_batches_count_and_not_the_rows() -> None:
    assert settled(20_000, {"batch_size": "full"}).config.train.epochs == 200
    assert settled(640, {"batch_size": 4}).config.train.epochs == 10
    assert settled(100, {"batch_size": 64, "drop_last": True}).config.train.epochs == 200


@pytest.mark.parametrize("train", [{"epochs": 3}, {"steps": 7}, {"minutes": 0.5}])
def test_what_is_given_stays(train: dict[str, Any]) -> None:
    found = settled(40, train).config.train
    assert {name: getattr(found, name) for name in train} == train
    assert found.epochs == train.get("epochs")


def test_what_was_settled_is_read_as_it_was() -> None:
    """The config.yaml of a run says the number: it is the same run wherever it is read again."""
    from nnlab.config.run_config import to_plain

    plain = to_plain(settled(1000).config)
    assert plain["train"]["epochs"] == 63
    assert load_config(plain).train.epochs == 63


def test_a_run_that_goes_on_keeps_the_length_that_it_had() -> None:
    """An older version took 10 epochs for everything."""
    log = {"pictures": "auto"}
    older = settled(1000, {"epochs": 10}, log=log)
    going = settled(1000, log=log).going_on(older.config)
    assert going.total == older.total == 160
    assert going.pace == older.pace
    assert replace(going, written=older.written) == older
