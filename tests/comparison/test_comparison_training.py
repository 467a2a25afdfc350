"""Comparisons, run: their folder, table, verdicts, and how they go on."""

import json
import signal
from io import StringIO
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import nnlab
from nnlab.__main__ import main
from nnlab.comparison import report as comparison_report
from nnlab.comparison import train as comparing
from nnlab.comparison.comparison import load_comparison, settle_source
from nnlab.comparison.result import (
    ComparisonResult,
    Curve,
    MeasuredQuantity,
    curves_of,
    estimate_mean,
    judge_expectations,
    paired_by_seed,
)
from nnlab.comparison.train import resume_comparison, train_comparison
from nnlab.comparison.view import ComparisonView
from nnlab.config.loading import load_config
from nnlab.config.sections import TrainConfig
from nnlab.core.errors import ConfigError
from nnlab.core.events import Stopped
from nnlab.runs.folder import checkpoint, listing
from nnlab.runs.folder import find as runs
from nnlab.runs.folder.summary import Summary, read_summary
from nnlab.runs.run import train
from nnlab.training.loop import Trainer
from nnlab.training.progress import Progress

CONFIG: dict[str, Any] = {
    "name": "pair",
    "data": {"kind": "blobs", "samples": 120},
    "model": {"kind": "mlp", "hidden": [4]},
    "train": {"epochs": 10},
    "seeds": 2,
    "variants": {"slow": {"optimizer.lr": 1e-5}, "quick": {"optimizer.lr": 0.1}},
}


def view(stream: StringIO | None = None) -> ComparisonView:
    return ComparisonView(quiet=stream is None, stream=stream or StringIO())


def trained(folder: Path, **sections: Any) -> ComparisonResult:
    return train_comparison(settle_source({**CONFIG, **sections}), run_dir=folder, view=view())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> ComparisonResult:
    expect = {
        "quick": {"accuracy/validation": "at_least 0.9", "accuracy/test": "at_least 0.8"},
        "quick minus slow": {"accuracy/validation": "above 0.1"},
        "slow over quick": {"loss/validation": "at_least 2", "lowest loss/train": "above 1"},
        "all": {"status": "completed", "first grad_norm/hidden1.weight": "above 0"},
        "slow": {"accuracy/validation": "at_least 0.99"},
    }
    return trained(tmp_path_factory.mktemp("comparison") / "run", expect=expect)


