"""What goes wrong around a run: signals, terminals, pipes, disks, rights and clocks."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from faults.equal_runs import assert_equal_runs
from faults.injected import Forks

from nnlab.__main__ import main
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.run import resume

pytestmark = pytest.mark.skipif(os.name == "nt", reason="has other signals and rights")

LONG = """
data: {kind: moons, samples: 400}
model: {kind: mlp, hidden: [4]}
train: {steps: 4000, batch_size: 20}
log: {every: 100 steps, probes: off}
"""
SHORT = LONG.replace("steps: 4000", "steps: 40").replace("every: 100 steps", "every: 10 steps")


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as found:
        yield found


def begin(folder: Path, text: str = LONG, *words: str, **more: Any) -> "subprocess.Popen[bytes]":
    """The installed command, in a process group of its own, once it has saved something."""
    (folder / "c.yaml").write_text(text)
    command = [sys.executable, "-m", "nnlab", "train", "c.yaml", "--run-dir", "run", *words]
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, start_new_session=True, **more
    )
    until = time.monotonic() + 60
    while not (folder / "run" / "checkpoints" / "last").exists() and time.monotonic() < until:
        if process.poll() is not None:
            break
        time.sleep(0.02)
    return cast("subprocess.Popen[bytes]", process)


BUILT = SHORT.replace("batch_size: 20", "batch_size: 20, threads: 1, compile: on")


@pytest.mark.slow
def test_two_processes_build_one_step_into_one_cache(tmp_path: Path) -> None:
    """One builds and the other waits; both train to the same bits, and one package is kept."""
    (tmp_path / "c.yaml").write_text(BUILT)
    environment = {**os.environ, "NNLAB_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "nnlab", "train", "c.yaml", "--device", "cpu", "--run-dir"]
    processes = [
        subprocess.Popen(
            [*command, name], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    told = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    assert not any("the steps are eager" in text for text in told), told
    assert_equal_runs(tmp_path / "one", tmp_path / "two", board=True)
    steps = tmp_path / "cache" / "steps"
    assert len(list(steps.rglob("*.pt2"))) == 1
    assert not [path for path in steps.rglob("*") if "draft" in path.name or "tmp" in path.name]


@pytest.fixture(scope="module")
def whole(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "c.yaml").write_text(LONG)
    words = ["train", str(folder / "c.yaml"), "--run-dir", str(folder / "run"), "-q"]
    assert forks.run(words, log=folder / "log") == 0
    return folder / "run"


SIGNALS = {
    "ctrl-c": ([signal.SIGINT], (130,)),
    "ctrl-c twice": ([signal.SIGINT, signal.SIGINT], (130,)),
    "closed terminal": ([signal.SIGHUP], (129,)),
    "closed terminal, then ended": ([signal.SIGHUP, signal.SIGTERM], (129, 130, 143)),
    "ended": ([signal.SIGTERM], (143,)),
}


@pytest.mark.parametrize(
    "what",
    [
        name if name == "ctrl-c twice" else pytest.param(name, marks=pytest.mark.slow)
        for name in SIGNALS
    ],
)
def test_a_signal_leaves_a_run_that_goes_on_to_the_same_end(
    tmp_path: Path, whole: Path, what: str
) -> None:
    """To the whole process group, as a terminal sends it."""
    signals, codes = SIGNALS[what]
    process = begin(tmp_path, LONG, "-q", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for number in signals:
        os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode in codes, said.decode()
    assert b"Traceback" not in said
    summary = read_summary(tmp_path / "run")
    assert (summary.status, summary.signal) == ("interrupted", signals[0])
    assert resume(tmp_path / "run").status == "completed"
    assert_equal_runs(tmp_path / "run", whole, board=True)


@pytest.mark.slow
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_goes_away_costs_no_run(tmp_path: Path, whole: Path, stream: str) -> None:
    """`nnlab train ... | head -1`: it goes on to its end, or ends quietly and can be resumed."""
    other = "stderr" if stream == "stdout" else "stdout"
    pipes = {stream: subprocess.PIPE, other: subprocess.DEVNULL}
    process = begin(tmp_path, LONG, **pipes)
    pipe = getattr(process, stream)
    pipe.close()
    assert process.wait(60) in (0, 141)
    assert resume(tmp_path / "run").status == "completed"
    assert_equal_runs(tmp_path / "run", whole, board=True)


@pytest.mark.slow
def test_a_terminal_that_is_gone_costs_no_run(tmp_path: Path, whole: Path) -> None:
    """The live view draws on a terminal whose other end has been closed."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = begin(tmp_path, LONG, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    os.close(ours)
    assert process.wait(60) in (0, 129, 141)
    assert resume(tmp_path / "run").status == "completed"
    assert_equal_runs(tmp_path / "run", whole, board=True)


def in_words(said: str, *parts: str) -> None:
    assert len(said.splitlines()) <= 15, said
    assert "Traceback" not in said
    for part in parts:
        assert part in said, said


