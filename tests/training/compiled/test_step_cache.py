"""Built steps on disk: half files, two processes, old age, and who may touch them."""

import fcntl
import os
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nnlab.core.signals import CutShort, stop_signals
from nnlab.training.compiled import building
from nnlab.training.compiled import cache as pruning
from nnlab.training.compiled.cache import BuiltStep, StepCache


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "steps"


@pytest.fixture
def cache(folder: Path) -> StepCache:
    found = StepCache(folder)
    assert found.trusted() == ""
    return found


def built(
    cache: StepCache, key: str, content: str = "code", note: Callable[[str], None] = print
) -> BuiltStep:
    with cache.building(key, note) as draft:
        draft.write_text(content)
        return cache.keep(key, draft, ["rate/0"], 1.0)


@contextmanager
def held(path: Path) -> Generator[Callable[[], None]]:
    """A lock as another process would hold it, and what lets it go."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield lambda: fcntl.flock(file, fcntl.LOCK_UN)


def remove(path: Path) -> None:
    path.unlink()


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3])


class TestWhatIsHalfThere:
    @pytest.mark.parametrize("harm", [remove, halve])
    @pytest.mark.parametrize("end", ["pt2", "json"])
    def test_is_not_loaded_and_can_be_built_again(
        self, cache: StepCache, folder: Path, end: str, harm: Callable[[Path], None]
    ) -> None:
        whole = built(cache, "a")
        cache.remember("r", "a")
        assert cache.by_recipe("r") == cache.by_key("a") == whole
        harm(folder / f"a.{end}")
        assert cache.by_recipe("r") is cache.by_key("a") is None
        assert built(cache, "a") == cache.by_recipe("r") == whole

    def test_a_recipe_that_was_cut_leads_nowhere(self, cache: StepCache, folder: Path) -> None:
        built(cache, "a")
        cache.remember("r", "a")
        halve(folder / "r.recipe")
        assert cache.by_recipe("r") is None

    def test_a_package_beside_the_sum_of_the_one_before_is_not_loaded(
        self, cache: StepCache, folder: Path
    ) -> None:
        built(cache, "a")
        before = (folder / "a.json").read_text()
        built(cache, "a", "other code")
        (folder / "a.json").write_text(before)
        assert cache.by_key("a") is None

    def test_what_a_killed_build_left_goes_with_the_next(
        self, cache: StepCache, folder: Path
    ) -> None:
        for key in ("a", "b"):
            (folder / f"{key}.1234.pt2").write_text("half")
            (folder / f"{key}.lock").write_text("")
            (folder / "scratch" / f"{key}.1234").mkdir(parents=True)
        built(cache, "a")
        assert {path.name for path in folder.iterdir()} == {"a.pt2", "a.json", "a.lock", "scratch"}
        assert not list((folder / "scratch").iterdir())


class TestAnotherProcess:
    def test_is_waited_for_in_so_many_words(self, cache: StepCache, folder: Path) -> None:
        (folder / "scratch" / "abcdefghijklmno.77").mkdir(parents=True)
        lines: list[str] = []
        with held(folder / "abcdefghijklmno.lock") as release:
            threading.Timer(0.2, release).start()
            built(cache, "abcdefghijklmno", note=lines.append)
        assert lines == [
            "compile: waits for process 77, which is building the same step (abcdefghijkl)"
        ]

    def test_nobody_is_waited_for_without_one(self, cache: StepCache) -> None:
        lines: list[str] = []
        built(cache, "a", note=lines.append)
        assert lines == []

    def test_a_signal_ends_the_waiting(self, cache: StepCache, folder: Path) -> None:
        def interrupt(text: str) -> None:
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()

        said: list[str] = []
        with (
            held(folder / "a.lock"),
            stop_signals(said.append, []),
            pytest.raises(CutShort),
        ):
            built(cache, "a", note=interrupt)
        assert said == ["stopped by SIGINT"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_build_and_its_compilers(
    cache: StepCache, folder: Path, number: signal.Signals
) -> None:
    received: list[int] = []
    compilers: list[subprocess.Popen[bytes]] = []

    def build() -> None:
        with cache.building("a", print) as draft:
            draft.write_text("half")
            compilers.append(subprocess.Popen(["sleep", "60"]))
            signal.raise_signal(number)

    before = subprocess.Popen(["sleep", "60"])
    with stop_signals(lambda _: None, received):
        for _ in range(2):  # the second time it does not begin
            with pytest.raises(CutShort):
                build()
    (compiler,) = compilers
    assert compiler.wait(timeout=10) == -signal.SIGTERM
    assert before.poll() is None
    before.kill()
    before.wait()
    assert received == [number]
    assert not list(folder.glob("*.pt2"))


def test_outside_a_run_a_build_ends_as_python_ends(cache: StepCache, folder: Path) -> None:
    def build(number: int) -> None:
        with cache.building("a", print) as draft:
            draft.write_text("half")
            signal.raise_signal(number)

    for number, error in ((signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)):
        handler = signal.getsignal(number)
        with pytest.raises(error) as caught:
            build(number)
        assert not isinstance(caught.value, CutShort)
        assert signal.getsignal(number) is handler
        assert not list(folder.glob("*.pt2"))


class TestPruning:
    def age(self, folder: Path, key: str, days: float) -> None:
        when = time.time() - days * 86400
        os.utime(folder / f"{key}.pt2", (when, when))

    def keys(self, folder: Path) -> set[str]:
        assert {p.stem for p in folder.glob("*.json")} == {p.stem for p in folder.glob("*.pt2")}
        return {path.stem for path in folder.glob("*.pt2")}

    def test_what_was_not_used_for_long_goes(self, cache: StepCache, folder: Path) -> None:
        for key, days in (("old", 91), ("young", 89), ("loaded", 91)):
            built(cache, key)
            self.age(folder, key, days)
        cache.remember("r", "loaded")
        assert cache.by_recipe("r") is not None
        built(cache, "new")
        assert self.keys(folder) == {"young", "loaded", "new"}
        assert not (folder / "old.lock").exists()

    def test_beyond_the_limit_the_longest_unused_goes(
        self, cache: StepCache, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pruning, "MOST_BYTES", 30)
        for key, days in (("b", 2), ("a", 3), ("c", 1)):
            built(cache, key, "x" * 10)
            self.age(folder, key, days)
        built(cache, "d", "x" * 10)
        assert self.keys(folder) == {"b", "c", "d"}

    def test_what_was_just_built_stays_whatever_its_size(
        self, cache: StepCache, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pruning, "MOST_BYTES", 5)
        built(cache, "a")
        built(cache, "b", "x" * 10)
        assert self.keys(folder) == {"b"}

    def test_what_a_process_holds_stays(self, cache: StepCache, folder: Path) -> None:
        built(cache, "a")
        self.age(folder, "a", 1000)
        with held(folder / "a.lock"):
            built(cache, "b")
        assert self.keys(folder) == {"a", "b"}

    def test_recipes_that_nobody_asked_for_go(self, cache: StepCache, folder: Path) -> None:
        built(cache, "a")
        for recipe in ("old", "new"):
            cache.remember(recipe, "a")
        os.utime(folder / "old.recipe", (0, 0))
        built(cache, "b")
        assert {path.stem for path in folder.glob("*.recipe")} == {"new"}


class TestTrust:
    @pytest.mark.parametrize(
        ("mode", "trusted"), [(0o777, False), (0o1777, True), (0o755, True), (0o757, False)]
    )
    def test_of_the_folders_above(self, tmp_path: Path, mode: int, trusted: bool) -> None:
        above = tmp_path / "above"
        above.mkdir()
        above.chmod(mode)
        why = StepCache(above / "cache" / "steps").trusted()
        assert why == (
            ""
            if trusted
            else f"{above}, above the cache, can be written to by others "
            "(chmod go-w, or name a folder elsewhere by NNLAB_CACHE)"
        )

    def test_of_a_group_that_has_others(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from nnlab.training.compiled import cache as trust

        above = tmp_path / "above"
        above.mkdir()
        above.chmod(0o775)
        for private in (True, False):
            monkeypatch.setattr(
                trust, "_private", dict.fromkeys([above.stat().st_gid], private).get
            )
            assert (StepCache(above / "steps").trusted() == "") is private

    def test_follows_a_link_on_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "open" / "cache").mkdir(parents=True)
        (tmp_path / "open").chmod(0o777)
        (tmp_path / "link").symlink_to(tmp_path / "open" / "cache")
        assert "can be written to by others" in StepCache(tmp_path / "link" / "steps").trusted()


def test_another_compiler_is_another_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cxx = tmp_path / "c++"
    found = {building.build_surroundings(1)}
    for text in ("#!/bin/sh\n", "#!/bin/sh -e\n"):
        cxx.write_text(text)
        cxx.chmod(cxx.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("CXX", str(cxx))
        found |= {building.build_surroundings(1), building.build_surroundings(1)}
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    assert len({*found, building.build_surroundings(1)}) == 4
