"""What an optimizer remembers, as the tensors of a checkpoint."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


def optimizer_state(
    optimizer: torch.optim.Optimizer, named: Mapping[str, nn.Parameter]
) -> dict[str, Tensor]:
    """optimizer/<parameter>/<name> -> tensor; numbers become tensors."""
    return {
        f"optimizer/{name}/{key}": torch.as_tensor(value)
        for name, parameter in named.items()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizer_state(
    optimizer: torch.optim.Optimizer,
    named: Mapping[str, nn.Parameter],
    state: Mapping[str, Tensor],
) -> None:
    """Takes over what `optimizer_state` gave, on whatever device it is."""
    groups = {p: group for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in named.items():
        kept = under(f"optimizer/{name}/", state)
        if kept:
            optimizer.state[parameter] = {
                key: _like(value, key, parameter, groups[parameter]) for key, value in kept.items()
            }


def under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries below a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _like(value: Tensor, key: str, parameter: Tensor, group: Mapping[str, Any]) -> Tensor:
    """A copy where the optimizer keeps it: counts stay on the CPU unless a kernel reads them."""
    on_device = group.get("fused") or group.get("capturable")
    stays = not on_device and key in group.get("on_host", ("step",))
    return value.clone() if stays else value.to(parameter.device, copy=True)
