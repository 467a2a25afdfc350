"""What passes through the steps of a recurrent layer: the gradient back, the gates."""

from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.lazy import NDArray, Tensor, np
from nnlab.display.pictures.depth import APART
from nnlab.display.pictures.drawing import axes_of, class_color, log_y_axis, moment_color
from nnlab.display.pictures.family import (
    Arrays,
    Picture,
    Scene,
    copy_to_host,
    text_array,
    thin_rows,
)
from nnlab.display.pictures.sequences.token_names import MOST_STEPS, name_steps, tokens_of

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment


@final
class GradientThroughTime(Picture):
    """The gradient of a recurrent layer's state at each step, at several moments."""

    title: ClassVar[str] = "gradient through time"
    about: ClassVar[str] = (
        "The length of the gradient of the state by the loss of the last step, at each step of the "
        "sequence, on a logarithmic axis: a line that falls to the left is a gradient that "
        "vanishes through time, one that rises one that explodes. Pale: the beginning of the run, "
        "dark: now; dashed: the other recurrent layers now. Bengio et al. 1994."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._kept: list[NDArray[np.float64]] = []
        self._asked = self._next = 0

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        return bool(experiment.design.layers.recurrent) and experiment.config.rule.optimized

    def collect(self, *, grid: int | None = None) -> Arrays | None:
        if self.scene.last_loss is None:
            return None
        from nnlab.training.probes.through_time import gradient_by_step

        layers = self.scene.experiment.design.layers
        names = [layers.seen[key].layer for key in layers.recurrent]
        found = gradient_by_step(self.scene.network, names, self.scene.last_loss)
        norms = np.stack([copy_to_host(found[name]) for name in names])
        earlier = np.array(self._kept).reshape(len(self._kept), norms.shape[1])
        # Moments that are further and further apart, as those of the gradient by depth.
        if self._asked >= self._next:
            self._kept.append(norms[0])
            self._next = int(APART * max(1, self._asked))
        self._asked += 1
        return {"norms": norms, "earlier": earlier, "layers": text_array(names)}

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        axes = axes_of(figure)
        norms, earlier, names = arrays["norms"], arrays["earlier"], arrays["layers"].tolist()
        steps = np.arange(1, norms.shape[1] + 1)
        positive = [np.where(line > 0, line, np.nan) for line in (*earlier, *norms)]
        for number, line in enumerate(positive[: len(earlier)]):
            axes.plot(steps, line, lw=1.0, color=moment_color(number, len(earlier) + 1))
        for number, line in enumerate(positive[len(earlier) :]):
            style = {"color": moment_color(1, 2)} if number == 0 else {"ls": "--"}
            axes.plot(steps, line, lw=1.8, label=names[number], **style)
        drawn = np.concatenate(positive)
        drawn = drawn[np.isfinite(drawn)]
        if drawn.size:
            log_y_axis(axes, float(drawn.min()), float(drawn.max()))
        axes.set_xlabel("step of the sequence", fontsize=8)
        axes.set_title("gradient of the state", fontsize=8, loc="left")
        axes.grid(alpha=0.25)
        axes.legend(fontsize=7)


@final
class Gates(Picture):
    """How far the gates of the first recurrent layer are open along one example."""

    title: ClassVar[str] = "gates"
    about: ClassVar[str] = (
        "Above: how far each gate of the first recurrent layer is open at each step of one "
        "validation example, the mean of its units; below: the gate that keeps the state (the "
        "forget gate of an LSTM, the update gate of a GRU), unit by unit, those that keep it "
        "longest on top. Dark: open, the state stays. Karpathy et al. 2015, arXiv:1506.02078."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        layers = scene.experiment.design.layers
        self._layer = next(
            layers.seen[key].layer for key, k in layers.recurrent.items() if k in _KEEPS
        )
        self._keeps = next(_KEEPS[k] for k in layers.recurrent.values() if k in _KEEPS)
        self._inputs: Tensor | None = None

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        return any(kind in _KEEPS for kind in experiment.design.layers.recurrent.values())

    def still(self) -> Arrays:
        return {"tokens": text_array(tokens_of(self.scene, self._seen()[0]))}

    def _seen(self) -> "Tensor":
        if self._inputs is None:
            self._inputs = self.scene.source.gather(thin_rows(self.scene.probe, 1)).inputs
        return self._inputs

    def collect(self, *, grid: int | None = None) -> Arrays:
        from nnlab.training.probes.through_time import gates_by_step

        inputs, scene = self._seen(), self.scene
        found = gates_by_step(scene.network, self._layer, lambda: scene.outputs(inputs))
        opened = {gate: copy_to_host(shares[0][:MOST_STEPS]) for gate, shares in found.items()}
        keeps = opened[self._keeps]
        return {
            "gates": text_array([*opened]),
            "means": np.stack([shares.mean(axis=1) for shares in opened.values()]),
            "units": keeps[:, np.argsort(-keeps.mean(axis=0), kind="stable")].T,
            "keeps": text_array([self._keeps]),
        }

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        means, units, tokens = arrays["means"], arrays["units"], arrays["tokens"].tolist()
        steps = np.arange(means.shape[1])
        above = figure.add_axes((0.14, 0.58, 0.82, 0.34))
        for number, gate in enumerate(arrays["gates"].tolist()):
            above.plot(steps, means[number], lw=1.5, color=class_color(number), label=gate)
        above.set(xlim=(-0.5, len(steps) - 0.5), ylim=(0.0, 1.0))
        above.set_title("open, mean of the units", fontsize=8, loc="left")
        above.tick_params(labelsize=7, labelbottom=False)
        above.grid(alpha=0.25)
        above.legend(fontsize=6, ncols=3)
        below = figure.add_axes((0.14, 0.13, 0.82, 0.4))
        below.imshow(units, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
        below.set_ylabel(f"units, {arrays['keeps'][0]} gate", fontsize=7)
        below.tick_params(labelsize=7)
        name_steps(below, tokens, len(steps))


_KEEPS = {"lstm": "forget", "gru": "update"}
"""The gate of a layer that lets its state stay."""
