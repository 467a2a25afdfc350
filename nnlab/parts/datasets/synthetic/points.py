"""Made data: shapes in the plane, functions of one number.

`sample_seed` draws the points and their noise; it moves neither with `seed` nor with `split_seed`.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, final

from pydantic import (
    Field,
    FiniteFloat,
    NonNegativeFloat,
    PositiveFloat,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from nnlab.core.lazy import Floats, Ints, np
from nnlab.core.seeds import seed_for
from nnlab.parts.datasets.family import DataConfig, Form, Place, Table, TableSource

Samples = Annotated[int, Field(ge=10, le=10_000_000)]
_Seed = Annotated[int, Field(ge=0, lt=2**32)]


class _PointsConfig(DataConfig, frozen=True):
    """Points with noise, drawn anew for each sample_seed."""

    costs_little: ClassVar[bool] = True

    samples: Samples = 1000
    """How many rows are made."""
    sample_seed: _Seed = 0
    """Draws the rows; apart from `seed` and `split_seed`."""

    def form(self, place: Place) -> Form:
        return "points"

    def at_hand(self, place: Place) -> Table | None:
        # Few rows may be of one class, or none; all that there are, are of each.
        return self.read(place) if self.limit or self.exclude else None

    def _random(self) -> "np.random.Generator":
        return np.random.Generator(np.random.PCG64(seed_for(self.sample_seed, "sample")))


class _PlaneConfig(_PointsConfig, frozen=True):
    """Classes of points in the plane."""

    noise: NonNegativeFloat = 0.1

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """What the classes are called."""

    @abstractmethod
    def points(self) -> "tuple[Floats, Ints]":
        """(samples, 2) without noise and (samples,) class numbers."""

    def source(self, place: Place) -> TableSource:
        return TableSource(
            inputs=(2,),
            task="classes",
            outputs=len(self.names()),
            classes=self.names(),
            pool=self.samples,
            columns=("x1", "x2"),
        )

    def read(self, place: Place) -> Table:
        points, labels = self.points()
        points = points + self.noise * self._random().standard_normal(points.shape)
        return Table(self.source(place), points.astype(np.float32), labels.astype(np.int64))


@final
class MoonsConfig(_PlaneConfig, frozen=True):
    """Two half circles that reach into each other; as scikit-learn's make_moons.

    Upper: (cos t, sin t); lower: (1 - cos t, 1/2 - sin t), t in 0..pi; noise is the deviation added
    to both coordinates.
    """

    kind: Literal["moons"] = "moons"

    def names(self) -> tuple[str, ...]:
        return "upper", "lower"

    def points(self) -> "tuple[Floats, Ints]":
        upper = np.linspace(0.0, np.pi, self.samples // 2)
        lower = np.linspace(0.0, np.pi, self.samples - self.samples // 2)
        x = np.concatenate([np.cos(upper), 1.0 - np.cos(lower)])
        y = np.concatenate([np.sin(upper), 0.5 - np.sin(lower)])
        return np.stack([x, y], axis=1), np.repeat([0, 1], [len(upper), len(lower)])


@final
class CirclesConfig(_PlaneConfig, frozen=True):
    """A small circle inside a large one; as scikit-learn's make_circles.

    Radius 1 and `factor`; noise is the deviation added to both coordinates.
    """

    kind: Literal["circles"] = "circles"
    factor: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5

    def names(self) -> tuple[str, ...]:
        return "outer", "inner"

    def points(self) -> "tuple[Floats, Ints]":
        outer, inner = self.samples // 2, self.samples - self.samples // 2
        angle = np.concatenate(
            [np.linspace(0.0, 2.0 * np.pi, n, endpoint=False) for n in (outer, inner)]
        )
        radius = np.repeat([1.0, self.factor], [outer, inner])
        points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        return points, np.repeat([0, 1], [outer, inner])


@final
class SpiralsConfig(_PlaneConfig, frozen=True):
    """Spirals wound into each other: hard for a network without enough hidden units.

    Arm k of K: radius r from 1/13 to 1 at angle 2 pi (turns * r + k / K). Lang & Witbrock 1988,
    "Learning to tell two spirals apart", has K = 2 and three turns.
    """

    kind: Literal["spirals"] = "spirals"
    arms: Annotated[int, Field(ge=2, le=100)] = 2
    turns: PositiveFloat = 1.5
    noise: NonNegativeFloat = 0.02

    def names(self) -> tuple[str, ...]:
        return tuple(str(arm) for arm in range(self.arms))

    def points(self) -> "tuple[Floats, Ints]":
        arm = np.arange(self.samples) % self.arms
        radius = np.linspace(1.0 / 13.0, 1.0, self.samples)
        angle = 2.0 * np.pi * (self.turns * radius + arm / self.arms)
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), arm


@final
class BlobsConfig(_PointsConfig, frozen=True):
    """Clouds of points around random centers, one a class; like scikit-learn's make_blobs.

    N(center, cluster_std^2), the centers in a box from -10 to 10; each is the farthest of
    ten draws from those before it (Mitchell 1991, "Spectrally optimal sampling"), so that no two
    meet.
    """

    kind: Literal["blobs"] = "blobs"
    centers: Annotated[int, Field(ge=2, le=1000)] = 3
    features: Annotated[int, Field(ge=1, le=1000)] = 2
    """Columns of a row."""
    cluster_std: PositiveFloat = 1.0
    weights: tuple[PositiveFloat, ...] | None = None
    """How much of the samples each class has: [0.95, 0.05], or [19, 1]; null: all the same."""

    @field_validator("weights")
    @classmethod
    def _one_a_center(
        cls, weights: tuple[float, ...] | None, info: ValidationInfo
    ) -> tuple[float, ...] | None:
        centers = info.data.get("centers")
        if weights is not None and centers is not None and len(weights) != centers:
            text = "needs a number for each of the {centers} centers, got {count}"
            raise PydanticCustomError("value", text, {"centers": centers, "count": len(weights)})
        return weights

    def _labels(self) -> "Ints":
        """(samples,): the class numbers in turn, or as many of each as its weight asks for."""
        if self.weights is None:
            return np.arange(self.samples) % self.centers
        # Rounded where the classes meet: exact in total, and within one of each class's share.
        meet = np.rint(self.samples * np.cumsum(self.weights) / np.sum(self.weights))
        return np.searchsorted(meet, np.arange(self.samples), side="right")

    def source(self, place: Place) -> TableSource:
        return TableSource(
            inputs=(self.features,),
            task="classes",
            outputs=self.centers,
            classes=tuple(str(center) for center in range(self.centers)),
            pool=self.samples,
            columns=tuple(f"x{i + 1}" for i in range(self.features)),
        )

    def read(self, place: Place) -> Table:
        random = self._random()
        centers = random.uniform(-10.0, 10.0, (self.centers, self.features))
        for index in range(1, self.centers):
            draws = random.uniform(-10.0, 10.0, (10, self.features))
            gaps = np.linalg.norm(draws[:, None] - centers[:index], axis=2).min(axis=1)
            centers[index] = draws[gaps.argmax()]
        labels = self._labels()
        noise = self.cluster_std * random.standard_normal((self.samples, self.features))
        points = (centers[labels] + noise).astype(np.float32)
        return Table(self.source(place), points, labels.astype(np.int64))


def _formulas() -> "Mapping[str, Callable[[Floats], Any]]":
    return {
        "sine": lambda x: np.sin(x),
        "cosine": lambda x: np.cos(x),
        "step": lambda x: (x >= 0.0).astype(np.float64),
        "abs": lambda x: np.abs(x),
        "sinc": lambda x: np.sinc(x),
        "polynomial": lambda x: x**3 - 3.0 * x,
        "gaussian": lambda x: np.exp(-(x**2)),
        "exponential": lambda x: np.exp(x),
        "chirp": lambda x: np.sin(x**2),
    }


@final
class FunctionDataConfig(_PointsConfig, frozen=True):
    """A curve to fit: y = f(x) + noise, x evenly spaced from low to high.

    step: 1 for x >= 0, else 0; sinc: sin(pi x) / (pi x); polynomial: x^3 - 3x; gaussian: exp(-x^2);
    chirp: sin(x^2). Networks can come near to any such curve: Cybenko 1989.
    """

    kind: Literal["function"] = "function"
    formula: Literal[
        "sine",
        "cosine",
        "step",
        "abs",
        "sinc",
        "polynomial",
        "gaussian",
        "exponential",
        "chirp",
    ] = "sine"
    low: Annotated[FiniteFloat, Field(ge=-1e6, le=1e6)] = -3.0
    high: Annotated[FiniteFloat, Field(ge=-1e6, le=1e6, validate_default=True)] = 3.0
    noise: NonNegativeFloat = 0.05

    @field_validator("high")
    @classmethod
    def _above_low(cls, high: float, info: ValidationInfo) -> float:
        low = info.data.get("low")
        if low is not None and high <= low:
            raise PydanticCustomError("value", "needs a number above low ({low})", {"low": low})
        return high

    def source(self, place: Place) -> TableSource:
        return TableSource(
            inputs=(1,),
            task="regression",
            outputs=1,
            classes=(),
            pool=self.samples,
            columns=("x",),
        )

    def read(self, place: Place) -> Table:
        x = np.linspace(self.low, self.high, self.samples)
        y = _formulas()[self.formula](x) + self.noise * self._random().standard_normal(len(x))
        return Table(
            self.source(place), x[:, None].astype(np.float32), y[:, None].astype(np.float32)
        )


KINDS = (BlobsConfig, CirclesConfig, FunctionDataConfig, MoonsConfig, SpiralsConfig)
