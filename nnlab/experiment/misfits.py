"""Whether what trains fits together: targets, loss, scores, augmentations and optimizer."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any, cast

from nnlab.config.run_config import RunConfig, to_plain
from nnlab.core.contracts import TARGET_WORDS, DataShape
from nnlab.core.errors import Mistake
from nnlab.core.kinds import kinds_of
from nnlab.models.family import Design
from nnlab.parts.layers.family import LayerConfig
from nnlab.parts.losses import Loss
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.optimizers.naming import NameIndex, Parameters
from nnlab.parts.schedules.decays import ConstantScheduleConfig
from nnlab.parts.scores.family import NetworkScoreConfig, ScoreConfig, StoredScoreConfig


def optimizer_mistakes(
    config: RunConfig,
    network: Design,
    index_of: Callable[[Iterable[str]], NameIndex] = NameIndex,
) -> list[Mistake]:
    """What the optimizer has against the network and the sections beside it."""
    optimizer = config.optimizer
    shapes = {name: shape for plan in network.plans for name, shape in plan.parameters.items()}
    parameters = Parameters(shapes, index_of(shapes))
    wrong = [m._replace(path=("optimizer", *m.path)) for m in optimizer.mistakes(parameters)]
    if not optimizer.follows_lr and config.schedule != ConstantScheduleConfig():
        text = f"{optimizer.kind} reads lr before its first update alone (remove the schedule)"
        wrong.append(Mistake(("schedule",), text))
    if optimizer.closure:
        wrong += _closure_mistakes(config, network)
    return wrong


def output_mistakes(
    network: Design, loss: LossConfig, scores: Sequence[ScoreConfig], shape: DataShape
) -> Iterator[Mistake]:
    """Scores compare an output with each target; a loss of the user's own may want others."""
    found = network.plans[-1].output
    if loss.handed and scores and found != (shape.outputs,):
        text = f"compare {shape.outputs} outputs with the targets, the network has {found[-1]}"
        yield Mistake(("scores",), f"{text} (write scores: [])")


def _closure_mistakes(config: RunConfig, network: Design) -> Iterator[Mistake]:
    """Several evaluations of an update must see the same function."""
    kind, train = config.optimizer.kind, config.train
    # A line search compares losses: another batch, mask or clipped step would be another function.
    if train.batch_size != "full":
        text = f"{kind} needs all examples in every update, got {train.batch_size} (write full)"
        yield Mistake(("train", "batch_size"), text)
    if train.clip_norm is not None:
        text = f"{kind} chooses its step by the whole gradient (remove clip_norm)"
        yield Mistake(("train", "clip_norm"), text)
    if train.precision == "fp16":
        text = f"{kind} compares losses that fp16 cannot tell apart (use fp32 or fp64)"
        yield Mistake(("train", "precision"), text)
    drawn = f"is drawn anew in each evaluation, {kind} compares several of them (remove it)"
    if config.data.augment:
        yield Mistake(("data", "augment"), drawn)
    dropping = [placed.path for placed in network.placed if _drops(to_plain(placed.config))]
    if dropping:
        yield Mistake(dropping[0], f"dropout {drawn}")


def _drops(layer: Any) -> bool:
    """Whether a layer, or one inside it, draws units to drop."""
    if isinstance(layer, list):
        return any(map(_drops, cast("list[Any]", layer)))
    if not isinstance(layer, dict):
        return False
    fields = cast("dict[str, Any]", layer)
    share = fields.get("p") if fields.get("kind") == "dropout" else fields.get("dropout")
    return bool(share) or any(map(_drops, fields.values()))


def find_misfits(config: RunConfig, shape: DataShape) -> Iterator[Mistake]:
    """What of data and training these examples cannot take.

    Augmentations, tokens and answers at every step, a state that is carried on, a batch in more
    parts than it has examples, balanced draws without classes.
    """
    for position, augment in enumerate(config.data.augment):
        path = ("data", "augment", position)
        if text := augment.misfit(shape.inputs):
            yield Mistake(path, text)
    yield from _sequence_misfits(config, shape)
    if config.train.carry:
        yield from _carry_misfits(config, shape)
    size = config.train.batch_size
    most = shape.sizes["train"] if size == "full" else min(size, shape.sizes["train"])
    if config.train.accumulate > most:
        text = f"a batch of {most} examples has no {config.train.accumulate} parts (at most {most})"
        yield Mistake(("train", "accumulate"), text)
    if config.train.sampling == "balanced" and shape.task != "classes":
        text = f"balanced needs classes, the targets are {TARGET_WORDS[shape.task]}"
        ways = {"labels": "loss: {kind: bce, pos_weight: balanced} weights rare ones"}
        yield Mistake(("train", "sampling"), f"{text} ({ways.get(shape.task, 'shuffled')})")


def _sequence_misfits(config: RunConfig, shape: DataShape) -> Iterator[Mistake]:
    """What needs numbers as inputs, or one answer for each example."""
    if shape.tokens and config.data.augment:
        text = "changes numbers, and tokens are names (remove it)"
        yield Mistake(("data", "augment", 0), f"{config.data.augment[0].kind} {text}")
    if not shape.places:
        return
    each = f"and these have {shape.answers} answers, one at every step"
    if config.train.sampling == "balanced":
        text = f"balanced needs one class for each example, {each} (shuffled)"
        yield Mistake(("train", "sampling"), text)
    if config.log.examples != "off":
        text = f"keeps one loss for each example, {each} (write off)"
        yield Mistake(("log", "examples"), text)


