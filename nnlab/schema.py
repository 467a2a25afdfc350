"""`nnlab schema`: the JSON schema of the language, for editors that complete and check YAML."""

import json
from typing import Any, cast

from pydantic import BaseModel

from nnlab.base import Kind
from nnlab.config import RunConfig
from nnlab.described import attribute_docs, help_of, sections

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def text() -> str:
    """The schema as JSON."""
    return json.dumps(schema(), indent=1)


def schema() -> dict[str, Any]:
    """The schema: pydantic's, with the help of the fields, and stricter about kinds."""
    found = RunConfig.model_json_schema(mode="validation")
    definitions: dict[str, dict[str, Any]] = found["$defs"]
    for cls in sections():
        # Classes of one name get their module's before it.
        full = f"{cls.__module__.replace('.', '__')}__{cls.__name__}"
        target = found if cls is RunConfig else definitions.get(full) or definitions[cls.__name__]
        _explain(target, cls)
    _prune(found, definitions)
    head = {"$schema": DIALECT, "title": "nnlab config"}
    return {**head, **{key: value for key, value in found.items() if key not in head}}


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
