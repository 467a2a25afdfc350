"""`nnlab pictures`: the pictures of a run as files, from its checkpoints."""

from collections.abc import Sequence
from os import cpu_count
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from nnlab.commands.pictures.contact_sheet import contact_sheet
from nnlab.core import files
from nnlab.core.errors import CheckpointError
from nnlab.core.events import Reading
from nnlab.display.pictures.drawing import figure_png
from nnlab.display.pictures.family import Arrays, Moment, Picture
from nnlab.runs.building.build import place_network
from nnlab.runs.finished.reopen import reopen_run, restore_network
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.metrics import read_history, readings_of
from nnlab.runs.observers.gallery import pictures_of, scene_of
from nnlab.training import device as devices

SHEET = "contact-sheet.png"
PICTURE_NAMES: tuple[checkpoint.Pointer, ...] = ("init", "best", "last")


class FileForm(NamedTuple):
    """How pictures are written."""

    dpi: int = 200
    """Pixels an inch: 840 x 680 pixels in all."""
    format: Literal["png", "svg"] = "png"


_USUAL = FileForm()


def draw_all(runs: Sequence[Path], out: Path | None = None, form: FileForm = _USUAL) -> list[Path]:
    """`draw` of each run; of several, `out` gets a folder for each."""
    several = len(runs) > 1
    found: list[Path] = []
    for run in runs:
        found += draw(run, out / run.name if out is not None and several else out, form)
    return found


def draw(run: Path, out: Path | None = None, form: FileForm = _USUAL) -> list[Path]:
    """Draws all pictures that fit a run, of its first, best and last weights.

    Those that show the whole past are drawn once, of the last.

    Args:
        run: the run's folder.
        out: where to; None is `run`/eval/pictures/.
        form: of the files.

    Returns:
        The files: "decision-boundary.best.png", and all of them on one sheet.

    Raises:
        CheckpointError: the run has no sound checkpoint, or the data are not those of the run.
        ResourceError: the files cannot be written.
    """
    folder = out if out is not None else run / "eval" / "pictures"
    experiment, examples = reopen_run(run, "cpu")
    readings = readings_of(_history(run))
    network = place_network(
        restore_network(run, experiment, "init"), experiment, torch.device("cpu")
    )
    scene = scene_of(experiment, examples, network)
    pictures = pictures_of(scene)
    with files.storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    small: dict[str, dict[str, bytes]] = {}
    seen = 0
    with devices.torch_settings(threads=cpu_count() or 1, deterministic=False):
        for name in PICTURE_NAMES:
            step = checkpoint.named_checkpoint(run / "checkpoints", name).step
            network.load_state_dict(restore_network(run, experiment, name).state_dict())
            seen = _see(pictures, readings, seen, step)
            moment = Moment(step, step / experiment.per_epoch)
            for picture in pictures:
                if picture.cumulative and name != "last":
                    continue
                if (arrays := picture.arrays()) is not None:
                    file = folder / f"{slug(picture.title)}.{name}.{form.format}"
                    image, preview = _both_forms(type(picture), arrays, moment, form)
                    small.setdefault(picture.title, {})[name] = preview
                    files.write_file(file, image)
                    written.append(file)
    if small:
        abouts = {picture.title: picture.about for picture in pictures}
        files.write_file(folder / SHEET, contact_sheet(small, PICTURE_NAMES, abouts))
        written.append(folder / SHEET)
    return written


def _see(pictures: Sequence[Picture], readings: Sequence[Reading], first: int, step: int) -> int:
    """Shows the pictures the readings from the first up to a step; how many they have seen."""
    while first < len(readings) and readings[first].step <= step:
        for picture in pictures:
            picture.see(readings[first])
        first += 1
    return first


def _both_forms(
    kind: type[Picture], arrays: Arrays, moment: Moment, form: FileForm
) -> tuple[bytes, bytes]:
    """A picture as a file of this form, and as a PNG file for the sheet."""
    image = figure_png(kind, arrays, moment, dpi=form.dpi, format=form.format)
    if form.format == "png":
        return image, image
    return image, figure_png(kind, arrays, moment, dpi=_USUAL.dpi)


def slug(title: str) -> str:
    """A title as a file's name: first-layers-weights."""
    return "-".join(title.replace("'", "").split())


def _history(run: Path) -> list[dict[str, object]]:
    try:
        return read_history(run / "metrics.jsonl")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{run / 'metrics.jsonl'}: cannot be read, {error}") from None
