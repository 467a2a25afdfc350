"""Changes of a text that touch nothing else: over every list and value of every bundled config."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from nnlab.config.loading import bundled_configs
from nnlab.config.yaml import parse_yaml
from nnlab.core.errors import ConfigError, Path
from nnlab.studio.text.edits import edit_text
from nnlab.studio.text.splice import (
    insert_item,
    move_item,
    remove_item,
    remove_value,
    set_value,
    written,
)

BLOCK = """\
# a
data: digits   # which
model:
  kind: stack
  activation: tanh
  layers:
    # the first
    - {kind: conv, channels: 6, kernel: 5, padding: 2}  # wide
    - {kind: avg_pool, kernel: 2}

    # a long one
    - kind: conv
      channels: 16   # many
      kernel: 5
    - flatten
    - {kind: linear, units: 120}
    - linear
loss: cross_entropy
"""
TEXTS = {name: path.read_text() for name, path in bundled_configs().items()} | {"block": BLOCK}


def tree(text: str) -> Any:
    return parse_yaml(text, file="text").tree


def at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def inside(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value below another, with its path."""
    pairs: Any = value.items() if isinstance(value, dict) else ()
    pairs = enumerate(value) if isinstance(value, tuple) else pairs
    for key, inner in pairs:
        yield (*path, key), inner
        yield from inside(inner, (*path, key))


def replaced(value: Any, path: Path, by: Any) -> Any:
    """The tree with another value at a path."""
    if not path:
        return by
    if isinstance(value, tuple):
        copy = list(value)
        copy[path[0]] = replaced(copy[path[0]], path[1:], by)  # pyright: ignore[reportCallIssue, reportArgumentType]
        return tuple(copy)
    return {**value, path[0]: replaced(value[path[0]], path[1:], by)}


