"""CIFAR and SVHN as torchvision reads them, and the arrays kept of them. Imports torchvision."""

import pickle
import subprocess
import sys
import tarfile
from collections.abc import Callable
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.core.errors import DataError
from nnlab.parts.datasets.downloads.archives import Cifar10Config, Cifar100Config, SvhnConfig
from nnlab.parts.datasets.downloads.cache import read_cache, write_cache
from nnlab.parts.datasets.downloads.named import in_a_line
from nnlab.parts.datasets.family import Place

RANDOM = np.random.default_rng(0)
Config = Cifar10Config | Cifar100Config | SvhnConfig


def _sum(path: Path) -> str:
    return md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _dump(path: Path, content: dict[str, Any]) -> list[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))
    return [path.name, _sum(path)]


def _images(count: int) -> Any:
    return RANDOM.integers(0, 256, (count, 3 * 32 * 32), dtype=np.uint8)


def make_cifar(
    kind: type[Cifar10Config | Cifar100Config], root: Path, patch: pytest.MonkeyPatch
) -> Any:
    """Small batches in the official form; returns the images as (N, 3, 32, 32)."""
    from torchvision import datasets

    official = getattr(datasets, kind.folder)
    classes = len(kind.classes)
    key, names = ("labels", "label_names") if classes == 10 else ("fine_labels", "fine_label_names")
    sums: dict[str, list[str]] = {}
    images: list[Any] = []
    for part in kind.parts:
        name = part.rpartition("/")[2]
        if "meta" in name:
            sums[name] = _dump(root / part, {names: list(kind.classes)})
            continue
        count = {"test_batch": 100, "test": 100, "train": 500}.get(name, 100)
        data = _images(count)
        labels = [i % classes for i in range(count)]
        sums[name] = _dump(root / part, {"data": data, key: labels})
        images.append(data.reshape(-1, 3, 32, 32))
    meta = official.meta["filename"]
    test = [sums.pop(name) for name in ("test_batch", "test") if name in sums]
    patch.setattr(official, "meta", {**official.meta, "md5": sums.pop(meta)[1]})
    patch.setattr(official, "train_list", list(sums.values()))
    patch.setattr(official, "test_list", test)
    patch.setattr(kind, "examples", (500, 100))
    return np.concatenate(images)


def make_svhn(root: Path, patch: pytest.MonkeyPatch) -> Any:
    from scipy.io import savemat
    from torchvision import datasets

    root.mkdir(parents=True, exist_ok=True)
    images: list[Any] = []
    lists: dict[str, list[str]] = {}
    for split, count in (("train", 500), ("test", 100)):
        data = _images(count).reshape(count, 3, 32, 32)
        path = root / f"{split}_32x32.mat"
        # Stored as (32, 32, 3, N), and the digit 0 as 10.
        labels = ((np.arange(count) + 9) % 10 + 1).astype(np.uint8)[:, None]
        savemat(path, {"X": data.transpose(2, 3, 1, 0), "y": labels})
        lists[split] = ["http://nowhere.invalid", path.name, _sum(path)]
        images.append(data)
    patch.setattr(datasets.SVHN, "split_list", lists)
    patch.setattr(SvhnConfig, "examples", (500, 100))
    return np.concatenate(images)


Made = Callable[[Path], Any]


@pytest.fixture(params=[Cifar10Config, Cifar100Config, SvhnConfig], ids=lambda k: k.__name__)
def made(
    request: pytest.FixtureRequest, place: Place, monkeypatch: pytest.MonkeyPatch
) -> tuple[Config, Any]:
    """A set whose files lie under the root, and the images in them."""
    kind = request.param
    if kind is SvhnConfig:
        return kind(validation=100), make_svhn(place.root, monkeypatch)
    return kind(validation=100), make_cifar(kind, place.root, monkeypatch)


def test_reads_the_official_files(made: tuple[Config, Any], place: Place) -> None:
    config, images = made
    assert config.available(place)
    examples = config.load(place)
    np.testing.assert_array_equal(np.asarray(examples.inputs), images)
    labels = np.concatenate([np.arange(500), np.arange(100)]) % len(config.classes)
    np.testing.assert_array_equal(examples.targets, labels)
    assert examples.rows["test"].tolist() == list(range(500, 600))


