"""The step as one compiled call, under the contract of every step."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import final

from torch import Tensor

from nnlab.training.compiled import building
from nnlab.training.compiled.cache import BuiltStep, StepCache
from nnlab.training.compiled.proof import find_fault, first_line
from nnlab.training.compiled.recorded_step import RecordedStep
from nnlab.training.compiled.recording import UpdateFn, begun, record_graph
from nnlab.training.eager_step import EagerStep


@final
class CompiledStep(RecordedStep):
    """The eager step in one call: gather, scale, forward, backward, clip, optimizer, sums.

    What the eager step owns, this one changes in place. The first update of a run, which makes the
    optimizer's state, and a short last batch go through the eager step.

    Args:
        eager: what is computed.
        updated: the optimizer's formula.
        numbers: of the optimizer, which the formula gets as tensors.
        batch_size: of the compiled call.
        threads: of the compiled call.
        recipe: names all that the step was made from; None where that cannot be named.
        cache: of built steps.
    """

    def __init__(
        self,
        eager: EagerStep,
        *,
        updated: UpdateFn,
        numbers: Sequence[float],
        batch_size: int,
        threads: int,
        recipe: str | None,
        cache: StepCache,
    ) -> None:
        super().__init__(eager, updated=updated, numbers=numbers, batch_size=batch_size)
        self._threads = threads
        self._recipe = recipe
        self._cache = cache
        self.built: BuiltStep | None = None
        """What was built; None while the steps are eager."""
        self.cached = False
        """Whether it was there already."""
        self._run: Callable[[list[Tensor]], object] | None = None
        self._held: list[Tensor] | None = None

    def prepare(self, rows: Tensor, note: Callable[[str], None]) -> None:
        """Takes the compiled call from the cache, or builds it; comes before the first update.

        It is trusted once it has made one update as the eager step makes it. Where it cannot be
        had, fails or makes another one, the step stays eager and `note` is told why.

        Args:
            rows: at least a batch of training rows.
            note: shows a sentence.
        """
        if why := self._cache.trusted():
            note(f"compile: the steps are eager, {why}")
            return
        self.built = None if self._recipe is None else self._cache.by_recipe(self._recipe)
        self.cached = self.built is not None
        if self.built is None:
            if building.find_compiler() is None:
                note("compile: the steps are eager, there is no C++ compiler (install g++)")
                return
            try:
                self.built = self._build(rows[: self._size], note)
            except Exception as error:  # torch's compiler raises whatever it likes
                self.built, why = None, first_line(error)
                note(f"compile: the steps are eager, torch could not build them ({why})")
                return
        if fault := self._load(rows[: self._size]):
            self.built = self._run = None
            note(f"compile: the steps are eager, the built one {fault}")

    def _load(self, rows: Tensor) -> str:
        """Takes what was built into use if it proves itself; else what is wrong with it."""
        assert self.built is not None
        try:
            run = building.load_package(self.built.path).run
        except RuntimeError as error:
            return f"cannot be loaded ({first_line(error)})"
        with begun(self.eager, rows):
            # Nobody has filled them yet, and by a rate of 0 it would make another update.
            self._program.fill_rates()

            def call() -> Tensor:
                self.eager.seed()
                run([*self._program.arguments(rows), *self._bound()])
                return self._program.norms

            fault = find_fault(self.eager, rows, call)
        self._run = run
        return fault

    def _build(self, rows: Tensor, note: Callable[[str], None]) -> BuiltStep:
        started, eager = perf_counter(), self.eager
        with begun(eager, rows):
            recording = record_graph(self._program, eager, rows)
        key = building.key_of(recording, self._threads)
        with self._cache.building(key, note) as draft:
            built = self._cache.by_key(key)
            self.cached = built is not None
            if built is None:
                note("compile: builds the step, once for this network (about half a minute)")
                building.build_package(
                    recording, draft, threads=self._threads, scratch=self._cache.scratch
                )
                seconds = perf_counter() - started
                built = self._cache.keep(key, draft, recording.inputs, seconds)
                note(f"compile: built in {seconds:.0f} s")
        if self._recipe is not None:
            self._cache.remember(self._recipe, key)
        return built

    def _unbind(self) -> None:
        self._held = None

    def update(self, rows: Tensor) -> None:
        """Learns from these rows, (N,) int64: one call for a whole batch, else the eager step."""
        eager, program = self.eager, self._program
        if self._run is None or rows.numel() != self._size or eager.count == 0:
            eager.update(rows)
            self._unbind()  # an optimizer may have put new tensors in the place of old ones
            return
        # Looked up by name once, not in each step: the tensors stay the same ones.
        if self._held is None:
            self._held = self._bound()
        # The sums of the window are changed within the call, its counts are numbers of the host.
        eager.seed()
        # One flat list: the machine code knows its inputs by their place alone.
        self._run([*program.arguments(rows), *self._held])
        if eager.observation.awaits_norms:
            eager.observation.note_norms(program.norms)
        eager.window.count(self._size * eager.answers)
        eager.finish()

    def _bound(self) -> list[Tensor]:
        """What the call reads and changes, in its order."""
        assert self.built is not None
        held = self._program.held()
        names = [name for name in self.built.inputs if not name.startswith("argument/")]
        return [held[name].detach() for name in names]
