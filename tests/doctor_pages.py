"""The doctor's pages of five sick runs, as docs/doctor.md shows them.

`python tests/doctor_pages.py` trains the runs and writes their pages into the docs between the two
marks; tests/docs/test_doctor_pages.py holds that the words there are the ones of today.
"""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

import nnlab

DOCS = Path(__file__).parent.parent / "docs" / "doctor.md"
BEGIN, END = "<!-- pages: tests/doctor_pages.py writes them -->", "<!-- end of pages -->"


def _table(folder: Path, name: str, columns: dict[str, Any]) -> str:
    rows = zip(*columns.values(), strict=True)
    text = "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)])
    (folder / name).write_text(text + "\n")
    return name


def _loans(rows: int = 800) -> dict[str, Any]:
    draw = np.random.default_rng(4)
    age, income = draw.integers(18, 80, rows), draw.lognormal(10.4, 0.5, rows).round(-2)
    debt = (income * draw.beta(2.0, 5.0, rows)).round(-1)
    odds = 3.0 * debt / income - (age - 45) / 20.0 - 0.8 + draw.logistic(0.0, 0.5, rows)
    return {"age": age, "income": income, "debt": debt, "paid": np.where(odds > 0, "no", "yes")}


def _trained(folder: Path, name: str, data: Any, **sections: Any) -> str:
    config: dict[str, Any] = {
        "data": data, "model": {"kind": "mlp", "hidden": [32, 16]}, "log": {"checkpoints": "off"},
        "train": {"epochs": 40, "batch_size": 32, "threads": 1}, **sections,
    }  # fmt: skip
    nnlab.train(config, run_dir=folder / "runs" / name)
    return str(nnlab.doctor(folder / "runs" / name))


def rate(folder: Path) -> str:
    """A learning rate a thousand times too high."""
    points = {"kind": "moons", "samples": 800, "noise": 0.15, "validation": 0.25}
    return _trained(folder, "rate", points, optimizer={"kind": "adam", "lr": 2.0})


def outliers(folder: Path) -> str:
    """Two incomes in cents instead of thousands, in a table that is scaled column by column."""
    columns = _loans()
    columns["income"][[120, 431]] *= 1e5
    path = _table(folder, "outliers.csv", columns)
    data = {"kind": "csv", "path": path, "target": "paid", "validation": 0.25}
    return _trained(folder, "outliers", data, optimizer={"kind": "adam", "lr": 5e-3})


def leak(folder: Path) -> str:
    """A column that is written down when the target is known."""
    columns = _loans()
    draw = np.random.default_rng(5)
    late = (columns["paid"] == "no") * draw.integers(30, 200, 800)
    path = _table(folder, "leak.csv", {"days_late": late, **columns})
    data = {"kind": "csv", "path": path, "target": "paid", "validation": 0.25}
    return _trained(folder, "leak", data, optimizer={"kind": "adam", "lr": 5e-3})


def labels(folder: Path) -> str:
    """A sixth of the labels drawn anew."""
    data = {"kind": "digits", "limit": 900, "validation": 300, "label_noise": {"share": 0.17}}
    train = {"epochs": 15, "batch_size": 30, "threads": 1}
    return _trained(folder, "labels", data, optimizer={"kind": "adam", "lr": 3e-3}, train=train)


def softmax(folder: Path) -> str:
    """A module from Python that ends in a softmax, which cross_entropy takes once more."""
    torch.manual_seed(0)
    layers = (nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10), nn.Softmax(dim=1))
    config = {"data": {"kind": "digits", "limit": 900, "validation": 300},
              "loss": "cross_entropy", "train": {"epochs": 15, "batch_size": 30, "threads": 1},
              "log": {"checkpoints": "off"}}  # fmt: skip
    network = nn.Sequential(*layers)
    done = nnlab.train(config, model=network, run_dir=folder / "runs" / "softmax")
    return str(nnlab.doctor(done, model=network))


PAGES: tuple[Callable[[Path], str], ...] = (rate, outliers, leak, labels, softmax)


def made_in(folder: Path, page: Callable[[Path], str]) -> str:
    """A page as the docs have it: trained in a folder of its own, 80 columns wide."""
    before, width = Path.cwd(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"
    os.chdir(folder)
    try:
        text = page(folder)
    finally:
        os.chdir(before)
        os.environ.pop("COLUMNS")
        if width is not None:
            os.environ["COLUMNS"] = width
    return text.replace(f"{folder}/", "")


def words_of(text: str) -> list[str]:
    """What must not age: the words, without numbers, and without where lines end."""
    return re.sub(r"[-+]?\d[\d.,]*(e[-+]?\d+)?%?", "#", text).replace("\\\n", " ").split()


def written() -> str:
    """What stands between the marks."""
    return DOCS.read_text().split(BEGIN)[1].split(END)[0]


def main() -> None:
    """Writes the pages into the docs."""
    parts: list[str] = []
    for page in PAGES:
        with TemporaryDirectory() as folder:
            text = made_in(Path(folder).resolve(), page)
        parts.append(f"**{page.__doc__}**\n\n```text\n{text}```\n")
        sys.stderr.write(text + "\n")
    before, _, rest = DOCS.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    DOCS.write_text(f"{before}{BEGIN}\n\n{chr(10).join(parts)}\n{END}{after}")


if __name__ == "__main__":
    main()
