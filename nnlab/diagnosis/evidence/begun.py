"""What is known of a run that began from weights trained before (`model.from`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Forgotten(NamedTuple):
    """The data of the source, asked with its own output layer.

    Attributes:
        score: which one; a higher value is better.
        before: of the source.
        after: of the source with the layers as they are now.
        blind: of a guess that never looks at the inputs.
    """

    score: str
    before: float
    after: float
    blind: float

    @property
    def share(self) -> float:
        """How much of what the source knew is gone: 0 nothing, 1 all."""
        known = self.before - self.blind
        return (self.before - self.after) / known if known > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class Begun:
    """Where first weights came from.

    Attributes:
        title: of the file, as messages call it.
        expects: how inputs were scaled there, in words.
        scale: that scale as `data.scale` says it; empty where it has no name.
        scale_off: how far the inputs are from it, in deviations; None where nothing says so.
        forgotten: None as long as nobody has looked.
    """

    title: str
    expects: str
    scale: str
    scale_off: float | None
    forgotten: Forgotten | None = None


def begun_of(env: Mapping[str, Any]) -> Begun | None:
    """From env.json of a run; None for one that initializers began."""
    found = env.get("weights")
    if not found:
        return None
    return Begun(
        title=str(found.get("title", "")),
        expects=str(found.get("expects") or ""),
        scale=str(found.get("scale") or ""),
        scale_off=found.get("scale_off"),
    )