def some(found: Sequence[Any]) -> list[Any]:
    """At most three, at equal distances, the first and the last among them: reading takes time."""
    count = min(3, len(found))
    return [found[k * (len(found) - 1) // max(count - 1, 1)] for k in range(count)]


def lists_of(text: str) -> list[Path]:
    """Of two items or more."""
    return [p for p, v in inside(tree(text)) if isinstance(v, tuple) and len(v) > 1]


def comments(text: str) -> list[str]:
    return sorted(line.partition("#")[2] for line in text.splitlines() if "#" in line)


LISTS = [
    pytest.param(name, path, id=f"{name}-{'.'.join(map(str, path))}")
    for name, text in TEXTS.items()
    for path in some(lists_of(text))
]


@pytest.mark.parametrize(("name", "path"), LISTS)
class TestEveryList:
    def test_moves(self, name: str, path: Path) -> None:
        text = TEXTS[name]
        items = list(at(tree(text), path))
        for one in some(range(len(items))):
            for to in {0, len(items) - 1}:
                wanted = items[:one] + items[one + 1 :]
                wanted.insert(to, items[one])
                moved = move_item(text, path, one, to)
                assert tree(moved) == replaced(tree(text), path, tuple(wanted))
                assert comments(moved) == comments(text)

    def test_inserts_and_removes(self, name: str, path: Path) -> None:
        text = TEXTS[name]
        items = at(tree(text), path)
        for place in some(range(len(items) + 1)):
            wanted = (*items[:place], "flatten", *items[place:])
            longer = insert_item(text, path, place, "flatten")
            assert tree(longer) == replaced(tree(text), path, wanted)
            assert comments(longer) == comments(text)
            assert tree(remove_item(longer, path, place)) == tree(text)


@pytest.mark.parametrize("name", TEXTS)
class TestEveryText:
    def test_every_value_is_replaced_alone(self, name: str) -> None:
        text = TEXTS[name]
        for path, value in some([*inside(tree(text))]):
            same = set_value(text, path, value)
            assert tree(same) == tree(text), path
            if not isinstance(value, dict | tuple):
                other = set_value(text, path, "another value")
                assert tree(other) == replaced(tree(text), path, "another value")
                assert comments(other) == comments(text)

    def test_a_new_key_is_added_to_every_mapping_and_taken_away_again(self, name: str) -> None:
        text = TEXTS[name]
        mappings = [p for p, v in inside(tree(text)) if isinstance(v, dict)]
        for path in some([(), *mappings]):
            before = at(tree(text), path)
            longer = set_value(text, (*path, "added"), 0.5)
            assert tree(longer) == replaced(tree(text), path, {**before, "added": 0.5}), path
            assert tree(remove_value(longer, (*path, "added"))) == tree(text), path

    def test_every_key_is_taken_away(self, name: str) -> None:
        text = TEXTS[name]
        for path in some([p for p, _ in inside(tree(text)) if isinstance(p[-1], str)]):
            holder = at(tree(text), path[:-1])
            wanted = {k: v for k, v in holder.items() if k != path[-1]}
            assert tree(remove_value(text, path)) == replaced(tree(text), path[:-1], wanted), path


def test_a_bare_name_becomes_a_mapping_of_its_kind() -> None:
    assert tree(set_value("optimizer: adam\n", ("optimizer", "lr"), 0.1)) == {
        "optimizer": {"kind": "adam", "lr": 0.1}
    }


def test_keys_are_made_on_the_way() -> None:
    assert tree(set_value("data: xor\n", ("train", "early_stopping", "patience"), 3)) == {
        "data": "xor",
        "train": {"early_stopping": {"patience": 3}},
    }


def test_the_last_of_a_list_leaves_brackets() -> None:
    assert tree(remove_item("a: [1]\nb: 2\n", ("a",), 0)) == {"a": (), "b": 2}
    assert tree(remove_item("a:\n  - 1\nb: 2\n", ("a",), 0)) == {"a": (), "b": 2}


@pytest.mark.parametrize(
    "value",
    ["true", "3", "1e3", "null", "relu", "a b", "", "# x", "a: b", "'", "[", "x\ny", "é", "-", "~"],
)
def test_a_text_is_written_so_that_it_is_read_as_text(value: str) -> None:
    assert tree(f"a: {written(value)}\nb: [{written(value)}]\n") == {"a": value, "b": (value,)}


@pytest.mark.parametrize("value", [0.1, 1e-8, 3, -2.5, 1e22, True, None, [1, [2]], {"a": {"b": 1}}])
def test_numbers_and_collections_are_read_back(value: Any) -> None:
    as_tuples = {"[1, [2]]": (1, (2,))}.get(str(value), value)
    assert tree(f"a: {written(value)}\n") == {"a": as_tuples}


def test_edits_that_lead_nowhere_say_so() -> None:
    for asked in (
        {"do": "dance"},
        {"do": "set", "path": [], "value": 1},
        {"do": "set", "path": "a"},
        {"do": "move", "path": ["a"], "at": 7, "to": 0},
        {"do": "set", "path": ["a", "b", "c"], "value": 1},
    ):
        with pytest.raises(ConfigError):
            edit_text("a: [1, 2]\n", asked)


def test_what_the_doctor_proposes_is_written_into_the_text() -> None:
    text = "data: xor\nmodel: {kind: mlp, hidden: [4], activation: sigmoid}  # why\n"
    changes = ["model.activation=relu", "optimizer.lr=1e-3", "train.steps=50"]
    found = edit_text(text + "train: {epochs: 3}\n", {"do": "apply", "changes": changes})
    assert "# why" in found
    assert tree(found) == {
        "data": "xor",
        "model": {"kind": "mlp", "hidden": (4,), "activation": "relu"},
        "train": {"steps": 50},
        "optimizer": {"kind": "adam", "lr": 0.001},
    }
    compared = "data: xor\nvariants: {a: {model.activation: tanh}}\n"
    with pytest.raises(ConfigError, match=r"the variants decide model\.activation"):
        edit_text(compared, {"do": "apply", "changes": changes})


def test_another_seed_in_either_form() -> None:
    assert tree(edit_text("data: xor\n", {"do": "seed", "value": 4}))["seed"] == 4
    assert tree(edit_text("seed: {init: 3}\n", {"do": "seed", "value": 4})) == {
        "seed": {"init": 3, "all": 4}
    }