def test_the_members_stand_in_the_folder_of_the_comparison(finished: ComparisonResult) -> None:
    names = ["slow-s0", "slow-s1", "quick-s0", "quick-s1"]
    assert [run.name for run in finished.runs] == names
    assert all((finished.run / name / "summary.json").exists() for name in names)
    assert (finished.run / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((finished.run / "group.json").read_text())["status"] == "completed"


def test_a_member_is_the_run_that_its_config_gives_alone(
    finished: ComparisonResult, tmp_path: Path
) -> None:
    alone = nnlab.train(
        settle_source(CONFIG).comparison.members[3].config, run_dir=tmp_path / "alone"
    )
    ours = checkpoint.named_checkpoint(finished.run / "quick-s1" / "checkpoints", "last").tensors
    theirs = checkpoint.named_checkpoint(alone.run / "checkpoints", "last").tensors
    assert all(bool((ours[name] == theirs[name]).all()) for name in theirs)


def test_an_expectation_is_held_against_the_mean_over_seeds(finished: ComparisonResult) -> None:
    found = {(v.expectation.sides, v.expectation.quantity): v for v in finished.verdicts}

    def mean(variant: str, key: str) -> float:
        last = [
            read_summary(finished.run / f"{variant}-s{seed}").last["validation"] for seed in (0, 1)
        ]
        return float(np.mean([{"loss": row["loss"], **row["scores"]}[key] for row in last]))

    minus = found["quick minus slow", "accuracy/validation"]
    assert minus.value == pytest.approx(mean("quick", "accuracy") - mean("slow", "accuracy"))
    over = found["slow over quick", "loss/validation"]
    assert over.value == pytest.approx(mean("slow", "loss") / mean("quick", "loss"))
    assert [v.holds for v in finished.verdicts] == [True] * 7 + [False]
    assert found["all", "status"].value == "completed"


def test_a_missed_expectation_is_exit_code_8(finished: ComparisonResult) -> None:
    assert finished.exit_code == 8
    assert (
        "MISSED slow: accuracy/validation at_least 0.99, found 0."
        in comparison_report.comparison_report(finished)
    )


def test_the_report_has_a_table_and_differences(finished: ComparisonResult) -> None:
    text = comparison_report.comparison_report(finished)
    assert "variant  runs  loss/validation" in text
    assert "not begun" not in text
    assert "nnlab resume" not in text
    assert "quick minus slow" in text
    assert " +- " in text


def test_the_commands_know_a_group(
    finished: ComparisonResult, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runs.find_run(str(finished.run)) == finished.run
    assert main(["eval", str(finished.run), "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert set(scored) >= {run.name for run in finished.runs}
    assert main(["eval", str(finished.run), "--split", "validation", "--report"]) == 0
    page = finished.run / "eval" / "validation-comparison.html"
    assert capsys.readouterr().out == f"{page}\n"
    assert main(["resume", str(finished.run), "-q"]) == 8
    assert capsys.readouterr().out.splitlines()[-1] == str(finished.run)


def test_eval_takes_a_group_beside_a_run_as_all_of_its_runs(
    finished: ComparisonResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = {k: v for k, v in CONFIG.items() if k not in ("seeds", "variants")}
    other = train({**alone, "seed": 7}, run_dir=tmp_path / "other").run
    assert main(["eval", str(finished.run), str(other), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["members"]
    assert [Path(m["run"]).name for m in found] == [*(run.name for run in finished.runs), "other"]


def test_eval_refuses_a_group_beside_a_run_of_it(
    finished: ComparisonResult, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(finished.run), str(finished.runs[0].summary.run)]) == 2
    assert "(a comparison stands for all of its runs)" in capsys.readouterr().err


def test_a_comparison_is_listed_found_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = train_comparison(settle_source({**CONFIG, "train": {"steps": 1}}), view=view())
    assert runs.find_run("pair") == runs.find_run("last") == runs.runs_home() / "pair" / "1"
    assert runs.find_run("pair/1/quick-s0") == runs.runs_home() / "pair" / "1" / "quick-s0"
    (row,) = listing.list_runs()
    assert row.status == "completed"
    assert set(row.scores) == {"slow accuracy", "quick accuracy"}
    listing.remove_runs([runs.find_run("pair")], yes=False)
    assert not comparison.run.exists()


def test_the_data_are_loaded_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from nnlab.parts.datasets.synthetic.points import BlobsConfig

    loaded: list[int] = []
    read = BlobsConfig.read

    def counted(self: BlobsConfig, place: Any) -> Any:
        loaded.append(1)
        return read(self, place)

    monkeypatch.setattr(BlobsConfig, "read", counted)
    trained(tmp_path / "run", train={"steps": 1})
    assert len(loaded) == 1


def test_an_interrupted_group_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    part = trained(tmp_path / "part", seeds=1)
    # As a kill leaves it: the first run whole, the second in its middle, the others not begun.
    comparison = settle_source(CONFIG).comparison
    folder = tmp_path / "part"
    plan = json.loads((whole.run / "group.json").read_text())
    (folder / "group.json").write_text(json.dumps(plan))
    (folder / "config.yaml").write_text((whole.run / "config.yaml").read_text())
    summary = json.loads((folder / "quick-s0" / "summary.json").read_text())
    summary["status"] = "running"
    (folder / "quick-s0" / "summary.json").write_text(json.dumps(summary))
    resumed = resume_comparison(folder, view=view())
    assert [run.name for run in resumed.runs] == [member.name for member in comparison.members]
    assert part.status == resumed.status == "completed"
    for run in whole.runs:
        ours = checkpoint.named_checkpoint(folder / run.name / "checkpoints", "last").tensors
        theirs = checkpoint.named_checkpoint(whole.run / run.name / "checkpoints", "last").tensors
        assert all(bool((ours[name] == theirs[name]).all()) for name in theirs)


@pytest.mark.parametrize("moment", ["behind a run", "before the next one's own handler"])
def test_a_signal_between_two_runs_ends_the_comparison_softly(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    owner, name = (
        (ComparisonView, "ended") if moment == "behind a run" else (comparing, "_examples")
    )
    plain, left = getattr(owner, name), iter([False, True])

    def signalled(*given: Any) -> Any:
        if next(left, False):
            signal.raise_signal(signal.SIGINT)
        return plain(*given)

    monkeypatch.setattr(owner, name, signalled)
    file = tmp_path / "pair.yaml"
    file.write_text(json.dumps(CONFIG))
    folder = tmp_path / "pair"
    assert main(["train", str(file), "--run-dir", str(folder)]) == 130
    assert "not begun: 2 of 4 runs" in capfd.readouterr().err
    assert main(["resume", str(folder)]) == 0
    assert json.loads((folder / "group.json").read_text())["status"] == "completed"


def test_a_comparison_that_a_signal_stopped_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop_the_second(self: Trainer, progress: Progress) -> Stopped | None:
        if next(stops, None):
            signal.raise_signal(signal.SIGTERM)
        return ended(self, progress)

    ended, stops = Trainer.ended, iter((*[False] * 5, True))
    monkeypatch.setattr(Trainer, "ended", stop_the_second)
    settled, folder = (
        settle_source({**CONFIG, "train": {"epochs": 2}}),
        runs.runs_home() / "pair" / "1",
    )
    stopped = train_comparison(settled, run_dir=folder, view=view())
    assert (stopped.status, len(stopped.runs)) == ("interrupted", 2)
    whole, cut = (run.value("loss/validation", "last") for run in stopped.runs)
    assert whole != cut
    assert comparison_report.comparison_table(stopped)["slow"]["loss/validation"].mean == whole
    (row,) = (row for row in listing.list_runs() if row.run == folder)
    accuracy = stopped.runs[0].value("accuracy/validation", "best")  # float32 in the file
    assert row.scores == {"slow accuracy": pytest.approx(accuracy, rel=1e-6)}
    text = comparison_report.comparison_report(stopped)
    assert f"interrupted: slow-s1 at step {stopped.runs[1].summary.steps}, not in the mea" in text
    assert "not begun: 2 of 4 runs" in text
    assert "next     nnlab resume " in text
    resumed = resume_comparison(folder, view=view())
    assert resumed.status == "completed"
    assert [run.name for run in resumed.runs] == [
        member.name for member in settled.comparison.members
    ]


def test_a_comparison_that_was_killed_within_its_plan_can_be_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settled, folder = settle_source({**CONFIG, "train": {"steps": 1}}), tmp_path / "part"
    whole = train_comparison(settled, run_dir=tmp_path / "whole", view=view())
    folder.mkdir()
    (folder / "group.json").write_text((whole.run / "group.json").read_text())
    assert main(["resume", str(folder)]) == 4
    assert "was killed before any of its runs began" in capsys.readouterr().err
    assert train_comparison(settled, run_dir=folder, resume=True, view=view()).status == "completed"


@pytest.mark.slow
def test_a_comparison_goes_on_for_longer_as_a_whole(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", train={"epochs": 4})
    folder = trained(tmp_path / "part", train={"epochs": 2}).run
    longer = resume_comparison(folder, ["train.epochs=4"], view=view())
    assert [run.summary.steps for run in longer.runs] == [run.summary.steps for run in whole.runs]
    for run in whole.runs:
        ours = checkpoint.named_checkpoint(folder / run.name / "checkpoints", "last").tensors
        theirs = checkpoint.named_checkpoint(whole.run / run.name / "checkpoints", "last").tensors
        assert all(bool((ours[name] == theirs[name]).all()) for name in theirs)
    assert settle_source(folder / "config.yaml").comparison.members[0].config.train.epochs == 4


def test_what_auto_took_stays_when_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A longer run, or another device, would take something else: here another layout."""
    cnn = {"kind": "cnn", "channels": [2], "dense": [4]}
    data = {"kind": "digits", "limit": 60}
    folder = trained(tmp_path / "part", model=cnn, data=data, train={"epochs": 1}).run

    def other(train: TrainConfig, *_: object) -> str:
        return "contiguous" if train.layout == "auto" else train.layout

    monkeypatch.setattr("nnlab.experiment.auto._layout", other)
    longer = resume_comparison(folder, ["train.epochs=2"], view=view())
    assert {run.summary.epochs for run in longer.runs} == {2}
    for run in longer.runs:
        assert load_config(folder / run.name / "config.yaml").train.layout == "channels_last"


def test_a_comparison_that_has_ended_is_not_resumed_with_other_settings(
    finished: ComparisonResult,
) -> None:
    with pytest.raises(ConfigError, match="holds another experiment"):
        resume_comparison(finished.run, ["model.hidden=[5]"], view=view())


def test_a_comparison_is_not_resumed_with_other_runs(finished: ComparisonResult) -> None:
    with pytest.raises(ConfigError, match="holds other runs"):
        train_comparison(
            settle_source({**CONFIG, "seeds": 3}), run_dir=finished.run, resume=True, view=view()
        )


def test_each_run_gets_a_line_as_it_ends(tmp_path: Path) -> None:
    stream = StringIO()
    train_comparison(
        settle_source({**CONFIG, "train": {"steps": 1}}), run_dir=tmp_path / "r", view=view(stream)
    )
    lines = stream.getvalue().splitlines()
    assert lines[0] == "pair: 4 runs (2 variants, 2 seeds)"
    assert lines[2].startswith("1/4  slow-s0   completed  loss ")
    assert lines[5].startswith("4/4  quick-s1  completed  loss ")


def test_what_is_noted_of_the_data_is_told_once(tmp_path: Path) -> None:
    stream = StringIO()
    config = {**CONFIG, "data": "and", "variants": {"and": {}, "xor": {"data": "xor"}}}
    settled = settle_source({**config, "train": {"steps": 1}})
    train_comparison(settled, run_dir=tmp_path / "run", view=view(stream))
    (line,) = (line for line in stream.getvalue().splitlines() if "use the rows of train" in line)
    assert line.startswith("and-s0: validation and test use the rows of train: ")
    assert line.endswith(" (shown for the first run only)")


def test_a_diverged_run_can_be_what_is_expected(tmp_path: Path) -> None:
    found = trained(
        tmp_path / "run",
        variants={"burst": {"optimizer": {"kind": "sgd", "lr": 1e30}, "loss": "quadratic"}},
        expect={"burst": {"status": "diverged"}},
    )
    assert found.verdicts[0].holds
    assert found.exit_code == 0


@pytest.mark.parametrize("variants", [None, {"a": {}, "b": {}}])
def test_so_it_can_of_all_runs_at_once(variants: Any) -> None:
    comparison = load_comparison(
        {**CONFIG, "variants": variants, "seeds": 1, "expect": {"all": {"status": "diverged"}}}
    )
    for status, code in (("diverged", 0), ("failed", 8)):
        summary = Summary(Path("run"), "pair", status)
        runs = [
            MeasuredQuantity(m.name, m.variant, m.seed, summary, {}, {}) for m in comparison.members
        ]
        verdicts = judge_expectations(comparison, runs)
        assert ComparisonResult(Path("r"), comparison, "", tuple(runs), verdicts).exit_code == code


def measured(seed: int, *values: float, best: int | None = None) -> MeasuredQuantity:
    curve = Curve(tuple(range(len(values))), tuple(map(float, range(len(values)))), values)
    summary = Summary(Path(), "n", "completed", best=None if best is None else {"step": best})
    return MeasuredQuantity(f"s{seed}", "", seed, summary, {"loss/train": curve}, {})


def test_the_interval_is_students() -> None:
    values = [0.1, 0.4, 0.35, 0.8]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    found = estimate_mean(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.mean - found.half == pytest.approx(low)
    assert found.mean + found.half == pytest.approx(high)


def test_one_seed_has_no_interval() -> None:
    assert estimate_mean([2.0]).mean == 2.0
    assert isnan(estimate_mean([2.0]).half)
    assert isnan(estimate_mean([]).mean)


def test_differences_are_paired_by_seed() -> None:
    a = [measured(0, 1.0), measured(1, 5.0), measured(2, 9.0)]
    b = [measured(2, 8.0), measured(0, 0.5)]
    low, high = stats.t.interval(0.95, 1, loc=0.75, scale=stats.sem([0.5, 1.0]))
    found = paired_by_seed(a, b, "loss/train")
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("moment", "value"),
    [("first", 3.0), ("last", 2.0), ("lowest", 1.0), ("highest", 3.0), ("best", 1.0)],
)
def test_a_reading_is_taken_at_its_moment(moment: str, value: float) -> None:
    assert measured(0, 3.0, 1.0, nan, 2.0, best=1).value("loss/train", moment) == value


def test_what_was_not_read_is_not_a_number() -> None:
    assert isnan(measured(0, 1.0).value("loss/validation", "last"))


def test_curves_are_those_of_the_file_of_record() -> None:
    history = [
        {"step": 0, "epoch": 0.0, "split": "train", "loss": 2.0, "grad_norm/total": 1.0},
        {"step": 0, "epoch": 0.0, "split": "validation", "loss": 3.0},
        {"step": 5, "epoch": 0.5, "split": "train", "loss": None, "grad_norm/total": 4.0},
    ]
    found = curves_of(history)
    assert set(found) == {"loss/train", "loss/validation", "grad_norm/total"}
    assert found["grad_norm/total"] == Curve((0, 5), (0.0, 0.5), (1.0, 4.0))
    assert isnan(found["loss/train"].values[1])


def test_findings_of_the_runs_are_counted_and_kept(tmp_path: Path) -> None:
    from nnlab.runs.observers.findings import read_findings

    deep = {"kind": "mlp", "hidden": {"width": 6, "depth": 15}, "activation": "sigmoid"}
    config = {
        "name": "deep",
        "data": {"kind": "moons", "samples": 100},
        "model": deep,
        "train": {"epochs": 1},
        "variants": {"sick": {}, "well": {"model.hidden": {"width": 6, "depth": 1}}},
        "diagnose": {"ignore": ["too_few_updates"]},  # one epoch is little, for both
    }
    stream = StringIO()
    train_comparison(settle_source(config), run_dir=tmp_path / "run", view=view(stream))
    told = stream.getvalue()
    assert "vanishing gradient" not in told
    (line,) = [line for line in told.splitlines() if "sick-s0  completed" in line]
    assert "finding" in line
    (line,) = [line for line in told.splitlines() if "well-s0  completed" in line]
    assert "finding" not in line
    names = [finding.name for finding in read_findings(tmp_path / "run" / "sick-s0")]
    assert "vanishing_gradient" in names
