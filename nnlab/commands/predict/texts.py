"""Texts for a prediction: how likely each token is after those before it."""

from collections.abc import Callable, Iterator, Sequence
from math import exp, log
from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.commands.predict.expected_inputs import Piece, Wanted
from nnlab.commands.predict.formats import Writer
from nnlab.commands.predict.records import PredictOptions, Tally, prediction_records
from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.sequences.text import TextLikeConfig
from nnlab.parts.datasets.sequences.tokens import Vocabulary

if TYPE_CHECKING:
    from nnlab.runs.finished.predict import Prediction, Predictor

_LEAST = 1e-45
"""No probability is told below it: what a network holds for impossible has an end."""


def predict_texts(
    predictor: "Predictor",
    files: Sequence[Path],
    wanted: Wanted,
    asked: PredictOptions,
    *,
    told: Writer,
    write: Callable[[str], None],
    note: Callable[[str], None],
) -> None:
    """What the network takes for likeliest at each token of texts, and how likely that one was.

    As in an evaluation, windows follow each other and each begins with an empty state.

    Args:
        predictor: of a run that tells the next token at every step.
        files: UTF-8.
        wanted: what the run takes.
        asked: what to tell beside the answers.
        told: makes text of records.
        write: gets it.
        note: gets the scores of all tokens together.

    Raises:
        DataError: a file cannot be read, is shorter than two tokens, or holds what has no number.
    """
    data = predictor.experiment.config.data
    assert isinstance(data, TextLikeConfig)
    vocabulary = data.tokens_of(predictor.experiment.place)
    tally, cost, count = Tally(wanted), 0.0, 0
    for file in files:
        tokens = _tokens_of(file, vocabulary)
        for piece, whole in _pieces_of(file, tokens, predictor, wanted, data.window):
            tally.add(piece, whole)
            write(told(list(prediction_records(piece, whole, wanted, asked))))
            if whole.probabilities is not None:
                begin, size = piece.places[0][1], len(piece.places)
                own = whole.probabilities[np.arange(size), tokens[begin : begin + size]]
                cost -= float(np.log(np.maximum(own, _LEAST)).sum())
                count += size
    if tally.said:
        mean = cost / max(count, 1)
        bits = f"; {mean / log(2.0):.4g} bits a token, perplexity {exp(min(mean, 700.0)):.4g}"
        note(tally.said + (bits if count else ""))


def _pieces_of(
    file: Path,
    tokens: "NDArray[np.int64]",
    predictor: "Predictor",
    wanted: Wanted,
    window: int,
) -> "Iterator[tuple[Piece, Prediction]]":
    """A batch of windows after the other: each token after the first, and what was expected."""
    names = [wanted.classes[token] for token in tokens.tolist()]
    for start in range(0, len(tokens) - 1, window * predictor.batch):
        end = min(start + window * predictor.batch, len(tokens) - 1)
        # What pads the last window comes behind all that is asked: nothing sees it.
        padded = np.zeros(-(-(end - start) // window) * window, np.int64)
        padded[: end - start] = tokens[start:end]
        places = tuple((file, place) for place in range(start + 1, end + 1))
        piece = Piece(places, padded, tuple(names[start + 1 : end + 1]))
        yield piece, predictor(padded.reshape(-1, window))


def _tokens_of(file: Path, vocabulary: Vocabulary) -> "NDArray[np.int64]":
    """(L,) the tokens of a file, at least two.

    Raises:
        DataError: it cannot be read, is shorter, or holds a character that has no number.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
    except OSError as error:
        raise DataError(f"{file}: cannot be read, {error.strerror}") from None
    if vocabulary.kind == "characters" and "\n" not in vocabulary.tokens:
        text = text.removesuffix("\n")  # what editors end a file with
    try:
        found = vocabulary.numbers_of(text)
    except ValueError as error:
        what = f"{str(error)!r} is not in the text that the run learned from"
        way = "leave it out, or train with data.tokens: bytes"
        raise DataError(f"{file}: {what} ({way})") from None
    if len(found) < 2:
        raise DataError(f"{file}: holds {len(found)} tokens (a text has two or more)")
    return found
