import pickle
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nnlab.core.errors import ConfigError, DataError
from nnlab.parts.datasets.family import Place
from nnlab.parts.datasets.files import image_folder
from nnlab.parts.datasets.files.image_files import FolderReader, read_image
from nnlab.parts.datasets.files.image_folder import ImageFolderConfig
from nnlab.parts.datasets.split_sizes import FromFile

RANDOM = np.random.default_rng(0)


def pixels(height: int = 8, width: int = 8) -> Any:
    return RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)


def fill(folder: Path, classes: tuple[str, ...] = ("cat", "dog"), each: int = 6) -> None:
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(each):
            Image.fromarray(pixels()).save(folder / name / f"{number}.png")


def config(**fields: Any) -> ImageFolderConfig:
    given = {"path": "images", "image_size": 8, "validation": "none", "test": "none"}
    return ImageFolderConfig.model_validate({**given, **fields})


def test_an_image_of_the_right_size_is_read_as_it_is(tmp_path: Path) -> None:
    image = pixels(5, 9)
    Image.fromarray(image).save(tmp_path / "x.png")
    found = read_image(tmp_path / "x.png", (3, 5, 9))
    np.testing.assert_array_equal(found, image.transpose(2, 0, 1))


def test_images_are_resized_and_turned_gray(tmp_path: Path) -> None:
    image = np.full((10, 20, 3), (255, 0, 0), np.uint8)
    Image.fromarray(image).save(tmp_path / "x.png")
    found = read_image(tmp_path / "x.png", (1, 4, 6))
    # ITU-R 601-2 luma: 0.299 R + 0.587 G + 0.114 B.
    np.testing.assert_array_equal(found, np.full((1, 4, 6), round(0.299 * 255), np.uint8))


def test_images_are_turned_upright(tmp_path: Path) -> None:
    image = pixels(4, 8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(image).save(tmp_path / "x.png", exif=exif)
    found = read_image(tmp_path / "x.png", (3, 8, 4))
    np.testing.assert_array_equal(found, np.rot90(image, -1).transpose(2, 0, 1))


def test_classes_are_the_folders_in_order(place: Place) -> None:
    fill(place.folder / "images", ("dog", "cat", "ant"))
    (place.folder / "images" / ".hidden").mkdir()
    (place.folder / "images" / "notes.txt").write_text("not a class")
    (place.folder / "images" / "ant" / "notes.txt").write_text("not an image")
    examples = config().load(place)
    assert examples.shape.classes == ("ant", "cat", "dog")
    assert examples.targets.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert examples.inputs.shape == (18, 3, 8, 8)


def test_the_folders_train_val_and_test_are_the_splits(place: Place) -> None:
    for name, each in (("train", 6), ("val", 3), ("test", 2)):
        fill(place.folder / "images" / name, each=each)
    made = config(test="auto", validation="official")
    assert made.resolved(place).test == "official"
    assert made.describe(place).sizes == {"train": 12, "validation": 6, "test": 4}
    rows = made.load(place).rows
    assert rows["validation"].tolist() == list(range(12, 18))
    assert rows["test"].tolist() == list(range(18, 22))
    assert config(validation=0.5).describe(place).sizes == {"train": 6, "validation": 6}
    shutil.rmtree(place.folder / "images" / "test")
    with pytest.raises(ConfigError, match="has no test split of its own"):
        config(test="official").describe(place)


def test_another_folder_can_be_a_split(place: Place) -> None:
    fill(place.folder / "images")
    fill(place.folder / "more", each=2)
    made = config(test=FromFile(file="more"))
    assert made.load(place).rows["test"].tolist() == [12, 13, 14, 15]
    fill(place.folder / "more" / "x", ("cow",))
    (place.folder / "more" / "x" / "cow").rename(place.folder / "more" / "cow")
    shutil.rmtree(place.folder / "more" / "x")
    with pytest.raises(DataError, match="cow: is not one of the classes cat, dog"):
        made.load(place)


def test_streams_what_does_not_fit(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(place.folder / "images")
    assert config().resolved(place).in_memory == "always"
    monkeypatch.setattr(image_folder, "_FITS_BYTES", 12 * 3 * 8 * 8 - 1)
    assert config().resolved(place).in_memory == "never"
    streamed = config(scale="channel").load(place)
    held = config(scale="channel", in_memory="always").load(place)
    assert isinstance(streamed.inputs, FolderReader)
    assert isinstance(held.inputs, np.ndarray)
    again = pickle.loads(pickle.dumps(streamed.inputs))
    assert again.shape == held.inputs.shape
    for row in range(12):
        np.testing.assert_array_equal(again.read(row), held.inputs[row])
    np.testing.assert_array_equal(streamed.factor, held.factor)
    assert len(streamed.digest) == 64


@pytest.mark.parametrize("in_memory", ["always", "never"])
def test_names_the_file_that_is_damaged(place: Place, in_memory: str) -> None:
    fill(place.folder / "images")
    path = place.folder / "images" / "dog" / "3.png"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"dog/3\.png: cannot be read as an image"):
        config(in_memory=in_memory, scale="channel").load(place)


def test_refuses_an_image_that_unpacks_to_too_much(tmp_path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))
    (tmp_path / "x.png").write_bytes(content + chunk(b"IEND", b""))
    with pytest.raises(DataError, match=r"x\.png: cannot be read as an image"):
        read_image(tmp_path / "x.png", (3, 8, 8))
    Image.new("1", (9000, 9000)).save(tmp_path / "y.png")
    with pytest.raises(DataError, match="9000 x 9000 pixels, at most 80000000"):
        read_image(tmp_path / "y.png", (3, 8, 8))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        ((), "No such file"),
        (("cat/1.png",), "has 1 folders, needs one for each class"),
        (("cat/1.png", "dog/notes.txt"), "dog: holds no images"),
    ],
)
def test_refuses_folders_that_do_not_fit(place: Place, make: tuple[str, ...], words: str) -> None:
    for name in make:
        path = place.folder / "images" / name
        path.parent.mkdir(parents=True)
        path.write_text("x")
    with pytest.raises(DataError, match=words):
        config().describe(place)


def test_follows_no_links_to_folders(place: Place) -> None:
    fill(place.folder / "images")
    (place.folder / "images" / "cat" / "loop").symlink_to(place.folder / "images")
    assert config().describe(place).sizes == {"train": 12}
