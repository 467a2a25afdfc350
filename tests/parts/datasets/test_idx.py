import gzip
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from nnlab.core.errors import DataError
from nnlab.parts.datasets.downloads.idx import MnistConfig, read_idx
from nnlab.parts.datasets.family import Place

SHARED = Path(os.environ.get("NNLAB_DATA") or Path(__file__).parents[4] / "shared" / "data")


@pytest.fixture
def images(small_mnist: MnistConfig, place: Place) -> Path:
    return place.root / small_mnist.parts[0]


@pytest.mark.skipif(not (SHARED / "MNIST").is_dir(), reason=f"no MNIST in {SHARED}")
def test_reads_all_of_mnist(tmp_path: Path) -> None:
    examples = MnistConfig(validation=5000).load(Place(tmp_path, SHARED, tmp_path))
    assert examples.shape == MnistConfig(validation=5000).describe(
        Place(tmp_path, tmp_path, tmp_path)
    )
    assert examples.shape.sizes == {"train": 55_000, "validation": 5_000, "test": 10_000}
    # The counts of each digit in the 60,000, from http://yann.lecun.com/exdb/mnist/.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(examples.targets[:60_000]).tolist() == counts
    assert isinstance(examples.inputs, np.ndarray)
    # The mean and deviation that everyone uses: 0.1307 and 0.3081.
    assert round(float((examples.inputs[:60_000] / 255.0).mean()), 4) == 0.1307


def test_reads_gzipped_files_too(small_mnist: MnistConfig, place: Place) -> None:
    plain = small_mnist.load(place)
    for part in small_mnist.parts:
        path = place.root / part
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert small_mnist.available(place)
    assert small_mnist.load(place).digest == plain.digest


def test_data_root_goes_before_the_root(small_mnist: MnistConfig, place: Place) -> None:
    elsewhere = Place(place.folder, place.folder / "nothing", place.cache)
    assert not small_mnist.available(elsewhere)
    config = small_mnist.model_copy(update={"root": "root"})
    assert config.available(elsewhere)
    assert config.resolved(elsewhere).root == str(place.root)
    assert config.load(elsewhere).digest == small_mnist.load(place).digest


def test_the_cache_folder_counts_as_a_root(small_mnist: MnistConfig, place: Place) -> None:
    place.cache.mkdir()
    place.root.rename(place.cache / "data")
    assert small_mnist.available(place)
    assert len(small_mnist.load(place).targets) == 500


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("cut", "should have 313616 bytes, has 313615"),
        ("longer", "should have 313616 bytes, has more"),
        ("other header", "not an IDX file"),
        ("html", "not an IDX file"),
        ("empty", "should have 313616 bytes, has 0"),
    ],
)
def test_refuses_damaged_files(
    small_mnist: MnistConfig, place: Place, images: Path, damage: str, words: str
) -> None:
    whole = images.read_bytes()
    contents = {
        "cut": whole[:-1],
        "longer": whole + b"x",
        "other header": b"\0\0\x08\x01" + whole[4:],
        "html": b"<html>not found</html>",
        "empty": b"",
    }
    images.write_bytes(contents[damage])
    with pytest.raises(DataError, match=words) as error:
        small_mnist.load(place)
    assert str(images) in str(error.value)


@pytest.mark.parametrize(
    "content",
    [b"<html>", gzip.compress(b"\0\0\x08\x01\0\0\0\x04abcd")[:-9]],
    # The time stands in the bytes, and names must be the same in each of several workers.
    ids=["a page", "cut off"],
)
def test_refuses_damaged_gzip(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(DataError, match="cannot read"):
        read_idx(tmp_path / "x", (4,))


def test_unpacks_no_more_than_it_needs(tmp_path: Path) -> None:
    header = bytes([0, 0, 8, 1, 0, 0, 0, 4])
    (tmp_path / "x.gz").write_bytes(gzip.compress(header + b"\0" * 50_000_000))
    with pytest.raises(DataError, match="should have 12 bytes, has more"):
        read_idx(tmp_path / "x", (4,))


def test_names_a_label_out_of_range(small_mnist: MnistConfig, place: Place) -> None:
    path = place.root / small_mnist.parts[1]
    content = bytearray(path.read_bytes())
    content[8 + 17] = 10
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"first 10 in row 17 .*0 to 9"):
        small_mnist.load(place)


def test_says_which_files_to_put_where(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(config: MnistConfig, folder: Path) -> None:
        raise OSError("network is unreachable")

    monkeypatch.setattr(MnistConfig, "fetch", no_network)
    with pytest.raises(DataError, match="network is unreachable") as error:
        MnistConfig().load(place)
    assert str(place.root) in error.value.lines[0]
    assert "https://" in error.value.lines[1]
    assert [line.strip() for line in error.value.lines[2:]] == list(MnistConfig.parts)
    assert not list(place.root.iterdir())


def test_a_download_goes_to_the_first_folder_that_can_be_written(
    small_mnist: MnistConfig, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(config: MnistConfig, folder: Path) -> None:
        for part in config.parts:
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            (folder / part).write_bytes((place.root / part).read_bytes())

    monkeypatch.setattr(MnistConfig, "fetch", fetch)
    blocked = place.folder / "blocked"
    blocked.write_text("a file, so no folder can be made here")
    target = Place(place.folder, blocked, place.cache)
    assert small_mnist.load(target).digest == small_mnist.load(place).digest
    assert (place.cache / "data" / small_mnist.parts[0]).is_file()
    assert [path.name for path in (place.cache / "data").iterdir()] == ["MNIST"]


def test_a_download_keeps_stdout_for_results(
    small_mnist: MnistConfig,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fetch(config: MnistConfig, folder: Path) -> None:
        sys.stdout.write("torchvision talks")
        raise RuntimeError("no mirror")

    monkeypatch.setattr(MnistConfig, "fetch", fetch)
    with pytest.raises(DataError):
        small_mnist.download(place)
    assert capsys.readouterr().out == ""
