"""A session that goes on in the middle of a window reads what an unbroken one reads."""

from typing import Any

import pytest
import torch
from building import Made, make

from nnlab.core.events import Reading
from nnlab.training import device as devices
from nnlab.training.progress import Progress

SECTIONS: dict[str, Any] = {
    "data": {"kind": "blobs", "samples": 400},
    "model": {"kind": "mlp", "hidden": [6]},
    "train": {"steps": 24, "batch_size": 8},
    "log": {"every": "12 steps", "probes": "12 steps"},
}


def readings(made: Made, progress: Progress) -> list[Reading]:
    with devices.torch_settings(threads=1, deterministic=False):
        events = list(made.built.trainer.run(progress))
    return [event for event in events if isinstance(event, Reading) and event.split == "train"]


def test_close_looks_see_the_whole_window(monkeypatch: pytest.MonkeyPatch) -> None:
    unbroken = readings(make(**SECTIONS), Progress())[-1]
    first, second = make(**SECTIONS), make(**SECTIONS)
    update = first.built.step.update

    def interrupted(rows: torch.Tensor) -> None:
        update(rows)
        if int(first.built.step.state()["step/count"]) == 20:
            first.built.trainer.stop("test")

    monkeypatch.setattr(first.built.step, "update", interrupted)
    progress = Progress()
    readings(first, progress)
    assert progress.step == 20
    second.built.step.load({k: v.clone() for k, v in first.built.step.state().items()})
    resumed = readings(second, progress)[-1]
    assert resumed.step == unbroken.step == 24
    keys = [key for key in unbroken.values if key.startswith("grad_agreement/")]
    assert keys
    assert {key: resumed.values[key] for key in keys} == {k: unbroken.values[k] for k in keys}
