"""Causes in the config that hold a network back: penalties, dropout, augmentation, averaging."""

from math import log
from statistics import median
from typing import Any

from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import Far, Proof, Setting
from nnlab.diagnosis.evidence.course import (
    held_out_gone,
    little_is_learned,
    loss_of_blind_guess,
    of_layers,
    recent_loss,
    scored_well,
    share_of_loss_gone,
)
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History

_SHRUNK = 0.5
"""So much of the first weights' length is left at most, where something pulls them to 0."""


def _weights_left(history: History, facts: Facts) -> float | None:
    """Length of the last weights over that of the first, median of the layers."""
    probed = history.probed
    if len(probed) < 2 or probed[0].step:
        return None
    first = dict(of_layers(probed[0], "weight_norm", facts.layers))
    last = of_layers(probed[-1], "weight_norm", facts.layers)
    found = [length / first[layer] for layer, length in last if first.get(layer)]
    return median(found) if found else None


def _shrunk(history: History, facts: Facts) -> Proof | None:
    left = _weights_left(history, facts)
    if left is None or left >= _SHRUNK or not little_is_learned(history, facts):
        return None
    return Proof(left, "length of the weights at the end, over their first length")


def _penalized(history: History, facts: Facts) -> Proof | None:
    """Weights that shrank, or a penalty that is as large as the loss itself."""
    if (found := _shrunk(history, facts)) is not None:
        return found
    start = loss_of_blind_guess(history, facts)
    terms = [value for _, value in history.curve("penalty")][-3:]
    share = sum(terms) / len(terms) / start if terms and start else 0.0
    if share < 0.3 or not little_is_learned(history, facts):
        return None
    return Proof(share, "penalty at the end, over the loss of a guess that looks at no input")


def _pulls(facts: Facts) -> dict[str, float]:
    """What pulls at the weights, by its field: how strongly, over a large usual value."""
    regularize, optimizer = facts.config.regularize, facts.config.optimizer
    decay = getattr(optimizer, "weight_decay", 0.0)
    usual = 0.1 if getattr(type(optimizer), "decoupled", False) else 1e-3
    found = {
        "l2": regularize.l2 / 1e-3,
        "l1": regularize.l1 / 1e-4,
        "weight_decay": decay / usual,
        "max_norm": 1.0 / regularize.max_norm if regularize.max_norm else 0.0,
    }
    if regularize.per == "dataset":
        rows = facts.experiment.shape.sizes["train"]
        found |= {"l2": found["l2"] / rows, "l1": found["l1"] / rows}
    return found


def _strongest(facts: Facts, name: str) -> bool:
    pulls = _pulls(facts)
    return pulls[name] >= 1.0 and pulls[name] == max(pulls.values())


def _l2(facts: Facts) -> Far | None:
    if not _strongest(facts, "l2"):
        return None
    value = facts.config.regularize.l2
    return Far(
        f"regularize.l2 is {value:g}: the penalty pulls the weights to 0 faster than the loss can "
        "make them grow, so nothing is learned",
        ("regularize.l2=0",),
    )


def _l1(facts: Facts) -> Far | None:
    if not _strongest(facts, "l1"):
        return None
    value = facts.config.regularize.l1
    return Far(
        f"regularize.l1 is {value:g}: the penalty pulls every weight to 0 with the same force, and "
        "with more than the loss has",
        ("regularize.l1=0",),
    )


def _weight_decay(facts: Facts) -> Far | None:
    if not _strongest(facts, "weight_decay"):
        return None
    optimizer = facts.config.optimizer
    default = type(optimizer).model_fields["weight_decay"].default
    return Far(
        f"optimizer.weight_decay is {getattr(optimizer, 'weight_decay', 0.0):g}: each update "
        "shrinks the weights by more than the loss makes them grow",
        (f"optimizer.weight_decay={default:g}",),
    )


def _max_norm(facts: Facts) -> Far | None:
    if not _strongest(facts, "max_norm"):
        return None
    value = facts.config.regularize.max_norm
    return Far(
        f"regularize.max_norm is {value:g}: the weights into a unit may not grow beyond it, and "
        "a signal becomes weaker with each layer",
        ("regularize.max_norm=null",),
    )


def _dropout(facts: Facts) -> Far | None:
    model = facts.config.model
    whole = getattr(model, "dropout", 0.0) or 0.0
    changes = ["model.dropout=0.2"] if whole > 0.4 else []
    most = whole
    for key, value in _own_dropout(remedies.written_layers(facts)):
        most = max(most, value)
        changes += [f"model.layers.{key}=0.2"] if value > 0.4 else []
    if not changes:
        return None
    return Far(
        f"dropout is {most:g}: in each update that share of the units is silent, and what is left "
        "cannot learn",
        tuple(changes),
    )