def ran(words: Sequence[str], folder: Path, forks: Forks, before: Sequence[Any] = ()) -> Any:
    log = folder / "log"
    log.unlink(missing_ok=True)
    return forks.run(words, log=log, before=before), log.read_text()


@pytest.mark.parametrize("what", ["EROFS", "EACCES"])
def test_a_disk_that_is_read_only_is_said_before_training(
    tmp_path: Path, forks: Forks, what: str
) -> None:
    (tmp_path / "c.yaml").write_text(SHORT)
    words = ["train", str(tmp_path / "c.yaml"), "--run-dir", str(tmp_path / "there" / "run"), "-q"]
    before = [("faults.injected:read_only_below", (str(tmp_path / "there"), what))]
    code, said = ran(words, tmp_path, forks, before)
    assert code == 6
    in_words(said, "there", "choose another place; for a run: --run-dir")
    assert not (tmp_path / "there").exists()


def test_a_run_on_a_disk_that_became_read_only_stays_sound(tmp_path: Path, forks: Forks) -> None:
    (tmp_path / "c.yaml").write_text(SHORT)
    run = str(tmp_path / "run")
    assert ran(["train", str(tmp_path / "c.yaml"), "--run-dir", run, "-q"], tmp_path, forks)[0] == 0
    before = [("faults.injected:read_only_below", (run, "EROFS"))]
    assert ran(["verify", run], tmp_path, forks, before)[0] == 0
    # What is evaluated is counted in the run's folder, or not evaluated.
    code, said = ran(["eval", run], tmp_path, forks, before)
    assert code == 6
    in_words(said, "read-only")
    assert ran(["resume", run, "--set", "train.steps=60"], tmp_path, forks, before)[0] == 6
    assert ran(["verify", run], tmp_path, forks)[0] == 0


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o277, 0o777])
def test_a_umask_lets_nobody_in_and_locks_nobody_out(
    tmp_path: Path, forks: Forks, mask: int
) -> None:
    """Files are as open as the mask leaves them; one that shuts out oneself is said in words."""
    (tmp_path / "c.yaml").write_text(SHORT)
    run = tmp_path / "run"
    words = ["train", str(tmp_path / "c.yaml"), "--run-dir", str(run), "-q"]
    log = tmp_path / "log"
    log.touch()
    code = forks.run(words, log=log, before=[("os:umask", (mask,))])
    said = log.read_text()
    if code != 0:  # as root nothing is locked, so that both may be
        assert (code, mask & 0o200) == (6, 0o200), said
        in_words(said)
        return
    for path in (run, *run.rglob("*")):
        assert path.stat().st_mode & mask & 0o777 == 0, path


def test_clocks_that_jump_change_no_run(tmp_path: Path, forks: Forks) -> None:
    """Back by a day at each look, and forward by a year: names are new, and steps in order."""
    (tmp_path / "c.yaml").write_text(SHORT)
    runs: list[Path] = []
    for number, jump in enumerate((0.0, -86400.0, 3.2e7, -3.2e7)):
        run = tmp_path / str(number)
        words = ["train", str(tmp_path / "c.yaml"), "--run-dir", str(run), "-q", "--resume"]
        before = [("faults.injected:jumping_clock", (jump,))]
        cut = [*before, ("faults.injected:end_behind_a_save", ())]
        assert ran(words, tmp_path, forks, cut)[0] == 137
        # The clock of the process that goes on stands before that of the one that was ended.
        assert ran(words, tmp_path, forks, [("faults.injected:jumping_clock", (-jump,))])[0] == 0
        runs.append(run)
    for run in runs[1:]:
        assert_equal_runs(run, runs[0], board=True)
        summary = read_summary(run)
        assert all(seconds >= 0 for seconds in summary.seconds.values()), summary.seconds


@pytest.mark.slow
def test_two_that_start_in_one_moment_get_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path / "runs"))
    (tmp_path / "c.yaml").write_text("name: pair\n" + SHORT)
    command = [sys.executable, "-m", "nnlab", "train", str(tmp_path / "c.yaml"), "-q"]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(2)
    ]
    places = [Path(process.communicate(timeout=90)[0].strip()) for process in both]
    assert len(set(places)) == 2
    assert_equal_runs(places[0], places[1], board=True)


@pytest.mark.slow
def test_two_that_build_into_one_cache_both_train(tmp_path: Path, forks: Forks) -> None:
    """One builds and the other waits or builds too; both train by what is there at the end."""
    (tmp_path / "c.yaml").write_text(
        SHORT.replace("batch_size: 20", 'batch_size: 20, compile: "on"')
    )
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "nnlab", "train", "c.yaml", "-q", "--run-dir"]
    both = [
        subprocess.Popen([*command, name], cwd=tmp_path, env=env, stderr=subprocess.PIPE)
        for name in ("one", "two")
    ]
    for process in both:
        _, said = process.communicate(timeout=600)
        assert process.returncode == 0, said.decode()
    assert_equal_runs(tmp_path / "one", tmp_path / "two", board=True)
    assert read_summary(tmp_path / "one").compiled
    assert main(["verify", str(tmp_path / "one"), str(tmp_path / "two")]) == 0
