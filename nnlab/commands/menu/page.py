"""`nnlab menu`: what a config can choose from, read from the unions themselves."""

from difflib import get_close_matches
from typing import Any

from nnlab.commands.menu import regularization
from nnlab.config.described import MENUS, Described, fields_of, help_of
from nnlab.config.diagnose import DiagnoseConfig
from nnlab.config.every_field import every_field
from nnlab.config.sections import LogConfig, RegularizeConfig, SeedConfig, TrainConfig
from nnlab.config.words import synonyms
from nnlab.config.words.synonyms import VALUE_SYNONYMS
from nnlab.core.errors import ConfigError
from nnlab.core.kinds import Config, Kind, kinds_of
from nnlab.core.package import broken_plugins, origin_of
from nnlab.core.text import render_text, text_grid
from nnlab.training.probes.readings import DATA, READINGS

SECTIONS = {
    "diagnose": DiagnoseConfig,
    "log": LogConfig,
    "regularize": RegularizeConfig,
    "seed": SeedConfig,
    "train": TrainConfig,
}
"""Sections of a config that are no choice of kinds."""


def menu_page(name: str | None) -> str:
    """All menus, the kinds of one, the fields of a kind, or the owners of a field.

    Raises:
        ConfigError: there is none of the name.
    """
    if name is None:
        return _menus()
    if name == regularization.TOPIC:
        return regularization.regularization_page()
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
    pages = [*(_kind(menu, kind) for menu, kind in found), field_page(name)]
    if not any(pages):
        raise ConfigError(f"menu {name}: no such menu, kind or field ({_hint(name)})")
    return "\n".join(part for part in pages if part)


def _hint(name: str) -> str:
    kinds = [kind for union, _ in MENUS.values() for kind in kinds_of(union)]
    if known := synonyms.known_as(name, kinds, VALUE_SYNONYMS):
        return f"{name} is called {known} here"
    if known := called_here(name):
        return f"{name} is called {known} here"
    near = get_close_matches(name, [*MENUS, *SECTIONS, *kinds, *field_names()], n=1)
    return f"did you mean {near[0]}?" if near else f"menus are {', '.join(MENUS)}"


def page_names() -> list[str]:
    """What there is a page for: menus, topics, sections, kinds, fields; each once."""
    kinds = [kind for union, _ in MENUS.values() for kind in kinds_of(union)]
    words = [*MENUS, regularization.TOPIC, "readings", *SECTIONS, *kinds, *field_names()]
    return list(dict.fromkeys(words))


def _menus() -> str:
    rows = [(name, where, " ".join(kinds_of(union))) for name, (union, where) in MENUS.items()]
    head = ("menu", "chosen in", "kinds")
    return render_text(
        text_grid(rows, head=head, whole=(0, 1)),
        "\nnnlab menu MENU says what they are, nnlab menu KIND what one takes,",
        "nnlab menu FIELD (lr) who has such a field",
        f"sections: {' '.join(SECTIONS)} (nnlab menu SECTION)",
        "nnlab menu readings says what each curve means",
        f"nnlab menu {regularization.TOPIC} says which section holds what against overfitting",
        *(f"\nnot usable: {why}" for why in broken_plugins()),
    )


def _kinds(menu: str) -> str:
    union, where = MENUS[menu]
    rows: list[tuple[str, str]] = []
    for name, kind in kinds_of(union).items():
        first, rest = help_of(kind)
        rows.append((name, "\n".join(part for part in (first, rest, _from(kind)) if part)))
    return render_text(f"{menu}, chosen in {where}\n", text_grid(rows, whole=(0,)))


def _from(kind: type[Kind]) -> str:
    """Where a kind comes from that is not nnlab's own; empty for those that are."""
    origin = origin_of(kind)
    return "" if origin is None else f"From {origin.package}, not part of nnlab."


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
    data = text_grid([*DATA.items()], head=("measured on", ""), whole=(0,))
    return render_text(
        "readings: what training shows beside losses and scores (metrics.jsonl, TensorBoard)\n",
        text_grid(rows, head=("reading", "", "measured on", "when"), whole=(0, 2, 3)),
        "",
        data,
    )


def _kind(menu: str, kind: type[Kind]) -> str:
    first, rest = help_of(kind)
    lines = [
        f"{kind.name()} ({menu}, chosen in {MENUS[menu][1]})",
        first,
        *(part for part in (rest, _from(kind)) if part),
    ]
    if formula := getattr(kind, "formula", ""):
        lines.append(f"formula: {formula}")
    if not fields_of(kind):
        return render_text(*lines, "it takes no fields")
    return render_text(*lines, "", _fields(kind))


def _section(name: str) -> str:
    first, rest = help_of(SECTIONS[name])
    return render_text(
        f"{name} (a section)", first, *([rest] if rest else []), "", _fields(SECTIONS[name])
    )


def _fields(cls: type[Config]) -> Any:
    rows = [(f.name, f.type, f.default or "must be given", f.help) for f in fields_of(cls)]
    return text_grid(rows, head=("field", "type", "default", ""), whole=(0,))


def field_page(name: str) -> str:
    """Every field of this name, those that are alike together; empty if there is none."""
    found: dict[tuple[str, Described], list[str]] = {}
    for home, owner, field in every_field():
        if field.name == name:
            found.setdefault((home, field), []).append(owner)
    if not found:
        return ""
    rows = [
        ("\n".join(part for part in (home, ", ".join(owners)) if part), *_cells(field))
        for (home, field), owners in found.items()
    ]
    return render_text(f"{name} (a field)\n", text_grid(rows, head=("of", "type", "default", "")))


def field_names() -> list[str]:
    """The names of all fields, each once."""
    return list(dict.fromkeys(field.name for _, _, field in every_field()))


def called_here(word: str) -> str:
    """What a field from elsewhere is called here: `lr`, `units or hidden`; empty if not known."""
    valid = set(field_names())
    candidates = synonyms.KEY_SYNONYMS.get(synonyms.plain_word(word), ())
    own = [name for name in valid if synonyms.plain_word(name) == synonyms.plain_word(word)]
    return " or ".join(dict.fromkeys(c for c in (*own, *candidates) if c in valid and c != word))


def _cells(field: Described) -> tuple[str, str, str]:
    return field.type, field.default or "must be given", field.help
