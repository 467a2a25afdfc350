"""YAML 1.2's core schema, with places, and everything that is refused."""

import math
from time import process_time
from typing import Any

import pytest

from nnlab.config import yaml
from nnlab.config.loading import bundled_configs
from nnlab.config.yaml import Mark
from nnlab.core.errors import ConfigError


def refusal(text: str | bytes) -> str:
    """The one line that refuses a text; refusing is quick."""
    start = process_time()
    with pytest.raises(ConfigError) as caught:
        yaml.parse_yaml(text, file="f.yaml")
    assert process_time() - start < 1.0
    (line,) = caught.value.lines
    return line


# Section 10.3.2 of the YAML 1.2.2 specification, by its own examples and those people write.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1e-3", 0.001), ("1E-3", 0.001), ("1e3", 1000.0), (".5", 0.5), ("-2E+05", -2e5)),
        *(("5.", 5.0), ("+12.3", 12.3), ("0.", 0.0), ("-0.0", -0.0), ("685.230_15", "685.230_15")),
        *(("0", 0), ("-19", -19), ("+3", 3), ("0o7", 7), ("0x3A", 58), ("1e400", math.inf)),
        *((".inf", math.inf), ("-.Inf", -math.inf), ("+.INF", math.inf)),
        *(("true", True), ("FALSE", False), ("null", None), ("~", None), ("", None)),
        *(("yes", "yes"), ("on", "on"), ("NO", "NO"), ("off", "off"), ("y", "y"), ("tRue", "tRue")),
        *(("0123", "0123"), ("1_000", "1_000"), ("1:30", "1:30"), ("2024-01-01", "2024-01-01")),
        *(("0b11", "0b11"), ("1.2.3", "1.2.3"), ("e3", "e3"), (".", "."), ("1,5", "1,5")),
        *(("inf", "inf"), ("nan", "nan"), ("None", "None"), ("0x", "0x"), ("\u0663", "\u0663")),
    ],
)
def test_plain_words_are_read_as_yaml_1_2_says(text: str, value: object) -> None:
    found: Any = yaml.parse_yaml(f"a: {text}\n", file="f").tree
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(yaml.scalar(".nan"))  # pyright: ignore[reportArgumentType]


def test_quotes_keep_text() -> None:
    assert yaml.parse_yaml("a: '3'\nb: \"true\"\n", file="f").tree == {"a": "3", "b": "true"}


def test_keys_are_text() -> None:
    assert yaml.parse_yaml("3: x\ntrue: y\n", file="f").tree == {"3": "x", "true": "y"}


def test_lists_become_tuples() -> None:
    assert yaml.parse_yaml("a:\n  - 1\n  - [2, 3]\n", file="f").tree == {"a": (1, (2, 3))}


def test_every_key_and_value_keeps_its_place() -> None:
    marks = yaml.parse_yaml("a: 1\nb:\n  - {c: x}\n  - two\n", file="f").marks
    assert marks.keys == {("a",): Mark(1, 1), ("b",): Mark(2, 1), ("b", 0, "c"): Mark(3, 6)}
    assert marks.values[("a",)] == Mark(1, 4)
    assert marks.values[("b", 0, "c")] == Mark(3, 9)
    assert marks.values[("b", 1)] == Mark(4, 5)


