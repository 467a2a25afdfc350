"""Checks of attention: what heads look at, norms behind sums, how much of a window is used."""

from itertools import pairwise
from math import lgamma, log
from statistics import median

from nnlab.core.contracts import Plan, flat_plans
from nnlab.core.finding import Finding
from nnlab.core.lazy import NDArray, np
from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import Check
from nnlab.diagnosis.evidence.course import (
    costs_something,
    held_at_readings,
    loss_of_blind_guess,
    loss_still_falls,
    much_is_learned,
    share_of_loss_gone,
    should_have_begun,
    since_step,
)
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History, HistoryPoint
from nnlab.diagnosis.evidence.luck import LUCK

_FEWEST_PLACES = 4
"""Of fewer places a head has little to choose from."""


def _uniform_entropy(plan: Plan) -> float:
    """The entropy of a look at all places alike, mean over places, in nats."""
    places = plan.inputs[0]
    # Place t sees t places where attention is causal: the mean of ln t is ln T! / T.
    return lgamma(places + 1) / places if "causal" in plan.note.split(", ") else log(places)


def _narrowest(point: HistoryPoint, facts: Facts) -> tuple[float, str] | None:
    """The layer whose heads look most narrowly: their median entropy, over a uniform look's."""
    layers = facts.experiment.design.layers
    plans = {plan.name: plan for plan in flat_plans(layers.plans) if plan.heads}
    found: list[tuple[float, str]] = []
    for key, heads in layers.attention.items():
        plan = plans[layers.seen[key].layer]
        values = [point.values.get(f"attention_entropy/{key}.head{h + 1}") for h in range(heads)]
        known = [value for value in values if value is not None]
        if known and plan.inputs[0] >= _FEWEST_PLACES:
            found.append((median(known) / _uniform_entropy(plan), plan.name))
    return min(found, default=None)


def attention_collapse(history: History, facts: Facts) -> Finding | None:
    """The heads of a layer look at one place each, and nothing is learned."""
    limit = facts.limits.attention_entropy

    def narrow(point: HistoryPoint) -> bool:
        pair = _narrowest(point, facts)
        return pair is not None and pair[0] < limit

    if not held_at_readings(history.probed, narrow, times=3):
        return None
    # A head may well look at one place: what copies a token does. It is harm where all rests.
    share = share_of_loss_gone(history, facts)
    if share is None or much_is_learned(history, facts) or not should_have_begun(history, facts):
        return None
    costs = costs_something(history, facts)
    if not costs and share >= facts.limits.stuck:
        return None
    pair = _narrowest(history.probed[-1], facts)
    assert pair is not None
    since = since_step(history.probed, narrow)
    return Finding(
        name="attention_collapse",
        level="warning" if costs else "note",
        layer=pair[1],
        measured=pair[0],
        quantity="entropy of the heads' weights, median, over that of a look at all places alike",
        limit=limit,
        since=since,
        meaning="its heads look at one place each: a softmax that has decided passes next to no "
        "gradient on to queries and keys, and they stay as they are",
        remedy=_smaller_logits(facts, at_first=since == history.probed[0].step),
        source="Zhai et al. 2023, arXiv:2303.06296",
    )


def _smaller_logits(facts: Facts, *, at_first: bool) -> tuple[str, ...]:
    """Smaller first weights where these were it, else shorter steps."""
    init = getattr(facts.config.model, "init", None)
    if at_first:
        return ("model.init=gpt2",) if init is not None and init != "gpt2" else ()
    return (*remedies.try_rate(facts, 0.3), *_warm_up(facts))


def _warm_up(facts: Facts) -> tuple[str, ...]:
    return () if facts.config.schedule.warmup.amount else ("schedule.warmup=10%",)


def _is_post_norm(facts: Facts) -> bool:
    """Whether a norm stands right behind the sum around attention, and none before it."""
    plans = facts.experiment.design.plans
    for plan, behind in pairwise(plans):
        kinds = [child.kind for child in plan.children]
        if "attention" in kinds and behind.kind in ("layer_norm", "rms_norm"):
            return not {"layer_norm", "rms_norm"} & {*kinds}
    return False


