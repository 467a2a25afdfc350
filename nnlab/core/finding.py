"""`Finding`: what is wrong with a run, in a form that a person reads and a program takes apart."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Level = Literal["note", "warning", "fault"]
LEVELS: tuple[Level, ...] = ("note", "warning", "fault")
"""note: worth knowing; warning: it costs something; fault: so nothing can be learned."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        name: "vanishing_gradient".
        level: how bad it is.
        layer: where, as `nnlab show` calls it; None for the whole run.
        measured: the number that gave it away; None where it is not finite.
        quantity: what that number is.
        since: the step at which it began.
        meaning: what it means, one or two sentences.
        remedy: changes as `--set` takes them, to be tried together.
        advice: what else to do, where no change of the config says it.
        source: a paper or a book.
        because: names of the findings that this one follows from; it has no remedy then.
        limit: from where on the number is one; None where it is not judged by one limit.
        tried: what a short trial of the remedy showed; empty where none was made.
    """

    name: str
    level: Level
    layer: str | None
    measured: float | None
    quantity: str
    since: int
    meaning: str
    remedy: tuple[str, ...] = ()
    advice: str = ""
    source: str = ""
    because: tuple[str, ...] = ()
    limit: float | None = None
    tried: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """What `plain` took apart.

        Raises:
            TypeError: it is none.
        """
        known: dict[str, Any] = {**values}
        known["remedy"] = tuple(known["remedy"])
        known["because"] = tuple(known.get("because", ()))
        return cls(**known)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "remedy": list(self.remedy), "because": list(self.because)}

    def brief(self) -> dict[str, Any]:
        """What a summary says of it."""
        return {key: getattr(self, key) for key in ("name", "level", "layer", "since")}

    @property
    def title(self) -> str:
        """As in: vanishing gradient."""
        return self.name.replace("_", " ")

    @property
    def flags(self) -> str:
        """The remedy as it can be pasted behind a command."""
        return " ".join(map(self.quoted, self.remedy))

    @staticmethod
    def quoted(change: str) -> str:
        """One change as a flag, in quotes where a shell would take it apart."""
        from shlex import quote

        return f"--set {quote(change)}"

    @property
    def number(self) -> str:
        """What was measured, as a person reads it: a count whole, else three digits."""
        return "" if self.measured is None else _shown(self.measured)

    @property
    def measure(self) -> str:
        """As in "share of units that are 0 on every example: 0.82 (limit 0.5)"."""
        limit = "" if self.limit is None else f" (limit {_shown(self.limit)})"
        return f"{self.quantity}: {self.number}{limit}"

    @property
    def line(self) -> str:
        """All of it in one line, for the course of a run."""
        where = f" in {self.layer}" if self.layer else ""
        number = "" if self.measured is None else f" ({self.measure})"
        way = f"; try {self.flags}" if self.remedy else f"; {self.advice}" if self.advice else ""
        if self.because:
            way = f"; explained by: {', '.join(name.replace('_', ' ') for name in self.because)}"
        return (
            f"{self.level}: {self.title}{where} since step {self.since:,}{number}: "
            f"{self.meaning}{way}"
        )

    def worse_than(self, level: Level) -> bool:
        """Whether it is worse than one of this level."""
        return LEVELS.index(self.level) > LEVELS.index(level)


def _shown(value: float) -> str:
    whole = value.is_integer() and abs(value) < 1e15
    return f"{value:,.0f}" if whole else f"{value:.3g}"
