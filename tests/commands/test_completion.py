import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnlab.cli import COMMANDS
from nnlab.config.loading import bundled_configs


def completed(words: str, *, shell: str = "bash") -> list[str]:
    """What a shell gets that asks nnlab to complete the last word, in a process of its own."""
    count = len(words.split(" ")) - 1
    asks = {
        "bash": {"COMP_WORDS": words, "COMP_CWORD": str(count)},
        "zsh": {"_TYPER_COMPLETE_ARGS": words},
    }[shell]
    code = "from nnlab.__main__ import main\ncode = main([])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "_NNLAB_COMPLETE": f"complete_{shell}", **asks},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert not done.stderr
    return done.stdout.splitlines()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NNLAB_RUNS", raising=False)


def make_run(path: str) -> None:
    Path(path).mkdir(parents=True)
    Path(path, "summary.json").write_text(json.dumps({}))


def test_commands() -> None:
    names = {name for panel in COMMANDS.values() for name in panel}
    assert set(completed("nnlab ")) == names
    assert completed("nnlab tra") == ["train"]


def test_configs_are_bundled_names_and_files() -> None:
    Path("mine.yaml").touch()
    Path("mine.txt").touch()
    Path("sub").mkdir()
    Path("sub/other.yml").touch()
    found = completed("nnlab train ")
    assert {*found} == {*bundled_configs(), "mine.yaml", "sub/"}
    assert completed("nnlab check sub/") == ["sub/other.yml"]
    assert completed("nnlab show ./mi") == ["./mine.yaml"]
    assert completed("nnlab new lessons/xor_") == ["lessons/xor_by_hand"]


def test_runs_are_those_that_are_there() -> None:
    make_run("runs/flower/1")
    make_run("runs/flower/2")
    assert completed("nnlab eval ") == ["flower", "flower/1", "flower/2", "last"]
    assert completed("nnlab compare flower/1 flower/") == ["flower/1", "flower/2"]
    assert completed("nnlab resume l") == ["last"]
    assert completed("nnlab runs rm flower/2") == ["flower/2"]
    assert completed("nnlab doctor last") == ["last"]
    assert completed("nnlab doctor xo") == ["xor"]


def test_words_of_the_menus() -> None:
    assert completed("nnlab menu cross_") == ["cross_entropy"]
    assert {"losses", "train", "relu", "lr", "readings"} <= {*completed("nnlab menu ")}


def test_options() -> None:
    assert "--device" in completed("nnlab train xor --d")


def test_zsh_gets_the_help_of_a_command() -> None:
    (line,) = completed("nnlab tra", shell="zsh")[-1:]
    assert COMMANDS["Experiments"]["train"].split(".")[0] in line


@pytest.mark.parametrize("words", ["nnlab ", "nnlab train x", "nnlab eval l", "nnlab menu re"])
def test_nothing_heavy_is_loaded(words: str) -> None:
    code = (
        "import sys\nfrom nnlab.__main__ import main\nmain([])\n"
        "print(sorted({'torch', 'sklearn', 'numpy', 'matplotlib'} & set(sys.modules)))"
    )
    asks = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "_NNLAB_COMPLETE": "complete_bash", **asks},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shows_the_script_of_a_shell(shell: str) -> None:
    code = f"from nnlab.__main__ import main; main(['--show-completion', {shell!r}])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert f"_NNLAB_COMPLETE=complete_{shell}" in done.stdout
