"""What is told of a sequence: the likeliest next tokens, a forecast."""

from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.lazy import NDArray, Tensor, np, torch
from nnlab.display.pictures.drawing import axes_of
from nnlab.display.pictures.family import (
    Arrays,
    Picture,
    Scene,
    class_probabilities,
    copy_to_host,
    text_array,
    thin_rows,
)
from nnlab.display.pictures.sequences.token_names import name_steps, short_token

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment

_LIKELIEST, _PLACES = 5, 16
"""So many tokens are shown at so many places."""
_ALONG = 80
"""So many windows of a series that follow each other are shown where each tells one step."""
_BANDS = (0.05, 0.25, 0.75, 0.95)
"""Shares of the errors that the edges of the bands leave below them."""


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
        self._still = {"shown": text_array([short_token(names[token]) for token in shown])}

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
        words = [short_token(names[token]) for token in order.ravel()]
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
        name_steps(axes, arrays["shown"].tolist(), len(shares))
        axes.set_yticks(range(shares.shape[1]), [str(n + 1) for n in range(shares.shape[1])])
        axes.set_title("likeliest next token", fontsize=8, loc="left")


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
