"""What training minimizes and how it bounds it, as formulas with the numbers of a config."""

from collections.abc import Iterator
from math import prod

from nnlab.core.durations import Duration
from nnlab.experiment.experiment import Experiment
from nnlab.parts.averages import EmaConfig, SwaConfig
from nnlab.parts.optimizers.family import DecayingConfig


def objective_formula(experiment: Experiment) -> str:
    """J as a formula: J = mean cross_entropy + 0.5 * 0.0001 * sum w^2."""
    terms = [f"mean {experiment.loss.kind}", *_terms(experiment)]
    whose = f" (w: {_count(experiment, experiment.config.regularize.on)})"
    return f"J = {' + '.join(terms)}{whose if len(terms) > 1 else ''}"


def penalty_formula(experiment: Experiment) -> str:
    """The terms that `regularize` adds to the objective; empty for none."""
    return " + ".join(_terms(experiment))


def _terms(experiment: Experiment) -> Iterator[str]:
    part = experiment.config.regularize
    per = f" / {experiment.shape.sizes['train']:,} * " if part.per == "dataset" else " * "
    if part.l2:
        yield f"0.5 * {part.l2:g}{per}sum w^2"
    if part.l1:
        yield f"{part.l1:g}{per}sum |w|"


def _count(experiment: Experiment, on: str) -> str:
    """How many numbers `weights` or `all` are."""
    total = experiment.design.parameters
    if on == "all":
        return f"all {total:,} parameters"
    shapes = [s for plan in experiment.design.plans for s in plan.parameters.values()]
    weights = sum(prod(shape) for shape in shapes if len(shape) >= 2)
    return f"{weights:,} weights, not the {total - weights:,} biases and the like"


def bound_formulas(experiment: Experiment) -> Iterator[str]:
    """What stands beside the objective, in the order of an update; g is its gradient."""
    config, train = experiment.config, experiment.config.train
    if limit := train.clip_norm:
        yield f"clip_norm: g * min(1, {limit:g} / |g|), |g| over all parameters"
    optimizer = config.optimizer
    if isinstance(optimizer, DecayingConfig) and (rate := optimizer.weight_decay):
        on = _count(experiment, optimizer.decay)
        if optimizer.decoupled:
            yield f"weight_decay: w - lr * {rate:g} * w, apart from g (w: {on})"
        else:
            yield f"weight_decay: g + {rate:g} * w (w: {on})"
    if limit := config.regularize.max_norm:
        yield f"max_norm: |weights into a unit| <= {limit:g} after each update"
    average = train.averaging
    if isinstance(average, EmaConfig):
        yield f"averaging: a = {average.decay:g} * a + {1 - average.decay:g} * w is evaluated"
    elif isinstance(average, SwaConfig):
        every = "epoch" if average.every == Duration(1) else str(average.every)
        yield f"averaging: the mean of w, every {every} from {average.start} on, is evaluated"