def test_reads_the_kept_arrays_the_next_time(made: tuple[Config, Any], place: Place) -> None:
    config, _ = made
    first = config.load(place)
    place.root.rename(place.folder / "away")
    assert config.available(place)
    second = config.load(place)
    assert first.digest == second.digest
    np.testing.assert_array_equal(np.asarray(first.inputs), np.asarray(second.inputs))


def test_makes_damaged_arrays_anew(made: tuple[Config, Any], place: Place) -> None:
    config, images = made
    config.load(place)
    kept = place.cache / "arrays" / config.kind / "inputs.npy"
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)
    np.testing.assert_array_equal(np.asarray(config.load(place).inputs), images)
    assert read_cache(kept.parent) is not None


def test_does_without_a_cache_folder(made: tuple[Config, Any], place: Place) -> None:
    config, images = made
    place.cache.write_text("a file, so no folder can be made here")
    np.testing.assert_array_equal(np.asarray(config.load(place).inputs), images)


def test_refuses_files_with_a_wrong_sum(made: tuple[Config, Any], place: Place) -> None:
    config, _ = made
    path = place.root / config.parts[-1]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=f"{config.kind} in .* is damaged"):
        config.load(place)


def test_unpacks_an_archive_that_was_put_there(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets

    packed = place.folder / "packed"
    images = make_cifar(Cifar10Config, packed, monkeypatch)
    place.root.mkdir()
    archive = place.root / Cifar10Config.archive
    with tarfile.open(archive, "w:gz") as file:
        file.add(packed / "cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", _sum(archive))
    config = Cifar10Config(validation=100)
    assert config.available(place)
    np.testing.assert_array_equal(np.asarray(config.load(place).inputs), images)
    assert (place.root / Cifar10Config.parts[0]).is_file()
    assert not archive.is_symlink()


def test_says_which_archive_to_put_where(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(config: Cifar10Config, folder: Path) -> None:
        raise OSError("network is unreachable")

    monkeypatch.setattr(Cifar10Config, "fetch", no_network)
    with pytest.raises(DataError, match="network is unreachable") as error:
        Cifar10Config().load(place)
    assert error.value.lines[2].strip() == "cifar-10-python.tar.gz"


def test_kept_arrays_import_no_torch(place: Place) -> None:
    images = _images(600).reshape(-1, 3, 32, 32)
    write_cache(place.cache / "arrays" / "cifar10", images, np.arange(600) % 10)
    code = (
        "import sys; from pathlib import Path\n"
        "from nnlab.parts.datasets.downloads.archives import Cifar10Config\n"
        "from nnlab.parts.datasets.family import Place\n"
        "Cifar10Config.examples = (500, 100)\n"
        f"here = Path({str(place.cache)!r})\n"
        "Cifar10Config(validation=100).load(Place(here, here, here))\n"
        "print(sorted({'torch', 'torchvision', 'scipy'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert found.stdout == "[]\n", found.stderr


def test_a_crash_between_two_files_counts_as_no_cache(tmp_path: Path) -> None:
    write_cache(tmp_path, np.zeros((3, 2), np.uint8), np.arange(3))
    assert read_cache(tmp_path) is not None
    np.save(tmp_path / "targets.npy", np.arange(1, 4))
    assert read_cache(tmp_path) is None
    (tmp_path / "manifest.json").unlink()
    assert read_cache(tmp_path) is None


def test_a_cache_is_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return subprocess.call, (["touch", str(tmp_path / "trapped")],)

    write_cache(tmp_path, np.zeros((3, 2), np.uint8), np.arange(3))
    np.save(tmp_path / "inputs.npy", np.array([Trap()], object), allow_pickle=True)
    assert read_cache(tmp_path) is None
    assert not (tmp_path / "trapped").exists()


def test_a_failed_download_is_told_once_and_no_word_is_cut() -> None:
    tried = "\n".join(
        f"Tried https://mirror{number}.example.org/mnist/, got:\n<urlopen error no route to host>"
        for number in range(9)
    )
    error = RuntimeError(f"Error downloading train-images-idx3-ubyte.gz:\n{tried}")
    assert in_a_line(error) == (
        "Error downloading train-images-idx3-ubyte.gz: <urlopen error no route to host>"
    )
    assert in_a_line(ValueError("word " * 100)).endswith("word ...")
