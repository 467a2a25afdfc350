"""The function that a network of one input has learned."""

from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.lazy import NDArray, Tensor, np
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
_MOST = 64
"""So many earlier moments are kept; of more every second."""


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
        self._ends = (inputs.min() - room, inputs.max() + room)
        self._x: NDArray[np.float64] = np.zeros(0)
        self._grid: Tensor | None = None
        some = evenly_spaced(rows)
        self._still = {
            "points_x": examples.own(np.asarray(examples.inputs)[some])[:, 0].astype(np.float64),
            "points_y": examples.targets[some].astype(np.float64),
            "columns": text_array(examples.shape.columns or ("x",)),
        }
        self._earlier: list[NDArray[np.float64]] = []

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        shape = experiment.shape
        return shape.inputs == (1,) and shape.task == "regression" and not shape.start

    def still(self) -> Arrays:
        return self._still

    def points(self, grid: int) -> "Tensor":
        """(grid, 1) points along the line as the network sees them."""
        if self._grid is None or len(self._grid) != grid:
            x = np.linspace(*self._ends, grid)[:, None]
            self._grid, self._x = self.scene.scaled(x), self.scene.examples.own(x)[:, 0]
            self._earlier = []
        return self._grid

    def collect(self, *, grid: int | None = None) -> Arrays:
        outputs = self.scene.outputs(self.points(grid or _GRID))
        y = copy_to_host(self.scene.experiment.loss.predictions(outputs))
        if (scale := self.scene.examples.target_scale) is not None:
            y = y * np.array(scale.deviation) + np.array(scale.mean)
        earlier = np.array(self._earlier).reshape(len(self._earlier), *y.shape)
        self._earlier.append(y)
        if len(self._earlier) > _MOST:
            self._earlier = self._earlier[::2]
        return {"x": self._x, "y": y, "earlier": earlier}

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
