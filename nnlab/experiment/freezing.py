"""Which parameters stay as they begin, and until when: `model.freeze`, `train.unfreeze`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from nnlab.core.contracts import flat_plans
from nnlab.core.durations import Duration
from nnlab.core.errors import Mistake
from nnlab.models.family import Design
from nnlab.parts.optimizers.family import GroupedConfig
from nnlab.parts.optimizers.naming import NameIndex

if TYPE_CHECKING:
    from nnlab.config.run_config import RunConfig

_SHOWN = 8
"""How many names an error lists."""


def frozen_until(
    config: "RunConfig", design: Design, per_epoch: int, total: int | None
) -> dict[str, int | None]:
    """Parameter -> after how many updates it is trained; None is never. Others always are."""
    if not config.model.freeze:
        return {}
    layers = layers_of_parameters(design)
    return _until(config, layers, NameIndex(layers, layers), per_epoch, total)


def _until(
    config: "RunConfig",
    layers: Mapping[str, str],
    index: NameIndex,
    per_epoch: int,
    total: int | None,
) -> dict[str, int | None]:
    frozen = _meant_by(config.model.freeze, index)
    until: dict[str, int | None] = {name: None for name in layers if name in frozen}
    for pattern, when in config.train.unfreeze.items():
        step = when.steps(per_epoch=per_epoch, total=total)
        until |= {name: step for name in index.meant_by(pattern) if name in frozen}
    return until


def _meant_by(patterns: Sequence[str], index: NameIndex) -> set[str]:
    return {name for pattern in patterns for name in index.meant_by(pattern)}


def layers_of_parameters(design: Design) -> dict[str, str]:
    """Of each parameter the layer that it belongs to: the norm behind conv1 is part of conv1."""
    layers: dict[str, str] = {}
    for plan in flat_plans(design.plans):
        # Those inside a block come behind it, and are more exact.
        layers |= dict.fromkeys(plan.parameters, plan.name)
    return layers


def freezing_mistakes(
    config: "RunConfig",
    design: Design,
    per_epoch: int,
    total: int | None,
    index_of: Callable[[Mapping[str, str], Mapping[str, str]], NameIndex] = NameIndex,
) -> Iterator[Mistake]:
    """Patterns that mean nothing, moments that never come, and nothing left to train."""
    freeze, unfreeze = config.model.freeze, config.train.unfreeze
    if not freeze and not unfreeze:
        return
    if not config.rule.optimized:
        text = f"rule {config.rule.kind} changes all weights (remove it, or rule: gradient)"
        yield Mistake(("model", "freeze") if freeze else ("train", "unfreeze"), text)
        return
    layer_of = layers_of_parameters(design)
    known = index_of(layer_of, layer_of)
    layers = [*dict.fromkeys(layer_of.values())]
    names = ", ".join(layers[:_SHOWN]) + (", ..." if len(layers) > _SHOWN else "")
    for index, pattern in enumerate(freeze):
        if not known.meant_by(pattern):
            text = f"{pattern!r} fits no layer with parameters (there are {names})"
            yield Mistake(("model", "freeze", index), text)
    wrong = list(_moment_mistakes(config, layer_of, known, per_epoch, total))
    yield from wrong
    if wrong:
        return  # what is frozen when cannot be counted by moments that are wrong
    until = _until(config, layer_of, known, per_epoch, total)
    if freeze and all(name in until for name in layer_of):
        early = "" if None in until.values() else " before the first of them is unfrozen"
        text = f"freezes every parameter, nothing is left to train{early}"
        yield Mistake(("model", "freeze"), f"{text} (leave a layer out, such as {layers[-1]})")
    if unfreeze and config.optimizer.closure:
        text = f"{config.optimizer.kind} remembers the whole gradient (remove it, or use adam)"
        yield Mistake(("train", "unfreeze"), text)


def _moment_mistakes(
    config: "RunConfig",
    layer_of: Mapping[str, str],
    index: NameIndex,
    per_epoch: int,
    total: int | None,
) -> Iterator[Mistake]:
    frozen = _meant_by(config.model.freeze, index)
    held = dict.fromkeys(layer for name, layer in layer_of.items() if name in frozen)
    there = ", ".join([*held][:_SHOWN])
    for pattern, when in config.train.unfreeze.items():
        path = ("train", "unfreeze", pattern)
        if frozen.isdisjoint(index.meant_by(pattern)):
            text = f"fits no layer of model.freeze (frozen are {there or 'none'})"
            yield Mistake(path, text, at_key=True)
        if why := _never(when, per_epoch, total):
            yield Mistake(path, why)


def _never(when: Duration, per_epoch: int, total: int | None) -> str:
    if total is None and when.unit == "%":
        return f"{when} of a run in minutes cannot be counted (write epochs, or '500 steps')"
    step = when.steps(per_epoch=per_epoch, total=total)
    if step < 1:
        return "is at once (take it out of model.freeze)"
    if total is not None and step >= total:
        return f"comes after the run's {total:,} updates (write less, or remove it)"
    return ""


def trained_shapes(
    config: "RunConfig", design: Design, until: Mapping[str, int | None]
) -> dict[str, tuple[int, ...]]:
    """The parameters that are trained at some time, by full name."""
    optimizer = config.optimizer
    shapes = {name: shape for plan in design.plans for name, shape in plan.parameters.items()}
    names = optimizer.trained(shapes) if isinstance(optimizer, GroupedConfig) else shapes
    return {name: shapes[name] for name in names if until.get(name, 0) is not None}
