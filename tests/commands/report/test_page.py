"""The page: well formed, asks no host, runs nothing that data bring along; and its command."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.__main__ import main
from nnlab.commands.report.html.page import shown_scores
from nnlab.commands.report.report import Scored
from nnlab.display.web.html import VOID, Markup, tag
from nnlab.display.web.svg_plot import ticks
from nnlab.runs.run import train

EVIL = '<script>alert("1")</script>'


class Checked(HTMLParser):
    """Fails on a tag that is not closed in order; keeps tags, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def harmless(path: Path) -> Checked:
    """The page, after what holds for every page."""
    page = path.read_text(encoding="utf-8")
    checked = Checked(page)
    assert checked.tags.count("h1") == checked.tags.count("main") == 1
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(checked.tags)
    assert not re.search(r"https?:|url\(|@import", page)
    for name, value in checked.attributes:
        assert not name.startswith("on")
        if name in ("src", "href"):
            assert (value or "").startswith("data:image/png;base64,")
    return checked


def csv(folder: Path) -> Path:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(160, 2))
    kinds = np.where(x[:, 0] + 0.8 * draw.normal(size=160) > 0, "it's & 'so'", EVIL)
    lines = [f'{a:.4f},{b:.4f},"{k.replace(chr(34), chr(34) * 2)}"'
             for (a, b), k in zip(x, kinds, strict=True)]  # fmt: skip
    head = f'"{EVIL.replace(chr(34), chr(34) * 2)}",b,kind'
    path = folder / "rows.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    own = {"kind": "csv", "path": str(csv(folder)), "target": "kind"}
    configs: dict[str, dict[str, Any]] = {
        "own/1": {"data": own},
        "own/2": {"data": own, "seed": 1},
        "own/3": {"data": {**own, "split_seed": 5}},
        "digits/1": {"data": "digits"},
        "diabetes/1": {"data": "diabetes", "optimizer": {"kind": "adam", "lr": 0.1}},
        "diabetes/2": {"data": "diabetes", "optimizer": {"kind": "adam", "lr": 0.3}},
    }
    for name, sections in configs.items():
        config = {"model": "linear", "train": {"epochs": 2}, **sections}
        train(config, run_dir=folder / name)
    return folder


