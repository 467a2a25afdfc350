"""The course of a run, as several checks ask for it: its updates, its loss, what is learned."""

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean, median
from typing import NamedTuple

from nnlab.diagnosis.evidence.facts import Facts, LayerFacts
from nnlab.diagnosis.evidence.history import History, HistoryPoint
from nnlab.diagnosis.evidence.trend import loss_trend

FEWEST = 30
"""After fewer updates than this nobody can say whether a network learns."""
USUAL_UPDATE = 1e-3
"""Length of an update over that of the weights. Bottou 2015, cited in Stanford's CS231n notes."""
_KEYS = ("weight_norm", "activation_std", "preactivation_std", "grad_norm")


def of_layers(
    point: HistoryPoint, prefix: str, layers: Sequence[LayerFacts]
) -> Iterator[tuple[LayerFacts, float]]:
    """A number of each layer that has it and where it is finite: of its weight or of the layer."""
    for layer in layers:
        value = point.values.get(f"{prefix}/{layer.weight}")
        if value is None:
            value = point.values.get(f"{prefix}/{layer.key}")
        if value is not None:
            yield layer, value


def since_step(points: Sequence[HistoryPoint], holds: Callable[[HistoryPoint], bool]) -> int:
    """From which step on it has held at every reading up to the newest."""
    step = points[-1].step
    for point in reversed(points):
        if not holds(point):
            break
        step = point.step
    return step


def held_at_readings(
    points: Sequence[HistoryPoint], holds: Callable[[HistoryPoint], bool], *, times: int = 2
) -> bool:
    """Whether it held at so many readings, up to the newest."""
    return len(points) >= times and all(holds(point) for point in points[-times:])


def not_finite(point: HistoryPoint, facts: Facts) -> str | None:
    """The first layer, from the input on, with a number that is not finite."""
    # In fp16 gradients overflow now and then; those updates are skipped and the scale is lowered.
    keys = _KEYS[:-1] if facts.config.train.precision == "fp16" else _KEYS
    for layer in facts.layers:
        for key in keys:
            for name in (layer.weight, layer.key):
                if point.values.get(f"{key}/{name}", 0.0) is None:
                    return layer.name
    return None


def middle_update(point: HistoryPoint, facts: Facts) -> float | None:
    """The median of |update| / |weights| over the layers that have no low rate of their own."""
    trained = facts.trained_at(point.step, facts.layers)
    layers = [layer for layer in trained if layer not in facts.slow_layers] or facts.layers
    found = [ratio for _, ratio in of_layers(point, "update_ratio", layers)]
    return median(found) if found else None


def typical_update(history: History, facts: Facts) -> float | None:
    """|update| / |weights|, median over the layers and the last probes."""
    found = [middle_update(point, facts) for point in history.probed[-5:] if point.step]
    known = [ratio for ratio in found if ratio is not None]
    return median(known) if known else None


class Leap(NamedTuple):
    """How far the weights have gone early in a run."""

    length: float
    """Of their way from the first ones, beside these; median of the layers."""
    step: int
    """When that was seen."""


def leap(history: History, facts: Facts) -> Leap | None:
    """The longest way that was seen in the beginning of a run: until learning should have begun.

    First weights that are smaller than usual count as usual: of N(0, 1 / n_in).
    """
    if not history.probed or history.probed[0].step:
        return None
    first = dict(of_layers(history.probed[0], "weight_norm", facts.layers))
    probed = [point for point in history.probed if point.step]
    early = [
        p for n, p in enumerate(probed) if n < 2 or facts.share(p.step) <= facts.limits.patience
    ]
    found: list[Leap] = []
    for point in early:
        ways = [
            way * first[layer] / max(first[layer], layer.shape[0] ** 0.5)
            for layer, way in of_layers(point, "distance", facts.layers)
            if layer in first
        ]
        if ways:
            found.append(Leap(median(ways), point.step))
    return max(found, default=None)


def leap_from_start(history: History, facts: Facts) -> Leap | None:
    """The leap, where it left nothing of the first weights."""
    found = leap(history, facts)
    return found if found and found.length > facts.limits.leap else None


def loss_of_blind_guess(history: History, facts: Facts) -> float | None:
    """The loss of a guess that never looks at the inputs; where unknown, that of the first weights.

    None where there is none above 0.
    """
    known = facts.data.blind if facts.data is not None else None
    if known is None and history.train:
        known = history.train[0].values.get("loss")
    return known if known is not None and known > 0.0 else None


def recent_loss(history: History) -> float | None:
    """The mean training loss of the last tenth of the readings, of two at least."""
    losses = history.curve("loss")
    count = max(2, len(losses) // 10)
    return fmean(value for _, value in losses[-count:]) if len(losses) >= count else None


def share_of_loss_gone(history: History, facts: Facts) -> float | None:
    """How much of the loss of a blind guess is gone: 0 nothing is learned, 1 all is.

    Negative where the network is worse than the guess; None as long as there is nothing to say.
    """
    start, now = loss_of_blind_guess(history, facts), recent_loss(history)
    return None if start is None or now is None else 1.0 - now / start


def much_is_learned(history: History, facts: Facts) -> bool:
    """Whether so much is learned that a symptom in the layers does no great harm."""
    share = share_of_loss_gone(history, facts)
    return share is not None and share >= facts.limits.learned


def loss_still_falls(history: History) -> bool:
    """Whether the training loss falls, from one third of the readings to the next; or who knows."""
    trend = loss_trend(history)
    return trend is None or trend.falls


def costs_something(history: History, facts: Facts) -> bool:
    """Whether a mild symptom has cost something: the run is over, little is learned, all rests.

    Before the end nobody knows: many runs rest on a plateau for half of their time, and then learn
    (Saxe et al. 2014, arXiv:1312.6120).
    """
    return history.ended and not much_is_learned(history, facts) and not loss_still_falls(history)


def should_have_begun(history: History, facts: Facts) -> bool:
    """Whether learning should have begun by now."""
    few = history.step < FEWEST or len(history.train) <= 3
    return not few and facts.share(history.step) >= facts.limits.patience


def held_out_gone(history: History, facts: Facts) -> float | None:
    """How much of a blind guess's loss is gone on validation rows, as `share_of_loss_gone` counts.

    None without validation readings, or where a guess's loss is not known.
    """
    start = loss_of_blind_guess(history, facts)
    losses = [value for _, value in history.curve("loss", "validation")][-3:]
    return 1.0 - sum(losses) / len(losses) / start if start and losses else None


def scored_well(history: History, facts: Facts) -> bool:
    """Whether a validation score has gone most of the way from a blind guess's to a perfect one."""
    known = facts.data.baseline if facts.data is not None else {}
    for score in facts.experiment.scores:
        values = [value for _, value in history.curve(score.key, "validation")][-3:]
        base = known.get(score.key, 1.0)
        if score.higher_is_better and values and base < 1.0:
            return (fmean(values) - base) / (1.0 - base) >= _WELL
    return False


_WELL = 0.8


def little_is_learned(history: History, facts: Facts) -> bool:
    """Whether the run failed by its own numbers: diverged, or most of a guess's loss is left.

    The better of training and validation counts: dropout and augmentation make training harder
    than validation, an average that lags makes validation worse than training.
    """
    if history.diverged:
        return True
    if scored_well(history, facts):
        return False
    shares = (share_of_loss_gone(history, facts), held_out_gone(history, facts))
    known = [share for share in shares if share is not None]
    return bool(known) and max(known) < facts.limits.learned
