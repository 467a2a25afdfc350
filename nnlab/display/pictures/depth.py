"""How the gradient fares on its way from the output back to the first layer."""

from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.events import Reading
from nnlab.core.lazy import np
from nnlab.display.pictures.drawing import axes_of, few_moments, log_y_axis, moment_color
from nnlab.display.pictures.family import Arrays, Picture, Scene, text_array

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment

APART = 2.5
"""A reading is kept where its step is so many times that of the last one kept."""
_NAMED = 12
"""With more layers than that, the axis has numbers."""


@final
class GradientByDepth(Picture):
    """The gradient norm of each layer, at several moments."""

    title: ClassVar[str] = "gradient by depth"
    about: ClassVar[str] = (
        "The length of each weight matrix's gradient, before clipping, from the first layer to the "
        "output, on a logarithmic axis: a line that falls to the left is a vanishing gradient, one "
        "that rises an exploding one. Pale: the beginning of the run, dark: now."
    )
    cumulative: ClassVar[bool] = True

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._kept: dict[int, list[float]] = {}
        self._last: tuple[int, list[float]] | None = None

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        return experiment.config.rule.optimized and len(experiment.design.layers.weights) >= 2

    def see(self, reading: Reading) -> None:
        keys = self.scene.norms
        if reading.split != "train" or keys[0] not in reading.values:
            return
        norms = [reading.values[key] for key in keys]
        self._last = (reading.step, norms)
        latest = max(self._kept, default=-1)
        if latest < 1 or reading.step >= APART * latest:
            self._kept[reading.step] = norms

    def collect(self, *, grid: int | None = None) -> Arrays | None:
        if self._last is None:
            return None
        step, norms = self._last
        kept = {**{s: n for s, n in self._kept.items() if 2 * s <= step}, step: norms}
        names = self.scene.experiment.design.layers.names
        layers = [names[key] for key in self.scene.norms]
        return {"steps": np.array([*kept]), "norms": np.array([*kept.values()]),
                "layers": text_array(layers)}  # fmt: skip

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        axes = axes_of(figure)
        layers = arrays["layers"].tolist()
        moments = few_moments([*zip(arrays["steps"], arrays["norms"], strict=True)])
        places = np.arange(1, len(layers) + 1)
        for number, (step, norms) in enumerate(moments):
            positive = np.where(norms > 0, norms, np.nan)
            shade = moment_color(number, len(moments))
            axes.plot(places, positive, "o-", ms=3, lw=1.2, color=shade, label=f"step {step:,}")
        drawn = arrays["norms"][np.isfinite(arrays["norms"]) & (arrays["norms"] > 0)]
        if drawn.size:
            log_y_axis(axes, float(drawn.min()), float(drawn.max()))
        if len(layers) <= _NAMED:
            axes.set_xticks(places, layers, fontsize=7, rotation=0 if len(layers) <= 6 else 40)
        else:
            axes.set_xlabel("layer, from input to output", fontsize=8)
        axes.set_title("gradient norm", fontsize=8, loc="left")
        axes.tick_params(axis="y", which="both", labelsize=7)
        axes.grid(alpha=0.25)
        axes.legend(fontsize=6, ncols=2)
