"""Data that are read while torch is imported."""

import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nnlab.config.loading import place_for
from nnlab.core.errors import DataError
from nnlab.parts.datasets.downloads.idx import MnistConfig
from nnlab.parts.datasets.family import Place
from nnlab.runs import prefetch


def files(root: Path, labels: NDArray[np.uint8]) -> Place:
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
    return place_for(root)


LABELS = np.arange(60_000, dtype=np.uint8) % 10


def test_gives_what_a_load_gives_once(tmp_path: Path) -> None:
    place = files(tmp_path, LABELS)
    data = MnistConfig(root=str(tmp_path))
    prefetch.begin_loading(data, place)
    found, again = prefetch.take_loaded(data, place), prefetch.take_loaded(data, place)
    assert found.digest == again.digest
    assert found.inputs is not again.inputs, "a second run has arrays of its own"
    for split, rows in found.rows.items():
        np.testing.assert_array_equal(rows, again.rows[split])


def test_other_data_are_loaded_for_themselves(tmp_path: Path) -> None:
    place = files(tmp_path, LABELS)
    prefetch.begin_loading(MnistConfig(root=str(tmp_path)), place)
    assert (
        prefetch.take_loaded(MnistConfig(root=str(tmp_path), limit=100), place).shape.sizes["train"]
        == 100
    )


def test_a_mistake_is_raised_where_the_data_are_asked_for(tmp_path: Path) -> None:
    place = files(tmp_path, np.full(60_000, 10, np.uint8))
    data = MnistConfig(root=str(tmp_path))
    prefetch.begin_loading(data, place)
    with pytest.raises(DataError, match="10"):
        prefetch.take_loaded(data, place)


def test_what_is_missing_is_not_fetched_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching: list[str] = []

    def download(_: MnistConfig, place: Place) -> Path:
        fetching.append(threading.current_thread().name)
        return tmp_path

    monkeypatch.setattr(MnistConfig, "download", download)
    data, place = MnistConfig(root=str(tmp_path / "none")), place_for(tmp_path)
    prefetch.begin_loading(data, place)
    with pytest.raises(DataError):
        prefetch.take_loaded(data, place)
    assert fetching == [threading.current_thread().name]
