"""What attention looks at: maps by head over a sequence, over an image, and learned positions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.contracts import Plan, flat_plans
from nnlab.core.lazy import NDArray, Tensor, np
from nnlab.display.pictures.family import (
    Arrays,
    Picture,
    Scene,
    copy_to_host,
    text_array,
    thin_rows,
)
from nnlab.display.pictures.sequences.token_names import short_token
from nnlab.parts.datasets.sequences.tokens import token_names

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment

_MOST_LAYERS, _MOST_HEADS, _MOST_PLACES = 3, 4, 24
_IMAGES = 4
"""So many images show where attention comes from."""


def attention_plans(experiment: "Experiment") -> list[Plan]:
    """The layers of attention, from input to output."""
    return [plan for plan in flat_plans(experiment.design.plans) if plan.heads]


def _weights_of(scene: Scene, inputs: "Tensor") -> "dict[str, NDArray[np.float64]]":
    """The weights (N, H, T, T) of every layer of attention."""
    from nnlab.training.probes.attention import attention_of

    names = [plan.name for plan in attention_plans(scene.experiment)]
    found = attention_of(scene.network, names, lambda: scene.outputs(inputs))
    return {name: copy_to_host(weights) for name, (_, weights) in found.items()}


@final
class AttentionMaps(Picture):
    """What each head takes from where, over one example."""

    title: ClassVar[str] = "attention maps"
    about: ClassVar[str] = (
        "One square for each head of a few layers, over the first places of one validation "
        "example: row t shows what place t takes from every place, dark is much; each row sums to "
        "1. A diagonal looks at the place itself, a line beside it at the place before, a column "
        "at one place whoever asks. Vaswani et al. 2017, appendix."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._inputs = scene.source.gather(thin_rows(scene.probe, 1)).inputs
        plans = attention_plans(scene.experiment)
        count = min(len(plans), _MOST_LAYERS)
        ends = [plans[round(n * (len(plans) - 1) / max(count - 1, 1))] for n in range(count)]
        self._layers = [plan.name for plan in ends]

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        return bool(attention_plans(experiment))

    def still(self) -> Arrays:
        names = token_names(self.scene.experiment.shape)
        tokens = self._inputs[0][:_MOST_PLACES].tolist() if names else []
        words = [short_token(names[token])[:4] for token in tokens]
        return {"tokens": text_array(words), "layers": text_array(self._layers)}

    def collect(self, *, grid: int | None = None) -> Arrays | None:
        found = _weights_of(self.scene, self._inputs)
        kept = [found[n][0, :_MOST_HEADS, :_MOST_PLACES, :_MOST_PLACES] for n in self._layers]
        maps = np.stack(kept)
        return {"maps": maps} if np.isfinite(maps).all() else None

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        maps, tokens = arrays["maps"], arrays["tokens"].tolist()
        layers, heads, places, _ = maps.shape
        for layer, head in np.ndindex(layers, heads):
            wide, high = 0.9 / heads, 0.86 / layers
            box = (0.08 + head * wide, 0.94 - (layer + 1) * high, 0.86 * wide, 0.78 * high)
            axes = figure.add_axes(box)
            axes.imshow(maps[layer, head], cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal")
            text = f"{arrays['layers'][layer]}\nhead {head + 1}" if head == 0 else f"{head + 1}"
            axes.set_title(text, fontsize=5, loc="left", pad=2)
            axes.set_xticks([])
            axes.set_yticks([])
            if tokens:
                size = min(6.0, 150.0 / (layers * places))
                axes.set_yticks(range(places), tokens, fontsize=size)
                axes.set_xticks(range(places), tokens, fontsize=size, rotation=90)
            axes.tick_params(length=0, pad=1)


def attention_rollout(weights: "Sequence[NDArray[np.float64]]") -> "NDArray[np.float64]":
    """How much of each place of the input is in each place behind the last layer.

    The product over layers of (A + I) / 2, A the mean of the heads: the sum around a layer counts
    as much as the layer. Abnar & Zuidema 2020, arXiv:2005.00928, section 3.

    Args:
        weights: (H, T, T) of each layer, the first one first.

    Returns:
        (T, T), rows sum to 1.
    """
    places = weights[0].shape[-1]
    found = np.eye(places)
    for each in weights:
        found = (each.mean(axis=0) + np.eye(places)) / 2.0 @ found
    return found


@final
class AttentionOverImage(Picture):
    """Which patches of an image attention comes from, by its rollout."""

    title: ClassVar[str] = "attention over images"
    about: ClassVar[str] = (
        "Where what the network decides by comes from, by the product of the maps of all layers "
        "(attention rollout, Abnar & Zuidema 2020): bright patches are taken from much, the "
        "brightest of each image is white. It follows attention alone, and no sign: not whether a "
        "patch speaks for a class or against it."
    )

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        plans = experiment.design.plans
        return bool(attention_plans(experiment)) and any(plan.kind == "patches" for plan in plans)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        rows = thin_rows(scene.probe, _IMAGES)
        self._inputs = scene.source.gather(rows).inputs
        self._patches = next(p for p in scene.experiment.design.plans if p.kind == "patches")
        images = copy_to_host(self._inputs).mean(axis=1)
        low, high = images.min(axis=(1, 2)), images.max(axis=(1, 2))
        spread = np.where(high > low, high - low, 1.0)[:, None, None]
        self._images = (images - low[:, None, None]) / spread

    def still(self) -> Arrays:
        return {"images": self._images}

    def collect(self, *, grid: int | None = None) -> Arrays | None:
        found = _weights_of(self.scene, self._inputs)
        _, height, width = self._patches.inputs
        _, _, high, wide = self._patches.parameters[f"{self._patches.name}.weight"]
        rows, columns = height // high, width // wide
        maps: list[NDArray[np.float64]] = []
        for number in range(len(self._inputs)):
            whole = attention_rollout([weights[number] for weights in found.values()])
            # A class token stands before the patches and gathers; without one all places do.
            token = len(whole) - rows * columns
            seen = whole[0, token:] if token else whole.mean(axis=0)
            maps.append(seen.reshape(rows, columns))
        stacked = np.stack(maps)
        return {"maps": stacked} if np.isfinite(stacked).all() else None

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        images, maps = arrays["images"], arrays["maps"]
        for number, image in enumerate(images):
            big = np.kron(maps[number], np.ones(_factor(image, maps[number])))
            seen = image * 0.25 + 0.75 * big / (big.max() or 1.0)
            for row, shown in enumerate((image, seen)):
                axes = figure.add_axes((0.02 + number * 0.245, 0.5 - row * 0.42, 0.23, 0.4))
                axes.set_axis_off()
                axes.imshow(shown, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
        text = "above: the image; below: where attention comes from"
        figure.text(0.02, 0.965, text, fontsize=7, va="top")


def _factor(image: "NDArray[Any]", patches: "NDArray[Any]") -> tuple[int, int]:
    return image.shape[0] // patches.shape[0], image.shape[1] // patches.shape[1]


@final
class PositionSimilarity(Picture):
    """How alike the learned vectors of places are."""

    title: ClassVar[str] = "positions"
    about: ClassVar[str] = (
        "The cosine between the learned vectors of every two places: red alike, blue opposite. At "
        "first there is nothing but the diagonal; what the network learns of order shows as bands "
        "beside it, of an image as rows and columns of patches. Dosovitskiy et al. 2020, fig. 7."
    )

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        return bool(_learned_positions(experiment))

    def collect(self, *, grid: int | None = None) -> Arrays | None:
        name = _learned_positions(self.scene.experiment)
        weight = copy_to_host(self.scene.network.get_parameter(name))
        lengths = np.linalg.norm(weight, axis=1, keepdims=True)
        if not np.isfinite(lengths).all():
            return None
        ones = weight / np.where(lengths > 0.0, lengths, 1.0)
        return {"cosines": ones @ ones.T}

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        axes = figure.add_axes((0.12, 0.13, 0.68, 0.78))
        shown = axes.imshow(arrays["cosines"], cmap="RdBu_r", vmin=-1.0, vmax=1.0)
        axes.set_xlabel("place", fontsize=8)
        axes.set_ylabel("place", fontsize=8)
        axes.tick_params(labelsize=7)
        bar = figure.colorbar(shown, cax=figure.add_axes((0.84, 0.13, 0.03, 0.78)))
        bar.ax.tick_params(labelsize=7)


def _learned_positions(experiment: "Experiment") -> str:
    """The name of the vectors of places; empty where none are learned."""
    found = (plan for plan in experiment.design.plans if plan.kind == "positions")
    return next((name for plan in found for name in plan.parameters), "")


KINDS: tuple[type[Picture], ...] = (AttentionMaps, AttentionOverImage, PositionSimilarity)
