"""The training step operation by operation: the page that one reads."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from math import hypot
from typing import Any, final

import torch
from torch import Tensor, nn

from nnlab.core.contracts import AugmentFn, Batch, LossFn, Score
from nnlab.core.seeds import seed_for
from nnlab.core.torch_optim import optimizer_step
from nnlab.training import device as devices
from nnlab.training.averaging import Averaged
from nnlab.training.probes.gradients import tensor_norms
from nnlab.training.probes.no_trace import kept_buffers, may_draw
from nnlab.training.probes.probes import Probes
from nnlab.training.sources import RowSource
from nnlab.training.step import Constraint, Penalty
from nnlab.training.window import Window


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
        probes: look into the network where a close look is asked for.
        autocast: the lower precision of the forward pass; None computes in the parameters' own.
        seeds: of "augment" and "dropout".
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        loss: LossFn,
        optimizer: torch.optim.Optimizer,
        source: RowSource,
        scores: Mapping[str, Score],
        labels: Mapping[str, str],
        learning_rate: Tensor,
        augment: AugmentFn | None = None,
        penalty: Penalty | None = None,
        clip_norm: float | None = None,
        constraint: Constraint | None = None,
        averaged: Averaged | None = None,
        probes: Probes | None = None,
        autocast: torch.dtype | None = None,
        seeds: Mapping[str, int],
    ) -> None:
        self.network = network
        self._loss = loss
        self.optimizer = optimizer
        self.source = source
        self._labels = labels
        self._learning_rate = learning_rate
        self._augment = augment
        self.augments = augment is not None
        self._penalty = penalty
        self._clip_norm = clip_norm
        self._constraint = constraint
        self._averaged = averaged
        self._probes = probes
        self._autocast_dtype = autocast
        self._seeds = seeds
        self._named = dict(network.named_parameters())
        self._parameters = list(self._named.values())
        self.device = self._parameters[0].device
        # Only fp16 needs its gradients scaled up: bf16 has float32's range. torch begins at 2^16,
        # where the mean loss of a small network overflows and the first updates are skipped.
        self._scaler = torch.amp.GradScaler(
            self.device.type, enabled=autocast is torch.float16, init_scale=2.0**10
        )
        self._draws = may_draw(network)
        self.window = Window(scores, self.device, penalized=penalty is not None)
        self._clipped = torch.zeros_like(self.window.sums[0])
        self._norms: Tensor | None = None
        self._seen: Window | None = None
        self._glance: Tensor | None = None
        self._close: Probes | None = None
        self._scores = scores
        self.count = 0

    def fill_learning_rate(self, value: float) -> None:
        """Fills the tensor, and whatever the groups of the optimizer have in its place."""
        self._learning_rate.fill_(value)
        for group in self.optimizer.param_groups:
            # A group with a base rate of its own follows the schedule's factor: value / base_lr.
            rate = value / group["base_lr"] * group["own_lr"] if "own_lr" in group else value
            if not isinstance(group["lr"], Tensor):
                group["lr"] = rate
            elif group["lr"] is not self._learning_rate:
                group["lr"].fill_(rate)

    def update(self, rows: Tensor) -> None:
        """Gather, scale, augment, forward, backward, clip, optimizer, constraint, average, sums."""
        self._pass(rows, self.window)
        self.clip()
        if self._scaler.is_enabled():
            self._scaler.step(self.optimizer)
            self._scaler.update()
        else:
            optimizer_step(self.optimizer)
        self.optimizer.zero_grad(set_to_none=True)
        self.finish()

    def clip(self, *, foreach: bool = True) -> None:
        """Shortens the whole gradient to `clip_norm`, and counts it; `foreach`: in one kernel."""
        if self._clip_norm is not None:
            self._scaler.unscale_(self.optimizer)
            norm = nn.utils.clip_grad_norm_(self._parameters, self._clip_norm, foreach=foreach)
            self._clipped += norm > self._clip_norm

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
        return self._pass(rows, self.window if first else None)

    def _pass(self, rows: Tensor, window: Window | None) -> Tensor:
        """Forward and backward: leaves the (scaled) gradients in the parameters."""
        batch = self.batch(rows)
        self.seed()
        objective = self.differentiate(batch, window)
        if window is self.window and self._glance is not None:
            self.glanced(tensor_norms(self._found()))
        return objective

    def batch(self, rows: Tensor) -> Batch:
        """Gathered, scaled, augmented for the update at hand."""
        batch = self.source.gather(rows)
        if self._augment is None:
            return batch
        return self._augment(batch, seed_for(self._seeds["augment"], "augment", self.count))

    def seed(self) -> None:
        """Begins what the forward pass of the update at hand draws."""
        if self._draws:
            devices.seed_generators(
                self.device, seed_for(self._seeds["dropout"], "dropout", self.count)
            )

    def differentiate(self, batch: Batch, window: Window | None) -> Tensor:
        """Forward and backward on a batch; returns the objective ()."""
        with self._autocast():
            outputs = self.network(batch.inputs)
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
        return torch.autocast(self.device.type, dtype=self._autocast_dtype)

    def look(self, rows: Tensor, *, beside: Sequence[Tensor] | None = None) -> None:
        """The gradient norms of this batch, before clipping; a glance leaves them to the update."""
        if beside is None and not self._scaler.is_enabled():
            self._glance = rows
        else:
            self._look(rows, beside)

    @property
    def glances(self) -> bool:
        """Whether the next update is to note its gradient norms."""
        return self._glance is not None

    def glanced(self, norms: Tensor) -> None:
        """Takes the gradient norms (P,) of the update at hand."""
        self._norms, self._glance = norms.float(), None

    def _look(self, rows: Tensor, beside: Sequence[Tensor] | None) -> None:
        """A pass of its own, and what the probes see in it."""
        seen = Window(self._scores, self.device, penalized=self._penalty is not None)
        close = self._probes if beside is not None else None
        with kept_buffers(self.network):
            gradients = self._gradients(rows, seen)
            self._norms, self._seen = tensor_norms(gradients).float(), seen
            if close is not None:
                others = (beside or ())[: close.batches - 1]
                close.before([gradients, *(self._gradients(other, None) for other in others)])
        self._close = close

    def _gradients(self, rows: Tensor, window: Window | None) -> list[Tensor]:
        """Of the objective at these rows, one for each parameter; leaves none behind."""
        self._pass(rows, window)
        found = self._found()
        self.optimizer.zero_grad(set_to_none=True)
        if not self._scaler.is_enabled():
            return found
        # What they were multiplied by, without GradScaler.get_scale's host read.
        scale = self._scaler.scale(found[0].new_ones((), dtype=torch.float32))
        return [gradient / scale for gradient in found]

    def _found(self) -> list[Tensor]:
        """The gradients as they stand in the parameters."""
        return [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]

    def read(self) -> dict[str, float]:
        """Means of the window (if there was no update, of the batch looked at), what was probed."""
        if (rows := self._glance) is not None:
            self._glance = None
            self._look(rows, None)
        window, updated = self.window, self.window.examples > 0
        if not updated and self._seen is not None:
            window = self._seen
        close, self._close = self._close, None
        inside = {} if close is None else close.after(updated=updated)
        norms = [] if self._norms is None else [self._norms]
        # One copy from the device brings all of them.
        probed = [torch.stack([x.float() for x in inside.values()])] if inside else []
        parts = [window.sums, self._clipped.view(1), *norms, *probed]
        numbers = iter(torch.cat([part.to(window.sums.dtype) for part in parts]).tolist())
        batches = window.batches
        values = window.close(list(islice(numbers, len(window.sums))))
        clipped = next(numbers)
        if self._clip_norm is not None and updated:
            values["clipped"] = clipped / batches
        if norms:
            found = list(islice(numbers, len(self._named)))
            values["grad_norm/total"] = hypot(*found)
            keys = (f"grad_norm/{self._labels[name]}" for name in self._named)
            values |= zip(keys, found, strict=True)
        values |= zip(inside, numbers, strict=True)
        self._clipped.zero_()
        self._norms = self._seen = None
        return values

    @property
    def _model(self) -> nn.Module:
        """What is evaluated and kept: the network, or the average of its weights."""
        return self.network if self._averaged is None else self._averaged.network

    def tensors(self) -> dict[str, Tensor]:
        """The tensors themselves that an update reads and changes, by name."""
        network = {**self._named, **dict(self.network.named_buffers())}
        found = {f"model/{name}": tensor for name, tensor in network.items()}
        sums = {"window/sums": self.window.sums, "window/clipped": self._clipped}
        return found | optimizer_state(self.optimizer, self._named) | sums

    def state(self) -> dict[str, Tensor]:
        """model/..., optimizer/<parameter>/<name>, scaler/..., window/..., step/count.

        Where weights are averaged, model/ is the average; training goes on with trained/.
        """
        state = {f"model/{name}": tensor for name, tensor in self._model.state_dict().items()}
        if self._averaged is not None:
            state |= {f"trained/{name}": t for name, t in self.network.state_dict().items()}
        state |= optimizer_state(self.optimizer, self._named)
        for key, value in self._scaler.state_dict().items():
            state[f"scaler/{key}"] = torch.tensor(value, dtype=torch.float64)
        state |= {**self.window.state(), "window/clipped": self._clipped}
        state["step/count"] = torch.tensor(self.count, dtype=torch.int64)
        return state

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Takes over such a state, on whatever device it is."""
        self._model.load_state_dict(under("model/", state))
        if self._averaged is not None:
            self.network.load_state_dict(under("trained/", state))
        load_optimizer_state(self.optimizer, self._named, state)
        scaler = {key: value.item() for key, value in under("scaler/", state).items()}
        if scaler and self._scaler.is_enabled():
            for whole in ("growth_interval", "_growth_tracker"):
                scaler[whole] = int(scaler[whole])
            self._scaler.load_state_dict(scaler)
        self.window.load(state)
        self._clipped.copy_(state["window/clipped"])
        self.count = int(state["step/count"])


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
