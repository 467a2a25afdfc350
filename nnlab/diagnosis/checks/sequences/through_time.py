"""Checks of the gradient on its way back through the steps of a sequence."""

from collections.abc import Callable

from nnlab.core.finding import Finding
from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import Check
from nnlab.diagnosis.evidence.course import (
    costs_something,
    held_at_readings,
    much_is_learned,
    share_of_loss_gone,
    should_have_begun,
    since_step,
    typical_update,
)
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History, HistoryPoint

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
        # A loss that only comes down to that of a guess has learned nothing, either.
        level="warning" if costs or (history.ended and share < facts.limits.stuck) else "note",
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


def _needs_time(history: History, facts: Facts) -> str | None:
    """For checks of the gradient through time."""
    if not facts.experiment.design.layers.recurrent or not facts.followed:
        return ""
    seen = any(key.startswith("time_gradient/") for p in history.probed for key in p.values)
    return None if seen else "no look through time was recorded (log.probes=auto does)"


def _needs_one_answer(history: History, facts: Facts) -> str | None:
    """For the gradient that vanishes: an answer at each step may need no more than that step."""
    return "" if facts.experiment.shape.places else _needs_time(history, facts)


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
