"""Training against validation: the picture of overfitting."""

from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.contracts import Split
from nnlab.core.events import Reading
from nnlab.core.lazy import np
from nnlab.display.pictures.drawing import class_color, log_y_axis
from nnlab.display.pictures.family import Arrays, Picture, Scene, text_array

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment

_MOST = 4000
"""So many readings of a split are kept; of more every second."""
_SPLITS: tuple[Split, ...] = ("train", "validation")


@final
class LearningCurve(Picture):
    """Loss and first score of both splits."""

    title: ClassVar[str] = "training and validation"
    about: ClassVar[str] = (
        "Loss and first score over the epochs. Training is a mean over the examples since the "
        "reading before, in training mode; validation is of the weights at that moment. Where the "
        "curves part, the network learns what does not carry over."
    )
    cumulative: ClassVar[bool] = True

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        scores = [score.key for score in scene.experiment.scores]
        self._keys = ("loss", *scores[:1])
        self._found: dict[Split, list[tuple[float, ...]]] = {split: [] for split in _SPLITS}

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        return not experiment.shape.start

    def see(self, reading: Reading) -> None:
        kept = self._found.get(reading.split)
        if kept is None:
            return
        values = (reading.values.get(key, np.nan) for key in self._keys)
        kept.append((reading.epoch, *values))
        if len(kept) > _MOST:
            kept[:-1] = kept[:-1:2]

    def collect(self, *, grid: int | None = None) -> Arrays | None:
        if max((len(found) for found in self._found.values()), default=0) < 2:
            return None
        columns = 1 + len(self._keys)
        arrays = {s: np.array(v).reshape(-1, columns) for s, v in self._found.items()}
        return {**arrays, "keys": text_array(self._keys)}

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        keys = arrays["keys"].tolist()
        for number, key in enumerate(keys):
            axes = figure.add_subplot(len(keys), 1, number + 1)
            _panel(axes, arrays, number + 1, key)
            if number < len(keys) - 1:
                axes.tick_params(labelbottom=False)
            else:
                axes.set_xlabel("epoch", fontsize=8)
        figure.subplots_adjust(left=0.14, right=0.96, top=0.92, bottom=0.13, hspace=0.12)


def _panel(axes: Any, arrays: Arrays, column: int, key: str) -> None:
    shown: list[float] = []
    for number, split in enumerate(_SPLITS):
        epochs, values = arrays[split][:, 0], arrays[split][:, column]
        known = np.isfinite(values)
        if known.any():
            dot = "." if known.sum() == 1 else None
            axes.plot(
                epochs[known], values[known], marker=dot, color=class_color(number), label=split
            )
            shown += values[known].tolist()
    axes.set_ylabel(key, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    if key == "loss" and shown and min(shown) > 0 and max(shown) > 30 * min(shown):
        log_y_axis(axes, min(shown), max(shown))
    if shown and column == 1:
        axes.legend(fontsize=7)
