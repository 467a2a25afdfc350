"""Causes in the config that only a trial can confirm: layers that are too few, rare settings."""

from typing import Any

from nnlab.core.kinds import Config
from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import Far, Proof, Setting
from nnlab.diagnosis.evidence.course import little_is_learned, share_of_loss_gone
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History

_HAVE_CHECKS = {"kind", "lr", "groups", "weight_decay", "decay", "eps", "momentum",
                "label_smoothing", "class_weights"}  # fmt: skip
"""Fields that have a check of their own, or that follow from the data."""


def _narrow(facts: Facts) -> Far | None:
    """A hidden layer far narrower than what comes into it and what has to come out in the end."""
    if facts.config.model.kind != "mlp" or not facts.hidden or facts.handed:
        return None
    widths = [layer.shape[0] for layer in facts.hidden]
    inputs, outputs = facts.hidden[0].shape[1], facts.layers[-1].shape[0]
    least = min(inputs, max(2, outputs - 1), 4)
    tight = [n for n, width in enumerate(widths) if width < least]
    if not tight:
        return None
    wide = max(16, max(widths))
    layer = facts.hidden[tight[0]]
    remedy = [wide if n in tight else width for n, width in enumerate(widths)]
    return Far(
        f"{layer.name} has {layer.shape[0]} unit{'s' if layer.shape[0] > 1 else ''}: all that the "
        f"{outputs} outputs are to know of {inputs} inputs must pass through there",
        (f"model.hidden={remedy}",),
        layer.name,
    )


def _little(history: History, facts: Facts) -> Proof | None:
    if not little_is_learned(history, facts):
        return None
    share = share_of_loss_gone(history, facts)
    return Proof(share, "how far the loss fell from a guess's (0 not at all, 1 to 0)")


def _rare(facts: Facts) -> Far | None:
    """Fields away from their defaults that no other check is about, all of them together."""
    config = facts.config
    changes = [*_away(config.optimizer, "optimizer"), *_away(facts.experiment.loss, "loss")]
    if config.train.sampling == "in_order":
        changes.append("train.sampling=shuffled")
    if config.train.precision in ("fp16", "bf16"):
        changes.append("train.precision=fp32")
    reached = facts.data is None or not facts.data.unreachable  # else that has a check of its own
    if not facts.handed and config.model.output.activation != "auto" and reached:
        changes.append("model.output.activation=auto")
    if config.model.kind in ("mlp", "cnn") and getattr(config.model, "layers", None):
        changes.append("model.layers={}")
    if not changes:
        return None
    fields = ", ".join(change.partition("=")[0] for change in changes)
    return Far(f"the run does better with the usual values of {fields}", tuple(changes))


def _away(section: Config, name: str) -> list[str]:
    """Numbers of a kind that are not what they are by default, as changes back to that."""
    found: list[str] = []
    for key, field in type(section).model_fields.items():
        value: Any = getattr(section, key)
        usual = isinstance(field.default, int | float | tuple)
        if key not in _HAVE_CHECKS and usual and value != field.default:
            plain = [*field.default] if isinstance(field.default, tuple) else field.default
            found.append(f"{name}.{key}={str(plain).lower() if plain in (True, False) else plain}")
    return found


def _linear(facts: Facts) -> Far | None:
    """Layers without anything between them that is not linear: together they are one layer."""
    bent = any(layer.activation.kind != "identity" for layer in facts.hidden)
    plain = facts.config.model.kind == "linear" or (facts.hidden and not bent)
    if facts.handed or not plain:
        return None
    layers = (
        f"the {len(facts.hidden)} hidden layers have no activation and are one layer"
        if len(facts.hidden) > 1
        else "the hidden layer has no activation and might as well not be there"
        if facts.hidden
        else "there is no hidden layer"
    )
    return Far(
        f"{layers}: what the network puts out is a weighted sum of its inputs, which no pattern "
        "that bends can be",
        remedies.try_larger_network(facts),
    )


def _never(_: History, __: Facts) -> Proof | None:
    """Nothing that is recorded shows it; a trial does."""
    return None


UNUSUAL = (
    Setting("layer_too_narrow", _narrow, _little, "Goodfellow et al. 2016, section 6.4.1"),
    Setting("linear_network", _linear, _never, "Goodfellow et al. 2016, section 6.1"),
    Setting("unusual_setting", _rare, _never),
)
