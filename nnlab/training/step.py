"""One training step. The loop calls it and knows nothing of what happens inside."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from torch import Tensor

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

    def look(self, rows: Tensor, *, beside: Sequence[Tensor] | None = None) -> None:
        """Probes these rows; changes neither weights nor buffers nor random streams.

        Args:
            rows: (N,) of the next update.
            beside: other batches of the window, for a close look; None for a glance.
        """
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
