"""What a pattern means: parameters by the name of their layer, by their own, or by a pattern."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase, translate
from functools import cached_property

from nnlab.core.contracts import Shape

_SIGN = re.compile(r"[*?\[]")
"""What makes a name a pattern."""
_LAST = "\U0010ffff"


class NameIndex:
    """Names that patterns are held against, as `fits` does for one of each.

    A thousand patterns beside a thousand layers are a million pairs: here a name is looked up, and
    a pattern is tried where names begin as it does.

    Args:
        names: of parameters.
        layers: what else they are called by, name -> layer.
    """

    def __init__(self, names: Iterable[str], layers: Mapping[str, str] | None = None) -> None:
        self._names, self._layers = tuple(names), layers or {}
        self._found: dict[str, Sequence[str]] = {}

    @cached_property
    def _by(self) -> dict[str, list[str]]:
        """What parameters go by, and which do."""
        found: dict[str, list[str]] = {}
        for name in self._names:
            called = set(_called(name))
            if name in self._layers:
                called.update(_called(self._layers[name]))
            for head in called:
                found.setdefault(head, []).append(name)
        return found

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._by)

    def meant_by(self, pattern: str) -> Sequence[str]:
        """The names that a pattern fits, each once."""
        if pattern not in self._found:
            self._found[pattern] = self._look_for(pattern)
        return self._found[pattern]

    def _look_for(self, pattern: str) -> Sequence[str]:
        sign = _SIGN.search(pattern)
        if sign is None:
            return self._by.get(pattern, ())
        heads, start = self._sorted, pattern[: sign.start()]
        found = heads[bisect_left(heads, start) : bisect_left(heads, start + _LAST)]
        if pattern != f"{start}*":
            # What a name must hold is looked for first: to match costs five times as much.
            part = "" if "[" in pattern else max(_SIGN.split(pattern), key=len)
            held = [head for head in found if part in head]
            found = filter(re.compile(translate(pattern)).match, held)
        return [*dict.fromkeys(name for head in found for name in self._by[head])]


class Parameters(dict[str, Shape]):
    """Shapes by full name, with what looks the names up.

    Args:
        shapes: of all parameters.
        index: of their names.
    """

    def __init__(self, shapes: Mapping[str, Shape], index: NameIndex) -> None:
        super().__init__(shapes)
        self.index = index


def index_of(parameters: Mapping[str, Shape]) -> NameIndex:
    """What looks the names of parameters up."""
    return parameters.index if isinstance(parameters, Parameters) else NameIndex(parameters)


def _called(name: str) -> Iterator[str]:
    """What a parameter goes by: its name, its layer, the blocks around it.

    The norm behind a layer and the slope that its activation learns are parts of the layer: conv1
    means conv1_norm.weight and conv1_activation.weight too.
    """
    end = name.find(".")
    while True:
        head = name if end < 0 else name[:end]
        yield head
        if head.endswith("_norm"):
            yield head[:-5]
        elif head.endswith("_activation"):
            yield head[:-11]
        if end < 0:
            return
        end = name.find(".", end + 1)


def fits(pattern: str, name: str) -> bool:
    """Whether a layer's name, a parameter's name or a pattern of either means this parameter."""
    return any(fnmatchcase(head, pattern) for head in _called(name))
