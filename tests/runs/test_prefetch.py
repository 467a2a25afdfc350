"""Data that are read while torch is imported."""

import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nnlab.core.errors import DataError
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.handed import experiment_of
from nnlab.parts.datasets.downloads.idx import MnistConfig
from nnlab.parts.datasets.family import Place
from nnlab.runs.prefetch import prefetch


def files(root: Path, labels: NDArray[np.uint8]) -> None:
    """MNIST's four files, as small as gzip makes zeros."""
    import gzip

    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, count in (("train", 60_000), ("t10k", 10_000)):
        shape = b"".join(n.to_bytes(4, "big") for n in (count, 28, 28))
        images = bytes([0, 0, 8, 3]) + shape + bytes(count * 784)
        head = bytes([0, 0, 8, 1]) + count.to_bytes(4, "big")
        for kind, content in (
            ("images-idx3", images),
            ("labels-idx1", head + labels[:count].tobytes()),
        ):
            packed = gzip.compress(content, compresslevel=1)
            (raw / f"{name}-{kind}-ubyte.gz").write_bytes(packed)


LABELS = np.arange(60_000, dtype=np.uint8) % 10


def experiment_on(root: Path, **data: object) -> Experiment:
    """A perceptron on the MNIST of a folder."""
    kind = {"kind": "mnist", "root": str(root), **data}
    return experiment_of({"data": kind, "model": "linear", "train": {"steps": 1}})


def test_gives_what_a_load_gives(tmp_path: Path) -> None:
    files(tmp_path, LABELS)
    experiment = experiment_on(tmp_path)
    ahead = prefetch(experiment)
    assert ahead is not None
    found, again = ahead.examples(), experiment.load()
    assert found.digest == again.digest
    assert found.inputs is not again.inputs, "a second run has arrays of its own"
    for split, rows in found.rows.items():
        np.testing.assert_array_equal(rows, again.rows[split])


def test_two_that_are_read_at_once_do_not_take_each_others(tmp_path: Path) -> None:
    files(tmp_path, LABELS)
    whole, part = prefetch(experiment_on(tmp_path)), prefetch(experiment_on(tmp_path, limit=100))
    assert whole is not None
    assert part is not None
    assert part.examples().shape.sizes["train"] == 100
    assert whole.examples().shape.sizes["train"] > 100


def test_a_mistake_is_raised_where_the_data_are_asked_for(tmp_path: Path) -> None:
    files(tmp_path, np.full(60_000, 10, np.uint8))
    ahead = prefetch(experiment_on(tmp_path))
    assert ahead is not None
    with pytest.raises(DataError, match="10"):
        ahead.examples()


def test_what_is_missing_is_not_fetched_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching: list[str] = []

    def download(_: MnistConfig, place: Place) -> Path:
        fetching.append(threading.current_thread().name)
        return tmp_path

    monkeypatch.setattr(MnistConfig, "download", download)
    experiment = experiment_on(tmp_path / "none")
    assert prefetch(experiment) is None
    with pytest.raises(DataError):
        experiment.load()
    assert fetching == [threading.current_thread().name]
