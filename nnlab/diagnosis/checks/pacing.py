"""Causes in the config that keep updates too short, too long or too few."""

from statistics import fmean, median

from nnlab.diagnosis.checks.check import Far, Proof, Setting
from nnlab.diagnosis.evidence.course import (
    held_out_gone,
    leap_from_start,
    little_is_learned,
    loss_of_blind_guess,
    middle_update,
    of_layers,
    share_of_loss_gone,
    typical_update,
)
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History

_OF_NUMBERS = ("mse", "mae", "quadratic", "huber", "smooth_l1", "log_cosh", "quantile")
"""Losses of a distance between numbers."""
_FALLS = 0.05
"""Of a blind guess's loss: by so much the loss fell from the second third to the last."""


def still_falls(history: History, facts: Facts) -> float | None:
    """How much of a blind guess's loss went from the second third of the readings to the last."""
    start = loss_of_blind_guess(history, facts)
    losses = [value for _, value in history.curve("loss")]
    third = len(losses) // 3
    if start is None or third < 1:
        return None
    return (fmean(losses[-2 * third : -third]) - fmean(losses[-third:])) / start


def _epsilon(facts: Facts) -> Far | None:
    optimizer = facts.config.optimizer
    value, field = getattr(optimizer, "eps", None), type(optimizer).model_fields.get("eps")
    if value is None or field is None or not isinstance(field.default, float):
        return None
    if value < 1e-4 or value < 1e3 * field.default:
        return None
    return Far(
        f"optimizer.eps is {value:g}, and {field.default:g} is usual: {optimizer.kind} divides by "
        "it instead of by the size of the gradient, so updates are far too short",
        (f"optimizer.eps={field.default:g}",),
    )


def _drowned(history: History, facts: Facts) -> Proof | None:
    eps = getattr(facts.config.optimizer, "eps", 0.0)
    sizes = [v for p in history.probed for _, v in of_layers(p, "grad_rms", facts.layers) if p.step]
    if not sizes or eps < 3.0 * median(sizes) or not little_is_learned(history, facts):
        return None
    return Proof(eps / max(1e-30, median(sizes)), "eps over the size of a gradient's entry")


def _clip(facts: Facts) -> Far | None:
    value = facts.config.train.clip_norm
    if value is None:
        return None
    return Far(
        f"train.clip_norm is {value:g}: nearly every gradient is longer and is cut to it, so the "
        "updates are as short as that, whatever the loss says",
        ("train.clip_norm=1",) if value < 0.3 else ("train.clip_norm=null",),
    )


def _always_clipped(history: History, facts: Facts) -> Proof | None:
    shares = [value for _, value in history.curve("clipped")]
    ratio, total = typical_update(history, facts), facts.experiment.total
    if not shares or fmean(shares) < 0.9 or ratio is None or total is None:
        return None
    if ratio * total > 0.5 or not little_is_learned(history, facts):
        return None
    return Proof(fmean(shares), "share of updates whose gradient was cut")


def _momentum(facts: Facts) -> Far | None:
    optimizer = facts.config.optimizer
    value, betas = getattr(optimizer, "momentum", 0.0), getattr(optimizer, "betas", (0.0, 0.0))
    first = betas[0]
    most = max(value, first)
    if most < 0.98:
        return None
    field = "optimizer.momentum" if value >= first else "optimizer.betas"
    memory = 1.0 / max(1e-9, 1.0 - most)
    plain = "optimizer.momentum=0.9" if value >= first else f"optimizer.betas=[0.9, {betas[1]:g}]"
    return Far(
        f"{field} is {most:g}: an update adds up the gradients of the last {memory:,.0f} updates, "
        f"most of them out of date, and is up to {memory:,.0f} times as long as one of them",
        (plain,),
    )


def _carried_away(history: History, facts: Facts) -> Proof | None:
    """Weights that went far off, or a loss that did, or nothing learned."""
    if not little_is_learned(history, facts):
        return None
    found = leap_from_start(history, facts)
    if found is not None:
        return Proof(found.length, "way of the weights in the beginning, beside the first ones")
    share = share_of_loss_gone(history, facts)
    return Proof(share, "how far the loss fell from a guess's (0 not at all, 1 to 0)")


def _rates(history: History) -> list[tuple[int, float]]:
    return list(history.curve("learning_rate"))


