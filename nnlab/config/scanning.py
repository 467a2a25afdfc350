"""ruamel's reader, scanner and parser, bounded and quick.

ruamel looks at a text letter by letter: a tag of a million letters keeps it busy for twelve
seconds, a million blanks for one. Words, blanks and comments are taken at once here, by patterns
that say what ruamel's loops say; what no config has a use for is refused before it is read.
"""

import re
from functools import cached_property
from typing import Any

from ruamel.yaml.error import FileMark, MarkedYAMLError
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.scanner import Scanner, ScannerError
from ruamel.yaml.tokens import ScalarToken

MAX_WORDS = 50_000
"""Blanks and breaks inside of texts, which are taken apart one by one: an eighth of a second."""

_BREAKS = "\n\r\x85\u2028\u2029"
_ENDS = rf"\0 \t{_BREAKS}"
"""Letters that end a word, as the inside of a class of a pattern."""
_BLANKS = {flow: re.compile(rf"[{b}]*(?:#[^{_BREAKS}\0]*)?") for flow, b in
           ((False, " "), (True, r" \t"))}  # fmt: skip
"""What may stand before a token in a line, outside of brackets and inside: blanks, a comment."""
_WORD = {
    False: re.compile(rf"(?:[^{_ENDS}:]|:(?![{_ENDS}]))+"),
    True: re.compile(rf"(?:[^{_ENDS}:,\[\]{{}}]|:(?![{_ENDS}]))+"),
}
"""A word of a plain text, outside of brackets and inside: a colon in it has a letter behind it."""
_ITEM = re.compile("[ \t]*(-?[A-Za-z0-9_][A-Za-z0-9_.+-]*)(?=[,\\]])")
"""A plain value in brackets with nothing but a comma or the end of the list behind it."""
_QUOTED = re.compile(rf"[^{_ENDS}'\"\\]*")
"""Letters between quotes that mean themselves."""
_SPACES = re.compile(" *")
_SPACES_AND_TABS = re.compile("[ \t]*")
_DOCUMENT = re.compile(rf"(?:---|\.\.\.)[{_ENDS}]")
"""At the beginning of a line: another document starts, or this one ends."""


class RefusedError(MarkedYAMLError):
    """YAML that a config has no use for, at `problem_mark`."""


class QuickReader(Reader):
    """Goes over what is all in one line at once."""

    def forward(self, length: int = 1) -> None:
        """Skips letters, counting lines and columns."""
        here = self.pointer
        passed = self.buffer[here : here + length]
        plain = len(passed) == length and here + length + 1 < len(self.buffer)
        if plain and passed.isascii() and "\n" not in passed and "\r" not in passed:
            self.pointer += length
            self.index += length
            self.column += length
        else:
            super().forward(length)

    def forward_in_line(self, length: int) -> None:
        """Skips letters of which it is known that no line ends in them."""
        passed = self.buffer[self.pointer : self.pointer + length]
        self.pointer += length
        self.index += length
        # ruamel gives a byte order mark no column.
        self.column += length if passed.isascii() else length - passed.count("\ufeff")

    def skip(self, pattern: re.Pattern[str]) -> str:
        """Skips what a pattern finds here, in which no line ends, and says what that was."""
        found = pattern.match(self.buffer, self.pointer)
        text = found[0] if found else ""
        if text:
            self.forward_in_line(len(text))
        return text

    def get_mark(self) -> Any:
        """Where the next letter stands; without the text, which nobody quotes from it."""
        return FileMark(self.name, self.index, self.line, self.column)


