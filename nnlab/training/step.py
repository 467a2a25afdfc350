"""One training step. The loop calls it and knows nothing of what happens inside."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import sqrt
from typing import Any, Protocol, final

import torch
from torch import Tensor, nn

from nnlab.base import seed_for
from nnlab.contracts import AugmentFn, LossFn, Score
from nnlab.training import device as devices
from nnlab.training.averaging import Averaged
from nnlab.training.sources import Source
from nnlab.training.window import Window

Penalty = Callable[[], Tensor]
"""The regularization term of the objective, ()."""
Constraint = Callable[[], None]
"""Puts the weights back to where they may be, after an update."""


class Step(Protocol):
    """What trains. Other implementations are compiled, captured, stacked, or follow other rules."""

    window: Window
    """What is summed between two readings, and over an epoch."""

    def fill_learning_rate(self, value: float) -> None:
        """Sets the rate of the next updates."""
        ...

    def update(self, rows: Tensor) -> None:
        """Learns from these rows (N,): no host read, no branch on a tensor."""
        ...

    def look(self, rows: Tensor) -> None:
        """Probes these rows; changes neither weights nor buffers nor random streams."""
        ...

    def read(self) -> dict[str, float]:
        """What was summed and probed since the last call: the only read-back; clears the window."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Every tensor that training changes, by its name in a checkpoint."""
        ...

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Takes over such a state."""
        ...


@final
class EagerStep:
    """Backpropagation, one operation at a time: the page that one reads.

    Args:
        network: (N, *shape) to (N, K), on the device.
        loss: (N, K) outputs and their batch to (N,).
        optimizer: over the network's parameters.
        source: gives the batch of any rows.
        scores: by their key.
        labels: parameter name -> its key in readings ("00_hidden1.weight").
        learning_rate: the 0-dim tensor that the optimizer reads where it can.
        augment: changes the batch before the forward pass.
        penalty: added to the mean loss.
        clip_norm: the largest allowed norm of the whole gradient.
        constraint: after each update.
        averaged: follows the network; what is evaluated, and the model of a checkpoint.
        autocast: the lower precision of the forward pass; None computes in the parameters' own.
        seeds: of "augment" and "dropout".
        compiled: whether torch.compile makes the forward and backward pass.
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        loss: LossFn,
        optimizer: torch.optim.Optimizer,
        source: Source,
        scores: Mapping[str, Score],
        labels: Mapping[str, str],
        learning_rate: Tensor,
        augment: AugmentFn | None = None,
        penalty: Penalty | None = None,
        clip_norm: float | None = None,
        constraint: Constraint | None = None,
        averaged: Averaged | None = None,
        autocast: torch.dtype | None = None,
        seeds: Mapping[str, int],
        compiled: bool = False,
    ) -> None:
        self.network = network
        self._forward = torch.compile(network) if compiled else network
        self._loss = loss
        self._optimizer = optimizer
        self._source = source
        self._labels = labels
        self._learning_rate = learning_rate
        self._augment = augment
        self._penalty = penalty
        self._clip_norm = clip_norm
        self._constraint = constraint
        self._averaged = averaged
        self._autocast_dtype = autocast
        self._seeds = seeds
        self._named = dict(network.named_parameters())
        self._parameters = list(self._named.values())
        self._device = self._parameters[0].device
        # Only fp16 needs its gradients scaled up: bf16 has float32's range. torch begins at 2^16,
        # where the mean loss of a small network overflows and the first updates are skipped.
        self._scaler = torch.amp.GradScaler(
            self._device.type, enabled=autocast is torch.float16, init_scale=2.0**10
        )
        self._draws = any(
            isinstance(m, nn.RReLU) or (isinstance(m, nn.Dropout) and m.p > 0)
            for m in network.modules()
        )
        self.window = Window(scores, self._device, penalized=penalty is not None)
        self._norms: Tensor | None = None
        self._seen: Window | None = None
        self._scores = scores
        self.count = 0

    def fill_learning_rate(self, value: float) -> None:
        """Fills the tensor, and whatever the groups of the optimizer have in its place."""
        self._learning_rate.fill_(value)
        for group in self._optimizer.param_groups:
            # A group with a base rate of its own follows the schedule's factor: value / base_lr.
            rate = value / group["base_lr"] * group["own_lr"] if "own_lr" in group else value
            if not isinstance(group["lr"], Tensor):
                group["lr"] = rate
            elif group["lr"] is not self._learning_rate:
                group["lr"].fill_(rate)

    def update(self, rows: Tensor) -> None:
        """Gather, scale, augment, forward, backward, clip, optimizer, constraint, average, sums."""
        self._pass(rows, self._forward, self.window)
        if self._clip_norm is not None:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._parameters, self._clip_norm, foreach=True)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        self.finish()

    def finish(self) -> None:
        """What follows every update: the constraint, the average."""
        self.count += 1
        if self._constraint is not None:
            self._constraint()
        if self._averaged is not None:
            self._averaged.update(self.count)

    def evaluate(self, rows: Tensor, *, first: bool) -> Tensor:
        """The objective () and its gradient, in place of `update` where that needs several.

        Only the first evaluation of an update goes into the window.
        """
        return self._pass(rows, self._forward, self.window if first else None)

    def _pass(
        self, rows: Tensor, forward: Callable[[Tensor], Tensor], window: Window | None
    ) -> Tensor:
        """Forward and backward: leaves the (scaled) gradients in the parameters."""
        batch = self._source.gather(rows)
        if self._augment is not None:
            seed = seed_for(self._seeds["augment"], "augment", self.count)
            batch = self._augment(batch, seed)
        if self._draws:
            devices.seed(self._device, seed_for(self._seeds["dropout"], "dropout", self.count))
        with self._autocast():
            outputs = forward(batch.inputs)
        losses = self._loss(outputs, batch)
        objective = losses.mean()
        penalty = None if self._penalty is None else self._penalty()
        if penalty is not None:
            objective = objective + penalty
        self._scaler.scale(objective).backward()
        if window is not None:
            window.add(losses.detach(), outputs.detach(), batch, penalty)
        return objective.detach()

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._autocast_dtype is None:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=self._autocast_dtype)

    def look(self, rows: Tensor) -> None:
        """The gradient norms of this batch, as the next update will see it, before clipping."""
        buffers = [(buffer, buffer.clone()) for buffer in self.network.buffers()]
        seen = Window(self._scores, self._device, penalized=self._penalty is not None)
        self._pass(rows, self.network, seen)
        norms = grad_norms(self._parameters)
        if self._scaler.is_enabled():
            # What the gradients were multiplied by, without GradScaler.get_scale's host read.
            norms = norms / self._scaler.scale(norms.new_ones(()))
        self._norms, self._seen = norms, seen
        self._optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)

    def read(self) -> dict[str, float]:
        """Means of the window (if there was no update, of the batch looked at), gradient norms."""
        window = self.window
        if not window.examples and self._seen is not None:
            window = self._seen
        # One copy from the device brings all of them.
        parts = [window.sums] if self._norms is None else [window.sums, self._norms]
        numbers = torch.cat([part.to(window.sums.dtype) for part in parts]).tolist()
        width = len(window.sums)
        values = window.close(numbers[:width])
        if self._norms is not None:
            norms = numbers[width:]
            values["grad_norm/total"] = sqrt(sum(norm * norm for norm in norms))
            for name, norm in zip(self._named, norms, strict=True):
                values[f"grad_norm/{self._labels[name]}"] = norm
        self._norms = self._seen = None
        return values

    @property
    def _model(self) -> nn.Module:
        """What is evaluated and kept: the network, or the average of its weights."""
        return self.network if self._averaged is None else self._averaged.network

    def state(self) -> dict[str, Tensor]:
        """model/..., optimizer/<parameter>/<name>, scaler/..., window/..., step/count.

        Where weights are averaged, model/ is the average; training goes on with trained/.
        """
        state = {f"model/{name}": tensor for name, tensor in self._model.state_dict().items()}
        if self._averaged is not None:
            state |= {f"trained/{name}": t for name, t in self.network.state_dict().items()}
        for name, parameter in self._named.items():
            for key, value in self._optimizer.state.get(parameter, {}).items():
                state[f"optimizer/{name}/{key}"] = torch.as_tensor(value)
        for key, value in self._scaler.state_dict().items():
            state[f"scaler/{key}"] = torch.tensor(value, dtype=torch.float64)
        state |= self.window.state()
        state["step/count"] = torch.tensor(self.count, dtype=torch.int64)
        return state

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Takes over a state that `state()` gave, on whatever device it is."""
        self._model.load_state_dict(_under("model/", state))
        if self._averaged is not None:
            self.network.load_state_dict(_under("trained/", state))
        groups = {p: group for group in self._optimizer.param_groups for p in group["params"]}
        for name, parameter in self._named.items():
            kept = _under(f"optimizer/{name}/", state)
            if kept:
                self._optimizer.state[parameter] = {
                    key: _like(value, key, parameter, groups[parameter])
                    for key, value in kept.items()
                }
        scaler = {key: value.item() for key, value in _under("scaler/", state).items()}
        if scaler and self._scaler.is_enabled():
            for whole in ("growth_interval", "_growth_tracker"):
                scaler[whole] = int(scaler[whole])
            self._scaler.load_state_dict(scaler)
        self.window.load(state)
        self.count = int(state["step/count"])


def _under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _like(value: Tensor, key: str, parameter: Tensor, group: Mapping[str, Any]) -> Tensor:
    """A copy where the optimizer keeps it: counts stay on the CPU unless a kernel reads them."""
    on_device = group.get("fused") or group.get("capturable")
    stays = not on_device and key in group.get("on_host", ("step",))
    return value.clone() if stays else value.to(parameter.device, copy=True)


def grad_norms(parameters: Sequence[nn.Parameter]) -> Tensor:
    """L2 norm of each parameter's gradient.

    Args:
        parameters: P parameters; one without a gradient counts as 0.

    Returns:
        (P,) float32 on the parameters' device. Nothing waits for the GPU.
    """
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    # The foreach kernel: a handful of launches for all P instead of P launches.
    # test_gradient_norms_equal_those_of_autograd pins it to the plain definition.
    norms = torch._foreach_norm(grads)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    return torch.stack(norms).float()
