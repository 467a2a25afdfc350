import json
import os
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from nnlab.__main__ import main
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
        page = listing.runs_list(as_json=False)
        assert "net/1  completed  validation: loss 0.5000, accuracy 0.9000" in page
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
        assert [str(run) for run in listing.prunable_runs(keep=1, failed=False).runs] == [
            "runs/net/1",
            "runs/net/2",
        ]

    def test_finds_what_failed(self) -> None:
        make("net", 1)
        for number, status in enumerate(("failed", "diverged", "running"), start=2):
            make("net", number, status=status)
        runs.create_folder("net")
        found = listing.prunable_runs(keep=None, failed=True)
        assert [run.name for run in found.runs] == ["2", "3", "4", "5"]

    def test_leaves_what_is_in_use(self) -> None:
        run = make("net", 1, status="running")
        with FileLock(run / "lock"):
            assert listing.prunable_runs(keep=0, failed=True).runs == []

    def test_needs_a_reason(self) -> None:
        with pytest.raises(ConfigError, match="--keep N or --failed"):
            listing.prunable_runs(keep=None, failed=False)


def tree_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class TestWhatIsNoRun:
    @pytest.mark.parametrize(
        "files",
        [
            {"summary.json": "{}", "thesis.tex": "all of it"},
            {"group.json": "{}", "a/b.txt": "x"},
            {"summary.json": '{"format": 2, "status": "sent"}', "2019.jpg": "x"},
            {"summary.json": "{"},
            {"config.yaml": "data: xor\n", "data.json": "[1, 2]"},
            {"lock": "", "summary.json": "[]", "checkpoints/mine.pt": "x"},
        ],
        ids=lambda files: "+".join(files),
    )
    def test_is_named_and_left(self, home: Path, files: dict[str, str]) -> None:
        folder = home / "net" / "1"
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        before = tree_of(home)
        with pytest.raises(ConfigError, match=r"net/1: .*left as it is"):
            listing.remove_runs([folder], yes=True)
        found = listing.prunable_runs(keep=0, failed=True)
        assert found.runs == []
        assert "net/1: " in found.left[0]
        assert tree_of(home) == before

    @pytest.mark.parametrize(
        "name", ["notes.md", "eval.zip", "checkpoints/best.pt", "photos/1.png"]
    )
    def test_beside_a_runs_own_files_keeps_the_run(self, home: Path, name: str) -> None:
        run = make("net", 1, status="failed")
        other = make("net", 2, status="failed")
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("mine")
        before = tree_of(run)
        with pytest.raises(ConfigError, match=r"net/1: holds .*, which no run writes"):
            listing.remove_runs([other, run], yes=True)
        assert listing.prunable_runs(keep=None, failed=True).runs == [Path("runs/net/2")]
        assert tree_of(run) == before

    def test_in_numbered_folders_is_not_pruned(
        self, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = make("net", 1, status="failed")
        photos = home / "photos" / "2019"
        photos.mkdir(parents=True)
        (photos / "beach.jpg").write_bytes(b"jpg")
        assert main(["runs", "prune", "--failed", "--yes"]) == 0
        err = capsys.readouterr().err
        assert "photos/2019: is not a run of nnlab" in err
        assert (photos / "beach.jpg").exists()
        assert not run.exists()

    def test_links_lead_to_nothing_that_is_removed(self, home: Path, tmp_path: Path) -> None:
        run = make("net", 1)
        (tmp_path / "precious").mkdir()
        (tmp_path / "precious" / "file").write_text("x")
        (run / "eval").symlink_to(tmp_path / "precious")
        with pytest.raises(ConfigError, match="holds eval/"):
            listing.remove_runs([run], yes=True)
        assert (tmp_path / "precious" / "file").exists()

    def test_a_comparison_with_a_stranger_in_it_stays(self, home: Path) -> None:
        group = home / "pair" / "1"
        member = make("pair/1", 7)  # any name may be a member's
        plan = {"format": 1, "status": "completed", "members": {"7": {"variant": "a"}}}
        (group / "group.json").write_text(json.dumps(plan))
        (group / "mine").mkdir()
        with pytest.raises(ConfigError, match="holds mine/"):
            listing.remove_runs([group], yes=True)
        assert member.exists()
        (group / "mine").rmdir()
        listing.remove_runs([group], yes=False)
        assert not group.exists()

    def test_a_run_whose_summary_is_damaged_is_known_by_its_other_files(self, home: Path) -> None:
        run = make("net", 1)
        (run / "summary.json").write_text("{")
        (run / "env.json").write_text(json.dumps({"nnlab": "1", "pid": 1, "command": []}))
        listing.remove_runs([run], yes=False)
        assert not run.exists()
