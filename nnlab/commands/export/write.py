"""Exports a run: builds the graph, writes it, asks the file about stored rows."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nnlab.commands.export.formats import EXPORT_FORMATS, INPUT, Exported, refuse_without
from nnlab.commands.export.weights import write_folder, write_weights
from nnlab.config.run_config import to_plain, to_yaml
from nnlab.core import files
from nnlab.core.contracts import Examples, Split
from nnlab.core.errors import CheckpointError, ConfigError, DataError
from nnlab.core.package import package_version
from nnlab.core.text import short_path
from nnlab.core.wrap import visible_text
from nnlab.runs.finished.answering import AnsweringNetwork
from nnlab.runs.finished.predict import Predictor, open_predictor
from nnlab.runs.finished.reopen import reopen_run
from nnlab.runs.folder.find import is_comparison
from nnlab.runs.folder.summary import read_summary

EXPORT_LIMIT = 1e-5
"""The largest difference from nnlab that is allowed, as a share of the largest answer or of 1."""
_ROWS = 256
_SPLITS: tuple[Split, ...] = ("test", "validation", "train")


@dataclass(frozen=True, slots=True)
class ExportAgreement:
    """How far the answers of a file are from those of nnlab.

    Attributes:
        rows: how many were asked, alone and all at once.
        stored: whether they are rows of the data set; else drawn at random.
        difference: the largest one of any answer, in its own unit.
        greatest: the largest answer in size.
    """

    rows: int
    stored: bool
    difference: float
    greatest: float


@dataclass(frozen=True, slots=True)
class Written:
    """What was exported.

    Attributes:
        path: the file, or the folder.
        bytes: its size.
        facts: what stands in it beside the weights, by name, as text.
        agreement: of a graph; None for weights alone.
        lowered: whether the run multiplies in a lower precision than the file, which has float32.
    """

    path: Path
    bytes: int
    facts: Mapping[str, str]
    agreement: ExportAgreement | None
    lowered: bool

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        agreement = None if self.agreement is None else asdict(self.agreement)
        return {
            "path": str(self.path),
            "bytes": self.bytes,
            "facts": dict(self.facts),
            "agreement": agreement,
        }


def export_run(run: Path, to: str, out: Path | None) -> Written:
    """Writes the best network of a run in a format.

    A graph is written beside its place, asked about up to 256 rows alone and together, and kept
    only if it agrees.

    Args:
        run: the run's folder.
        to: onnx, exported, safetensors or hf.
        out: the file (of hf, the folder); None for one in the run's `eval/`.

    Raises:
        CheckpointError: the folder is no run or a comparison, or has no sound checkpoint.
        ConfigError: the format needs packages that are not installed.
        DataError: the file's answers differ from nnlab's.
        ResourceError: it cannot be written.
    """
    if is_comparison(run):
        text = "is a comparison of several runs, one is exported at a time"
        raise CheckpointError(f"{short_path(run)}: {text} (nnlab runs lists them)")
    if to in EXPORT_FORMATS:
        refuse_without(to, EXPORT_FORMATS[to])
    predictor = open_predictor(run, device="cpu", places=True)
    network = AnsweringNetwork(predictor)
    facts = facts_of(run, predictor, network)
    place = out or run / "eval" / f"{facts['name']}{_suffix(to)}"
    if out is None:
        with files.storage_errors(place):
            place.parent.mkdir(exist_ok=True)
    agreement = None
    if to in EXPORT_FORMATS:
        agreement = _write_graph(run, predictor, network, facts, to=to, place=place)
    elif to == "safetensors":
        write_weights(network.network, facts, place)
    else:
        text = to_yaml(to_plain(predictor.experiment.config))
        write_folder(network.network, facts, place, config=text, scores=_reached(run))
    size = sum(file.stat().st_size for file in [place, *place.glob("*")] if file.is_file())
    return Written(place, size, facts, agreement, predictor.autocast is not None)


def facts_of(run: Path, predictor: Predictor, network: AnsweringNetwork) -> dict[str, str]:
    """What a program has to know of the network, each as text or as JSON."""
    known, config = predictor.known, predictor.experiment.config
    example = network.example
    return {
        "name": f"{run.absolute().parent.name}-{run.absolute().name}",
        "nnlab": package_version(),
        "task": predictor.experiment.shape.task,
        "inputs": json.dumps([str(example.dtype).removeprefix("torch."), *example.shape[1:]]),
        "columns": json.dumps(list(known["columns"]), ensure_ascii=False),
        "answer": network.answer,
        "places": json.dumps(list(predictor.experiment.shape.places)),
        "classes": json.dumps(list(known["classes"]), ensure_ascii=False),
        "shift": json.dumps(known["shift"]),
        "factor": json.dumps(known["factor"]),
        "model": config.model.kind,
    }


def told(written: Written) -> str:
    """What was written, in sentences."""
    facts, found = written.facts, written.agreement
    dtype, *shape = json.loads(facts["inputs"])
    names = _named(json.loads(facts["columns"]))
    classes = _named(json.loads(facts["classes"]))
    size = f"{written.bytes / 1e3:.3g} kB"
    if found is None:
        return f"{facts['name']}: the weights of the best checkpoint, {size}"
    wanted = ", ".join(("N", *map(str, shape)))
    given = ", ".join(("N", *map(str, json.loads(facts["places"])), "K"))
    asked = "rows of the data set" if found.stored else "rows drawn at random (no data here)"
    lines = [
        f"{facts['name']}: the network of the best checkpoint, {size}",
        f"input {INPUT}: {dtype} ({wanted}) as in your data, not scaled{names}",
        f"output {facts['answer']}: ({given}){classes}",
        f"agrees with nnlab predict on {found.rows} {asked}, one at a time and together: "
        f"largest difference {found.difference:.1e}",
    ]
    if written.lowered:
        lines.append("the run multiplies in a lower precision; this file computes in float32")
    return "\n".join(lines)


def _named(names: list[str]) -> str:
    shown = ", ".join(map(visible_text, names[:6]))
    return f": {shown}{', ...' if len(names) > 6 else ''}" if names else ""


def _suffix(to: str) -> str:
    return (
        EXPORT_FORMATS[to].suffix
        if to in EXPORT_FORMATS
        else {"safetensors": ".safetensors"}.get(to, "")
    )


def _reached(run: Path) -> str:
    """The scores of the best reading, as a clause for a card."""
    best = read_summary(run).best
    if best is None:
        return ""
    scores = ", ".join(f"{key} {value:.4g}" for key, value in best["scores"].items())
    return (
        f"; on its {best['split']} split: loss {best['loss']:.4g}{', ' if scores else ''}{scores}"
    )


def _write_graph(
    run: Path,
    predictor: Predictor,
    network: AnsweringNetwork,
    facts: Mapping[str, str],
    *,
    to: str,
    place: Path,
) -> ExportAgreement:
    """Writes a graph into a folder of its own, asks it, and puts it in its place."""
    rows, stored = _some_rows(run, network.example, predictor.known)
    with TemporaryDirectory(prefix="nnlab-export-") as folder:
        file = Path(folder) / f"model{EXPORT_FORMATS[to].suffix}"
        EXPORT_FORMATS[to].write(network, facts, file)
        agreement = _compare(EXPORT_FORMATS[to].open(file), predictor, network, rows, stored=stored)
        if not agreement.difference <= EXPORT_LIMIT * max(1.0, agreement.greatest):
            text = f"answers up to {agreement.difference:.1e} away from nnlab predict"
            raise DataError(f"--to {to}: {text}, so it was not kept (another --to may agree)")
        files.write_file(place, file.read_bytes())
    return agreement


def _compare(
    answers: Exported,
    predictor: Predictor,
    network: AnsweringNetwork,
    rows: NDArray[Any],
    *,
    stored: bool,
) -> ExportAgreement:
    """Asks a file about rows alone and together, and nnlab about the same."""
    if predictor.autocast is None:
        said = predictor(rows)
        wanted = said.outputs if said.probabilities is None else said.probabilities
    else:  # the file has no autocast: what it must reproduce is the network in float32
        with torch.no_grad():
            wanted = network(torch.from_numpy(rows)).numpy()
    together = answers(rows)
    wanted = wanted.reshape(together.shape)  # of several answers a row nnlab says one after another
    alone = np.concatenate([answers(rows[[number]]) for number in range(min(len(rows), 16))])
    differences = (np.abs(together - wanted).max(), np.abs(alone - wanted[: len(alone)]).max())
    return ExportAgreement(len(rows), stored, float(max(differences)), float(np.abs(wanted).max()))


def _some_rows(
    run: Path, example: torch.Tensor, known: Mapping[str, Any]
) -> tuple[NDArray[Any], bool]:
    """Up to 256 rows as they are stored; drawn at random where the data are not here."""
    dtype = np.dtype(str(example.dtype).removeprefix("torch."))
    try:
        examples = reopen_run(run, "cpu")[1]
    except (ConfigError, DataError):
        draw = np.random.default_rng(0)
        shape = (_ROWS, *example.shape[1:])
        if dtype == np.uint8:
            return draw.integers(0, known["peak"] + 1, shape).astype(np.uint8), False
        if dtype == np.int64:
            return draw.integers(0, known["tokens"], shape), False
        factor = np.asarray(known["factor"], np.float64)
        spread = np.divide(1.0, factor, out=np.zeros_like(factor), where=factor != 0)
        rows = draw.normal(size=shape) * spread + np.asarray(known["shift"], np.float64)
        base = known.get("base")
        return (rows if base is None else rows + np.asarray(base)).astype(dtype), False
    split: Split = next(name for name in _SPLITS if name in examples.rows)
    return np.ascontiguousarray(_own(examples, split).astype(dtype)), True


def _own(examples: Examples, split: Split) -> NDArray[Any]:
    rows = examples.rows[split][:_ROWS]
    if isinstance(examples.inputs, np.ndarray):
        return examples.own(examples.inputs[rows])
    return np.stack([examples.inputs.read(int(row)) for row in rows])
