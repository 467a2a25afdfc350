"""What each unit of the first layer looks for."""

from math import ceil, prod
from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.contracts import Shape
from nnlab.core.lazy import NDArray, np
from nnlab.display.pictures.family import Arrays, Picture, copy_to_host

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment

_MOST = 64
"""So many units are shown."""


@final
class FirstWeights(Picture):
    """The first layer's weights as images."""

    title: ClassVar[str] = "first layer's weights"
    about: ClassVar[str] = (
        "One image for each unit or filter of the first layer: what excites it is red, what "
        "inhibits it blue, 0 is white; one scale for all, symmetric about 0. Filters of colour "
        "images stand below each other, channel by channel."
    )

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        return len(experiment.shape.inputs) == 3 and first_weight(experiment) is not None

    def collect(self, *, grid: int | None = None) -> Arrays:
        found = first_weight(self.scene.experiment)
        assert found is not None
        name, shape = found
        weight = copy_to_host(self.scene.network.get_parameter(name)[:_MOST])
        inputs = self.scene.experiment.shape.inputs
        if len(shape) == 2:
            weight = weight.reshape(-1, *inputs)
        # Three channels can be told apart; of more there is only the mean.
        if weight.shape[1] > 3:
            weight = weight.mean(axis=1, keepdims=True)
        return {"tiles": weight, "units": np.array(shape[0])}

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        tiles = arrays["tiles"]
        grid = mosaic(tiles)
        limit = float(np.abs(tiles[np.isfinite(tiles)]).max(initial=0.0)) or 1.0
        axes = figure.add_axes((0.02, 0.03, 0.82, 0.9))
        shown = axes.imshow(grid, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        axes.set_axis_off()
        bar = figure.colorbar(shown, cax=figure.add_axes((0.87, 0.1, 0.025, 0.75)))
        bar.ax.tick_params(labelsize=7)
        if arrays["units"] > len(tiles):
            text = f"{len(tiles)} of {int(arrays['units'])} units"
            figure.text(0.02, 0.985, text, va="top", fontsize=8)


def first_weight(experiment: "Experiment") -> tuple[str, Shape] | None:
    """Name and shape of the first weight, if it can be seen as images."""
    first = next(iter(experiment.design.layers.weights), None)
    if first is None:
        return None
    shape = first.shape
    filters = len(shape) == 4 and min(shape[2:]) > 1
    whole = len(shape) == 2 and shape[1] == prod(experiment.shape.inputs)
    return (first.parameter, shape) if filters or whole else None


def mosaic(tiles: "NDArray[Any]") -> "NDArray[Any]":
    """(units, channels, height, width) to one image, with gaps of nothing between them."""
    units, channels, height, width = tiles.shape
    columns = min(units, max(1, ceil((units * channels) ** 0.5)))
    rows = -(-units // columns)
    gap = max(1, height // 14)
    tall, wide = height + gap, width + gap
    grid = np.full((rows * channels * tall - gap, columns * wide - gap), np.nan, np.float32)
    for unit, tile in enumerate(tiles):
        row, column = divmod(unit, columns)
        for channel, image in enumerate(tile):
            top, left = (row * channels + channel) * tall, column * wide
            grid[top : top + height, left : left + width] = image
    return grid
