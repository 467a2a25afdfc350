"""What a report says of sequences, against the network itself and the series read step by step."""

from pathlib import Path

import numpy as np
import pytest
import torch
from test_page import harmless

from nnlab.commands.plain import plain_fields
from nnlab.commands.report.cases import case_of
from nnlab.commands.report.command import write_report
from nnlab.commands.report.in_time.forecast import forecast_facts
from nnlab.commands.report.in_time.text import scores_of_text, text_case_of, text_facts
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.finished.reopen import open_run
from nnlab.runs.run import train

CPU = torch.device("cpu")
WINDOW = 9


@pytest.fixture(scope="module")
def text_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text("to be, or not to be: <b>that</b> is the question.\n" * 40)
    config = {
        "data": {"kind": "text", "path": str(folder / "text.txt"), "window": WINDOW},
        "model": {"kind": "gru", "units": 8, "embed": 4},
        "optimizer": {"kind": "adam", "lr": 1e-2},
        "train": {"steps": 40, "batch_size": 16, "compile": "off"},
    }
    return Path(train(config, run_dir=folder / "run").run)


@pytest.fixture(scope="module")
def series_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = {
        "data": {"kind": "sunspots", "window": 12, "horizon": 5, "difference": True},
        "model": {"kind": "gru", "units": 6},
        "train": {"steps": 20, "batch_size": 16, "compile": "off"},
    }
    return Path(train(config, run_dir=tmp_path_factory.mktemp("series") / "run").run)


class TestAText:
    def test_has_the_loss_at_each_place(self, text_run: Path) -> None:
        opened = open_run(text_run, split="test", device=CPU)
        case = text_case_of(opened, "test")
        rows = opened.examples.rows["test"]
        inputs = torch.from_numpy(np.asarray(opened.examples.inputs)[rows].astype(np.int64))
        targets = torch.from_numpy(opened.examples.targets[rows].astype(np.int64))
        with torch.no_grad():
            outputs = opened.network.eval()(inputs)
        each = torch.nn.functional.cross_entropy(
            outputs.flatten(0, 1), targets.flatten(), reduction="none"
        ).reshape(len(rows), WINDOW)
        told = text_facts(case).places
        assert [one.place for one in told] == [*range(1, WINDOW + 1)]
        assert [one.loss for one in told] == pytest.approx(each.mean(0).tolist(), rel=1e-4)
        half = 1.96 * each.std(0) / len(rows) ** 0.5
        assert [one.high for one in told] == pytest.approx((each.mean(0) + half).tolist(), rel=1e-3)

    def test_has_the_scores_of_an_evaluation(self, text_run: Path) -> None:
        case = text_case_of(open_run(text_run, split="test", device=CPU), "test")
        found = {one.key: one for one in scores_of_text(case)}
        judged = evaluate(text_run)
        for key in ("loss", "accuracy", "perplexity"):
            assert found[key].value == pytest.approx(judged[key], rel=1e-5)
        assert found["perplexity"].value == pytest.approx(np.exp(found["loss"].value), rel=1e-4)
        for one in found.values():
            assert one.interval is not None
            assert one.interval.low < one.value < one.interval.high

    def test_marks_the_windows_of_the_greatest_loss(self, text_run: Path) -> None:
        case = text_case_of(open_run(text_run, split="test", device=CPU), "test")
        worst = text_facts(case).worst
        means = case.losses.mean(axis=1)
        assert worst[0].loss == pytest.approx(means.max())
        index = int(np.flatnonzero(case.rows == worst[0].row)[0])
        assert worst[0].losses == pytest.approx(case.losses[index])

    def test_has_a_page_on_which_nothing_acts(self, text_run: Path) -> None:
        report = write_report([text_run], split="test")
        page = harmless(report.page)
        for title in ("Loss by place", "Samples", "Worst windows", "bits per token"):
            assert title in page.text
        assert "Confusion matrix" not in page.text
        told = plain_fields(report)
        assert told["text"]["places"][0]["place"] == 1

    def test_stands_beside_another(self, text_run: Path, tmp_path: Path) -> None:
        from nnlab.config.loading import load_config

        other = train(load_config(text_run / "config.yaml"), overrides=["seed=1"],
                      run_dir=tmp_path / "run")  # fmt: skip
        report = write_report([text_run, Path(other.run)], split="test")
        pair = plain_fields(report)["pairs"][0]
        assert "mcnemar" not in pair
        assert pair["differences"]["perplexity"]["low"] is not None
        harmless(report.page)


class TestASeries:
    def test_has_the_error_of_each_step_beside_naive_ones(self, series_run: Path) -> None:
        opened = open_run(series_run, split="test", device=CPU)
        case = case_of(opened, "test")
        facts = forecast_facts(case)
        assert facts is not None
        windows, rows = opened.examples.windows, opened.examples.rows["test"]
        assert windows is not None
        series = windows.targets.astype(np.float64)
        told = series[(rows + 12)[:, None] + np.arange(5)]
        seen = series[rows + 11][:, None]
        network = case.numbers[0] + seen
        ago = series[(rows + 12)[:, None] + np.arange(5) - 11]
        for k, one in enumerate(facts.horizon):
            assert one.mae == pytest.approx(np.abs(network - told)[:, k].mean(), rel=1e-5)
            last, season = one.naive["the last value"], one.naive["the value a season ago"]
            assert last == pytest.approx(np.abs(seen - told)[:, k].mean(), rel=1e-5)
            assert season == pytest.approx(np.abs(ago - told)[:, k].mean(), rel=1e-5)
            assert one.low is not None
            assert one.high is not None
            assert one.low < one.mae < one.high
        worst = facts.worst[0]
        assert worst.truth == pytest.approx(series[worst.first : worst.first + 5], abs=1e-3)
        assert worst.past == pytest.approx(series[worst.first - 12 : worst.first], abs=1e-3)

    def test_has_a_page_on_which_nothing_acts(self, series_run: Path) -> None:
        report = write_report([series_run], split="test")
        page = harmless(report.page)
        for title in ("Error by horizon", "Worst windows", "Residuals of step 1"):
            assert title in page.text
        assert "Residuals of step 2" not in page.text
        assert len(plain_fields(report)["forecast"]["horizon"]) == 5
