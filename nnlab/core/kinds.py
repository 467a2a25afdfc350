"""Markers for fields with a choice: `Menu` (kinds) and `Forms` (several ways to write a value).

    Norm = Annotated[BatchConfig | LayerwiseConfig, Menu()]
    Loss = Annotated[LossConfig, Menu("nnlab.parts.losses.classes", "nnlab.parts.losses.margins")]
    hidden: Annotated[tuple[PositiveInt, ...] | WidthDepth, Forms()]

The union, or `KINDS` at the foot of each file that a menu names, is the registry: `--set`, the
errors, `menu`, the schema and the tests read it. Of a large menu the file that spells a name is
imported, or one after the other until the name is found: a config pays for few kinds. Only a name
that is in none of them is looked for outside (`package`), on every menu that names its files.

Both choose one arm *before* validating, so that a mistake is told once and for the arm that was
meant (pydantic's own "smart" unions tell it once per arm). The arm's tag stands in error paths as
`<name>`, which no field is called, and is taken out again by `fields`.
"""

import importlib
import re
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import chain
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    Union,
    cast,
    get_args,
    get_origin,
)

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from nnlab.core import package
from nnlab.core.durations import FORMS, Duration


class Config(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
):
    """A section of the language: its fields are its YAML keys.

    Its validator is built when it is first used: a config uses some twenty of over a hundred.
    """


class Kind(Config, frozen=True):
    """One entry of a menu: the class docstring is its help, `build()` makes the torch object.

    Attributes:
        replaces: sections that have no meaning beside this kind: name -> why. They are refused
            where they are written, and left out of the settled config.
        handed: whether it stands for an object that Python hands in and no file holds.
    """

    replaces: ClassVar[Mapping[str, str]] = {}
    handed: ClassVar[bool] = False
    kind: str

    @classmethod
    def example(cls) -> Self:
        """An instance to show and to test with; the defaults, unless a field has none."""
        return cls()  # pyright: ignore[reportCallIssue]

    @classmethod
    @cache
    def name(cls) -> str:
        """The word that chooses this kind in YAML."""
        return cls.model_fields["kind"].default


Arm = Any
"""A type as an annotation spells it; Python has no type for these."""


def arms_of(union: Arm) -> tuple[Arm, ...]:
    """The members of `A | B`, of `Annotated[A | B, ...]`, or of a single type."""
    if get_origin(union) is Annotated:
        return arms_of(get_args(union)[0])
    return get_args(union) if get_origin(union) in (Union, UnionType) else (union,)


