"""The section "How it learned": what it draws is what the run recorded and the network says."""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nnlab.__main__ import main
from nnlab.commands.report.command import write_report
from nnlab.commands.report.learned.facts import Learned
from nnlab.commands.report.learned.record import how_it_learned
from nnlab.commands.report.learned.section import learned_section
from nnlab.commands.report.learned.task_picture import tinted_regions
from nnlab.runs.finished.reopen import open_run
from nnlab.runs.folder.metrics import read_history
from nnlab.runs.run import train

CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "moons": {"data": "moons", "model": {"kind": "mlp", "hidden": [8, 8]}},
    "function": {
        "data": "function",
        "model": {"kind": "mlp", "hidden": [6], "activation": "tanh"},
        "schedule": "cosine",
    },
    "dead": {
        "data": "digits",
        "model": {"kind": "mlp", "hidden": [8], "bias_init": {"kind": "constant", "value": -100}},
    },
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name, config in CONFIGS.items():
        train({**config, "name": name, "train": {"epochs": 3}}, run_dir=folder / name)
    return folder


def learned(run: Path) -> Learned:
    return how_it_learned(open_run(run, split="test", device=torch.device("cpu")))


@pytest.mark.parametrize("name", CONFIGS)
def test_curves_are_the_readings_of_the_record(runs: Path, name: str) -> None:
    history = read_history(runs / name / "metrics.jsonl")
    for quantity in learned(runs / name).quantities:
        for curve in quantity.curves:
            split = {"training": "train"}.get(curve.label, curve.label)
            wanted = [(r["epoch"], r[quantity.key]) for r in history if r["split"] == split]
            assert list(zip(curve.places, curve.values, strict=True)) == wanted


def test_the_best_weights_are_marked_where_the_summary_has_them(runs: Path) -> None:
    found = learned(runs / "moons")
    best = json.loads((runs / "moons/summary.json").read_text())["best"]
    assert found.best is not None
    assert found.best.place == best["epoch"]
    # Epochs run from 0 to 3 over the width of the axes, 52 to 368.
    at = 52 + 316 * best["epoch"] / 3
    marks = re.findall(r'<line class="mark" x1="([0-9.]+)"', learned_section(found))
    assert [float(mark) for mark in marks] == pytest.approx([at] * len(found.quantities), abs=0.06)


def test_gradients_stand_in_order_of_depth(runs: Path) -> None:
    found = learned(runs / "moons")
    history = {r["step"]: r for r in read_history(runs / "moons/metrics.jsonl")
               if r["split"] == "train"}  # fmt: skip
    assert found.layers == ("hidden1", "hidden2", "output")
    keys = [f"grad_norm/0{k}_{layer}.weight" for k, layer in enumerate(found.layers)]
    for step, norms in found.gradients:
        assert norms == pytest.approx([history[step][key] for key in keys])


def test_units_are_followed_over_time(runs: Path) -> None:
    assert [curve.label for curve in learned(runs / "moons").dead] == ["hidden1", "hidden2"]
    assert [curve.label for curve in learned(runs / "function").saturated] == ["hidden1"]
    (dead,) = learned(runs / "dead").dead
    assert set(dead.values) == {1.0}


def test_a_fault_comes_with_its_remedy_to_paste(runs: Path) -> None:
    found = learned(runs / "dead")
    assert found.findings[0].name == "dead_units"
    section = re.sub("<[^>]*>", "", learned_section(found))
    assert "Dead units in hidden1" in section
    assert f"{found.again} {found.findings[0].flags}" in section
    assert "was 0 or not finite" in section  # no gradient: no empty axes
    clean = re.sub("<[^>]*>", "", learned_section(replace(found, findings=())))
    assert "Nothing was found wrong" in clean


def test_the_rate_is_drawn_where_it_changes(runs: Path) -> None:
    rate = learned(runs / "function").learning_rate
    assert rate is not None
    assert rate.values[0] > rate.values[-1]
    assert learned(runs / "moons").learning_rate is None


def test_regions_have_the_colour_of_the_class_that_the_network_says(runs: Path) -> None:
    opened = open_run(runs / "moons", split="test", device=torch.device("cpu"))
    picture = how_it_learned(opened).picture
    assert picture is not None
    found = re.search(r'href="data:image/png;base64,([^"]+)"', picture.figure)
    assert found is not None
    pixels = np.asarray(Image.open(BytesIO(b64decode(found[1]))))
    # The corners of the drawing, asked of the network itself: the first row is the highest y.
    points = opened.examples.own(np.asarray(opened.examples.inputs)[opened.examples.rows["train"]])
    low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float)
    room = 0.1 * (high - low)
    corners = [(low[0] - room[0], high[1] + room[1]), (high[0] + room[0], low[1] - room[1])]
    stored = (np.array(corners) - opened.examples.shift) * opened.examples.factor
    with torch.no_grad():
        says = opened.network(torch.from_numpy(stored).float()).reshape(2, -1)
    classes = says.argmax(dim=1) if says.shape[1] > 1 else (says[:, 0] > 0).long()
    blue_over_red = pixels[[0, -1], [0, -1], 2] > pixels[[0, -1], [0, -1], 0]
    assert blue_over_red.tolist() == (classes == 0).tolist()


def test_a_region_is_clear_where_the_network_is_unsure() -> None:
    sure = np.array([[0.5, 1.0]])
    pixels = tinted_regions(np.array([[0.0, 1.0]]), sure, 2)
    assert pixels.shape == (1, 2, 4)
    assert pixels[0, 0, 3] < 0.1 * 255 < pixels[0, 1, 3]


def test_the_page_begins_with_it_and_json_tells_it(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["eval", str(runs / "dead"), "--report", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["learning"]
    assert told["dead_units"] == {"hidden1": 1.0}
    assert told["findings"][0]["name"] == "dead_units"
    titles = re.findall("<h2>([^<]*)</h2>", (runs / "dead/eval/test.html").read_text())
    assert titles[:2] == ["How it learned", "Scores"]


def test_several_runs_have_their_curves_over_one_another(runs: Path, tmp_path: Path) -> None:
    other = train({**CONFIGS["moons"], "seed": 1, "train": {"epochs": 2}}, run_dir=tmp_path / "b")
    page = write_report([runs / "moons", other.run], device="cpu").page.read_text()
    assert re.findall("<h2>([^<]*)</h2>", page)[0] == "How they learned"
    assert page.count('class="line curve s0"') == page.count('class="line curve s1"') == 2
