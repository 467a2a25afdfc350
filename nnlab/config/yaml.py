"""YAML text to (tree, marks), by YAML 1.2's core schema, refusing what a config has no use for.

Composed from ruamel's parse events because every ready-made loader accepts tags, merges or odd
numbers, or recurses on deep nesting; its scanner is bounded (see `scanning`). Mappings become
dicts, sequences tuples (what pydantic's strict mode wants), and every key and value keeps its
position.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate, repeat
from typing import Any, NamedTuple

from ruamel.yaml.error import MarkedYAMLError, YAMLStreamError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.main import YAML
from ruamel.yaml.reader import ReaderError

from nnlab.config.scanning import BoundedScanner, QuickParser, QuickReader, RefusedError
from nnlab.core.errors import ConfigError, Path

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_LINES = 20_000
"""Lines and commas."""
MAX_KEYS = 2_000
"""Of one mapping: far above any section; each that is unknown costs more than it tells."""
MAX_ITEMS = 5_000
"""Of one list: 5,000 rows of inline data, of which 10,000 numbers are allowed."""
MAX_EVENTS = 21_000
"""Values, keys, and beginnings and ends of collections: 0.4 seconds of parsing. A stack of 1,000
layers, spelled out, has half of it; 10,000 numbers of inline data have 20,000."""
MAX_QUOTES = 50_000
"""Quotes and backslashes, each of which ruamel looks at by itself."""

Tree = dict[str, Any] | tuple[Any, ...] | str | int | float | bool | None


class Mark(NamedTuple):
    """A place in a file; both count from 1."""

    line: int
    column: int


class Marks(NamedTuple):
    """Where the keys and the values of a document stand."""

    keys: dict[Path, Mark]
    values: dict[Path, Mark]
    spans: dict[Path, "Span"]


class Span(NamedTuple):
    """The letters of a value: `text[start:end]`, without the comments before and behind it."""

    start: int
    end: int
    flow: bool = False
    """Whether it is a list or a mapping in brackets."""


class YamlDocument(NamedTuple):
    """A parsed file: plain Python values and where each stands."""

    tree: Tree
    marks: Marks


# Section 10.3.2 of the YAML 1.2.2 specification, except that a number with a leading zero (octal in
# YAML 1.1, decimal in 1.2) is text, so that nobody's guess is taken.
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_HEX_OR_OCTAL = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def scalar(text: str) -> str | int | float | bool | None:
    """What a plain (unquoted) scalar means: null, bool, int, float, else text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        # Python neither reads nor writes integers of more than 4,300 digits.
        return int(text) if len(text) < 400 else float("inf")
    if _HEX_OR_OCTAL.fullmatch(text):
        return int(text, 0) if len(text) < 400 else float("inf")
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def parse_yaml(text: str | bytes, *, file: str) -> YamlDocument:
    """Reads one YAML document.

    Args:
        text: the content of the file; bytes must be UTF-8.
        file: the name to give in errors.

    Raises:
        ConfigError: with file, line and column, if it is not YAML or is a kind of YAML that nnlab
            refuses (doubled keys, anchors, aliases, tags, several documents, too deep, too large).
    """
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{file}: is larger than 1 MB, the limit for a config")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = text[: error.start].decode("utf-8-sig")
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            marked = text[:2] in (b"\xff\xfe", b"\xfe\xff")
            way = "it is UTF-16: save it as UTF-8" if marked else "save it as UTF-8"
            raise ConfigError(f"{file}:{line}:{column}: is not UTF-8 text ({way})") from None
    if text.count(",") + sum(1 for _ in _LINE_BREAK.finditer(text)) > MAX_LINES:
        raise ConfigError(f"{file}:1:1: holds more than {MAX_LINES:,} lines and commas")
    if sum(map(text.count, "'\"\\")) > MAX_QUOTES:
        raise ConfigError(f"{file}:1:1: holds more than {MAX_QUOTES:,} quotes and backslashes")
    _refuse_deep_brackets(text, file)
    try:
        return _Composer(text, file).document()
    except RefusedError as error:
        where = f"{file}:{error.problem_mark.line + 1}:{error.problem_mark.column + 1}"
        raise ConfigError(f"{where}: {error.problem}") from None
    except (MarkedYAMLError, YAMLStreamError, ReaderError) as error:
        raise ConfigError(_syntax_error(error, text, file)) from None


# Whatever ruamel takes for one.
_LINE_BREAK = re.compile("\r\n?|[\n\x85\u2028\u2029]")

