"""Made sequences that ask for memory; of each the best answer is known.

`sample_seed` draws them; it moves neither with `seed` nor with `split_seed`.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Literal, final

from pydantic import Field

from nnlab.core.contracts import TokenShape
from nnlab.core.lazy import NDArray, np
from nnlab.core.seeds import seed_for
from nnlab.parts.datasets.family import DataConfig
from nnlab.parts.datasets.tables import Form, Place, Table, TableSource

if TYPE_CHECKING:
    Drawn = tuple[NDArray[np.generic], NDArray[np.generic]]

_Samples = Annotated[int, Field(ge=10, le=1_000_000)]
_Steps = Annotated[int, Field(ge=2, le=100_000)]


class MemoryConfig(DataConfig, frozen=True):
    """The family of made sequences: each example is drawn by itself."""

    samples: _Samples = 10_000
    """How many sequences are made."""
    sample_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Draws them; apart from `seed` and `split_seed`."""

    @abstractmethod
    def known(self) -> TableSource:
        """What the sequences are."""

    @abstractmethod
    def draw(self, random: "np.random.Generator") -> "Drawn":
        """Inputs (samples, *shape) and targets."""

    def form(self, place: Place) -> Form:
        return "tokens" if isinstance(self.known().inputs, TokenShape) else "points"

    def source(self, place: Place) -> TableSource:
        return self.known()

    def read(self, place: Place) -> Table:
        random = np.random.Generator(np.random.PCG64(seed_for(self.sample_seed, "sample")))
        return Table(self.known(), *self.draw(random))


@final
class AddingConfig(MemoryConfig, frozen=True):
    """The sum of two marked numbers: one in the first half of the sequence, one in the second.

    Two columns: numbers from U(0, 1), and 1 at the two that count, else 0. Always guessing 1 costs
    a mean squared error of 1/6, of targets in their own unit (`scale_target: none`).
    Hochreiter & Schmidhuber 1997, section 5.4; Le et al. 2015.
    """

    kind: Literal["adding"] = "adding"
    steps: _Steps = 50
    """Of a sequence."""

    def known(self) -> TableSource:
        return TableSource((self.steps, 2), "regression", 1, (), self.samples)

    def draw(self, random: "np.random.Generator") -> "Drawn":
        values = random.random((self.samples, self.steps), dtype=np.float32)
        half, rows = self.steps // 2, np.arange(self.samples)
        marks = np.zeros_like(values)
        marks[rows, random.integers(0, half, self.samples)] = 1
        marks[rows, random.integers(half, self.steps, self.samples)] = 1
        sums = (values * marks).sum(axis=1, keepdims=True)
        return np.stack([values, marks], axis=2), sums.astype(np.float32)


@final
class CopyConfig(MemoryConfig, frozen=True):
    """Symbols that are to be repeated after a delay, at the sign that asks for them.

    `length` symbols, `delay` steps of which the last is the sign and the others are blank, `length`
    blanks; the answer is blank up to the sign, then the symbols. Without memory the loss is
    length * log(symbols) / (delay + 2 length) nats a step.
    Hochreiter & Schmidhuber 1997; Arjovsky et al. 2016, arXiv:1511.06464, section 5.1.
    """

    kind: Literal["copy"] = "copy"
    delay: Annotated[int, Field(ge=1, le=100_000)] = 20
    length: Annotated[int, Field(ge=1, le=1000)] = 5
    symbols: Annotated[int, Field(ge=2, le=1000)] = 8

    def known(self) -> TableSource:
        names = (*(str(number) for number in range(self.symbols)), "blank", "sign")
        steps = self.delay + 2 * self.length
        return TableSource(
            TokenShape((steps,), len(names)),
            "classes",
            len(names),
            names,
            self.samples,
            places=(steps,),
        )

    def draw(self, random: "np.random.Generator") -> "Drawn":
        shape = (self.samples, self.delay + 2 * self.length)
        blank, sign = self.symbols, self.symbols + 1
        inputs, targets = np.full(shape, blank, np.int16), np.full(shape, blank, np.int64)
        inputs[:, : self.length] = random.integers(0, self.symbols, (self.samples, self.length))
        inputs[:, -self.length - 1] = sign
        targets[:, -self.length :] = inputs[:, : self.length]
        return inputs, targets


