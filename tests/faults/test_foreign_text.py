"""Names of others reach no terminal, page, board or picture with anything in them that acts."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import RendererAgg
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nnlab.__main__ import main
from nnlab.core.text import render_text
from nnlab.display.pictures.drawing import make_visible, new_figure, save_figure

BAD = "\x1b]0;owned\x07"
"""Sets the title of a terminal."""
NAMES = (f"cat{BAD}", "$x_{$", "dog\u202egod")
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("foreign")
    draw = np.random.default_rng(0)
    rows = [f"a{BAD},$b_{{$,c\u202e"]
    for _ in range(60):
        kind = draw.integers(3)
        x, y = draw.normal(kind, 0.3, 2)
        rows.append(f"{x:.4f},{y:.4f},{NAMES[kind]}")
    (folder / "data.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "c.yaml").write_text(
        'name: foreign\ndata: {kind: csv, path: data.csv, target: "c\\u202e"}\n'
        "model: {kind: mlp, hidden: [3]}\ntrain: {epochs: 2, batch_size: 20}\n"
        "log: {pictures: 2}\n"
    )
    assert main(["train", str(folder / "c.yaml"), "--run-dir", str(folder / "run"), "-q"]) == 0
    return folder / "run"


@pytest.mark.parametrize(
    "words",
    [
        *(["eval", "RUN"], ["eval", "RUN", "--json"], ["doctor", "RUN"], ["show", "CONFIG"]),
        *(["show", "CONFIG", "--data"], ["show", "CONFIG", "--json"], ["check", "CONFIG"]),
        *(["predict", "RUN", "DATA"], ["verify", "RUN"], ["runs"], ["eval", "RUN", "--report"]),
        *(["compare", "RUN", "AGAIN", "--png", "PNG"], ["train", "CONFIG"]),
        ["show", "CONFIG", "--data", "--plot", "PNG"],
    ],
    ids=" ".join,
)
def test_a_command_writes_nothing_that_acts(
    run: Path, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {
        "RUN": run,
        "CONFIG": run.parent / "c.yaml",
        "DATA": run.parent / "data.csv",
        "AGAIN": shutil.copytree(run, tmp_path / "again"),
        "PNG": tmp_path / "page.png",
    }
    found_nothing_or_something = (0, 7)
    assert main([str(places.get(word, word)) for word in words]) in found_nothing_or_something
    found = capsys.readouterr()
    assert not ACTING.search(found.out)
    assert not ACTING.search(found.err)


def test_tensorboard_shows_nothing_that_acts(run: Path) -> None:
    board = EventAccumulator(str(run), size_guidance={"tensors": 0})
    board.Reload()
    tags: Any = board.Tags()["tensors"]
    texts = [tag for tag in tags if tag in ("config", "summary") or tag.startswith("findings/")]
    assert {"config", "summary"} <= set(texts)
    for tag in texts:
        for event in board.Tensors(tag):
            for value in event.tensor_proto.string_val:
                assert not ACTING.search(value.decode())


def drawn_by(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What matplotlib draws from here on, and whether as a formula."""
    found: list[str] = []
    plain, formula = RendererAgg.draw_text, RendererAgg.draw_mathtext

    def text(self: Any, gc: Any, x: Any, y: Any, s: str, *rest: Any, **more: Any) -> None:
        found.append(s)
        plain(self, gc, x, y, s, *rest, **more)

    def mathtext(self: Any, gc: Any, x: Any, y: Any, s: str, *rest: Any) -> None:
        found.append(f"formula {s}")
        formula(self, gc, x, y, s, *rest)

    monkeypatch.setattr(RendererAgg, "draw_text", text)
    monkeypatch.setattr(RendererAgg, "draw_mathtext", mathtext)
    return found


def test_a_figure_shows_names_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Titles, labels, legends and ticks; powers of ten stay formulas."""
    found = drawn_by(monkeypatch)
    figure = new_figure()
    first, second = figure.subplots(1, 2)
    first.set_title(f"a{BAD}b")
    first.set_xticks([0, 1], ["x\x1b[2J", "$y_{$"])
    first.plot([0, 1], [0, 1], label="5 $ to 6 $")
    first.legend()
    second.set_ylabel("$z$")
    second.set_yscale("log")
    second.plot([1, 2], [1e-4, 1e4])
    save_figure(figure)
    assert {"a\\x1b]0;owned\\x07b", "x\\x1b[2J", "$y_{$", "5 $ to 6 $", "$z$"} <= set(found)
    assert "formula $\\mathdefault{10^{-1}}$" in found or any("10^" in s for s in found)
    assert not any(ACTING.search(s) for s in found)
    make_visible(figure)  # a second time changes nothing
    assert first.get_title() == "a\\x1b]0;owned\\x07b"


def test_what_rich_draws_holds_nothing_that_acts() -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(f"head{BAD}")
    table.add_row(Text(f"cell{BAD}", style="red"))
    plain = render_text(table, Text(f"line{BAD}"))
    assert not ACTING.search(plain)
    assert "head\\x1b]0;owned" in plain
    coloured = render_text(table, colors=True)
    assert not ACTING.search(re.sub(r"\x1b\[[0-9;]*m", "", coloured))
    assert "cell\\x1b]0;owned" in coloured
    assert "\x1b[31m" in coloured


def test_every_command_writes_through_the_one_function() -> None:
    """What goes past it is JSON, which escapes, or was made visible where it was drawn."""
    allowed = ("dumps(", "as_json(", "schema_text()", "compare_page(", "visible_text(")
    found = [
        f"{path.name}:{number}"
        for path in sorted((Path(main.__code__.co_filename).parent / "commands").rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if "typer.echo(" in line and not any(word in line for word in allowed)
    ]
    assert found == []
