"""`text`: the next token of a text, at every step; and a text that comes with nnlab."""

import gzip
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, final

from pydantic import Field

from nnlab.core.contracts import TokenShape, Windows
from nnlab.core.errors import DataError
from nnlab.parts.datasets.sequences.tokens import (
    TokenKind,
    Vocabulary,
    stored_tokens,
    vocabulary_of,
)
from nnlab.parts.datasets.sequences.windowed import WindowedConfig
from nnlab.parts.datasets.tables import Form, Place, TableSource

_FOLDER = Path(__file__).parent / "texts"


class TextLikeConfig(WindowedConfig, frozen=True):
    """The family of texts: what is to be told is the next token, at every step of a window."""

    tokens: TokenKind = "characters"
    """characters; bytes: 256, for any file; words: and punctuation marks, without their spacing;
    bpe: frequent pieces of words, of which the text comes back as it was. Sennrich et al. 2016."""
    vocabulary: Annotated[int, Field(ge=2, le=1_000_000)] = 10_000
    """Of words: so many have a number of their own, the most frequent; others are <unknown>. Of bpe
    so many pieces: 1,000 are enough for a book."""

    @abstractmethod
    def text(self, place: Place) -> str:
        """The whole text.

        Raises:
            DataError: it cannot be read.
        """

    def form(self, place: Place) -> Form:
        return "tokens"

    def tokens_of(self, place: Place) -> Vocabulary:
        """The tokens by their numbers."""
        return vocabulary_of(self.text(place), self.tokens, self.vocabulary)

    def whole(self, place: Place) -> Windows:
        text = self.text(place)
        vocabulary = vocabulary_of(text, self.tokens, self.vocabulary)
        series = stored_tokens(text, vocabulary)
        return Windows(series, series, self.window, self.step, offset=1, count=self.window)

    def about(self, place: Place, windows: Windows) -> TableSource:
        names = self.tokens_of(place).names
        return TableSource(
            inputs=TokenShape((self.window,), len(names)),
            task="classes",
            outputs=len(names),
            classes=names,
            pool=windows.examples,
            places=(self.window,),
        )


@final
class TextConfig(TextLikeConfig, frozen=True):
    """A text of your own: the network learns to tell the next character, byte or word.

    The file is UTF-8; what is not becomes U+FFFD. The tokens are those of the whole file; a text in
    which `window` characters are seen at once trains on every character once an epoch.
    """

    kind: Literal["text"] = "text"
    path: str

    @classmethod
    def example(cls) -> Self:
        return cls(path="book.txt")

    @property
    def called(self) -> str:
        return Path(self.path).name

    def settled(self, place: Place) -> Mapping[str, object]:
        return {**super().settled(place), "path": str(place.find(self.path))}

    def text(self, place: Place) -> str:
        path = place.find(self.path)
        try:
            found = path.read_bytes().decode("utf-8-sig", errors="replace")
        except OSError as error:
            raise DataError(f"data: {path}: cannot be read, {error.strerror}") from error
        if len(found) < 2:
            raise DataError(f"data: {path}: holds {len(found)} characters (a text has more)")
        return found.replace("\r\n", "\n")


@final
class ShakespeareConfig(TextLikeConfig, frozen=True):
    """Eight plays of Shakespeare, 1.1 million characters; in the public domain.

    Coriolanus, Hamlet, Julius Caesar, King Lear, Macbeth, Othello, Romeo and Juliet, The Tempest,
    in the texts of Project Gutenberg. Guessing by the frequencies of single characters costs 3.3
    nats a character.
    """

    kind: Literal["shakespeare"] = "shakespeare"

    def text(self, place: Place) -> str:
        path = _FOLDER / "shakespeare.txt.gz"
        try:
            return gzip.decompress(path.read_bytes()).decode("ascii")
        except (OSError, EOFError, ValueError) as error:
            text = f"data: the file {path.name} of nnlab is missing or damaged: {error}"
            raise DataError(f"{text} (install nnlab anew)") from error


KINDS = (ShakespeareConfig, TextConfig)
