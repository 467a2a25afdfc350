"""`nnlab show CONFIG --data --plot FILE`: the data as a picture."""

from pathlib import Path
from typing import Any

from nnlab.core import files
from nnlab.core.contracts import Examples
from nnlab.core.errors import ConfigError
from nnlab.core.lazy import NDArray, np, torch
from nnlab.display.pictures.drawing import class_color, new_figure, save_figure
from nnlab.display.pictures.family import evenly_spaced
from nnlab.display.pictures.judged import image_for_display
from nnlab.experiment.experiment import Experiment
from nnlab.parts.datasets.checks import counts_of

EACH = 6
"""Examples of a class."""
CLASSES = 10
_COLUMNS = 12
"""So many columns of a table are shown."""


def plot_data(experiment: Experiment, examples: Examples, file: Path) -> None:
    """Draws what the data look like; and images after augmentation, too.

    Raises:
        ConfigError: the file is no PNG.
        ResourceError: it cannot be written.
    """
    if file.suffix != ".png":
        raise ConfigError(f"--plot {file}: needs a name that ends in .png")
    files.write_file(file, draw_data(experiment, examples))


def draw_data(experiment: Experiment, examples: Examples) -> bytes:
    """The picture as the bytes of a PNG."""
    figure = new_figure((9.0, 5.4))
    shape = examples.shape
    left, right = figure.subfigures(1, 2, width_ratios=(1.0, 2.2))
    _counts(left, examples)
    if len(shape.inputs) == 3:
        _images(right, experiment, examples)
    elif shape.inputs == (2,) and shape.task == "classes":
        _plane(right, examples)
    elif shape.inputs == (1,) and shape.task == "regression":
        _function(right, examples)
    else:
        _columns(right, examples)
    return save_figure(figure)


def _counts(figure: Any, examples: Examples) -> None:
    """Examples of each class in each split; the targets of a regression."""
    axes = figure.add_axes((0.24, 0.12, 0.72, 0.74))
    axes.tick_params(labelsize=8)
    splits = list(examples.rows)
    sizes = ", ".join(f"{split} {len(examples.rows[split]):,}" for split in splits)
    figure.text(0.5, 0.955, sizes, ha="center", fontsize=8)
    names = examples.shape.classes
    if not names:
        for number, split in enumerate(splits):
            targets = examples.targets[examples.rows[split]].ravel()
            axes.hist(targets, bins=30, color=class_color(number), alpha=0.6, label=split)
        axes.set_xlabel("target", fontsize=8)
    else:
        before = np.zeros(len(names))
        for number, split in enumerate(splits):
            counted = np.asarray(counts_of(examples, split), dtype=np.float64)
            axes.barh(
                np.arange(len(names)), counted, left=before, color=class_color(number), label=split
            )
            before = before + counted
        axes.invert_yaxis()
        if len(names) <= 2 * CLASSES:
            axes.set_yticks(np.arange(len(names)), [name[:12] for name in names], fontsize=7)
        axes.set_xlabel("examples", fontsize=8)
    figure.legend(fontsize=7, loc="upper center", ncols=3, bbox_to_anchor=(0.5, 0.95))


