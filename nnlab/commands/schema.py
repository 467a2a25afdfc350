"""`nnlab schema`: the JSON schema of the language, for editors that complete and check YAML."""

import json
from typing import Any, cast

import typer
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from nnlab.config.described import attribute_docs, help_of, language_sections
from nnlab.config.every_field import dotted_fields
from nnlab.config.run_config import RunConfig
from nnlab.config.variants import COMPARISON_KEYS
from nnlab.core.kinds import MENU, Kind, class_place

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "nnlab config"
"""By which a file is known as this schema."""


def schema() -> None:
    """The JSON schema of the language, for editors."""
    typer.echo(schema_text())


def schema_text() -> str:
    """The schema as JSON."""
    return json.dumps(build_schema(), indent=1)


def build_schema() -> dict[str, Any]:
    """The schema: pydantic's, with the help of the fields, and stricter about kinds."""
    classes = [RunConfig, *(cls for cls in language_sections() if cls is not RunConfig)]
    refs, all_of_it = models_json_schema([(cls, "validation") for cls in classes])
    definitions: dict[str, dict[str, Any]] = all_of_it["$defs"]
    places = {class_place(cls): refs[cls, "validation"] for cls in classes}
    names = {cls: places[class_place(cls)]["$ref"].rpartition("/")[2] for cls in classes}
    for cls, name in names.items():
        definitions[name] = _filled(definitions[name], places)
        _explain(definitions[name], cls)
    found = {**definitions.pop(names[RunConfig]), "$defs": definitions}
    _prune(found, definitions)
    _allow_comparisons(found)
    head = {"$schema": DIALECT, "title": TITLE}
    return {**head, **{key: value for key, value in found.items() if key not in head}}


def _filled(node: Any, places: dict[str, dict[str, Any]]) -> Any:
    """A schema with the kinds of its menus in place: a bare name, or a mapping."""
    if isinstance(node, list):
        return [_filled(inner, places) for inner in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    tree = cast("dict[str, Any]", node)
    if MENU in tree:
        menu = cast("dict[str, str]", tree[MENU])
        kinds = [dict(places[cls]) for cls in menu.values()]
        rest = {key: value for key, value in tree.items() if key != MENU}
        return {"anyOf": [{"enum": list(menu), "type": "string"}, {"oneOf": kinds}], **rest}
    filled = {key: _filled(inner, places) for key, inner in tree.items()}
    if "patternProperties" in filled:
        # pydantic leaves names that fit no pattern open; nnlab refuses them.
        filled.setdefault("additionalProperties", False)
    return filled


def _explain(target: dict[str, Any], cls: type[BaseModel]) -> None:
    """Puts docstrings into a definition, and requires `kind` where it is what chooses."""
    target["description"] = "\n\n".join(part for part in help_of(cls) if part)
    docs = attribute_docs(cls)
    for name, field in target["properties"].items():
        field.pop("title", None)
        if name in docs:
            field["description"] = docs[name]
    if issubclass(cls, Kind):
        target["title"] = cls.name()
        target["required"] = ["kind", *target.get("required", [])]


def _allow_comparisons(found: dict[str, Any]) -> None:
    """Lets `base` and variants bring what a config of one run must say, and completes variants."""
    needed: list[str] = found.pop("required")
    found["anyOf"] = [{"required": needed}, {"required": ["base"]}, {"required": ["variants"]}]
    names = found["properties"]["variants"]["anyOf"][0]["patternProperties"]
    inside = found["properties"].keys() - {*COMPARISON_KEYS, "seed", "name"}
    paths = {
        path: {"description": fields[0][1].help}
        for path, fields in dotted_fields().items()
        if path.partition(".")[0] in inside
    }
    for variant in names.values():
        # Beside these there are places in lists, such as model.layers.0.units.
        variant["properties"] = paths


def _prune(node: Any, definitions: dict[str, dict[str, Any]]) -> None:
    """Takes bare names away that would leave a field without a value: `model: mlp`."""
    if isinstance(node, list):
        for inner in cast("list[Any]", node):
            _prune(inner, definitions)
    if not isinstance(node, dict):
        return
    tree = cast("dict[str, Any]", node)
    arms: Any = tree.get("anyOf", ())
    names, kinds = arms if len(arms) == 2 else ({}, {})
    if "enum" in names and "oneOf" in kinds:
        bare: list[str] = []
        for kind in kinds["oneOf"]:
            definition = definitions[kind["$ref"].rpartition("/")[2]]
            if definition["required"] == ["kind"]:
                bare.append(definition["properties"]["kind"]["const"])
        names["enum"] = bare
        if not bare:
            arms.remove(names)
    for inner in tree.values():
        _prune(inner, definitions)
