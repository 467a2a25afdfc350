"""What a config means on this data and this machine: every `auto` decided, every shape checked.

All of it is arithmetic in plain Python: no torch, no timing, nothing that a second look could
answer differently. It happens once; the run writes what was decided into its config.yaml.
"""

from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import TypeVar

from nnlab.config.origins import error_at_places, path_of
from nnlab.config.run_config import RunConfig
from nnlab.config.sections import TrainConfig
from nnlab.core.contracts import DataShape, Machine
from nnlab.core.errors import ConfigError, Mistake, MistakeError
from nnlab.experiment.beside import Beside
from nnlab.experiment.experiment import Experiment, batch_size, run_lengths, with_epochs
from nnlab.experiment.freezing import freezing_mistakes
from nnlab.experiment.misfits import (
    find_misfits,
    monitored_keys,
    optimizer_mistakes,
    output_mistakes,
    target_mistakes,
)
from nnlab.experiment.pacing import check_times, pace_of, spelled_out
from nnlab.experiment.precedence import (
    measured_scores,
    owner_mistakes,
    take_rule_autos,
    take_target_scale,
)
from nnlab.models.family import Design
from nnlab.parts.datasets.tables import Place
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.scores.family import ScoreConfig

T = TypeVar("T")
_QUICKLY_LOADED = 1_000_000
"""So many inputs take milliseconds."""


def settle(
    config: RunConfig,
    place: Place,
    machine: Machine,
    *,
    shape: DataShape | None = None,
    beside: Beside | None = None,
) -> Experiment:
    """Decides and checks everything that can be known before the data are loaded.

    Args:
        config: as it was read.
        place: where its data lie.
        machine: that trains; `Experiment.on` takes what was settled to another.
        shape: stands for what the data say of themselves (for a smoke run without them).
        beside: what was worked out for others of a comparison; filled.

    Raises:
        ConfigError: with all that does not fit together.
        DataError: the data are missing or damaged.
    """
    beside = beside or Beside()
    if shape is None:
        config, shape = _opened(config, place, beside)
    wrong: list[Mistake] = []  # gathered: who mends a config wants all of them at once
    written, config = config, _for_data(take_rule_autos(config), shape, wrong)
    wrong += owner_mistakes(config, shape, place, config.replaced)
    loss, scores = measured_scores(config, shape)
    config = take_target_scale(config, loss, shape, place)  # which the loss may forbid
    wrong += target_mistakes(config, loss, scores, shape, replaced=config.replaced)
    wrong += find_misfits(config, shape)
    network = _try(lambda: beside.design(config.model, shape, loss), wrong)
    per_epoch, total = run_lengths(config.train, shape.sizes["train"])
    pace = _try(lambda: pace_of(config, per_epoch, total), wrong)
    _try(lambda: check_times(config, per_epoch, total), wrong)
    wrong += _no_batch(per_epoch, shape) + _monitor_mistakes(config, scores, shape)
    if network is not None:
        wrong += _network_mistakes(config, network, shape, (per_epoch, total), beside)
        wrong += output_mistakes(network, loss, scores, shape)
    if wrong or network is None or pace is None:
        raise error_at_places(wrong, config.origins)
    # Reads rows, so it comes last: a mistake in the text is told without waiting for a file.
    _check_rows(config, loss, place, shape)
    log = config.log.model_copy(update=spelled_out(config, pace, total))
    took = {"loss": loss, "scores": scores, "log": log}
    took |= _autos(config, place, network, shape, beside)
    settled = _without(config.replaced, config, took)
    return Experiment(
        settled, written, place, machine, shape, network, per_epoch, total, pace, compile_why=""
    ).decided()


def _network_mistakes(
    config: RunConfig,
    network: Design,
    shape: DataShape,
    lengths: tuple[int, int | None],
    beside: Beside,
) -> Iterator[Mistake]:
    """What does not fit the network: the batch, the optimizer's groups, what is frozen."""
    yield from _batch_of_one(config.train, network, shape)
    yield from optimizer_mistakes(config, network, beside.index_of)
    yield from freezing_mistakes(config, network, *lengths, beside.index_of)


def _no_batch(per_epoch: int, shape: DataShape) -> list[Mistake]:
    text = f"drops the only batch: {shape.sizes['train']} examples are fewer than batch_size"
    return [Mistake(("train", "drop_last"), text)] if per_epoch == 0 else []


