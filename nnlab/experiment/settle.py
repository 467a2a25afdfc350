"""What a config means on this data and this machine: every `auto` decided, every shape checked.

All of it is arithmetic in plain Python: no torch, no timing, nothing that a second look could
answer differently. The run writes what was decided into its config.yaml.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, prod
from typing import TypeVar

from nnlab.config.loading import error_at_places, path_of
from nnlab.config.run_config import RunConfig
from nnlab.config.sections import TrainConfig
from nnlab.core.contracts import DataShape, Machine, Plan
from nnlab.core.errors import ConfigError, Mistake, MistakeError
from nnlab.experiment.auto import Compiling, auto_compile, auto_layout, auto_threads, step_flops
from nnlab.experiment.misfits import (
    check_times,
    find_misfits,
    monitored_keys,
    optimizer_mistakes,
    output_mistakes,
    target_mistakes,
)
from nnlab.experiment.pacing import pace_of, spelled_out
from nnlab.experiment.precedence import (
    measured_scores,
    own_loss,
    own_scores,
    owner_mistakes,
    take_rule_autos,
)
from nnlab.models.family import Design, design_network, resolve_output
from nnlab.parts.datasets.family import Place
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.scores.family import ScoreConfig
from nnlab.training.pace import Pace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Experiment:
    """A config whose meaning is known.

    Attributes:
        config: with every default and `auto` spelled out.
        shape: of the data.
        design: of the network.
        per_epoch: updates in an epoch.
        total: updates in the run; None for a run in minutes.
        pace: when it is read.
    """

    config: RunConfig
    shape: DataShape
    design: Design
    per_epoch: int
    total: int | None
    pace: Pace
    compile_why: str
    """A sentence on what `train.compile: auto` took; empty where there is nothing to tell."""

    @property
    def loss(self) -> LossConfig:
        """The loss, decided."""
        loss = own_loss(self.config) or self.config.loss
        assert isinstance(loss, LossConfig)
        return loss

    @property
    def scores(self) -> tuple[ScoreConfig, ...]:
        """The scores, decided."""
        own = own_scores(self.config)
        scores = self.config.scores if own is None else own
        assert not isinstance(scores, str)
        return scores


def settle(
    config: RunConfig, place: Place, machine: Machine, *, shape: DataShape | None = None
) -> Experiment:
    """Decides and checks everything that can be known before the data are loaded.

    `shape` stands for what the data say of themselves (for a smoke run without them).

    Raises:
        ConfigError: with all that does not fit together.
        DataError: the data are missing or damaged.
    """
    config = take_rule_autos(config)
    shape = shape or _describe(config, place)
    wrong = owner_mistakes(config, shape, place)
    loss, scores = measured_scores(config, shape)
    wrong += target_mistakes(config, loss, scores, shape)
    wrong += find_misfits(config, shape)
    network = _try(lambda: design_network(config.model, shape, loss), wrong)
    per_epoch, total = run_lengths(config.train, shape.sizes["train"])
    if per_epoch == 0:
        text = f"drops the only batch: {shape.sizes['train']} examples are fewer than batch_size"
        wrong.append(Mistake(("train", "drop_last"), text))
    pace = _try(lambda: pace_of(config, per_epoch, total), wrong)
    _try(lambda: check_times(config, per_epoch, total), wrong)
    wrong += _monitor_mistakes(config, scores, shape)
    if network is not None:
        wrong += _batch_of_one(config.train, network, shape)
        wrong += optimizer_mistakes(config, network)
        wrong += output_mistakes(network, loss, scores, shape)
    if wrong or network is None or pace is None:
        raise error_at_places(wrong, config.origins)
    log = spelled_out(config, pace, total)
    fit = config.rule.optimized and not config.optimizer.closure
    fit = fit and config.train.precision != "fp16" and not set(config.replaced) - {"data"}
    compiled = auto_compile(config.train, machine, network, steps=total, fit=fit)
    settled = _spelled_out(config, place, machine, loss, scores, network, shape, log, compiled)
    settled = settled.written(config.origins)
    return Experiment(settled, shape, network, per_epoch, total, pace, compiled.why)


def _try(act: Callable[[], T], wrong: list[Mistake]) -> T | None:
    try:
        return act()
    except MistakeError as error:
        wrong.append(error.mistake)
        return None


def _describe(config: RunConfig, place: Place) -> DataShape:
    """The data's own checks, their lines put to the place where the user wrote the value."""
    try:
        return config.data.describe(place)
    except ConfigError as error:
        mistakes: list[Mistake] = []
        for line in error.lines:
            name, colon, text = line.partition(": ")
            known = colon and name.startswith("data") and " " not in name
            mistakes.append(Mistake(path_of(name), text) if known else Mistake(("data",), line))
        raise error_at_places(mistakes, config.origins) from None