def _carry_misfits(config: RunConfig, shape: DataShape) -> Iterator[Mistake]:
    """A state is carried from a window of a text to the next."""
    from nnlab.models.recurrent import RecurrentModelConfig
    from nnlab.models.stack import StackConfig
    from nnlab.parts.datasets.sequences.windowed import WindowedConfig

    path, data = ("train", "carry"), config.data
    if not shape.places or not isinstance(data, WindowedConfig):
        text = f"{data.kind} has no windows that follow each other, each with its own answers"
        yield Mistake(path, f"{text} (remove it; text and shakespeare have)")
    elif data.step != data.window:
        text = f"windows of {data.window} steps begin every {data.step}, and do not follow"
        yield Mistake(("data", "stride"), f"{text} each other (write auto, or remove train.carry)")
    if config.train.accumulate > 1:
        text = "a state belongs to a place of the whole batch (remove it, or train.carry)"
        yield Mistake(("train", "accumulate"), text)
    if isinstance(config.model, StackConfig):
        yield from _carry_mistakes_of(config.model.layers)
    elif not isinstance(config.model, RecurrentModelConfig):
        text = f"{config.model.kind} has no state to carry (model: rnn, lstm or gru)"
        yield Mistake(path, text)


def _carry_mistakes_of(layers: Sequence[LayerConfig]) -> Iterator[Mistake]:
    """A stack carries the state of its recurrent layers; others must not look at other steps."""
    from nnlab.parts.layers.attention import AttentionConfig, PositionsConfig
    from nnlab.parts.layers.recurrent import RecurrentConfig

    path, every = ("train", "carry"), [part for layer in layers for part in _with_inside(layer)]
    if not any(isinstance(layer, RecurrentConfig) for layer in every):
        text = "stack has no state to carry (put rnn, lstm or gru into model.layers)"
        yield Mistake(path, text)
    for layer in every:
        if isinstance(layer, AttentionConfig | PositionsConfig):
            text = f"{layer.kind} begins anew in every window (remove it, or train.carry)"
            yield Mistake(path, text)
            return


def _with_inside(layer: LayerConfig) -> Iterator[LayerConfig]:
    yield layer
    for placed in layer.inside():
        yield from _with_inside(placed.config)


def target_mistakes(
    config: RunConfig,
    loss: LossConfig,
    scores: tuple[ScoreConfig, ...],
    shape: DataShape,
    *,
    replaced: Container[str],
) -> list[Mistake]:
    """Losses, scores and mixed examples that do not fit the targets, at their places.

    Args:
        config: with what its rule decides.
        loss: that is measured.
        scores: that are measured.
        shape: of the data.
        replaced: sections that have no meaning: a loss that its owner brings along fits.
    """
    wrong = [] if "loss" in replaced else list(_loss_mistakes(config, loss, shape))
    wrong += _mixed_mistakes(config, loss, shape)
    seen: set[str] = set()
    for index, score in enumerate(scores):
        text = _score_mistake(config, score, loss, shape)
        if text is None and score.key in seen:
            text = f"{score.key} was given before"
        seen.add(score.key)
        if text is not None:
            wrong.append(Mistake(("scores", index), text))
    return wrong


def _loss_mistakes(config: RunConfig, loss: LossConfig, shape: DataShape) -> Iterator[Mistake]:
    if shape.task not in loss.tasks:
        text = f"{loss.kind} cannot be trained on targets that are {TARGET_WORDS[shape.task]}"
        kinds = cast("Iterable[tuple[str, type[LossConfig]]]", kinds_of(Loss).items())
        can = [name for name, kind in kinds if shape.task in kind.tasks and not kind.handed]
        rare = "; bce with pos_weight: balanced, if labels are rare"
        more = rare if shape.task == "labels" else ""
        yield Mistake(("loss",), f"{text} ({', '.join(can)} can{more})")
    elif mistake := loss.mistake(shape):
        yield mistake
    if config.data.scale_target == "none":
        return
    if shape.task != "regression":
        words = TARGET_WORDS[shape.task]
        text = f"scales numbers, the targets of {config.data.kind} are {words} (none)"
        yield Mistake(("data", "scale_target"), text)
    elif not loss.any_unit:
        text = f"{loss.kind} needs the targets as they are (none)"
        yield Mistake(("data", "scale_target"), text)


def _mixed_mistakes(config: RunConfig, loss: LossConfig, shape: DataShape) -> Iterator[Mistake]:
    """What counts wrong answers can do nothing with shares of classes."""
    if loss.shares or shape.task != "classes":
        return
    for position, augment in enumerate(config.data.augment):
        if augment.mixes:
            text = f"{augment.kind} makes shares of classes, and here an answer is right or wrong"
            yield Mistake(("data", "augment", position), f"{text} (remove it)")


def _score_mistake(
    config: RunConfig, score: ScoreConfig, loss: LossConfig, shape: DataShape
) -> str | None:
    if shape.task not in score.tasks:
        return f"{score.kind} is not defined for targets that are {TARGET_WORDS[shape.task]}"
    if shape.places and isinstance(score, StoredScoreConfig):
        return f"{score.kind} looks at all outputs at once, which {shape.answers} places multiply"
    if shape.tokens and isinstance(score, NetworkScoreConfig) and not score.takes_tokens:
        return f"{score.kind} changes the inputs as numbers, and tokens are names"
    activation = config.model.output.activation
    link = loss.link if isinstance(activation, str) else activation.kind
    if score.reads == "probabilities" and loss.probabilities_behind(link) is None:
        return (
            f"{score.kind} needs probabilities, the outputs under {loss.kind} are none "
            "(loss: cross_entropy)"
        )
    return score.mistake(shape)


def monitored_keys(scores: tuple[ScoreConfig, ...]) -> dict[str, bool]:
    """What can be watched, by key, and whether in training too."""
    return {
        "loss": True,
        **{
            score.key: not isinstance(score, StoredScoreConfig | NetworkScoreConfig)
            for score in scores
        },
    }
