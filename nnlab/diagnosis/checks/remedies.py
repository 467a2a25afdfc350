"""Remedies: changes of a config, as `--set` takes them, that this config can take."""

from collections.abc import Sequence
from typing import Any

from nnlab.core.errors import NnlabError
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.experiment.experiment import Experiment

_FARTHEST = 100.0
"""So many times an optimizer's default rate is the highest that is advised."""


def changed_experiment(
    facts: Facts, changes: Sequence[str], *, reopen: bool = False
) -> Experiment | None:
    """The experiment with changes, as `--set` would make it; None where it cannot take them.

    Args:
        facts: of the run.
        changes: as `--set` takes them.
        reopen: whether its data are described anew, as changes of its rows need it.
    """
    from nnlab.config.loading import load_config
    from nnlab.config.run_config import to_plain
    from nnlab.experiment.settle import settle

    experiment = facts.experiment
    try:
        config = load_config(to_plain(experiment.config), list(changes))
        shape = None if reopen else experiment.shape
        return settle(config, experiment.place, experiment.machine, shape=shape)
    except (NnlabError, ValueError, OSError):
        return None


def effective(facts: Facts, changes: Sequence[str]) -> tuple[str, ...]:
    """Those of the changes that make another experiment of this one, together.

    A change that is in force already, that no layer takes over, or that the config refuses is left
    out. Some changes are possible only together: another loss and its output activation.
    """
    if facts.handed or facts.config.data.handed or not changes:
        return tuple(changes)  # what Python handed in is not written in the config
    kept, whole = list(changes), changed_experiment(facts, changes)
    if whole is None:  # one that the config refuses takes only itself out
        kept = [one for one in changes if changed_experiment(facts, [one]) is not None]
        whole = changed_experiment(facts, kept)
    for change in [*kept] if whole is not None else ():
        without = [one for one in kept if one != change]
        after = changed_experiment(facts, without)
        if whole is not None and after is not None and _same(after, whole):
            kept = without
    return tuple(kept) if whole is not None else ()


def _same(one: Experiment, other: Experiment) -> bool:
    """Whether two experiments train alike: the same layers, and the same of everything else."""

    def rest(experiment: Experiment) -> dict[str, Any]:
        fields = experiment.config.model_dump(exclude={"name", "model", "diagnose", "log"})
        # What hangs on the machine is no change, and a range is the same however it is written.
        return {key: value for key, value in fields.items() if key != "describe"}

    layers = [(placed.name, placed.config) for placed in one.design.placed]
    return rest(one) == rest(other) and layers == [
        (placed.name, placed.config) for placed in other.design.placed
    ]


_MOST_NAMES = 50
"""More columns than this are not named in a command."""


def model_has_field(facts: Facts, field: str) -> bool:
    """Whether the model of the config has a field of this name."""
    return field in type(facts.config.model).model_fields


def written_layers(facts: Facts) -> Any:
    """What the config says of single layers, a list or by name; a published network is no list."""
    return getattr(facts.config.model, "layers", ()) if model_has_field(facts, "layers") else ()


def try_activation(facts: Facts, kind: str) -> tuple[str, ...]:
    """Another activation of all hidden layers; none where layers have their own."""
    whole = getattr(facts.config.model, "activation", None)
    own = {layer.activation.kind for layer in facts.hidden}
    if whole is None or own - {whole.kind, "identity"}:
        return ()
    return (f"model.activation={kind}",) if whole.kind != kind else ()


def try_init(facts: Facts) -> tuple[str, ...]:
    """The initialization that follows the activation, and biases of 0."""
    found = ("model.init=auto",) if model_has_field(facts, "init") else ()
    own = written_layers(facts)
    pairs = own.items() if isinstance(own, dict) else enumerate(own)
    # What a layer has of its own hides what the model says for all.
    found += tuple(
        f"model.layers.{name}.init=auto" for name, layer in pairs if getattr(layer, "init", None)
    )
    bias = getattr(facts.config.model, "bias_init", None)
    return (*found, "model.bias_init=zeros") if bias is not None and bias.kind != "zeros" else found


def output_init(facts: Facts) -> tuple[str, ...]:
    """The initialization that follows the output's link; none where the model has no such field."""
    return (
        ("model.output.init=auto",) if model_has_field(facts, "output") and not facts.handed else ()
    )


