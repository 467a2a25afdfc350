"""The run that another goes on from: its folder, its checkpoints, its curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from nnlab.comparison.comparison import settle_source
from nnlab.config.loading import Text
from nnlab.core.errors import ConfigError
from nnlab.runs.folder.pointers import POINTERS, Pointer, pointed_to
from nnlab.runs.start_point import name_of_run, saved_steps
from nnlab.studio.text.forking import changed_text, forked_text

HEARD = frozenset({"scene", "start", "reading", "forked"})
"""Events of a run that say what there is to go on from."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The text of an experiment, and where it belongs.

    Attributes:
        text: YAML.
        file: how to call it in errors.
        folder: where its relative paths start.
        name: that a run gets if the text gives none.
        run: whose config it is; None where it is no run's.
    """

    text: str
    file: str
    folder: Path
    name: str
    run: Path | None = None


@dataclass(frozen=True, slots=True)
class Parent:
    """A run as its session heard of it.

    Attributes:
        folder: of the run.
        total: updates after which it ends; 0 where it ends by time.
        per_epoch: updates of an epoch.
        readings: step, epoch, split and values (loss and score) of its curves, and of those that
            it went on from itself.
    """

    folder: Path
    total: int
    per_epoch: int
    readings: list[dict[str, Any]]

    @classmethod
    def of(cls, events: Sequence[Mapping[str, Any]]) -> Self:
        """The run that told these events.

        Raises:
            ValueError: there was none.
        """
        told = {event["kind"]: event for event in events}
        if "scene" not in told or "start" not in told:
            raise ValueError("there is no run to go on from (Train begins one)")
        keys = {"loss", told["scene"]["score"]}
        own = [_curve_point(event, keys) for event in events if event["kind"] == "reading"]
        before = told["forked"]["readings"] if "forked" in told else []
        first = own[0]["step"] if own else 0
        kept = [reading for reading in before if reading["step"] < first]
        start = told["start"]
        folder = Path(told["scene"]["run"])
        return cls(folder, start["total"] or 0, start["per_epoch"], kept + own)

    def checkpoints(self) -> list[dict[str, Any]]:
        """Step, epoch and names of each, the newest first."""
        named = {name: pointed_to(self.folder / "checkpoints", name) for name in POINTERS}
        return [
            {
                "step": step,
                "epoch": step / self.per_epoch,
                "names": [name for name, to in named.items() if to == f"step-{step:08d}"],
            }
            for step in reversed(saved_steps(self.folder))
        ]

    def checked(self, draft: Draft, message: Mapping[str, Any], overrides: tuple[str, ...]) -> str:
        """The text with its changes, before the run is ended for it.

        Raises:
            ConfigError: it is mistaken, or the checkpoint is not there.
        """
        step, saved = message.get("step", "last"), saved_steps(self.folder)
        if isinstance(step, int) and step not in saved:
            known = ", ".join(map(str, saved))
            raise ConfigError(f"the run has no checkpoint of update {step} (it has {known})")
        text = changed_text(draft.text, [str(change) for change in message.get("changes", ())])
        settle_source(Text(text, draft.file, draft.folder, draft.name), overrides)
        return text

    def forked(self, text: str, message: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The text of the new run, and what the page is told of this one.

        Raises:
            ConfigError: there is no such checkpoint, or the text is mistaken.
        """
        wanted = message.get("step", "last")
        if isinstance(wanted, int):
            step = wanted
        else:
            names: list[Pointer] = [name for name in POINTERS if name == wanted]
            target = pointed_to(self.folder / "checkpoints", names[0] if names else "last")
            if target is None:
                raise ConfigError(f"{self.folder.name}: has saved no checkpoint yet")
            step = int(target[5:])
        run = name_of_run(self.folder)
        text = forked_text(
            text, run, step, message.get("edits", ()), total=self.total, epoch=self.per_epoch
        )
        about = {"run": run, "step": step, "epoch": step / self.per_epoch}
        return text, {**about, "readings": self.readings}


def _curve_point(event: Mapping[str, Any], keys: set[str]) -> dict[str, Any]:
    values = {key: value for key, value in event["values"].items() if key in keys}
    return {**{key: event[key] for key in ("step", "epoch", "split")}, "values": values}
