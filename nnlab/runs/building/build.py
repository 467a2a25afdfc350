"""From an experiment to a trainer: reads like the YAML, from top to bottom."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnlab.core.contracts import AugmentFn, Carrying, Examples, LossFn, Score, Split
from nnlab.experiment.experiment import Experiment
from nnlab.models.network import build_network as build_network
from nnlab.models.network import calibrate_weights
from nnlab.parts.augments.family import apply_augments
from nnlab.runs.building.beginning import load_beginning
from nnlab.runs.building.compiling import compile_step
from nnlab.runs.building.forward import batches_of, forward_of
from nnlab.runs.building.freezing import build_freezing
from nnlab.runs.building.numbers import penalty_share, tuned_numbers
from nnlab.runs.building.probing import build_probes, costly_measures, spread_rows
from nnlab.runs.building.scoring import loss_of, network_scores_of, scores_of, stored_scores_of
from nnlab.training import objective
from nnlab.training.averaging import Averaged
from nnlab.training.evaluate import Forward, evaluate_split
from nnlab.training.loop import Trainer
from nnlab.training.order import Order
from nnlab.training.progress import Limits, Monitor
from nnlab.training.sources import ResidentSource, RowSource, WindowSource
from nnlab.training.step import Parts, Step
from nnlab.training.streams import StreamedSource

CALIBRATION_ROWS = 256
"""So many training examples are seen by an initializer that looks at data."""


@dataclass(frozen=True, slots=True)
class BuiltRun:
    """The objects of a run.

    Attributes:
        trainer: runs.
        step: what it runs.
        network: the modules that the step trains.
        measure: reads a split; each that the data have.
        cards: keys of the gradient norms that TensorBoard shows.
        source: gives the batch of any rows.
        why_eager: why the step is not compiled although the config asks for it; else empty.
    """

    trainer: Trainer
    step: Step
    network: nn.Module
    measure: Mapping[Split, Callable[[], dict[str, float]]]
    cards: frozenset[str]
    source: RowSource
    why_eager: str


def build_trainer(experiment: Experiment, examples: Examples, device: torch.device) -> BuiltRun:
    """Makes the torch objects of an experiment on a device."""
    config, rule = experiment.config, experiment.config.rule
    config.model.check(examples)
    source = source_of(examples, device=device, dtype=_dtype(experiment))
    order = _order(experiment, examples, device)
    network = _network(experiment, examples, source, device)
    parts = _parts(experiment, examples, network, source, device)
    # Last of what the step is made of: a compiled step records all of them.
    step, why_eager = compile_step(experiment, examples, rule.build(parts), device)
    # Averaged weights are what is scored and kept, so the monitor must judge them too.
    evaluated = network if parts.averaged is None else parts.averaged.network
    measure = split_measures(
        forward_of(experiment, evaluated),
        experiment,
        examples,
        source=source,
        loss=parts.loss,
        scores=parts.scores,
        device=device,
    )
    trainer = Trainer(
        step=step,
        order=order,
        schedule=config.schedule.build(
            per_epoch=experiment.per_epoch,
            total=experiment.total,
            higher_is_better=_higher_is_better(experiment),
        ),
        base_lr=rule.base_lr(config.optimizer),
        # Never the test split: what is chosen by it says nothing of new data.
        evaluate={s: m for s, m in measure.items() if s == "validation"},
        pace=experiment.pace,
        costly=costly_measures(experiment, examples.rows["train"], parts),
        limits=_limits(experiment),
        monitor=_monitor(experiment),
        announce=source.announce,
        remedy=rule.remedy,
    )
    cards = experiment.design.layers.cards if rule.optimized else frozenset[str]()
    return BuiltRun(trainer, step, network, measure, cards, source, why_eager)


def _order(experiment: Experiment, examples: Examples, device: torch.device) -> Order:
    """Which training rows come when."""
    train = experiment.config.train
    rows = torch.from_numpy(np.ascontiguousarray(examples.rows["train"]))
    return Order(
        rows,
        batch_size=experiment.batch_size,
        drop_last=train.drop_last,
        seed=experiment.config.seed_of("order"),
        device=device,
        sampling=train.sampling,
        lanes=train.carry,
        labels=torch.from_numpy(examples.targets)[rows] if train.sampling == "balanced" else None,
    )


def _network(
    experiment: Experiment, examples: Examples, source: RowSource, device: torch.device
) -> nn.Module:
    """The network with its first weights, on the device, in training mode."""
    design = experiment.design
    network = build_network(design, seed=experiment.config.seed_of("init"))
    # On the CPU, so that first weights are the same bits on every device.
    loaded = load_beginning(network, experiment)
    network = place_network(network, experiment, device)
    if not network.training:  # a module of the user's own that was evaluated before
        network.train()
    calibrate_weights(
        network,
        design,
        lambda: source.gather(calibration_rows(examples).to(device)).inputs,
        loaded=loaded,
    )
    if experiment.config.train.carry:
        for module in network.modules():
            if isinstance(module, Carrying):
                module.carry_state(experiment.batch_size)
    return network


def _parts(
    experiment: Experiment,
    examples: Examples,
    network: nn.Module,
    source: RowSource,
    device: torch.device,
) -> Parts:
    """What the step is made of, part by part of the config."""
    config, train, rule = experiment.config, experiment.config.train, experiment.config.rule
    # float64 on the CPU, so that a rate of float64 training is not rounded; mps has none.
    wide = torch.float64 if device.type == "cpu" else torch.float32
    rate = torch.tensor(rule.base_lr(config.optimizer), dtype=wide).to(device)
    optimizer, until = None, experiment.frozen
    freezing = build_freezing(experiment, network)
    if rule.optimized:
        # Those that thaw later too: an optimizer takes no parameters on the way.
        trained = [each for each in network.named_parameters() if until.get(each[0], 0) is not None]
        optimizer = config.optimizer.build(trained, lr=rate)
    numbers = tuned_numbers(experiment, device)
    loss = loss_of(experiment, examples, network, numbers)
    return Parts(
        closure=config.optimizer.closure,
        network=network,
        loss=loss,
        optimizer=optimizer,
        source=source,
        scores=scores_of(experiment, examples),
        labels=experiment.design.layers.keys,
        learning_rate=rate,
        augment=_augment(experiment),
        penalty=_penalty(experiment, network, numbers),
        accumulate=train.accumulate,
        answers=experiment.shape.answers,
        carry=experiment.per_epoch if train.carry else 0,
        clip_norm=train.clip_norm,
        numbers=numbers,
        constraint=_constraint(experiment, network),
        averaged=_averaged(experiment, network),
        freezing=freezing,
        probes=build_probes(experiment, examples, network, source, device, loss),
        autocast=objective.autocast_dtype(train.precision),
        seeds={"augment": config.seed_of("augment"), "dropout": config.seed_of("dropout")},
    )


def calibration_rows(examples: Examples) -> Tensor:
    """Training rows at equal distances, so that data sorted by class are seen in all their classes.

    No seed, batch size or device changes which.
    """
    return spread_rows(examples.rows["train"], CALIBRATION_ROWS)


def place_network(network: nn.Module, experiment: Experiment, device: torch.device) -> nn.Module:
    """The network on its device, in its precision and memory layout."""
    network = network.to(device=device, dtype=_dtype(experiment))
    if experiment.config.train.layout == "channels_last":
        network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return network


def _dtype(experiment: Experiment) -> torch.dtype:
    """Of weights and data; the lower precisions compute under autocast, with float32 weights."""
    return torch.float64 if experiment.config.train.precision == "fp64" else torch.float32


def source_of(examples: Examples, *, device: torch.device, dtype: torch.dtype) -> RowSource:
    """All rows on the device, or read by workers where they do not fit."""
    if examples.windows is not None:
        return WindowSource(examples, device=device, dtype=dtype)
    if isinstance(examples.inputs, np.ndarray):
        return ResidentSource(examples, device=device, dtype=dtype)
    return StreamedSource(examples, device=device, dtype=dtype)


def split_measures(
    forward: Forward,
    experiment: Experiment,
    examples: Examples,
    *,
    source: RowSource,
    loss: LossFn,
    scores: Mapping[str, Score],
    device: torch.device,
) -> dict[Split, Callable[[], dict[str, float]]]:
    """A function for each split that measures the loss and the scores on all of it.

    Args:
        forward: runs the network in evaluation mode, as precision and threads of the run say.
        experiment: settled.
        examples: the data.
        source: gives the batch of any rows, on `device`.
        loss: (N,) losses of a batch.
        scores: that are sums over examples; those that need all outputs at once are added.
        device: where the network is.

    Returns:
        By split, a function without arguments that gives means over the split by their keys.
    """
    stored = stored_scores_of(experiment, examples)
    scores = {**scores, **network_scores_of(experiment, forward, loss)}

    def measure(rows: NDArray[np.int64]) -> Callable[[], dict[str, float]]:
        # Once: every evaluation goes through the same tensors.
        batches = batches_of(experiment, rows, device)
        return lambda: evaluate_split(
            forward, loss=loss, scores=scores, stored=stored, source=source, batches=batches
        )

    return {split: measure(rows) for split, rows in examples.rows.items()}


def _augment(experiment: Experiment) -> AugmentFn | None:
    augments = experiment.config.data.augment
    return apply_augments(augments, experiment.shape) if augments else None


def _averaged(experiment: Experiment, network: nn.Module) -> Averaged | None:
    kind = experiment.config.train.averaging
    if isinstance(kind, str):
        return None
    return Averaged(network, kind.build(per_epoch=experiment.per_epoch, total=experiment.total))


def _constraint(experiment: Experiment, network: nn.Module) -> Callable[[], None] | None:
    limit = experiment.config.regularize.max_norm
    if limit is None:
        return None
    return objective.max_norm(objective.regularized_parameters(network, "weights"), limit)


def _penalty(
    experiment: Experiment, network: nn.Module, numbers: Mapping[str, Tensor]
) -> "Callable[[], Tensor] | None":
    terms, share = experiment.config.regularize, penalty_share(experiment)
    parameters = objective.regularized_parameters(network, terms.on)
    l2, l1 = (numbers.get(n, getattr(terms, n) / share) for n in ("l2", "l1"))
    return objective.penalty_term(parameters, l2=l2, l1=l1)


def _limits(experiment: Experiment) -> Limits:
    train = experiment.config.train
    stopping = train.stopping
    patience = None
    if stopping is not None:
        patience = stopping.patience.steps(per_epoch=experiment.per_epoch, total=experiment.total)
    return Limits(
        steps=experiment.total,
        seconds=None if train.minutes is None else 60 * train.minutes,
        patience=patience,
        min_delta=0.0 if stopping is None else stopping.min_delta,
    )


def _higher_is_better(experiment: Experiment) -> bool:
    key = experiment.config.train.monitor.partition("/")[0]
    return any(score.key == key and score.higher_is_better for score in experiment.scores)


def _monitor(experiment: Experiment) -> Monitor | None:
    key, _, split = experiment.config.train.monitor.partition("/")
    if key == "none":
        return None
    which: Split = "train" if split == "train" else "validation"
    return Monitor(key, which, _higher_is_better(experiment))
