"""Changes that are tried on a copy of a run, and the run that is made again beside it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nnlab.cli import app
from nnlab.commands.doctor import trials as module
from nnlab.commands.doctor.allowance import Allowance
from nnlab.commands.doctor.trials import Point, Trial, Trials
from nnlab.config.loading import place_for
from nnlab.core.contracts import Machine
from nnlab.experiment.settle import settle
from nnlab.runs.finished.reopen import of_run
from nnlab.runs.folder.metrics import read_history
from nnlab.runs.observers.findings import facts_of
from nnlab.runs.run import train

SLOW: dict[str, Any] = {
    "data": {"kind": "moons", "samples": 400, "validation": 0.5},
    "model": {"kind": "mlp", "hidden": [16]},
    "optimizer": {"kind": "adam", "lr": 1e-6},
    "train": {"epochs": 10, "batch_size": 20, "threads": 1},
}


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose rate is far too low."""
    folder = tmp_path_factory.mktemp("slow") / "run"
    train(SLOW, run_dir=folder)
    return folder


def trials_of(folder: Path, *, seconds: float = 0.0, diverged: bool = False) -> Trials:
    experiment = settle(of_run(folder), place_for(folder), Machine.here())
    examples = experiment.load()
    history = read_history(folder / "metrics.jsonl")
    return Trials(
        facts_of(experiment, examples),
        examples,
        history,
        diverged=diverged,
        allowance=Allowance(seconds, whole=True),
    )


def test_a_change_that_heals_is_seen_to_help(slow: Path) -> None:
    trial = trials_of(slow).try_change(["optimizer.lr=0.02"])
    assert trial is not None
    assert (trial.verdict, trial.whole) == ("helps", True)
    assert trial.gain > 0.1


def test_it_ends_where_a_run_with_that_change_ends(slow: Path, tmp_path: Path) -> None:
    trial = trials_of(slow).try_change(["optimizer.lr=0.02"])
    summary = train(SLOW, overrides=["optimizer.lr=0.02"], run_dir=tmp_path / "run")
    assert trial is not None
    reached = summary.last["validation"]["scores"]["accuracy"]
    assert f"accuracy {reached:.3g} " in trial.text


def test_a_change_that_makes_it_worse_is_seen_to_harm(tmp_path: Path) -> None:
    train({**SLOW, "optimizer": {"kind": "adam", "lr": 0.02}}, run_dir=tmp_path / "run")
    trial = trials_of(tmp_path / "run").try_change(["optimizer.lr=1e-6"])
    assert trial is not None
    assert trial.verdict == "harms"


def test_a_run_that_diverged_before_its_first_look_at_validation_is_held_against_that(
    tmp_path: Path,
) -> None:
    train({**SLOW, "optimizer": {"kind": "sgd", "lr": 1e20}}, run_dir=tmp_path / "run")
    trials = trials_of(tmp_path / "run", diverged=True)
    still, healed = (trials.try_change([f"optimizer.lr={lr}"]) for lr in ("1e19", "0.1"))
    assert still is not None
    assert still.verdict == "the same"
    assert healed is not None
    assert (healed.verdict, healed.whole) == ("helps", True)
    assert healed.text.endswith("instead of a run that diverges")


def ended(rate: float, epoch: float, loss: float, score: float) -> Trial:
    """A trial of 200 validation rows beside a run that has half of them right."""
    after = Point(epoch, loss, score)
    return Trial((f"optimizer.lr={rate}",), "helps", 100, True, "", score - 0.5, after=after)


def test_trials_whose_scores_differ_by_chance_rank_by_loss(slow: Path) -> None:
    trials = trials_of(slow)
    lucky, sound = ended(0.2, 10.0, 7.6, 0.92), ended(0.02, 10.0, 0.34, 0.91)
    assert trials.ranks_above(sound, lucky)
    assert not trials.ranks_above(lucky, sound)


def test_trials_whose_scores_differ_by_more_rank_by_score(slow: Path) -> None:
    trials = trials_of(slow)
    wrong, right = ended(0.2, 10.0, 0.3, 0.80), ended(0.02, 10.0, 0.5, 0.95)
    assert trials.ranks_above(right, wrong)
    assert not trials.ranks_above(wrong, right)


