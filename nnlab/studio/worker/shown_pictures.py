"""Which pictures of a run the page can show, and what it is sent of them."""

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, final

from nnlab.core.contracts import Examples
from nnlab.core.events import Reading
from nnlab.core.lazy import NDArray, Tensor, np
from nnlab.display.pictures.boundary import DecisionBoundary
from nnlab.display.pictures.descent import Descent
from nnlab.display.pictures.family import (
    Arrays,
    Picture,
    Scene,
    class_probabilities,
    copy_to_host,
    evenly_spaced,
)
from nnlab.display.pictures.filters import FirstWeights
from nnlab.display.pictures.fit import FittedFunction
from nnlab.display.pictures.hidden import HiddenSpace
from nnlab.display.pictures.inputs.answers import AnswerParts

_CURVE = 200
"""Points of a fitted function."""
_IMAGES = 24
"""So many examples are shown with what the network says of them."""
_LARGEST = 64
"""Pixels along a side of a shown image at most."""

_KINDS: tuple[type[Picture], ...] = (
    DecisionBoundary,
    FittedFunction,
    Descent,
    FirstWeights,
    HiddenSpace,
    AnswerParts,
)
_LEFT_OUT = {"earlier", "titles"}
"""What the page remembers by itself, and what has no place on it."""
_COLORED = (FirstWeights, AnswerParts)
"""Pictures of signed numbers, for which the page has its own two colours."""
_COLORS = {"red": "blue", "blue": "orange"}
_BYTES = {"sure": 255.0, "regions": 1.0}
"""Arrays that are sent as bytes, and what they are multiplied by."""


class Fineness(NamedTuple):
    """How finely a boundary is asked."""

    grid: int
    """Points along each axis."""
    halved: bool
    """Whether a frame asks every second row alone, and the next one those between."""

    @property
    def points(self) -> float:
        """That are asked in a frame."""
        return self.grid**2 / (2 if self.halved else 1)


FINEST = Fineness(100, halved=False)
_MOVED = 6
"""Of 255: where a row is surer or less sure by more, those beside it are out of date."""


@final
class ShownPictures:
    """The pictures of a scene as the page draws them.

    Args:
        scene: what is looked at.
    """

    def __init__(self, scene: Scene) -> None:
        fits = [kind for kind in _KINDS if kind.fits(scene.experiment)]
        self._pictures: dict[str, Picture] = {kind.title: kind(scene) for kind in fits}
        self._images = PredictedImages(scene) if PredictedImages.fits(scene) else None
        self._turn = 0
        self._regions: dict[str, NDArray[Any]] = {}
        """Of the boundary: each row as it was asked last."""

    def about(self) -> list[dict[str, Any]]:
        """What there is, in the order in which it is looked at, with what never changes of it."""
        found = [
            {"title": title, "about": _words(picture), "still": self._still(picture)}
            for title, picture in self._pictures.items()
        ]
        if self._images is not None:
            found.insert(0, self._images.plain())
        return found

    def _still(self, picture: Picture) -> dict[str, Any]:
        """What never changes; of points that can be chosen, which examples they are."""
        found = _listed(picture.still())
        if isinstance(picture, DecisionBoundary | FittedFunction):
            rows = picture.scene.examples.rows["train"]
            found["numbers"] = evenly_spaced(np.arange(len(rows))).tolist()
            found["split"] = "train"
        return found

    def see(self, reading: Reading) -> None:
        """Takes note of a reading."""
        for picture in self._pictures.values():
            picture.see(reading)

    def collect(
        self, wanted: Collection[str], fineness: Fineness = FINEST
    ) -> "dict[str, NDArray[Any]]":
        """title/name -> array, of the pictures that somebody looks at.

        Args:
            wanted: their titles.
            fineness: of a boundary.
        """
        found: dict[str, NDArray[Any]] = {}
        for title, picture in self._pictures.items():
            if title not in wanted:
                continue
            if isinstance(picture, DecisionBoundary):
                arrays = self._boundary(picture, fineness)
            else:
                grid = _CURVE if isinstance(picture, FittedFunction) else None
                arrays = _sent(picture.collect(grid=grid))
            found |= {f"{title}/{name}": array for name, array in arrays.items()}
        if DecisionBoundary.title not in wanted:
            self._regions = {}
        if self._images is not None and self._images.title in wanted:
            found[f"{self._images.title}/probabilities"] = self._images.collect()
        return found

    def _boundary(self, picture: DecisionBoundary, fineness: Fineness) -> "dict[str, NDArray[Any]]":
        """Whole, or the rows whose turn it is between those of the frame before."""
        grid, before = fineness.grid, self._regions
        if fineness.halved and before and before["sure"].shape == (grid, grid):
            self._turn = 1 - self._turn
            found = _sent(picture.collect(grid=grid, rows=slice(self._turn, None, 2)))
            self._regions, woven = weave(before, found, self._turn)
            return {**found, **woven}
        found = _sent(picture.collect(grid=grid))
        self._regions = {name: found[name] for name in _BYTES}
        return found


