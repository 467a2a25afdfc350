"""The training step operation by operation: the page that one reads."""

from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from nnlab.core.contracts import Batch, Carrying, Noise
from nnlab.core.lazy import optimizer_step
from nnlab.core.seeds import seed_for
from nnlab.training import device as devices
from nnlab.training.objective import matmul_precision
from nnlab.training.probes.gradients import clip_gradients, tensor_norms
from nnlab.training.probes.no_trace import foreign
from nnlab.training.probes.observation import Observation
from nnlab.training.step import Parts
from nnlab.training.window import Window, flat_places


@final
class EagerStep:
    """Backpropagation, one operation at a time: the page that one reads.

    An update has three stages: `gradient` of a batch, in parts where it is accumulated; `clip`, on
    the whole of it; `descend`, the optimizer. A compiled step records the same stages.

    Args:
        parts: what it is made of; its optimizer is there.
    """

    def __init__(self, parts: Parts) -> None:
        assert parts.optimizer is not None, "backpropagation needs an optimizer"
        self.network = parts.network
        self.optimizer = parts.optimizer
        self.source = parts.source
        self.answers = parts.answers
        self._parts = parts
        self.augments = parts.augment is not None
        self._named = dict(parts.network.named_parameters())
        self._parameters = list(self._named.values())
        self.device = self._parameters[0].device
        # Only fp16 needs its gradients scaled up: bf16 has float32's range. torch begins at 2^16,
        # where the mean loss of a small network overflows and the first updates are skipped.
        self._scaler = torch.amp.GradScaler(
            self.device.type, enabled=parts.autocast is torch.float16, init_scale=2.0**10
        )
        # A layer of ours draws by row. A module of a user's own may draw as it likes: for it alone
        # torch's generators are seeded, which is work in every step.
        self._noise = Noise(torch.zeros((), dtype=torch.int64, device=self.device))
        self._draws = self._noise.attach(parts.network)
        self._foreign = foreign(parts.network)
        self._carried = {
            f"{name}.{place}": state
            for name, module in parts.network.named_modules()
            if parts.carry and isinstance(module, Carrying)
            for place, state in enumerate(module.carried())
        }
        penalized = parts.penalty is not None
        self.window = Window(parts.scores, self.device, penalized=penalized)
        self.observation = Observation(
            parts.network,
            self.window,
            scores=parts.scores,
            labels=parts.labels,
            probes=parts.probes,
            penalized=penalized,
            scaled=self._scaler.is_enabled(),
            clips=parts.clip_norm is not None,
        )
        self.count = 0
        if parts.freezing is not None:
            parts.freezing.set_at(0)

    def fill_learning_rate(self, value: float) -> None:
        """Fills the tensor, and whatever the groups of the optimizer have in its place."""
        self._parts.learning_rate.fill_(value)
        for group in self.optimizer.param_groups:
            # A group with a base rate of its own follows the schedule's factor: value / base_lr.
            rate = value / group["base_lr"] * group["own_lr"] if "own_lr" in group else value
            if not isinstance(group["lr"], Tensor):
                group["lr"] = rate
            elif group["lr"] is not self._parts.learning_rate:
                group["lr"].fill_(rate)

    def update(self, rows: Tensor) -> None:
        """Gather, scale, augment, forward, backward, clip, optimizer, constraint, average, sums."""
        self._pass(rows, self.window)
        self.clip()
        self.descend()
        self.finish()

    def descend(self) -> None:
        """The optimizer's step, by the gradients that are there; leaves none behind."""
        if self._scaler.is_enabled():
            self._scaler.step(self.optimizer)
            self._scaler.update()
        else:
            optimizer_step(self.optimizer)
        self._forget_gradients()

    def clip(self, *, recorded: bool = False) -> None:
        """Shortens the whole gradient to `clip_norm`, and counts it.

        Args:
            recorded: by operations that can be recorded, and with the limit as a tensor.
        """
        limit = self._parts.clip_norm
        if limit is not None:
            self._scaler.unscale_(self.optimizer)
            if recorded:
                limit = self._parts.numbers["clip_norm"]
                norm = clip_gradients(
                    [p.grad for p in self._parameters if p.grad is not None], limit
                )
            else:
                norm = nn.utils.clip_grad_norm_(self._parameters, limit, foreach=True)
            # Added as a tensor: a branch on the norm would wait for the device in every step.
            self.observation.clipped += norm > limit

    def finish(self) -> None:
        """What follows every update: the constraint, the average."""
        self.count += 1
        if self._parts.constraint is not None:
            self._parts.constraint()
        if self._parts.averaged is not None:
            self._parts.averaged.update(self.count)
        if self._parts.freezing is not None and self._parts.freezing.due(self.count):
            self._parts.freezing.set_at(self.count)

    def evaluate(self, rows: Tensor, *, first: bool) -> Tensor:
        """The objective () and its gradient, in place of `update` where that needs several.

        Only the first evaluation of an update goes into the window.
        """
        return self._pass(rows, self.window if first else None)

    def _pass(self, rows: Tensor, window: Window | None) -> Tensor:
        """Forward and backward: leaves the (scaled) gradients in the parameters."""
        batch = self.batch(rows)
        self.seed()
        found = self.gradient(batch, window)
        # Of the update alone, not of a probe: those are what the reading is about.
        if window is self.window and self.observation.awaits_norms:
            self.observation.note_norms(tensor_norms(self._found()))
        return found

    def gradients(self, rows: Tensor) -> list[Tensor]:
        """Those of an update of these rows, one for each parameter; they stay there for `clip`."""
        self._pass(rows, self.window)
        return self._found()

    def batch(self, rows: Tensor) -> Batch:
        """Gathered, scaled, augmented for the update at hand."""
        batch = self.source.gather(rows)
        if self._parts.augment is None:
            return batch
        return self._parts.augment(
            batch, seed_for(self._parts.seeds["augment"], "augment", self.count)
        )

    def seed(self) -> None:
        """Begins what the forward pass of the update at hand draws, and what an epoch carries."""
        if self._carried and self.count % self._parts.carry == 0:
            for state in self._carried.values():
                # In place: a recorded step reads the state where it lay.
                state.zero_()
        if self._draws or self._foreign:
            seed = seed_for(self._parts.seeds["dropout"], "dropout", self.count)
            self._noise.seed.fill_(seed)
            if self._foreign:
                devices.seed_generators(self.device, seed)

    def gradient(self, batch: Batch, window: Window | None) -> Tensor:
        """Forward and backward on a batch; returns the objective ().

        In parts, each with every n-th example, it is the same gradient up to rounding: a part
        counts by its share of the examples, and the penalty falls once. What looks at a batch as a
        whole, as batch norm does, sees a part.
        """
        count = self._parts.accumulate
        if count == 1:
            return self._differentiate(batch, window, None, penalized=True)
        objective = self._parts.learning_rate.new_zeros((), dtype=self._parameters[0].dtype)
        for number in range(min(count, len(batch.rows))):
            part = _every(batch, number, count)
            share = len(batch.targets)
            # The penalty with the first part alone: the gradients of all parts add up.
            objective += self._differentiate(part, window, share, penalized=number == 0)
        return objective

    def _differentiate(
        self, batch: Batch, window: Window | None, whole: int | None, *, penalized: bool
    ) -> Tensor:
        """Adds the gradient of a batch, or of a part of one of `whole` examples."""
        self._noise.rows = batch.rows
        with matmul_precision(self.device, self._parts.autocast):
            outputs = flat_places(self.network(batch.inputs))
        # Whoever asks the network between two updates is not of these rows.
        self._noise.rows = None
        losses = self._parts.loss(outputs, batch)
        total = losses.mean() if whole is None else losses.sum() / whole
        penalty = self._parts.penalty() if penalized and self._parts.penalty else None
        if penalty is not None:
            total = total + penalty
        self._scaler.scale(total).backward()
        if window is not None:
            window.add(losses, outputs, batch, penalty)
            if not penalized:  # a later part of a batch that has been counted
                window.batches -= 1
        return total.detach()

    @property
    def lower_precision(self) -> bool:
        """Whether matrix products are computed in fewer digits than the weights have."""
        return self._parts.autocast is not None

    def probe(self, rows: Tensor, *, beside: Sequence[Tensor] | None = None) -> None:
        """The gradient norms of this batch, before clipping; with `beside`, what probes see too."""
        self.observation.probe(rows, beside, self._gradients)

    def _gradients(self, rows: Tensor, window: Window | None) -> list[Tensor]:
        """Of the objective at these rows, one for each parameter; leaves none behind."""
        self._pass(rows, window)
        found = self._found()
        self._forget_gradients()
        if not self._scaler.is_enabled():
            return found
        # What they were multiplied by, without GradScaler.get_scale's host read.
        scale = self._scaler.scale(found[0].new_ones((), dtype=torch.float32))
        return [gradient / scale for gradient in found]

    def _forget_gradients(self) -> None:
        # As `zero_grad` does, without the record for a profiler that costs more than the work.
        for parameter in self._parameters:
            parameter.grad = None

    def _found(self) -> list[Tensor]:
        """The gradients as they stand in the parameters."""
        return [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]

    def read(self) -> dict[str, float]:
        """Means of the window (if there was no update, of the batch probed), what was probed."""
        return self.observation.read(self._gradients)

    @property
    def _model(self) -> nn.Module:
        """What is evaluated and kept: the network, or the average of its weights."""
        return self.network if self._parts.averaged is None else self._parts.averaged.network

    def tensors(self) -> dict[str, Tensor]:
        """The tensors themselves that an update reads and changes, by name."""
        network = {**self._named, **dict(self.network.named_buffers())}
        found = {f"model/{name}": tensor for name, tensor in network.items()}
        sums = {"window/sums": self.window.sums, "window/clipped": self.observation.clipped}
        numbers = {f"number/{name}": number for name, number in self._parts.numbers.items()}
        drawn = {"noise/seed": self._noise.seed} if self._draws else {}
        return found | optimizer_state(self.optimizer, self._named) | sums | numbers | drawn

    def state(self) -> dict[str, Tensor]:
        """model/..., optimizer/<parameter>/<name>, scaler/..., window/..., step/count.

        Where weights are averaged, model/ is the average; training goes on with trained/.
        """
        state = {f"model/{name}": tensor for name, tensor in self._model.state_dict().items()}
        if self._parts.averaged is not None:
            state |= {f"trained/{name}": t for name, t in self.network.state_dict().items()}
        state |= optimizer_state(self.optimizer, self._named)
        state |= {f"carry/{name}": carried for name, carried in self._carried.items()}
        for key, value in self._scaler.state_dict().items():
            state[f"scaler/{key}"] = torch.tensor(value, dtype=torch.float64)
        state |= {**self.window.state(), "window/clipped": self.observation.clipped}
        state["step/count"] = torch.tensor(self.count, dtype=torch.int64)
        return state

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restores what `state` returned, from any device.

        Raises:
            RuntimeError: a tensor of the network is missing, or has another shape.
            KeyError: another tensor is missing.
        """
        self._model.load_state_dict(under("model/", state))
        if self._parts.averaged is not None:
            self.network.load_state_dict(under("trained/", state))
        load_optimizer_state(self.optimizer, self._named, state)
        for name, carried in self._carried.items():
            carried.copy_(state[f"carry/{name}"])
        scaler = {key: value.item() for key, value in under("scaler/", state).items()}
        if scaler and self._scaler.is_enabled():
            for whole in ("growth_interval", "_growth_tracker"):
                # Kept as float64 with the others; torch's kernel takes whole numbers alone.
                scaler[whole] = int(scaler[whole])
            self._scaler.load_state_dict(scaler)
        self.window.load(state)
        self.observation.clipped.copy_(state["window/clipped"])
        self.count = int(state["step/count"])
        if self._parts.freezing is not None:
            self._parts.freezing.set_at(self.count)


def _every(batch: Batch, first: int, count: int) -> Batch:
    """Every `count`-th example from the first on, with the answers at all its places."""
    inputs, targets, rows = batch
    if len(targets) != len(rows):
        # Each place has a target of its own, and they lie flat.
        targets = targets.unflatten(0, (len(rows), -1))
    targets = targets[first::count]
    each = targets.flatten(0, 1) if len(batch.targets) != len(rows) else targets
    return Batch(inputs[first::count], each, rows[first::count])


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
    if not on_device and key in group.get("on_host", ("step",)):
        return value.clone()
    if value.shape != parameter.shape:
        return value.to(parameter.device, copy=True)
    # As the parameter lies in memory: a fused kernel goes through both from end to end. A file has
    # tensors in the order of their axes, and images' weights may lie with their channels last.
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
