"""The way of a point downhill on a surface."""

from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.events import Reading
from nnlab.core.lazy import np, torch
from nnlab.display.pictures.drawing import axes_of
from nnlab.display.pictures.family import Arrays, Picture, Scene, copy_to_host

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment

_GRID = 96
_MARGIN = 0.15
_LEVELS = 24
_MOST = 4000
"""So many places of the way are kept; of a longer one every second."""


@final
class Descent(Picture):
    """The path on a surface."""

    title: ClassVar[str] = "descent"
    about: ClassVar[str] = (
        "The surface from above, its heights on a logarithmic scale, and the way of the point so "
        "far. Each dot is a reading (the mean place since the one before); stars are minima."
    )
    cumulative: ClassVar[bool] = True

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._way: list[tuple[float, float]] = [(scene.experiment.shape.start[0],
                                                 scene.experiment.shape.start[1])]  # fmt: skip

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        return len(experiment.shape.start) == 2

    def see(self, reading: Reading) -> None:
        if reading.split == "train" and reading.step:
            self._way.append((reading.values["x"], reading.values["y"]))
            if len(self._way) > _MOST:
                self._way = [self._way[0], *self._way[1:-1:2], self._way[-1]]

    def collect(self, *, grid: int | None = None) -> Arrays:
        from nnlab.parts.datasets.synthetic.surface import SURFACES, SurfaceConfig

        data = self.scene.experiment.config.data
        assert isinstance(data, SurfaceConfig)
        surface = SURFACES[data.function]
        now = copy_to_host(next(self.scene.network.parameters()))
        way = np.array([*self._way, tuple(now)], dtype=np.float64)
        minima = np.array(surface.minima)
        shown = np.concatenate([way[np.isfinite(way).all(axis=1)], minima])
        low, high = shown.min(axis=0), shown.max(axis=0)
        # A point that ran away must not make a dot of the surface.
        reach = 5.0 * np.maximum(np.abs([self.scene.experiment.shape.start, minima[0]]).max(), 1.0)
        low, high = np.maximum(low, -reach), np.minimum(high, reach)
        room = np.maximum(_MARGIN * (high - low), 0.25 * (high - low).max() + 1e-3)
        x, y = np.linspace(low - room, high + room, grid or _GRID).T
        heights = surface.height(torch.from_numpy(x)[None, :], torch.from_numpy(y)[:, None])
        return {"x": x, "y": y, "heights": heights.numpy(), "way": way, "minima": minima}

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        axes = axes_of(figure)
        x, y, heights, way = arrays["x"], arrays["y"], arrays["heights"], arrays["way"]
        above = np.log1p(heights - min(heights.min(), 0.0))
        axes.contourf(x, y, above, levels=_LEVELS, cmap="Blues")
        axes.contour(x, y, above, levels=_LEVELS, colors="#555577", linewidths=0.3)
        axes.plot(*way.T, "-", color="#d62728", lw=1.2)
        if len(way) <= 60:
            axes.plot(*way.T, ".", color="#d62728", ms=4)
        axes.plot(*way[0], "o", color="white", mec="#d62728", ms=6)
        axes.plot(*way[-1], "o", color="#d62728", mec="white", ms=6)
        axes.plot(*arrays["minima"].T, "*", color="#ffd700", mec="#333333", mew=0.5, ms=10)
        axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
        axes.set_xlabel("x", fontsize=8)
        axes.set_ylabel("y", fontsize=8)
