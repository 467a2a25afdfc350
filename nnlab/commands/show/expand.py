"""`nnlab show --expand`: a config with its network as a list of layers, to read and to change."""

import json
from typing import Any, cast

from nnlab.commands.show.layers import shape_text
from nnlab.config.origins import error_at_places
from nnlab.config.run_config import to_yaml
from nnlab.core.durations import Duration
from nnlab.core.errors import Mistake, MistakeError
from nnlab.core.kinds import Config, Kind
from nnlab.experiment.experiment import Experiment
from nnlab.models.stack import MOST_WRITTEN


def expanded_config(experiment: Experiment, *, as_json: bool) -> str:
    """The config as YAML text; fields that have their default are left out.

    Args:
        experiment: whose config is meant.
        as_json: one JSON object, which YAML reads too.

    Raises:
        ConfigError: its network is no list of layers, or its rule trains none.
    """
    config, shape = experiment.written, experiment.shape
    if (only := config.rule.models) is not None:
        text = f"rule {config.rule.kind} trains {' or '.join(only)} alone, and no list of layers"
        raise error_at_places([Mistake(("model",), text)], config.origins)
    try:
        stack = config.model.settled_for(shape).expanded(shape.inputs)
    except MistakeError as error:
        raise error_at_places([error.mistake], config.origins) from None
    if (count := len(stack.layers)) > MOST_WRITTEN:
        text = (
            f"stands for {count:,} layers, a list has at most {MOST_WRITTEN:,} (make it less deep)"
        )
        raise error_at_places([Mistake(("model",), text)], config.origins)
    kept = {name: getattr(config.model, name) for name in ("from", "freeze")}
    stack = stack.model_copy(update=kept)
    tree = brief(config.model_copy(update={"model": stack}))
    if as_json:
        return json.dumps(tree) + "\n"
    head = f"# {config.model.kind} for inputs of {shape_text(shape.inputs)}, written out.\n"
    return head + to_yaml(tree)


def brief(value: Any) -> Any:
    """What someone would write: no defaults, a bare name where nothing else is said."""
    if isinstance(value, list | tuple):
        return [brief(item) for item in value]  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        return {key: brief(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, Duration):
        return value.plain()
    if not isinstance(value, Config):
        return value
    fields = type(value).model_fields
    # What a class adds to its family is what one reads first: channels before bias.
    own = [name for name in fields if name in type(value).__annotations__]
    tree = {
        name: brief(getattr(value, name))
        for name in [*own, *(name for name in fields if name not in own)]
        if fields[name].is_required() or getattr(value, name) != _default(value, name)
    }
    if not isinstance(value, Kind):
        return tree
    # The output layer comes last in a network, and in what one reads.
    output = {"output": tree.pop("output")} if "output" in tree else {}
    whole = {"kind": value.kind, **tree, **output}
    return value.kind if len(whole) == 1 else whole


def _default(config: Config, name: str) -> Any:
    field = type(config).model_fields[name]
    return field.get_default(call_default_factory=True, validated_data={})