def _images(figure: Any, experiment: Experiment, examples: Examples) -> None:
    """Rows of images, a row for each class; right of them the same as training sees them."""
    rows = chosen_examples(examples)
    augment = experiment.config.data.augment
    stored = _read(examples, rows.ravel()).reshape(*rows.shape, *examples.shape.inputs)
    blocks = [("as stored", stored)]
    if augment:
        blocks.append(("augmented", _augmented(experiment, examples, rows)))
    for number, (title, block) in enumerate(blocks):
        width = 0.98 / len(blocks)
        axes = figure.add_axes((0.01 + number * width, 0.03, width - 0.02, 0.9))
        axes.imshow(_sheet(block), cmap="gray", interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(title, fontsize=9)


def chosen_examples(examples: Examples) -> "NDArray[np.int64]":
    """(classes, EACH) training rows: the first of each of the first classes."""
    rows = examples.rows["train"]
    if examples.shape.task != "classes":
        return evenly_spaced(rows, CLASSES * EACH)[: len(rows) // EACH * EACH].reshape(-1, EACH)
    labels = examples.targets[rows]
    found = [rows[labels == number][:EACH] for number in range(len(examples.shape.classes))]
    # A class with too few examples shows its last one again.
    kept = [np.pad(own, (0, EACH - len(own)), mode="edge") for own in found if len(own)]
    return np.stack(kept[:CLASSES])


def _augmented(
    experiment: Experiment, examples: Examples, rows: "NDArray[np.int64]"
) -> "NDArray[Any]":
    from nnlab.core.contracts import Batch
    from nnlab.parts.augments.family import apply_augments

    shape = examples.shape
    stored = _read(examples, rows.ravel()).astype(np.float32)
    seen = torch.from_numpy((stored - examples.shift) * examples.factor)
    targets = torch.from_numpy(examples.targets[rows.ravel()])
    batch = Batch(seen, targets, torch.from_numpy(rows.ravel()))
    changed = apply_augments(experiment.config.data.augment, shape)(batch, 0).inputs.numpy()
    return (changed / examples.factor + examples.shift).reshape(*rows.shape, *shape.inputs)


def _sheet(block: "NDArray[Any]") -> "NDArray[Any]":
    """(rows, columns, channels, height, width) to one image."""
    rows, columns = block.shape[:2]
    channels, height, width = block.shape[2:]
    tall, wide = height + 1, width + 1
    edge = float(block.min())
    sheet = np.full((channels, rows * tall, columns * wide), edge, np.float64)
    for row in range(rows):
        for column in range(columns):
            top, left = row * tall, column * wide
            sheet[:, top : top + height, left : left + width] = block[row, column]
    return image_for_display(sheet)


def _plane(figure: Any, examples: Examples) -> None:
    marks = {"train": "o", "validation": "s", "test": "^"}
    axes = figure.add_axes((0.08, 0.12, 0.88, 0.8))
    axes.tick_params(labelsize=8)
    for split, rows in examples.rows.items():
        some = evenly_spaced(rows)
        points = examples.own(np.asarray(examples.inputs)[some])
        labels = examples.targets[some]
        for number, name in enumerate(examples.shape.classes[:CLASSES]):
            axes.scatter(
                *points[labels == number].T, s=12, marker=marks[split], c=class_color(number),
                alpha=1.0 if split == "train" else 0.45, linewidths=0,
                label=name if split == "train" else None,
            )  # fmt: skip
    axes.legend(fontsize=8, title="circles: training", title_fontsize=7)


def _function(figure: Any, examples: Examples) -> None:
    axes = figure.add_axes((0.08, 0.12, 0.88, 0.8))
    axes.tick_params(labelsize=8)
    for number, (split, rows) in enumerate(examples.rows.items()):
        some = evenly_spaced(rows)
        inputs = examples.own(np.asarray(examples.inputs)[some])[:, 0]
        targets = examples.targets[some, 0]
        axes.scatter(
            inputs, targets, s=9, c=class_color(number), linewidths=0, alpha=0.7, label=split
        )
    axes.legend(fontsize=8)


def _columns(figure: Any, examples: Examples) -> None:
    """How the first columns of a table are spread, as stored."""
    rows = evenly_spaced(examples.rows["train"], 2000)
    table = examples.own(_read(examples, rows)).reshape(len(rows), -1)[:, :_COLUMNS]
    names = examples.shape.columns or tuple(f"column {n + 1}" for n in range(table.shape[1]))
    panels = figure.subplots(3, 4).ravel()
    for number, axes in enumerate(panels):
        if number >= table.shape[1]:
            axes.set_axis_off()
            continue
        axes.hist(table[:, number], bins=24, color=class_color(0))
        axes.set_title(names[number][:22], fontsize=7)
        axes.tick_params(labelsize=6)
    figure.subplots_adjust(left=0.06, right=0.98, top=0.93, bottom=0.06, hspace=0.5, wspace=0.35)


def _read(examples: Examples, rows: "NDArray[np.int64]") -> "NDArray[Any]":
    if isinstance(examples.inputs, np.ndarray):
        return examples.inputs[rows]
    return np.stack([examples.inputs.read(int(row)) for row in rows])
