"""Configs drawn at random from the language's own schema, and mutations of their text."""

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

DATA = ("and", "or", "xor", "blobs", "circles", "moons", "spirals", "function", "iris", "wine",
        "breast_cancer", "diabetes", "digits", "inline")  # fmt: skip
"""What needs no network, and is small."""
MODELS = ("mlp", "linear", "perceptron", "point", "stack", "cnn")
"""What two updates of take a moment."""
SECTIONS = ("loss", "optimizer", "schedule", "scores", "averaging", "rule", "diagnose", "seed")
TEXTS = ("sine", "x", "a", "0.1", "sin(x)", "train", "loss", "first 10", "10 %", "2 epochs", "auto")
_DEPTH = 6
_SLOW = {"compile", "pictures", "workers", "threads", "minutes", "in_memory", "monitor"}
"""Fields that say how, not what; they cost seconds each."""
_FILES = {"from", "exclude"}
"""Fields that name what is not there, so that check ends at them."""

Schema = Mapping[str, Any]


class Drawn:
    """Draws values that a schema allows.

    Args:
        schema: of the language.
        draw: the source of chance.
    """

    def __init__(self, schema: Schema, draw: random.Random) -> None:
        self._schema, self._draw = schema, draw

    def config(self) -> dict[str, Any]:
        """A whole config; most are what check accepts, and some are not."""
        draw = self._draw
        sections = cast("dict[str, Schema]", self._schema["properties"])
        config: dict[str, Any] = {"data": self._kind(sections["data"], DATA)}
        config["model"] = self._kind(sections["model"], MODELS)
        config["train"] = {**self._mapping(self._named("TrainConfig"), 0, share=0.15)}
        config["train"] = {k: v for k, v in config["train"].items() if k not in ("epochs", "steps")}
        config["train"] |= {"steps": 2, "compile": "off"}
        for name in SECTIONS:
            if name in sections and draw.random() < 0.2:
                config[name] = self._value(sections[name], 0)
        return config

    def _named(self, name: str) -> Schema:
        return self._schema["$defs"][name]

    def _kind(self, schema: Schema, names: tuple[str, ...]) -> Any:
        """One of these kinds, with some of its fields."""
        wanted = self._draw.choice(names)
        for option in self._options(schema):
            kind = option.get("properties", {}).get("kind", {})
            if kind.get("const") == wanted:
                found = {**self._mapping(option, 0, share=0.25), "kind": wanted}
                if "samples" in option["properties"]:
                    found["samples"] = self._draw.randrange(20, 60)
                return found
        return wanted

    def _options(self, schema: Schema) -> list[Schema]:
        """What a schema allows, its choices and references resolved."""
        if "$ref" in schema:
            return self._options(self._named(schema["$ref"].rpartition("/")[2]))
        inner = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        return [found for one in inner for found in self._options(one)] if inner else [schema]

    def _value(self, schema: Schema, depth: int) -> Any:
        draw = self._draw
        options = self._options(schema)
        found = draw.choice(options)
        if "const" in found:
            return found["const"]
        if "enum" in found:
            return draw.choice(found["enum"])
        match found.get("type"):
            case "object":
                return self._mapping(found, depth + 1, share=0.3) if depth < _DEPTH else {}
            case "array":
                return self._items(found, depth)
            case "integer":
                return self._whole(found)
            case "number":
                return self._number(found)
            case "boolean":
                return draw.random() < 0.5
            case "string":
                return draw.choice(TEXTS)
            case _:
                return None

    def _mapping(self, schema: Schema, depth: int, *, share: float) -> dict[str, Any]:
        needed = set(schema.get("required", ()))
        fields = cast("dict[str, Schema]", schema.get("properties", {}))
        return {
            name: self._value(field, depth)
            for name, field in fields.items()
            if name not in _SLOW | _FILES
            and (name in needed or name == "kind" or self._draw.random() < share)
        }

    def _items(self, schema: Schema, depth: int) -> list[Any]:
        if "prefixItems" in schema:
            return [self._value(one, depth + 1) for one in schema["prefixItems"]]
        least = schema.get("minItems", 0)
        count = least + self._draw.randrange(3)
        if depth >= _DEPTH:
            count = least
        return [self._value(schema.get("items", {}), depth + 1) for _ in range(count)]

    def _whole(self, schema: Schema) -> int:
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 13) - 1)
        chosen = self._draw.choice((low, low + 1, self._draw.randrange(1, 13)))
        return int(max(low, min(high, chosen)))

    def _number(self, schema: Schema) -> float:
        draw = self._draw
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        at_edge = draw.random() < 0.05  # where that is excluded it is a mistake
        if low is not None and high is not None:
            return draw.choice((low, high)) if at_edge else draw.uniform(low, high)
        edge = low if low is not None else -2.0
        return edge if at_edge else edge + draw.choice((1e-3, 0.5, 10 ** draw.uniform(-6, 3)))


