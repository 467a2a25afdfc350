"""A run knows its data, the rows of its splits and the names of its classes again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nnlab.__main__ import main

ROWS = [
    f"{i / 10},{i % 7},{('cat', 'dog')[i % 2]},{('train', 'train', 'test')[i % 3]}"
    for i in range(60)
]
CONFIG = """\
data: {kind: csv, path: mine.csv, target: kind, test: {column: part}, validation: none,
  exclude: out.txt}
model: linear
train: {epochs: 2, threads: 1, compile: "off"}
"""


def write(rows: list[str]) -> None:
    Path("mine.csv").write_text("\n".join(["a,b,kind,part", *rows]) + "\n")


def other_parts() -> None:
    """As many rows in each split."""
    write([ROWS[0], ROWS[1].replace("train", "test"), ROWS[2].replace("test", "train"), *ROWS[3:]])


def other_names() -> None:
    write([row.replace("cat", "bat") for row in ROWS])


def other_values() -> None:
    write([row.replace("0.5,", "0.6,") for row in ROWS])


def other_excluded() -> None:
    Path("out.txt").write_text("4\n")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(ROWS)
    Path("out.txt").write_text("3\n")
    Path("net.yaml").write_text(CONFIG)
    assert main(["train", "net.yaml", "-q", "--run-dir", "run"]) == 0
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (other_parts, "the rows of test, train are not those of the run"),
        (other_names, "the classes are called otherwise than in the run"),
        (other_values, "the data are not those of the run"),
        (other_excluded, "the rows of train are not those of the run"),
    ],
)
def test_says_what_has_changed(
    run: Path, change: Callable[[], None], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(run)]) == 0
    change()
    for words, code in (
        (["eval", str(run)], 3),
        (["resume", str(run), "--set", "train.epochs=3"], 4),
        (["train", "net.yaml", "--run-dir", str(run), "--resume", "-q"], 4),
    ):
        capsys.readouterr()
        assert main(words) == code
        assert says in capsys.readouterr().err
