"""Images that are stored as bytes are never held as floats: 4 or 8 times their memory."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nnlab.commands.report.noise_inputs import noises
from nnlab.commands.show.data import shown_data_facts as previewed
from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Examples, Machine
from nnlab.diagnosis.evidence import data_facts
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.runs.building.build import build_trainer
from nnlab.training.progress import Progress
from nnlab.training.sources import ResidentSource

COUNT, SHAPE = 1200, (3, 48, 48)
BATCH = 50


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random, path = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "images.npz"
    inputs = random.integers(0, 256, (COUNT, *SHAPE), dtype=np.uint8)
    np.savez(path, inputs=inputs, targets=np.arange(COUNT) % 2)
    return path


@pytest.fixture(scope="module")
def settled(file: Path) -> Experiment:
    splits = {"validation": 200, "test": 200}
    config = {
        "data": {"kind": "npz", "path": str(file), "scale": "channel", **splits},
        "model": {"kind": "mlp", "hidden": [2]},
        "train": {"steps": 4, "batch_size": BATCH},
        "log": {"every": "2 steps"},
    }
    return settle(load_config(config), place_for(file.parent), Machine("cpu", 1))


@pytest.fixture(scope="module")
def examples(file: Path, settled: Experiment) -> Examples:
    return settled.config.data.load(place_for(file.parent))


class Largest(TorchDispatchMode):
    """Notes the most elements that a floating-point tensor had."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for one in tree_leaves(found):
            if isinstance(one, torch.Tensor) and one.is_floating_point():
                self.elements = max(self.elements, one.numel())
        return found


def test_training_and_evaluation_hold_the_bytes_once_and_scale_a_batch_at_a_time(
    settled: Experiment, examples: Examples
) -> None:
    assert isinstance(examples.inputs, np.ndarray)
    built = build_trainer(settled, examples, torch.device("cpu"))
    with Largest() as seen:
        assert [*built.trainer.run(Progress())]
        for measure in built.measure.values():
            measure()
    assert isinstance(built.source, ResidentSource)
    held = built.source.tensors()["inputs"]
    assert held.dtype == torch.uint8
    # On the CPU not even the bytes are copied.
    assert held.data_ptr() == examples.inputs.ctypes.data
    # Of 1200 images: a look takes 256 at once, an evaluation by the memory that it needs.
    assert seen.elements <= 2**22 < examples.inputs.size
    assert seen.elements >= BATCH * np.prod(SHAPE)


def peak(call: Callable[[], object]) -> int:
    """The most bytes that NumPy had allocated meanwhile."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    # What is looked at in one go, in proportion to so small a set.
    for name in (
        "parts.datasets.scaling._CHUNK",
        "parts.datasets.checks._CHUNK",
        "commands.show.data._CHUNK",
        "diagnosis.evidence.data_facts._ELEMENTS",
        "commands.report.noise_inputs._ELEMENTS",
    ):
        monkeypatch.setattr(f"nnlab.{name}", 1 << 17)


@pytest.mark.usefixtures("small_chunks")
class TestNoFloatsOfAllImages:
    def test_to_load_them(self, file: Path, settled: Experiment) -> None:
        def load() -> Examples:
            return settled.config.data.load(place_for(file.parent))

        # The array of the file and the table that it goes into, both as bytes.
        assert peak(load) < 2.5 * COUNT * np.prod(SHAPE)

    def test_to_show_them(self, examples: Examples) -> None:
        assert peak(lambda: previewed(examples)) < COUNT * np.prod(SHAPE)

    def test_to_diagnose_them(self, settled: Experiment, examples: Examples) -> None:
        collect = data_facts.data_facts
        assert peak(lambda: collect(settled, examples)) < COUNT * np.prod(SHAPE)

    def test_to_report_on_them(self, examples: Examples) -> None:
        assert peak(lambda: noises(examples, "test")) < COUNT * np.prod(SHAPE)
