"""`surface`: a function of two parameters to descend on, in place of examples.

To add one: write it into `SURFACES`, and its name into `SurfaceConfig.function`.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, final

from nnlab.core.contracts import Batch, DataShape, LossFn, Score, Task
from nnlab.core.lazy import Tensor, np, torch
from nnlab.parts.datasets.family import DataConfig, Form, Place, Table, TableSource
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.scores.family import ScoreConfig, SumScoreConfig

if TYPE_CHECKING:
    from collections.abc import Sequence


class Surface(NamedTuple):
    """A function of x and y, where one usually begins on it, and its lowest points."""

    formula: str
    height: Callable[["Tensor", "Tensor"], "Tensor"]
    start: tuple[float, float]
    minima: tuple[tuple[float, float], ...]


def _beale(x: "Tensor", y: "Tensor") -> "Tensor":
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def _bowl(x: "Tensor", y: "Tensor") -> "Tensor":
    return (x**2 + y**2) / 2


def _himmelblau(x: "Tensor", y: "Tensor") -> "Tensor":
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def _rastrigin(x: "Tensor", y: "Tensor") -> "Tensor":
    waves = torch.cos(2 * torch.pi * x) + torch.cos(2 * torch.pi * y)
    return 20 + x**2 + y**2 - 10 * waves


def _ravine(x: "Tensor", y: "Tensor") -> "Tensor":
    return (x**2 + 50 * y**2) / 2


def _rosenbrock(x: "Tensor", y: "Tensor") -> "Tensor":
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def _saddle(x: "Tensor", y: "Tensor") -> "Tensor":
    return x**2 - y**2 + y**4 / 4


SURFACES: Mapping[str, Surface] = {
    "beale": Surface(
        "(1.5 - x + x y)^2 + (2.25 - x + x y^2)^2 + (2.625 - x + x y^3)^2",
        _beale,
        start=(1.0, 1.5),
        minima=((3.0, 0.5),),
    ),
    "bowl": Surface("(x^2 + y^2) / 2", _bowl, start=(-2.0, 1.5), minima=((0.0, 0.0),)),
    "himmelblau": Surface(
        "(x^2 + y - 11)^2 + (x + y^2 - 7)^2",
        _himmelblau,
        start=(0.0, 0.0),
        # The first is exact, the others to nine digits.
        minima=(
            (3.0, 2.0),
            (-2.805118087, 3.131312518),
            (-3.779310253, -3.283185991),
            (3.584428340, -1.848126527),
        ),
    ),
    "rastrigin": Surface(
        "20 + x^2 + y^2 - 10 (cos(2 pi x) + cos(2 pi y))",
        _rastrigin,
        start=(-2.3, 1.8),
        minima=((0.0, 0.0),),
    ),
    "ravine": Surface("(x^2 + 50 y^2) / 2", _ravine, start=(-2.0, 0.5), minima=((0.0, 0.0),)),
    "rosenbrock": Surface(
        "(1 - x)^2 + 100 (y - x^2)^2", _rosenbrock, start=(-1.5, 2.0), minima=((1.0, 1.0),)
    ),
    "saddle": Surface(
        "x^2 - y^2 + y^4 / 4",
        _saddle,
        start=(1.5, 0.001),
        minima=((0.0, 2**0.5), (0.0, -(2**0.5))),
    ),
}


_WHY = "the height of the surface is all there is to minimize"


@final
class SurfaceConfig(DataConfig, frozen=True):
    """A function of x and y to descend on: its network is a point (`model: point`).

    bowl: (x^2 + y^2) / 2. ravine: (x^2 + 50 y^2) / 2, fifty times as steep across as along.
    saddle: x^2 - y^2 + y^4 / 4, flat at (0, 0), bounded by its last term. rosenbrock:
    (1 - x)^2 + 100 (y - x^2)^2, a bent ravine; Rosenbrock 1960, doi:10.1093/comjnl/3.3.175. beale:
    steep walls, a flat floor; Beale 1958. himmelblau: four minima; Himmelblau 1972. rastrigin: a
    grid of them, the lowest at (0, 0); Rastrigin 1974. One step is one epoch; `loss` is the height,
    `x` and `y` are where it was measured: before the update in training readings, after it in those
    of validation, where that is `same`.
    """

    kind: Literal["surface"] = "surface"
    replaces: ClassVar[Mapping[str, str]] = {"loss": _WHY, "scores": "x and y are read as scores"}
    function: Literal[
        "beale", "bowl", "himmelblau", "rastrigin", "ravine", "rosenbrock", "saddle"
    ] = "ravine"
    start: tuple[float, float] | None = None
    """Where the point begins, [x, y]; null is the function's usual place."""
    validation: Literal["same", "none"] = "none"  # pyright: ignore[reportIncompatibleVariableOverride]
    """same: read the point after each step too."""
    test: Literal["same", "none"] = "none"  # pyright: ignore[reportIncompatibleVariableOverride]
    """same: the height where the point ends is a test loss, too."""
    scale: Literal["none"] = "none"  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def begin(self) -> tuple[float, float]:
        """Where the point begins."""
        return SURFACES[self.function].start if self.start is None else self.start

    @property
    def own_loss(self) -> LossConfig:
        return HeightConfig(function=self.function)

    @property
    def own_scores(self) -> tuple[ScoreConfig, ...]:
        return (CoordinateConfig(axis="x"), CoordinateConfig(axis="y"))

    def settled(self, place: Place) -> Mapping[str, object]:
        return {"start": self.begin}

    def form(self, place: Place) -> Form:
        return "points"

    def source(self, place: Place) -> TableSource:
        return TableSource(
            inputs=(2,), task="regression", outputs=1, classes=(), pool=1, start=self.begin
        )

    def read(self, place: Place) -> Table:
        # One row, so that there is something to make a step with; nothing looks at it.
        table = self.source(place)
        return Table(table, np.array([self.begin], np.float32), np.zeros((1, 1), np.float32))


@final
class HeightConfig(LossConfig, frozen=True):
    """The height of a surface at the point: what `data: surface` has for a loss."""

    kind: Literal["height"] = "height"
    function: str = "ravine"
    link: ClassVar[Literal["identity"]] = "identity"
    links: ClassVar[tuple[str, ...] | None] = ("identity",)
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    @property
    def formula(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of the surface."""
        return SURFACES[self.function].formula

    def outputs(self, shape: DataShape) -> int:
        return 2

    def build(self, shape: DataShape) -> LossFn:
        height = SURFACES[self.function].height

        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":  # noqa: ARG001 - the protocol's
            return height(outputs[:, 0], outputs[:, 1])

        return loss


@final
class CoordinateConfig(SumScoreConfig, frozen=True):
    """Where the point is, along one axis."""

    kind: Literal["coordinate"] = "coordinate"
    axis: Literal["x", "y"] = "x"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    @property
    def key(self) -> str:
        return self.axis

    def build(self, shape: DataShape, mean: "Sequence[float]") -> Score:
        return _Coordinate(0 if self.axis == "x" else 1)


@final
class _Coordinate:
    """One column of the outputs."""

    width = 1

    def __init__(self, column: int) -> None:
        self._column = column

    def sums(self, outputs: "Tensor", batch: Batch) -> "Tensor":
        return outputs[:, self._column].sum().view(1)

    def value(self, sums: "Sequence[float]", examples: int) -> float:
        return sums[0] / examples


KINDS = (SurfaceConfig,)
