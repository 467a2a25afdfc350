"""The step as one CUDA graph, under the contract of every step."""

from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor

from nnlab.training.compiled.proof import find_fault
from nnlab.training.compiled.recorded_step import RecordedStep
from nnlab.training.compiled.recording import UpdateFn
from nnlab.training.eager_step import EagerStep


@final
class CapturedStep(RecordedStep):
    """The eager step's kernels, launched by one call instead of one by one.

    No compiler takes part: the graph holds torch's own kernels and the optimizer's formula. It is
    captured at the second update of a run, when the optimizer's state is there; a short last batch
    goes through the eager step. Ng et al. 2021, "Accelerating PyTorch with CUDA Graphs".

    Args:
        eager: what is computed, on a CUDA device.
        updated: the optimizer's formula.
        numbers: of the optimizer, which the formula gets as tensors.
        batch_size: of a captured call.
    """

    def __init__(
        self, eager: EagerStep, *, updated: UpdateFn, numbers: Sequence[float], batch_size: int
    ) -> None:
        super().__init__(eager, updated=updated, numbers=numbers, batch_size=batch_size)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._arguments: list[Tensor] = []
        self._held: list[int] = []
        self._moved = True
        self._note: Callable[[str], None] = lambda _: None
        self._failed = self._proven = False
        self.launches = 0

    def prepare(self, rows: Tensor, note: Callable[[str], None]) -> None:  # noqa: ARG002
        """Nothing is built beforehand; `note` is told if a capture fails."""
        self._note = note

    def _unbind(self) -> None:
        self._held, self._moved = [], True

    def update(self, rows: Tensor) -> None:
        """One launch for a whole batch."""
        eager = self.eager
        if self._failed or len(rows) != self._size or eager.count == 0:
            eager.update(rows)
            # An optimizer may have put new tensors in the place of old ones.
            self._moved = True
            return
        arguments = self._program.arguments(rows)
        # Behind eager steps alone: to ask every tensor for its address would cost in each step.
        if self._moved and self._held != self._addresses():
            self._graph = self._captured(arguments)
            if self._graph is not None and not self._proven:
                self._prove(rows, self._graph)
        self._moved = False
        if self._graph is None:
            eager.update(rows)
            return
        eager.seed()
        for place, argument in zip(self._arguments, arguments, strict=True):
            # The graph reads its arguments where they lay when it was captured.
            place.copy_(argument, non_blocking=True)
        self._graph.replay()
        self.launches += 1
        if eager.observation.awaits_norms:
            eager.observation.note_norms(self._program.norms)
        self.window.count(self._size * eager.answers)
        eager.finish()

    def _captured(self, arguments: list[Tensor]) -> torch.cuda.CUDAGraph | None:
        """The graph of the program on copies of these arguments; None where there can be none."""
        self._to_device()
        # Memory of their own: that of a batch goes back behind its step.
        self._arguments = [argument.clone() for argument in arguments]
        counts = self.window.examples, self.window.batches
        graph = torch.cuda.CUDAGraph()
        try:
            # Capturing carries nothing out: only the counts on the host move. Other threads go on:
            # the one that pins streamed batches asks the device for memory meanwhile.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._program(*self._arguments)
        except RuntimeError as error:
            self._failed = True
            reason = str(error).splitlines()[0][:200]
            self._note(f"compile: the steps are eager, they cannot be captured ({reason})")
            return None
        finally:
            self.window.examples, self.window.batches = counts
            for parameter in self.eager.network.parameters():
                # What a capture allocates lies in the graph's own memory, and no eager step may
                # hold it.
                parameter.grad = None
        self._held = self._addresses()
        return graph

    def _prove(self, rows: Tensor, graph: torch.cuda.CUDAGraph) -> None:
        """Trusts the graph once it has made one update as the eager step makes it."""

        def call() -> Tensor:
            self.eager.seed()
            graph.replay()
            return self._program.norms

        fault = find_fault(self.eager, rows, call)
        if fault:
            self._graph, self._failed = None, True
            self._note(f"compile: the steps are eager, the captured one {fault}")
        self._proven = True

    def _to_device(self) -> None:
        """Counts that an optimizer keeps on the host would be frozen into the graph."""
        for state in self.eager.optimizer.state.values():
            for key, value in state.items():
                if isinstance(value, Tensor) and value.device != self.eager.device:
                    state[key] = value.to(self.eager.device)

    def _addresses(self) -> list[int]:
        return [tensor.data_ptr() for tensor in self._program.held().values()]
