"""Pictures of sequences: the gradient through time, gates, next tokens, forecasts."""

from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.lazy import NDArray, Tensor, np, torch
from nnlab.display.pictures.depth import APART
from nnlab.display.pictures.drawing import (
    axes_of,
    class_color,
    log_y_axis,
    moment_color,
)
from nnlab.display.pictures.family import (
    Arrays,
    Picture,
    Scene,
    class_probabilities,
    copy_to_host,
    text_array,
    thin_rows,
)

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment

_MOST_STEPS = 40
"""So many steps of a text have room for their tokens under the axis."""
_LIKELIEST, _PLACES = 5, 16
"""So many tokens are shown at so many places."""
_ALONG = 80
"""So many windows of a series that follow each other are shown where each tells one step."""
_BANDS = (0.05, 0.25, 0.75, 0.95)
"""Shares of the errors that the edges of the bands leave below them."""


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
        return {"tokens": text_array(_tokens_of(self.scene, self._seen()[0]))}

    def _seen(self) -> "Tensor":
        if self._inputs is None:
            self._inputs = self.scene.source.gather(thin_rows(self.scene.probe, 1)).inputs
        return self._inputs

    def collect(self, *, grid: int | None = None) -> Arrays:
        from nnlab.training.probes.through_time import gates_by_step

        inputs, scene = self._seen(), self.scene
        found = gates_by_step(scene.network, self._layer, lambda: scene.outputs(inputs))
        opened = {gate: copy_to_host(shares[0][:_MOST_STEPS]) for gate, shares in found.items()}
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
        _name_steps(below, tokens, len(steps))


_KEEPS = {"lstm": "forget", "gru": "update"}
"""The gate of a layer that lets its state stay."""


def _tokens_of(scene: Scene, inputs: "Tensor") -> list[str]:
    """The names of the tokens of one example (T,), as far as they have room; none of numbers."""
    shape = scene.experiment.shape
    if not shape.tokens or len(shape.classes) != shape.tokens:
        return []
    return [_short(shape.classes[int(token)]) for token in inputs[:_MOST_STEPS]]


def _name_steps(axes: Any, tokens: list[str], steps: int) -> None:
    """Writes tokens under the steps of an axis, or that these are steps."""
    if tokens:
        shown = tokens[:steps]
        upright = max(map(len, shown)) > 2
        axes.set_xticks(range(len(shown)), shown, fontsize=6, rotation=90 if upright else 0)
    else:
        axes.set_xlabel("step of the sequence", fontsize=8)