def test_a_value_left_out_stands_at_its_key() -> None:
    marks = yaml.parse_yaml("a: 1\nb:\n\n\nc: 2\n", file="f").marks
    assert marks.values[("b",)] == Mark(2, 1)


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfa: 1\n",
        "\ufeffa: 1\n",
        "a: 1\r\n",
        b"a: 1\r\n",
        "a: 1",
        "---\na: 1\n...\n",
        "%YAML 1.2\n---\na: 1\n",
        "# a comment\na: 1  # and another\n",
        "'a': 1\n",
    ],
    ids=[
        "bom",
        "bom text",
        "crlf",
        "crlf bytes",
        "no newline",
        "marks",
        "1.2",
        "comment",
        "quoted",
    ],
)
def test_accepts_every_way_to_write_the_same_file(text: str | bytes) -> None:
    assert yaml.parse_yaml(text, file="f").tree == {"a": 1}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_places_do_not_depend_on_line_ends(newline: str) -> None:
    text = newline.join(["a: 1", "b: 2", ""])
    assert yaml.parse_yaml(text, file="f").marks.keys[("b",)] == Mark(2, 1)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: &x [1]\nb: *x\n", "1:4: anchors (&) are refused"),
        ("a: *x\n", "1:4: aliases (*) are refused"),
        ("&a [*a]\n", "1:1: anchors (&) are refused"),
        ("a: !!python/object/apply:os.system ['true']\n", "1:4: tags (!) are refused"),
        ("a: !!binary aGk=\n", "1:4: tags (!) are refused"),
        ("a: !!set {b}\n", "1:4: tags (!) are refused"),
        ("!!map {a: 1}\n", "1:1: tags (!) are refused"),
        ("a: !x 1\n", "1:4: tags (!) are refused"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", "2:1: %TAG directives are refused"),
        ("%YAML 1.1\n---\na: yes\n", "2:1: nnlab reads YAML 1.2"),
        ("a:\n  <<: {b: 1}\n", "2:3: merge keys (<<) are refused"),
        ("a: 1\n---\nb: 2\n", "2:1: a second document starts here"),
        ("a: 1\nb: 2\na: 3\n", "3:1: the key 'a' was given before, in line 1"),
        ("a:\n  b: 1\n  b: 2\n", "3:3: the key 'b' was given before, in line 2"),
        ("a:\n  - {b: 1, b: 2}\n", "2:12: the key 'b' was given before, in line 2"),
        ("a: 1\n'a': 2\n", "2:1: the key 'a' was given before, in line 1"),
        ("[a]: 1\n", "1:1: "),
        ("? {a: 1}\n: 2\n", "1:3: a key must be a word"),
        ("a:\n\tb: 1\n", "2:1: a tab indents here"),
        ("a: b\0c\n", "1:5: a control character stands here"),
        ("a: 1\nb: \x07\n", "2:4: a control character stands here"),
        (b"a: 1\nb: \xff\n", "2:4: is not UTF-8 text"),
        (b"# \xc3\xa9\nb: \xc3\xa9\xff\n", "2:5: is not UTF-8 text"),
        ("a: 1\n".encode("utf-16"), "1:1: is not UTF-8 text"),
        ("a: b: c\n", "1:5: a second colon with a space behind it in one value"),
        ("a: [1, 2\nb: 3\n", "1:4: this [ is not closed"),
        (
            "a: {b: 1\n",
            "1:4: this { is not closed, or lacks a comma behind it (close",
        ),
        ("a: 'b\n", "1:4: this quotation mark is not closed"),
        ("a: 1\n b: 2\n", "2:2: is indented deeper than the line above, which has a value"),
        ("a:\n  - b: 1\n     c: 2\n", "3:6: is indented deeper than the line above"),
        ("a:\n  b: 1\n c: 2\n", "3:2: is indented like no line above it"),
        ("a:\n  - 1\n - 2\n", "3:2: is indented like no line above it"),
        ("a:\n- b: 1\n - b: 2\n", "3:2: is indented like no line above it"),
        ("a: 1\nb 2\nc: 3\n", "2:1: a colon is missing here"),
        ("a: }\n", "1:4: not valid YAML"),
        ("a: @b\n", "1:4: no value begins with @ (put it in quotes)"),
        ("a: " + "[" * 100, "1:68: nested deeper than 64 levels"),
        ("a: " + "[" * 1_000, "1:68: nested deeper than 64 levels"),
        ("a: " + "[" * 50_000, "1:68: nested deeper than 64 levels"),
        ("{a: " * 3_000 + "}" * 3_000, "1:257: nested deeper than 64 levels"),
        ("- " * 100_000, "1:129: nested deeper than 64 levels"),
        ("[" * 999_999, "1:65: nested deeper than 64 levels"),
        ("".join("  " * i + "a:\n" for i in range(70)), "65:129: nested deeper than 64 levels"),
        ("a: [" + "1," * 400_000 + "]", "1:1: holds more than 20,000 lines and commas"),
        ("\n" * 900_000, "1:1: holds more than 20,000 lines and commas"),
        ("\u2028" * 300_000, "1:1: holds more than 20,000 lines and commas"),
        ("a: " + "'" * 900_000, "1:1: holds more than 50,000 quotes and backslashes"),
        ("a: " + "x " * 400_000, "1:100003: holds more than 50,000 words up to here"),
        ('a: "' + "x " * 400_000 + '"', "1:100004: holds more than 50,000 words up to here"),
        ("a: [" + "1, " * 9_000 + "]", "1:15005: more than 5,000 values stand in one list"),
        ("a: !" + "x" * 900_000 + " 1", "1:4: tags (!) are refused"),
        ("%YAML " + "1" * 5_000 + ".2\n---\na: 1", "1:7: nnlab reads YAML 1.2"),
        ('a: "\\UFFFFFFFF"', "1:7: not valid YAML: an escape (\\U) stands for no letter"),
        ('a: "\\U00110000"', "1:7: not valid YAML: an escape (\\U) stands for no letter"),
    ],
)
def test_refuses_at_the_place(text: str | bytes, line: str) -> None:
    assert refusal(text).startswith(f"f.yaml:{line}")


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    bomb += "".join(
        f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert refusal(bomb).startswith("f.yaml:1:4: anchors")


def test_brackets_in_text_and_comments_do_not_count() -> None:
    text = f"a: '{'[' * 100}'\nb: \"{'{' * 100}\"\n# {'[' * 100}\n"
    assert yaml.parse_yaml(text, file="f").tree == {"a": "[" * 100, "b": "{" * 100}


@pytest.mark.parametrize("text", ["a: it's\nb: {}\nc: it's\n", "a: was 'so\nb: {}\nc: 'x\n"])
def test_an_apostrophe_in_a_word_hides_no_brackets(text: str) -> None:
    assert "f.yaml:2:" in (found := refusal(text.format("[" * 3_000)))
    assert found.endswith("nested deeper than 64 levels")


def test_sixty_four_levels_are_allowed() -> None:
    assert yaml.parse_yaml("[" * 64 + "]" * 64, file="f").tree is not None


@pytest.mark.parametrize("size", [1_000_001, 10_000_000])
def test_refuses_more_than_one_megabyte(size: int) -> None:
    assert refusal("a: " + "x" * size) == "f.yaml: is larger than 1 MB, the limit for a config"


@pytest.mark.parametrize("text", ["9" * 5000, "-" + "9" * 5000, "0x" + "f" * 5000])
def test_a_number_too_long_for_python_is_infinite(text: str) -> None:
    assert yaml.scalar(text) == math.inf


BLOCK = """\
# a
model:   # which
  kind: stack
  layers:
    # the first
    - {kind: conv, channels: 6}  # wide
    - linear

    - kind: conv
      text: |
        several
        lines
      empty:
      last: "quoted # no comment"   # a comment
  pair: [1, {a: 2, b}]
behind: 'x'
"""


def test_spans_are_the_letters_of_each_value() -> None:
    marks = yaml.parse_yaml(BLOCK, file="f").marks
    found = {path: BLOCK[span.start : span.end] for path, span in marks.spans.items()}
    layers = ("model", "layers")
    assert found["behind",] == "'x'"
    assert found["model", "kind"] == "stack"
    assert found[*layers, 0] == "{kind: conv, channels: 6}"
    assert found[*layers, 1] == "linear"
    assert found[*layers, 2, "text"] == "|\n        several\n        lines"
    assert found[*layers, 2, "last"] == '"quoted # no comment"'
    assert found[layers].startswith("- {kind: conv")
    assert found[layers].endswith('"quoted # no comment"')
    assert found["model", "pair"] == "[1, {a: 2, b}]"
    assert marks.spans["model", "pair"].flow
    assert not marks.spans[layers].flow


def test_the_span_of_a_value_that_is_left_out_is_where_it_would_stand() -> None:
    marks = yaml.parse_yaml(BLOCK, file="f").marks
    at = marks.spans["model", "layers", 2, "empty"]
    assert at.start == at.end
    text = f"{BLOCK[: at.start]} 7{BLOCK[at.end :]}"
    tree: Any = yaml.parse_yaml(text, file="f").tree
    assert tree["model"]["layers"][2]["empty"] == 7
    listed = "a:\n  - 1\n  -\n  # nothing\n  - 3\n"
    at = yaml.parse_yaml(listed, file="f").marks.spans["a", 1]
    filled = f"{listed[: at.start]} 2{listed[at.end :]}"
    assert yaml.parse_yaml(filled, file="f").tree == {"a": (1, 2, 3)}


@pytest.mark.parametrize("name", [*bundled_configs()])
def test_every_value_of_every_config_is_read_back_from_its_span(name: str) -> None:
    text = bundled_configs()[name].read_text()
    document = yaml.parse_yaml(text, file=name)
    for path, span in document.marks.spans.items():
        value: Any = document.tree
        for part in path:
            value = value[part]
        if isinstance(value, dict | tuple) and not span.flow:
            continue  # lines of a block hang on their indentation
        letters = text[span.start : span.end]
        assert yaml.parse_yaml(f"x: {letters}", file="f").tree == {"x": value}, path
