"""Where a network's answers come from: over images, over tokens and steps, by column."""

from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.contracts import flat_plans
from nnlab.core.lazy import np
from nnlab.display.pictures.drawing import axes_of
from nnlab.display.pictures.family import (
    Arrays,
    Picture,
    Scene,
    copy_to_host,
    text_array,
    thin_rows,
)
from nnlab.display.pictures.sequences.token_names import short_token
from nnlab.parts.datasets.sequences.tokens import token_names

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment

_IMAGES, _LINES, _ROWS = 4, 4, 64
"""So many images, sequences and rows of a table are asked about."""
_STEPS, _COLUMNS = 32, 12
"""So many of the last steps and of the strongest columns are drawn."""
_FEWEST = 3
"""Of fewer inputs there is nothing to choose from; a plane is better drawn as one."""


@final
class AnswerParts(Picture):
    """Which parts of the inputs the answers come from."""

    title: ClassVar[str] = "where answers come from"
    about: ClassVar[str] = (
        "What each part of an input adds to the network's answer, by integrated gradients from an "
        "input of 0 (Sundararajan et al. 2017): red speaks for the answer, blue against it; the "
        "parts add up to the answer less that to an input of 0. Of a table, how much each column "
        "adds on average, whichever way. `nnlab explain` shows more methods and tests whether each "
        "sees what was learned."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        shape = scene.experiment.shape
        self._images = len(shape.inputs) == 3
        self._table = not self._images and not shape.tokens and len(shape.inputs) == 1
        count = _IMAGES if self._images else _ROWS if self._table else _LINES
        rows = thin_rows(scene.probe, count)
        self._inputs = scene.source.gather(rows).inputs
        found = scene.examples.targets[rows.cpu().numpy()]
        self._actual = found.reshape(len(found), -1)[:, -1] if shape.classes else None

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        config, shape = experiment.config, experiment.shape
        if config.own_scores is not None or not config.rule.optimized or shape.start:
            return False
        embedded = any(plan.kind == "embedding" for plan in flat_plans(experiment.design.plans))
        return prod(shape.inputs) >= _FEWEST and (embedded or not shape.tokens)

    def still(self) -> Arrays:
        shape = self.scene.experiment.shape
        if self._images:
            images = copy_to_host(self._inputs).mean(axis=1)
            low, high = images.min(axis=(1, 2)), images.max(axis=(1, 2))
            spread = np.where(high > low, high - low, 1.0)
            return {"images": (images - low[:, None, None]) / spread[:, None, None]}
        if self._table:
            names = shape.columns or tuple(f"x{k + 1}" for k in range(prod(shape.inputs)))
            return {"columns": text_array(list(names))}
        shown = self._inputs[:, -_STEPS:].cpu()
        if shape.tokens:
            names = token_names(shape)
            words = [short_token(names[int(token)]) for token in shown.ravel()]
        else:
            words = [f"{value:.2g}" for value in shown[..., 0].ravel().tolist()]
        return {"steps": text_array(words).reshape(shown.shape[:2])}

    def collect(self, *, grid: int | None = None) -> Arrays | None:
        if self.scene.parts is None:
            return None
        columns, values = self.scene.parts(self._inputs)
        parts = copy_to_host(values)
        if self._table:
            return {"parts": np.abs(parts).mean(axis=0)}
        return {"parts": parts, "titles": text_array(self._titles(columns.tolist()))}

    def _titles(self, columns: list[int]) -> list[str]:
        """What is said of each example, and what it is where that differs."""
        shape = self.scene.experiment.shape
        if self._actual is None:
            outputs = shape.outputs > 1
            return [f"output {column + 1}" if outputs else "output" for column in columns]
        if shape.task == "labels":
            return [shape.classes[column][:10] for column in columns]
        names = shape.classes
        return [
            f"{names[said][:8]}" if said == is_ else f"{names[said][:8]}, is {names[is_][:8]}"
            for said, is_ in zip(columns, self._actual.astype(int).tolist(), strict=True)
        ]

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        if "images" in arrays:
            _draw_images(figure, arrays)
        elif "steps" in arrays:
            _draw_steps(figure, arrays)
        else:
            _draw_columns(figure, arrays)


def _limit(parts: Any) -> float:
    """Full colour, of numbers of which some may not be finite."""
    sizes = np.abs(parts[np.isfinite(parts)])
    return float(np.quantile(sizes, 0.995)) or 1e-30 if sizes.size else 1.0


def _draw_images(figure: Any, arrays: Arrays) -> None:
    images, parts, titles = arrays["images"], arrays["parts"], arrays["titles"].tolist()
    for number, (image, part) in enumerate(zip(images, parts, strict=True)):
        for row, drawn in enumerate((image, part)):
            axes = figure.add_axes((0.02 + number * 0.245, 0.5 - row * 0.45, 0.23, 0.4))
            axes.set_axis_off()
            if row == 0:
                axes.imshow(drawn, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
                axes.set_title(titles[number], fontsize=7, pad=2)
            else:
                limit = _limit(drawn)
                axes.imshow(drawn, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")


def _draw_steps(figure: Any, arrays: Arrays) -> None:
    """A line of cells for each sequence, its last steps, with what stands at each."""
    steps, parts, titles = arrays["steps"], arrays["parts"], arrays["titles"].tolist()
    count, wide = steps.shape
    size = 6.5 if max(map(len, steps.ravel().tolist())) <= 2 else 5.0
    for number in range(count):
        axes = figure.add_axes((0.03, 0.74 - number * 0.225, 0.94, 0.12))
        shown = parts[number][None, -wide:]
        limit = _limit(shown)
        axes.imshow(shown, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
        for step in range(wide):
            strong = abs(shown[0, step]) > 0.6 * limit
            axes.text(step, 0, str(steps[number, step]), fontsize=size, ha="center", va="center",
                      color="white" if strong else "#222222",
                      rotation=90 if size < 6.0 else 0)  # fmt: skip
        axes.set_title(f"answer: {titles[number]}", fontsize=7, loc="left", pad=2)
        axes.set_xticks([])
        axes.set_yticks([])


def _draw_columns(figure: Any, arrays: Arrays) -> None:
    parts, names = arrays["parts"], arrays["columns"].tolist()
    order = np.argsort(-np.nan_to_num(parts), kind="stable")[:_COLUMNS][::-1]
    axes = axes_of(figure)
    axes.barh(range(len(order)), np.nan_to_num(parts[order]), color="#1f77b4")
    axes.set_yticks(range(len(order)), [names[k][:12] for k in order], fontsize=6)
    axes.set_xlabel("mean size of its part of the answer", fontsize=8)
    axes.grid(alpha=0.25, axis="x")