def reported(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["eval", *map(str, words), "--report"])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_names_from_data_are_text(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = reported(capsys, runs / "own/1")
    assert code == 0
    assert out == f"{runs / 'own/1/eval/test.html'}\n"
    page = harmless(runs / "own/1/eval/test.html")
    assert EVIL in page.text
    assert "it's & 'so'" in page.text


def test_shows_the_pictures_of_mistakes(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reported(capsys, runs / "digits/1")
    page = harmless(runs / "digits/1/eval/test.html")
    assert page.tags.count("img") == 12 + 1 + 6  # the first layer's weights; three rows explained
    for title in ("Scores", "Classes", "Confusion matrix", "Worst mistakes", "Calibration",
                  "Curves over thresholds", "Confidence on inputs that mean nothing"):  # fmt: skip
        assert title in page.text


def test_a_regression_has_residuals(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reported(capsys, runs / "diabetes/1", "--split", "validation")
    page = harmless(runs / "diabetes/1/eval/validation.html")
    assert "Residuals" in page.text
    assert "R\N{SUPERSCRIPT TWO}" in page.text
    assert "test split was scored" not in page.text


def test_json_is_one_object_with_what_the_page_says(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, err = reported(capsys, runs / "own/2", "--json")
    found = json.loads(out)
    assert err == ""
    assert found["samples"] == 32
    assert found["names"] == sorted(["it's & 'so'", EVIL])
    assert sum(map(sum, found["confusion"])) == 32
    accuracy = next(one for one in found["scores"] if one["key"] == "accuracy")
    assert accuracy["interval"] == "wilson"
    page = harmless(Path(found["page"]))
    assert f"{100 * accuracy['value']:.2f} %" in page.text
    assert f"{accuracy['low']:.4f} to {accuracy['high']:.4f}" in page.text
    assert found["looks"]["run"] >= 1


def test_each_report_counts_and_says_so(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = reported(capsys, runs / "own/1", "--json")
    before = json.loads(out)["looks"]["family"]
    _, _, err = reported(capsys, runs / "own/1")
    said = re.search(r"the test split has been evaluated (once|twice|\d+ times) so far", err)
    assert said is not None
    words = {1: "once", 2: "twice"}
    assert said[1] == words.get(before + 1, f"{before + 1} times")
    assert f"evaluated {said[1]} so far" in harmless(runs / "own/1/eval/test.html").text


class TestSeveralRuns:
    def test_of_classes_have_mcnemar_s_test(
        self, runs: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _, out, _ = reported(capsys, runs / "own/1", runs / "own/2", "--json")
        found = json.loads(out)
        (pair,) = found["pairs"]
        test = pair["mcnemar"]
        accuracies = [
            next(one["value"] for one in run["scores"] if one["key"] == "accuracy")
            for run in found["runs"]
        ]
        only = test["only_first_right"] - test["only_second_right"]
        assert only / found["samples"] == pytest.approx(accuracies[0] - accuracies[1])
        assert pair["differences"]["accuracy"]["difference"] == pytest.approx(
            accuracies[0] - accuracies[1]
        )
        page = harmless(Path(found["page"]))
        assert "McNemar's test" in page.text
        assert EVIL in page.text

    def test_of_different_losses_are_held_against_each_other_by_what_all_have(
        self, runs: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        # Hinge loss gives no probabilities, so that its run has no log loss.
        sets = ["loss=hinge", "model.output.activation=identity"]
        train(runs / "own/1/config.yaml", overrides=sets, run_dir=runs / "own/4")
        _, out, _ = reported(capsys, *(runs / f"own/{k}" for k in (1, 2, 4)), "--json")
        found = json.loads(out)
        own, *others = (set(pair["differences"]) for pair in found["pairs"])
        assert own - others[0] >= {"log_loss", "brier"}
        page = harmless(Path(found["page"]))
        table = page.text.partition("Differences")[2].partition("F1 of each class")[0]
        assert "ROC AUC" in table
        assert "log-likelihood" not in table

    def test_of_numbers_have_paired_differences(
        self, runs: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _, out, _ = reported(capsys, runs / "diabetes/1", runs / "diabetes/2", "--json")
        found = json.loads(out)
        (pair,) = found["pairs"]
        assert "mcnemar" not in pair
        one = pair["differences"]["mae"]
        assert one["low"] <= one["difference"] <= one["high"]
        # In pairs the noise of the examples cancels: narrower than either interval alone.
        widths = [s["high"] - s["low"] for r in found["runs"] for s in r["scores"]
                  if s["key"] == "mae"]  # fmt: skip
        assert one["high"] - one["low"] < max(widths)
        assert "Differences" in harmless(Path(found["page"])).text

    @pytest.mark.parametrize(
        ("names", "text"),
        [
            (("own/1", "own/3"), "have different test rows"),
            (("own/1", "digits/1"), "have different data (SHA-256 differs)"),
            (("own/1", "own/1"), "one is given twice"),
        ],
    )
    def test_must_answer_the_same_examples(
        self, runs: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...], text: str
    ) -> None:
        looked = [(runs / name / "eval/looks.json").exists() for name in names]
        code, out, err = reported(capsys, *(runs / name for name in names))
        assert code == 2
        assert out == ""
        assert text in err
        assert [(runs / name / "eval/looks.json").exists() for name in names] == looked


def test_markup_is_escaped_once() -> None:
    inner = tag("b", "a < b & c")
    assert tag("p", inner, 'x="1"', title='"<&') == (
        '<p title="&quot;&lt;&amp;"><b>a &lt; b &amp; c</b>x="1"</p>'
    )
    assert "\x00" not in tag("p", "a\x00b")
    assert tag("img", src="x") == '<img src="x">'
    assert isinstance(inner, Markup)


@pytest.mark.parametrize(
    ("low", "high", "step", "count"),
    [(0.0, 1.0, 0.2, 6), (-130.0, 145.0, 100.0, 3), (3e-5, 8e-5, 1e-5, 6)],
)
def test_ticks_are_round_numbers(low: float, high: float, step: float, count: int) -> None:
    found = ticks(low, high)
    assert len(found) == count
    assert np.diff(found) == pytest.approx(step)
    assert np.array(found) / step == pytest.approx(np.round(np.array(found) / step))
    assert min(found) >= low - 1e-9 * step
    assert max(found) <= high + 1e-9 * step


def test_a_loss_that_is_the_likelihood_stands_there_once_with_its_baseline() -> None:
    def scored(key: str, value: float, baseline: float | None) -> Scored:
        return Scored(key, value, None, "none", baseline, False, np.zeros(0))

    loss, likelihood = scored("loss", 0.0718, None), scored("log_loss", 0.0718, 2.3025)
    right = scored("accuracy", 0.9, 0.1)
    assert shown_scores([loss, right, likelihood]) == [
        ("loss (negative log-likelihood)", likelihood),
        ("accuracy", right),
    ]
    smoothed = scored("loss", 0.3, None)
    assert [one for _, one in shown_scores([smoothed, likelihood])] == [smoothed, likelihood]
