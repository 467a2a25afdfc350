"""`nnlab menu`: what a config can choose from, read from the unions themselves."""

from difflib import get_close_matches
from typing import Any

from nnlab import menu_fields, remedies, synonyms
from nnlab.base import Config, ConfigError, Kind
from nnlab.choices import kinds_of
from nnlab.described import MENUS, fields_of, help_of
from nnlab.printing import grid, rendered
from nnlab.readings import DATA, READINGS
from nnlab.sections import LogConfig, RegularizeConfig, SeedConfig, TrainConfig
from nnlab.synonyms_values import VALUES
from nnlab.thresholds import DiagnoseConfig

SECTIONS = {
    "diagnose": DiagnoseConfig,
    "log": LogConfig,
    "regularize": RegularizeConfig,
    "seed": SeedConfig,
    "train": TrainConfig,
}
"""Sections of a config that are no choice of kinds."""


def page(name: str | None) -> str:
    """All menus, the kinds of one, the fields of a kind, or the owners of a field.

    Raises:
        ConfigError: there is none of the name.
    """
    if name is None:
        return _menus()
    if name == remedies.TOPIC:
        return remedies.page()
    if name == "readings":
        return _readings()
    if name in MENUS:
        return _kinds(name)
    found = [
        (menu, kinds_of(union)[name])
        for menu, (union, _) in MENUS.items()
        if name in kinds_of(union)
    ]
    if name in SECTIONS:
        return _section(name)
    pages = [*(_kind(menu, kind) for menu, kind in found), menu_fields.page(name)]
    if not any(pages):
        raise ConfigError(f"menu {name}: no such menu, kind or field ({_hint(name)})")
    return "\n".join(part for part in pages if part)


def _hint(name: str) -> str:
    kinds = [kind for union, _ in MENUS.values() for kind in kinds_of(union)]
    if known := synonyms.known_as(name, kinds, VALUES):
        return f"{name} is called {known} here"
    if known := menu_fields.called_here(name):
        return f"{name} is called {known} here"
    near = get_close_matches(name, [*MENUS, *SECTIONS, *kinds, *menu_fields.names()], n=1)
    return f"did you mean {near[0]}?" if near else f"menus are {', '.join(MENUS)}"


def _menus() -> str:
    rows = [(name, where, " ".join(kinds_of(union))) for name, (union, where) in MENUS.items()]
    head = ("menu", "chosen in", "kinds")
    return rendered(
        grid(rows, head=head, whole=(0, 1)),
        "\nnnlab menu MENU says what they are, nnlab menu KIND what one takes,",
        "nnlab menu FIELD (lr) who has such a field",
        f"sections: {' '.join(SECTIONS)} (nnlab menu SECTION)",
        "nnlab menu readings says what each curve means",
        f"nnlab menu {remedies.TOPIC} says which section holds what against overfitting",
    )


def _kinds(menu: str) -> str:
    union, where = MENUS[menu]
    rows: list[tuple[str, str]] = []
    for name, kind in kinds_of(union).items():
        first, rest = help_of(kind)
        rows.append((name, "\n".join(part for part in (first, rest) if part)))
    return rendered(f"{menu}, chosen in {where}\n", grid(rows, whole=(0,)))


def _readings() -> str:
    rows = [
        (
            key,
            "\n".join((d.plain, f"{d.formula}{'' if d.unit == '1' else f', {d.unit}'}", d.source)),
            d.data,
            d.when,
        )
        for key, d in READINGS.items()
    ]
    data = grid([*DATA.items()], head=("measured on", ""), whole=(0,))
    return rendered(
        "readings: what training shows beside losses and scores (metrics.jsonl, TensorBoard)\n",
        grid(rows, head=("reading", "", "measured on", "when"), whole=(0, 2, 3)),
        "",
        data,
    )


def _kind(menu: str, kind: type[Kind]) -> str:
    first, rest = help_of(kind)
    lines = [
        f"{kind.name()} ({menu}, chosen in {MENUS[menu][1]})",
        first,
        *([rest] if rest else []),
    ]
    if formula := getattr(kind, "formula", ""):
        lines.append(f"formula: {formula}")
    if not fields_of(kind):
        return rendered(*lines, "it takes no fields")
    return rendered(*lines, "", _fields(kind))


def _section(name: str) -> str:
    first, rest = help_of(SECTIONS[name])
    return rendered(
        f"{name} (a section)", first, *([rest] if rest else []), "", _fields(SECTIONS[name])
    )


def _fields(cls: type[Config]) -> Any:
    rows = [(f.name, f.type, f.default or "must be given", f.help) for f in fields_of(cls)]
    return grid(rows, head=("field", "type", "default", ""), whole=(0,))
