"""Which parameters stay as they begin, and until when: `model.freeze`, `train.unfreeze`."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from nnlab.core.contracts import flat_plans
from nnlab.core.durations import Duration
from nnlab.core.errors import Mistake
from nnlab.models.family import Design
from nnlab.parts.optimizers.family import GroupedConfig, fits

if TYPE_CHECKING:
    from nnlab.config.run_config import RunConfig

_SHOWN = 8
"""How many names an error lists."""


def frozen_until(
    config: "RunConfig", design: Design, per_epoch: int, total: int | None
) -> dict[str, int | None]:
    """Parameter -> after how many updates it is trained; None is never. Others always are."""
    until: dict[str, int | None] = {}
    for layer, name in _layers_of(design):
        if any(_means(pattern, layer, name) for pattern in config.model.freeze):
            until[name] = None
            for pattern, when in config.train.unfreeze.items():
                if _means(pattern, layer, name):
                    until[name] = when.steps(per_epoch=per_epoch, total=total)
    return until


def _layers_of(design: Design) -> Iterator[tuple[str, str]]:
    """Each parameter with the layer that it belongs to: the norm behind conv1 is part of conv1."""
    layers: dict[str, str] = {}
    for plan in flat_plans(design.plans):
        # Those inside a block come behind it, and are more exact.
        layers |= dict.fromkeys(plan.parameters, plan.name)
    for name, layer in layers.items():
        yield layer, name


def _means(pattern: str, layer: str, parameter: str) -> bool:
    return fits(pattern, layer) or fits(pattern, parameter)


def freezing_mistakes(
    config: "RunConfig", design: Design, per_epoch: int, total: int | None
) -> Iterator[Mistake]:
    """Patterns that mean nothing, moments that never come, and nothing left to train."""
    freeze, unfreeze = config.model.freeze, config.train.unfreeze
    if not freeze and not unfreeze:
        return
    if not config.rule.optimized:
        text = f"rule {config.rule.kind} changes all weights (remove it, or rule: gradient)"
        yield Mistake(("model", "freeze") if freeze else ("train", "unfreeze"), text)
        return
    pairs = [*_layers_of(design)]
    layers = [*dict.fromkeys(layer for layer, _ in pairs)]
    names = ", ".join(layers[:_SHOWN]) + (", ..." if len(layers) > _SHOWN else "")
    for index, pattern in enumerate(freeze):
        if not any(_means(pattern, *pair) for pair in pairs):
            text = f"{pattern!r} fits no layer with parameters (there are {names})"
            yield Mistake(("model", "freeze", index), text)
    wrong = list(_moment_mistakes(config, pairs, per_epoch, total))
    yield from wrong
    if wrong:
        return  # what is frozen when cannot be counted by moments that are wrong
    until = frozen_until(config, design, per_epoch, total)
    if freeze and all(name in until for _, name in pairs):
        early = "" if None in until.values() else " before the first of them is unfrozen"
        text = f"freezes every parameter, nothing is left to train{early}"
        yield Mistake(("model", "freeze"), f"{text} (leave a layer out, such as {layers[-1]})")
    if unfreeze and config.optimizer.closure:
        text = f"{config.optimizer.kind} remembers the whole gradient (remove it, or use adam)"
        yield Mistake(("train", "unfreeze"), text)


def _moment_mistakes(
    config: "RunConfig", pairs: list[tuple[str, str]], per_epoch: int, total: int | None
) -> Iterator[Mistake]:
    frozen = [p for p in pairs if any(_means(pattern, *p) for pattern in config.model.freeze)]
    for pattern, when in config.train.unfreeze.items():
        path = ("train", "unfreeze", pattern)
        if not any(_means(pattern, *pair) for pair in frozen):
            there = ", ".join([*dict.fromkeys(layer for layer, _ in frozen)][:_SHOWN])
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
    groups = optimizer.groups if isinstance(optimizer, GroupedConfig) else {}
    shapes = {name: shape for plan in design.plans for name, shape in plan.parameters.items()}
    said = {
        name: [g.lr for pattern, g in groups.items() if fits(pattern, name) and g.lr is not None]
        for name in shapes
    }
    return {
        name: shape
        for name, shape in shapes.items()
        if until.get(name, 0) is not None and said[name][-1:] != [0.0]
    }
