import json
import os
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from nnlab.core.errors import ConfigError, ResourceError
from nnlab.runs.folder import find as runs
from nnlab.runs.folder import listing
from nnlab.runs.folder.summary import Summary


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NNLAB_RUNS", raising=False)
    return tmp_path / "runs"


def make(name: str, number: int, *, status: str = "completed", age: float = 0.0) -> Path:
    run = runs.runs_home() / name / str(number)
    run.mkdir(parents=True)
    best = {"epoch": 1.0, "step": 10, "loss": 0.5, "scores": {"accuracy": 0.9}}
    Summary(run=run, name=name, status=status, best=best).write()
    (run / "config.yaml").write_text("data: xor\n")
    when = (run / "config.yaml").stat().st_mtime - age
    os.utime(run / "config.yaml", (when, when))
    return run


class TestCreate:
    def test_counts_from_one(self) -> None:
        made = [runs.create_folder("net"), runs.create_folder("net"), runs.create_folder("other")]
        assert [str(run) for run in made] == ["runs/net/1", "runs/net/2", "runs/other/1"]

    def test_takes_the_number_after_the_greatest(self) -> None:
        make("net", 9)
        make("net", 10)
        assert runs.create_folder("net").name == "11"

    def test_gives_no_number_twice(self) -> None:
        made: list[Path] = []
        threads = [
            threading.Thread(
                target=lambda: made.extend(runs.create_folder("net") for _ in range(20))
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(made)) == 160

    def test_goes_where_the_environment_says(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("NNLAB_RUNS", str(tmp_path / "elsewhere"))
        assert runs.create_folder("net") == tmp_path / "elsewhere" / "net" / "1"

    def test_says_where_it_cannot_write(self, home: Path) -> None:
        home.write_text("a file")
        with pytest.raises(ResourceError, match="runs/net: cannot be"):
            runs.create_folder("net")


class TestFind:
    def test_understands_every_form(self, home: Path) -> None:
        first = make("net", 2, age=50)
        second = make("net", 10, age=100)
        other = make("other", 1, age=10)
        assert runs.find_run("net/2").samefile(first)
        assert runs.find_run("runs/net/2").samefile(first)
        assert runs.find_run(str(home / "net" / "2")).samefile(first)
        assert runs.find_run("net").samefile(second)  # the newest is the greatest number
        assert runs.find_run("runs/net").samefile(second)
        assert runs.find_run("last").samefile(other)

    def test_last_is_the_one_resumed_last(self) -> None:
        resumed = make("net", 1, age=1)
        make("net", 2, age=100)
        assert runs.find_run("last") == resumed

    def test_takes_a_run_folder_anywhere(self, tmp_path: Path) -> None:
        Summary(run=tmp_path, name="x", status="completed").write()
        assert runs.find_run(str(tmp_path)) == tmp_path

    def test_passes_over_a_folder_that_never_became_a_run(self) -> None:
        run = make("net", 1)
        runs.create_folder("net")
        assert runs.find_run("net") == run

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("nte", "nte: no such run .did you mean net"),
            ("net/7", "did you mean net/1"),
            ("zzzzzz", "nnlab runs lists them"),
            (".", "is no run, it has no summary.json"),
        ],
    )
    def test_says_what_there_is(self, text: str, message: str) -> None:
        make("net", 1)
        with pytest.raises(ConfigError, match=message):
            runs.find_run(text)

    @pytest.mark.parametrize("text", ["last", "net"])
    def test_says_how_to_make_the_first(self, text: str) -> None:
        with pytest.raises(ConfigError, match="nnlab train makes one"):
            runs.find_run(text)


class TestListing:
    def test_shows_status_and_scores(self) -> None:
        make("net", 1, age=10)
        make("net", 2, status="diverged")
        rows = listing.list_runs()
        assert [(row.name, row.status) for row in rows] == [
            ("net/1", "completed"),
            ("net/2", "diverged"),
        ]
        assert rows[0].scores == {"loss": 0.5, "accuracy": 0.9}

    def test_tells_a_killed_run_from_one_in_training(self) -> None:
        run = make("net", 1, status="running")
        assert listing.list_runs()[0].status == "killed"
        with FileLock(run / "lock"):
            assert listing.list_runs()[0].status == "running"

    def test_calls_what_it_cannot_read_damaged(self) -> None:
        run = make("net", 1)
        (run / "summary.json").write_text("{")
        assert listing.list_runs()[0].status == "damaged"

    def test_table_and_json_agree(self) -> None:
        make("net", 1)
        assert "net/1  completed  loss 0.5, accuracy 0.9" in listing.runs_list(as_json=False)
        (row,) = json.loads(listing.runs_list(as_json=True))
        assert (row["name"], row["number"], row["status"]) == ("net", 1, "completed")


class TestRemove:
    def test_takes_the_run_and_an_empty_name(self, home: Path) -> None:
        first, second = make("net", 1), make("net", 2)
        listing.remove_runs([first], yes=False)
        assert [path.name for path in (home / "net").iterdir()] == ["2"]
        listing.remove_runs([second], yes=False)
        assert not (home / "net").exists()
        assert home.exists()

    def test_leaves_all_if_one_is_in_use(self) -> None:
        idle, busy = make("net", 1), make("net", 2, status="running")
        with FileLock(busy / "lock"):
            with pytest.raises(ResourceError, match="is being trained"):
                listing.remove_runs([idle, busy], yes=False)
            assert idle.exists()
            listing.remove_runs([busy], yes=True)
        assert not busy.exists()


class TestPrunable:
    def test_keeps_the_newest_of_each_name(self) -> None:
        for number in (1, 2, 10):
            make("net", number)
        make("other", 1)
        assert [str(run) for run in listing.prunable_runs(keep=1, failed=False)] == [
            "runs/net/1",
            "runs/net/2",
        ]

    def test_finds_what_failed(self) -> None:
        make("net", 1)
        for number, status in enumerate(("failed", "diverged", "running"), start=2):
            make("net", number, status=status)
        runs.create_folder("net")
        found = listing.prunable_runs(keep=None, failed=True)
        assert [run.name for run in found] == ["2", "3", "4", "5"]

    def test_leaves_what_is_in_use(self) -> None:
        run = make("net", 1, status="running")
        with FileLock(run / "lock"):
            assert listing.prunable_runs(keep=0, failed=True) == []

    def test_needs_a_reason(self) -> None:
        with pytest.raises(ConfigError, match="--keep N or --failed"):
            listing.prunable_runs(keep=None, failed=False)
