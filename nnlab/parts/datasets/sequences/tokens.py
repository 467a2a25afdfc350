"""From a text to the numbers of its tokens, and back."""

import re
from collections import Counter
from typing import Any, Literal, NamedTuple

from nnlab.core.contracts import DataShape
from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np

TokenKind = Literal["characters", "bytes", "words", "bpe"]

UNKNOWN = "<unknown>"
"""What stands for a word that is too rare to have a number."""
_NAMES = {" ": "space", "\n": "newline", "\t": "tab", "\r": "return"}
_BLANK, _LINE = "\u0120", "\u010a"
"""How GPT-2's signs of bytes write a blank and the end of a line."""
_WORD = re.compile(r"\w+|[^\w\s]|\n")


def token_names(shape: DataShape) -> tuple[str, ...]:
    """What the tokens of inputs are called: as the classes, where each place tells a token."""
    if shape.places and len(shape.classes) == shape.tokens:
        return shape.classes
    return tuple(str(number) for number in range(shape.tokens))


class Vocabulary(NamedTuple):
    """The tokens of a text by their numbers.

    Attributes:
        kind: what a token is.
        tokens: each once; of bpe with a sign for each byte, as GPT-2 writes them.
        coder: of bpe, the Tokenizer of the package tokenizers.
    """

    kind: TokenKind
    tokens: tuple[str, ...]
    coder: Any = None

    @property
    def names(self) -> tuple[str, ...]:
        """What the tokens are called where a blank would not be seen."""
        if self.kind == "bytes":
            return tuple(f"0x{number:02x}" for number in range(256))
        if self.kind == "bpe":
            shown = {_BLANK: "space", _LINE: "newline"}
            signs = str.maketrans({_BLANK: "\u2423", _LINE: "\u23ce"})
            return tuple(shown.get(token, token.translate(signs)) for token in self.tokens)
        return tuple(_NAMES.get(token, token) for token in self.tokens)

    def numbers_of(self, text: str) -> "NDArray[np.int64]":
        """(L,) the text's tokens.

        Raises:
            ValueError: a character that is in no training text; its message is that character.
        """
        if self.kind == "bytes":
            return np.frombuffer(text.encode(), np.uint8).astype(np.int64)
        if self.kind == "bpe":
            return np.array(self.coder.encode(text).ids, np.int64)
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
        if self.kind == "bpe":
            return self.coder.decode(numbers)
        if self.kind == "characters":
            return "".join(self.tokens[number] for number in numbers)
        joined = " ".join(self.tokens[number] for number in numbers)
        return re.sub(r" ?\n ?", "\n", re.sub(r" ([.,;:!?'\)])", r"\1", joined))


def first_token(vocabulary: Vocabulary) -> int:
    """What stands before a text that begins from nothing: the end of a line, else any token."""
    begin = _LINE if vocabulary.kind == "bpe" else "\n"
    return vocabulary.tokens.index(begin) if begin in vocabulary.tokens else 0


def vocabulary_of(text: str, kind: TokenKind, most: int) -> Vocabulary:
    """The tokens of a text: its characters, all bytes, its words or pieces, frequent ones first.

    Args:
        text: whole.
        kind: what a token is.
        most: how many words have a number of their own, and the others are <unknown>; how many
            pieces there are, at most.

    Raises:
        DataError: bpe, and the package tokenizers is not there.
    """
    if kind == "bpe":
        return _pieces_of(text, most)
    if kind == "bytes":
        return Vocabulary(kind, tuple(chr(number) for number in range(256)))
    if kind == "characters":
        return Vocabulary(kind, tuple(sorted(set(text))))
    counts = Counter(_WORD.findall(text))
    # By count, then by the alphabet: the same text has the same numbers everywhere.
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[: most - 1]
    return Vocabulary(kind, (UNKNOWN, *frequent))


def _pieces_of(text: str, most: int) -> Vocabulary:
    """Byte pair encoding of a text: Sennrich et al. 2016, arXiv:1508.07909; of bytes, as in GPT-2.

    Frequent pairs become one token, until there are so many; the 256 bytes are always among them.
    """
    try:
        import tokenizers  # pyright: ignore[reportMissingImports] - an extra
    except ImportError:
        way = "pip install 'nnlab-torch[bpe]'"
        raise DataError(f"data.tokens: bpe needs the package tokenizers ({way})") from None
    library: Any = tokenizers
    coder: Any = library.Tokenizer(library.models.BPE())
    coder.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    coder.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=max(256, most),
        show_progress=False,
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
    )
    coder.train_from_iterator([text], trainer)
    numbers: dict[str, int] = coder.get_vocab()
    return Vocabulary("bpe", tuple(sorted(numbers, key=numbers.__getitem__)), coder)


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