def _check_rows(config: RunConfig, loss: LossConfig, place: Place, shape: DataShape) -> None:
    """What training refuses when it has the rows, of data that cost little to read."""
    if not (loss.looks_at_targets or config.model.looks_at_inputs):
        return
    table = config.data.at_hand(place)
    if table is None and not config.data.costs_little:
        return
    rows = sum(shape.sizes.values()) if table is None else len(table.targets)
    if rows * prod(shape.inputs) > _QUICKLY_LOADED:
        return
    examples = config.data.load(place)
    config.model.check(examples)
    loss.fitted(examples.targets[examples.rows["train"]], shape)


def _try(act: Callable[[], T], wrong: list[Mistake]) -> T | None:
    try:
        return act()
    except MistakeError as error:
        wrong.append(error.mistake)
        return None


def _for_data(config: RunConfig, shape: DataShape, wrong: list[Mistake]) -> RunConfig:
    """The config with its length and those `auto`s of the model that follow from the data."""
    model = _try(lambda: config.model.settled_for(shape), wrong) or config.model
    train = with_epochs(config.train, shape.sizes["train"])
    if model is config.model and train is config.train:
        return config
    return config.model_copy(update={"model": model, "train": train})


def _opened(config: RunConfig, place: Place, beside: Beside) -> tuple[RunConfig, DataShape]:
    """The config with its data opened, and what they say of themselves.

    Their own checks come with it, each line put to the place where the user wrote the value.
    """
    try:
        data, shape = beside.opened(config.data, place)
        return config.model_copy(update={"data": data}), shape
    except ConfigError as error:
        mistakes: list[Mistake] = []
        for line in error.lines:
            name, colon, text = line.partition(": ")
            # A sentence has blanks, the path of a field has none.
            known = colon and name.startswith("data") and " " not in name
            mistakes.append(Mistake(path_of(name), text) if known else Mistake(("data",), line))
        raise error_at_places(mistakes, config.origins) from None


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


def _batch_of_one(train: TrainConfig, network: Design, shape: DataShape) -> list[Mistake]:
    if not any(plan.tally.needs_batches for plan in network.plans):
        return []
    examples = shape.sizes["train"]
    size, parts = max(1, batch_size(train, examples)), train.accumulate
    rest = 0 if train.drop_last or train.carry else examples % size
    # A batch that is accumulated is normalized part by part; the smallest has so many examples.
    seen = [count // min(parts, count) for count in (size, rest) if count]
    if 1 not in seen:
        return []
    undefined = "of one, whose batch normalization is undefined"
    if 1 in (size, rest):
        text = f"{examples} examples in batches of {size} leave a batch {undefined}"
        way = "use drop_last: true, or another batch_size"
        return [Mistake(("train", "batch_size"), f"{text} ({way})")]
    text = f"{size if seen[0] == 1 else rest} examples in {parts} parts leave a part {undefined}"
    way = "use fewer parts" if seen[0] == 1 else "use drop_last: true, or fewer parts"
    return [Mistake(("train", "accumulate"), f"{text} ({way})")]


def _without(
    replaced: Mapping[str, str], config: RunConfig, took: Mapping[str, object]
) -> RunConfig:
    """The config with these sections, but for those that have no meaning.

    Such a one stays as it is: it is not written, and would be refused when the file is read.
    """
    return config.model_copy(update={k: v for k, v in took.items() if k not in replaced})


def _autos(
    config: RunConfig, place: Place, network: Design, shape: DataShape, beside: Beside
) -> dict[str, object]:
    """Sections with each `auto` replaced by what it took, but for what hangs on the machine."""
    data = config.data.resolved(place)
    if getattr(data, "root", "") is None:
        # So that `eval` finds the data also where NNLAB_DATA is another.
        data = data.model_copy(update={"root": str(place.root)})
    model = beside.resolved(config.model)
    if model.begin is not None:
        model = model.model_copy(update={"from": model.begin.found_from(place.find)})
    if network.output is not None:
        model = model.model_copy(update={"output": network.output})
    return {
        "data": data,
        "model": model,
        "train": config.train.model_copy(update={"monitor": monitor(config.train, shape)}),
    }