# Quoted text and comments aside, as far as a pattern can know them.
_BRACKETS = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'|#[^\n]*|[\[{\]}]""")
# An apostrophe in a word may hide brackets from the first; a line break ends ruamel's look-ahead.
_BRACKETS_OF_A_LINE = re.compile(r"[\[{\]}]|\n")
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def _refuse_deep_brackets(text: str, file: str) -> None:
    """Counts brackets before parsing: ruamel is quadratic in open ones (1.5 s for 3,000)."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    found = _BRACKETS.findall(text)
    # A million brackets in a few hundredths of a second; the place is looked for if there is one.
    if max(accumulate(map(_STEPS.get, found, repeat(0)))) > MAX_DEPTH:
        _refuse_first_deep(_BRACKETS, MAX_DEPTH, text, file)
    in_line = 4 * MAX_DEPTH
    if any(line.count("[") + line.count("{") > in_line for line in text.split("\n")):
        _refuse_first_deep(_BRACKETS_OF_A_LINE, in_line, text, file)


def _refuse_first_deep(pattern: re.Pattern[str], limit: int, text: str, file: str) -> None:
    """Refuses the first bracket that stands in more than so many open ones, if there is one."""
    depth = 0
    for match in pattern.finditer(text):
        depth = 0 if match[0] == "\n" else depth + _STEPS.get(match[0], 0)
        if depth > limit:
            line = text.count("\n", 0, match.start()) + 1
            column = match.start() - text.rfind("\n", 0, match.start())
            raise ConfigError(f"{file}:{line}:{column}: nested deeper than {MAX_DEPTH} levels")


# A word, a colon and a value at once; an address (http://) and a path (C:\\) are written so.
_NO_SPACE = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*):([^\s/\\:][^\n]*)")


def without_space(text: str) -> str | None:
    """The sentence for `lr:0.1`, which YAML takes for one word; None for any other text."""
    found = _NO_SPACE.fullmatch(text.strip())
    if found is None:
        return None
    written = f"{found[1]}: {found[2].strip()}"
    way_out = f" (write {written})" if len(written) <= 60 and written.isprintable() else ""
    return f"a space is missing after the colon{way_out}"


def _line_without_space(error: Exception, text: str, file: str) -> str | None:
    """Where a missing space made the text no YAML, and the sentence; None where none did."""
    lines = text.split("\n")
    for mark in (getattr(error, "context_mark", None), getattr(error, "problem_mark", None)):
        # The parser notices it at the word behind, which may be in the next line that has any.
        here = min(mark.line, len(lines) - 1) if mark is not None else -1
        before = next((n for n in range(here - 1, -1, -1) if lines[n].split("#")[0].strip()), -1)
        for number in (before, here):
            line = lines[number].split(" #")[0].rstrip() if number >= 0 else ""
            word = line.lstrip(" -")
            if why := without_space(word):
                return f"{file}:{number + 1}:{len(line) - len(word) + 1}: {why}"
    return None


_ODD_BLANKS = re.compile("[\u00a0\u2000-\u200b\u202f\u205f\u3000]")


def _odd_blank(text: str, line: int, file: str) -> str | None:
    """Where a blank stands that YAML takes for a letter, as pages and chats copy them."""
    for number, row in enumerate(text.split("\n")[: line + 1]):
        if found := _ODD_BLANKS.search(row):
            what = f"a blank stands here that YAML takes for a letter (U+{ord(found[0]):04X}"
            return f"{file}:{number + 1}:{found.start() + 1}: {what}: write a plain one)"
    return None


def _syntax_error(error: Exception, text: str, file: str) -> str:
    if isinstance(error, ReaderError):
        before = text[: error.position]
        column = error.position - (before.rfind("\n") + 1) + 1
        return f"{file}:{before.count(chr(10)) + 1}:{column}: a control character stands here"
    # The lines that ruamel counts: an old Macintosh ends them with \r.
    text = re.sub("\r\n?", "\n", text)
    if why := _line_without_space(error, text, file):
        return why
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        problem = getattr(error, "problem", None) or getattr(error, "context", None)
        where = f"{file}:{mark.line + 1}:{mark.column + 1}"
        if why := _odd_blank(text, mark.line, file):
            return why
        if "\\t" in str(problem):
            return f"{where}: a tab indents here (YAML wants spaces)"
        # A right config has no use for the words that explain mistakes.
        from nnlab.config.words.broken_yaml import broken_at

        if broken := broken_at(error, text):
            line, column, words = broken
            return f"{file}:{line}:{column}: {words}"
        begin = getattr(error, "context_mark", None)
        if begin is not None and begin.line != mark.line:
            problem = f"{problem} (it begins at {begin.line + 1}:{begin.column + 1})"
        return f"{where}: not valid YAML: {problem}"
    return f"{file}: not valid YAML: {error}"


# Comments and blank lines, then the sign whose value is left out.
_LEFT_OUT = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*[:-]")


class _Composer:
    """Builds the tree from events, without recursion: depth is counted, not suffered."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        # Pure: libyaml's parser reads YAML 1.1.
        loader = YAML(typ="safe", pure=True)
        loader.version = (1, 2)
        loader.Reader, loader.Scanner, loader.Parser = QuickReader, BoundedScanner, QuickParser
        self._events = self._counted(loader.parse(text))
        self._marks = Marks({}, {}, {})
        self._text, self._end = text, 0

    def _counted(self, events: Iterable[Any]) -> Iterator[Any]:
        """The events, which ruamel makes one by one: no text keeps it busy for long."""
        for number, event in enumerate(events):
            if number >= MAX_EVENTS:
                self._refuse(event, f"holds more than {MAX_EVENTS:,} keys and values up to here")
            yield event

    def document(self) -> YamlDocument:
        tree: Tree = None
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(
                        event, "a second document starts here (one file is one experiment)"
                    )
                if event.version not in (None, (1, 2)):
                    self._refuse(event, "nnlab reads YAML 1.2 (remove the %YAML line)")
                if event.tags:
                    self._refuse(event, "%TAG directives are refused")
            elif isinstance(
                event, ScalarEvent | MappingStartEvent | SequenceStartEvent | AliasEvent
            ):
                tree = self._node(event)
        self._marks.values.setdefault((), Mark(1, 1))
        self._marks.spans.setdefault((), Span(0, 0))
        return YamlDocument(tree, self._marks)

    def _node(self, event: Any) -> Tree:
        """The value that starts at `event`; open collections wait on a stack."""
        open_: list[_Open] = []
        path: Path = ()
        while True:
            ended = isinstance(event, MappingEndEvent | SequenceEndEvent)
            if ended:
                closed = open_.pop()
                if closed.flow:
                    self._end = event.end_mark.index
                # A block ends with its last value, not at the word that made the parser notice.
                self._marks.spans[path] = Span(closed.start, self._end, closed.flow)
                value: Tree = closed.value()
                path = path[:-1] if open_ else ()
            else:
                self._check(event)
                if open_ and open_[-1].wants_key:
                    path = (*path, self._key(event, open_[-1], path))
                    event = next(self._events)
                    continue
                if open_ and open_[-1].is_sequence:
                    if len(open_[-1].items) >= MAX_ITEMS:
                        self._refuse(event, f"more than {MAX_ITEMS:,} values stand in one list")
                    path = (*path, len(open_[-1].items))
                # ruamel marks a value that is left out at the next word, perhaps lines below.
                left_out = isinstance(event, ScalarEvent) and event.end_mark == event.start_mark
                key_mark = self._marks.keys.get(path) if left_out else None
                self._marks.values[path] = key_mark or _mark(event)
                if isinstance(event, MappingStartEvent | SequenceStartEvent):
                    open_.append(_Open(isinstance(event, SequenceStartEvent), event))
                    if len(open_) > MAX_DEPTH:
                        self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
                    event = next(self._events)
                    continue
                value = scalar(event.value) if event.implicit[0] else event.value
                self._scalar_span(path, event, left_out=left_out)
                path = path[:-1] if open_ else ()
            if not open_:
                return value
            open_[-1].add(value)
            event = next(self._events)

    def _scalar_span(self, path: Path, event: Any, *, left_out: bool) -> None:
        """Notes where a value without others inside stands."""
        start, end = event.start_mark.index, event.end_mark.index
        if left_out:
            # Behind the colon or the dash that it belongs to, which may be lines above.
            found = _LEFT_OUT.match(self._text, self._end)
            start = end = found.end() if found else self._end
        # What is written behind a bar ends with its last letter.
        end = start + len(self._text[start:end].rstrip())
        self._marks.spans[path], self._end = Span(start, end), end

    def _check(self, event: Any) -> None:
        if isinstance(event, AliasEvent):
            self._refuse(event, "aliases (*) are refused: write the value out")
            return
        if event.anchor is not None:
            self._refuse(event, "anchors (&) are refused: write the value out")
        if event.tag is not None:
            self._refuse(event, "tags (!) are refused: a config holds plain values")

    def _key(self, event: Any, mapping: "_Open", path: Path) -> str:
        if not isinstance(event, ScalarEvent):
            self._refuse(event, "a key must be a word, not a list or mapping")
        key = str(event.value)
        if key == "<<" and event.implicit[0]:
            self._refuse(event, "merge keys (<<) are refused: write the values out")
        if key in mapping.seen:
            first = self._marks.keys[(*path, key)]
            self._refuse(event, f"the key {key!r} was given before, in line {first.line}")
        if len(mapping.keys) >= MAX_KEYS:
            self._refuse(event, f"more than {MAX_KEYS:,} keys stand side by side here")
        mapping.keys.append(key)
        mapping.seen.add(key)
        mapping.wants_key = False
        self._marks.keys[(*path, key)] = _mark(event)
        self._end = event.end_mark.index
        return key

    def _refuse(self, event: Any, why: str) -> None:
        mark = _mark(event)
        raise ConfigError(f"{self._file}:{mark.line}:{mark.column}: {why}")


class _Open:
    """A mapping or sequence whose end has not come yet."""

    def __init__(self, is_sequence: bool, event: Any) -> None:
        self.is_sequence = is_sequence
        self.start: int = event.start_mark.index
        self.flow = bool(event.flow_style)
        self.wants_key = not is_sequence
        self.keys: list[str] = []
        self.seen: set[str] = set()
        self.items: list[Any] = []

    def add(self, value: Tree) -> None:
        self.items.append(value)
        self.wants_key = not self.is_sequence

    def value(self) -> Tree:
        if self.is_sequence:
            return tuple(self.items)
        return dict(zip(self.keys, self.items, strict=True))


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)