@final
class ParityConfig(MemoryConfig, frozen=True):
    """Whether a sequence of 0 and 1 has an even or an odd number of ones.

    One number more or less changes every answer, so that nothing short of counting helps.
    """

    kind: Literal["parity"] = "parity"
    steps: _Steps = 10
    """Of a sequence."""

    def known(self) -> TableSource:
        return TableSource((self.steps, 1), "classes", 2, ("even", "odd"), self.samples)

    def draw(self, random: "np.random.Generator") -> "Drawn":
        bits = random.integers(0, 2, (self.samples, self.steps))
        return bits[:, :, None].astype(np.float32), (bits.sum(axis=1) % 2).astype(np.int64)


@final
class FirstTokenConfig(MemoryConfig, frozen=True):
    """The first token is the answer, whatever comes behind it: the latch problem.

    Bengio et al. 1994, doi:10.1109/72.279181, section III.
    """

    kind: Literal["first_token"] = "first_token"
    steps: _Steps = 30
    """Of a sequence."""
    symbols: Annotated[int, Field(ge=2, le=1000)] = 4
    """How many different tokens there are."""

    def known(self) -> TableSource:
        names = tuple(str(number) for number in range(self.symbols))
        shape = TokenShape((self.steps,), self.symbols)
        return TableSource(shape, "classes", self.symbols, names, self.samples)

    def draw(self, random: "np.random.Generator") -> "Drawn":
        tokens = random.integers(0, self.symbols, (self.samples, self.steps))
        return tokens.astype(np.int16), tokens[:, 0].astype(np.int64)


@final
class BracketsConfig(MemoryConfig, frozen=True):
    """Whether brackets are balanced, with up to `depth` open at a time.

    Half of the sequences are balanced. In the others one part that was balanced by itself is turned
    round, ( for ), so that as many open as close but one closes what was never opened. Chomsky &
    Schuetzenberger 1963 (Dyck).
    """

    kind: Literal["brackets"] = "brackets"
    pairs: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Of brackets in a sequence."""
    depth: Annotated[int, Field(ge=1, le=1000)] = 4

    def known(self) -> TableSource:
        shape = TokenShape((2 * self.pairs,), 2)
        return TableSource(shape, "classes", 2, ("unbalanced", "balanced"), self.samples)

    def draw(self, random: "np.random.Generator") -> "Drawn":
        steps = 2 * self.pairs
        tokens = np.zeros((self.samples, steps), np.int16)
        height = np.zeros(self.samples, np.int64)
        for step in range(steps):
            left = steps - step
            # It closes where it must to end at 0, opens where nothing is open, else either.
            opens = random.random(self.samples) < 0.5
            opens = np.where(height == 0, True, opens)
            opens = np.where((height >= self.depth) | (height >= left), False, opens)
            tokens[:, step] = np.where(opens, 0, 1)
            height += np.where(opens, 1, -1)
        labels = np.arange(self.samples) % 2
        wrong = np.flatnonzero(labels == 0)
        # A sequence that closes as many before it opens them: its mirror image from a place on
        # where nothing is open.
        heights = np.cumsum(1 - 2 * tokens[wrong].astype(np.int64), axis=1)
        starts = np.concatenate([np.zeros((len(wrong), 1), np.int64), heights[:, :-1]], axis=1)
        choice = np.where(starts == 0, random.random(starts.shape), -1.0).argmax(axis=1)
        ends = np.where((heights == 0) & (np.arange(steps) >= choice[:, None]), 1, 0).argmax(axis=1)
        places = np.arange(steps)
        flipped = (places >= choice[:, None]) & (places <= ends[:, None])
        tokens[wrong] = np.where(flipped, 1 - tokens[wrong], tokens[wrong])
        return tokens, labels.astype(np.int64)


KINDS = (AddingConfig, BracketsConfig, CopyConfig, FirstTokenConfig, ParityConfig)
