"""What a person sees of a comparison: a line for each run as it ends, above a bar."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, final

from nnlab.comparison.comparison import Comparison, Member
from nnlab.core.events import EpochEnd, Reading
from nnlab.core.finding import Finding
from nnlab.core.text import short_path
from nnlab.core.wrap import write_wrapped
from nnlab.display.shown_summary import ShownSummary, four_digits
from nnlab.display.views import RunAbout, View, calm_stream
from nnlab.runs.folder.summary import Summary


@final
class ComparisonView:
    """Shows the runs of a comparison on a stream.

    Args:
        quiet: nothing but notes.
        stream: stderr.
    """

    def __init__(self, *, quiet: bool, stream: TextIO) -> None:
        self._quiet = quiet
        self._stream = calm_stream(stream)
        self._bar: Any = None
        self._count = 0
        self._width = 0
        self._total = 0
        self._noted: set[str] = set()

    @contextmanager
    def open(self, comparison: Comparison, folder: Path, asked: str = "") -> Generator[None]:
        """Begins to show, of a lesson with what it asks; stops at the end of the block."""
        self._total = len(comparison.members)
        self._width = max(len(member.name) for member in comparison.members)
        variants = len(comparison.config.names)
        sizes = f"{_count(variants, 'variant')}, {_count(self._total // variants, 'seed')}"
        if not self._quiet:
            self.write(f"{comparison.name}: {_count(self._total, 'run')} ({sizes})")
            self.write(short_path(folder))
            if asked:
                self.write(f"\n{asked}\n")
            if self._stream.isatty():
                self._bar = _bar(self._stream)
        try:
            yield
        finally:
            bar, self._bar = self._bar, None
            if bar is not None:
                bar.stop()

    def member(self, member: Member) -> View:
        """The view of one of its runs."""
        return _MemberView(self, member)

    def began(self, member: Member, about: RunAbout) -> None:
        """A run begins: its steps move the bar."""
        if self._bar is not None:
            self._bar.show(f"{member.name} ({self._count + 1}/{self._total})", about)

    def ended(self, member: Member, summary: Summary) -> None:
        """A run has ended, or was there already."""
        self._count += 1
        if not self._quiet:
            number = f"{self._count:>{len(str(self._total))}}/{self._total}"
            numbers = "  ".join(_numbers(summary))
            seconds = f"{summary.seconds.get('total', 0.0):.1f} s"
            status = summary.status.replace("_", " ")
            wrong = {f["name"] for f in summary.findings if f["level"] != "note"}
            found = f"  {_count(len(wrong), 'finding')} (nnlab doctor)" if wrong else ""
            name = f"{member.name:<{self._width}}"
            self.write(f"{number}  {name}  {status}  {numbers}  {seconds}{found}")

    def note_once(self, member: Member, text: str) -> None:
        """Notes what may hold for several runs at the first of them."""
        if text not in self._noted:
            self._noted.add(text)
            rest = " (shown for the first run only)" if self._total > 1 else ""
            self.write(f"{member.name}: {text}{rest}")

    def summary(self, text: str) -> None:
        """Writes the summary; comes after the runs."""
        if not self._quiet:
            self._stream.write(text)
            self._stream.flush()

    def write(self, text: str) -> None:
        """Writes a line above the bar."""
        if self._bar is not None:
            self._bar.print(text)
            return
        write_wrapped(self._stream, text)


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _numbers(summary: Summary) -> list[str]:
    """As in: loss 0.1230 (val 0.1400)."""
    found: dict[str, list[str]] = {}
    for split, label in (("train", ""), ("validation", "val ")):
        entry: Mapping[str, Any] = summary.last.get(split) or {}
        values: dict[str, Any] = {"loss": entry.get("loss"), **(entry.get("scores") or {})}
        for key, value in values.items():
            text = "not finite" if value is None else four_digits(value)
            found.setdefault(key, []).append(f"{label}{text}")
    return [
        f"{key} {texts[0]}" + (f" ({', '.join(texts[1:])})" if texts[1:] else "")
        for key, texts in found.items()
    ]


def _bar(stream: TextIO) -> Any:
    from nnlab.display.live import ComparisonBar

    return ComparisonBar(stream)


@final
class _MemberView:
    """One run: its notes are told, its readings are not."""

    def __init__(self, comparison: ComparisonView, member: Member) -> None:
        self._comparison = comparison
        self._member = member

    def start(self, about: RunAbout) -> None:
        """Moves the bar."""
        self._comparison.began(self._member, about)

    def reading(self, reading: Reading) -> None:
        """Says nothing."""

    def note(self, text: str) -> None:
        """Writes it, with the run's name."""
        self._comparison.write(f"{self._member.name}: {text}")

    def finding(self, finding: Finding) -> None:
        """Says nothing: the line of the run counts them."""

    def epoch(self, event: EpochEnd) -> None:
        """Says nothing."""

    def finish(self) -> None:
        """Says nothing: the comparison does."""

    def summary(self, shown: ShownSummary) -> None:
        """Says nothing."""