_WHERE = re.compile(r"^(?:config: )?([a-z_0-9.]+)")
_MISSING = "is missing and has no default"


def without_mistakes(config: dict[str, Any], lines: Sequence[str]) -> bool:
    """Takes out what the lines of check say is wrong; whether anything went.

    A section that cannot be left out becomes the plainest of its kind.
    """
    changed = False
    for line in lines:
        found = _WHERE.match(line)
        path = found[1].split(".") if found else []
        if _MISSING in line and len(path) > 1:
            path = path[:-1]  # what lacks it goes
        if path and path[0] in config:
            changed = _taken_out(config, path) or changed
    return changed


def _taken_out(config: dict[str, Any], path: Sequence[str]) -> bool:
    place: Any = config
    for number, name in enumerate(path):
        last = number == len(path) - 1
        key: Any = int(name) if isinstance(place, list) and name.isdigit() else name
        if isinstance(place, list):
            inside = isinstance(key, int) and key < len(place)
        else:
            inside = isinstance(place, dict) and key in place
        if not inside:  # what is wrong follows from the rest of its section
            path = path[:1]
            del config[path[0]]
            break
        if last or not isinstance(place[key], dict | list):
            del place[key]
            break
        place = place[key]
    for name, plain in (("data", "moons"), ("model", "linear")):
        if name not in config or path == [name]:
            config[name] = plain
    return True


VALUES = ("null", "-1", "0", "1", "1.5", "1e30", ".nan", "-.inf", "''", "x", "true", "[]", "{}",
          "[1, 2]", "{kind: x}", "auto", "99999999999999999999", "1e-300", "'1'", "~", "'\\ud800'",
          "'\\0'", "$x$", "0.5", "none", "[[]]", "2 epochs", "first 10", "1 %")  # fmt: skip


_NUMBER = re.compile(r"-?[0-9.]{1,12}(?<=[0-9])")
_SETTING = re.compile(r" +(?!kind: )[a-z_0-9]+: \S")


def mutated(text: str, draw: random.Random) -> str:
    """A text with one to three changes: another number, no word on a setting, a value, a sign."""
    lines = text.splitlines()
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        settings = [n for n, line in enumerate(lines) if _SETTING.match(line)]
        if settings and draw.random() < 0.7:
            # What a hand does as well; nearly all of the others end at the first look.
            at = draw.choice(settings)
            key, _, value = lines[at].partition(": ")
            if _NUMBER.fullmatch(value):
                other = float(value) * draw.choice((0.1, 0.5, 2, 10))
                lines[at] = f"{key}: {other:g}" if "." in value else f"{key}: {other:.0f}"
            else:
                del lines[at]
            continue
        at = draw.randrange(len(lines))
        key, colon, _ = lines[at].partition(": ")
        match draw.randrange(7):
            case 0 | 1 | 2 if colon:
                lines[at] = f"{key}: {draw.choice(VALUES)}"
            case 3:
                lines.insert(at, draw.choice(lines))
            case 4 if len(lines) > 1:
                del lines[at]
            case 5:
                lines[at] = "  " + lines[at] if draw.random() < 0.5 else lines[at].lstrip()
            case _:
                place = draw.randrange(len(lines[at]) + 1)
                sign = draw.choice("0123456789.:-,[]{}'\"#&*!|>?%@ \tex\\\u2028\ufeff\x00é")
                lines[at] = lines[at][:place] + sign + lines[at][place + 1 :]
    return "\n".join(lines) + "\n"
