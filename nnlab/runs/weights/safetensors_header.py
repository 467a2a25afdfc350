"""What a safetensors file holds, read from its head alone: names, shapes, types, metadata.

The format is safetensors' own: eight bytes with the length of a JSON object, that object, the
numbers. Nothing in such a file is code.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple, cast

from nnlab.core.contracts import Shape
from nnlab.core.errors import ConfigError

_LIMIT = 64 << 20
"""Bytes of a head; that of a network of a hundred thousand tensors has 15 MB."""


class Head(NamedTuple):
    """What a safetensors file says of itself before its numbers.

    Attributes:
        shapes: name -> shape, in the order of the numbers.
        numbers: name -> whether it holds fractions (F32, BF16, ...), not whole numbers.
        metadata: what else stands in it, as text.
    """

    shapes: dict[str, Shape]
    numbers: dict[str, bool]
    metadata: dict[str, str]


def read_head(path: Path) -> Head:
    """Reads what a safetensors file says of itself, none of its numbers.

    Raises:
        ConfigError: there is no such file, or it is no safetensors file.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            # Of any other file these eight bytes are some huge number.
            found: Any = json.loads(file.read(length)) if 2 <= length <= _LIMIT else None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read, {error.strerror}") from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        way = f"nnlab import-weights {path} converts a file of torch.save"
        raise ConfigError(f"{path}: is no safetensors file ({way})")
    tree = cast("dict[str, Any]", found)
    metadata = tree.pop("__metadata__", {})
    try:
        shapes = {name: tuple(map(int, entry["shape"])) for name, entry in tree.items()}
        numbers = {name: "F" in str(entry["dtype"]) for name, entry in tree.items()}
        texts = {str(key): str(value) for key, value in metadata.items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ConfigError(f"{path}: is damaged, its head does not say what it holds") from None
    return Head(shapes, numbers, texts)
