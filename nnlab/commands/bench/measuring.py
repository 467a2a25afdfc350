"""Runs an experiment and its peers in turn, each run in a process of its own."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from nnlab.commands.bench import peers
from nnlab.commands.bench.build_step import OFF, StepBuild
from nnlab.commands.bench.process import Finished, run_to_end
from nnlab.commands.bench.roofline import Roofline
from nnlab.commands.bench.work import Length, Work
from nnlab.core.errors import NnlabError, ResourceError

OURS = "nnlab"
NoteFn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Timing:
    """One run of one program.

    Attributes:
        turn: from 1 on.
        length: "10 epochs".
        steps: updates made.
        seconds: of the whole process.
        first_step: seconds from the process's start to the beginning of the first update.
        train: seconds of updates; peers' with all that they do between them.
        peak: greatest resident memory in bytes.
        compile: seconds until a compiled step was ready; nnlab alone tells.
    """

    turn: int
    length: str
    steps: int
    seconds: float
    first_step: float
    train: float
    peak: int | None
    compile: float | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """The long and the short runs of a program, one each a turn."""

    long: list[Timing]
    short: list[Timing]
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """How it is measured.

    Attributes:
        against: names of peers.
        repeats: turns.
        python: the interpreter that runs peers.
        threads: of peers; 0 leaves it to them.
        note: shows a line of progress.
    """

    against: Sequence[str]
    repeats: int
    python: str
    threads: int
    note: NoteFn


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What came of it.

    Attributes:
        built: what `--build` says.
        bare: a process that imports torch and nothing else.
        roofline: of the threads that the run has.
        programs: by name, nnlab first.
        skipped: peers that did not run, and why.
    """

    built: StepBuild
    bare: Finished
    roofline: Roofline
    programs: Mapping[str, Timings]
    skipped: Mapping[str, str]


def measure_programs(work: Work, asked: BenchOptions) -> BenchResult:
    """Builds the step where that is needed, then runs every program `repeats` times in turn.

    Raises:
        ConfigError: the config is not what peers do.
        ResourceError: a run has failed.
    """
    skipped: dict[str, str] = {}
    if asked.against:
        peers.peers_folder()
        peers.check_same(work)
        skipped = dict(peers.absent_peers(asked.against, work.name, asked.python))
        for name, why in skipped.items():
            asked.note(f"{name}: left out, {why}")
        there = [name for name in asked.against if name not in skipped]
        for warning in peers.without_bytecode(there, asked.python):
            asked.note(warning)
    built = _built(work)
    bare = _sound(run_to_end([sys.executable, "-c", "import torch"]), "import torch")
    words = [sys.executable, "-m", "nnlab.commands.bench.roofline", str(work.threads)]
    roofline = Roofline(**json.loads(_sound(run_to_end(words), "the roofline").out))
    names = [OURS, *(name for name in asked.against if name not in skipped)]
    programs = {name: Timings([], [], {}) for name in names}
    for turn in range(1, asked.repeats + 1):
        for name in names:
            if name in skipped:
                continue
            try:
                _take_turn(name, turn, work, asked, programs[name])
            except ResourceError as error:
                if name == OURS:
                    raise
                skipped[name] = str(error)
                asked.note(f"{name}: left out, {error}")
    kept = {name: timings for name, timings in programs.items() if name not in skipped}
    return BenchResult(built, bare, roofline, kept, skipped)


def _take_turn(name: str, turn: int, work: Work, asked: BenchOptions, timings: Timings) -> None:
    """The long run and the short one."""
    for length, into in ((work.long, timings.long), (work.short, timings.short)):
        if name == OURS:
            timing = _ours(work, length, turn)
        else:
            timing, versions = _theirs(name, work, length, turn, asked)
            timings.versions.update(versions)
        into.append(timing)
        asked.note(f"{name} {turn}/{asked.repeats}, {length}: {timing.seconds:.2f} s")


def _built(work: Work) -> StepBuild:
    """Fills the cache of built steps in a process of its own, so that no timed run builds."""
    if work.experiment.config.train.compile != "on":
        return StepBuild(False, OFF)
    sets = [word for override in work.overrides for word in ("--set", override)]
    words = [sys.executable, "-m", "nnlab", "bench", work.source, *sets, "--build", "--json"]
    return StepBuild(**json.loads(_sound(run_to_end(words), "nnlab bench --build").out))


def _ours(work: Work, length: Length, turn: int) -> Timing:
    with TemporaryDirectory(prefix="nnlab-bench-") as folder:
        words = work.command(length, str(Path(folder) / "run"))
        done = _sound(run_to_end(words), "nnlab train")
    found = json.loads(done.out)
    if found["steps"] != length.steps:
        text = f"ended after {found['steps']:,} of {length.steps:,} steps: {found['why']}"
        raise ResourceError(f"bench {work.source}: nnlab {text} (bench needs runs of full length)")
    return Timing(
        turn=turn,
        length=str(length),
        steps=found["steps"],
        seconds=done.seconds,
        first_step=found["began"]["training"] - done.started,
        train=found["seconds"]["train"],
        peak=done.peak,
        compile=found["seconds"]["compile"],
    )


def _theirs(
    name: str, work: Work, length: Length, turn: int, asked: BenchOptions
) -> tuple[Timing, dict[str, str]]:
    words = peers.peer_command(name, work, length, python=asked.python, threads=asked.threads)
    done = run_to_end(words)
    found = peers.peer_answer(name, done, work, length)
    timing = Timing(
        turn=turn,
        length=str(length),
        steps=length.steps,
        seconds=done.seconds,
        first_step=found["first_step"] - done.started,
        train=sum(found["epochs"]),
        peak=done.peak,
    )
    return timing, found["versions"]


def _sound(done: Finished, what: str) -> Finished:
    """The process, if it ended well.

    Raises:
        NnlabError: with the exit code and the last words of what failed.
    """
    if done.code == 0:
        return done
    lines = [line for line in done.err.splitlines() if line.strip()][-5:]
    kinds = {kind.exit_code: kind for kind in NnlabError.__subclasses__()}
    raise kinds.get(done.code, ResourceError)([f"{what}: ended with {done.code}", *lines])
