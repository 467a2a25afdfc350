"""A small network as textbooks draw it, with its weights."""

from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.lazy import NDArray, np
from nnlab.display.pictures.family import (
    Arrays,
    Picture,
    copy_to_host,
    layers_with_weights,
    text_array,
)

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment

MOST_UNITS, MOST_LAYERS = 40, 8
POSITIVE, NEGATIVE = "#c0392b", "#2471a3"


@final
class Diagram(Picture):
    """Units and weights of a network of linear layers."""

    title: ClassVar[str] = "network"
    about: ClassVar[str] = (
        "Each line is a weight: red is positive, blue negative, the wider the greater (of its "
        "layer). Each circle is a unit, filled by its bias in the same colours."
    )

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        layers = layers_with_weights(experiment.design.plans)
        sizes = [len(plan.inputs) == 1 and plan.inputs[0] <= MOST_UNITS for plan in layers]
        return (
            0 < len(layers) <= MOST_LAYERS
            and all(sizes)
            and all(plan.kind == "linear" and plan.output[0] <= MOST_UNITS for plan in layers)
        )

    def still(self) -> Arrays:
        shape = self.scene.experiment.shape
        layers = layers_with_weights(self.scene.experiment.design.plans)
        return {
            "layers": text_array([plan.name for plan in layers]),
            "columns": text_array(shape.columns),
            "classes": text_array(
                shape.classes if len(shape.classes) == layers[-1].output[0] else ()
            ),
        }

    def collect(self, *, grid: int | None = None) -> Arrays:
        named = {n: copy_to_host(p) for n, p in self.scene.network.named_parameters()}
        layers = layers_with_weights(self.scene.experiment.design.plans)
        found: dict[str, NDArray[Any]] = {}
        for number, plan in enumerate(layers):
            weight = named[f"{plan.name}.weight"]
            found[f"weight{number}"] = weight
            found[f"bias{number}"] = named.get(f"{plan.name}.bias", np.zeros(len(weight)))
        return found

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        names = arrays["layers"].tolist()
        weights = [arrays[f"weight{number}"] for number in range(len(names))]
        sizes = [weights[0].shape[1], *(len(weight) for weight in weights)]
        axes = figure.add_axes((0.1, 0.04, 0.8, 0.86))
        for number, weight in enumerate(weights):
            axes.add_collection(_lines(weight, number))
        dot = min(12.0, 150.0 / max(sizes))
        for number, size in enumerate(sizes):
            bias = arrays[f"bias{number - 1}"] if number else np.zeros(size)
            axes.scatter(
                np.full(size, number), heights(size), s=dot**2, c=_fills(bias), zorder=3,
                edgecolors="#333333", linewidths=0.7,
            )  # fmt: skip
            title = names[number - 1] if number else "inputs"
            axes.text(number, 1.1, title, ha="center", fontsize=8)
        _name(axes, arrays["columns"].tolist(), 0, "right")
        _name(axes, arrays["classes"].tolist(), len(weights), "left")
        axes.set(xlim=(-0.25, len(weights) + 0.25), ylim=(-1.15, 1.2))
        axes.set_axis_off()


def heights(size: int) -> "NDArray[np.float64]":
    """Where the units of a layer stand, from the first on top to the last."""
    return np.linspace(1.0, -1.0, size) if size > 1 else np.zeros(1)


def _lines(weight: "NDArray[Any]", number: int) -> Any:
    from matplotlib.collections import LineCollection

    after, before = weight.shape
    limit = np.nanmax(np.abs(weight), initial=0.0) or 1.0
    share = np.nan_to_num(np.abs(weight) / limit).ravel()
    ends = np.empty((after, before, 2, 2))
    ends[:, :, 0, 0], ends[:, :, 1, 0] = number, number + 1
    ends[:, :, 0, 1], ends[:, :, 1, 1] = heights(before), heights(after)[:, None]
    order = np.argsort(share)  # the great ones on top
    shades = np.where(weight.ravel() >= 0, POSITIVE, NEGATIVE)[order]
    return LineCollection(
        [*ends.reshape(-1, 2, 2)[order]],
        colors=shades.tolist(),
        linewidths=0.15 + 3.0 * share[order],
        alpha=np.clip(0.15 + share[order], 0.0, 0.9),
    )


def _fills(bias: "NDArray[Any]") -> "NDArray[np.float64]":
    """(units, 3): white for 0, red or blue for the greatest bias of the layer."""
    from matplotlib.colors import to_rgb

    limit = np.nanmax(np.abs(bias), initial=0.0) or 1.0
    share = np.nan_to_num(np.abs(bias) / limit)[:, None]
    full = np.where(bias[:, None] >= 0, to_rgb(POSITIVE), to_rgb(NEGATIVE))
    return 1.0 - share * (1.0 - full)


def _name(axes: Any, names: list[str], layer: int, side: str) -> None:
    if 0 < len(names) <= 16:
        shift = -0.12 if side == "right" else 0.12
        for name, height in zip(names, heights(len(names)), strict=True):
            axes.text(layer + shift, height, name[:14], ha=side, va="center", fontsize=7)
