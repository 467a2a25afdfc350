"""Messages of the worker: read back as they were written, whatever they hold."""

import base64
import json
import zlib
from math import inf, nan

import numpy as np
import pytest

from nnlab.core.errors import ConfigError
from nnlab.studio.drafts import text_of_address
from nnlab.studio.messages import (
    EVENT,
    FRAME,
    MESSAGE_HEAD,
    head_of,
    kind_of,
    pack_event,
    pack_frame,
    to_json,
)
from nnlab.studio.worker.post import Post


def arrays_of(message: bytes) -> dict[str, np.ndarray]:
    """As the page takes them, by the words at the head of the module."""
    size, _ = MESSAGE_HEAD.unpack_from(message)
    at, found = MESSAGE_HEAD.size + size, dict[str, np.ndarray]()
    for name, kind, shape in head_of(message)["arrays"]:
        array = np.frombuffer(message, kind, int(np.prod(shape)), at).reshape(shape)
        found[name] = array
        at += -(-array.nbytes // 8) * 8
    assert at == len(message)
    return found


def test_an_event_is_read_back() -> None:
    message = pack_event({"kind": "note", "text": "größer als ∞"})
    assert kind_of(message) == EVENT
    assert head_of(message) == {"kind": "note", "text": "größer als ∞"}


def test_every_array_begins_at_a_multiple_of_eight_and_is_read_back() -> None:
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.arange(5, dtype=np.uint8),
        "nothing": np.zeros((0, 4), np.float32),
        "c": np.array([nan, inf], np.float32),
    }
    message = pack_frame({"kind": "frame", "step": 3}, arrays)
    assert kind_of(message) == FRAME
    found = arrays_of(message)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_what_is_not_finite_is_null_in_json() -> None:
    values = {"loss": nan, "all": [1.0, inf, {"x": -inf}], "word": "NaN", "n": np.float32(2.5)}
    assert json.loads(to_json(values)) == {
        "loss": None,
        "all": [1.0, None, {"x": None}],
        "word": "NaN",
        "n": 2.5,
    }


def test_of_frames_the_newest_is_written_and_of_events_all() -> None:
    written = bytearray()
    gate: list[bool] = []

    def slowly(view: memoryview) -> int:
        while not gate:
            pass
        written.extend(view[:7])  # a pipe takes what it has room for
        return min(7, len(view))

    post = Post(slowly)
    post.event("first")
    for number in range(50):
        post.frame({"kind": "frame", "step": number}, {})
        post.event("reading", step=number)
    gate.append(True)
    post.close()
    heads, at = [], 0
    while at < len(written):
        size = int.from_bytes(written[at : at + 4], "little")
        heads.append(head_of(bytes(written[at + 4 : at + 4 + size])))
        at += 4 + size
    assert [h["step"] for h in heads if h["kind"] == "reading"] == list(range(50))
    assert [h["step"] for h in heads if h["kind"] == "frame"] == [49]


def test_a_reader_that_is_gone_ends_nothing() -> None:
    def broken(_: memoryview) -> int:
        raise BrokenPipeError

    post = Post(broken)
    for number in range(10):
        post.event("reading", step=number)
    post.close()


def test_a_text_in_an_address_is_read_and_a_cut_one_refused() -> None:
    text = "data: xor  # größer\nmodel: linear\n"
    deflating = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = deflating.compress(text.encode()) + deflating.flush()
    code = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    for address in (f"#yaml={code}", f"http://127.0.0.1:1/#token=a&yaml={code}"):
        assert text_of_address(address) == text
    large = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = base64.urlsafe_b64encode(large.compress(b"a" * 10**8) + large.flush()).decode()
    for wrong in (code[: len(code) // 2], "", "%%%", bomb):
        with pytest.raises(ConfigError, match="copy it anew"):
            text_of_address(f"#yaml={wrong}")
