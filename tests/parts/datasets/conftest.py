import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnlab.core.kinds import kinds_of
from nnlab.parts.datasets import Data
from nnlab.parts.datasets.downloads.archives import Cifar10Config, Cifar100Config, SvhnConfig
from nnlab.parts.datasets.downloads.cache import write_cache
from nnlab.parts.datasets.downloads.idx import FashionMnistConfig, KmnistConfig, MnistConfig
from nnlab.parts.datasets.family import DataConfig, Place

EXAMPLES = (400, 100)
IDX = (MnistConfig, FashionMnistConfig, KmnistConfig)
ARCHIVES = (Cifar10Config, Cifar100Config, SvhnConfig)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(folder=tmp_path, root=tmp_path / "root", cache=tmp_path / "cache")


def idx_bytes(array: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> bytes:
    lengths = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


def write_idx(config: type[DataConfig], root: Path, examples: tuple[int, int] = EXAMPLES) -> None:
    """The four files of a small set in the form of MNIST."""
    random = np.random.default_rng(0)
    assert issubclass(config, IDX)
    for file, count in zip(config.parts, np.repeat(examples, 2), strict=True):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        path.write_bytes(idx_bytes(images if "images" in file else labels))


def write_csv(path: Path, rows: int = 60) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["length", "color", "width", "species"])
        for row in range(rows):
            color = ("red", "blue")[row % 2]
            writer.writerow([row * 0.5, color, 3 + row % 7, ("rose", "iris", "lily")[row % 3]])


def write_images(folder: Path, classes: tuple[str, ...] = ("cat", "dog"), each: int = 12) -> None:
    random = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = random.integers(0, 256, (9, 7, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")


@pytest.fixture
def small_mnist(place: Place, monkeypatch: pytest.MonkeyPatch) -> MnistConfig:
    """400 and 100 images in the form of MNIST, under the root."""
    monkeypatch.setattr(MnistConfig, "examples", EXAMPLES)
    write_idx(MnistConfig, place.root)
    return MnistConfig()


@pytest.fixture
def make(place: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], DataConfig]:
    """Any kind by its name, with small files where it needs some."""

    def prepared(name: str) -> DataConfig:
        kind = kinds_of(Data)[name]
        assert issubclass(kind, DataConfig)
        if kind in IDX or kind in ARCHIVES:
            monkeypatch.setattr(kind, "examples", EXAMPLES)
        if kind in IDX:
            write_idx(kind, place.root)
        if issubclass(kind, ARCHIVES):
            labels = np.arange(sum(EXAMPLES)) % len(kind.classes)
            images = np.random.default_rng(0).integers(0, 256, (500, 3, 32, 32), dtype=np.uint8)
            write_cache(place.cache / "arrays" / name, images, labels)
            return kind(validation=100)
        if name == "csv":
            write_csv(place.folder / "flowers.csv")
        if name == "npz":
            np.savez(
                place.folder / "arrays.npz",
                inputs=np.random.default_rng(0).normal(size=(50, 6)),
                targets=np.arange(50) % 4,
            )
        if name == "text":
            (place.folder / "book.txt").write_text("the quick brown fox. " * 100)
        if name == "series":
            rows = "".join(f"{np.sin(step):.4f}\n" for step in range(200))
            (place.folder / "series.csv").write_text("value\n" + rows)
        if name == "image_folder":
            write_images(place.folder / "images")
        return kind.example()

    return prepared