def try_norm(facts: Facts) -> tuple[str, ...]:
    """A normalization where there is none: over the batch, over the layer for small batches."""
    own = getattr(facts.config.model, "norm", None)
    if own is None or own.kind != "none" or any(layer.norm != "none" for layer in facts.hidden):
        return ()
    return ("model.norm=batch" if facts.batch_size >= 16 else "model.norm=layer",)


def try_rate(facts: Facts, factor: float) -> tuple[str, ...]:
    """Another learning rate: so many times the present one, one digit.

    Where it is to be lower and was above the optimizer's default, it is at most that, and a third
    of it at least: what one long update says of the next ones is little.
    """
    optimizer = facts.config.optimizer
    if not facts.followed or optimizer.closure or not optimizer.follows_lr:
        return ()
    rate, default = optimizer.lr * factor, type(optimizer).model_fields["lr"].default
    if factor > 1.0 and isinstance(default, float):
        # Short updates may have another cause; no rate that far from usual was ever right.
        rate = max(min(rate, _FARTHEST * default), 2.0 * optimizer.lr)
    if factor < 1.0 and isinstance(default, float):
        rate = min(max(rate, default / 3.0), default) if optimizer.lr > default else rate
    return (f"optimizer.lr={rate:.1g}",)


def try_clipping(facts: Facts) -> tuple[str, ...]:
    """A bound on the length of the gradient."""
    return ("train.clip_norm=1",) if facts.config.train.clip_norm is None else ()


def try_scale(facts: Facts) -> tuple[str, ...]:
    """Inputs of mean 0 and deviation 1; of images 0 to 1."""
    table = facts.data is None or facts.data.table
    return ("data.scale=feature",) if table else ("data.scale=unit",)


def targets_off_scale(facts: Facts) -> tuple[bool, bool]:
    """Whether targets that are numbers are far from 0, where outputs begin; of another size."""
    data = facts.data
    if data is None or not data.blind or not data.silent or not facts.followed:
        return False, False
    bias = getattr(facts.config.model.output.bias_init, "kind", "zeros")
    # With another bias outputs begin elsewhere.
    far = data.silent / data.blind > facts.limits.initial_loss and bias == "zeros"
    large = max(data.blind, 1.0 / data.blind) > facts.limits.input_size**2
    numbers = facts.experiment.shape.task == "regression"
    return numbers and far, numbers and large


def scale_targets(facts: Facts) -> tuple[str, ...]:
    """The change that scales targets which are far from 0 or of another size than 1."""
    needed = any(targets_off_scale(facts)) and facts.experiment.loss.any_unit
    return ("data.scale_target=standard",) if needed else ()


def drop_columns(facts: Facts, names: Sequence[str]) -> tuple[str, ...]:
    """Columns left out of a table in a file, beside those that are left out already."""
    known = getattr(facts.config.data, "columns", None)
    dropped: tuple[str, ...] | None = getattr(known, "drop", None)
    if dropped is None or not facts.experiment.shape.columns or len(names) > _MOST_NAMES:
        return ()
    from json import dumps

    return (f"data.columns.drop={dumps([*dropped, *names], ensure_ascii=False)}",)


def try_simpler(facts: Facts) -> tuple[str, ...]:
    """Against learning by heart: stop in time, and keep the weights small."""
    config = facts.config
    stop = ("train.early_stopping={patience: 2}",)
    if config.train.early_stopping is not None or config.train.monitor == "none":
        stop = ()
    return (*stop, f"regularize.l2={max(0.01, 10 * config.regularize.l2):.1g}")


def try_larger_network(facts: Facts) -> tuple[str, ...]:
    """A network that can tell more: hidden layers where there are none, or wider ones."""
    model = facts.config.model
    if model.kind == "linear":
        return ("model={kind: mlp, hidden: [64, 64]}",)
    if all(layer.activation.kind == "identity" for layer in facts.hidden) and facts.hidden:
        return try_activation(facts, "relu")  # layers without one are one layer
    if model.kind != "mlp":
        return ()
    widths = [4 * layer.shape[0] for layer in facts.hidden] or [64]
    widths = [max(32, width) for width in widths]
    if len(widths) == 1:
        widths *= 2
    return (f"model.hidden={widths}",)
