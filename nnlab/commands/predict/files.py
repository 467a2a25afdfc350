"""`nnlab predict`: files in, answers out, piece by piece."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from nnlab.commands.predict.arrays import read_arrays
from nnlab.commands.predict.expected_inputs import Piece, Wanted, wanted_of
from nnlab.commands.predict.formats import Format, record_writer
from nnlab.commands.predict.images import read_images
from nnlab.commands.predict.reading import hinting, with_settings
from nnlab.commands.predict.records import PredictOptions, Tally, prediction_records
from nnlab.commands.predict.series import read_series
from nnlab.commands.predict.tables import read_rows
from nnlab.commands.predict.texts import predict_texts
from nnlab.core.errors import ConfigError, DataError
from nnlab.core.files import refuse_irregular
from nnlab.parts.datasets.family import DataConfig
from nnlab.parts.datasets.files.image_files import SUFFIXES
from nnlab.parts.datasets.sequences.series import SeriesLikeConfig
from nnlab.parts.datasets.sequences.text import TextLikeConfig
from nnlab.runs.folder.find import is_comparison, members_of

if TYPE_CHECKING:
    from nnlab.runs.finished.predict import Predictor

_ROWS = 4096
"""About so many are read, answered and written at once."""
_TABLES = (".csv", ".tsv", ".txt")


def predict_files(
    run: Path,
    files: Sequence[Path],
    *,
    asked: PredictOptions,
    format: Format = "table",
    device: str = "auto",
    changes: Sequence[str] = (),
    write: Callable[[str], None],
    note: Callable[[str], None],
) -> None:
    """Says what the best network of a run makes of files.

    Args:
        run: its folder.
        files: images, csv or npz, in any mixture.
        asked: what to tell beside the answers.
        format: how.
        device: auto, cpu, cuda, cuda:N or mps.
        changes: how csv files are written, if not as the run's: `data.encoding=cp1252`.
        write: gets the answers, some rows at a time.
        note: gets what a person should know.

    Raises:
        NnlabError: the run is a comparison, has no sound checkpoint or gives nothing of what is
            asked for; a file cannot be read, or does not fit the run.
    """
    _refuse_unreadable(run, files)
    from nnlab.runs.finished.predict import open_predictor

    predictor = open_predictor(run, device=device, places=True)
    data = predictor.experiment.config.data
    wanted = with_settings(wanted_of(predictor.experiment.config, predictor.known), data, changes)
    _refuse(wanted, predictor, asked)
    told = record_writer(format, one_file=len(files) == 1)
    if isinstance(data, TextLikeConfig):
        predict_texts(predictor, files, wanted, asked, told=told, write=write, note=note)
        return
    _refuse_places(run, predictor)
    tally = Tally(wanted)
    rows = max(1, _ROWS // predictor.batch) * predictor.batch
    with hinting(note) as hint:
        for piece, numbered in _pieces(files, data, wanted, rows, hint):
            found = predictor(piece.inputs)
            if piece.bases is not None:
                found = replace(found, outputs=found.outputs + piece.bases[:, None])
            tally.add(piece, found)
            write(told(list(prediction_records(piece, found, wanted, asked, places=numbered))))
    if tally.said:
        note(tally.said)


def _refuse_unreadable(run: Path, files: Sequence[Path]) -> None:
    if is_comparison(run):
        some = [f"{run.parent.name}/{run.name}/{member.name}" for member in members_of(run)[:3]]
        raise ConfigError(f"{run}: is a comparison (name one of its runs: {', '.join(some)}, ...)")
    for file in files:
        _refuse_irregular(file)


def _refuse_places(run: Path, predictor: "Predictor") -> None:
    experiment = predictor.experiment
    if experiment.shape.places:
        text = f"{experiment.config.data.kind} has an answer at every step, which no file gives"
        raise ConfigError(f"{run}: {text} (nnlab eval scores its test split)")


def _files_of(folder: Path) -> str:
    """What names the files of a folder, by those that lie in it or in the folders below."""
    kinds = (*SUFFIXES, *_TABLES, ".npz", ".npy")
    for place, folders, names in os.walk(folder):
        folders.sort()
        found = [name for name in names if Path(name).suffix.lower() in kinds]
        if found:
            return f"name its files: {quote(str(place))}/*{Path(min(found)).suffix}"
    return "it holds no file that can be read"


def _refuse_irregular(file: Path) -> None:
    """Refuses what is no plain file.

    Raises:
        DataError: saying what it is.
    """
    if not file.exists():
        raise DataError(f"{file}: no such file")
    if file.is_dir():
        raise DataError(f"{file}: is a folder ({_files_of(file)})")
    try:
        refuse_irregular(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: {error}") from None


def _kind(file: Path) -> str:
    """How a file is read: by the end of its name."""
    suffix = file.suffix.lower()
    if suffix in SUFFIXES:
        return "image"
    if suffix == ".npz":
        return "npz"
    if suffix in _TABLES:
        return "table"
    known = ", ".join([*_TABLES, ".npz", *sorted(SUFFIXES)])
    raise DataError(f"{file}: is of no known kind (files end in {known})")


def _pieces(
    files: Sequence[Path],
    data: DataConfig,
    wanted: Wanted,
    rows: int,
    note: Callable[[str], None],
) -> Iterator[tuple[Piece, bool]]:
    """The examples, and whether they are numbered within their file."""
    for kind, some in groupby(files, _kind):
        if kind == "image":
            yield from ((piece, False) for piece in read_images(list(some), wanted, rows, note))
            continue
        for file in some:
            if kind == "npz":
                yield from ((piece, True) for piece in read_arrays(file, wanted, rows, note))
            elif isinstance(data, SeriesLikeConfig):
                yield from ((piece, True) for piece in read_series(file, data, rows))
            else:
                yield from ((piece, True) for piece in read_rows(file, wanted, rows, note))


def _refuse(wanted: Wanted, predictor: "Predictor", asked: PredictOptions) -> None:
    """Probabilities where there are none."""
    option = "--proba" if asked.proba else "--top" if asked.top else ""
    if not option:
        return
    if wanted.task == "regression":
        raise ConfigError(f"{option}: this run predicts numbers, which have no probabilities")
    loss = predictor.experiment.loss
    if not loss.link_inside:
        raise ConfigError(f"{option}: outputs under {loss.kind} are no probabilities")
