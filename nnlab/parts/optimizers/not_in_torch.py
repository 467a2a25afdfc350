"""Optimizers that torch.optim has not, or not in a form that a step can use."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast, final

import torch
from torch import Tensor
from torch.optim import LBFGS, Optimizer

from nnlab.core.lazy import optimizer_step


@final
class BetaPair(Optimizer):
    """Several optimizers as one: their groups behind each other, one state.

    Args:
        parts: at least one; no parameter is in two of them.
    """

    def __init__(self, parts: Sequence[Optimizer]) -> None:
        groups = [group for part in parts for group in part.param_groups]
        super().__init__([{**group} for group in groups], {})
        self._parts = parts
        # The same objects, so that a rate that is set or a state that is loaded is theirs.
        self.param_groups = groups
        for part in parts:
            part.state = self.state

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One update of each."""
        assert closure is None
        for part in self._parts:
            optimizer_step(part)


@final
class Adafactor(Optimizer):
    """torch.optim.Adafactor with all that it computes left on the device.

    torch's reads two norms of each parameter back in every update. test_optimizers.py holds this
    one to it.

    Args:
        params: groups of parameters.
        lr: upper bound of the relative step; a 0-dim tensor can be changed between updates.
        beta2_decay: the means forget with 1 - t^beta2_decay.
        eps: lower bound of a parameter's scale.
        d: the largest root mean square of an update before the rate.
    """

    def __init__(
        self, params: Any, lr: float | Tensor, *, beta2_decay: float, eps: float, d: float
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": 0.0})
        self._beta2_decay = beta2_decay
        self._eps = eps
        self._d = d

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One update of every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for parameter in cast("list[Tensor]", group["params"]):
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group["lr"], group["weight_decay"])

    def _update(self, w: Tensor, g: Tensor, lr: float | Tensor, weight_decay: float) -> None:
        state = self.state[w]
        if not state:
            state |= self._fresh(w)
        step, new = adafactor_formula(
            w, g, state, lr, beta2_decay=self._beta2_decay, eps=self._eps, d=self._d
        )
        if weight_decay:
            w.mul_(1 - lr * weight_decay)
        w.sub_(step.to(w.dtype))
        for key, value in new.items():
            state[key].copy_(value)

    def _fresh(self, w: Tensor) -> dict[str, Tensor]:
        step = torch.zeros((), dtype=torch.float32, device=w.device)
        if w.ndim < 2:
            return {"step": step, "variance": torch.zeros_like(w)}
        rows, columns = (
            w.new_zeros((*w.shape[:-1], 1)),
            w.new_zeros((*w.shape[:-2], 1, w.shape[-1])),
        )
        return {"step": step, "row_var": rows, "col_var": columns}


def adafactor_formula(
    w: Tensor,
    g: Tensor,
    state: Mapping[str, Tensor],
    lr: float | Tensor,
    *,
    beta2_decay: float,
    eps: float,
    d: float,
) -> tuple[Tensor, dict[str, Tensor]]:
    """What is to be taken off w, and the new state; the arguments are those of `Adafactor`."""
    new = {"step": state["step"] + 1}
    count = new["step"].to(w.dtype)
    forget, relative = count**beta2_decay, count.rsqrt().clamp(max=lr)
    rate = _rms(w).clamp(min=eps) * relative
    # torch's bounds: eps of the dtype below the row means, its square below g^2.
    least = torch.finfo(w.dtype).eps
    if w.ndim >= 2:
        rows = state["row_var"].lerp(g.square().mean(-1, keepdim=True), forget)
        columns = state["col_var"].lerp(g.square().mean(-2, keepdim=True), forget)
        scale = rows @ columns / rows.mean(-2, keepdim=True).clamp(min=least)
        new |= {"row_var": rows, "col_var": columns}
    else:
        scale = new["variance"] = state["variance"].lerp(g.square(), forget)
    update = g * scale.clamp(min=least * least).rsqrt()
    return update * (rate / (_rms(update) / d).clamp(min=1.0)), new


def _rms(tensor: Tensor) -> Tensor:
    return tensor.norm() / tensor.numel() ** 0.5


@final
class Lbfgs(Optimizer):
    """torch.optim.LBFGS whose state consists of tensors between updates, as a checkpoint wants it.

    torch keeps lists, and numbers beside tensors, under the first parameter. Here the lists are
    stacked, a number is a float64 or int64 tensor: it comes back with all its bits.

    Args:
        parameters: at least one.
        options: those of torch.optim.LBFGS.
    """

    def __init__(self, parameters: Sequence[torch.nn.Parameter], **options: Any) -> None:
        self._torch = LBFGS(parameters, **options)
        super().__init__(parameters, {})
        self.param_groups = self._torch.param_groups
        self._first = parameters[0]

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Iterations until one of the bounds is met.

        Args:
            closure: clears the gradients, evaluates the objective and its gradient, and returns it.
        """
        self._torch.state = defaultdict(dict, {self._first: _lists(self.state[self._first])})
        loss = optimizer_step(self._torch, closure)
        self.state[self._first] = _tensors(self._torch.state[self._first])
        return loss


_LISTS = ("old_dirs", "old_stps", "ro")
_SCRATCH = "al"


def _tensors(state: dict[str, Any]) -> dict[str, Tensor]:
    """Without what is empty, and without torch's scratch list."""
    packed: dict[str, Tensor] = {}
    for key, value in state.items():
        if key in _LISTS and value:
            packed[key] = torch.stack(value)
        elif isinstance(value, int | float):
            dtype = torch.float64 if isinstance(value, float) else torch.int64
            packed[key] = torch.tensor(value, dtype=dtype)
        elif isinstance(value, Tensor):
            packed[key] = value
    return packed


def _lists(packed: dict[str, Tensor]) -> dict[str, Any]:
    """What `_tensors` was given."""
    if "n_iter" not in packed:
        return {}
    state: dict[str, Any] = {key: [] for key in _LISTS}
    for key, value in packed.items():
        if key in _LISTS:
            state[key] = [*value.unbind()]
        elif value.dtype == torch.int64 or (value.ndim == 0 and key != "H_diag"):
            # A 0-dim tensor acts as a number of its own precision: t, prev_loss.
            state[key] = value.item()
        else:
            state[key] = value
    return state
