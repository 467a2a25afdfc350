"""Whether a run has left the numbers it could come back from, and in which layer."""

from collections.abc import Callable, Mapping
from math import isfinite

import torch
from torch import Tensor

from nnlab.training.progress import Progress

FAR = 1e6
"""Training loss beside the first one, or weights beside the first weights and beside length 1.

Adam's updates are bounded whatever the gradient is, so that with an absurd rate the loss may stay
finite; losses that are bounded (quadratic behind a sigmoid) always do.
"""


def lost(
    progress: Progress, state: Callable[[], Mapping[str, Tensor]], *, descends: bool
) -> str | None:
    """What has gone off, in words; None where nothing has.

    Args:
        progress: with the latest readings.
        state: the tensors of the step; asked only where something has, and then read.
        descends: whether the step follows a loss down. Hebb's rule follows none: that its weights
            grow without bound is what it does.
    """
    for split, values in progress.last.items():
        if not isfinite(values["loss"]):
            return f"the {split} loss is not finite{_where(state())}"
    if not descends:
        return None
    values = progress.last.get("train", {})
    for key, norm in values.items():
        name, _, weight = key.partition("/")
        if name != "weight_norm":
            continue
        layer = weight.partition("_")[2].rpartition(".")[0]
        if not isfinite(norm):
            return f"the weights of {layer} are not finite"
        if norm > FAR and values.get(f"distance/{weight}", 0.0) > FAR:
            return f"the weights of {layer} are {norm:.1g} long, far from the first ones"
    first = progress.first_loss
    if first is not None and values and values["loss"] > FAR * max(abs(first), 1.0):
        return f"the train loss is {values['loss'] / max(abs(first), 1.0):.1g} times the first one"
    return None


def _where(state: Mapping[str, Tensor]) -> str:
    """The first layer, from the input on, whose weights are not finite, in words."""
    # Where weights are averaged, model/ is the average.
    part = "trained/" if any(name.startswith("trained/") for name in state) else "model/"
    for name, tensor in state.items():
        if not name.startswith(part) or not tensor.is_floating_point():
            continue
        if not bool(torch.isfinite(tensor).all()):
            return f", nor are the weights of {name.removeprefix(part).rpartition('.')[0]}"
    return ""
