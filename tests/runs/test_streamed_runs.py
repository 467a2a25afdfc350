"""Runs on image files that are read while the network trains."""

import sys
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nnlab.core.events import SaveDue
from nnlab.display.open_view import open_view
from nnlab.parts.datasets.files.image_folder import workers_beside
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.folder import checkpoint
from nnlab.runs.run import stream_run, train

EACH = 20


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random, folder = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "images"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(EACH):
            pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
    return folder


def config(images: Path, **data: Any) -> dict[str, Any]:
    read = {"path": str(images), "image_size": 8, "validation": 8, "test": 8, "in_memory": "never"}
    return {
        "name": "images",
        "data": {"kind": "image_folder", "augment": ["flip"], **read, **data},
        "model": {"kind": "mlp", "hidden": [4]},
        "train": {"epochs": 3, "batch_size": 5},
        "log": {"every": "2 steps"},
    }


def last(folder: Path) -> dict[str, Any]:
    found = checkpoint.named_checkpoint(folder / "checkpoints", "last").tensors
    return {name: tensor.tolist() for name, tensor in found.items()}


@pytest.fixture(scope="module")
def whole(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(config(images, workers=0), run_dir=folder)
    return folder


@pytest.mark.parametrize("data", [{"workers": 2}, {"workers": 1}, {"in_memory": "always"}], ids=str)
def test_how_images_are_read_changes_no_bit(
    images: Path, whole: Path, tmp_path: Path, data: dict[str, Any]
) -> None:
    train(config(images, **data), run_dir=tmp_path / "run")
    assert active_children() == []
    assert last(tmp_path / "run") == last(whole)
    found = evaluate(tmp_path / "run", split="test")
    assert found == evaluate(whole, split="test")


def test_a_broken_run_goes_on_with_other_workers_to_the_same_bits(
    images: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Saved at every reading, so that it breaks off within an epoch.
    monkeypatch.setattr("nnlab.training.loop.SAVE_SECONDS", 0.0)
    folder, view = tmp_path / "run", open_view(quiet=True, stream=sys.stderr)
    stream = stream_run(config(images, workers=2), run_dir=folder, view=view)
    for event in stream:
        if isinstance(event, SaveDue) and event.step == 8:
            break
    stream.close()
    assert active_children() == []
    resumed = stream_run(config(images, workers=1), run_dir=folder, resume=True, view=view)
    assert [*resumed]
    assert last(folder) == last(whole)


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (8, 7), (96, 16)])
def test_auto_leaves_a_core_to_the_step(cores: int, workers: int) -> None:
    assert workers_beside(cores) == workers