class BoundedScanner(Scanner):
    """Tokens of a text that is quickly read, or refused."""

    _words = 0
    _settled = -1
    """The place of the token of which it is known that it opens no key."""

    @cached_property
    def reader(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] - a property too
        """What gives the letters."""
        return super().reader

    def check_token(self, *choices: Any) -> bool:
        """Whether the next token is of one of these classes."""
        if self._settled != self.tokens_taken:
            while self.need_more_tokens():
                self.fetch_more_tokens()
        return bool(self.tokens) and (not choices or isinstance(self.tokens[0], choices))

    def need_more_tokens(self) -> bool:
        """Whether the next token may still turn out to open a key."""
        # The parser asks some eight times for each token, and the answer does not change.
        if self._settled == self.tokens_taken:
            return False
        if super().need_more_tokens():
            return True
        self._settled = self.tokens_taken if self.tokens else -1
        return False

    def next_possible_simple_key(self) -> Any:
        """The number of the first token that may open a key; None where there is none."""
        # They are kept in the order of the text, as deeper brackets open later.
        first = next(iter(self.possible_simple_keys.values()), None)
        return None if first is None else first.token_number

    def stale_possible_simple_keys(self) -> None:
        """Forgets what can be no key any more: it stands lines or a thousand letters before."""
        first = next(iter(self.possible_simple_keys.values()), None)
        # Where the first of them can still be one, all can.
        if first is not None and not (
            first.line == self.reader.line and self.reader.index - first.index <= 1024
        ):
            super().stale_possible_simple_keys()

    def fetch_more_tokens(self) -> Any:
        """Reads on, at least one token."""
        if self.flow_context and self.flow_context[-1] == "[":
            reader = self.reader
            if found := _ITEM.match(reader.buffer, reader.pointer):
                # Most of a long list: what needs none of the questions that any other text does.
                reader.forward_in_line(found.start(1) - found.start())
                self.stale_possible_simple_keys()
                self.remove_possible_simple_key()
                self.allow_simple_key = False
                self._count_word()
                start = reader.get_mark()
                reader.forward_in_line(found.end() - found.start(1))
                self.tokens.append(ScalarToken(found[1], True, start, reader.get_mark()))
                return None
        return super().fetch_more_tokens()

    def scan_to_next_token(self) -> Any:
        """Skips blanks, line breaks and comments, a line at once."""
        reader, blanks = self.reader, _BLANKS[bool(self.flow_level)]
        if reader.index == 0 and reader.peek() == "\ufeff":
            reader.forward()
        while True:
            reader.skip(blanks)
            if not self.scan_line_break():
                return None
            if not self.flow_level:
                self.allow_simple_key = True

    def fetch_tag(self) -> None:
        """Refuses: a config holds plain values."""
        self._refuse("tags (!) are refused: a config holds plain values")

    def scan_plain(self) -> Any:
        """A text without quotes: its words, and what stands between them."""
        reader, word = self.reader, _WORD[bool(self.flow_level)]
        start = end = reader.get_mark()
        chunks: list[str] = []
        spaces: list[str] = []
        # A # behind a blank begins a comment; one that begins the text is never a plain text.
        while reader.peek() != "#" and (found := reader.skip(word)):
            self.allow_simple_key = False
            chunks += [*spaces, found]
            end = reader.get_mark()
            spaces = self.scan_plain_spaces(self.indent + 1, start)
            if not spaces or (not self.flow_level and reader.column <= self.indent):
                break
        return ScalarToken("".join(chunks), True, start, end)

    def scan_plain_spaces(self, indent: Any, start_mark: Any) -> Any:  # noqa: ARG002
        """Blanks between the words of a plain text; of line breaks what they stand for."""
        self._count_word()
        reader = self.reader
        blanks = reader.skip(_SPACES)
        if reader.peek() not in _BREAKS:
            return [blanks] if blanks else []
        line_break = self.scan_line_break()
        self.allow_simple_key = True
        breaks: list[str] = []
        while not self._document_sign():
            reader.skip(_SPACES)
            if reader.peek() not in _BREAKS:
                first = [line_break] if line_break != "\n" else [] if breaks else [" "]
                return [*first, *breaks]
            breaks.append(self.scan_line_break())
        return []

    def _document_sign(self) -> bool:
        return _DOCUMENT.match(self.reader.buffer, self.reader.pointer) is not None

    def scan_flow_scalar_spaces(self, double: Any, start_mark: Any) -> Any:
        """Blanks between the words of a text in quotes."""
        self._count_word()
        return super().scan_flow_scalar_spaces(double, start_mark)

    def scan_flow_scalar_breaks(self, double: Any, start_mark: Any) -> Any:  # noqa: ARG002
        """What stands for the line breaks in a text in quotes."""
        breaks: list[str] = []
        while not self._document_sign():
            self.reader.skip(_SPACES_AND_TABS)
            if self.reader.peek() not in _BREAKS:
                return breaks
            breaks.append(self.scan_line_break())
        why = "found unexpected document separator"
        raise ScannerError(
            "while scanning a quoted scalar", start_mark, why, self.reader.get_mark()
        )

    def scan_flow_scalar_non_spaces(self, double: Any, start_mark: Any) -> Any:
        """A word of a text in quotes, with its escapes."""
        word = self.reader.skip(_QUOTED)
        try:
            rest = super().scan_flow_scalar_non_spaces(double, start_mark)
        except (OverflowError, ValueError):  # of chr
            text = "an escape (\\U) stands for no letter"
            raise ScannerError(None, start_mark, text, self.reader.get_mark()) from None
        return [word, *rest]

    def scan_yaml_directive_number(self, start_mark: Any) -> Any:
        """A part of the version behind %YAML."""
        if re.match("[0-9]{9}", self.reader.prefix(9)):
            self._refuse("nnlab reads YAML 1.2 (remove the %YAML line)")
        return super().scan_yaml_directive_number(start_mark)

    def _count_word(self) -> None:
        self._words += 1
        if self._words > MAX_WORDS:
            self._refuse(f"holds more than {MAX_WORDS:,} words up to here")

    def _refuse(self, why: str) -> None:
        raise RefusedError(problem=why, problem_mark=self.reader.get_mark())


class QuickParser(Parser):
    """Events of the tokens."""

    @cached_property
    def scanner(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] - a property too
        """What gives the tokens; asked for several times for each."""
        return super().scanner
