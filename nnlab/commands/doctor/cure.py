"""`nnlab doctor --cure RUN`: the run again with what the doctor advises, beside the sick one."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from nnlab.commands.doctor.report import DoctorReport
from nnlab.comparison.curves import draw_comparison
from nnlab.comparison.result import Curve, MeasuredQuantity, curves_of
from nnlab.core.finding import Finding
from nnlab.core.text import short_path
from nnlab.core.wrap import terminal_width
from nnlab.display.text_chart import Drawn, Line, text_chart
from nnlab.display.views import View
from nnlab.runs.folder.summary import Summary, read_summary
from nnlab.runs.run import train

_HEIGHT = 11


@dataclass(frozen=True, slots=True)
class Cure:
    """A sick run and the same run with a remedy.

    Attributes:
        finding: whose remedy it is.
        sick: the folder of the run.
        cured: of the run with the remedy.
        before: what the sick run has reached.
        after: what the other one has.
    """

    finding: Finding
    sick: Path
    cured: Path
    before: Summary
    after: Summary

    @property
    def picture(self) -> Path:
        """Where both curves are drawn."""
        return self.cured / "eval" / "cure.png"

    def plain(self) -> dict[str, Any]:
        """As plain values, for `--json`."""
        return {
            "finding": self.finding.name,
            "remedy": list(self.finding.remedy),
            "run": str(self.sick),
            "cured": str(self.cured),
            "before": self.before.last,
            "after": self.after.last,
            "picture": str(self.picture),
        }

    def page(self) -> str:
        """Both curves as a chart, both results, and where they are."""
        split = "validation" if "validation" in self.before.last else "train"
        lines = [f"{self.finding.title}: {self.finding.flags}", ""]
        for name, summary in (("as it was", self.before), ("with the change", self.after)):
            lines.append(f"  {name + ':':17}{_reached(summary, split)}")
        chart = _chart(self, f"loss/{split}")
        places = f"{short_path(self.cured)}; curves in {short_path(self.picture)}"
        return "\n".join(
            [*lines, "", chart.rstrip("\n"), "", f"the run with the change: {places}\n"]
        )


def remedy_of(report: DoctorReport) -> Finding | None:
    """The first finding of a report that advises a change."""
    return next((finding for finding in report.findings if finding.remedy), None)


def cure_run(folder: Path, finding: Finding, view: View) -> Cure:
    """Trains a run again with a finding's remedy, into a new folder beside it.

    Args:
        folder: of the run.
        finding: with a remedy.
        view: shows the training.

    Raises:
        NnlabError: as `nnlab train` does.
    """
    config = str(folder / "config.yaml")
    after = train(config, overrides=finding.remedy, view=view)
    cure = Cure(finding, folder, after.run, read_summary(folder), after)
    keys = [key for key in ("loss", _score(after)) if key]
    runs = [
        MeasuredQuantity(str(one.run), name, one.seed, one, _curves(one), {})
        for one, name in ((cure.before, "as it was"), (after, "with the change"))
    ]
    cure.picture.parent.mkdir(exist_ok=True)
    draw_comparison(runs, keys, cure.picture, title=f"{finding.title}: {finding.flags}")
    return cure


def _score(summary: Summary) -> str | None:
    return next(iter(summary.last.get("train", {}).get("scores", {})), None)


def _curves(summary: Summary) -> Mapping[str, Curve]:
    return curves_of(summary.history)


def _reached(summary: Summary, split: str) -> str:
    """How a run ended: its status, its last loss and scores."""
    last = summary.last.get(split, {})
    numbers = {"loss": last.get("loss"), **last.get("scores", {})}
    told = [f"{k} {v:.4g}" for k, v in numbers.items() if isinstance(v, float) and isfinite(v)]
    return ", ".join([*told, summary.status.replace("_", " ")])


def _chart(cure: Cure, tag: str) -> str:
    curves: list[Drawn] = []
    for number, (letter, summary) in enumerate((("a", cure.before), ("b", cure.after))):
        curve = _curves(summary).get(tag)
        if curve is not None:
            curves.append(Drawn(letter, Line(curve.epochs, curve.values), number))
    if not curves:
        return f"no {tag} was recorded"
    chart = text_chart(curves, width=terminal_width(), height=_HEIGHT, label="epoch")
    return f"{tag}: a as it was, b with the change\n{chart.plain}"
