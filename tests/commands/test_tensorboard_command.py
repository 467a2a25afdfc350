import socket
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from nnlab.commands import tensorboard
from nnlab.commands.tensorboard import (
    free_port,
    serve_tensorboard,
    shelf,
    shelf_names,
    tensorboard_command,
)
from nnlab.core.errors import ConfigError, ResourceError
from nnlab.runs.folder.summary import Summary

VERSION = "brain.Event:2"  # the first record of every file of events


def make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    Summary(run=folder, name="net", status="completed").write()
    with (folder / "events.out.tfevents.1").open("wb") as file:
        event = event_pb2.Event(file_version=VERSION)  # pyright: ignore[reportAttributeAccessIssue]
        RecordWriter(file).write(event.SerializeToString())
    return folder


def called(folders: list[Path]) -> set[str]:
    """What TensorBoard calls the runs."""
    with shelf(folders) as shown:
        return set(EventMultiplexer().AddRunsFromDirectory(str(shown)).Runs())


def test_listens_on_this_machine_alone(tmp_path: Path) -> None:
    words = tensorboard_command(tmp_path, port=6006)
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--port") + 1] == "6006"
    assert words[words.index("--logdir") + 1] == str(tmp_path)


def test_calls_runs_as_the_commands_do(tmp_path: Path) -> None:
    folders = [make(tmp_path / "net" / "1"), make(tmp_path / "net" / "2")]
    assert called(folders) == {"net/1", "net/2"}
    assert called(folders[:1]) == {"net/1"}


def test_calls_the_runs_of_a_comparison_by_all_three_words(tmp_path: Path) -> None:
    group = tmp_path / "net" / "3"
    folders = [make(group / "relu-s0"), make(group / "tanh-s0")]
    (group / "group.json").write_text("{}")
    assert called(folders) == {"net/3/relu-s0", "net/3/tanh-s0"}


def test_takes_paths_with_commas_and_colons(tmp_path: Path) -> None:
    folders = [make(tmp_path / "a,b=c:d" / "1"), make(tmp_path / "with spaces" / "1")]
    assert called(folders) == {"a,b=c:d/1", "with spaces/1"}


def test_runs_of_one_name_keep_apart(tmp_path: Path) -> None:
    folders = [make(tmp_path / "a" / "net" / "1"), make(tmp_path / "b" / "net" / "1")]
    assert len(set(shelf_names(folders))) == 2
    assert called(folders) == set(shelf_names(folders))


def test_leaves_nothing_behind_and_the_runs_alone(tmp_path: Path) -> None:
    run = make(tmp_path / "net" / "1")
    before = sorted(path.name for path in run.iterdir())
    with shelf([run]) as shown:
        assert shown.is_relative_to(gettempdir())
    assert not shown.exists()
    assert sorted(path.name for path in run.iterdir()) == before


def test_where_links_are_not_allowed_shows_the_folder_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [make(tmp_path / "net" / "1"), make(tmp_path / "other" / "2")]

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(1314, "a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert called(folders) == {"net/1", "other/2"}


def test_says_where_it_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(tmp_path / "net" / "1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(ResourceError, match="temporary folder"), shelf([run]):
        pass


def test_says_how_to_make_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path))
    with pytest.raises(ConfigError, match="nnlab train makes one"):
        serve_tensorboard([], port=0)


def test_a_taken_port_is_found_before_an_address_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "net" / "1")
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(ResourceError, match=f"--port {taken}: is taken"):
            serve_tensorboard([], port=taken)
        # The usual one gives way.
        monkeypatch.setattr(tensorboard, "USUAL_PORT", taken)
        assert free_port(None) not in (0, taken)
    assert free_port(None) == taken
    assert capsys.readouterr().out == ""
