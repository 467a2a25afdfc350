"""The quick scanner says what ruamel's own says."""

import random
from typing import Any

import pytest
from ruamel.yaml.error import YAMLError
from ruamel.yaml.main import YAML

from nnlab.config.loading import bundled_configs
from nnlab.config.scanning import BoundedScanner, QuickParser, QuickReader
from nnlab.config.yaml import parse_yaml
from nnlab.core.errors import ConfigError

PARTS = (
    "a", "b: ", "- ", "[", "]", "{", "}", ", ", ":", ": ", "#", " #x", "\n", "\n  ", "\n    ", '"',
    "'", "\\", "\\n", "\\u0041", "---", "\n---\n", "\n...\n", "|", ">", "|-\n", "?", "? ", "&a",
    "*a", "%", "\t", "  ", "\u2028", "\x85", "\r\n", "\r", "\ufeff", "é", "😀", "0.1", "key: 1\n",
    "key:\n", "-", "\n- ", "\n\n", "@", "`", "long words here ", "[a, b, -1, 0.5]", "c, ", "d]",
    "-2,", ":x", ": ,", "?x", " :", ",:",
)  # fmt: skip


def events(text: str, *, quick: bool) -> list[Any]:
    """What is read up to the first error, with the places, and the error."""
    loader = YAML(typ="safe", pure=True)
    loader.version = (1, 2)
    if quick:
        loader.Reader, loader.Scanner, loader.Parser = QuickReader, BoundedScanner, QuickParser
    found: list[Any] = []
    try:
        for event in loader.parse(text):
            start, end = event.start_mark, event.end_mark
            places = (start.index, start.line, start.column, end.index, end.line, end.column)
            found.append((type(event), getattr(event, "value", None), places))
    except YAMLError as error:
        mark: Any = getattr(error, "problem_mark", None)
        place = mark and (mark.index, mark.line, mark.column)
        found.append((type(error), getattr(error, "problem", str(error)), place))
    return found


def test_it_reads_the_bundled_configs_as_the_slow_one_does() -> None:
    odd = "\ufeff# é\r\na:  # x\r\n  - 'b  c' # y\r\n\n  -  {d: e f,\t# z\n g: }\n# end"
    for text in (odd, *(path.read_text() for path in bundled_configs().values())):
        assert events(text, quick=True) == events(text, quick=False)


@pytest.mark.parametrize("seed", range(10))
def test_it_reads_what_the_slow_one_reads(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(150):
        text = "".join(draw.choice(PARTS) for _ in range(draw.randint(1, 25)))
        assert events(text, quick=True) == events(text, quick=False), repr(text)


@pytest.mark.parametrize("text", ["a: b\r  c: d", "a\rb: 1\r: c: 2", "x\r[y\rz: a: b"])
def test_lines_that_end_as_on_an_old_macintosh_are_counted(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^f\.yaml:[23]:\d+: "):
        parse_yaml(text, file="f.yaml")
