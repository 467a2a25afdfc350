"""`Experiment`: a config whose meaning is known. Made once by `settle`, then handed on.

It holds all that a command or a run asks of a config, so that nobody reads, checks or decides
anything a second time: `on` takes it to another machine, `seeded` to another seed, `going_on`
takes over what a run that is continued had decided when it began.
"""

from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Self

from nnlab.config.run_config import RunConfig
from nnlab.config.sections import LENGTHS, TrainConfig
from nnlab.core.contracts import DataShape, Examples, Machine
from nnlab.experiment.auto import decide_for_machine
from nnlab.experiment.freezing import frozen_until
from nnlab.models.family import Design
from nnlab.parts.activations.family import ActivationConfig
from nnlab.parts.datasets.tables import Place
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.scores.family import ScoreConfig
from nnlab.training.pace import Pace

FEWEST_EPOCHS, MOST_EPOCHS = 10, 200
"""What `train.epochs: auto` takes at least, and at most."""
USUAL_UPDATES = 1000
"""Between them, as many epochs as so many updates take. Of 14 public tables of 51 to 20,190 rows,
learned by 64 units and all defaults, 10 epochs left 8 with a loss that still fell, these none."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A config whose meaning is known.

    Attributes:
        config: with every default and `auto` spelled out.
        written: the same config as its author wrote it, `auto` where that was said.
        place: where its data lie.
        machine: that trains.
        shape: of the data.
        design: of the network.
        per_epoch: updates in an epoch.
        total: updates in the run; None for a run in minutes.
        pace: when it is read.
        compile_why: a sentence on what `train.compile: auto` took; empty where there is nothing to
            tell.
        text: of its file, as its author wrote it; None where there was no file.
        first_weights: of a run that has begun, the checkpoint of its first weights: what `from`
            named may be gone or another by now.
    """

    config: RunConfig
    written: RunConfig
    place: Place
    machine: Machine
    shape: DataShape
    design: Design
    per_epoch: int
    total: int | None
    pace: Pace
    compile_why: str
    text: str | None = None
    first_weights: Path | None = None

    @property
    def loss(self) -> LossConfig:
        """The loss, decided."""
        loss = self.config.own_loss or self.config.loss
        assert isinstance(loss, LossConfig)
        return loss

    @property
    def scores(self) -> tuple[ScoreConfig, ...]:
        """The scores, decided."""
        own = self.config.own_scores
        scores = self.config.scores if own is None else own
        assert not isinstance(scores, str)
        return scores

    @property
    def output_activation(self) -> ActivationConfig:
        """What the output layer ends with, decided: the link of the loss, or what was written."""
        activation = self.config.model.output.activation
        assert not isinstance(activation, str)
        return activation

    @property
    def threads(self) -> int:
        """Of one operation on the CPU, decided."""
        threads = self.config.train.threads
        assert not isinstance(threads, str)
        return threads

    @property
    def frozen(self) -> dict[str, int | None]:
        """Parameter -> after how many updates it is trained; None is never. Others always are."""
        return frozen_until(self.config, self.design, self.per_epoch, self.total)

    @property
    def batch_size(self) -> int:
        """Examples in a whole training batch: never more than there are."""
        return batch_size(self.config.train, self.shape.sizes["train"])

    def remarks(self) -> tuple[str, ...]:
        """What a user should know of what `auto` took in the data, one line each."""
        return self.written.data.remarks(self.place)

    def load(self) -> Examples:
        """The data.

        Raises:
            DataError: they are missing, damaged or not fit to train on.
        """
        return self.config.data.load(self.place)

    def on(self, machine: Machine) -> Self:
        """This experiment on another machine.

        What hangs on the machine is decided anew, where it was left to `auto`: threads, layout and
        compile. It is arithmetic on the plan of the network, and can find no mistake; so a config
        is checked before torch is imported, which takes seconds and alone knows the device.
        """
        if machine == self.machine:
            return self
        return replace(self, machine=machine).decided()

    def going_on(self, begun: RunConfig) -> Self:
        """This experiment as the continuation of a run: what that took for `auto` stays.

        Compile hangs on the length of the run, layout too on the device, and these may be others
        now; an older version took another number of epochs.

        Args:
            begun: the settled config of the run, from its folder.
        """
        train = self.written.train
        taken = {name: getattr(begun.train, name) for name in ("compile", "layout", "epochs")}
        taken = {
            name: value
            for name, value in taken.items()
            if getattr(train, name) == "auto" and value is not None
        }
        written = self.written.model_copy(update={"train": train.model_copy(update=taken)})
        going = replace(self, written=written)
        if taken.get("epochs", self.config.train.epochs) != self.config.train.epochs:
            going = going._as_long_as(begun.train)
        return going.decided()

    def _as_long_as(self, train: TrainConfig) -> Self:
        """This experiment with the length of another."""
        from nnlab.experiment.pacing import pace_of, spelled_out

        _, total = run_lengths(train, self.shape.sizes["train"])
        pace = pace_of(self.written, self.per_epoch, total)
        length = {name: getattr(train, name) for name in LENGTHS}
        changed = {
            "train": self.config.train.model_copy(update=length),
            "log": self.config.log.model_copy(update=spelled_out(self.written, pace, total)),
        }
        config = self.config.model_copy(update=changed)
        return replace(self, config=config, total=total, pace=pace)

    def seeded(self, seed: int) -> Self:
        """This experiment from another seed, on which nothing else of it hangs."""
        if seed == self.written.first_seed:
            return self
        return replace(self, config=self.config.seeded(seed), written=self.written.seeded(seed))

    def decided(self) -> Self:
        """This experiment with what hangs on its machine taken as it was written, or decided."""
        found = decide_for_machine(
            self.written.train,
            self.machine,
            self.design,
            batch=self.batch_size,
            steps=self.total,
            recordable=self.written.recordable,
        )
        # Into the settled config alone: `written` keeps its autos for another machine.
        train = self.config.train.model_copy(update=found.fields)
        config = self.config.model_copy(update={"train": train})
        return replace(self, config=config, compile_why=found.why)


def batch_size(train: TrainConfig, examples: int) -> int:
    """Examples in a whole batch, out of so many: never more than there are."""
    return examples if train.batch_size == "full" else min(train.batch_size, examples)


def with_epochs(train: TrainConfig, examples: int) -> TrainConfig:
    """The section with its length decided, out of so many examples."""
    if train.epochs != "auto":
        return train
    needed = ceil(USUAL_UPDATES / max(1, updates_per_epoch(train, examples)))
    return train.model_copy(update={"epochs": min(MOST_EPOCHS, max(FEWEST_EPOCHS, needed))})


def updates_per_epoch(train: TrainConfig, examples: int) -> int:
    """How often the weights move in an epoch of so many examples."""
    # Lanes of a carried state are equally long: what is over at their ends is left out.
    if (train.drop_last or train.carry) and train.batch_size != "full":
        return examples // train.batch_size
    return ceil(examples / max(batch_size(train, examples), 1))


def run_lengths(train: TrainConfig, examples: int) -> tuple[int, int | None]:
    """Updates per epoch and in the whole run (None if it is limited by minutes).

    Args:
        train: with its length decided.
        examples: of the training split.
    """
    per_epoch = updates_per_epoch(train, examples)
    if train.minutes is not None:
        return per_epoch, None
    if train.steps is not None:
        return per_epoch, train.steps
    assert train.epochs != "auto"
    return per_epoch, (train.epochs or 0) * per_epoch
