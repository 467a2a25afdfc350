"""Scores: how good the outputs are, in numbers that people compare.

To add one: write a class in the file that it belongs to and name it in `KINDS` at the foot; a new
file is named here. What adds up over batches is a `SumScoreConfig`, what does not (ranks, medians)
a `StoredScoreConfig`, what asks the network again a `NetworkScoreConfig`.
"""

from typing import Annotated

from nnlab.core.contracts import DataShape
from nnlab.core.kinds import Menu
from nnlab.parts.scores.family import ScoreConfig

AnyScore = Annotated[
    ScoreConfig,
    Menu(
        "nnlab.parts.scores.classes",
        "nnlab.parts.scores.regression",
        "nnlab.parts.scores.per_class",
        "nnlab.parts.scores.probabilities",
        "nnlab.parts.scores.ranks",
        "nnlab.parts.scores.sequences",
        "nnlab.parts.scores.robustness",
    ),
]


def auto_scores(shape: DataShape) -> tuple[ScoreConfig, ...]:
    """What `scores: auto` takes."""
    task = shape.task
    if shape.naive:
        from nnlab.parts.scores.regression import MaeScoreConfig
        from nnlab.parts.scores.sequences import MaseConfig

        return (MaeScoreConfig(), MaseConfig())
    if shape.tokens and shape.places:
        from nnlab.parts.scores.classes import AccuracyConfig
        from nnlab.parts.scores.sequences import PerplexityConfig

        return (PerplexityConfig(), AccuracyConfig())
    if task == "regression":
        from nnlab.parts.scores.regression import MaeScoreConfig, R2Config

        return (MaeScoreConfig(), R2Config())
    from nnlab.parts.scores.classes import AccuracyConfig

    if task == "classes":
        return (AccuracyConfig(),)
    from nnlab.parts.scores.per_class import F1Config

    # Most labels are absent from most examples: accuracy alone is high without learning.
    return (AccuracyConfig(), F1Config())
