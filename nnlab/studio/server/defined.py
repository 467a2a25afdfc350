"""What the numbers on the page are: every one of them is a button that opens this."""

from typing import Any

from nnlab.config.described import help_of
from nnlab.core.kinds import kind_named
from nnlab.parts.activations import Activation
from nnlab.parts.losses import Loss
from nnlab.parts.optimizers import Optimizer
from nnlab.parts.scores import AnyScore
from nnlab.training.probes.readings import DATA, reading_definition

OWN = {
    "step": (
        "Updates made so far",
        "One update: the gradient of the loss over one batch, and one step of the optimizer.",
    ),
    "epoch": ("Epochs so far", "In one epoch every training example is seen once."),
    "updates_per_second": (
        "Updates a second",
        "Taken over half a second, with what the page itself costs. The speed in the run's own "
        "readings leaves that out, and every pause.",
    ),
    "loss": (
        "Loss",
        "Training: the mean over the examples since the reading before, in training mode. "
        "Validation: of the weights at that moment, without dropout.",
    ),
    "delta": (
        "What of the gradient reaches a unit",
        "The root of the mean square, over the examples of the batch, of the derivative of an "
        "example's loss by what comes into the unit's activation: delta of the four equations.",
    ),
    "weight": (
        "A weight",
        "How much of one unit goes into another. Of a kernel, or of all pixels of an image: the "
        "root of the mean square, with the sign of the sum.",
    ),
    "unit_map": (
        "What a unit says",
        "Its activation for each point of the plane (or of the line): blue above zero, orange "
        "below, on one scale for the layer. Of an image: its activation at the chosen example.",
    ),
    "batch_loss": (
        "Loss of the batch, after the update",
        "The mean loss of the examples that the last update has seen, with the weights behind it.",
    ),
}
"""Numbers of the studio itself, and those whose sentence stands in no class."""


def define(key: str) -> dict[str, Any] | None:
    """Title, sentence, formula and source of a reading, a score, a loss or a number of the page."""
    if (found := reading_definition(key)) is not None:
        return {
            "title": key,
            "text": f"{found.plain}. Measured on {DATA[found.data]}.",
            "formula": found.formula,
            "unit": "" if found.unit == "1" else found.unit,
            "source": found.source,
        }
    if key in OWN:
        title, text = OWN[key]
        return {"title": title, "text": text, "formula": "", "unit": "", "source": ""}
    section, _, name = key.partition(":")
    menus: dict[str, Any] = {
        "score": AnyScore,
        "loss": Loss,
        "activation": Activation,
        "optimizer": Optimizer,
    }
    kind = kind_named(menus[section], name) if section in menus and name else None
    if kind is None:
        return None
    first, rest = help_of(kind)
    return {"title": f"{section} {name}", "text": first, "formula": rest, "unit": "", "source": ""}
