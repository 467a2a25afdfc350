"""Checks of sequences: the gradient through time, memory, forecasts."""

from collections.abc import Callable
from statistics import fmean

from nnlab.core.finding import Finding
from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import Check
from nnlab.diagnosis.evidence.course import (
    costs_something,
    held_at_readings,
    loss_of_blind_guess,
    much_is_learned,
    share_of_loss_gone,
    should_have_begun,
    since_step,
    typical_update,
)
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History, HistoryPoint
from nnlab.diagnosis.evidence.luck import LUCK

Judge = Callable[[list[float]], float]


def _ratio(point: HistoryPoint, facts: Facts, choose: Judge) -> tuple[float, str] | None:
    """The gradient of a recurrent layer's state, first over last step, and the layer's name."""
    found: list[tuple[float, str]] = []
    layers = facts.experiment.design.layers
    for key in layers.recurrent:
        value = point.values.get(f"time_gradient/{key}")
        if value is not None:
            found.append((value, layers.seen[key].layer))
    if not found:
        return None
    chosen = choose([value for value, _ in found])
    return next(pair for pair in found if pair[0] == chosen)


def _steps(facts: Facts) -> int:
    """T, how many steps a sequence has."""
    return facts.experiment.shape.inputs[0]


def vanishing_through_time(history: History, facts: Facts) -> Finding | None:
    """The first steps get next to no gradient, where one answer at the end may need them."""
    limit = facts.limits.time_vanishing_ratio

    def below(point: HistoryPoint) -> bool:
        pair = _ratio(point, facts, min)
        return pair is not None and pair[0] < limit

    if not history.probed or not held_at_readings(history.probed, below, times=3):
        return None
    if (
        facts.experiment.shape.places
        or much_is_learned(history, facts)
        or not should_have_begun(history, facts)
    ):
        return None
    # A network that hardly moves fails for that reason, whatever reaches its first steps.
    update, share = typical_update(history, facts), share_of_loss_gone(history, facts)
    if share is None or update is None or update < facts.limits.update_low:
        return None
    costs = costs_something(history, facts)
    if not costs and share >= facts.limits.stuck:
        return None
    pair = _ratio(history.probed[-1], facts, min)
    assert pair is not None
    ratio, layer = pair
    times = f"{1.0 / ratio:.2g} times".replace("e+", "e") if ratio else "to nothing"
    return Finding(
        name="vanishing_through_time",
        level="warning" if costs else "note",
        layer=layer,
        measured=ratio,
        quantity="gradient of the state, first step over last",
        limit=limit,
        since=since_step(history.probed, below),
        meaning=f"on its way back through {_steps(facts)} steps the gradient shrinks {times}, so "
        "nothing is learned of what stands at the beginning of a sequence",
        remedy=(*_long_memory(facts), *_recurrent_init(facts)),
        source="Hochreiter 1991; Bengio et al. 1994, doi:10.1109/72.279181",
    )


def exploding_through_time(history: History, facts: Facts) -> Finding | None:
    """From step to step back in time the gradient grows."""
    limit = facts.limits.time_exploding_ratio

    def above(point: HistoryPoint) -> bool:
        pair = _ratio(point, facts, max)
        return pair is not None and pair[0] > limit

    seen = [point for point in history.probed if above(point)]
    if not seen or much_is_learned(history, facts):
        return None
    pair = _ratio(seen[-1], facts, max)
    assert pair is not None
    ratio, layer = pair
    times = f"{ratio:.2g}".replace("e+0", "e").replace("e+", "e")
    return Finding(
        name="exploding_through_time",
        level="warning",
        layer=layer,
        measured=ratio,
        quantity="gradient of the state, first step over last",
        limit=limit,
        since=seen[0].step,
        meaning=f"on its way back through {_steps(facts)} steps the gradient grows {times} times: "
        "one update follows the beginning of a sequence alone, and throws the weights far off",
        remedy=(*_recurrent_init(facts), *remedies.try_clipping(facts)),
        source="Pascanu et al. 2013, arXiv:1211.5063",
    )


def _long_memory(facts: Facts) -> tuple[str, ...]:
    """A layer whose state passes a step undiminished."""
    model = facts.config.model
    if model.kind == "rnn":
        return ("model.kind=lstm",)
    bias = getattr(model, "forget_bias", None)
    return ("model.forget_bias=1",) if bias is not None and bias < 1.0 else ()


