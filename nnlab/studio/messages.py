"""Messages from the worker to the server, and from there to the page, which takes them as they are.

    4 bytes   length of the head, little-endian
    4 bytes   what it is: 0 an event, 1 a frame
    head      JSON, filled up with spaces to a multiple of 8 bytes
    arrays    of a frame, as its head says in "arrays": [name, type, shape]; each filled up

An event says what happened and is never lost. A frame shows a moment, and only the newest counts.
Over the pipe each message has its length, 4 bytes, in front.
"""

import json
from collections.abc import Mapping
from struct import Struct
from typing import Any

from nnlab.core.lazy import NDArray

EVENT, FRAME = 0, 1
MESSAGE_HEAD = Struct("<II")
LENGTH = Struct("<I")
MESSAGE_BYTES = 2**26
"""Bytes of a message; a longer one is a mistake in the stream."""


def pack_event(values: Mapping[str, Any]) -> bytes:
    """An event. Numbers that are not finite become null, which JSON can say."""
    return _packed(EVENT, values)


def pack_frame(values: Mapping[str, Any], arrays: "Mapping[str, NDArray[Any]]") -> bytes:
    """A frame with its arrays, float32 or uint8, behind the head."""
    shapes = [[name, str(a.dtype), list(a.shape)] for name, a in arrays.items()]
    parts = [_filled(a.tobytes(), b"\0") for a in arrays.values()]
    return b"".join([_packed(FRAME, {**values, "arrays": shapes}), *parts])


def kind_of(message: bytes) -> int:
    """Whether it is an event or a frame."""
    return MESSAGE_HEAD.unpack_from(message)[1]


def head_of(message: bytes) -> dict[str, Any]:
    """The JSON of a message."""
    size, _ = MESSAGE_HEAD.unpack_from(message)
    return json.loads(message[MESSAGE_HEAD.size : MESSAGE_HEAD.size + size])


def _packed(kind: int, values: Mapping[str, Any]) -> bytes:
    head = _filled(to_json(values).encode(), b" ")
    return MESSAGE_HEAD.pack(len(head), kind) + head


def _filled(data: bytes, by: bytes) -> bytes:
    return data + by * (-len(data) % 8)


def to_json(values: Any) -> str:
    """JSON that every browser reads: what is not finite is null."""
    try:
        return json.dumps(values, allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(_finite(values), allow_nan=False)


def _plain(value: Any) -> Any:
    """Numbers of NumPy and torch, and paths."""
    return value.item() if hasattr(value, "item") else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float | int | str | None):
        finite = not isinstance(value, float) or value - value == 0.0
        return value if finite else None
    return _finite(_plain(value))
