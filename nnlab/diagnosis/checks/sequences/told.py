"""Checks of what is told of a sequence: forecasts beside naive ones, a memory that is too short."""

from statistics import fmean

from nnlab.core.finding import Finding
from nnlab.diagnosis.checks.check import Check
from nnlab.diagnosis.evidence.course import loss_of_blind_guess
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History
from nnlab.diagnosis.evidence.luck import LUCK


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


def repeats_itself(history: History, facts: Facts) -> Finding | None:
    """What the network writes is less varied than the text that it was to learn."""
    written = facts.written
    if written is None or written.runs >= facts.limits.variety * written.held:
        return None
    return Finding(
        name="repeats_itself",
        level="note",
        layer=None,
        measured=written.runs / written.held,
        quantity=f"different runs of {written.length} tokens in what it writes, over the text's",
        limit=facts.limits.variety,
        since=history.step,
        meaning=f"{written.tokens} tokens that it wrote at temperature 1 hold as many runs of "
        f"{written.length} as {written.runs:.0f} different ones would, the held-out text that goes "
        f"on there {written.held:.0f}: it says the same again and again",
        remedy=(),
        advice="the training text may do so itself, or be too short for so many weights (more "
        "text, model.dropout, fewer units, a shorter run)",
        source="Holtzman et al. 2019, arXiv:1904.09751",
    )


def _needs_written(_: History, facts: Facts) -> str | None:
    return None if facts.written is not None else ""


def _needs_naive(_: History, facts: Facts) -> str | None:
    return None if facts.data is not None and facts.data.naive else ""


def _needs_windows(_: History, facts: Facts) -> str | None:
    return None if facts.place_losses is not None else ""


SEQUENCE_CHECKS = (
    Check("naive_forecast", naive_forecast, ("divergence",), at_end=True, unable=_needs_naive),
    Check("repeats_itself", repeats_itself, ("divergence",), at_end=True, unable=_needs_written),
    Check("state_not_carried", state_not_carried, at_end=True, unable=_needs_windows),
)
