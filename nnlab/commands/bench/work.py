"""What is measured: an experiment at two lengths, and the least that a step of it computes."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from nnlab.comparison.comparison import settle_source
from nnlab.config.run_config import to_plain
from nnlab.core.errors import ConfigError
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.memory import memory_needs

DEVICE = "cpu"


class Length(NamedTuple):
    """How long a run is: `epochs` or `steps`, how many of them, and how many steps that is."""

    unit: str
    amount: int
    steps: int

    def __str__(self) -> str:
        unit = self.unit if self.amount != 1 else self.unit.removesuffix("s")
        return f"{self.amount:,} {unit}"


@dataclass(frozen=True, slots=True)
class Work:
    """An experiment that is timed.

    Attributes:
        source: the config, a file or a bundled name.
        overrides: as `--set` takes them.
        name: of the experiment.
        experiment: settled, on the CPU.
        long: as the config asks.
        short: what is taken away from it for the steady state.
    """

    source: str
    overrides: tuple[str, ...]
    name: str
    experiment: Experiment
    long: Length
    short: Length

    @property
    def threads(self) -> int:
        """Of one operation."""
        return self.experiment.threads

    @property
    def examples(self) -> int:
        """Of the training split."""
        return self.experiment.shape.sizes["train"]

    @property
    def batch(self) -> int:
        """Examples in a whole batch."""
        return self.experiment.batch_size

    @property
    def per_step(self) -> float:
        """Examples in a step, the short last batch of an epoch counted in."""
        per_epoch = self.experiment.per_epoch
        drops = self.experiment.config.train.drop_last
        return float(self.batch) if drops else self.examples / per_epoch

    @property
    def flops(self) -> float:
        """Operations of a step: forward, and twice that backward."""
        return 3 * self.experiment.design.flops * self.per_step

    @property
    def bytes(self) -> float:
        """Bytes that a step moves at least, were the caches as large as all activations.

        Weights and optimizer state read once and written once, inputs read once as they are stored.
        """
        kept = memory_needs(self.experiment)
        stored = 1 if self.experiment.config.data.form(self.experiment.place) == "images" else 4
        inputs = prod(self.experiment.shape.inputs) * stored
        return 2 * (kept["weights"] + kept["optimizer"]) + inputs * self.per_step

    def command(self, length: Length, folder: str) -> list[str]:
        """The command line of a run of this length into this folder."""
        words = [sys.executable, "-m", "nnlab", "train", self.source]
        sets = [*self.overrides, f"train.{length.unit}={length.amount}"]
        if length is self.short:
            # A short run would be read more often per step, and the difference would be too small.
            log = to_plain(self.experiment.config.log)
            sets += [f"log={json.dumps(log)}"]
        for override in sets:
            words += ["--set", override]
        return [*words, "--device", DEVICE, "--run-dir", folder, "--quiet", "--json"]


def work_of(source: str, overrides: Sequence[str]) -> Work:
    """What a config means here.

    Raises:
        ConfigError: it is wrong, or nothing that can be timed.
    """
    if source == "-":
        raise ConfigError("bench -: needs a file or a bundled name (each run reads it again)")
    settled = settle_source(source, overrides)
    if settled.comparison.compares:
        raise ConfigError(f"bench {source}: holds several runs (give the config of one)")
    experiment = settled.first
    long, short = _lengths(experiment, source)
    name = experiment.config.name or "run"
    return Work(source, tuple(overrides), name, experiment, long, short)


def _lengths(experiment: Experiment, source: str) -> tuple[Length, Length]:
    """The run's length, and a shorter one: an epoch; half of the steps where it has no two epochs.

    Raises:
        ConfigError: a run in minutes, or of one step.
    """
    train, per_epoch, total = experiment.config.train, experiment.per_epoch, experiment.total
    if total is None:
        text = "a run in minutes makes as many steps as it can"
        raise ConfigError(f"bench {source}: {text} (--set train.epochs=N)")
    if isinstance(train.epochs, int) and train.epochs > 1:
        return Length("epochs", train.epochs, total), Length("epochs", 1, per_epoch)
    if total < 2:
        raise ConfigError(f"bench {source}: needs at least 2 steps, has {total}")
    return Length("steps", total, total), Length("steps", total // 2, total // 2)
