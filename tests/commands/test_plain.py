"""Facts as JSON, against `json` itself and what each of the three forms promises."""

import json
from dataclasses import dataclass, field
from math import inf, nan
from typing import Any, NamedTuple

import pytest

from nnlab.commands.plain import IF_KNOWN, IN_PLACE, PAGE_ONLY, plain_fields


class Ends(NamedTuple):
    low: float
    high: float

    def plain(self) -> dict[str, float]:
        return {"min": self.low, "max": self.high}


@dataclass(frozen=True)
class Inner:
    share: float
    class_: str = "a"


@dataclass(frozen=True)
class Outer:
    first: int
    inner: Inner | None = field(default=None, metadata=IN_PLACE)
    unknown: float | None = None
    known: Any = field(default=None, metadata=IF_KNOWN)
    shown: str = field(default="<svg>", metadata=PAGE_ONLY)
    last: Any = ()


def told(outer: Outer) -> str:
    return json.dumps(plain_fields(outer), allow_nan=False)


def test_keys_are_the_fields_in_their_order() -> None:
    assert told(Outer(1)) == '{"first": 1, "unknown": null, "last": []}'


def test_fields_in_place_stand_where_their_field_stands() -> None:
    assert told(Outer(1, Inner(0.5), known=0)) == (
        '{"first": 1, "share": 0.5, "class": "a", "unknown": null, "known": 0, "last": []}'
    )


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_not_finite_is_null_however_deep(value: float) -> None:
    found = json.loads(told(Outer(1, known=[{"a": (value, Inner(value))}], last=Ends(value, 2.0))))
    assert found["known"] == [{"a": [None, {"share": None, "class": "a"}]}]
    assert found["last"] == {"min": None, "max": 2.0}
