"""The doctor's page: what was looked at, a table by depth, the findings; or the same as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from nnlab.core.finding import Finding
from nnlab.core.text import render_text, text_grids
from nnlab.core.wrap import terminal_width, wrap_text
from nnlab.diagnosis.story import effects_of
from nnlab.diagnosis.watcher import TOPICS, Looked

FINDINGS = 7
"""The exit code where a finding is more than a note."""
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A number of each layer.

    Attributes:
        title: of the column.
        key: in JSON.
        form: how it is written.
        beside: whether it belongs to the column before it, and is never parted from it.
    """

    title: str
    key: str
    form: str = ".1e"
    beside: bool = False


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """What the doctor found.

    Attributes:
        about: what was looked at, line by line.
        findings: what is wrong, in the order in which it is told: causes first.
        columns: of the table.
        layers: their names and numbers, from input to output.
        remarks: what else to know, line by line, behind the table.
        looked: what was looked for; None where nobody kept count.
        facts: further numbers, for JSON.
        command: what a remedy is pasted behind: "nnlab train configs/mnist.yaml".
        changes: what was changed already, as `--set` takes it.
        handed: sections that Python handed in: then a remedy is a call and no command.
    """

    about: tuple[str, ...]
    findings: tuple[Finding, ...]
    columns: tuple[Column, ...] = ()
    layers: Mapping[str, Mapping[str, float | None]] = field(
        default_factory=dict[str, Mapping[str, float | None]]
    )
    remarks: tuple[str, ...] = ()
    looked: Looked | None = None
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    command: str = "nnlab train"
    changes: tuple[str, ...] = ()
    handed: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The page."""
        return self.page()

    @property
    def exit_code(self) -> int:
        """0 where all is well but for notes."""
        return FINDINGS if any(f.worse_than("note") for f in self.findings) else 0

    def plain(self) -> dict[str, Any]:
        """The report as plain values, for `--json`."""
        return {
            **self.facts,
            "healthy": self.exit_code == 0,
            "findings": [finding.plain() for finding in self.findings],
            "layers": {name: dict(values) for name, values in self.layers.items()},
            "remarks": list(self.remarks),
            "looked_for": list(self.looked.done) if self.looked else [],
            "not_looked_for": dict(self.looked.missed) if self.looked else {},
        }

    def page(self) -> str:
        """For a person, as wide as the terminal; 80 columns where there is none."""
        parts: list[Any] = [*self.about]
        if self.layers:
            for table in self._tables():
                parts += ["", table]
        if self.remarks:
            parts += ["", *self.remarks]
        at = len(parts)  # from here on lines that must not be broken anew
        for finding in self.findings:
            if not finding.because:
                parts += ["", *_told(finding, self)]
                parts += _explained(effects_of(finding, self.findings))
        parts += self._looked()
        text = render_text(*parts[:at])
        return text + "".join(f"{line}\n" for line in parts[at:])

    def _looked(self) -> list[str]:
        """What was looked for and not found, and what was not looked for."""
        if self.looked is None:
            return []
        told = {finding.name for finding in self.findings}
        done = {name for name in self.looked.done if name not in told}
        parts = [(topic, len(done & names)) for topic, names in TOPICS.items() if done & names]
        listed = ", ".join(f"{topic} ({count})" for topic, count in parts)
        head = "nothing else found" if told else "nothing found"
        checks = f"{head} in {len(done)} checks: {listed} (--json names them)"
        lines = ["", *wrapped(checks, indent="")] if done else []
        why: dict[str, list[str]] = {}
        for name, reason in self.looked.missed.items():
            if name in told:
                continue  # the run found it, while it had what is not at hand now
            why.setdefault(reason, []).append(_title(name))
        for reason, names in why.items():
            lines += wrapped(f"not looked for: {', '.join(names)}; {reason}", indent="")
        return lines

    def _tables(self) -> list[Any]:
        """The layers' numbers."""
        rows = [
            (name, *(_cell(values.get(column.key), column.form) for column in self.columns))
            for name, values in _few(self.layers)
        ]
        numbered = list(enumerate(self.columns, start=1))
        return text_grids(
            rows,
            head=("layer", *(column.title for column in self.columns)),
            right=[number for number, _ in numbered],
            beside=[number for number, column in numbered if column.beside],
        )


def _explained(effects: Sequence[Finding]) -> list[str]:
    """What follows from a finding, in a sentence."""
    if not effects:
        return []
    named = [f"{one.title}{f' in {one.layer}' if one.layer else ''}" for one in effects]
    return wrapped(f"which explains: {', '.join(named)}")


def _told(finding: Finding, report: DoctorReport) -> list[str]:
    """A finding as lines: name and place, the number, the meaning, the remedy, the source."""
    where = f" in {finding.layer}" if finding.layer else ""
    since = f", since step {finding.since:,}" if finding.since else ""
    lines = [f"{finding.level.upper()}  {finding.title}{where}{since}"]
    if finding.measured is not None:
        lines += wrapped(finding.measure)
    lines += wrapped(finding.meaning)
    if finding.remedy:
        called = report.handed
        lines += (
            _call(report.command, called, finding)
            if called
            else pasted(report.command, report.changes, finding)
        )
    if finding.advice:
        lines += wrapped(finding.advice)
    if finding.tried:
        lines += wrapped(finding.tried)
    if finding.source:
        lines += wrapped(f"({finding.source})")
    return lines


def _title(name: str) -> str:
    return name.replace("_", " ")


def wrapped(text: str, *, indent: str = _INDENT) -> list[str]:
    """Lines that are indented, all but the first at least as far as findings are."""
    line = f"{indent}{text}".replace("\n", " ")
    return wrap_text(line, terminal_width(), len(_INDENT)).split("\n") if text else []


def pasted(command: str, changes: Sequence[str], finding: Finding) -> list[str]:
    """The command with the remedy; broken with a backslash, so that a shell takes it as it is."""
    replaced = {change.partition("=")[0] for change in finding.remedy}
    kept = (change for change in changes if change.partition("=")[0] not in replaced)
    lines, line = list[str](), f"{_INDENT}try  {command}"
    width = terminal_width()
    for flag in map(finding.quoted, (*kept, *finding.remedy)):
        if len(line) + len(flag) + 3 > width:
            lines.append(f"{line} \\")
            line = f"{_INDENT}     {flag}"
        else:
            line = f"{line} {flag}"
    return [*lines, line]


def _call(command: str, handed: Sequence[str], finding: Finding) -> list[str]:
    """The remedy as a call from Python, which hands in again what is in no file."""
    from shlex import split

    from ruamel.yaml import YAML

    changes: dict[str, Any] = {}
    for change in finding.remedy:
        key, _, value = change.partition("=")
        changes[key] = YAML(typ="safe", pure=True).load(value)
    again = "".join(f", {name}={name}" for name in handed)
    return [f"{_INDENT}try  nnlab.train({split(command)[-1]!r}, set={changes!r}{again})"]


def _few(
    layers: Mapping[str, Mapping[str, float | None]],
) -> list[tuple[str, Mapping[str, float | None]]]:
    """All layers; of more than 24 the first and the last dozen."""
    rows = list(layers.items())
    if len(rows) <= 24:
        return rows
    return [*rows[:12], ("...", {}), *rows[-12:]]


def _cell(value: float | None, form: str) -> str:
    if value is None:
        return ""
    if not isfinite(value):
        return str(value)
    if value == 0.0 and "e" in form:
        return "0"
    text = format(value, form)
    return text.replace("e-0", "e-").replace("e+0", "e") if "e" in form else text