def weave(
    before: "Mapping[str, NDArray[Any]]", new: "Mapping[str, NDArray[Any]]", turn: int
) -> "tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]":
    """Every second row of regions and sureness is new; those between stay where nothing moves.

    Where something does, they are shown as the new rows beside them say: else an edge that moves
    would have teeth.

    Args:
        before: each row as it was asked last; the arrays stay as they are.
        new: every second row.
        turn: the first of these, 0 or 1.

    Returns:
        Each row as it was asked last, and as it is shown.
    """
    asked = {name: before[name].copy() for name in ("sure", "regions")}
    sure, regions = asked["sure"], asked["regions"]
    rows, between = slice(turn, None, 2), np.arange(1 - turn, len(sure), 2)
    moved = np.zeros(sure.shape, bool)
    moved[rows] = np.abs(new["sure"].astype(int) - sure[rows]) > _MOVED
    moved[rows] |= new["regions"] != regions[rows]
    sure[rows], regions[rows] = new["sure"], new["regions"]
    above = np.where(between > 0, between - 1, 1)
    below = np.where(between < len(sure) - 1, between + 1, between - 1)
    late = moved[above] | moved[below]
    if not late.any():
        return asked, asked
    shown = {name: array.copy() for name, array in asked.items()}
    middle = (sure[above].astype(int) + sure[below]) // 2
    shown["sure"][between] = np.where(late, middle, sure[between])
    shown["regions"][between] = np.where(late, regions[above], regions[between])
    return asked, shown


def _sent(arrays: Arrays | None) -> "dict[str, NDArray[Any]]":
    """As they go to the page."""
    return {n: _small(n, array) for n, array in (arrays or {}).items() if n not in _LEFT_OUT}


def _words(picture: Picture) -> str:
    """What one sees in it, in the page's colours."""
    if not isinstance(picture, _COLORED):
        return picture.about
    return re.sub(r"\b(red|blue)\b", lambda found: _COLORS[found[0]], picture.about)


def _small(name: str, array: "NDArray[Any]") -> "NDArray[Any]":
    if name in _BYTES:
        return (np.clip(array, 0.0, 255.0 / _BYTES[name]) * _BYTES[name]).astype(np.uint8)
    return array.astype(np.float32)


def _listed(arrays: Arrays) -> dict[str, Any]:
    return {name: array.tolist() for name, array in arrays.items()}


@final
class PredictedImages:
    """Images of the validation split, and how likely the network finds each class."""

    title = "predictions"
    about = (
        "Examples of the validation split: what each is, what the network says, how sure it is. "
        "Choose one to follow it through the layers."
    )

    def __init__(self, scene: Scene) -> None:
        examples = scene.examples
        rows = examples.rows.get("validation", examples.rows["train"])
        self._scene, self._rows = scene, evenly_spaced(rows, _IMAGES)
        self._split = "validation" if "validation" in examples.rows else "train"
        self._numbers = evenly_spaced(np.arange(len(rows)), _IMAGES)
        self._shares = class_probabilities(scene.experiment)
        self._inputs: Tensor | None = None

    @classmethod
    def fits(cls, scene: Scene) -> bool:
        """Whether the examples are images of classes."""
        shape = scene.experiment.shape
        return len(shape.inputs) == 3 and shape.task == "classes" and shape.inputs[0] in (1, 3)

    def plain(self) -> dict[str, Any]:
        """Title, words, and the images themselves: (rows, columns, channels) of bytes each."""
        examples = self._scene.examples
        images = [image_bytes(examples, int(row)) for row in self._rows]
        still = {
            "images": [image.ravel().tolist() for image in images],
            "size": list(images[0].shape),
            "labels": examples.targets[self._rows].tolist(),
            "classes": list(self._scene.experiment.shape.classes),
            "numbers": self._numbers.tolist(),
            "split": self._split,
        }
        return {"title": self.title, "about": self.about, "still": still}

    def collect(self) -> "NDArray[Any]":
        """(N, K) float32."""
        if self._inputs is None:
            like = next(self._scene.network.parameters())
            rows = np.ascontiguousarray(self._rows)
            self._inputs = self._scene.source.gather(_rows(rows, like)).inputs
        outputs = self._scene.outputs(self._inputs)
        found = outputs if self._shares is None else self._shares(outputs)
        return copy_to_host(found).astype(np.float32)


def _rows(rows: "NDArray[np.int64]", like: "Tensor") -> "Tensor":
    import torch

    return torch.from_numpy(rows).to(like.device)


def image_bytes(examples: Examples, row: int) -> "NDArray[np.uint8]":
    """(rows, columns, channels) of one example, 0 the darkest of it and 255 the brightest."""
    inputs = examples.inputs
    stored = inputs[row] if isinstance(inputs, np.ndarray) else inputs.read(row)
    image = np.moveaxis(stored.astype(np.float64), 0, -1)
    stride = -(-max(image.shape[:2]) // _LARGEST)
    image = image[::stride, ::stride]
    low, high = float(image.min()), float(image.max())
    return (255.0 * (image - low) / (high - low if high > low else 1.0)).astype(np.uint8)
