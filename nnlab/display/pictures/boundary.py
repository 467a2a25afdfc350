"""The regions that a classifier cuts the plane into."""

from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.lazy import NDArray, Tensor, np, torch
from nnlab.display.pictures.drawing import axes_of, class_color
from nnlab.display.pictures.family import (
    Arrays,
    Picture,
    Scene,
    class_probabilities,
    copy_to_host,
    evenly_spaced,
    text_array,
)
from nnlab.parts.scores.family import predicted_class

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment

_GRID = 64
"""Points along each axis."""
_MARGIN = 0.1
"""Of the data's range, on each side."""
MOST_LINES = 64


@final
class DecisionBoundary(Picture):
    """Classes of points in the plane."""

    title: ClassVar[str] = "decision boundary"
    about: ClassVar[str] = (
        "Which class the network gives each point of the plane, the paler the less sure. Points: "
        "training examples, in the colour of their class. Lines: where a unit of the first hidden "
        "layer is undecided, w·x + b = 0. Axes in the data's own units."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        rows = scene.examples.rows["train"]
        points = np.asarray(scene.examples.inputs)[rows].astype(np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        room = np.where(high > low, _MARGIN * (high - low), 1.0)
        self._box = (low - room, high + room)
        self._grid: Tensor | None = None
        self._axes: NDArray[np.float64] = np.zeros((0, 2))
        self._shares = class_probabilities(scene.experiment)
        some = evenly_spaced(rows)
        columns = scene.examples.shape.columns or ("x1", "x2")
        self._still = {
            "points": scene.examples.own(np.asarray(scene.examples.inputs)[some]).astype(
                np.float64
            ),
            "labels": scene.examples.targets[some],
            "classes": text_array(scene.examples.shape.classes),
            "columns": text_array(columns),
        }

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        return experiment.shape.inputs == (2,) and experiment.shape.task == "classes"

    def still(self) -> Arrays:
        return self._still

    def points(self, grid: int) -> "Tensor":
        """(grid * grid, 2) points of the plane as the network sees them, row by row upwards."""
        if self._grid is None or len(self._grid) != grid * grid:
            axes = np.linspace(*self._box, grid)
            x, y = np.meshgrid(axes[:, 0], axes[:, 1])
            self._grid = self.scene.scaled(np.stack([x.ravel(), y.ravel()], axis=1))
            self._axes = self.scene.examples.own(axes)
        return self._grid

    def collect(self, *, grid: int | None = None, rows: slice = slice(None)) -> Arrays:
        """As any picture.

        Args:
            grid: points along each axis.
            rows: of points that are asked; the others are left out.
        """
        grid = grid or _GRID
        asked = self.points(grid).view(grid, grid, 2)[rows]
        outputs = self.scene.outputs(asked.reshape(-1, 2))
        regions = predicted_class(outputs)
        sure = torch.ones(len(outputs), device=outputs.device)
        if self._shares is not None:
            sure = self._shares(outputs).amax(dim=1).float()
        # One copy from the device.
        found = copy_to_host(torch.stack([regions.float(), sure])).reshape(2, -1, grid)
        axes = {"x": self._axes[:, 0], "y": self._axes[:, 1]}
        return {**axes, "regions": found[0], "sure": found[1], "lines": self._lines()}

    def _lines(self) -> "NDArray[np.float64]":
        """(units, 3): a, b, c of a x + b y + c = 0 in the data's own units."""
        plan = self.scene.experiment.design.plans[0]
        if plan.kind != "linear" or plan.name == "output":
            return np.zeros((0, 3))
        named = dict(self.scene.network.named_parameters())
        weight = copy_to_host(named[f"{plan.name}.weight"][:MOST_LINES])
        bias = np.zeros(len(weight))
        if (tensor := named.get(f"{plan.name}.bias")) is not None:
            bias = copy_to_host(tensor[:MOST_LINES])
        shift, factor = (
            np.broadcast_to(part.astype(np.float64).reshape(-1), (2,))
            for part in (self.scene.examples.shift, self.scene.examples.factor)
        )
        if (base := self.scene.examples.base) is not None:
            shift = shift + base.reshape(-1)
        slopes = weight * factor
        return np.column_stack([slopes, bias - slopes @ shift])

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        from matplotlib.collections import LineCollection

        axes = axes_of(figure)
        x, y, names = arrays["x"], arrays["y"], arrays["classes"].tolist()
        box = (x[0], x[-1], y[0], y[-1])
        image = shaded(arrays["regions"], arrays["sure"], len(names))
        axes.imshow(image, origin="lower", extent=box, aspect="auto", interpolation="bilinear")
        lines = segments(arrays["lines"], box)
        axes.add_collection(LineCollection([*lines], colors="#333333", linewidths=0.6, alpha=0.6))
        points, labels = arrays["points"], arrays["labels"]
        for number, name in enumerate(names[:10]):
            own = points[labels == number]
            axes.scatter(
                *own.T, s=16, c=class_color(number), edgecolors="white", linewidths=0.8, label=name
            )
        axes.set(xlim=box[:2], ylim=box[2:])
        axes.set_xlabel(str(arrays["columns"][0]), fontsize=8)
        axes.set_ylabel(str(arrays["columns"][1]), fontsize=8)
        axes.legend(fontsize=7, loc="upper right", framealpha=0.8)


def shaded(regions: "NDArray[Any]", sure: "NDArray[Any]", classes: int) -> "NDArray[np.float64]":
    """(height, width, 3): each region in its class's colour, white where all are equally likely."""
    from matplotlib.colors import to_rgb

    palette = np.array([to_rgb(class_color(number)) for number in range(max(classes, 2))])
    chance = 1.0 / max(classes, 2)
    strength = 0.08 + 0.52 * np.clip((sure - chance) / (1.0 - chance), 0.0, 1.0)[..., None]
    return 1.0 - strength * (1.0 - palette[regions.astype(int)])


def segments(
    lines: "NDArray[np.float64]", box: "tuple[Any, Any, Any, Any]"
) -> "NDArray[np.float64]":
    """(units, 2, 2): two points of each line, as far apart as the box; flat units have none."""
    a, b, c = lines[np.abs(lines[:, :2]).max(axis=1) > 0].T
    upright = np.abs(a) > np.abs(b)
    across, along = np.where(upright, a, b), np.where(upright, b, a)
    ends = np.where(upright[:, None], box[2:], box[:2])
    crossing = -(along[:, None] * ends + c[:, None]) / across[:, None]
    first = np.where(upright[:, None], crossing, ends)
    second = np.where(upright[:, None], ends, crossing)
    return np.stack([first, second], axis=-1)
