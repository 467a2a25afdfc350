"""The one way to run a network over a split, and the loss and the scores that come of it.

An evaluation, a report, a picture, a record of examples and a prediction must agree to the bit, so
that precision, threads, modes and batches are decided here and nowhere else.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from nnlab.core.contracts import Batch, Carrying, LossFn, Score, StoredScore
from nnlab.training import device as devices
from nnlab.training.objective import matmul_precision
from nnlab.training.probes.no_trace import (
    foreign,
    kept_generators,
    kept_modes,
    without_side_effects,
)
from nnlab.training.sources import RowSource
from nnlab.training.window import Window, flat_places

_NONE: Mapping[str, StoredScore] = {}

EVALUATION_ELEMENTS = 2**22
"""An evaluation batch holds about this many numbers in its largest layer: 16 MB of float32."""


class Answer(NamedTuple):
    """What a network says of one batch."""

    batch: Batch
    outputs: Tensor
    """(N, K) on the network's device, float32 at least."""


@final
@dataclass(frozen=True, slots=True)
class Forward:
    """A network, asked in the precision that it is trained in.

    Attributes:
        network: (N, *shape) to (N, K).
        autocast: the lower precision of matrix products; None computes in the parameters' own.
        threads: of one operation on the CPU while it is asked; None leaves those of the process,
            as within a run, which has set them.
        carries: whether recurrent layers go on from batch to batch, where every row of one follows
            that of the batch before.
    """

    network: nn.Module
    autocast: torch.dtype | None = None
    threads: int | None = None
    carries: bool = False

    def __call__(self, inputs: Tensor, states: "States | None" = None) -> Tensor:
        """Outputs (N, K) for scaled inputs (N, *shape): running statistics, no dropout.

        Recurrent layers go on with `states` and leave theirs there; without, they begin with 0.

        Every module is put back into the mode that it was in. Whether gradients are recorded is
        the caller's word, as with any torch function.
        """
        # Whoever asks in between, as a score does, is no part of what is carried on.
        with kept_modes(self.network), following(self.network, states):
            self.network.eval()
            return self._outputs(inputs)

    def as_trained(self, inputs: Tensor) -> Tensor:
        """Outputs (N, K) with the statistics of this batch, as an update has them; no dropout.

        Running statistics stay as they are. Whether gradients are recorded is the caller's word.
        """
        with without_side_effects(self.network):
            return self._outputs(inputs)

    @contextmanager
    def over(self, source: RowSource, batches: Sequence[Tensor]) -> Generator[Iterator[Answer]]:
        """The answers to batches of rows (N,), in order, without gradients.

        Use it in a `with` statement: inside, the network is in evaluation mode; afterwards modes,
        threads and torch's generators are as they were, whatever was raised.
        """
        with self._asked():
            source.announce(batches)
            if not self.carries:
                # One by one: a batch is read when its turn comes.
                yield (self._answer(source.gather(rows)) for rows in batches)
                return
            states = States()
            with following(self.network, states):
                yield self._in_turn(source, batches, states)

    def _in_turn(
        self, source: RowSource, batches: Sequence[Tensor], states: "States"
    ) -> Iterator[Answer]:
        before: Tensor | None = None
        for rows in batches:
            # The last batches may be shorter: lanes are not all equally long.
            if before is None or not torch.equal(rows, before[: len(rows)] + 1):
                forget_states(states)
            before = rows
            yield self._answer(source.gather(rows))

    def outputs(
        self, inputs: Tensor, *, batch: int, scale: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """Outputs (N, K) on the CPU for inputs (N, *shape) that are no rows of a split.

        Args:
            inputs: wherever they lie, of any precision; each batch is moved to the network's.
                int64 that are not scaled are tokens, and stay as they are.
            batch: how many go through the network at once.
            scale: makes of inputs, there, what the network sees; None where they are scaled.
        """
        like = next(self.network.parameters())

        def asked(part: Tensor) -> Tensor:
            moved = part.to(like.device)
            # Tokens are numbers of rows of an embedding, never of the network's precision.
            if scale is not None or part.dtype != torch.int64:
                moved = moved.to(like.dtype)
            return self._outputs(moved if scale is None else scale(moved)).cpu()

        with self._asked():
            return torch.cat([asked(part) for part in inputs.split(batch)])

    def _answer(self, batch: Batch) -> Answer:
        return Answer(batch, self._outputs(batch.inputs))

    @contextmanager
    def _asked(self) -> Generator[None]:
        """Evaluation mode, no gradients, the threads; leaves no trace in the network."""
        settings = nullcontext()
        if self.threads is not None:
            settings = devices.torch_settings(threads=self.threads, deterministic=False)
        # A module of a user's own may draw in any mode; ours do not in evaluation mode.
        kept = kept_generators() if foreign(self.network) else nullcontext()
        with settings, kept, kept_modes(self.network), torch.no_grad():
            self.network.eval()
            yield

    def _outputs(self, inputs: Tensor) -> Tensor:
        with matmul_precision(inputs.device, self.autocast):
            outputs = flat_places(self.network(inputs))
        # Whatever follows (losses, probabilities, sums) needs float32's digits.
        return outputs if outputs.dtype == torch.float64 else outputs.float()


States = dict[str, list[tuple[Tensor, ...]]]
"""By a layer's name: the state that its last pass ended with, or nothing."""


@contextmanager
def following(network: nn.Module, states: States | None) -> Generator[None]:
    """Inside, in evaluation mode, recurrent layers go on with the states of the pass before.

    Args:
        network: that is asked.
        states: what the first pass begins with, empty for 0; then what the last one ended with.
            None begins every pass with 0.
    """
    # By the class first: what a protocol asks of a module takes longer than many a layer.
    layers = {
        name: module
        for name, module in network.named_modules()
        if hasattr(type(module), "carry_state") and isinstance(module, Carrying)
    }
    before = {name: layer.following for name, layer in layers.items()}
    for name, layer in layers.items():
        layer.following = None if states is None else states.setdefault(name, [])
    try:
        yield
    finally:
        for name, layer in layers.items():
            layer.following = before[name]


def forget_states(states: States) -> None:
    """The next pass begins with a state of 0."""
    for state in states.values():
        state.clear()


def evaluate_split(
    forward: Forward,
    *,
    loss: LossFn,
    scores: Mapping[str, Score],
    source: RowSource,
    batches: Sequence[Tensor],
    stored: Mapping[str, StoredScore] = _NONE,
) -> dict[str, float]:
    """Means over all examples.

    Args:
        forward: asks the network.
        loss: one loss for each example.
        scores: by their key.
        source: gives the batch of any rows.
        batches: the rows (N,) of each batch, on the device.
        stored: scores of all outputs, which are kept for them alone, by their key.
    """
    window = Window(scores, batches[0].device)
    kept: list[tuple[Tensor, Tensor]] = []
    with forward.over(source, batches) as answers:
        for batch, outputs in answers:
            window.add(loss(outputs, batch), outputs, batch)
            if stored:
                # On the device until all are there: then one copy brings them.
                kept.append((outputs, batch.targets))
    values = window.end(window.sums.tolist())
    if stored:
        outputs, targets = (torch.cat(part).cpu() for part in zip(*kept, strict=True))
        values |= {key: score.value(outputs, targets) for key, score in stored.items()}
    return values
