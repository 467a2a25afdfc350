"""From a text to the numbers of its tokens, and back."""

import re
from collections import Counter
from typing import Literal, NamedTuple

from nnlab.core.contracts import DataShape
from nnlab.core.lazy import NDArray, np

TokenKind = Literal["characters", "bytes", "words"]

UNKNOWN = "<unknown>"
"""What stands for a word that is too rare to have a number."""
_NAMES = {" ": "space", "\n": "newline", "\t": "tab", "\r": "return"}
_WORD = re.compile(r"\w+|[^\w\s]|\n")


def token_names(shape: DataShape) -> tuple[str, ...]:
    """What the tokens of inputs are called: as the classes, where each place tells a token."""
    if shape.places and len(shape.classes) == shape.tokens:
        return shape.classes
    return tuple(str(number) for number in range(shape.tokens))


class Vocabulary(NamedTuple):
    """The tokens of a text by their numbers."""

    kind: TokenKind
    tokens: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What the tokens are called where a blank would not be seen."""
        if self.kind == "bytes":
            return tuple(f"0x{number:02x}" for number in range(256))
        return tuple(_NAMES.get(token, token) for token in self.tokens)

    def numbers_of(self, text: str) -> "NDArray[np.int64]":
        """(L,) the text's tokens.

        Raises:
            ValueError: a character that is in no training text; its message is that character.
        """
        if self.kind == "bytes":
            return np.frombuffer(text.encode(), np.uint8).astype(np.int64)
        known = {token: number for number, token in enumerate(self.tokens)}
        if self.kind == "words":
            unknown = known[UNKNOWN]
            found = [known.get(word, unknown) for word in _WORD.findall(text)]
            return np.array(found, np.int64)
        if strange := sorted(set(text) - set(known)):
            raise ValueError(strange[0])
        return np.array([known[each] for each in text], np.int64)

    def text_of(self, numbers: "list[int]") -> str:
        """The text of tokens; words are parted by blanks, as a text's spacing is not kept."""
        if self.kind == "bytes":
            return bytes(numbers).decode(errors="replace")
        if self.kind == "characters":
            return "".join(self.tokens[number] for number in numbers)
        joined = " ".join(self.tokens[number] for number in numbers)
        return re.sub(r" ?\n ?", "\n", re.sub(r" ([.,;:!?'\)])", r"\1", joined))


def first_token(vocabulary: Vocabulary) -> int:
    """What stands before a text that begins from nothing: the end of a line, else any token."""
    begin = "\n"
    return vocabulary.tokens.index(begin) if begin in vocabulary.tokens else 0


def vocabulary_of(text: str, kind: TokenKind, most: int) -> Vocabulary:
    """The tokens of a text: its characters in order, all bytes, or its words, frequent ones first.

    Args:
        text: whole.
        kind: what a token is.
        most: how many words have a number of their own; the others are <unknown>.
    """
    if kind == "bytes":
        return Vocabulary(kind, tuple(chr(number) for number in range(256)))
    if kind == "characters":
        return Vocabulary(kind, tuple(sorted(set(text))))
    counts = Counter(_WORD.findall(text))
    # By count, then by the alphabet: the same text has the same numbers everywhere.
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[: most - 1]
    return Vocabulary(kind, (UNKNOWN, *frequent))


def stored_tokens(text: str, vocabulary: Vocabulary) -> "NDArray[np.integer]":
    """(L,) the text's tokens in the smallest type that holds them."""
    if vocabulary.kind == "characters":
        # One pass in NumPy: a million characters take a tenth of a second.
        points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        known = np.array([ord(token) for token in vocabulary.tokens], np.uint32)
        numbers = np.searchsorted(known, points)
    else:
        numbers = vocabulary.numbers_of(text)
    count = len(vocabulary.tokens)
    smallest = np.uint8 if count <= 256 else np.int16 if count <= 2**15 else np.int32
    return numbers.astype(smallest)