def _own_dropout(layers: Any) -> list[tuple[str, float]]:
    """Dropout of single layers: its place below `model.layers`, its value."""
    pairs = layers.items() if isinstance(layers, dict) else enumerate(layers)
    found: list[tuple[str, float]] = []
    for name, layer in pairs:
        if getattr(layer, "kind", "") == "dropout":
            found.append((f"{name}.p", layer.p))
        elif (value := getattr(layer, "dropout", None)) is not None:
            found.append((f"{name}.dropout", value))
    return found


def _harder_to_train(history: History, facts: Facts) -> Proof | None:
    """Training rows, as they are shown, are worse known than validation rows, or nothing is."""
    start, now = loss_of_blind_guess(history, facts), recent_loss(history)
    trained, held = share_of_loss_gone(history, facts), held_out_gone(history, facts)
    if start is None or now is None or trained is None or trained >= facts.limits.learned:
        return None
    if held is None or scored_well(history, facts):
        return None
    gap = held - trained
    if gap < 0.1 and held >= 0.2:
        return None
    quantity = "training loss over validation loss"
    return Proof(now / max(1e-12, (1.0 - held) * start), quantity)


def _augment(facts: Facts) -> Far | None:
    augments = facts.config.data.augment
    if not augments:
        return None
    kinds = " and ".join(dict.fromkeys(one.kind for one in augments))
    return Far(
        f"data.augment changes the training examples by {kinds} until they no longer look like "
        "their class: they are far harder than the validation examples",
        ("data.augment=[]",),
    )


def _label_smoothing(facts: Facts) -> Far | None:
    loss = facts.experiment.loss
    value = getattr(loss, "label_smoothing", 0.0)
    if value < 0.5:
        return None
    outputs = max(2, facts.experiment.shape.outputs)
    return Far(
        f"loss.label_smoothing is {value:g}: of each label {1.0 - value + value / outputs:.2g} is "
        f"left for the right class, {value / outputs:.2g} goes to each other one",
        ("loss.label_smoothing=0.1",),
    )


def _undecided(history: History, facts: Facts) -> Proof | None:
    """Labels that leave next to nothing to learn: their own entropy is nearly that of a guess."""
    start, outputs = loss_of_blind_guess(history, facts), max(2, facts.experiment.shape.outputs)
    value = getattr(facts.experiment.loss, "label_smoothing", 0.0)
    other = value / outputs
    right = 1.0 - value + other
    least = -right * log(right) - (outputs - 1) * other * log(other)
    share = 1.0 - least / start if start else 1.0
    if share >= 0.05:
        return None
    return Proof(share, "how far the loss can fall from a guess's with such labels (1: to 0)")


def _averaging(facts: Facts) -> Far | None:
    average = facts.config.train.averaging
    decay, total = getattr(average, "decay", None), facts.experiment.total
    if decay is None or total is None or 1.0 / (1.0 - decay) < total / 4:
        return None
    return Far(
        f"train.averaging looks back over {1.0 / (1.0 - decay):,.0f} updates and the run has "
        f"{total:,}: what is judged and kept is mostly the first weights",
        (f"train.averaging.decay={1.0 - 20.0 / max(40, total):.3g}",),
    )


def _lags(history: History, facts: Facts) -> Proof | None:
    trained, held = share_of_loss_gone(history, facts), held_out_gone(history, facts)
    if trained is None or held is None or trained - held < 0.2:
        return None
    # Where the average lags, validation falls to the end; by heart learned rows make it rise.
    losses = [value for _, value in history.curve("loss", "validation")]
    if len(losses) >= 3 and losses[-1] > min(losses):
        return None
    return Proof(
        trained - held, "how far the loss fell in training, less how far that of the average did"
    )


RESTRAINTS = (
    Setting("l2_too_large", _l2, _penalized, "Goodfellow et al. 2016, section 7.1.1"),
    Setting("l1_too_large", _l1, _penalized, "Goodfellow et al. 2016, section 7.1.2"),
    Setting("weight_decay_too_large", _weight_decay, _shrunk,
            "Loshchilov & Hutter 2017, arXiv:1711.05101"),
    Setting("max_norm_too_small", _max_norm, _shrunk, "Srivastava et al. 2014, section 5.1"),
    Setting("dropout_too_large", _dropout, _harder_to_train, "Srivastava et al. 2014, figure 9"),
    Setting("augmentation_too_strong", _augment, _harder_to_train,
            "Shorten & Khoshgoftaar 2019, doi:10.1186/s40537-019-0197-0"),
    Setting("label_smoothing_too_large", _label_smoothing, _undecided,
            "Müller, Kornblith & Hinton 2019, arXiv:1906.02629"),
    Setting("averaging_too_slow", _averaging, _lags, "Polyak & Juditsky 1992"),
)  # fmt: skip
