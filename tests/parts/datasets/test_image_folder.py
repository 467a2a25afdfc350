import json
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
        (("cat/1.png",), "has 1 folder, needs one for each class"),
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


def depths(folder: Path, levels: dict[str, Any], ending: str = "png") -> None:
    """Six images of 8 x 8 of each class, each of one level."""
    for name, level in levels.items():
        (folder / name).mkdir(parents=True)
        for number in range(6):
            image = Image.fromarray(np.full((8, 8), level))
            image.save(folder / name / f"{number}.{ending}")


@pytest.mark.parametrize(
    ("dtype", "ending", "fields", "levels", "bytes_"),
    [
        (np.uint16, "png", {}, (20000, 45000), (20000 / 257, 45000 / 257)),
        (np.uint16, "tif", {}, (1000, 65535), (1000 / 257, 255)),
        (np.uint16, "pgm", {}, (0, 30000), (0, 30000 / 257)),
        (np.uint16, "png", {"pixel_range": 4095}, (1000, 4000), (62.27, 249.08)),
        (np.int32, "tif", {"pixel_range": (-10, 90)}, (0, 80), (25.5, 229.5)),
        (np.float32, "tif", {"pixel_range": 1}, (0.25, 0.75), (63.75, 191.25)),
    ],
)
@pytest.mark.parametrize("channels", ["gray", "rgb"])
def test_deep_images_keep_their_range(
    place: Place,
    dtype: Any,
    ending: str,
    fields: dict[str, Any],
    levels: tuple[float, float],
    bytes_: tuple[float, float],
    channels: str,
) -> None:
    named = {"dark": dtype(levels[0]), "light": dtype(levels[1])}
    depths(place.folder / "images", named, ending)
    inputs = config(channels=channels, **fields).load(place).inputs
    assert isinstance(inputs, np.ndarray)
    for images, level in ((inputs[:6], bytes_[0]), (inputs[6:], bytes_[1])):
        # Rounded once; the definition is (value - black) * 255 / (white - black).
        np.testing.assert_allclose(images.astype(float), level, atol=0.51)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_a_depth_of_unknown_range_is_refused_with_a_way_that_works(
    place: Place, dtype: Any
) -> None:
    depths(place.folder / "images", {"dark": dtype(20), "light": dtype(700)}, "tif")
    made = config(channels="gray")
    with pytest.raises(DataError, match=r"dark/0\.tif.* no range is known") as error:
        made.load(place)
    assert "so for 12 images" in str(error.value)
    config(channels="gray", pixel_range=(0, 700)).load(place)
    with pytest.raises(DataError, match=r"light/.*outside the range 0 to 20 .*\[0, 700\]"):
        config(channels="gray", pixel_range=(0, 20)).load(place)


def test_twelve_bits_in_sixteen_are_told(place: Place) -> None:
    depths(place.folder / "images", {"dark": np.uint16(300), "light": np.uint16(4000)})
    (found,) = config(channels="gray").remarks(place)
    assert "no value above 4000 in 12 of 12 images looked at with 16 bits" in found
    assert "(data.pixel_range: 4095, if that is white)" in found
    assert config(channels="gray", pixel_range=4095).remarks(place) == ()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize(("ground", "level"), [("white", 255), ("black", 0), ((9, 9, 9), 9)])
