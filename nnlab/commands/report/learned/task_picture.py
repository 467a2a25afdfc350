"""What a network makes of its task, where that can be drawn: regions, a function, first weights."""

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlab.commands.report.learned.facts import TaskPicture
from nnlab.display.pictures.boundary import DecisionBoundary, segments
from nnlab.display.pictures.family import Arrays, Moment, Picture, Scene
from nnlab.display.pictures.filters import FirstWeights, mosaic
from nnlab.display.pictures.fit import FittedFunction
from nnlab.display.web.html import Markup, tag
from nnlab.display.web.learning import HUES, DrawnCurve, curves_legend
from nnlab.display.web.svg_plot import SvgPlot, covering_range

_TINTS = ((78, 135, 214), (222, 110, 60), (82, 165, 110), (150, 110, 205), (190, 150, 40),
          (50, 160, 168), (205, 95, 150), (130, 125, 118))  # fmt: skip
"""The style sheet's colours, between those of a light page and of a dark one."""
_LARGEST = 480
"""Pixels a side of small images, which are enlarged by whole numbers."""


def draw_task(scene: Scene, moment: Moment) -> TaskPicture | None:
    """The first picture that fits the run, of the network as it is; None where none does.

    Args:
        scene: the run, with the weights that are to be drawn.
        moment: of these weights.
    """
    when = f"Weights of epoch {moment.epoch:.4g} (step {moment.step:,})."
    for kind, draw in _DRAWN.items():
        if kind.fits(scene.experiment):
            arrays = kind(scene).arrays()
            if arrays is not None:
                title, about = kind.title.capitalize(), _ABOUT[kind]
                return TaskPicture(title, f"{about} {when}", draw(arrays))
    return None


def _boundary(arrays: Arrays) -> Markup:
    x, y, classes = arrays["x"], arrays["y"], arrays["classes"].tolist()
    columns = arrays["columns"].tolist()
    across, up = (float(x[0]), float(x[-1])), (float(y[0]), float(y[-1]))
    plot = SvgPlot("decision boundary", columns[0], columns[1], across, up)
    plot.image(_png(tinted_regions(arrays["regions"], arrays["sure"], len(classes))))
    for ends in segments(arrays["lines"], (*across, *up)).tolist():
        plot.clipped_line(ends, "unit")
    for number in range(len(classes)):
        own = arrays["points"][arrays["labels"] == number]
        places = own[:, 0].tolist(), own[:, 1].tolist()
        plot.dots(*places, "halo", wider=0.8)
        plot.dots(*places, f"class s{number % HUES}")
    names = [DrawnCurve(name, (), (), number) for number, name in enumerate(classes[:24])]
    return tag("figure", plot.svg(), curves_legend(names))


def tinted_regions(regions: NDArray[Any], sure: NDArray[Any], classes: int) -> NDArray[np.uint8]:
    """(height, width, 4), top row first: each region in its class's colour, clear where unsure.

    Args:
        regions: (height, width) class numbers, the lowest row first.
        sure: (height, width) probability of that class.
        classes: how many there are.
    """
    chance = 1.0 / max(classes, 2)
    strength = 0.06 + 0.5 * np.clip((sure - chance) / (1.0 - chance), 0.0, 1.0)
    colors = np.array(_TINTS)[regions.astype(int) % HUES]
    whole = np.concatenate([colors, 255.0 * strength[..., None]], axis=-1)
    return np.round(whole[::-1]).astype(np.uint8)


def _function(arrays: Arrays) -> Markup:
    x, y, points = arrays["x"], arrays["y"], arrays["points_y"]
    up = covering_range(points.ravel().tolist(), y.ravel().tolist())
    plot = SvgPlot("fitted function", arrays["columns"].tolist()[0], "target and prediction",
                   (float(x[0]), float(x[-1])), up)  # fmt: skip
    for column in range(y.shape[1]):
        plot.dots(arrays["points_x"].tolist(), points[:, column].tolist(), "soft")
        plot.line(list(zip(x.tolist(), y[:, column].tolist(), strict=True)),
                  f"curve s{column % HUES}")  # fmt: skip
    return tag("figure", plot.svg())


def _weights(arrays: Arrays) -> Markup:
    grid = mosaic(arrays["tiles"])
    limit = float(np.nanmax(np.abs(grid), initial=0.0)) or 1.0
    share = np.nan_to_num(grid / limit)
    colors = np.where((share > 0)[..., None], (205, 60, 40), (45, 105, 190))
    whole = np.concatenate([colors, 255.0 * np.abs(share)[..., None]], axis=-1)
    larger = max(1, _LARGEST // max(grid.shape))
    pixels = np.kron(np.round(whole).astype(np.uint8), np.ones((larger, larger, 1), np.uint8))
    shown, units = len(arrays["tiles"]), int(arrays["units"])
    some = tag("figcaption", f"{shown} of {units} units.") if units > shown else None
    image = tag("img", src=_png(pixels), alt="first layer's weights", class_="weights")
    return tag("figure", image, some)


def _png(pixels: NDArray[np.uint8]) -> str:
    """(height, width, 4) as a data URI."""
    from PIL import Image

    content = BytesIO()
    Image.fromarray(pixels).save(content, format="png", optimize=True)
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"


_DRAWN: dict[type[Picture], Callable[[Arrays], Markup]] = {
    DecisionBoundary: _boundary,
    FittedFunction: _function,
    FirstWeights: _weights,
}
_ABOUT: dict[type[Picture], str] = {
    DecisionBoundary: "Which class the network gives each point of the plane, the paler the less "
    "sure; dots are training examples. A thin line is where a unit of the first hidden layer is "
    "undecided.",
    FittedFunction: "What the network predicts for each input, over training examples.",
    FirstWeights: "An image for each unit of the first layer: what excites it is red, what "
    "inhibits it blue; one scale for all.",
}
