"""From text to the last save a config is parsed, validated and settled once."""

import sys
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, get_args

import numpy as np
import pytest

import nnlab
from nnlab.__main__ import main
from nnlab.config import yaml
from nnlab.config.diagnose import FindingName
from nnlab.config.loading import bundled_configs, place_for, validate_document
from nnlab.config.run_config import to_plain
from nnlab.core.contracts import Machine
from nnlab.core.errors import NnlabError
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.parts.datasets.files.csv_table import CsvConfig

PARSE, VALIDATE, SETTLE, READ = "parse", "validate", "settle", "read"
NAMES: dict[CodeType, str] = {
    yaml.parse_yaml.__code__: PARSE,
    validate_document.__code__: VALIDATE,
    settle.__code__: SETTLE,
    CsvConfig._read.__code__: READ,  # pyright: ignore[reportPrivateUsage]
}
# Without findings: a change that one advises is another config, and is settled to see whether it is
# one.
QUIET = f"diagnose: {{ignore: [{', '.join(get_args(FindingName))}]}}\n"
ONE = f"data: xor\nmodel: {{kind: mlp, hidden: [2]}}\ntrain: {{steps: 3}}\n{QUIET}"
ONCE = {PARSE: 1, VALIDATE: 1, SETTLE: 1}


@contextmanager
def counted() -> Generator[Counter[str]]:
    """How often each of the acts is done meanwhile; the value of a `--set` is no config."""
    found: Counter[str] = Counter()

    def look(frame: FrameType, event: str, _: Any) -> None:
        name = NAMES.get(frame.f_code) if event == "call" else None
        if name is not None and not str(frame.f_locals.get("file", "")).startswith("--set"):
            found[name] += 1

    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(None)


def command(*words: str | Path) -> dict[str, int]:
    """How often a command does them; it must succeed, or find something wrong in a network (7)."""
    with counted() as found:
        assert main([str(word) for word in words]) in (0, 7)
    return dict(found)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "one.yaml"
    path.write_text(ONE)
    return path


def test_a_run(config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert command("train", config, "--set", "optimizer.lr=0.1", "--run-dir", run) == ONCE
    assert (run / "source.yaml").read_text() == ONE


def test_a_run_on_a_base(config: Path, tmp_path: Path) -> None:
    above = tmp_path / "above.yaml"
    above.write_text("base: one.yaml\ntrain: {steps: 2}\n")
    found = command("train", above, "--run-dir", tmp_path / "run")
    assert found == {**ONCE, PARSE: 2}, "one text more, and nothing else"


def test_a_comparison_once_for_each_difference(config: Path, tmp_path: Path) -> None:
    variants = "variants: {a: {}, b: {model.hidden: [3]}, c: {optimizer.lr: 0.1}}\nseeds: 2\n"
    config.write_text(ONE + variants)
    run = tmp_path / "run"
    assert command("train", config, "--run-dir", run) == {PARSE: 1, VALIDATE: 3, SETTLE: 3}
    assert len(list(run.glob("*/summary.json"))) == 6
    found = command("resume", run)
    assert found == {PARSE: 1 + 6, VALIDATE: 3 + 6, SETTLE: 3}, "what each run was trained by too"


def test_a_run_that_goes_on(config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command("train", config, "--run-dir", run)
    assert command("resume", run) == ONCE
    found = command("resume", run, "--set", "train.steps=5")
    assert found == {**ONCE, VALIDATE: 2}, "as it was, and as it is to be"
    config.write_text(ONE.replace("steps: 3", "steps: 7"))
    found = command("train", config, "--resume", "--run-dir", run)
    assert found == {PARSE: 2, VALIDATE: 2, SETTLE: 1}, "two texts: the file and the run's own"


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("show",),
        ("show", "--data"),
        ("show", "--expand"),
        ("backprop",),
        ("doctor",),
        ("lr", "--steps", "12", "--from", "0.001", "--set", "optimizer=sgd"),
    ],
    ids=" ".join,
)
def test_a_command_that_reads_a_config(words: Sequence[str], config: Path) -> None:
    name, *more = words
    assert command(name, config, *more) == ONCE


def test_a_smoke_run_settles_its_few_steps_and_opens_its_own_run_again(config: Path) -> None:
    assert command("train", config, "--smoke") == {PARSE: 2, VALIDATE: 2, SETTLE: 3}


