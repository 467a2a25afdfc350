"""The menus of the language as forms need them: every kind with its help and its fields.

They are read from the classes themselves, so that a new kind is in the page by being on its menu.
"""

from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from nnlab.config.described import fields_of, help_of
from nnlab.core.durations import Duration
from nnlab.core.kinds import Kind, kinds_of
from nnlab.core.package import origin_of
from nnlab.models import Model
from nnlab.parts.activations import Activation
from nnlab.parts.datasets import Data
from nnlab.parts.initializers import Initializer
from nnlab.parts.layers import AnyLayer
from nnlab.parts.losses import Loss
from nnlab.parts.norms import Norm
from nnlab.parts.optimizers import Optimizer
from nnlab.parts.schedules import Schedule
from nnlab.rules import LearningRule

MENUS: dict[str, Any] = {
    "data": Data,
    "model": Model,
    "loss": Loss,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "rule": LearningRule,
    "activation": Activation,
    "norm": Norm,
    "init": Initializer,
    "layer": AnyLayer,
}
"""Section or field -> the menu that it is chosen from."""


@cache
def all_menus() -> dict[str, list[dict[str, Any]]]:
    """Menu -> its kinds: name, help, what must be written, and the fields."""
    return {
        name: [_plain(kind) for kind in kinds_of(menu).values() if not kind.handed]
        for name, menu in MENUS.items()
    }


def _plain(kind: type[Kind]) -> dict[str, Any]:
    first, rest = help_of(kind)
    origin = origin_of(kind)
    return {
        "name": kind.name(),
        "help": first if origin is None else f"{first} (from {origin.package})",
        "more": rest,
        "least": _least(kind),
        # Its own first: what all of a menu have is rarely what one looks for.
        "fields": sorted(
            (field._asdict() for field in fields_of(kind)),
            key=lambda field: field["name"] not in vars(kind).get("__annotations__", {}),
        ),
    }


def _least(kind: type[Kind]) -> Any:
    """The shortest that means it: the bare name, or a mapping with what has no default."""
    needed = [name for name, field in kind.model_fields.items() if field.is_required()]
    needed = [name for name in needed if name != "kind"]
    example = kind.example()
    if not needed:
        try:
            kind.model_validate({"kind": kind.name()})
        except ValidationError:
            # One of several is needed, which no field says alone.
            needed = [n for n, f in kind.model_fields.items() if getattr(example, n) != f.default]
        else:
            return kind.name()
    return {"kind": kind.name(), **{name: _plain_value(getattr(example, name)) for name in needed}}


def _plain_value(value: Any) -> Any:
    """As the text has it."""
    return str(value) if isinstance(value, Duration) else to_jsonable_python(value)
