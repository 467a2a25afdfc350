"""A run as the page hears of it: the readings, notes and findings that every view gets."""

from dataclasses import asdict
from typing import final

from nnlab.core.events import EpochEnd, Reading
from nnlab.core.finding import Finding
from nnlab.display.shown_summary import ShownSummary
from nnlab.display.views import RunAbout
from nnlab.studio.worker.eyes import Eyes
from nnlab.studio.worker.post import Post


@final
class PageView:
    """Hands what happens on, as events.

    Args:
        post: where they go.
    """

    def __init__(self, post: Post) -> None:
        self._post = post
        self.eyes: Eyes | None = None
        """Are told of readings, once they are open."""

    def start(self, about: RunAbout) -> None:
        """What will be trained, and where it goes."""
        self._post.event(
            "start",
            name=about.name,
            folder=str(about.folder or ""),
            device=about.device,
            parameters=about.parameters,
            total=about.steps_total,
            per_epoch=about.steps_per_epoch,
            sizes=dict(about.sizes),
            remark=about.remark,
            layers=dict(about.layers),
        )

    def reading(self, reading: Reading) -> None:
        """All numbers of it."""
        if self.eyes is not None:
            self.eyes.see(reading)
        self._post.event(
            "reading",
            step=reading.step,
            epoch=reading.epoch,
            split=reading.split,
            values=dict(reading.values),
        )

    def note(self, text: str) -> None:
        """A sentence that must not be lost."""
        self._post.event("note", text=text)

    def finding(self, finding: Finding) -> None:
        """What is wrong, and what would cure it."""
        self._post.event("finding", **finding.plain(), title=finding.title, flags=finding.flags)

    def epoch(self, event: EpochEnd) -> None:
        """Its readings have said it."""

    def finish(self) -> None:
        """The summary follows."""

    def summary(self, shown: ShownSummary) -> None:
        """How it ended."""
        self._post.event("summary", **asdict(shown))
