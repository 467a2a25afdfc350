"""Which tensors of a file become which of a network, and what does not fit, all at once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple

from nnlab.core.contracts import Shape, flat_plans
from nnlab.core.errors import ConfigError
from nnlab.models.family import BeginConfig, Design, ModelConfig
from nnlab.parts.optimizers.naming import fits
from nnlab.runs.weights.find_weights import WeightsFile
from nnlab.runs.weights.foreign_names import foreign_names

_SHOWN = 10
"""How many misfits are listed."""


class Matched(NamedTuple):
    """Which tensors of a file of weights a network takes.

    Attributes:
        pairs: tensor of ours -> its name in the file.
        fresh: layers that begin by their initializers.
        unused: names of the file that nothing takes.
    """

    pairs: dict[str, str]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]


class _Tensor(NamedTuple):
    """A parameter or buffer of ours, with the layer that it belongs to."""

    name: str
    layer: str
    shape: Shape


def match_weights(
    model: ModelConfig, design: Design, begin: BeginConfig, file: WeightsFile
) -> Matched:
    """Pairs tensors by name: ours, those of `rename`, torchvision's or timm's.

    Raises:
        ConfigError: a line for each tensor that does not fit, and the way out.
    """
    ours = list(_tensors(design))
    theirs = dict(_renamed(file.head.shapes, begin.rename))
    wanted = [t for t in ours if _is_wanted(t, begin.layers)]
    if not wanted:
        layers = ", ".join(dict.fromkeys(t.layer for t in ours))
        raise ConfigError(f"layers: fits no layer with parameters (there are {layers})")
    pairs = _by_names(wanted, theirs, foreign_names(model, design))
    wrong = list(_misfits(wanted, pairs, file))
    if wrong:
        raise ConfigError([*_shortened(wrong), _way_out(wanted, pairs, file)])
    taken = {t.layer for t in wanted}
    fresh = tuple(dict.fromkeys(t.layer for t in ours if t.layer not in taken))
    used = set(pairs.values())
    return Matched(pairs, fresh, tuple(name for name in file.head.shapes if name not in used))


def _tensors(design: Design) -> Iterator[_Tensor]:
    found: dict[str, _Tensor] = {}
    for plan in flat_plans(design.plans):
        # Those inside a block come behind it, and are more exact.
        for name, shape in {**plan.parameters, **plan.buffers}.items():
            found[name] = _Tensor(name, plan.name, shape)
    yield from found.values()


def _is_wanted(tensor: _Tensor, patterns: Sequence[str]) -> bool:
    return any(fits(p, tensor.layer) or fits(p, tensor.name) for p in patterns)


def _renamed(names: Mapping[str, Shape], rename: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What a tensor is called here -> in the file."""
    for name in names:
        called = name
        for before, after in rename.items():
            if name == before or name.startswith(f"{before}."):
                called = after + name.removeprefix(before)
        yield called, name


def _by_names(
    wanted: Sequence[_Tensor], theirs: Mapping[str, str], foreign: Sequence[Mapping[str, str]]
) -> dict[str, str]:
    """By the same names, or by those of another library; what finds more."""

    def abroad(name: str, names: Mapping[str, str]) -> str:
        module, _, key = name.rpartition(".")
        return names.get(name) or (f"{names[module]}.{key}" if module in names else name)

    found = [
        {t.name: theirs[there] for t in wanted if (there := abroad(t.name, names)) in theirs}
        for names in ({}, *foreign)
    ]
    return max(found, key=len)


def _same_numbers(tensor: _Tensor, name: str, there: Shape) -> bool:
    """Whether a tensor of the file is one of ours, as it is or by another library's shape.

    A class token may be (1, 1, D) there, and a dense layer a convolution of the whole map: the same
    numbers in the same order.
    """
    if there == tensor.shape:
        return True
    if name == tensor.name:
        return False
    plain = tuple(size for size in there if size != 1)
    flat = (there[0], prod(there[1:])) if there else there
    return tensor.shape in (plain, flat)


def _misfits(
    wanted: Sequence[_Tensor], pairs: Mapping[str, str], file: WeightsFile
) -> Iterator[str]:
    for tensor in wanted:
        name = pairs.get(tensor.name)
        if name is None:
            # torch counts batches since 0.4.1; older files have no such count, which nothing needs.
            if not tensor.name.endswith(".num_batches_tracked"):
                yield f"{tensor.name} {tensor.shape} is missing there"
            continue
        shape = file.head.shapes[name]
        label = tensor.name if name == tensor.name else f"{tensor.name} ({name} there)"
        if not _same_numbers(tensor, name, shape):
            yield f"{label} has shape {shape} there and {tensor.shape} here"


def _shortened(wrong: Sequence[str]) -> list[str]:
    if len(wrong) <= _SHOWN:
        return list(wrong)
    return [*wrong[: _SHOWN - 1], f"and {len(wrong) - _SHOWN + 1} more"]


def _way_out(
    wanted: Sequence[_Tensor],
    pairs: Mapping[str, str],
    file: WeightsFile,
) -> str:
    """The layers that fit whole, as `layers` would name them; else the names of the file."""
    layers = list(dict.fromkeys(t.layer for t in wanted))
    bad = {
        t.layer
        for t in wanted
        if not t.name.endswith(".num_batches_tracked")
        and (
            t.name not in pairs
            or not _same_numbers(t, pairs[t.name], file.head.shapes[pairs[t.name]])
        )
    }
    good = [layer for layer in layers if layer not in bad]
    if not good:
        names = ", ".join([*file.head.shapes][:6])
        return f"no layer fits; names there are {names}, ... (rename: {{THERE: HERE}} maps them)"
    names = ", ".join(_patterns(good, bad))
    fresh = ", ".join([*dict.fromkeys(layer for layer in layers if layer in bad)][:6])
    return f"to begin {fresh} anew, write layers: [{names}]"


def _patterns(good: Sequence[str], bad: set[str]) -> list[str]:
    """Patterns for layers: conv* where no layer of that stem is bad."""
    heads = list(dict.fromkeys(layer.partition(".")[0] for layer in good))
    stems = {head: re.sub(r"\d+$", "*", head) for head in heads}
    wrong = {re.sub(r"\d+$", "*", layer.partition(".")[0]) for layer in bad}
    found = [stem if stem not in wrong else head for head, stem in stems.items()]
    if any(head in {layer.partition(".")[0] for layer in bad} for head in heads):
        found = list(good)
    return list(dict.fromkeys(found))
