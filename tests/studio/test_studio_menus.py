"""Palette and forms: every kind of every menu is there, and what a choice writes can be read."""

from pathlib import Path
from typing import Any

import pytest

from nnlab.config.loading import Text, document_of, validate_document
from nnlab.config.yaml import parse_yaml
from nnlab.core.kinds import kinds_of
from nnlab.studio.server.menus import MENUS, all_menus
from nnlab.studio.text.edits import edit_text

TEXT = "data: digits\nmodel: {kind: stack, layers: [flatten]}  # mine\ntrain: {epochs: 1}\n"
PATHS: dict[str, list[Any]] = {
    **{name: [name] for name in ("data", "model", "loss", "optimizer", "schedule", "rule")},
    "activation": ["model", "activation"],
    "norm": ["model", "norm"],
    "init": ["model", "init"],
}


@pytest.mark.parametrize("menu", MENUS)
def test_every_kind_that_can_be_written_is_there_with_its_help(menu: str) -> None:
    kinds = {name for name, kind in kinds_of(MENUS[menu]).items() if not kind.handed}
    listed = all_menus()[menu]
    assert {each["name"] for each in listed} == kinds
    assert all(each["help"] for each in listed)


@pytest.mark.parametrize("menu", MENUS)
def test_choosing_any_kind_writes_what_can_be_read(menu: str) -> None:
    for kind in all_menus()[menu]:
        change: dict[str, Any] = {"do": "set", "path": PATHS.get(menu), "value": kind["least"]}
        if menu == "layer":
            change = {**change, "do": "insert", "path": ["model", "layers"], "at": 1}
        text = edit_text(TEXT, change)
        assert menu == "model" or "# mine" in text, kind["name"]
        assert isinstance(parse_yaml(text, file="text").tree, dict)
        validate_document(document_of(Text(text, "text", Path(), "text")))
