import io
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from nnlab.__main__ import main
from nnlab.cli import app
from nnlab.comparison.comparison import settle_source
from nnlab.config.loading import bundled_configs, read_text
from nnlab.core.wrap import wrap_text
from nnlab.runs.folder.summary import Summary

BUNDLED = bundled_configs()
HEAVY = ("torch", "torchvision", "sklearn", "tensorboard", "numpy")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NNLAB_RUNS", raising=False)


def imported(code: str, names: tuple[str, ...]) -> list[str]:
    """Which of these modules are there after the code, in a process of its own."""
    return last_line(f"{code}\nimport sys; found = [n for n in {names!r} if n in sys.modules]")


def last_line(code: str) -> Any:
    """What the code found, in a process of its own."""
    code += "\nimport json, sys; print(json.dumps(found), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stderr.splitlines()[-1])


WITHOUT_TORCH = [
    ["check", "mnist_cnn"],
    ["show", "mnist_cnn"],
    ["menu", "relu"],
    ["schema"],
    ["new"],
    ["runs"],
    ["train", "nothing"],
    ["lr", "nothing"],
    ["bench", "nothing"],
    ["bench", "xor", "--against", "keras"],
    ["lr", "xor", "--from", "20"],
    ["train", "xor", "--set", "train.epochs=0"],
    ["eval", "nothing"],
    ["resume", "nothing"],
]


@pytest.fixture(scope="module")
def brought() -> dict[str, list[str]]:
    """What is heavy and was not there before each command, all of them in one process."""
    code = f"""
import sys
from nnlab.__main__ import main
found = {{}}
for words in {WITHOUT_TORCH}:
    before = set(sys.modules)
    main(words)
    found[" ".join(words)] = [n for n in {HEAVY} if n in set(sys.modules) - before]
"""
    return last_line(code)


class TestStartsQuickly:
    def test_nnlab_imports_nothing_heavy(self) -> None:
        assert imported("import nnlab", (*HEAVY, "pydantic", "rich")) == []

    def test_help_imports_no_config(self) -> None:
        code = "from nnlab.__main__ import main; main(['--help'])"
        assert imported(code, (*HEAVY, "pydantic", "rich", "nnlab.core.errors")) == []

    @pytest.mark.parametrize("words", [" ".join(words) for words in WITHOUT_TORCH])
    def test_only_training_imports_torch(self, words: str, brought: dict[str, list[str]]) -> None:
        assert brought[words] == []


