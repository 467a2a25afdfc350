"""How far a config of a guest reaches: no kind of path leads out of the folders it may read."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nnlab.comparison.comparison import settle_source
from nnlab.config.loading import Text
from nnlab.core.errors import NnlabError
from nnlab.core.kinds import kinds_of
from nnlab.core.reach import REACH_VARIABLE, has_bounds, reach_only, within_reach
from nnlab.parts.datasets import Data
from nnlab.runs.folder.find import create_folder, runs_home, runs_kept_in
from nnlab.runs.weights.find_weights import find_weights

OPENED: list[str] = []
"""What Python has opened while it is watched."""
_watched: list[str] = []


def _hear(event: str, about: tuple[Any, ...]) -> None:
    if _watched and event in ("open", "os.listdir", "os.scandir") and about:
        name = str(about[0])
        if name.startswith(_watched[0]):
            OPENED.append(name)


sys.addaudithook(_hear)


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    """A folder of somebody else, watched."""
    folder = tmp_path / "other"
    (folder / "run" / "1").mkdir(parents=True)
    rows = "a,b,c\n" + "".join(f"{n},{n % 3},{n % 2}\n" for n in range(60))
    for name in ("x.csv", "x.npz", "x.txt", "x.yaml", "x.safetensors", "run/1/summary.json"):
        (folder / name).write_text(rows)
    OPENED.clear()
    _watched.append(str(folder))
    yield folder
    _watched.clear()


def paths_of_every_kind() -> list[tuple[str, str]]:
    """Kind of data and field, wherever a field is a path."""
    return [
        (name, field)
        for name, kind in kinds_of(Data).items()
        for field in ("path", "root", "exclude")
        if field in kind.model_fields and not kind.handed
    ]


def text(words: str, folder: Path) -> Text:
    return Text(words, "config", folder, "x")


def settle_with_weights(config: Text) -> None:
    """First weights are looked for behind settling, as a worker does."""
    settled = settle_source(config).first
    if settled.config.model.begin is not None:
        find_weights(settled.config.model.begin, settled.place)


def ways_to(secret: Path, own: Path, name: str) -> list[str]:
    (own / "link").unlink(missing_ok=True)
    (own / "link").symlink_to(secret)
    return [str(secret / name), f"../other/{name}", f"link/{name}", f"../own/../other/{name}"]


@pytest.mark.parametrize(("kind", "field"), paths_of_every_kind())
def test_no_path_of_data_leads_out(kind: str, field: str, secret: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    fields = {f: v for f, v in (("path", "x.csv"), ("target", "c")) if f != field}
    known = kinds_of(Data)[kind].model_fields
    for way in ways_to(secret, own, "x.csv"):
        asked = {**{k: v for k, v in fields.items() if k in known}, field: way}
        words = ", ".join(f"{key}: {value}" for key, value in asked.items())
        config = text(f"data: {{kind: {kind}, {words}}}\nmodel: linear\n", own)
        with reach_only(own), pytest.raises(NnlabError) as caught:
            settle_source(config)
        if field != "exclude" or "outside" in str(caught.value):
            assert "outside of your folders" in str(caught.value), str(caught.value)
    assert OPENED == []


@pytest.mark.parametrize(
    "words",
    [
        "base: {way}\n",
        "data: blobs\nmodel: linear\nstart: {{run: {way}}}\n",
        "data: digits\nmodel: {{kind: mlp, hidden: [8], from: {{run: {way}}}}}\n",
        "data: digits\nmodel: {{kind: mlp, hidden: [8], from: {{weights: {way}}}}}\n",
        "data: {{kind: csv, path: own.csv, target: c, test: {{file: {way}}}}}\nmodel: linear\n",
    ],
    ids=["base", "start", "from run", "from weights", "test"],
)
def test_nor_does_any_other(words: str, secret: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "own.csv").write_text((secret / "x.csv").read_text())
    OPENED.clear()
    for name in ("x.csv", "x.yaml", "x.safetensors", "run/1", "run"):
        for way in ways_to(secret, own, name):
            with reach_only(own), runs_kept_in(own / "runs"), pytest.raises(NnlabError) as caught:
                settle_with_weights(text(words.format(way=way), own))
            assert "did you mean" not in str(caught.value)
    assert OPENED == []


def test_a_base_is_no_standard_input(tmp_path: Path) -> None:
    with pytest.raises(NnlabError, match="no such file"):
        settle_source(text("base: '-'\n", tmp_path))


def test_without_bounds_everything_is_within_reach(tmp_path: Path) -> None:
    assert not has_bounds()
    assert within_reach(Path("/etc/passwd"))
    with reach_only(tmp_path):
        assert has_bounds()
        assert within_reach(tmp_path / "a" / "b")
        assert not within_reach(tmp_path.parent / f"{tmp_path.name}-too" / "a")
        assert not within_reach(Path("a\0b"))
    assert not has_bounds()


def test_a_whole_process_can_have_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REACH_VARIABLE, str(tmp_path))
    assert within_reach(tmp_path / "a")
    assert not within_reach(Path("/etc/passwd"))


def test_no_folder_at_all_is_a_bound_too() -> None:
    with reach_only():
        assert has_bounds()
        assert not within_reach(Path("/etc/passwd"))


def test_a_process_is_bounded_by_what_its_links_lead_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv(REACH_VARIABLE, str(tmp_path / "link"))
    assert within_reach(tmp_path / "link" / "a")
    assert within_reach(tmp_path / "real" / "a")
    assert not within_reach(tmp_path / "a")


def test_runs_of_many_homes_are_kept_apart(tmp_path: Path) -> None:
    with runs_kept_in(tmp_path / "one"):
        assert create_folder("a") == tmp_path / "one" / "a" / "1"
        with runs_kept_in(tmp_path / "two"):
            assert create_folder("a") == tmp_path / "two" / "a" / "1"
    assert runs_home() != tmp_path / "one"
