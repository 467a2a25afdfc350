"""What a measurement comes to: medians, spread and ratios, as `--json` prints them."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from nnlab.commands.bench.measuring import OURS, BenchOptions, BenchResult, Timings, plain_seconds
from nnlab.commands.bench.spread import Spread, ratio_of, seconds_per_step, spread_of
from nnlab.commands.bench.work import Work
from nnlab.core.package import package_version


def bench_facts(work: Work, asked: BenchOptions, measured: BenchResult) -> dict[str, Any]:
    """Everything, as one object: seconds, bytes, per second."""
    ours = measured.programs[OURS]
    others = {name: t for name, t in measured.programs.items() if name != OURS}
    return {
        "config": work.source,
        "name": work.name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(work, asked),
        "versions": _versions(measured),
        "work": _work(work),
        "repeats": asked.repeats,
        "import_torch": {"seconds": measured.bare.seconds, "peak_memory": measured.bare.peak},
        "roofline": measured.roofline._asdict(),
        "build": dict(measured.built),
        "programs": {n: _program(t, work) for n, t in measured.programs.items()},
        "reached": _reached(work, measured),
        "ratios": {name: _ratios(ours, theirs) for name, theirs in others.items()},
        "skipped": dict(measured.skipped),
    }


def steps_in(timings: Timings) -> list[float | None]:
    """Seconds per step in the steady state, of each turn; None where noise hid it."""
    pairs = zip(timings.long, timings.short, strict=True)
    return [
        seconds_per_step(long.seconds, short.seconds, steps=long.steps - short.steps)
        for long, short in pairs
    ]


def _program(timings: Timings, work: Work) -> dict[str, Any]:
    """Of one program; `step` is null where the steady state is lost in the noise."""
    found = _known(steps_in(timings))
    step = None if found is None else found.median
    long = timings.long
    peaks = [timing.peak for timing in long if timing.peak is not None]
    compiles = [timing.compile for timing in long if timing.compile is not None]
    return {
        "command": _plain(spread_of([timing.seconds for timing in long])),
        "first_step": _plain(spread_of([timing.first_step for timing in long])),
        "train": _plain(spread_of([timing.train for timing in long])),
        "compile": median(compiles) if compiles else None,
        "step": _plain(found),
        "steps_per_second": None if step is None else 1 / step,
        "samples_per_second": None if step is None else work.per_step / step,
        "peak_memory": median(peaks) if peaks else None,
        "runs": plain_seconds(timings),
    }


def _reached(work: Work, measured: BenchResult) -> dict[str, float] | None:
    """Operations and bytes a second in nnlab's steady state, beside what the machine can do."""
    found = _known(steps_in(measured.programs[OURS]))
    if found is None:
        return None
    roof, step = measured.roofline, found.median
    return {
        "flops": work.flops / step,
        "flops_share": work.flops / step / roof.flops,
        "bytes": work.bytes / step,
        "bytes_share": work.bytes / step / roof.bytes,
        "roofline_share": roof.least_seconds(work.flops, work.bytes) / step,
    }


def _ratios(ours: Timings, theirs: Timings) -> dict[str, Any]:
    """Nnlab over the peer: below 1 nnlab takes less."""
    both = [
        (a, b)
        for a, b in zip(steps_in(ours), steps_in(theirs), strict=True)
        if a is not None and b is not None
    ]
    steps = ratio_of([a for a, _ in both], [b for _, b in both]) if both else None
    commands = ratio_of([t.seconds for t in ours.long], [t.seconds for t in theirs.long])
    return {"command": _plain(commands), "step": _plain(steps)}


def _known(values: Sequence[float | None]) -> Spread | None:
    found = [value for value in values if value is not None]
    return spread_of(found) if found else None


def _plain(found: Spread | None) -> dict[str, float] | None:
    return None if found is None else {"median": found[0], "min": found[1], "max": found[2]}


def _work(work: Work) -> dict[str, Any]:
    return {
        "parameters": work.experiment.design.parameters,
        "examples": work.examples,
        "batch": work.batch,
        "long": str(work.long),
        "long_steps": work.long.steps,
        "short": str(work.short),
        "short_steps": work.short.steps,
        "flops_per_step": work.flops,
        "bytes_per_step": work.bytes,
    }


def _machine(work: Work, asked: BenchOptions) -> dict[str, Any]:
    """The load tells of others who used the machine at the end."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "threads": work.threads,
        "peer_threads": asked.threads,
        "platform": platform.platform(),
        "load": load,
    }


def processor() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _versions(measured: BenchResult) -> dict[str, Any]:
    theirs = {n: t.versions for n, t in measured.programs.items() if n != OURS}
    own = {"python": platform.python_version(), "torch": version("torch")}
    return {OURS: package_version(), **own, "peers": theirs}
