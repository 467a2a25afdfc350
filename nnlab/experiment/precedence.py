"""What is measured, and what rule, data or model decide in place of the config."""

from collections.abc import Mapping

from nnlab.config.run_config import RunConfig
from nnlab.core.contracts import DataShape, Task
from nnlab.core.errors import Mistake, MistakeError
from nnlab.models.family import ModelConfig
from nnlab.parts.datasets.family import Place
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.scores import auto_scores
from nnlab.parts.scores.family import ScoreConfig


def take_rule_autos(config: RunConfig) -> RunConfig:
    """The config with those `auto`s taken that follow from the rule."""
    rule, changes = config.rule, dict[str, object]()
    output = config.model.output
    trains = rule.models is None or config.model.kind in rule.models
    if trains and rule.auto_init is not None and output.init == "auto":
        output = output.model_copy(update={"init": rule.auto_init})
        changes["model"] = config.model.model_copy(update={"output": output})
    if rule.scales and config.data.scale == "auto":
        changes["data"] = config.data.model_copy(update={"scale": rule.scales[0]})
    return config.model_copy(update=changes) if changes else config


def owner_mistakes(
    config: RunConfig, shape: DataShape, place: Place, replaced: Mapping[str, str]
) -> list[Mistake]:
    """Sections that have no meaning, and kinds that do not go together.

    Args:
        config: with what its rule decides.
        shape: of the data.
        place: where they lie.
        replaced: the sections that rule, data or model leave no meaning: name -> why.
    """
    rule, wrong = config.rule, list[Mistake]()
    for section, why in replaced.items():
        # Only what was written: every section has a default, which nobody meant.
        if section in config.model_fields_set:
            wrong.append(Mistake((section,), f"{why} (remove {section})"))
    if rule.models is not None and config.model.kind not in rule.models:
        text = f"{rule.kind} trains {' or '.join(rule.models)}, got {config.model.kind}"
        way = f"write model: {rule.models[0]}, or rule: gradient"
        wrong.append(Mistake(("model",), f"{text} ({way})"))
    if rule.learns and not config.model.learns:
        text = f"{config.model.kind} has nothing that {rule.kind} could change"
        wrong.append(Mistake(("model",), f"{text} (write rule: none)"))
    if shape.start and not rule.optimized:
        text = "a surface has its gradient and nothing else to learn from"
        wrong.append(Mistake(("rule",), f"{text}, got {rule.kind} (write rule: gradient)"))
    elif why := rule.misfit(shape):
        wrong.append(Mistake(("rule",), f"{rule.kind} {why}"))
    if rule.scales and (view := config.data.view) in ("rows", "pixels"):
        text = f"{rule.kind} learns from inputs with mean 0, and images as {view} have no scale"
        wrong.append(Mistake(("data", "view"), f"{text} that gives them one (remove it)"))
    elif rule.scales and (scale := config.data.resolved(place).scale) not in rule.scales:
        text = f"{rule.kind} learns from inputs with mean 0, {scale} does not center them"
        wrong.append(Mistake(("data", "scale"), f"{text} (write {' or '.join(rule.scales)})"))
    if rule.keeps_bias and config.model.output.bias_init.kind != "zeros":
        text = f"{rule.kind} learns weights without a bias, which must begin as zeros"
        wrong.append(Mistake(("model", "output", "bias_init"), f"{text} (remove it)"))
    if rule.needs_bias and not config.model.output.bias:
        text = f"{rule.kind} learns a bias too (remove it, or write rule: gradient)"
        wrong.append(Mistake(("model", "output", "bias"), text))
    return wrong if rule.optimized else wrong + _of_training(config)


def _of_training(config: RunConfig) -> list[Mistake]:
    """What `train` says of a gradient that there is none of."""
    train, rule = config.train, config.rule.kind
    wrong: list[Mistake] = []
    if train.clip_norm is not None:
        text = f"{rule} follows no gradient that could be clipped (remove it)"
        wrong.append(Mistake(("train", "clip_norm"), text))
    if train.accumulate > 1:
        text = f"{rule} follows no gradient that could be accumulated (remove it)"
        wrong.append(Mistake(("train", "accumulate"), text))
    if train.precision in ("bf16", "fp16"):
        text = f"{rule} computes in fp32 or fp64, got {train.precision} (write fp32)"
        wrong.append(Mistake(("train", "precision"), text))
    if train.compile == "on":
        text = f"{rule} has no backward pass to compile (write off)"
        wrong.append(Mistake(("train", "compile"), text))
    return wrong


def take_target_scale(
    config: RunConfig, loss: LossConfig, shape: DataShape, place: Place
) -> RunConfig:
    """The config with `data.scale_target` decided.

    What a config says in the targets' own unit would mean something else of scaled ones, and an
    output that is bounded, or a module of the user's own, was made for the targets as they are.
    """
    if config.data.scale_target != "auto":
        return config
    model, output = config.model, config.model.output
    plain = isinstance(output.activation, str) or output.activation.kind == loss.link
    taken = (
        shape.task == "regression"
        and config.data.form(place) != "points"
        and config.own_loss is None
        and config.rule.optimized
        and not _is_whole(model, shape)
        and not model.handed
        and plain
        and loss.link == "identity"
        and output.bias_init.kind == "zeros"
        and loss.any_unit
        and not loss.handed
        and not loss.model_fields_set.intersection(loss.in_target_unit)
        and not ((stopping := config.train.stopping) is not None and stopping.min_delta)
    )
    data = config.data.model_copy(update={"scale_target": "standard" if taken else "none"})
    return config.model_copy(update={"data": data})


def _is_whole(model: ModelConfig, shape: DataShape) -> bool:
    """Whether a model says itself how its output is; one that does not fit is told of later."""
    try:
        return model.whole(shape) is not None
    except MistakeError:
        return True


def measured_scores(
    config: RunConfig, shape: DataShape
) -> tuple[LossConfig, tuple[ScoreConfig, ...]]:
    """What is read as loss and scores: as the owner says, as written, or as the task suggests."""
    loss, scores = config.own_loss, config.own_scores
    if loss is None:
        loss = _default_loss(shape.task) if isinstance(config.loss, str) else config.loss
    if scores is None:
        scores = auto_scores(shape) if isinstance(config.scores, str) else config.scores
    return loss, scores


def _default_loss(task: Task) -> LossConfig:
    """What `loss: auto` takes: maximum likelihood for the task."""
    from nnlab.parts.losses.classes import BceConfig, CrossEntropyConfig
    from nnlab.parts.losses.regression import MseConfig

    kinds = {"classes": CrossEntropyConfig, "labels": BceConfig, "regression": MseConfig}
    return kinds[task]()
