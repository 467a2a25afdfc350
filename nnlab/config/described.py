"""What the classes of the language say of themselves: help, fields with types, ranges, defaults.

`menu` and `schema` read it. It needs the source files, which every installation has.
"""

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nnlab.config.run_config import RunConfig, to_plain
from nnlab.core.durations import Duration
from nnlab.core.kinds import Config, Kind, annotation_of, arms_of, is_menu, kinds_of
from nnlab.models import Model
from nnlab.parts.activations import Activation
from nnlab.parts.augments import Augment
from nnlab.parts.averages import RunningAverage
from nnlab.parts.datasets import Data
from nnlab.parts.initializers import Initializer
from nnlab.parts.layers import AnyLayer
from nnlab.parts.losses import Loss
from nnlab.parts.norms import Norm
from nnlab.parts.optimizers import Optimizer
from nnlab.parts.schedules import Schedule
from nnlab.parts.scores import AnyScore
from nnlab.rules import LearningRule

MENUS: dict[str, tuple[Any, str]] = {
    "activations": (Activation, "model.activation"),
    "augments": (Augment, "data.augment"),
    "averages": (RunningAverage, "train.averaging"),
    "data": (Data, "data"),
    "initializers": (Initializer, "model.init"),
    "layers": (AnyLayer, "model.layers, in a stack"),
    "losses": (Loss, "loss"),
    "models": (Model, "model"),
    "norms": (Norm, "model.norm"),
    "optimizers": (Optimizer, "optimizer"),
    "rules": (LearningRule, "rule"),
    "schedules": (Schedule, "schedule"),
    "scores": (AnyScore, "scores"),
}
"""Name -> the menu of its kinds, and where a config chooses from it."""

_WORDS: dict[Any, str] = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    NoneType: "null",
    Duration: "duration",
}


class Described(NamedTuple):
    """A field of a kind as `nnlab menu` shows it."""

    name: str
    type: str
    default: str
    """Empty for a field that must be given."""
    help: str


def help_of(cls: type[BaseModel]) -> tuple[str, str]:
    """The first line of a class's docstring, and the rest: a line for each paragraph."""
    text = inspect.cleandoc(cls.__doc__ or "")
    first, _, rest = text.partition("\n")
    paragraphs = (" ".join(part.split()) for part in rest.split("\n\n"))
    return first, "\n".join(part for part in paragraphs if part)


def fields_of(cls: type[BaseModel]) -> list[Described]:
    """The fields of a kind, but for `kind` itself."""
    docs = attribute_docs(cls)
    return [
        Described(name, typed(annotation_of(field)), _default(field), docs.get(name, ""))
        for name, field in cls.model_fields.items()
        if name != "kind"
    ]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    return plain_text(field.get_default(call_default_factory=True, validated_data={}))


def plain_text(value: Any) -> str:
    """A value as YAML has it, in short."""
    if isinstance(value, Kind):
        return value.kind
    if isinstance(value, Config):
        return plain_text(to_plain(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {plain_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(plain_text, value))}]"
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    if isinstance(value, Duration):
        return str(value.plain())
    return f"{value:g}" if isinstance(value, float) else str(value)


def typed(annotation: Any) -> str:
    """A type as a reader of YAML says it: whole number > 0; sum or mean; list of numbers."""
    if get_origin(annotation) is Annotated:
        base, *marks = get_args(annotation)
        if is_menu(annotation):
            return _menu_name(annotation)
        limits = " and ".join(_limits(marks))
        return f"{typed(base)} {limits}".strip()
    arms = arms_of(annotation)
    if len(arms) > 1:
        return " or ".join(dict.fromkeys(map(typed, arms)))
    if get_origin(annotation) is Literal:
        return " or ".join(map(str, get_args(annotation)))
    if get_origin(annotation) is tuple:
        inside = get_args(annotation)
        if inside[-1] is Ellipsis:
            return f"list of ({typed(inside[0])})"
        return f"[{', '.join(map(typed, inside))}]"
    if get_origin(annotation) is dict:
        return f"name -> {typed(get_args(annotation)[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "{" + ", ".join(annotation.model_fields) + "}"
    return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _menu_name(menu: Any) -> str:
    kinds = set(kinds_of(menu).values())
    for name, (union, _) in MENUS.items():
        if kinds <= set(kinds_of(union).values()):
            return f"one of {name}"
    return " or ".join(kinds_of(menu))


def _limits(marks: list[Any]) -> Iterator[str]:
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    for mark in marks:
        # A Field holds its limits as metadata; what PositiveInt is marked with is one itself.
        inner: list[Any] = list(getattr(mark, "metadata", ())) or [mark]
        for limit in inner:
            for name, sign in signs.items():
                if (bound := getattr(limit, name, None)) is not None:
                    yield f"{sign} {bound:,}" if isinstance(bound, int) else f"{sign} {bound:g}"


def attribute_docs(cls: type[BaseModel]) -> dict[str, str]:
    """Help of the fields: the string below a field, or its line in a docstring's `Attributes:`."""
    docs: dict[str, str] = {}
    # From the family down to the kind, whose own words count.
    for part in reversed(cls.__mro__):
        if issubclass(part, BaseModel) and part is not BaseModel:
            docs |= _listed(part.__doc__ or "") | _below(part)
    return {name: " ".join(text.split()) for name, text in docs.items() if name in cls.model_fields}


def _listed(docstring: str) -> dict[str, str]:
    """What stands below `Attributes:`, name -> text; lines that go on are deeper."""
    _, _, section = inspect.cleandoc(docstring).partition("Attributes:\n")
    docs: dict[str, str] = {}
    name = ""
    for line in textwrap.dedent(section).splitlines():
        if not line.strip():
            break
        if line.startswith(" "):
            docs[name] += f" {line}"
            continue
        name, _, text = line.partition(":")
        docs[name] = text
    return docs


def _below(cls: type[BaseModel]) -> dict[str, str]:
    """The strings that stand below fields in the source; none for a class of a notebook."""
    found = _classes(cls.__module__).get(cls.__name__)
    body = [] if found is None else found.body
    docs: dict[str, str] = {}
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = below.value if isinstance(below, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                docs[field.target.id] = text.value
    return docs


@cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    """The classes of a module's file. inspect.getsource would read the file for each class."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, KeyError):
        return {}
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def language_sections(root: type[BaseModel] = RunConfig) -> list[type[BaseModel]]:
    """Every class of the language, each once."""
    found: dict[type[BaseModel], None] = {}

    def visit(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            if annotation not in found:
                found[annotation] = None
                for field in annotation.model_fields.values():
                    visit(annotation_of(field))
            return
        for inner in kinds_of(annotation).values() if is_menu(annotation) else get_args(annotation):
            visit(inner)

    visit(root)
    return list(found)
