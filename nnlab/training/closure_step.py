"""The step of an optimizer that evaluates the loss several times in an update: L-BFGS."""

from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor

from nnlab.training.eager_step import EagerStep
from nnlab.training.probes.observation import Observation
from nnlab.training.step import Parts


@final
class LbfgsStep:
    """Updates with a closure: the optimizer asks for loss and gradient as often as it needs.

    The one step that reads from the device in `update`: a line search branches on what it finds.
    Rows, network and objective are the same in all evaluations of an update, and nothing is drawn.

    Args:
        parts: what it is made of, without clipping, augmentation and autocast to fp16; the
            optimizer's `step` takes a closure.
    """

    def __init__(self, parts: Parts) -> None:
        self._eager = EagerStep(parts)
        self._optimizer = self._eager.optimizer
        self.window = self._eager.window

    @property
    def observation(self) -> Observation:
        """What is read of the gradients, by the eager step that this one stands on."""
        return self._eager.observation

    def fill_learning_rate(self, value: float) -> None:
        """Sets the first step that the line search tries."""
        self._eager.fill_learning_rate(value)

    def update(self, rows: Tensor) -> None:
        """Iterations on these rows; the window gets the first evaluation, before any change."""
        eager, seen = self._eager, list[Tensor]()
        evaluations = 0

        def evaluate() -> Tensor:
            nonlocal evaluations
            evaluations += 1
            # Each evaluation is at other weights, and backward adds to the gradient that is there.
            self._optimizer.zero_grad(set_to_none=True)
            objective = eager.evaluate(rows, first=evaluations == 1)
            if evaluations == 1:
                seen.extend(buffer.clone() for buffer in eager.network.buffers())
            return objective

        self._optimizer.step(evaluate)  # pyright: ignore[reportCallIssue, reportArgumentType]
        self._optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            # Running statistics follow the updates, not the trials of a line search.
            for buffer, after_first in zip(eager.network.buffers(), seen, strict=True):
                buffer.copy_(after_first)
        eager.finish()

    def probe(self, rows: Tensor, *, beside: Sequence[Tensor] | None = None) -> None:
        """The gradient norms of these rows, (N,) int64, as the first evaluation will see them."""
        self._eager.probe(rows, beside=beside)

    def read(self) -> dict[str, float]:
        """Means over the window since the last call, and the gradient norms; clears both."""
        return self._eager.read()

    def state(self) -> dict[str, Tensor]:
        """Every tensor that training changes, by name; the optimizer's memory under parameter 0."""
        return self._eager.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restores what `state` returned, from any device.

        Raises:
            RuntimeError: a tensor of the network is missing, or has another shape.
            KeyError: another tensor is missing.
        """
        self._eager.load(state)