def test_transparent_images_lie_on_a_ground(
    tmp_path: Path, mode: str, ground: Any, level: int
) -> None:
    image = Image.new("RGBA", (4, 4), (77, 77, 77, 255))
    image.paste((1, 2, 3, 0), (0, 0, 2, 4))
    if mode == "P":
        image = image.convert("RGB").convert("P")
        index = image.getpixel((0, 0))
        image.save(tmp_path / "x.png", transparency=index)
    else:
        image.convert(mode).save(tmp_path / "x.png")
    found = read_image(tmp_path / "x.png", (1, 4, 4), ground=ground)
    np.testing.assert_array_equal(found[0, :, :2], level)
    np.testing.assert_allclose(found[0, :, 2:].astype(int), 77, atol=26 if mode == "P" else 0)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_opaque_images_with_an_alpha_channel_stay_as_they_were(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(pixels(6, 5)).convert(mode)
    image.save(tmp_path / "x.png")
    for channels, kind in ((1, "L"), (3, "RGB")):
        expected = np.asarray(image.convert(kind)).reshape(6, 5, channels).transpose(2, 0, 1)
        np.testing.assert_array_equal(read_image(tmp_path / "x.png", (channels, 6, 5)), expected)


def test_a_set_that_became_one_constant_is_told(place: Place) -> None:
    depths(place.folder / "images", {"a": np.uint8(7), "b": np.uint8(7)})
    (found,) = config(channels="gray").remarks(place)
    assert "every pixel of 12 images looked at is 7" in found


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("Train", "Val", "Test"),
        ("training_set", "validation_set", "test_set"),
        ("seg_train", "seg_dev", "seg_test"),
        ("TRAINING", "valid", "testing"),
        ("trainset", "DevSet", "TestImages"),
    ],
)
def test_splits_are_known_by_their_usual_names(
    place: Place, train: str, validation: str, test: str
) -> None:
    for name, each in ((train, 6), (validation, 3), (test, 2)):
        fill(place.folder / "images" / name, each=each)
    made = ImageFolderConfig.model_validate({"path": "images", "image_size": 8})
    shape = made.describe(place)
    assert shape.classes == ("cat", "dog")
    assert shape.sizes == {"train": 12, "validation": 6, "test": 4}
    assert made.resolved(place).describe(place) == shape
    asked = made.model_copy(update={"validation": "none", "test": "none"})
    asked = ImageFolderConfig.model_validate({**asked.model_dump()})
    told = asked.remarks(place)
    assert {text.split("/")[0] for text in told} == {f"data: {validation}", f"data: {test}"}


def test_classes_may_be_called_like_splits(place: Place) -> None:
    fill(place.folder / "images", ("test_tube", "train_station", "dev_board"))
    assert config().describe(place).classes == ("dev_board", "test_tube", "train_station")


@pytest.mark.parametrize("names", [("part1", "part2"), ("fold_a", "fold_b"), ("Test", "holdout")])
def test_folders_of_the_same_folders_are_no_classes(place: Place, names: tuple[str, ...]) -> None:
    for name in names:
        fill(place.folder / "images" / name)
    with pytest.raises(DataError, match=r"hold the same folders .*they look like splits"):
        config().describe(place)


def test_what_is_not_read_is_counted(place: Place, tmp_path: Path) -> None:
    images = place.folder / "images"
    fill(images / "train")
    (images / "train" / "cat" / "a.heic").write_bytes(b"1")
    (images / "train" / "dog" / "b.HEIC").write_bytes(b"1")
    (images / "train" / "dog" / "notes.txt").write_bytes(b"1")
    (images / "train" / "dog" / "Thumbs.db").write_bytes(b"1")
    fill(tmp_path / "elsewhere")
    (images / "train" / "cat" / "more").symlink_to(tmp_path / "elsewhere" / "cat")
    (images / "test").mkdir()
    Image.fromarray(pixels()).save(images / "test" / "1.png")
    told = config().remarks(place)
    assert any("test/ holds 1 images in no class folders" in text for text in told)
    assert any("3 files are not read, of other kinds (2 .heic, 1 .txt)" in t for t in told)
    assert any("1 linked folder is not read" in text for text in told)
    assert len(told) == 3


def test_one_folder_too_many_is_told_with_the_way_out(place: Place) -> None:
    fill(place.folder / "images" / "data")
    with pytest.raises(DataError, match=r"has 1 folder, .*data\.path: (\S+),") as error:
        config().describe(place)
    path = str(error.value).split("data.path: ")[1].split(", which")[0]
    assert config(path=path).describe(place).classes == ("cat", "dog")


def test_broken_files_are_named_all_at_once_and_can_be_left_out(place: Place) -> None:
    fill(place.folder / "images")
    broken = ["cat/1.png", "cat/5.png", "dog/3.png"]
    for name in broken:
        (place.folder / "images" / name).write_bytes(b"no image")
    with pytest.raises(DataError, match="3 images cannot be read in all") as error:
        config().load(place)
    way = str(error.value).split("data.skip: ")[1].removesuffix(")")
    assert json.loads(way) == broken
    made = config(skip=tuple(json.loads(way)))
    assert made.load(place).shape.sizes == {"train": 9}
    assert "left out by data.skip: 3" in made.remarks(place)[0]
    with pytest.raises(DataError, match=r"'cow/1\.png' is no image"):
        config(skip=("cow/1.png",)).remarks(place)
