"""Files of a prediction that are written unlike the run's: what is told works when pasted."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nnlab.__main__ import main
from nnlab.runs.run import train

DRAW = np.random.default_rng(0)
ROWS = [(1000 * DRAW.normal(k, 0.2) + 1500, DRAW.normal(-k), "äb"[k]) for k in (0, 1) * 20]
TEXT = "größe,y,art\n" + "".join(f"{a:.1f},{b:.3f},{k}\n" for a, b, k in ROWS)
GROUPED = "größe,y,art\n" + "".join(f'"{a:,.1f}",{b:.3f},{k}\n' for a, b, k in ROWS)
GERMAN = TEXT.replace(",", ";").replace(".", ",")
WRITTEN: dict[str, Callable[[], bytes]] = {
    "semicolons": lambda: TEXT.replace(",", ";").encode(),
    "semicolons and decimal commas": GERMAN.encode,
    "tabs": lambda: TEXT.replace(",", "\t").encode(),
    "blanks": lambda: TEXT.replace(",", " ").encode(),
    "cp1252": lambda: TEXT.encode("cp1252"),
    "utf-16": lambda: TEXT.encode("utf-16"),
    "lines above": lambda: f"# from R\n# and on\n{TEXT}".encode(),
    "thousands": GROUPED.encode,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "train.csv").write_text(TEXT, encoding="utf-8")
    data = {"kind": "csv", "path": str(folder / "train.csv"), "target": "art"}
    config = {"data": data, "model": "linear", "train": {"epochs": 2}}
    return train(config, run_dir=folder / "run").run


@pytest.mark.parametrize("how", WRITTEN)
def test_the_options_that_are_told_read_the_file(
    run: Path, tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(run), str(run.parent / "train.csv"), "--format", "csv"]
    assert main(words) == 0
    right = capsys.readouterr()
    words[2] = str(tmp_path / "train.csv")
    Path(words[2]).write_bytes(WRITTEN[how]())
    found = right
    for _ in range(3):
        code, found = main(words), capsys.readouterr()
        hints = re.findall(r"--set (?:'[^']*'|[^\s)]+)", found.err)
        if code == 0 and not hints:
            break
        assert code in (0, 3)
        words += shlex.split(hints[0])
    assert len(words) > 5, "nothing was told"
    assert found.out.replace(str(tmp_path), "") == right.out.replace(str(run.parent), "")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("data.target=y", "says nothing of how a csv file is written"),
        ("data.encoding=nonsense", "--set data.encoding: needs the name of an encoding"),
        ("data.delimiter=ab", "--set data.delimiter: needs one sign that is in no cell"),
    ],
)
def test_what_cannot_be_said_of_a_file(
    run: Path, change: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(run), str(run.parent / "train.csv"), "--set", change]) == 2
    assert told in capsys.readouterr().err


def test_a_file_without_a_header_is_told_what_to_put_there(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(TEXT.partition("\n")[2], encoding="utf-8")
    assert main(["predict", str(run), str(rows)]) == 3
    assert "put one with the names above it: größe,y,art)" in capsys.readouterr().err