def post_norm_without_warmup(history: History, facts: Facts) -> Finding | None:
    """A transformer with its norms behind the sums learned little, and began at the full rate."""
    if facts.config.schedule.warmup.amount or not _is_post_norm(facts):
        return None
    share = share_of_loss_gone(history, facts)
    little = share is None or share < facts.limits.underfit
    if not history.diverged and (not little or loss_still_falls(history)):
        return None
    first = getattr(facts.config.model, "norm_first", None) is False
    return Finding(
        name="post_norm_without_warmup",
        level="warning",
        layer=None,
        measured=share,
        quantity="share of a blind guess's loss that is gone",
        since=0,
        meaning="norms behind the sums make the first gradients of the last blocks large, and the "
        "learning rate is at its full height from the first update on",
        remedy=(*_warm_up(facts), *(("model.norm_first=true",) if first else ())),
        source="Xiong et al. 2020, arXiv:2002.04745, section 3",
    )


def context_unused(history: History, facts: Facts) -> Finding | None:
    """Behind the first few places of a window the loss falls no more: the rest of it tells nothing.

    A place at the beginning sees few others, one at the end all: a loss that is the same for both
    is that of a network that uses only the last few.
    """
    losses, guess = facts.place_losses, loss_of_blind_guess(history, facts)
    if losses is None or not guess or not facts.attends:
        return None
    windows, places = losses.shape
    # Of what nothing has been learned yet, no place tells anything.
    learned = 1.0 - float(losses.mean()) / guess
    if windows < 2 or places < _FEWEST_WINDOW or learned < facts.limits.stuck:
        return None
    used = _places_used(losses, guess, facts.limits.context_gain)
    if used is None or used > places // 8:
        return None
    window = getattr(facts.config.data, "window", 0)
    shorter = max(2 * used, 4)
    return Finding(
        name="context_unused",
        level="note",
        layer=None,
        measured=float(used),
        quantity=f"places of {places} behind which the loss falls no more",
        limit=places / 8,
        since=0,
        meaning=f"the loss falls along the first {used} places of a window of {places} and rests "
        "from there on: what lies further back is seen and not used",
        remedy=(f"data.window={shorter}",) if window == places else (),
        advice="longer training, or positions that tell near from far (rotary, alibi), may use it; "
        "the cost of attention grows with the square of the window",
        source="Khandelwal et al. 2018, arXiv:1805.04623, section 4",
    )


_FEWEST_WINDOW = 32
"""Of a shorter window an eighth is a handful."""


def _places_used(losses: "NDArray[np.float32]", guess: float, gain: float) -> int | None:
    """From which place on (from 1) the mean loss of those behind is not below its own, up to luck.

    Args:
        losses: (N, T) of N windows.
        guess: the loss of a blind guess.
        gain: of that, how much less would count.

    Returns:
        None where the loss falls to the end.
    """
    places = losses.shape[1]
    for place in range(1, places // 2):
        near = losses[:, place : place + max(1, places // 16)].mean(1)
        fall = near - losses[:, places // 2 :].mean(1)
        error = float(fall.std()) / len(fall) ** 0.5
        if float(fall.mean()) <= max(gain * guess, 0.0) and float(fall.mean()) <= LUCK * error:
            return place
    return None


def _needs_attention(history: History, facts: Facts) -> str | None:
    if not facts.attends or not facts.followed:
        return ""
    seen = any(key.startswith("attention_entropy/") for p in history.probed for key in p.values)
    return None if seen else "no look at attention was recorded (log.probes=auto does)"


def _needs_blocks(_: History, facts: Facts) -> str | None:
    return None if facts.attends and facts.followed else ""


def _needs_windows(_: History, facts: Facts) -> str | None:
    return None if facts.attends and facts.place_losses is not None else ""


ATTENTION_CHECKS = (
    Check(
        "post_norm_without_warmup",
        post_norm_without_warmup,
        ("symmetric_units", "data_not_scaled"),
        at_end=True,
        of_config=True,
        unable=_needs_blocks,
    ),
    Check(
        "attention_collapse",
        attention_collapse,
        ("symmetric_units", "divergence", "post_norm_without_warmup"),
        unable=_needs_attention,
    ),
    Check(
        "context_unused",
        context_unused,
        ("divergence", "attention_collapse", "loss_not_decreasing"),
        at_end=True,
        unable=_needs_windows,
    ),
)