def test_from_python(config: Path, tmp_path: Path) -> None:
    with counted() as found:
        nnlab.train(config, run_dir=tmp_path / "path")
    assert found == ONCE
    tree: dict[str, Any] = {"data": "xor", "model": {"kind": "mlp", "hidden": [2]}}
    tree |= {"train": {"steps": 3}, "diagnose": {"ignore": get_args(FindingName)}}
    with counted() as found:
        nnlab.train(tree, set={"optimizer.lr": 0.1}, run_dir=tmp_path / "tree")
    assert found == {VALIDATE: 1, SETTLE: 1}


def test_from_python_with_data_handed_in(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    tree = {"model": "linear", "train": {"steps": 3}}
    with counted() as found:
        nnlab.train(tree, data=(x, y), run_dir=tmp_path / "run")
    assert found == {VALIDATE: 1, SETTLE: 1}
    with counted() as found:
        nnlab.resume(tmp_path / "run", set={"train.steps": 5}, data=(x, y))
    assert found == {PARSE: 1, VALIDATE: 2, SETTLE: 1}


def test_a_table_is_read_once(tmp_path: Path) -> None:
    """Describing it, deciding its `auto`, its remarks and the run ask for the same rows."""
    (tmp_path / "t.csv").write_text(
        "a,b,y\n" + "".join(f"{n},{n % 7},{n % 3}\n" for n in range(60))
    )
    config = tmp_path / "csv.yaml"
    config.write_text(
        "data: {kind: csv, path: t.csv, target: y}\nmodel: linear\ntrain: {steps: 2}\n" + QUIET
    )
    assert command("train", config, "--run-dir", tmp_path / "run") == {**ONCE, READ: 1}
    with config.open("a") as file:
        file.write("variants: {a: {}, b: {optimizer.lr: 0.1}, c: {data.validation: 0.3}}\n")
    found = command("train", config, "--run-dir", tmp_path / "several")
    assert found == {PARSE: 1, VALIDATE: 3, SETTLE: 3, READ: 1}


def test_two_runs_of_a_process_read_a_table_that_has_changed(tmp_path: Path) -> None:
    """What was read belongs to the experiment, not to the process."""
    table = tmp_path / "t.csv"
    tree = {
        "data": {"kind": "csv", "path": str(table), "target": "y"},
        "model": "linear",
        "train": {"steps": 1},
    }
    sizes: list[int] = []
    for rows in (60, 90):
        table.write_text("a,y\n" + "".join(f"{n},{n % 2}\n" for n in range(rows)))
        run = nnlab.train(tree, run_dir=tmp_path / str(rows))
        data = nnlab.evaluate(run, split="test")
        sizes.append(data["samples"])
    assert sizes == [12, 18]


def whole(experiment: Experiment) -> tuple[object, ...]:
    """All of an experiment that can be compared."""
    return (
        to_plain(experiment.config),
        experiment.shape,
        experiment.design.plans,
        experiment.per_epoch,
        experiment.total,
        experiment.pace,
        experiment.compile_why,
        experiment.machine,
    )


@pytest.mark.parametrize("name", bundled_configs())
def test_what_is_settled_for_one_machine_is_settled_for_all(name: str) -> None:
    """`on`, `seeded` and `going_on` give what settling anew would have given."""
    from nnlab.comparison.comparison import load_comparison

    place = place_for(Path.cwd())
    cpu, cuda = Machine("cpu", 2), Machine("cuda", 8)
    first, *_ = members = load_comparison(name).members
    try:
        experiment = settle(first.config, place, cpu)
    except NnlabError:
        pytest.skip("its data are not here")
    anew = settle(first.config, place, cuda)
    assert whole(experiment.on(cuda)) == whole(anew)
    assert whole(experiment.on(cuda).on(cpu)) == whole(experiment)
    assert whole(experiment.seeded(members[-1].seed).on(cuda).seeded(first.seed)) == whole(anew)
    begun = anew.config.train
    taken = {"compile": begun.compile, "layout": begun.layout}
    train = first.config.train
    written = {key: value for key, value in taken.items() if getattr(train, key) == "auto"}
    config = first.config.model_copy(update={"train": train.model_copy(update=written)})
    assert whole(experiment.going_on(anew.config)) == whole(settle(config, place, cpu))


@pytest.mark.parametrize("name", ["lessons/perceptron", "lessons/zero_init"])
def test_each_run_of_a_comparison_is_what_its_own_config_means(name: str) -> None:
    from nnlab.comparison.comparison import settle_source

    group, _ = settled = settle_source(name)
    for member in group.members:
        alone = settle(member.config, place_for(Path.cwd()), Machine.here())
        assert whole(settled.of(member)) == whole(alone)
