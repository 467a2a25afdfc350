"""What a session of a classroom may take of the machine that all share, and a word for each end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from nnlab.core.errors import ConfigError
from nnlab.experiment.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one session, or of one of its runs.

    Attributes:
        parameters: of a network.
        rows: examples of all splits together.
        updates: of a run; it stops softly there.
        minutes: that a run trains, pauses not counted; it stops softly there.
        disk: MB of all runs and tables of a session.
        memory: MB that the process of a session may take for itself.
        idle: minutes after which a session that nobody uses is parked.
    """

    parameters: int = 1_000_000
    rows: int = 500_000
    updates: int = 500_000
    minutes: float = 30.0
    disk: int = 500
    memory: int = 4_000
    idle: float = 10.0

    @classmethod
    def of(cls, said: Sequence[str]) -> Self:
        """The usual ones with changes, such as rows=5000.

        Raises:
            ConfigError: there is no such limit, or it is no number above 0.
        """
        names = [field.name for field in fields(cls)]
        found: dict[str, float] = {}
        for each in said:
            name, _, value = each.partition("=")
            if name not in names:
                raise ConfigError(f"--limit {each}: {name!r} is not one of {', '.join(names)}")
            try:
                number = float(value)
            except ValueError:
                number = 0.0
            if not 0.0 < number < 1e12:
                raise ConfigError(f"--limit {each}: needs a number above 0 ({name}=1000)")
            found[name] = number if name in ("minutes", "idle") else int(number)
        return replace(cls(), **found)  # pyright: ignore[reportArgumentType]

    def plain(self) -> dict[str, Any]:
        """As a message has it."""
        return asdict(self)

    def excesses(self, experiments: Mapping[str, Experiment]) -> Iterator[str]:
        """What of an experiment is more than a session may have, a sentence each.

        Args:
            experiments: by variant; "" of a file of one run.
        """
        for variant, experiment in experiments.items():
            of = f"{variant}: " if variant else ""
            parameters, rows = experiment.design.parameters, sum(experiment.shape.sizes.values())
            if parameters > self.parameters:
                way = "fewer or narrower layers"
                yield (
                    f"{of}the network has {parameters:,} parameters, this class allows "
                    f"{self.parameters:,} ({way})"
                )
            if rows > self.rows:
                yield (
                    f"{of}these data have {rows:,} rows, this class allows {self.rows:,} "
                    "(data.limit takes fewer)"
                )

    def end_of_run(self, updates: int, seconds: float) -> str | None:
        """Why a run ends here, if it does."""
        if updates >= self.updates:
            return f"this class allows a run {self.updates:,} updates"
        if seconds >= 60.0 * self.minutes:
            return f"this class allows a run {self.minutes:g} minutes"
        return None

    def full(self, used: int) -> str | None:
        """Why nothing more may be written, if that is so.

        Args:
            used: bytes of a session's folder.
        """
        if used < self.disk * 10**6:
            return None
        return f"the {self.disk} MB of this session are used (ask your teacher to make room)"
