"""What is read of a step beside its updates: sums, gradient norms, and what probes see."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from math import hypot
from typing import final

import torch
from torch import Tensor, nn

from nnlab.core.contracts import Score
from nnlab.training.probes.gradients import tensor_norms
from nnlab.training.probes.no_trace import kept_buffers
from nnlab.training.probes.probes import Probes
from nnlab.training.window import Window

GradientsFn = Callable[[Tensor, Window | None], list[Tensor]]
"""(rows (N,), window) to the gradients there, one for each parameter; adds the batch's sums to the
window, and leaves the parameters without a gradient."""


@final
class Observation:
    """What a step of backpropagation remembers between `probe` and `read`.

    An update is probed in one of two ways. The cheap one costs no pass: the batch is remembered,
    and the update that follows hands over the norms of the gradients that it computes anyway. The
    full one runs forward and backward once more before the update, on its batch and on others, for
    the probes to see gradients and weights as they are; the update then computes the same again.

    Args:
        network: what is trained.
        window: sums of the updates.
        scores: by their key.
        labels: parameter name -> its key in readings ("00_hidden1.weight").
        probes: what a full probe sees beside the gradients' norms; None for nothing.
        penalized: whether batches come with a penalty.
        scaled: whether the gradients of an update are scaled up, so that their norms are of no use.
        clips: whether `clipped` is read.
    """

    def __init__(
        self,
        network: nn.Module,
        window: Window,
        *,
        scores: Mapping[str, Score],
        labels: Mapping[str, str],
        probes: Probes | None,
        penalized: bool,
        scaled: bool,
        clips: bool,
    ) -> None:
        self.clipped = torch.zeros_like(window.sums[0])
        """(): updates of the window whose gradient was shortened."""
        self._network = network
        self._window = window
        self._scores = scores
        self._keys = [f"grad_norm/{labels[name]}" for name, _ in network.named_parameters()]
        self._probes = probes
        self._penalized = penalized
        self._scaled = scaled
        self._clips = clips
        self._norms: Tensor | None = None
        self._awaited: Tensor | None = None
        self._seen: Window | None = None
        self._probing: Probes | None = None
        self.kept_norms: Tensor | None = None
        """(P,): gradient norms of the update that kept them last, before clipping."""
        self._keeping = False

    def keep_norms(self) -> None:
        """Asks the next update for its gradient norms, without a pass and without a reading.

        For who watches between the readings, as often as it likes: what is read stays the same
        bits. `kept_norms` are there after the update; where gradients are scaled up there are
        none.
        """
        self._keeping = not self._scaled

    def probe(
        self, rows: Tensor, beside: Sequence[Tensor] | None, gradients_at: GradientsFn
    ) -> None:
        """Probes the batch of the next update, before it is made.

        Args:
            rows: (N,) of the next update.
            beside: other batches of the window, for a full probe; None for a cheap one.
            gradients_at: runs forward and backward.
        """
        if beside is None and not self._scaled:
            self._awaited = rows
        else:
            self._probe_now(rows, beside, gradients_at)

    @property
    def awaits_norms(self) -> bool:
        """Whether the next update is to hand over its gradient norms."""
        return self._keeping or self._awaited is not None

    def note_norms(self, norms: Tensor) -> None:
        """Takes the gradient norms (P,) of the update at hand, before clipping."""
        if self._keeping:
            self.kept_norms, self._keeping = norms.float().clone(), False
        # A reading takes its own, or after a full probe none at all: those are of another pass.
        if self._awaited is not None:
            self._norms, self._awaited = norms.float(), None

    def _probe_now(
        self, rows: Tensor, beside: Sequence[Tensor] | None, gradients_at: GradientsFn
    ) -> None:
        # Sums of its own: the update will add the same batch to the step's window once more.
        seen = Window(self._scores, self._window.sums.device, penalized=self._penalized)
        probing = self._probes if beside is not None else None
        # A pass in training mode moves the running statistics of batch norms.
        with kept_buffers(self._network):
            gradients = gradients_at(rows, seen)
            self._norms, self._seen = tensor_norms(gradients).float(), seen
            if probing is not None:
                others = (beside or ())[: probing.batches - 1]
                probing.before([gradients, *(gradients_at(other, None) for other in others)])
        self._probing = probing

    def read(self, gradients_at: GradientsFn) -> dict[str, float]:
        """Means of the window (if there was no update, of the batch probed), what was probed."""
        if (rows := self._awaited) is not None:
            # No update followed the cheap probe, as before the first one: it needs its own pass.
            self._awaited = None
            self._probe_now(rows, None, gradients_at)
        window, updated = self._window, self._window.examples > 0
        if not updated and self._seen is not None:
            window = self._seen
        # After the update: what a probe says of it (update_ratio) needs the weights on both sides.
        probing, self._probing = self._probing, None
        inside = {} if probing is None else probing.after(updated=updated)
        norms = [] if self._norms is None else [self._norms]
        # One copy from the device brings all of them.
        probed = [torch.stack([x.float() for x in inside.values()])] if inside else []
        parts = [window.sums, self.clipped.view(1), *norms, *probed]
        numbers = iter(torch.cat([part.to(window.sums.dtype) for part in parts]).tolist())
        batches = window.batches
        # From here on in the order in which they were put together: each takes its numbers.
        values = window.end(list(islice(numbers, len(window.sums))))
        clipped = next(numbers)
        if self._clips and updated:
            values["clipped"] = clipped / batches
        if norms:
            found = list(islice(numbers, len(self._keys)))
            values["grad_norm/total"] = hypot(*found)
            values |= zip(self._keys, found, strict=True)
        values |= zip(inside, numbers, strict=True)
        self.clipped.zero_()
        self._norms = self._seen = None
        return values
