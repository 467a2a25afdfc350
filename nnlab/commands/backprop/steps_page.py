"""The steps of a recurrent layer on the page, there and back."""

from typing import Any

from nnlab.commands.backprop.through_time import StepsPass
from nnlab.commands.backprop.worksheet import tensor_lines

STATES = "z[t] = W x[t] + b + U h[t-1] + c, h[t] = tanh(z[t]), h[0] = 0"
_SHOWN = 8
"""So many steps are printed."""


def steps_forward_lines(one: StepsPass) -> list[str]:
    """Weights, then the state at every step."""
    layer = one.layer
    size = f"{one.inputs.shape[1]} -> {one.h.shape[1]}, {len(one.h)} steps, f = tanh"
    lines = [f"{layer.name}  {size}"]
    for name, value in (
        ("W", layer.weight_ih),
        ("U", layer.weight_hh),
        ("b", layer.bias_ih),
        ("c", layer.bias_hh),
    ):
        lines += tensor_lines(name, value)
    for t in range(min(_SHOWN, len(one.h))):
        lines += [f"  t = {t + 1}"]
        for name, value in (("x", one.inputs[t]), ("z", one.z[t]), ("h", one.h[t])):
            lines += [f"  {line}" for line in tensor_lines(name, value)]
    return lines + ([f"  ... {len(one.h)} steps"] if len(one.h) > _SHOWN else [])


def steps_backward_lines(one: StepsPass) -> list[str]:
    """The recursion from the last step on, then its sums."""
    rule = "BT1  delta[t] = (dC/dh[t] + U^T delta[t+1]) * (1 - h[t]^2)"
    lines = [f"{one.layer.name}  {rule}"]
    count = len(one.delta)
    for t in list(reversed(range(count)))[:_SHOWN]:
        lines += [f"  t = {t + 1}"]
        for name, value in (("dC/dh", one.above[t]), ("delta", one.delta[t])):
            lines += [f"  {line}" for line in tensor_lines(name, value)]
    lines += [f"  ... {count} steps"] if count > _SHOWN else []
    found = one.gradients
    for name, part in (
        ("BT2 dC/dW = sum of delta[t] x[t]^T", "weight_ih"),
        ("BT3 dC/dU = sum of delta[t] h[t-1]^T", "weight_hh"),
        ("BT4 dC/db = dC/dc = sum of delta[t]", "bias_ih"),
    ):
        lines += [f"  {name}", *tensor_lines("", found[part])]
    return lines


def steps_plain(one: StepsPass) -> dict[str, Any]:
    """What a recurrent layer did step by step, as JSON."""
    return {
        "name": one.layer.name,
        **{part: getattr(one, part).tolist() for part in ("z", "h", "above", "delta")},
        "gradients": {part: value.tolist() for part, value in one.gradients.items()},
    }