def _recurrent_init(facts: Facts) -> tuple[str, ...]:
    """Recurrent weights that keep the length of the state."""
    own = getattr(facts.config.model, "recurrent_init", None)
    kept = own is None or own.kind in ("orthogonal", "identity")
    return () if kept else ("model.recurrent_init=orthogonal",)


def naive_forecast(history: History, facts: Facts) -> Finding | None:
    """The forecasts are no better than one that learns nothing."""
    losses = [value for _, value in history.curve("loss", "validation")][-3:]
    known = facts.data.naive if facts.data is not None else ()
    if not losses or not known:
        return None
    now, naive = fmean(losses), min(known, key=lambda one: one.loss)
    if now < naive.loss:
        return None
    rows = facts.experiment.shape.sizes["validation"]
    sure = now - naive.loss > naive.error
    return Finding(
        name="naive_forecast",
        level="warning" if sure else "note",
        layer=None,
        measured=now,
        quantity=f"validation loss ({naive.forecast}, as a forecast: {naive.loss:.4g})",
        since=history.step,
        meaning=f"{naive.forecast} tells {rows:,} windows of validation "
        + ("better than the network" if sure else "as well as the network, up to chance"),
        remedy=_difference(facts),
        advice="a longer window may show more; a series such as a random walk has nothing to learn",
        source="Hyndman & Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001",
    )


def _difference(facts: Facts) -> tuple[str, ...]:
    """Changes instead of values, of which a network need not learn the size."""
    own = getattr(facts.config.data, "difference", None)
    return ("data.difference=true",) if own is False else ()


def state_not_carried(history: History, facts: Facts) -> Finding | None:
    """Each window begins with an empty state, and the loss still falls at its end."""
    losses = facts.place_losses
    if losses is None or facts.config.train.carry or not facts.experiment.design.layers.recurrent:
        return None
    windows, places = losses.shape
    quarter, guess = places // 4, loss_of_blind_guess(history, facts)
    if quarter < 1 or windows < 2 or guess is None:
        return None
    before, after = (losses[:, -2 * quarter : -quarter].mean(1), losses[:, -quarter:].mean(1))
    base, end, fall = float(before.mean()), float(after.mean()), before - after
    gain, error = float(fall.mean()) / guess, float(fall.std()) / windows**0.5 / guess
    if gain < facts.limits.context_gain or gain < LUCK * error:
        return None
    window = getattr(facts.config.data, "window", 0)
    longer = (f"data.window={2 * window}",) if window == places else ()
    return Finding(
        name="state_not_carried",
        level="note",
        layer=None,
        measured=gain,
        quantity="fall of the loss from the third quarter of a window to the last, over a guess's",
        limit=facts.limits.context_gain,
        since=0,
        meaning=f"each window of {places} steps begins with an empty state, and the more of it is "
        f"seen the better the next step is told, to its end: {base:.4g} in the third quarter, "
        f"{end:.4g} in the last; what lies further back would help too",
        remedy=longer,
        advice="train.carry=true hands the state on from window to window while it trains",
        source="Mikolov et al. 2010, Recurrent neural network based language model",
    )


def _needs_time(history: History, facts: Facts) -> str | None:
    """For checks of the gradient through time."""
    if not facts.experiment.design.layers.recurrent or not facts.followed:
        return ""
    seen = any(key.startswith("time_gradient/") for p in history.probed for key in p.values)
    return None if seen else "no look through time was recorded (log.probes=auto does)"


def _needs_one_answer(history: History, facts: Facts) -> str | None:
    """For the gradient that vanishes: an answer at each step may need no more than that step."""
    return "" if facts.experiment.shape.places else _needs_time(history, facts)


def _needs_naive(_: History, facts: Facts) -> str | None:
    return None if facts.data is not None and facts.data.naive else ""


def _needs_windows(_: History, facts: Facts) -> str | None:
    return None if facts.place_losses is not None else ""


TIME_CHECKS = (
    Check(
        "exploding_through_time",
        exploding_through_time,
        ("divergence", "symmetric_units", "outlier_rows", "data_not_scaled"),
        unable=_needs_time,
    ),
    Check(
        "vanishing_through_time",
        vanishing_through_time,
        ("symmetric_units", "exploding_through_time", "dead_units"),
        unable=_needs_one_answer,
    ),
)
SEQUENCE_CHECKS = (
    Check("naive_forecast", naive_forecast, ("divergence",), at_end=True, unable=_needs_naive),
    Check("state_not_carried", state_not_carried, at_end=True, unable=_needs_windows),
)
