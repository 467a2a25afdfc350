import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from nnlab.__main__ import main
from nnlab.commands.bench.build_step import StepBuild
from nnlab.commands.bench.facts import bench_facts
from nnlab.commands.bench.measuring import BenchOptions, BenchResult, Timing, Timings
from nnlab.commands.bench.page import bench_page
from nnlab.commands.bench.process import Finished
from nnlab.commands.bench.roofline import Roofline
from nnlab.commands.bench.work import work_of
from nnlab.core.errors import ConfigError

TINY = """
data: {kind: xor}
model: {kind: mlp, hidden: [4]}
optimizer: adam
train: {epochs: 40, batch_size: 3}
"""


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return str(path)


def test_the_steady_state_is_over_an_epoch_less(tiny: str) -> None:
    work = work_of(tiny, [])
    assert work.long == ("epochs", 40, 80)
    assert work.short == ("epochs", 1, 2)
    assert work.per_step == 2.0  # four rows in batches of three and one


def test_a_run_in_steps_is_halved(tiny: str) -> None:
    work = work_of(tiny, ["train.steps=9"])
    assert (work.long, work.short) == (("steps", 9, 9), ("steps", 4, 4))


@pytest.mark.parametrize("override", ["train.minutes=1", "train.steps=1"])
def test_other_lengths_are_refused(tiny: str, override: str) -> None:
    with pytest.raises(ConfigError, match=r"bench .*tiny"):
        work_of(tiny, [override])


def test_operations_and_bytes_are_those_of_the_formula(tiny: str) -> None:
    # 2-4-1 (one logit) or 2-4-2: read from the weights themselves.
    work = work_of(tiny, ["model.activation=relu"])
    shapes = [s for plan in work.experiment.design.plans for s in plan.parameters.values()]
    weights = sum(a * b for a, b in (s for s in shapes if len(s) == 2))
    parameters = work.experiment.design.parameters
    # A multiply-add is two operations; what biases and activations add is at most as much again.
    assert 3 * 2 * weights * 2.0 <= work.flops <= 2 * 3 * 2 * weights * 2.0
    # Weights and Adam's two moments, float32, both ways; two inputs a row, two rows a step.
    assert work.bytes == 2 * 3 * 4 * parameters + 2 * 4 * 2.0


def test_the_short_run_is_read_as_often_as_the_long_one(tiny: str) -> None:
    work = work_of(tiny, ["log.every=5"])
    long, short = (work.command(length, "run") for length in (work.long, work.short))
    assert not any(word.startswith("log=") for word in long)
    (log,) = [word for word in short if word.startswith("log=")]
    assert json.loads(log.removeprefix("log="))["every"] == "10 steps"


@pytest.mark.slow
def test_one_object_tells_of_everything(
    tiny: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[3])]))
    assert main(["bench", tiny, "--repeats", "1", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert set(found["programs"]) == {"nnlab"}
    long, short = found["programs"]["nnlab"]["runs"]
    assert (long["steps"], short["steps"]) == (80, 2)
    for run in (long, short):
        assert 0.0 < run["train"] < run["seconds"]
        assert 0.0 < run["first_step"] < run["seconds"]
    step = found["programs"]["nnlab"]["step"]
    if step is not None:
        assert step["median"] == pytest.approx((long["seconds"] - short["seconds"]) / 78)
    assert found["roofline"]["flops"] > 1e6
    assert found["machine"]["threads"] == 1
    assert (found["ratios"], found["skipped"]) == ({}, {})
    assert "nnlab 1/1, 40 epochs: " in err
    assert "import torch alone" in err


def test_a_run_that_fails_is_told_with_its_words(
    tiny: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "false")
    assert main(["bench", tiny, "--repeats", "1"]) == 6
    assert "import torch: ended with 1" in capsys.readouterr().err


def test_build_says_that_there_is_nothing_to_build(
    tiny: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", tiny, "--build"]) == 0
    assert capsys.readouterr().out == "there is no compiled step: train.compile is off\n"


def timing(turn: int, steps: int, seconds: float) -> Timing:
    length = "10 epochs" if steps > 10 else "1 epoch"
    return Timing(turn, length, steps, seconds, 2.0, seconds / 2, 400_000_000, 0.01)


def measured() -> BenchResult:
    # A step of 0.01 s behind 3 s, then behind 4 s; theirs takes 0.02 s, behind 5 s.
    ours = Timings([timing(1, 110, 4.1), timing(2, 110, 5.1)],
                   [timing(1, 10, 3.1), timing(2, 10, 4.1)], {})  # fmt: skip
    theirs = Timings([timing(1, 110, 7.2), timing(2, 110, 7.2)],
                     [timing(1, 10, 5.2), timing(2, 10, 5.2)], {"jax": "1.0"})  # fmt: skip
    return BenchResult(
        StepBuild(True, cached=True, seconds=31.0),
        Finished(0, 0.0, 1.5, 250_000_000, "", ""),
        Roofline(flops=1e9, bytes=1e8, threads=1),
        {"nnlab": ours, "jax": theirs},
        {"lightning": "lightning not installed (pip install lightning)"},
    )


def test_the_facts_are_medians_of_the_single_times(tiny: str) -> None:
    work = work_of(tiny, [])
    found = bench_facts(work, BenchOptions(["jax"], 2, "python", 1, print), measured()).plain()
    ours = found["programs"]["nnlab"]
    assert ours["command"] == {"median": 4.6, "min": 4.1, "max": 5.1}
    assert ours["step"] == pytest.approx({"median": 0.01, "min": 0.01, "max": 0.01})
    assert ours["samples_per_second"] == pytest.approx(2.0 / 0.01)
    assert found["ratios"]["jax"]["step"]["median"] == pytest.approx(0.5)
    assert found["ratios"]["jax"]["command"]["median"] == pytest.approx(4.6 / 7.2)
    assert found["reached"]["flops"] == pytest.approx(work.flops / 0.01)
    assert found["reached"]["bytes_share"] == pytest.approx(work.bytes / 0.01 / 1e8)
    assert json.loads(json.dumps(found)) == found


def test_the_page_has_a_row_for_each_program_and_ratio(tiny: str) -> None:
    asked = BenchOptions(["jax"], 2, "python", 1, print)
    lines = bench_page(bench_facts(work_of(tiny, []), asked, measured())).splitlines()
    rows = [line.split() for line in lines]
    assert ["nnlab", "4.6", "(4.1-5.1)", "2", "10,000", "200", "400"] in rows
    assert ["nnlab", "/", "jax", "0.639", "(0.569-0.708)", "0.5"] in rows
    assert "lightning: left out, lightning not installed (pip install lightning)" in lines


def test_a_steady_state_in_the_noise_is_told_as_such(tiny: str) -> None:
    found = measured()
    nothing = Timings([timing(1, 110, 3.0)], [timing(1, 10, 3.5)], {})
    noise = replace(found, programs={"nnlab": nothing})
    told = bench_facts(work_of(tiny, []), BenchOptions([], 1, "python", 1, print), noise)
    assert (told.programs["nnlab"].step, told.reached) == (None, None)
    assert "lost in noise" in bench_page(told)