@final
class NextTokens(Picture):
    """What the network takes for likely at the last steps of one example."""

    title: ClassVar[str] = "next tokens"
    about: ClassVar[str] = (
        "The likeliest tokens at the last steps of one validation example, by their probability, "
        "the likeliest on top; under each step what it was shown last. Framed: what came indeed."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        batch = scene.source.gather(thin_rows(scene.probe, 1))
        self._inputs = batch.inputs
        self._targets = copy_to_host(batch.targets[-_PLACES:]).astype(np.int64)
        names = scene.experiment.shape.classes
        shown = batch.inputs[0][-_PLACES:].tolist()
        self._still = {"shown": text_array([_short(names[token]) for token in shown])}

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        shape = experiment.shape
        told = len(shape.places) == 1 and shape.task == "classes" and shape.outputs > 2
        return (
            told and shape.tokens == shape.outputs and class_probabilities(experiment) is not None
        )

    def still(self) -> Arrays:
        return self._still

    def collect(self, *, grid: int | None = None) -> Arrays | None:
        shares = class_probabilities(self.scene.experiment)
        assert shares is not None
        found = copy_to_host(shares(self.scene.outputs(self._inputs)[-_PLACES:]))
        if not np.isfinite(found).all():
            return None
        order = np.argsort(-found, axis=1, kind="stable")[:, :_LIKELIEST]
        names = self.scene.experiment.shape.classes
        words = [_short(names[token]) for token in order.ravel()]
        return {
            "shares": np.take_along_axis(found, order, axis=1),
            "tokens": text_array(words).reshape(order.shape),
            "right": order == self._targets[:, None],
        }

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        axes = axes_of(figure)
        shares, tokens, right = arrays["shares"], arrays["tokens"], arrays["right"]
        axes.imshow(shares.T, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
        small = 9 if max(map(len, tokens.ravel())) <= 2 else 5
        for place, rank in np.ndindex(*shares.shape):
            dark = shares[place, rank] > 0.5
            axes.text(
                place, rank, str(tokens[place, rank]), ha="center", va="center", fontsize=small,
                color="white" if dark else "#222222",
                bbox={"fill": False, "ec": "#d62728", "lw": 1.2, "pad": 1.5}
                if right[place, rank]
                else None,
            )  # fmt: skip
        _name_steps(axes, arrays["shown"].tolist(), len(shares))
        axes.set_yticks(range(shares.shape[1]), [str(n + 1) for n in range(shares.shape[1])])
        axes.set_title("likeliest next token", fontsize=8, loc="left")


def _short(token: str) -> str:
    """A token as it has room in a cell."""
    return {"space": "_", "newline": "\\n", "tab": "\\t"}.get(token, token[:6])


@final
class Forecast(Picture):
    """What is told of a series, with how far off the network was elsewhere."""

    title: ClassVar[str] = "forecast"
    about: ClassVar[str] = (
        "The end of the validation block and what the network tells of it, in the data's own "
        "units. Shaded: where half and where nine tenths of its errors on other validation windows "
        "would lie. With a horizon of one step, window after window; of more, all steps from one "
        "window."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        examples = scene.examples
        rows = examples.rows.get("validation", examples.rows["train"])
        windows = examples.windows
        assert windows is not None
        steps = windows.count
        self._rows = rows[-_ALONG:] if steps == 1 else rows[-1:]
        self._past = np.asarray(
            windows.targets[self._first(0) - min(windows.length, 3 * steps) : self._first(0)]
            if steps > 1
            else (),
            np.float64,
        )
        self._truth = self._levels(examples.targets[self._rows], self._rows)

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        from nnlab.parts.datasets.sequences.series import SeriesLikeConfig

        numbers = experiment.shape.task == "regression" and not experiment.shape.places
        return numbers and isinstance(experiment.config.data, SeriesLikeConfig)

    def _first(self, index: int) -> int:
        """The first step that one of the shown windows is to tell."""
        windows = self.scene.examples.windows
        assert windows is not None
        return int(self._rows[index]) * windows.stride + windows.offset

    def _levels(self, told: "NDArray[Any]", rows: "NDArray[np.int64]") -> "NDArray[np.float64]":
        """(N, H) targets as the data have them, in the series' own values."""
        windows = self.scene.examples.windows
        assert windows is not None
        if not windows.relative:
            return told.astype(np.float64)
        last = windows.targets[rows * windows.stride + windows.length - 1]
        return told.astype(np.float64) + last[:, None]

    def _told(self, rows: "Tensor") -> "NDArray[np.float64]":
        """(N, H) what the network tells of rows, in the unit of the targets."""
        scene = self.scene
        outputs = scene.outputs(scene.source.gather(rows).inputs)
        found = copy_to_host(scene.experiment.loss.predictions(outputs))
        if (scale := scene.examples.target_scale) is not None:
            found = found * np.array(scale.deviation) + np.array(scale.mean)
        return found

    def collect(self, *, grid: int | None = None) -> Arrays:
        scene = self.scene
        probe = scene.probe.cpu().numpy()
        errors = scene.examples.targets[probe] - self._told(scene.probe)
        told = self._told(torch.from_numpy(self._rows).to(scene.probe.device))
        return {
            "past": self._past,
            "truth": self._truth,
            "told": self._levels(told, self._rows),
            "edges": np.quantile(errors, _BANDS, axis=0),
            "first": np.array(self._first(0)),
        }

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        axes = axes_of(figure)
        past, truth, told, edges = (arrays[key] for key in ("past", "truth", "told", "edges"))
        if truth.shape[1] > 1:
            truth, told, edges = truth[0], told[0], edges.T
        else:
            truth, told = truth[:, 0], told[:, 0]
            edges = np.broadcast_to(edges[:, 0], (len(told), len(edges)))
        first = int(arrays["first"])
        steps = np.arange(first, first + len(told))
        axes.plot(np.arange(first - len(past), first), past, color="#444444", lw=1.2)
        axes.fill_between(steps, told + edges[:, 0], told + edges[:, 3], color="#c6dbef", lw=0)
        axes.fill_between(steps, told + edges[:, 1], told + edges[:, 2], color="#9ecae1", lw=0)
        axes.plot(steps, truth, "o-", color="#444444", ms=2.5, lw=1.2, label="came")
        axes.plot(steps, told, color="#1f77b4", lw=1.8, label="told")
        seen = np.concatenate([past, truth, told])
        low, high = seen.min(), seen.max()
        room = 0.15 * (high - low) or 1.0
        if np.isfinite([low, high]).all():
            axes.set_ylim(low - room, high + room)
        axes.set_xlabel("step of the series", fontsize=8)
        axes.grid(alpha=0.25)
        axes.legend(fontsize=7)


KINDS: tuple[type[Picture], ...] = (GradientThroughTime, Gates, NextTokens, Forecast)
