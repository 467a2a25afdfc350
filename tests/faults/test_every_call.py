"""Every n-th call to the system fails or is the last, of a short run and of its resume.

Whatever happens: no exit 1, no hang; and going on gives the weights, the record and TensorBoard's
values of the run to which nothing happened.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from faults.equal_runs import assert_equal_runs
from faults.injected import (
    ENDED,
    FAULTS,
    HUNG,
    PRELOADED_FAULTS,
    Before,
    Counter,
    Fault,
    Forks,
    build_library,
    preloaded_environment,
)

from nnlab.runs.folder import checkpoint

CONFIG = """
data: {kind: moons, samples: 40}
model: {kind: mlp, hidden: [2]}
train: {epochs: 3, batch_size: 20}
log: {checkpoints: 3}
"""
_GOES_ON = "training goes on without it"
"""Said once where TensorBoard's file cannot be written: it is not the record."""


class Broken(NamedTuple):
    """How calls are broken: those of Python's, or all of the process by a library."""

    forks: Forks
    place: Path
    library: Path | None

    def words(self, run: Path) -> list[str]:
        return ["train", str(self.place / "tiny.yaml"), "--run-dir", str(run), "--resume", "-q"]

    def run(self, run: Path, log: Path, before: tuple[Before, ...] = ()) -> int:
        return self.forks.run(self.words(run), log=log, before=before)

    def at(self, n: int, fault: Fault, run: Path) -> Before:
        count = str(self.place / "count")
        if self.library is None:
            return "faults.injected:broken_at", (n, fault, count)
        library = str(self.library)
        return "faults.injected:broken_below", (library, n, fault, count, str(run))


def broken(place: Path, library: Path | None) -> Iterator[Broken]:
    (place / "tiny.yaml").write_text(CONFIG)
    with Forks(library) as forks:
        yield Broken(forks, place, library)


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    yield from broken(tmp_path_factory.mktemp("faults"), None)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found, why = build_library(tmp_path_factory.mktemp("library"))
    if found is None:
        pytest.skip(why)
    return found


@pytest.fixture(scope="module")
def preloaded(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    yield from broken(tmp_path_factory.mktemp("faults"), library)


def whole_and_cut(broken: Broken) -> tuple[Path, Path]:
    """A run, and one that was ended behind a save in its middle, where each resume begins."""
    whole, cut, log = (broken.place / name for name in ("whole", "cut", "log"))
    if not whole.exists():
        assert broken.run(whole, log) == 0, log.read_text()
        assert broken.run(cut, log, (("faults.injected:end_behind_a_save", ()),)) == ENDED
        assert 0 < checkpoint.named_checkpoint(cut / "checkpoints", "last").step < 6
    return whole, cut


def goes_through(broken: Broken, fault: Fault, which: str, *, stride: int, start: int) -> int:
    """Breaks every stride-th call until a process ends before its call comes."""
    whole, cut = whole_and_cut(broken)
    for done, n in enumerate(range(start, 2000, stride), start=1):
        name = f"{fault} {which} {n}".replace(" ", "-")
        run, log = broken.place / name, broken.place / f"log-{name}"
        if which == "resume":
            shutil.copytree(cut, run)
        code = broken.run(run, log, (broken.at(n, fault, run),))
        said = log.read_text()
        assert_said(code, said, n)
        if code == 0 and Counter.read(broken.place / "count") < n:
            shutil.rmtree(run)
            return done
        assert broken.run(run, log) == 0, (n, log.read_text())
        try:
            assert_equal_runs(run, whole, board=_GOES_ON not in said)
        except BaseException as error:
            error.add_note(f"call {n}, {fault}: {log.read_text()}")
            raise
        shutil.rmtree(run)
    raise AssertionError("never got through")


def assert_said(code: int, said: str, n: int) -> None:
    # 2, 3 and 4: what could not be read was a config, data, or a file of the run.
    assert code != HUNG, (n, said)
    assert code in (0, ENDED, 2, 3, 4, 6), (n, code, said)
    assert "Traceback" not in said, (n, said)


@pytest.mark.parametrize("fault", FAULTS)
def test_some_calls(patched: Broken, fault: Fault) -> None:
    """A sample of those below, another for each fault."""
    start = 1 + 3 * FAULTS.index(fault)
    assert goes_through(patched, fault, "resume", stride=131, start=start) > 1


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("which", ["run", "resume"])
def test_every_call_of_python(patched: Broken, fault: Fault, which: str) -> None:
    assert goes_through(patched, fault, which, stride=1, start=1) > 50


@pytest.mark.slow
@pytest.mark.parametrize("fault", PRELOADED_FAULTS)
@pytest.mark.parametrize("which", ["run", "resume"])
def test_every_call_of_the_process(preloaded: Broken, fault: Fault, which: str) -> None:
    """Also those that libraries make below Python."""
    assert goes_through(preloaded, fault, which, stride=1, start=1) > 20


@pytest.mark.slow
@pytest.mark.parametrize("fault", PRELOADED_FAULTS)
def test_some_calls_of_the_installed_command(
    library: Path, preloaded: Broken, fault: Fault
) -> None:
    whole, _ = whole_and_cut(preloaded)
    program = [sys.executable, "-m", "nnlab"]
    for n in range(2 + 5 * PRELOADED_FAULTS.index(fault), 200, 45):
        run = preloaded.place / f"installed-{n}"
        env = preloaded_environment(library, n, fault, preloaded.place / "count", run)
        words = [*program, *preloaded.words(run)]
        done = subprocess.run(
            words, env=env, cwd=preloaded.place, capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        assert_said(done.returncode, said, n)
        assert preloaded.run(run, preloaded.place / "log") == 0
        assert_equal_runs(run, whole, board=_GOES_ON not in said)
        shutil.rmtree(run)


@pytest.mark.slow
def test_the_installed_command_ends_at_a_call(library: Path, patched: Broken) -> None:
    """The library is in the command's process, and is armed."""
    run = patched.place / "installed"
    env = preloaded_environment(library, 4, "end before", patched.place / "count", run)
    words = [sys.executable, "-m", "nnlab", *patched.words(run)]
    assert subprocess.run(words, env=env, cwd=patched.place, check=False).returncode == ENDED
    assert Counter.read(patched.place / "count") == 4
    assert run.is_dir()
