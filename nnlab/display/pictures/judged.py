"""What evaluation shows of a classifier: where it errs, whether it knows, what it gets worst."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.lazy import NDArray, np, torch
from nnlab.display.pictures.family import Arrays, Drawing, text_array
from nnlab.parts.scores.probabilities import BINS, confidence_bins
from nnlab.parts.scores.ranks import threshold_counts

if TYPE_CHECKING:
    Floats = NDArray[np.floating]

_WORST = 16
THRESHOLDS = 101
_NAMED = 20
"""With more classes than that, axes have numbers."""
NUMBERED = 12
"""With more classes than that, cells have no numbers."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a network said of the N examples of a split.

    Attributes:
        probabilities: (N, K).
        predicted: (N,) class numbers, as the accuracy counts them.
        targets: (N,) class numbers.
        classes: the K names.
        images: (N, channels, height, width) as stored; None where the inputs are none.
    """

    probabilities: "Floats"
    predicted: "NDArray[np.int64]"
    targets: "NDArray[np.int64]"
    classes: tuple[str, ...]
    images: "NDArray[Any] | None" = None


class Judgement(Drawing):
    """One picture of an evaluation."""

    group: ClassVar[str] = "evaluation"

    @classmethod
    @abstractmethod
    def collect(cls, judged: Judged) -> "Arrays | None":
        """What is drawn; None where there is nothing to see."""


@final
class ConfusionMatrix(Judgement):
    """Which classes are taken for which."""

    title: ClassVar[str] = "confusion matrix"
    about: ClassVar[str] = (
        "Rows: what it is; columns: what the network says. Shade: the share of the row. The "
        "diagonal is right."
    )

    @classmethod
    def collect(cls, judged: Judged) -> Arrays:
        return {
            "counts": confusion_shares(judged.predicted, judged.targets, len(judged.classes)),
            "classes": text_array(judged.classes),
        }  # fmt: skip

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        counts, names = arrays["counts"], arrays["classes"].tolist()
        axes = figure.add_axes((0.2, 0.18, 0.74, 0.74))
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
        if len(names) <= NUMBERED:
            for row, column in np.argwhere(counts > 0):
                dark = share[row, column] > 0.5
                axes.text(
                    column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=7,
                    color="white" if dark else "#222222",
                )  # fmt: skip
        if len(names) <= _NAMED:
            places = np.arange(len(names))
            short = [name[:10] for name in names]
            upright = sum(map(len, short)) > 40
            axes.set_xticks(places, short, fontsize=7, rotation=60 if upright else 0)
            axes.set_yticks(places, short, fontsize=7)
        axes.set_xlabel("said", fontsize=8)
        axes.set_ylabel("is", fontsize=8)


@final
class Reliability(Judgement):
    """Whether the probabilities mean what they say."""

    title: ClassVar[str] = "reliability"
    about: ClassVar[str] = (
        "Of the examples that the network is so sure of, how many are right? On the diagonal its "
        "probabilities mean what they say; below it is too sure of itself. The bars below count "
        "the examples. Expected calibration error: Guo et al. 2017, arXiv:1706.04599."
    )

    @classmethod
    def collect(cls, judged: Judged) -> Arrays:
        pair = (judged.probabilities, judged.targets)
        found = confidence_bins(*map(torch.from_numpy, map(np.ascontiguousarray, pair)))
        return {
            "sure": np.array(found.confidence),
            "right": np.array(found.accuracy),
            "counts": np.array(found.counts),
            "error": np.array(found.error),
        }

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        axes = figure.add_axes((0.14, 0.34, 0.82, 0.58))
        sure, right, counts = arrays["sure"], arrays["right"], arrays["counts"]
        filled = counts > 0
        axes.plot([0, 1], [0, 1], "--", color="#888888", lw=1)
        axes.plot(sure[filled], right[filled], "o-", color="#1f77b4", ms=4)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.tick_params(labelsize=8, labelbottom=False)
        axes.set_ylabel("share that is right", fontsize=8)
        axes.text(0.03, 0.92, f"expected calibration error {arrays['error']:.3f}", fontsize=8)
        axes.grid(alpha=0.25)
        below = figure.add_axes((0.14, 0.13, 0.82, 0.17))
        edges = np.linspace(0.0, 1.0, BINS + 1)
        below.bar(edges[:-1], counts, width=1 / BINS, align="edge", color="#9ecae1", ec="white")
        below.set(xlim=(0, 1))
        below.tick_params(labelsize=8)
        below.set_xlabel("probability of the class that it says", fontsize=8)
        below.set_ylabel("examples", fontsize=8)


@final
class WorstMistakes(Judgement):
    """The images whose class surprises the network most."""

    title: ClassVar[str] = "worst mistakes"
    about: ClassVar[str] = (
        "The wrongly classified images that the network is surest of, the surest first: what each "
        "is, what the network says instead, how sure it is of that. White is the greatest number."
    )

    @classmethod
    def collect(cls, judged: Judged) -> Arrays | None:
        if judged.images is None:
            return None
        worst = worst_mistakes(judged)
        if not len(worst):
            return None
        said = judged.predicted[worst]
        return {
            "images": judged.images[worst],
            "is": text_array([judged.classes[index] for index in judged.targets[worst]]),
            "said": text_array([judged.classes[index] for index in said]),
            "sure": judged.probabilities[worst].max(axis=1),
        }

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        side = 4
        for number, image in enumerate(arrays["images"]):
            row, column = divmod(number, side)
            place = (0.03 + column * 0.24, 0.75 - row * 0.235, 0.21, 0.155)
            axes = figure.add_axes(place)
            axes.imshow(image_for_display(image), cmap="gray", interpolation="nearest")
            axes.set_axis_off()
            true, said = (str(arrays[key][number])[:9] for key in ("is", "said"))
            sure = 100 * arrays["sure"][number]
            axes.set_title(f"{true} as {said} ({sure:.0f} %)", fontsize=6.5, pad=2)


def image_for_display(image: "NDArray[Any]") -> "NDArray[Any]":
    """(channels, height, width) as imshow takes it: one plane of grey, or colours from 0 to 1."""
    if len(image) != 3:
        return image.mean(axis=0)
    low, high = float(image.min()), float(image.max())
    return (image.transpose(1, 2, 0) - low) / (high - low if high > low else 1.0)


def confusion_shares(
    said: "NDArray[np.int64]", targets: "NDArray[np.int64]", classes: int
) -> "NDArray[np.int64]":
    """(K, K): how often class i is said to be class j."""
    counted = np.bincount(targets * classes + said, minlength=classes * classes)
    return counted.reshape(classes, classes)


def worst_mistakes(judged: Judged) -> "NDArray[np.int64]":
    """Numbers of the wrong examples that the network was surest of first, as in the report."""
    sure = judged.probabilities[np.arange(len(judged.targets)), judged.predicted]
    wrong = np.flatnonzero(judged.predicted != judged.targets)
    return wrong[np.argsort(-sure[wrong], kind="stable")][:_WORST]


def precision_recall_curve(
    probabilities: "Floats", positive: "NDArray[np.bool_]"
) -> "NDArray[np.float64]":
    """(6, THRESHOLDS): true and false positives, true and false negatives, precision, recall.

    Args:
        probabilities: (N,) of the class.
        positive: (N,) whether it is the class.

    Positive is said from a threshold on; nothing said at all has precision 1, as in scikit-learn.
    """
    thresholds = np.linspace(0.0, 1.0, THRESHOLDS)
    hits, falls = threshold_counts(probabilities, positive).at(thresholds)
    positives, negatives = positive.sum(), (~positive).sum()
    said = hits + falls
    precision = np.where(said > 0, hits / np.maximum(said, 1), 1.0)
    recall = hits / max(positives, 1)
    return np.stack([hits, falls, negatives - falls, positives - hits, precision, recall])


JUDGEMENTS: tuple[type[Judgement], ...] = (ConfusionMatrix, Reliability, WorstMistakes)
"""What evaluation shows of a split."""
