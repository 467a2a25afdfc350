"""The function that a network of one input has learned."""

from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.lazy import NDArray, np
from nnlab.display.pictures.drawing import axes_of, class_color
from nnlab.display.pictures.family import (
    Arrays,
    Picture,
    Scene,
    copy_to_host,
    evenly_spaced,
    text_array,
)

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment

_GRID = 256
_MARGIN = 0.05


@final
class FittedFunction(Picture):
    """Regression from one number."""

    title: ClassVar[str] = "fitted function"
    about: ClassVar[str] = (
        "What the network predicts for each input, over training examples; pale: the earlier "
        "moments of the run. In the data's own units."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        examples = scene.examples
        rows = examples.rows["train"]
        inputs = np.asarray(examples.inputs)[rows, 0].astype(np.float64)
        room = _MARGIN * (inputs.max() - inputs.min()) or 1.0
        self._x = np.linspace(inputs.min() - room, inputs.max() + room, _GRID)
        self._grid = scene.scaled(self._x[:, None])
        self._x = examples.own(self._x[:, None])[:, 0]
        some = evenly_spaced(rows)
        self._still = {
            "x": self._x,
            "points_x": examples.own(np.asarray(examples.inputs)[some])[:, 0].astype(np.float64),
            "points_y": examples.targets[some].astype(np.float64),
            "columns": text_array(examples.shape.columns or ("x",)),
        }
        self._earlier: list[NDArray[np.float64]] = []

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        shape = experiment.shape
        return shape.inputs == (1,) and shape.task == "regression" and not shape.start

    def collect(self) -> Arrays:
        outputs = self.scene.outputs(self._grid)
        y = copy_to_host(self.scene.experiment.loss.predictions(outputs))
        if (scale := self.scene.examples.target_scale) is not None:
            y = y * np.array(scale.deviation) + np.array(scale.mean)
        earlier = np.array(self._earlier).reshape(len(self._earlier), *y.shape)
        self._earlier.append(y)
        return {**self._still, "y": y, "earlier": earlier}

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        axes = axes_of(figure)
        x, y, points = arrays["x"], arrays["y"], arrays["points_y"]
        for column in range(y.shape[1]):
            shade = class_color(column)
            axes.scatter(arrays["points_x"], points[:, column], s=6, c="#999999", linewidths=0)
            for number, curve in enumerate(arrays["earlier"]):
                alpha = 0.12 + 0.25 * (number + 1) / len(arrays["earlier"])
                axes.plot(x, curve[:, column], color=shade, lw=0.8, alpha=alpha)
            axes.plot(x, y[:, column], color=shade, lw=2.0)
        # An early network that is far off must not hide the data.
        low, high = min(points.min(), y.min()), max(points.max(), y.max())
        room = 0.08 * (high - low) or 1.0
        if np.isfinite([low, high]).all():
            axes.set(xlim=(x[0], x[-1]), ylim=(low - room, high + room))
        axes.set_xlabel(str(arrays["columns"][0]), fontsize=8)
        axes.grid(alpha=0.25)
