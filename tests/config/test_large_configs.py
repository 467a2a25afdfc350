"""Whatever a large file says is judged in time, and what its variants share is worked out once."""

import gc
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from large_kinds import KINDS

from nnlab.__main__ import main
from nnlab.comparison.comparison import load_comparison, settle_source
from nnlab.config.loading import load_config
from nnlab.config.yaml import MAX_BYTES
from nnlab.core.errors import ConfigError

STACK: dict[str, Any] = {
    "data": "moons",
    "model": {"kind": "stack", "layers": [{"kind": "linear", "units": 3 + i} for i in range(5)]},
}


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """What is imported is not what is measured."""
    with pytest.raises(ConfigError):
        load_config({"data": "xor", "model": {"kind": "stack", "layers": ["a"]}, "x": 1})
    settle_source({"data": "moons", "model": "linear", "variants": {"a": {}}})


def check(kind: str, folder: Path) -> Path:
    path = folder / "large.yaml"
    path.write_bytes(KINDS[kind]().encode())
    assert path.stat().st_size <= MAX_BYTES
    return path


@pytest.mark.parametrize("kind", [*KINDS][::6])
def test_some_kinds(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = check(kind, tmp_path)
    gc.disable()  # as the command does
    try:
        start = process_time()
        code = main(["check", str(path)])
        seconds = process_time() - start
    finally:
        gc.enable()
    # Half a second on a machine of one's own, without imports.
    assert seconds < 2.0
    assert code in (0, 2, 3)
    assert "bug" not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="has no wait4")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_with_the_start_of_the_command(tmp_path: Path, kind: str) -> None:
    path = check(kind, tmp_path)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [str(Path(sys.executable).with_name("nnlab")), "check", str(path)]
    least = float("inf")
    for _ in range(5):
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        ) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode in (0, 2, 3)
        least = min(least, used.ru_utime + used.ru_stime)
        if least < 1.0:
            return
    # A busy machine takes up to twice the time of an idle one.
    assert least < 2.0


def lines_of(source: dict[str, Any]) -> Sequence[str]:
    with pytest.raises(ConfigError) as caught:
        settle_source(source)
    return caught.value.lines


def test_of_variants_with_many_mistakes_those_of_the_first_are_told(tmp_path: Path) -> None:
    keys = "".join(f", train.a{i}: 1" for i in range(30))
    text = "data: moons\nmodel: linear\noptimizr: sgd\nvariants:\n"
    text += "".join(f"  v{i}: {{optimizer.lr: 0.1{keys}}}\n" for i in range(3))
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_comparison(path)
    *told, last = caught.value.lines
    assert f"{path}:3:1: optimizr: unknown key (did you mean optimizer?)" == told[0]
    assert [line.removeprefix(f"{path}:").partition(": ")[2][:8] for line in told[1:]] == [
        f"train.a{i}" for i in range(9)
    ]
    assert all(line.startswith(f"{path}:5:") and "known are" in line for line in told[1:])
    assert last == "... and at least 21 more"


def test_what_two_variants_have_wrong_is_told_once_and_counted(tmp_path: Path) -> None:
    wrong = {f"foo{i}": 1 for i in range(7)}
    told = lines_of({**STACK, **wrong, "variants": {"a": {}, "b": {"train.bar": 1}}})
    assert len(told) == 8
    assert sum("foo" in line for line in told) == 7


def test_a_thousand_mistakes_end_the_reading_of_the_variants() -> None:
    wrong = {f"foo{i}": 1 for i in range(1200)}
    told = lines_of({**STACK, **wrong, "variants": {"a": {}, "b": {"train.bar": 1}}})
    assert told[-1] == "... and at least 1190 more"


def test_variants_share_what_they_do_not_change() -> None:
    variants = {
        "same": {"optimizer.lr": 0.1},
        "too": {"optimizer.lr": 0.2},
        "other": {"model.layers.2.units": 9},
    }
    settled = settle_source({**STACK, "variants": variants})
    same, too, other = (settled.experiments[name] for name in variants)
    assert same.design is too.design
    assert same.config.optimizer != too.config.optimizer
    assert same.design.plans[1] is other.design.plans[1]
    assert [plan.output for plan in other.design.plans[:3]] == [(3,), (4,), (9,)]
    assert [plan.output for plan in same.design.plans[:3]] == [(3,), (4,), (5,)]
    assert other.design.plans[3].inputs == (9,)


def test_the_same_layers_behind_other_data_are_another_network() -> None:
    variants: dict[str, Any] = {"moons": {}, "iris": {"data": "iris"}, "relu": {}}
    variants["relu"] = {"model.activation": "relu"}
    settled = settle_source({**STACK, "variants": variants})
    inputs = [experiment.design.inputs for experiment in settled.experiments.values()]
    assert inputs == [(2,), (4,), (2,)]
    notes = [experiment.design.plans[0].note for experiment in settled.experiments.values()]
    assert "relu" in notes[2]
    assert "relu" not in notes[0]


def test_thousands_of_seeds_read_the_config_once() -> None:
    comparison = load_comparison({**STACK, "seeds": list(range(4000))})
    assert len(comparison.members) == 4000
    assert len({id(member.unseeded) for member in comparison.members}) == 1
    assert [member.config.seed for member in comparison.members[:3]] == [0, 1, 2]