def _low_share(facts: Facts) -> float:
    """How much of the run goes by at less than a fiftieth of the schedule's highest factor."""
    schedule, total = facts.config.schedule, facts.experiment.total
    if total is None or schedule.observes:
        return 0.0
    factor = schedule.build(per_epoch=facts.experiment.per_epoch, total=total)
    steps = [total * n // 100 for n in range(100)]
    factors = [factor(step) for step in steps]
    peak = factors.index(max(factors))
    return sum(one < max(factors) / 50.0 for one in factors[peak:]) / 100.0


def _schedule(facts: Facts) -> Far | None:
    kind, observes = facts.config.schedule.kind, facts.config.schedule.observes
    if not observes and _low_share(facts) < 0.3:
        return None
    way = "cosine" if facts.experiment.total and kind != "cosine" else "constant"
    return Far(
        f"schedule {kind} makes the learning rate next to 0 long before the run ends: the rest of "
        "the run changes nothing",
        (f"schedule={way}",),
    )


def _ended_early(history: History, facts: Facts) -> Proof | None:
    """How much of the run goes by at less than a fiftieth of the highest rate."""
    rates = _rates(history)
    if len(rates) < 4 or not little_is_learned(history, facts):
        return None
    peak = max(rate for _, rate in rates)
    low = [step for step, rate in rates if rate < peak / 50.0]
    share = 1.0 - low[0] / rates[-1][0] if low and rates[-1][1] < peak / 50.0 else 0.0
    if share < 0.4:
        return None
    return Proof(share, "share of the run at less than a fiftieth of the highest learning rate")


def _warmup(facts: Facts) -> Far | None:
    total, schedule = facts.experiment.total, facts.config.schedule
    if total is None:
        return None
    steps = schedule.warmup.steps(per_epoch=facts.experiment.per_epoch, total=total)
    if steps < 0.4 * total:
        return None
    return Far(
        f"schedule.warmup takes {steps:,} of the run's {total:,} updates: the learning rate is "
        "reached when the run is nearly over",
        ("schedule.warmup=5%",),
    )


def _warms_up(history: History, facts: Facts) -> Proof | None:
    rates = [rate for _, rate in _rates(history)]
    if not rates or not little_is_learned(history, facts):
        return None
    return Proof(fmean(rates) / facts.config.optimizer.lr, "mean learning rate, over optimizer.lr")


def _stopping(facts: Facts) -> Far | None:
    stopping = facts.config.train.stopping
    if stopping is None:
        return None
    patience = stopping.patience
    delta = f", min_delta {stopping.min_delta:g}" if stopping.min_delta else ""
    waits = patience.unit == "epochs" and patience.amount < 10
    return Far(
        f"train.early_stopping (patience {patience.amount:g} {patience.unit}{delta}) ended the run "
        "while it was still learning",
        ("train.early_stopping={patience: 15}",) if waits else ("train.early_stopping=null",),
    )


def _stopped_early(history: History, facts: Facts) -> Proof | None:
    """Stopped while the loss fell, or before anything was learned; not where validation rose."""
    curve = [value for _, value in history.curve("loss", "validation")]
    share, fall = facts.share(history.step), still_falls(history, facts)
    if history.status != "early_stopped" or len(curve) < 2 or share > 0.7:
        return None
    start, held = loss_of_blind_guess(history, facts), held_out_gone(history, facts)
    if start is None or held is None or held >= 0.95:
        return None
    rises = min(curve[-3:]) > min(curve) + 0.02 * start
    flat = fall is not None and fall < 0.02 and held >= 0.2
    if rises or flat:
        return None
    return Proof(share, "share of the run that was over when it stopped")


def _frozen(facts: Facts) -> Far | None:
    slow, layers = facts.slow_layers, [*facts.slow_layers]
    if not slow or facts.handed:
        return None
    if facts.config.model.freeze:
        return _frozen_by_name(facts)
    groups = facts.config.optimizer.groups  # pyright: ignore[reportAttributeAccessIssue]
    low = facts.config.optimizer.lr / 100.0
    kept = [key for key, g in groups.items() if g.lr is None or g.lr > low]
    plain = {key: groups[key].model_dump(exclude_none=True) for key in kept}
    names = ", ".join(layer.name for layer in layers[:4]) + (", ..." if len(slow) > 4 else "")
    way = "does not learn at all" if max(slow.values()) == 0.0 else "hardly learns"
    inner = ", ".join(
        f"{key!r}: {{{', '.join(f'{k}: {v:g}' for k, v in fields.items())}}}"
        for key, fields in plain.items()
    )
    return Far(
        f"optimizer.groups gives {names} a learning rate of {max(slow.values()):g}: what "
        f"stands there {way}, and stays as it was drawn",
        (f"optimizer.groups={{{inner}}}",),
        layers[0].name,
    )


def _frozen_by_name(facts: Facts) -> Far:
    """The finding's words for `model.freeze`."""
    frozen = [layer for layer in facts.slow_layers if layer in facts.hidden]
    names = ", ".join(layer.name for layer in frozen[:4]) + (", ..." if len(frozen) > 4 else "")
    what = f"model.freeze keeps {names or 'the output layer'} as it was drawn"
    if frozen and len(frozen) == len(facts.hidden):
        what = "model.freeze keeps every hidden layer as it was drawn: a linear model of random "
        what += "features is all that learns"
    first = (frozen or [*facts.slow_layers])[0]
    remedy = () if facts.config.train.unfreeze else ("model.freeze=[]",)
    return Far(what, remedy, first.name)


def _stayed(history: History, facts: Facts) -> Proof | None:
    """The weights of the slow layers stayed where they were, and the run came to rest high up."""
    slow = facts.slow_layers
    probed = [point for point in history.probed if point.step]
    if not probed or not little_is_learned(history, facts):
        return None
    ways = [way for layer, way in of_layers(probed[-1], "distance", facts.layers) if layer in slow]
    if ways and max(ways) > 0.05:
        return None
    return Proof(
        max(ways, default=0.0), "way of these weights from the first ones, of their length"
    )


def _batch(facts: Facts) -> Far | None:
    total, rows = facts.experiment.total, facts.experiment.shape.sizes["train"]
    size = facts.batch_size
    if total is None or size < 128 or size < rows / 8 or total >= 500:
        return None
    if facts.config.optimizer.closure:
        return None
    return Far(
        f"a batch of {size:,} is {size / rows:.0%} of the {rows:,} training rows: the whole run "
        f"has {total:,} updates, and smaller batches give more for the same work",
        ("train.batch_size=32",),
    )


def _few_updates(facts: Facts) -> Far | None:
    total, config = facts.experiment.total, facts.config
    if total is None or total >= 1000 or _batch(facts) is not None or config.optimizer.closure:
        return None
    unit = "epochs" if config.train.epochs is not None else "steps"
    length = getattr(config.train, unit)
    if length is None:
        return None
    times = max(4, -(-400 // max(1, total)))
    return Far(
        f"the run has {total:,} updates: the loss was still falling when it ended",
        (f"train.{unit}={length * times}",),
    )


def _unfinished(history: History, facts: Facts) -> Proof | None:
    """The loss was still falling at the end, with updates of a usual length."""
    if history.status != "completed" or not little_is_learned(history, facts):
        return None
    total, fall = facts.experiment.total or 0, still_falls(history, facts)
    known = [r for p in history.probed if p.step and (r := middle_update(p, facts)) is not None]
    ratio = fmean(known) if known else None
    if ratio is not None and not facts.limits.update_low <= ratio <= facts.limits.update_high:
        return None
    share = share_of_loss_gone(history, facts)
    if total < 60 or fall is None:
        return Proof(float(history.step), "updates of the whole run")
    # A run that has to mend a bad start falls too: it must have passed a guess, or come near. One
    # that has learned what noisy data hold falls too, by little of what it has learned.
    if fall < _FALLS or share is None or not 0.0 <= share < 0.2 or fall < 0.6 * share:
        return None
    return Proof(fall, "how much of a guess's loss went in the last third of the run")


def _loss(facts: Facts) -> Far | None:
    loss, task = facts.experiment.loss, facts.experiment.shape.task
    if facts.config.own_loss is not None or task != "classes" or loss.kind not in _OF_NUMBERS:
        return None
    return Far(
        f"loss {loss.kind} is made for numbers, and the targets are classes: its gradient vanishes "
        "where an answer is surely wrong",
        ("loss=auto", "model.output.activation=auto"),
    )


def _unfit(history: History, facts: Facts) -> Proof | None:
    if not little_is_learned(history, facts):
        return None
    share = share_of_loss_gone(history, facts)
    return Proof(share, "how far the loss fell from a guess's (0 not at all, 1 to 0)")


PACING = (
    Setting("frozen_layers", _frozen, _stayed, "Yosinski et al. 2014, arXiv:1411.1792"),
    Setting("momentum_too_large", _momentum, _carried_away,
            "Sutskever et al. 2013, On the importance of initialization and momentum"),
    Setting("epsilon_too_large", _epsilon, _drowned, "Kingma & Ba 2014, arXiv:1412.6980"),
    Setting("clip_norm_too_small", _clip, _always_clipped, "Pascanu et al. 2013, arXiv:1211.5063"),
    Setting("warmup_too_long", _warmup, _warms_up, "Goyal et al. 2017, arXiv:1706.02677"),
    Setting("schedule_ends_too_early", _schedule, _ended_early, "Li et al. 2019, arXiv:1905.04753"),
    Setting("early_stopping_too_early", _stopping, _stopped_early,
            "Prechelt 1998, Early stopping - but when?"),
    Setting("loss_does_not_fit", _loss, _unfit, "Golik, Doetsch & Ney 2013"),
    Setting("batch_too_large", _batch, _unfinished, "Masters & Luschi 2018, arXiv:1804.07612"),
    Setting("too_few_updates", _few_updates, _unfinished, "Hoffer et al. 2017, arXiv:1705.08741"),
)  # fmt: skip
