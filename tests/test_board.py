from pathlib import Path

import pytest

from nnlab.base import ConfigError
from nnlab.board import command, names, serve
from nnlab.summary import Summary


def make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    Summary(run=folder, name="net", status="completed").write()
    return folder


def test_listens_on_this_machine_alone(tmp_path: Path) -> None:
    words = command([make(tmp_path / "net" / "1")], port=6006)
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--port") + 1] == "6006"
    assert words[words.index("--logdir") + 1] == str(tmp_path / "net" / "1")


def test_calls_several_runs_as_the_commands_do(tmp_path: Path) -> None:
    folders = [make(tmp_path / "net" / "1"), make(tmp_path / "other" / "2")]
    words = command(folders, port=0)
    spec = words[words.index("--logdir_spec") + 1]
    assert spec == f"net/1:{folders[0]},other/2:{folders[1]}"


def test_runs_of_one_name_keep_apart(tmp_path: Path) -> None:
    folders = [make(tmp_path / "a" / "net" / "1"), make(tmp_path / "b" / "net" / "1")]
    assert len(set(names(folders))) == 2


def test_says_how_to_make_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path))
    with pytest.raises(ConfigError, match="nnlab train makes one"):
        serve([], port=0)
