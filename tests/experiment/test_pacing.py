"""When a run is read: what `log` says, in steps."""

from pathlib import Path
from typing import Any

import pytest
import torch
from building import make

from nnlab.api import train
from nnlab.core.errors import ConfigError
from nnlab.runs.folder.checkpoint import checkpoint_name, kept_checkpoints
from nnlab.training.pace import Pace

DATA: dict[str, Any] = {"data": "iris", "model": "linear"}


def test_readings_in_proportion_come_eight_times_a_doubling() -> None:
    pace, step, steps = Pace(None), 0, list[int]()
    while step < 10_000:
        step = pace.next(step)
        steps.append(step)
    assert steps[:12] == list(range(1, 13))
    late = [step for step in steps if 2000 <= step < 4000]
    assert len(late) == 8


def test_such_a_run_is_read_at_these_steps_and_at_every_epoch() -> None:
    made = make(**DATA, train={"steps": 30, "batch_size": 8}, log={"every": "log"})
    readings, _ = made.run()
    steps = [r.step for r in readings if r.split == "train"]
    per_epoch = made.experiment.per_epoch
    expected = {0, *range(1, 13), 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 25, 27, 29, 30}
    assert set(steps) == expected | set(range(per_epoch, 31, per_epoch))
    assert made.experiment.config.log.every == "log"


@pytest.mark.parametrize("epochs", [1, 30, 1000])
def test_auto_probes_ten_to_forty_times(epochs: int) -> None:
    made = make(**DATA, train={"epochs": epochs, "batch_size": 10})
    pace, total = made.experiment.pace, made.experiment.total
    assert pace.probes is not None
    assert pace.every is not None
    assert total is not None
    assert pace.probes % pace.every == 0
    assert 8 <= total / pace.probes <= 45


@pytest.mark.parametrize(
    ("log", "text"),
    [
        ({"every": 0}, "log.every: must be greater than 0"),
        ({"probes": "0 steps"}, "log.probes: must be greater than 0"),
        ({"sharpness": "5 min"}, r"counted by the clock, as train\.minutes"),
    ],
)
def test_refuses_what_cannot_be_counted(log: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make(**DATA, log=log)


def test_refuses_the_noise_of_a_single_batch() -> None:
    with pytest.raises(ConfigError, match="noise_scale: compares batches"):
        make(**DATA, train={"epochs": 2, "batch_size": "full"}, log={"noise_scale": 1})


def test_checkpoints_asked_for_stay(tmp_path: Path) -> None:
    config = {**DATA, "train": {"steps": 20, "batch_size": 16}}
    for written, stay in (("log", [1, 2, 4, 8, 16]), ("6 steps", [6, 12, 18]), ("off", [])):
        run = tmp_path / written.replace(" ", "")
        train({**config, "log": {"every": "5 steps", "checkpoints": written}}, run_dir=run)
        folder = run / "checkpoints"
        assert kept_checkpoints(folder) == [checkpoint_name(step) for step in stay]
        assert all((folder / name / "manifest.json").is_file() for name in kept_checkpoints(folder))


def test_checkpoints_that_stay_do_not_change_what_is_learned() -> None:
    train = {"steps": 40, "batch_size": 16}
    made = [make(**DATA, train=train, log={"checkpoints": kind}) for kind in ("log", "off")]
    for each in made:
        each.run()
    for name, tensor in made[0].weights().items():
        assert torch.equal(made[1].weights()[name], tensor)
