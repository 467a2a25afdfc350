"""What a measurement comes to: medians, spread and ratios."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from nnlab.commands.bench.build_step import StepBuild
from nnlab.commands.bench.measuring import OURS, BenchOptions, BenchResult, Timing, Timings
from nnlab.commands.bench.roofline import Roofline
from nnlab.commands.bench.spread import Spread, ratio_of, seconds_per_step, spread_of
from nnlab.commands.bench.work import Work
from nnlab.commands.plain import plain_fields
from nnlab.core.package import package_version


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """Where it was measured; the load tells of others who used the machine at the end."""

    cpu: str
    cores: int | None
    threads: int
    peer_threads: int
    platform: str
    load: float | None


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What ran: of nnlab, of what it stands on, and by peer of the libraries that it used."""

    nnlab: str
    python: str
    torch: str
    peers: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class WorkFacts:
    """What each program does, long and short."""

    parameters: int
    examples: int
    batch: int
    long: str
    long_steps: int
    short: str
    short_steps: int
    flops_per_step: float
    bytes_per_step: float


@dataclass(frozen=True, slots=True)
class ImportFacts:
    """Importing torch alone: seconds, and the greatest resident memory in bytes."""

    seconds: float
    peak_memory: int | None


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """One program; its names are the columns of docs/speed.md.

    Attributes:
        command: seconds of the whole long run.
        first_step: seconds to its first update.
        train: seconds of its updates.
        compile: seconds until a compiled step was ready; None for peers.
        step: seconds in the steady state; None where that is lost in the noise.
        steps_per_second: of the steady state.
        samples_per_second: of the steady state.
        peak_memory: greatest resident memory in bytes.
        runs: every single time.
    """

    command: Spread
    first_step: Spread
    train: Spread
    compile: float | None
    step: Spread | None
    steps_per_second: float | None
    samples_per_second: float | None
    peak_memory: float | None
    runs: list[Timing]


@dataclass(frozen=True, slots=True)
class ReachedFacts:
    """Operations and bytes a second in nnlab's steady state, beside what the machine can do."""

    flops: float
    flops_share: float
    bytes: float
    bytes_share: float
    roofline_share: float


@dataclass(frozen=True, slots=True)
class RatioFacts:
    """Nnlab over a peer: below 1 nnlab takes less."""

    command: Spread
    step: Spread | None


@dataclass(frozen=True, slots=True)
class BenchFacts:
    """Everything, in seconds, bytes, and per second. Fields stand as `--json` prints them."""

    config: str
    name: str
    date: str
    machine: MachineFacts
    versions: VersionFacts
    work: WorkFacts
    repeats: int
    import_torch: ImportFacts
    roofline: Roofline
    build: StepBuild
    programs: Mapping[str, ProgramFacts]
    reached: ReachedFacts | None
    ratios: Mapping[str, RatioFacts]
    skipped: Mapping[str, str]

    def plain(self) -> dict[str, Any]:
        """One JSON object."""
        return plain_fields(self)


def bench_facts(work: Work, asked: BenchOptions, measured: BenchResult) -> BenchFacts:
    """What a measurement comes to."""
    ours = measured.programs[OURS]
    others = {name: t for name, t in measured.programs.items() if name != OURS}
    return BenchFacts(
        config=work.source,
        name=work.name,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=_machine(work, asked),
        versions=_versions(measured),
        work=_work(work),
        repeats=asked.repeats,
        import_torch=ImportFacts(measured.bare.seconds, measured.bare.peak),
        roofline=measured.roofline,
        build=measured.built,
        programs={n: _program(t, work) for n, t in measured.programs.items()},
        reached=_reached(work, measured),
        ratios={name: _ratios(ours, theirs) for name, theirs in others.items()},
        skipped=measured.skipped,
    )


def steps_in(timings: Timings) -> list[float | None]:
    """Seconds per step in the steady state, of each turn; None where noise hid it."""
    pairs = zip(timings.long, timings.short, strict=True)
    return [
        seconds_per_step(long.seconds, short.seconds, steps=long.steps - short.steps)
        for long, short in pairs
    ]


def _program(timings: Timings, work: Work) -> ProgramFacts:
    found = _known(steps_in(timings))
    step = None if found is None else found.median
    long = timings.long
    peaks = [timing.peak for timing in long if timing.peak is not None]
    compiles = [timing.compile for timing in long if timing.compile is not None]
    return ProgramFacts(
        command=spread_of([timing.seconds for timing in long]),
        first_step=spread_of([timing.first_step for timing in long]),
        train=spread_of([timing.train for timing in long]),
        compile=median(compiles) if compiles else None,
        step=found,
        steps_per_second=None if step is None else 1 / step,
        samples_per_second=None if step is None else work.per_step / step,
        peak_memory=median(peaks) if peaks else None,
        runs=[*timings.long, *timings.short],
    )


def _reached(work: Work, measured: BenchResult) -> ReachedFacts | None:
    found = _known(steps_in(measured.programs[OURS]))
    if found is None:
        return None
    roof, step = measured.roofline, found.median
    return ReachedFacts(
        flops=work.flops / step,
        flops_share=work.flops / step / roof.flops,
        bytes=work.bytes / step,
        bytes_share=work.bytes / step / roof.bytes,
        roofline_share=roof.least_seconds(work.flops, work.bytes) / step,
    )


def _ratios(ours: Timings, theirs: Timings) -> RatioFacts:
    both = [
        (a, b)
        for a, b in zip(steps_in(ours), steps_in(theirs), strict=True)
        if a is not None and b is not None
    ]
    steps = ratio_of([a for a, _ in both], [b for _, b in both]) if both else None
    commands = ratio_of([t.seconds for t in ours.long], [t.seconds for t in theirs.long])
    return RatioFacts(commands, steps)


def _known(values: Sequence[float | None]) -> Spread | None:
    found = [value for value in values if value is not None]
    return spread_of(found) if found else None


def _work(work: Work) -> WorkFacts:
    return WorkFacts(
        parameters=work.experiment.design.parameters,
        examples=work.examples,
        batch=work.batch,
        long=str(work.long),
        long_steps=work.long.steps,
        short=str(work.short),
        short_steps=work.short.steps,
        flops_per_step=work.flops,
        bytes_per_step=work.bytes,
    )


def _machine(work: Work, asked: BenchOptions) -> MachineFacts:
    return MachineFacts(
        cpu=processor(),
        cores=os.cpu_count(),
        threads=work.threads,
        peer_threads=asked.threads,
        platform=platform.platform(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def processor() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _versions(measured: BenchResult) -> VersionFacts:
    theirs = {n: t.versions for n, t in measured.programs.items() if n != OURS}
    return VersionFacts(package_version(), platform.python_version(), version("torch"), theirs)