def run_lengths(train: TrainConfig, examples: int) -> tuple[int, int | None]:
    """Updates per epoch and in the whole run (None if it is limited by minutes)."""
    size = examples if train.batch_size == "full" else min(train.batch_size, examples)
    if train.drop_last and train.batch_size != "full":
        per_epoch = examples // train.batch_size
    else:
        per_epoch = ceil(examples / max(size, 1))
    if train.minutes is not None:
        return per_epoch, None
    return per_epoch, train.steps if train.steps is not None else (train.epochs or 0) * per_epoch


def _monitor_mistakes(
    config: RunConfig, scores: tuple[ScoreConfig, ...], shape: DataShape
) -> list[Mistake]:
    wrong: list[Mistake] = []
    watched = monitor(config.train, shape)
    keys = monitored_keys(scores)
    key, _, split = watched.partition("/")
    if watched != "none" and key not in keys:
        text = f"{key} is not measured (measured are {', '.join(keys)})"
        wrong.append(Mistake(("train", "monitor"), text))
    elif split == "train" and not keys[key]:
        text = f"{key} is read in evaluation alone ({key}/validation)"
        wrong.append(Mistake(("train", "monitor"), text))
    if split and split not in shape.sizes:
        text = f"there is no {split} split (data.{split} is none)"
        wrong.append(Mistake(("train", "monitor"), text))
    if "validation" not in shape.sizes:
        why = "needs a validation split (data.validation is none)"
        if config.train.early_stopping is not None:
            wrong.append(Mistake(("train", "early_stopping"), why))
        if config.schedule.observes:
            wrong.append(Mistake(("schedule",), f"{config.schedule.kind} {why}"))
    elif watched == "none":
        why = "needs something to watch (train.monitor is none)"
        if config.train.early_stopping is not None:
            wrong.append(Mistake(("train", "early_stopping"), why))
        if config.schedule.observes:
            wrong.append(Mistake(("schedule",), f"{config.schedule.kind} {why}"))
    return wrong


def monitor(train: TrainConfig, shape: DataShape) -> str:
    """What drives `best`, early stopping and plateau, spelled like the tag; `none` for nothing."""
    if train.monitor == "auto":
        return "loss/validation" if "validation" in shape.sizes else "none"
    return train.monitor


def _has_batch_statistics(plan: Plan) -> bool:
    """Whether a batch norm sees one value per unit and example, so that a batch of one fails."""
    inner = any(_has_batch_statistics(child) for child in plan.children)
    tracked = any(name.endswith("num_batches_tracked") for name in plan.buffers)
    return inner or (tracked and not plan.children and prod(plan.output[1:]) == 1)


def _batch_of_one(train: TrainConfig, network: Design, shape: DataShape) -> list[Mistake]:
    examples = shape.sizes["train"]
    size = examples if train.batch_size == "full" else train.batch_size
    alone = size == 1 or (examples % size == 1 and not train.drop_last)
    if not alone or not any(_has_batch_statistics(plan) for plan in network.plans):
        return []
    text = (
        f"{examples} examples in batches of {size} leave a batch of one, whose batch normalization "
        "is undefined (use drop_last: true, or another batch_size)"
    )
    return [Mistake(("train", "batch_size"), text)]


def _spelled_out(
    config: RunConfig,
    place: Place,
    machine: Machine,
    loss: LossConfig,
    scores: tuple[ScoreConfig, ...],
    network: Design,
    shape: DataShape,
    log: Mapping[str, object],
    compiled: Compiling,
) -> RunConfig:
    """The config with every `auto` replaced by what it took."""
    flops = step_flops(config.train, network, shape.sizes["train"])
    data = config.data.resolved(place)
    if getattr(data, "root", "") is None:
        data = data.model_copy(update={"root": str(place.root)})
    train = config.train.model_copy(
        update={
            "monitor": monitor(config.train, shape),
            "compile": compiled.use,
            "threads": auto_threads(config.train, machine, network, flops),
            "layout": auto_layout(config.train, machine, network),
        }
    )
    model = config.model.resolved()
    if model.whole(shape) is None:
        model = model.model_copy(update={"output": resolve_output(model.output, loss)})
    decided = {
        "seed": config.seed,
        "data": data,
        "model": model,
        "loss": loss,
        "scores": scores,
        "train": train,
        "log": config.log.model_copy(update=log),
    }
    return config.model_copy(
        update={name: value for name, value in decided.items() if name not in config.replaced}
    )
