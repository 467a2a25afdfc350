"""What texts and series have in common: windows over one sequence, and splits that are blocks."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from nnlab.core.contracts import Split, Windows
from nnlab.core.errors import ConfigError
from nnlab.core.kinds import Forms
from nnlab.core.lazy import np
from nnlab.parts.datasets.checks import digest_of
from nnlab.parts.datasets.family import DataConfig
from nnlab.parts.datasets.split_sizes import FirstRows, rows_wanted
from nnlab.parts.datasets.tables import Place, Table, TableSource


class WindowedConfig(DataConfig, frozen=True):
    """The family of sequences that are read through a window.

    The splits are blocks of the sequence, in this order: training, validation, test. Between two of
    them as many windows are left out as share a step with both.
    """

    window: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Steps that the network sees at once."""
    stride: Annotated[PositiveInt | Literal["auto"], Forms()] = "auto"
    """Steps between two windows; auto: those of a window, so that every step is seen once."""

    @abstractmethod
    def whole(self, place: Place) -> Windows:
        """The sequence with its windows."""

    @abstractmethod
    def about(self, place: Place, windows: Windows) -> TableSource:
        """What the windows hold, without their splits."""

    @property
    def step(self) -> int:
        """Steps between two windows, decided."""
        return self.window if self.stride == "auto" else self.stride

    def split_size(self, split: Literal["validation", "test"]) -> object:
        """What is asked for a split; auto for the test split is a tenth."""
        size = self.validation if split == "validation" else self.test
        return 0.1 if size == "auto" else size

    def settled(self, place: Place) -> Mapping[str, object]:
        return {"stride": self.step, "test": self.split_size("test")}

    def source(self, place: Place) -> TableSource:
        windows = self.whole(place)
        return self._split(windows, self.about(place, windows))

    def read(self, place: Place) -> Table:
        windows = self.whole(place)
        source = self._split(windows, self.about(place, windows))
        digest = digest_of(windows.series, windows.targets)
        inputs, targets = windows.inputs_view(), windows.targets_view()
        if not source.places:
            targets = np.ascontiguousarray(targets, dtype=np.float32)
        return Table(source, inputs, targets, digest=digest, windows=windows)

    def _split(self, windows: Windows, about: TableSource) -> TableSource:
        blocks = self.blocks(windows)
        pool = sum(len(block) for block in blocks.values())
        return TableSource(
            inputs=about.inputs,
            task=about.task,
            outputs=about.outputs,
            classes=about.classes,
            columns=about.columns,
            pool=pool,
            places=about.places,
            blocks=blocks,
            naive=about.naive,
        )

    def blocks(self, windows: Windows) -> dict[Split, range]:
        """The windows of each split: training first, so that what is told lies in the future.

        Raises:
            ConfigError: the sequence is too short for them.
        """
        count = windows.examples
        gap = -(-windows.span // windows.stride) - 1
        blocks: dict[Split, range] = {}
        end = count
        order: tuple[Literal["test", "validation"], ...] = ("test", "validation")
        for split in order:
            size = self.split_size(split)
            if size == "none":
                continue
            wanted = rows_wanted(size, count)
            if wanted is None:
                way = "a fraction, a count, or none"
                raise ConfigError(f"data.{split}: {self.kind} has blocks of its windows ({way})")
            blocks[split] = range(max(end - wanted, 0), end)
            end = blocks[split].start - gap
        if end < 1 or any(not block for block in blocks.values()):
            steps, least = len(windows.series), (len(blocks) + 1) * (windows.span + windows.stride)
            text = f"{steps} steps give {count} windows of {windows.span}, too few for the splits"
            raise ConfigError(f"data.window: {text} (a smaller window; {least} steps would do)")
        return {"train": range(self._first(end)), **dict(reversed(blocks.items()))}

    def _first(self, most: int) -> int:
        limit = self.limit.first if isinstance(self.limit, FirstRows) else self.limit
        return most if limit is None else min(limit, most)
