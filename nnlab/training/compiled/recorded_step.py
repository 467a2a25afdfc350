"""What a compiled and a captured step share: the program they record, and the eager step below."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from nnlab.training.compiled.recording import Program, UpdateFn
from nnlab.training.eager_step import EagerStep
from nnlab.training.probes.observation import Observation
from nnlab.training.sources import HeldSource


class RecordedStep(ABC):
    """The family of steps that make a whole batch by one recorded call.

    What the eager step owns, they change in place; it probes, reads and keeps the state, so that
    either can go on where the other ended.

    Args:
        eager: what is computed.
        updated: the optimizer's formula.
        numbers: of the optimizer, which the formula gets as tensors.
        batch_size: of a recorded call.
    """

    def __init__(
        self, eager: EagerStep, *, updated: UpdateFn, numbers: Sequence[float], batch_size: int
    ) -> None:
        self.eager = eager
        self.window = eager.window
        resident = isinstance(eager.source, HeldSource)
        # An augmentation is seeded by a number that changes with every step.
        self._program = Program(
            eager, updated, numbers=numbers, gathers=resident and not eager.augments
        )
        self._size = batch_size

    @abstractmethod
    def prepare(self, rows: Tensor, note: Callable[[str], None]) -> None:
        """Makes the recorded call ready, where that can be; comes before the first update.

        Args:
            rows: at least a batch of training rows.
            note: shows a sentence, such as why the steps stay eager.
        """

    @abstractmethod
    def update(self, rows: Tensor) -> None:
        """Learns from these rows, (N,) int64: one call for a whole batch, else the eager step."""

    @abstractmethod
    def _unbind(self) -> None:
        """Lets go of the tensors that a call was bound to: others may be in their place."""

    @property
    def observation(self) -> Observation:
        """What is read of the gradients, by the eager step that this one stands on."""
        return self.eager.observation

    def fill_learning_rate(self, value: float) -> None:
        """Sets the rate of whole batches, here, and of the rest, which the eager step takes."""
        self.eager.fill_learning_rate(value)
        # The formula of a recorded call reads tensors of its own, not the groups.
        self._program.fill_rates()

    def probe(self, rows: Tensor, *, beside: Sequence[Tensor] | None = None) -> None:
        """Probes these rows by the eager step: nothing that training goes on with changes.

        Args:
            rows: (N,) int64, those of the next update.
            beside: other batches of the window, for a full probe; None for a cheap one.
        """
        self.eager.probe(rows, beside=beside)

    def read(self) -> dict[str, float]:
        """What was summed and probed since the last call, as numbers; clears the window."""
        return self.eager.read()

    def state(self) -> dict[str, Tensor]:
        """Every tensor that training changes, named as an eager step names it: either can go on."""
        return self.eager.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restores what `state` returned, of this step or of an eager one, from any device.

        Raises:
            RuntimeError: a tensor of the network is missing, or has another shape.
            KeyError: another tensor is missing.
        """
        self.eager.load(state)
        self._unbind()
