"""The formats that a network is exported to: what writes each, and what answers from its file."""

import importlib.util
import json
import logging
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from nnlab.core.errors import ConfigError
from nnlab.core.package import DISTRIBUTION
from nnlab.runs.finished.answering import AnsweringNetwork

Exported = Callable[[NDArray[Any]], NDArray[Any]]
"""(N, *shape) rows as they are stored to (N, K) answers."""
INPUT = "inputs"


class ExportFormat(NamedTuple):
    """A format of a graph: how it is written, and how its file is asked."""

    suffix: str
    needs: tuple[str, ...]
    """Packages beside nnlab's own, of the extra `export`."""
    write: Callable[[AnsweringNetwork, Mapping[str, str], Path], None]
    open: Callable[[Path], Exported]


def refuse_without(name: str, format: ExportFormat) -> None:
    """Says what is missing, before anything is built.

    Raises:
        ConfigError: a package of the extra is not installed.
    """
    missing = [need for need in format.needs if importlib.util.find_spec(need) is None]
    if missing:
        way = f"pip install '{DISTRIBUTION}[export]'"
        raise ConfigError(f"--to {name}: needs {', '.join(missing)} (install: {way})")


@contextmanager
def _quiet() -> Generator[None]:
    """Without the notes of torch's exporter, which speak of its own progress."""
    names = ("torch.onnx", "onnxscript", "onnx_ir")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _any_batch() -> dict[str, dict[int, Any]]:
    """The first axis of the inputs may have any length."""
    return {INPUT: {0: torch.export.Dim("N")}}


def write_onnx(network: AnsweringNetwork, facts: Mapping[str, str], path: Path) -> None:
    """One ONNX file; the facts are its metadata."""
    with _quiet():
        program = torch.onnx.export(
            network,
            (network.example,),
            dynamo=True,
            dynamic_shapes=_any_batch(),
            input_names=[INPUT],
            output_names=[network.answer],
            verbose=False,
        )
        assert program is not None
        program.model.producer_name = "nnlab"
        program.model.metadata_props.update(facts)
        program.save(str(path), external_data=False)


def open_onnx(path: Path) -> Exported:
    """Answers by onnxruntime, on the CPU."""
    import onnxruntime  # pyright: ignore[reportMissingImports]

    session: Any = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda rows: session.run(None, {INPUT: rows})[0]


def write_exported(network: AnsweringNetwork, facts: Mapping[str, str], path: Path) -> None:
    """A program of torch.export; the facts stand beside it as `nnlab.json`."""
    with _quiet(), torch.no_grad():
        program = torch.export.export(network, (network.example,), dynamic_shapes=_any_batch())
        extra = {"nnlab.json": json.dumps(dict(facts))}
        torch.export.save(program, path, extra_files=extra)


def open_exported(path: Path) -> Exported:
    """Answers by torch, from the file alone."""
    module = torch.export.load(path).module()

    def answers(rows: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            return np.asarray(module(torch.from_numpy(rows)))

    return answers


EXPORT_FORMATS: dict[str, ExportFormat] = {
    "onnx": ExportFormat(".onnx", ("onnx", "onnxscript", "onnxruntime"), write_onnx, open_onnx),
    "exported": ExportFormat(".pt2", (), write_exported, open_exported),
}
"""Graphs, which can be asked. Weights alone are written by `weights.py`."""
