"""Scores of sequences: how well the next token is told, and a forecast beside the naive one."""

from collections.abc import Sequence
from math import exp, log
from typing import ClassVar, Literal, final

from nnlab.core.contracts import Batch, DataShape, Score, Task
from nnlab.core.lazy import Tensor, torch
from nnlab.parts.scores.family import Sums, SumScoreConfig, classes_of


def _surprise(outputs: "Tensor", batch: Batch) -> "Tensor":
    """(N, 1): -log p of the right class in nats; p is kept above the machine epsilon."""
    given = outputs.gather(1, classes_of(batch.targets)[:, None])
    return -given.clamp(min=torch.finfo(outputs.dtype).eps).log()


@final
class PerplexityConfig(SumScoreConfig, frozen=True):
    """exp of the mean of -log p of the right class: among how many tokens the network is undecided.

    The number of classes for a guess that gives all of them the same, 1 for certainty; p is kept
    above the machine epsilon. Jelinek et al. 1977.
    """

    kind: Literal["perplexity"] = "perplexity"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)
    reads: ClassVar[Literal["outputs", "probabilities", "ranks"]] = "probabilities"

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def value(sums: Sequence[float], examples: int) -> float:
            # -log of float64's epsilon is 36: no mean overflows.
            return exp(sums[0] / examples)

        return Sums(1, _surprise, value)


@final
class BitsPerTokenConfig(SumScoreConfig, frozen=True):
    """The mean of -log2 p of the right class: bits a token costs a perfect coder. Shannon 1948.

    p is kept above the machine epsilon.
    """

    kind: Literal["bits_per_token"] = "bits_per_token"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)
    reads: ClassVar[Literal["outputs", "probabilities", "ranks"]] = "probabilities"

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def value(sums: Sequence[float], examples: int) -> float:
            return sums[0] / examples / log(2.0)

        return Sums(1, _surprise, value)


@final
class MaseConfig(SumScoreConfig, frozen=True):
    """Mean absolute error over that of the naive forecast, the value a season ago: 1 is as good.

    The naive error is that of the training steps, one season ahead. Hyndman & Koehler 2006,
    doi:10.1016/j.ijforecast.2006.03.001.
    """

    kind: Literal["mase"] = "mase"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    def mistake(self, shape: DataShape) -> str | None:
        if shape.naive:
            return None
        return "mase needs a series, with a season after which it is not the same (mae)"

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        naive = shape.naive
        assert naive

        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            return (outputs - batch.targets).abs().mean(dim=1, keepdim=True)

        def value(sums: Sequence[float], examples: int) -> float:
            return sums[0] / examples / naive

        return Sums(1, terms, value)


KINDS = (BitsPerTokenConfig, MaseConfig, PerplexityConfig)
