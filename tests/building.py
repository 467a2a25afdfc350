"""From a config to its torch objects, without a run folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Examples, Machine
from nnlab.core.events import Event, Reading, Stopped
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.runs.building.build import BuiltRun, build_trainer
from nnlab.training import device as devices
from nnlab.training.progress import Progress


class Made(NamedTuple):
    experiment: Experiment
    examples: Examples
    built: BuiltRun

    @property
    def rows(self) -> torch.Tensor:
        return torch.from_numpy(self.examples.rows["train"])

    def run(self) -> tuple[list[Reading], Stopped]:
        """All readings of a whole run, and how it ended."""
        with devices.torch_settings(threads=1, deterministic=False):
            events: list[Event] = list(self.built.trainer.run(Progress()))
        stopped = events[-1]
        assert isinstance(stopped, Stopped)
        return [event for event in events if isinstance(event, Reading)], stopped

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.built.network.state_dict().items()}


def make(**sections: Any) -> Made:
    """An experiment from its sections, on the CPU."""
    return make_on("cpu", sections)


def make_on(device: str, sections: Mapping[str, Any]) -> Made:
    """Likewise, on a device."""
    place = place_for(Path.cwd())
    machine = Machine("cuda" if device.startswith("cuda") else "cpu", 1)
    experiment = settle(load_config(sections), place, machine)
    examples = experiment.config.data.load(place)
    return Made(experiment, examples, build_trainer(experiment, examples, torch.device(device)))