class TestExitCodes:
    @pytest.mark.parametrize(
        ("words", "code"),
        [
            ("--help", 0),
            ("--version", 0),
            ("", 2),
            ("trian", 2),
            ("train", 2),
            ("train xor --lr 3", 2),
            ("train nothing", 2),
            ("train xor --device tpu", 2),
            ("train xor --resume", 2),
            ("train xor --set optimizer.lr=-1", 2),
            ("check xor", 0),
            ("check xor nothing", 2),
            ("check xor --format html", 2),
            ("show nothing", 2),
            ("menu nothing", 2),
            ("new nothing", 2),
            ("eval nothing", 2),
            ("eval --split tset", 2),
            ("resume last", 2),
            ("runs rm nothing", 2),
            ("runs prune", 2),
            ("tensorboard", 2),
        ],
    )
    def test_is_as_documented(
        self, words: str, code: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(words.split()) == code
        out, err = capsys.readouterr()
        assert len(err.splitlines()) <= 45 if words == "" else len(err.splitlines()) <= 15
        assert "Traceback" not in err
        assert bool(err) == (code != 0)
        assert out == "" or code == 0 or "check" in words

    def test_a_data_error_is_3(self) -> None:
        Path("a.yaml").write_text("data: {kind: csv, path: b.csv, target: y}\nmodel: linear\n")
        assert main(["train", "a.yaml"]) == 3
        assert main(["check", "a.yaml"]) == 3

    def test_a_damaged_run_is_4(self) -> None:
        folder = Path("runs/net/1")
        folder.mkdir(parents=True)
        (folder / "summary.json").write_text("{")
        assert main(["resume", "net"]) == 4

    @pytest.mark.parametrize(
        ("error", "code", "said"),
        [
            (KeyboardInterrupt(), 130, ""),
            (MemoryError(), 6, "out of memory (try a smaller train.batch_size or model)"),
            (RuntimeError("CUDA out of memory. Tried"), 6, "out of memory: CUDA out of memory"),
            (ZeroDivisionError("x\ny"), 1, "ZeroDivisionError: x\nthis is a bug in nnlab"),
            (BrokenPipeError(), 141, ""),
        ],
        ids=lambda v: type(v).__name__,
    )
    def test_of_anything_else(
        self,
        error: BaseException,
        code: int,
        said: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def fails() -> str:
            raise error

        monkeypatch.setattr("nnlab.commands.new.bundled_table", fails)
        assert main(["new"]) == code
        assert capsys.readouterr().err.startswith(said)


def test_debug_shows_the_traceback_wherever_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--debug", "show", "nothing"], ["show", "nothing", "--debug"]):
        assert main(words) == 2
        err = capsys.readouterr().err
        assert "Traceback" in err
        assert err.endswith("nnlab new lists the bundled ones)\n")


def test_a_closed_pipe_is_quiet() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "nnlab", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_help_shows_the_experiments_first(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    text = capsys.readouterr().out
    titles = [line for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles == ["Options:", "Experiments:", "Runs:", "The language:"]
    for word in ("train", "eval", "resume", "runs", "tensorboard", "menu", "schema", "new"):
        assert f"  {word} " in text


def every_command(group: Any, before: tuple[str, ...] = ()) -> dict[str, Any]:
    """All commands and those below them, by their words."""
    context, found = group.make_context("nnlab", [], resilient_parsing=True), dict[str, Any]()
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found[" ".join((*before, name))] = command
        if hasattr(command, "list_commands"):
            found |= every_command(command, (*before, name))
    return found


COMMANDS = every_command(typer.main.get_command(app))


@pytest.mark.parametrize("words", list(COMMANDS))
def test_help_ends_with_an_example_that_is_understood(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words.split(), "--help"]) == 0
    last = capsys.readouterr().out.splitlines()[-1].strip()
    title, _, example = last.partition(": ")
    assert title == "Example"
    said = shlex.split(example.partition(" > ")[0])
    assert said[: 1 + len(words.split())] == ["nnlab", *words.split()]
    shown = " ".join(said)
    assert shown in wrap_text(f"or write {shown}; that does it", 24)  # pasted, it stays whole
    COMMANDS[words].make_context(words, said[1 + len(words.split()) :])
    sets = [said[place + 1] for place, word in enumerate(said) if word == "--set"]
    for name in {word.removesuffix(".yaml").partition("/")[0] for word in said} & {*BUNDLED}:
        settle_source(read_text(name), sets)


@pytest.mark.parametrize(
    ("words", "meant"),
    [(["trian", "iris"], "train"), (["runs", "prun"], "prune"), (["Menu"], "menu"), (["x"], "")],
)
def test_a_misspelled_command_is_told_what_may_be_meant(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert (f"(did you mean {meant}?)" in capsys.readouterr().err) == bool(meant)


def test_set_names_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "xor", "--set", "optimizer.lr=-1"]) == 2
    assert capsys.readouterr().err.startswith("--set optimizer.lr=-1:")


def test_reads_a_config_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"data: xor\nmodel: linear\n")))
    assert main(["check", "-"]) == 0
    assert capsys.readouterr().out.startswith("<stdin>: ok (xor")


def test_new_writes_and_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "xor"]) == 0
    assert capsys.readouterr().out == "xor.yaml\n"
    assert main(["new", "xor"]) == 2


def test_runs_can_be_listed_and_removed(capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2, 3):
        folder = Path(f"runs/net/{number}")
        folder.mkdir(parents=True)
        Summary(run=folder, name="net", status="completed").write()
    assert main(["runs"]) == 0
    assert capsys.readouterr().out.count("net/") == 3
    assert main(["runs", "rm", "net/2"]) == 0
    assert main(["runs", "prune", "--keep", "1"]) == 2  # nobody to ask
    assert "would remove 1 run (add --yes)" in capsys.readouterr().err
    assert main(["runs", "prune", "--keep", "1", "--yes"]) == 0
    assert main(["runs", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["number"] == 3


ENDING = """
import atexit, sys, threading, time
import nnlab.__main__ as command

def busy():
    import torch
    while True:
        torch.ones(100, 100).mm(torch.ones(100, 100)).cpu().tolist()

class Last:
    def __del__(self):
        print("destroyed")

def main():
    global last
    last = Last()
    sys.modules.setdefault("torch", sys)
    atexit.register(print, "at exit", flush=True)
    print("done")
    if {real}:
        del sys.modules["torch"]
        threading.Thread(target=busy, daemon=True).start()
        while "torch.nn" not in sys.modules:
            time.sleep(0.05)
        time.sleep(0.5)
    return 5

command.main = main
sys.exit(command.program())
"""


@pytest.mark.parametrize("real", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_thread_inside_torch_does_not_abort_a_command_at_its_end(real: bool) -> None:
    """Python's own end is gone through; what C++ does behind it, and aborts in, is not."""
    code = ENDING.replace("{real}", str(real))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (5, "")
    assert done.stdout == "done\nat exit\n"
