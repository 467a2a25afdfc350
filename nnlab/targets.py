"""Whether the loss, the scores and the scaling of targets suit the targets of the data."""

from collections.abc import Iterator

from nnlab.base import Mistake
from nnlab.config import RunConfig
from nnlab.contracts import DataShape, Task
from nnlab.owners import own_loss
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.scores.family import NetworkScoreConfig, ScoreConfig, StoredScoreConfig

_WORDS: dict[Task, str] = {
    "classes": "classes",
    "regression": "real numbers",
    "labels": "labels, of which an example can have several",
}


def target_mistakes(
    config: RunConfig, loss: LossConfig, scores: tuple[ScoreConfig, ...], shape: DataShape
) -> list[Mistake]:
    """All that does not fit together, at the places where it is written."""
    wrong = list(_loss_mistakes(config, loss, shape)) if own_loss(config) is None else []
    for index, score in enumerate(scores):
        text = _score_mistake(config, score, loss, shape)
        if text is None and score.key in [before.key for before in scores[:index]]:
            text = f"{score.key} was given before"
        if text is not None:
            wrong.append(Mistake(("scores", index), text))
    return wrong


def _loss_mistakes(config: RunConfig, loss: LossConfig, shape: DataShape) -> Iterator[Mistake]:
    if shape.task not in loss.tasks:
        text = f"{loss.kind} cannot be trained on targets that are {_WORDS[shape.task]}"
        yield Mistake(("loss",), text)
    elif mistake := loss.mistake(shape):
        yield mistake
    if config.data.scale_target == "none":
        return
    if shape.task != "regression":
        text = f"scales numbers, the targets of {config.data.kind} are {_WORDS[shape.task]} (none)"
        yield Mistake(("data", "scale_target"), text)
    elif not loss.any_unit:
        text = f"{loss.kind} needs the targets as they are (none)"
        yield Mistake(("data", "scale_target"), text)


def _score_mistake(
    config: RunConfig, score: ScoreConfig, loss: LossConfig, shape: DataShape
) -> str | None:
    if shape.task not in score.tasks:
        return f"{score.kind} is not defined for targets that are {_WORDS[shape.task]}"
    activation = config.model.output.activation
    link = loss.link if isinstance(activation, str) else activation.kind
    if score.reads == "probabilities" and loss.probabilities_behind(link) is None:
        return (
            f"{score.kind} needs probabilities, the outputs under {loss.kind} are none "
            "(loss: cross_entropy)"
        )
    return score.mistake(shape)


def monitored(scores: tuple[ScoreConfig, ...]) -> dict[str, bool]:
    """What can be watched, by key, and whether in training too."""
    return {
        "loss": True,
        **{
            score.key: not isinstance(score, StoredScoreConfig | NetworkScoreConfig)
            for score in scores
        },
    }
