"""Whatever a person or a folder puts in the place of a file: refused by its name, at once."""

import gzip
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from PIL import Image

from nnlab.__main__ import main
from nnlab.core.errors import DataError, ResourceError
from nnlab.parts.datasets.downloads.cache import read_cache, write_cache
from nnlab.parts.datasets.downloads.idx import read_idx
from nnlab.runs.folder.folder import lock_folder
from nnlab.training.compiled.cache import StepCache

pytestmark = pytest.mark.skipif(os.name == "nt", reason="has no such files")
NAMES = ("pipe", "/dev/zero", "folder", "a\0b", "\ud800", "x" * 300, "deep")


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """A pipe waits for ever, and a device is read without an end."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "deep").write_text("[" * 100_000)
    return tmp_path


def named(place: Path, name: str) -> str:
    return name if "/" in name or "\0" in name or "\ud800" in name else str(place / name)


@pytest.mark.parametrize("name", NAMES[:-1])
def test_what_is_no_list_of_rows_is_no_exclusion(
    place: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = {"a\0b": '"a\\0b"', "\ud800": '"\\ud800"'}.get(name, named(place, name))
    config = place / "c.yaml"
    config.write_text(f"data: {{kind: moons, exclude: {path}}}\nmodel: linear\n")
    for command in ("check", "train"):
        assert main([command, str(config)]) in (2, 3)
        assert "bug" not in capsys.readouterr().err


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "c.yaml").write_text(
        "data: {kind: moons, samples: 60}\nmodel: linear\ntrain: {epochs: 1}\n"
    )
    assert main(["train", str(folder / "c.yaml"), "--run-dir", str(folder / "run"), "-q"]) == 0
    return folder / "run"


@pytest.mark.parametrize("ending", ["", ".csv", ".npz", ".png"])
@pytest.mark.parametrize("name", NAMES[:-1])
def test_what_is_no_file_is_not_predicted(
    place: Path, run: Path, name: str, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(place / f"pipe{ending}" if ending else place / "other")
    assert main(["predict", str(run), named(place, name) + ending]) in (2, 3, 6)
    assert "bug" not in capsys.readouterr().err


@pytest.mark.parametrize("what", ["pipe", "folder", "deep"])
@pytest.mark.parametrize("file", ["inputs.npy", "targets.npy", "manifest.json"])
def test_a_cache_that_is_none_is_made_anew(place: Path, what: str, file: str) -> None:
    folder = place / "cache"
    inputs, targets = np.zeros((3, 2), np.float32), np.array([0, 1, 0])
    write_cache(folder, inputs, targets)
    found = read_cache(folder)
    assert found is not None
    assert found.inputs.tobytes() == inputs.tobytes()
    (folder / file).unlink()
    (place / what).rename(folder / file)
    assert read_cache(folder) is None


@pytest.mark.parametrize("what", ["pipe", "folder", "deep"])
def test_a_built_step_that_is_none_is_built_anew(place: Path, what: str) -> None:
    (place / what).rename(place / "some.recipe")
    (place / "some.json").symlink_to(place / "nowhere")
    cache = StepCache(place)
    assert cache.by_recipe("some") is None
    assert cache.by_key("some") is None


def test_an_idx_file_is_read_as_it_is_and_packed(place: Path) -> None:
    content = bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9])
    (place / "plain").write_bytes(content)
    (place / "packed.gz").write_bytes(gzip.compress(content))
    for name in ("plain", "packed"):
        assert read_idx(place / name, (3,)).tolist() == [7, 8, 9]
    (place / "pipe").rename(place / "pipe.gz")
    for name in ("pipe", "folder", "deep", "nothing"):
        with pytest.raises(DataError):
            read_idx(place / name, (3,))


def test_an_image_that_is_a_pipe_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        (place / "images" / name).mkdir(parents=True)
        for number in range(8):
            Image.new("L", (4, 4), number).save(place / "images" / name / f"{number}.png")
    os.mkfifo(place / "images" / "a" / "0pipe.png")
    config = place / "c.yaml"
    config.write_text(
        "data: {kind: image_folder, path: images, image_size: 4}\nmodel: linear\n"
        "train: {epochs: 1}\n"
    )
    for command in ("check", "train"):
        assert main([command, str(config)]) in (0, 3)
    assert "0pipe.png" in capsys.readouterr().err


def test_a_folder_in_use_is_told_whatever_its_env_json_is(place: Path) -> None:
    folder = place / "run"
    with lock_folder(folder):
        (place / "pipe").rename(folder / "env.json")
        with pytest.raises(ResourceError, match="in use by another process"), lock_folder(folder):
            pass


@pytest.mark.parametrize("file", ["metrics.jsonl", "source.yaml", "findings.jsonl"])
@pytest.mark.parametrize("what", ["pipe", "folder"])
def test_a_run_whose_file_is_none_never_ends_in_a_bug(
    place: Path, run: Path, file: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    mine = Path(shutil.copytree(run, place / "run"))
    (mine / file).unlink()
    (place / what).rename(mine / file)
    for words in (["resume", str(mine), "--set", "train.epochs=2"], ["doctor", str(mine)]):
        assert main(words) in (0, 4, 6, 7), words
        assert "bug" not in capsys.readouterr().err