def annotation_of(field: FieldInfo) -> Arm:
    """A field's annotation with its metadata, as it was written."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def is_menu(arm: Arm) -> bool:
    """Whether an annotation is `Annotated[..., Menu()]`."""
    return get_origin(arm) is Annotated and any(isinstance(m, Menu) for m in get_args(arm)[1:])


def kinds_of(menu: Arm, files: Sequence[str] | None = None) -> dict[str, type[Kind]]:
    """The kinds of a menu by their names, in the order of the alphabet; outside ones too.

    Args:
        menu: what is marked so.
        files: those of the menu's modules to look into; None is all.
    """
    own = {kind.name(): kind for kinds in _files_of(menu, only=files) for kind in kinds}
    family = _open_family(menu)
    # The newest of a name comes first, and nnlab's own before all.
    for kind in () if family is None else package.outside_kinds(family):
        own.setdefault(package.name_of(kind), cast("type[Kind]", kind))
    return dict(sorted(own.items()))


def kinds_having(menu: Arm, key: str) -> dict[str, type[Kind]]:
    """The kinds of a menu with a field of a name; imports only files that may write it."""
    files = [file for file in _marker(menu).files if _may_write_field(file, key)]
    return {name: kind for name, kind in kinds_of(menu, files).items() if key in kind.model_fields}


_OWN_IMPORT = re.compile(r"^from (nnlab\.(?:models|parts|rules)\.[\w.]+) import", re.MULTILINE)


_FIELD = re.compile("^ {4,}([^\\W\\d]\\w*): ", re.MULTILINE)


def _may_write_field(file: str, key: str) -> bool:
    """Whether the source of a module, or one whose classes it may inherit from, has a field."""
    fields = _fields_written(file)
    return fields is None or key in fields


@cache
def _fields_written(file: str) -> frozenset[str] | None:
    """The fields that a module and those it may inherit from write; None where one has no source.

    Read once, as they are asked for with each key that no place knows.
    """
    seen, left = {file}, [file]
    found: set[str] = set()
    while left:
        text = _source(left.pop())
        if not text:
            return None
        found.update(_FIELD.findall(text))
        more = set(_OWN_IMPORT.findall(text)) - seen
        seen |= more
        left += more
    return frozenset(found)


def kind_named(menu: Arm, name: str) -> type[Kind] | None:
    """The kind of a menu with a name, listed or not; imports no more files than it must.

    Raises:
        BrokenPluginError: an installed package has one of the name that cannot be used.
    """
    return _marker(menu).named(menu, name)


def _open_family(menu: Arm) -> type | None:
    """The family whose kinds from outside a menu takes; None where the union is all there is."""
    marker = _marker(menu)
    return arms_of(menu)[0] if marker.files and not marker.closed else None


def _files_of(
    menu: Arm, spelling: str = "", only: Sequence[str] | None = None
) -> Iterator[tuple[type[Kind], ...]]:
    """The kinds of a menu, file by file; only of files that spell a name, if one is given."""
    marker = _marker(menu)
    if not marker.files:
        yield arms_of(menu)
    for file in marker.files if only is None else only:
        if not spelling or file in sys.modules or _spells(file, spelling):
            yield importlib.import_module(file).KINDS


def _spells(file: str, name: str) -> bool:
    """Whether the source of a module has a kind of this name; no where there is no source.

    A guess that only says where to look first: `KINDS` of the module decides, and behind those that
    spell a name all others are asked. Reading a file takes a tenth of a millisecond, importing it
    some ten, for pydantic makes a class of every kind in it: `nnlab check lessons/clipping` imports
    95 of nnlab's modules in place of 133.
    """
    return f'kind: Literal["{name}"]' in _source(file)


@cache
def _source(file: str) -> str:
    """The text of a module; "" where there is none."""
    path = package.FOLDER.parent.joinpath(*file.split("."))
    for name in (path.with_suffix(".py"), path / "__init__.py"):
        try:
            return name.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
    return ""


def _marker(menu: Arm) -> "Menu":
    return next(m for m in get_args(menu)[1:] if isinstance(m, Menu))


def _usable_kind(marker: "Menu", menu: Arm, name: str) -> type[Kind] | None:
    """The kind of a name; an error of the config if a package has it and it cannot be used."""
    try:
        return marker.named(menu, name)
    except package.BrokenPluginError as error:
        raise PydanticCustomError("plugin", "{why}", {"why": str(error)}) from None


def unknown_kind(found: object, names: Callable[[], list[str]]) -> PydanticCustomError:
    """The error for a name that is on no menu; `mistakes` asks for the names and adds the nearest.

    The names are not listed before somebody reads them: of a thousand mistakes ten are told.
    """
    return PydanticCustomError(
        "unknown_kind", "{found} is on no menu", {"found": repr(found), "names": names}
    )


def _any_of(schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
    """Arms may overlap (an int is also a number), which `oneOf` would refuse."""
    found = handler(schema)
    target = handler.resolve_ref_schema(found)
    if "oneOf" in target:
        target["anyOf"] = target.pop("oneOf")
        target.pop("discriminator", None)
    return found


MENU = "x-menu"
"""The key of a menu in a raw JSON schema: name -> class, as `class_place`."""


def class_place(cls: type) -> str:
    """A class by its place, which is unlike its name unique."""
    return f"{cls.__module__}:{cls.__qualname__}"


_Read = dict[tuple[int, str | int], tuple[object, Kind]]
_REMEMBERED: ContextVar[_Read | None] = ContextVar("remembered", default=None)


@contextmanager
def reading_alike() -> Generator[None]:
    """Configs that are read inside share what they have in common: the same mapping is read once.

    For the variants of a comparison; by identity, so no mapping may change meanwhile.
    """
    token = _REMEMBERED.set({})
    try:
        yield
    finally:
        _REMEMBERED.reset(token)


class _Inside:
    """The mistakes inside a kind; pydantic makes a text of whatever an error holds, of a list too.

    Args:
        errors: what pydantic says of them.
    """

    def __init__(self, errors: list[ErrorDetails]) -> None:
        self.errors = errors

    def __repr__(self) -> str:
        """Short, however many there are."""
        return f"{len(self.errors)} errors"


def _within(tag: str, error: ValidationError) -> PydanticCustomError:
    """The mistakes inside a kind, as one error of the field; `mistakes` opens it again."""
    inside = _Inside(error.errors(include_url=False))
    return PydanticCustomError("within", "{tag} has mistakes", {"tag": tag, "inside": inside})


class Menu:
    """Marks kinds to choose from: a mapping with `kind`, or the bare name with its defaults.

    Args:
        files: the modules whose `KINDS` are meant, those most used first; none for the kinds of the
            union that is marked.
        unlisted: a module with the one kind that Python hands in, which is called like the module:
            it can be read from a run's config, and is on no list of what one can write.
        closed: whether kinds from outside are no choice here.
    """

    def __init__(self, *files: str, unlisted: str = "", closed: bool = False) -> None:
        self.files = files
        self.unlisted = unlisted
        self.closed = closed
        # The kinds of the files that have been looked into, and whether these are all of them.
        self.known, self.known_all = dict[str, type[Kind]](), False
        self.nowhere = dict[str, object]()  # names, with the state of what is outside

    def named(self, menu: Arm, name: str) -> type[Kind] | None:
        """As `kind_named`, of the menu that is marked so."""
        if self.unlisted and name == self.unlisted.rpartition(".")[2]:
            return importlib.import_module(self.unlisted).KINDS[0]
        if own := self.known.get(name):
            return own
        if not self.known_all:
            for kinds in chain(_files_of(menu, spelling=name), _files_of(menu)):
                self.known.update((kind.name(), kind) for kind in kinds)
                if own := self.known.get(name):
                    return own
            # Asked for each name of a long list, which may be misspelled everywhere.
            self.known_all = True
        if self.nowhere.get(name) == (state := package.outside_state()):
            return None
        family = _open_family(menu)
        outside = None if family is None else cast("Any", package.outside_named(name, family))
        if outside is None and len(self.nowhere) < 100:  # names may be long, and without end
            self.nowhere[name] = state
        return outside

    def __get_pydantic_core_schema__(
        self, source: Arm, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        menu = Annotated[source, self]

        def names() -> list[str]:
            return [*kinds_of(menu)]

        def expand(value: object) -> Kind | tuple[type[Kind], dict[str, object]]:
            if isinstance(value, Kind):
                return value
            if isinstance(value, str):
                value = {"kind": value}
            if not isinstance(value, dict):
                form = "a name or a mapping with kind"
                raise PydanticCustomError("form", f"needs {form}", {"needs": form})
            chosen = cast("dict[str, object]", value)
            if "kind" not in chosen:
                raise PydanticCustomError("kind_missing", "needs kind", {"names": names})
            name = chosen["kind"]
            kind = _usable_kind(self, menu, name) if isinstance(name, str) else None
            if kind is None:
                raise unknown_kind(name, names)
            return kind, chosen

        def validate(value: object) -> Kind:
            remembered = _REMEMBERED.get()
            if remembered is None or not isinstance(value, str | dict):
                return validate_anew(value)
            place = id(self), value if isinstance(value, str) else id(cast("object", value))
            if place not in remembered:
                # With the value, so that its place in memory stays its own.
                remembered[place] = value, validate_anew(value)
            return remembered[place][1]

        def validate_anew(value: object) -> Kind:
            chosen = expand(value)
            if isinstance(chosen, Kind):
                return chosen
            kind, fields = chosen
            try:
                return kind.model_validate(fields)
            except ValidationError as error:
                raise _within(f"<{kind.name()}>", error) from None

        # Not a tagged union: pydantic would build the validators of all kinds of all menus at every
        # start (0.3 s), and a config chooses some ten of them.
        return core_schema.no_info_plain_validator_function(
            validate, metadata={"menu": menu}, json_schema_input_schema=core_schema.any_schema()
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # `nnlab schema` puts the kinds in: they are not built here.
        kinds = kinds_of(schema.get("metadata", {})["menu"])
        return {MENU: {name: class_place(kind) for name, kind in kinds.items()}}


def _base(arm: Arm) -> Arm:
    """An annotation without its metadata: PositiveInt is int, tuple[int, ...] is tuple."""
    if get_origin(arm) is Annotated:
        arm = get_args(arm)[0]
    return get_origin(arm) or arm


class Forms:
    """Marks a union of several ways to write one value; the first arm that fits is taken."""

    def __get_pydantic_core_schema__(
        self, source: Arm, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        arms = arms_of(source)
        words = [word for arm in arms if _base(arm) is Literal for word in get_args(arm)]
        menus = [arm for arm in arms if is_menu(arm)]
        tests = [_accepts(arm) for arm in arms]
        sections = [index for index, arm in enumerate(arms) if _is_section(arm)]
        needs = " or ".join(dict.fromkeys(_described(arms)))
        only_names = all(is_menu(arm) or _base(arm) is Literal for arm in arms)

        def names() -> list[str]:
            return [*words, *(name for menu in menus for name in kinds_of(menu))]

        def choose(value: object) -> str:
            for index, fits in enumerate(tests):
                if fits(value):
                    return f"<{index}>"
            if isinstance(value, dict) and len(sections) == 1:
                return f"<{sections[0]}>"
            if isinstance(value, str) and only_names and arms:
                raise unknown_kind(value, names)
            raise PydanticCustomError("form", "needs {needs}", {"needs": needs, "names": names})

        def check(value: object) -> object:
            # The error of `choose` is raised here: a tagged union would replace it by its own.
            choose(value)
            return value

        tagged = core_schema.tagged_union_schema(
            {f"<{i}>": handler.generate_schema(arm) for i, arm in enumerate(arms)}, choose
        )
        return core_schema.no_info_before_validator_function(
            check, tagged, json_schema_input_schema=tagged
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return _any_of(schema, handler)


def _is_section(arm: Arm) -> bool:
    base = _base(arm)
    return isinstance(base, type) and issubclass(base, Config)


def _accepts(arm: Arm) -> Callable[[object], bool]:
    """Whether a value has the form of an arm; its range is checked afterwards."""
    base = _base(arm)
    if is_menu(arm):
        marker = _marker(arm)
        return lambda v: (
            isinstance(v, Kind | dict)
            or (isinstance(v, str) and _usable_kind(marker, arm, v) is not None)
        )
    if base is Literal:
        return lambda v: isinstance(v, str) and v in get_args(arm)
    if base is Duration:
        # A word is meant as another arm: `off` for null.
        return lambda v: (
            (isinstance(v, Duration | int | float) and not isinstance(v, bool))
            or (isinstance(v, str) and v.strip()[:1].isdigit())
        )
    if base is NoneType:
        return lambda v: v is None
    # True is an int of Python's, and no number of YAML's.
    if base is int:
        return lambda v: isinstance(v, int) and not isinstance(v, bool)
    if base is float:
        return lambda v: isinstance(v, int | float) and not isinstance(v, bool)
    if _is_section(arm):
        # One known key is enough: a mapping with a misspelt one is still meant as this section, and
        # the error then names the key instead of asking for another form.
        keys = set(base.model_fields)
        return lambda v: isinstance(v, base) or (isinstance(v, dict) and bool(keys & set(v)))
    return lambda v: isinstance(v, base)


def mapping_text(keys: Iterable[str]) -> str:
    """A mapping as an error asks for it: {width: ..., depth: ...}."""
    return "{" + ", ".join(f"{key}: ..." for key in keys) + "}"


def _described(arms: tuple[Arm, ...]) -> Iterator[str]:
    plain = {
        int: "a whole number",
        float: "a number",
        str: "text",
        tuple: "a list",
        dict: "a mapping",
        NoneType: "null",
    }
    # "a whole number or a number" would say less than "a number".
    covered = int if float in map(_base, arms) else None
    for arm in arms:
        base = _base(arm)
        if base is covered:
            continue
        if is_menu(arm):
            yield "a name or a mapping with kind"
        elif base is Literal:
            yield from (str(word) for word in get_args(arm))
        elif base is Duration:
            yield FORMS
        elif _is_section(arm):
            yield mapping_text(base.model_fields)
        else:
            yield plain.get(base, getattr(base, "__name__", str(base)))
