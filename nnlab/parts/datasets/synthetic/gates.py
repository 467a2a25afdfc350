"""Logic gates: functions of two bits, with all their rows.

To add one: write a class here and name it at the foot of the file.
"""

from typing import ClassVar, Literal, final

from nnlab.core.lazy import np
from nnlab.parts.datasets.family import DataConfig, Form, Place, Table, TableSource


class _GateConfig(DataConfig, frozen=True):
    """A function of two bits: all four rows are in every split, for there are no others."""

    truth: ClassVar[tuple[int, int, int, int]]
    validation: Literal["same", "none"] = "same"  # pyright: ignore[reportIncompatibleVariableOverride]
    """same: all four rows, as there are no others."""
    test: Literal["same", "none"] = "same"  # pyright: ignore[reportIncompatibleVariableOverride]
    """same: all four rows, as there are no others."""

    def form(self, place: Place) -> Form:
        return "points"

    def source(self, place: Place) -> TableSource:
        return TableSource(
            inputs=(2,),
            task="classes",
            outputs=2,
            classes=("0", "1"),
            pool=4,
            columns=("a", "b"),
        )

    def at_hand(self, place: Place) -> Table | None:
        return self.read(place)

    def read(self, place: Place) -> Table:
        bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
        return Table(self.source(place), bits, np.array(self.truth, np.int64))


@final
class XorConfig(_GateConfig, frozen=True):
    """One or the other but not both: no straight line separates it. Minsky & Papert 1969."""

    truth: ClassVar[tuple[int, int, int, int]] = (0, 1, 1, 0)
    kind: Literal["xor"] = "xor"


@final
class AndConfig(_GateConfig, frozen=True):
    """Both: a single unit can learn it. McCulloch & Pitts 1943."""

    truth: ClassVar[tuple[int, int, int, int]] = (0, 0, 0, 1)
    kind: Literal["and"] = "and"


@final
class OrConfig(_GateConfig, frozen=True):
    """At least one: a single unit can learn it. McCulloch & Pitts 1943."""

    truth: ClassVar[tuple[int, int, int, int]] = (0, 1, 1, 1)
    kind: Literal["or"] = "or"


KINDS = (AndConfig, OrConfig, XorConfig)