def test_trials_of_other_lengths_rank_by_what_each_gained(slow: Path) -> None:
    """The loss after two epochs is no measure of one after ten."""
    trials = trials_of(slow)
    early, late = ended(0.2, 2.0, 0.6, 0.9), ended(0.02, 10.0, 0.1, 0.85)
    assert trials.ranks_above(early, late)


def test_a_change_of_nothing_that_trains_is_the_same(slow: Path) -> None:
    trial = trials_of(slow).try_change(["diagnose.learned=0.4"])
    assert trial is not None
    assert (trial.verdict, trial.gain) == ("the same", 0.0)


def test_a_change_that_the_config_refuses_is_not_tried(slow: Path) -> None:
    assert trials_of(slow).try_change(["optimizer.lr=-1"]) is None


@pytest.fixture
def few_seconds(monkeypatch: pytest.MonkeyPatch) -> float:
    """What trials may take of a short run; less than usual, as these tests spend it whole."""
    monkeypatch.setattr(module, "FEW_SECONDS", 0.3)
    return 0.3


def test_all_trials_together_keep_within_their_time(slow: Path, few_seconds: float) -> None:
    trials = trials_of(slow)
    least = 7e-4  # of a small update, as the trials count it
    while trials.try_change(["optimizer.lr=0.02"]) is not None:
        assert trials.updates * least <= few_seconds + 100 * least  # an epoch is made to its end


@pytest.mark.usefixtures("few_seconds")
def test_a_long_run_pays_for_longer_trials(slow: Path) -> None:
    short, long = trials_of(slow), trials_of(slow, seconds=1000.0)
    for trials in (short, long):
        for _ in range(12):
            trials.try_change(["optimizer.lr=0.02"])
    assert long.updates == 12 * 60 > short.updates  # 120 rows in 6 batches, ten times


@pytest.mark.slow
def test_an_epoch_that_is_too_long_is_tried_in_part_beside_the_run_itself(tmp_path: Path) -> None:
    long = {**SLOW, "data": {"kind": "moons", "samples": 16_000, "validation": 0.1},
            "train": {"epochs": 1, "batch_size": 2, "threads": 1}}  # fmt: skip
    train(long, run_dir=tmp_path / "run")
    trials = trials_of(tmp_path / "run")
    trial = trials.try_change(["optimizer.lr=0.02"], share=0.5)
    assert trial is not None
    assert (trial.verdict, trial.whole) == ("helps", False)
    assert trials.updates == 2 * trial.updates < 1500


def doctor(*words: str) -> Any:
    return CliRunner().invoke(app, ["doctor", *words])


def test_the_page_says_what_a_trial_showed_and_what_it_cost(slow: Path) -> None:
    page = doctor(str(slow), "--yes").stdout
    assert "changes were tried in" in page
    assert "tried to its end: validation accuracy" in page
    assert "tried" not in doctor(str(slow), "--yes", "--no-trials").stdout


def test_cure_trains_the_run_again_and_shows_both_curves(
    slow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path / "runs"))
    done = doctor(str(slow), "--cure", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout[done.stdout.index("{") :])
    assert found["finding"] == "learning_rate_too_low"
    before, after = (found[key]["validation"]["scores"]["accuracy"] for key in ("before", "after"))
    assert after > before + 0.1
    assert Path(found["cured"]).is_dir()
    assert Path(found["picture"]).read_bytes()[:4] == b"\x89PNG"
    rerun = of_run(Path(found["cured"]))
    assert f"optimizer.lr={rerun.optimizer.lr:.1g}" in found["remedy"]


def test_cure_prints_a_chart_with_both_runs(
    slow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path / "runs"))
    page = doctor(str(slow), "--cure").stdout
    assert "a as it was, b with the change" in page
    assert any("\u2800" <= letter <= "\u28ff" for letter in page)


def test_cure_of_a_config_is_refused_with_a_way_out(tmp_path: Path) -> None:
    done = doctor("xor", "--cure")
    assert done.exit_code == 2 or "train it first" in str(done.exception)
