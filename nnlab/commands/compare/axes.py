"""What curves can be drawn over: epochs, updates, examples seen, seconds of training."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

from nnlab.commands.compare.runs import Side
from nnlab.comparison.curves import EPOCHS, Axis
from nnlab.comparison.result import Curve, MeasuredQuantity
from nnlab.core.errors import ConfigError
from nnlab.experiment.experiment import run_lengths

Over = Literal["epoch", "step", "samples", "seconds"]


def axis_of(sides: Sequence[Side], over: Over) -> Axis:
    """The axis of a word.

    Raises:
        ConfigError: the readings of a run do not say where it stood.
    """
    if over == "epoch":
        return EPOCHS
    if over == "step":
        return Axis("updates", _steps)
    of_side = samples if over == "samples" else seconds
    places = {side.label: of_side(side) for side in sides}
    label = {
        "samples": "examples trained on",
        "seconds": "seconds of training (updates alone)",
    }[over]

    def of(run: MeasuredQuantity, curve: Curve) -> list[float]:
        return [places[run.name][step] for step in curve.steps]

    return Axis(label, of)


def _steps(_: MeasuredQuantity, curve: Curve) -> Sequence[float]:
    return curve.steps


def samples(side: Side) -> Mapping[int, float]:
    """How many examples the updates up to each reading's step have seen, repeats counted.

    Raises:
        ConfigError: the run does not say how many examples an epoch has.
    """
    if "train" not in side.sizes:
        text = f"{side.label} does not hold the sizes of its splits, it is of an older nnlab"
        raise ConfigError(f"--x samples: {text} (use --x step)")
    size, train = side.sizes["train"], side.config.train
    batch = size if train.batch_size == "full" else train.batch_size
    per_epoch, _ = run_lengths(train, size)
    # Every batch of an epoch is full but the last, which --drop-last leaves out.
    whole = min(size, per_epoch * batch)
    return {
        step: float(step // per_epoch * whole + step % per_epoch * batch)
        for step in sorted({int(line["step"]) for line in side.history})
    }


def seconds(side: Side) -> Mapping[int, float]:
    """The time spent in updates up to each reading's step.

    A reading's samples_per_second is that of its window, so that a window took examples / speed.

    Raises:
        ConfigError: a reading of training does not say its speed.
    """
    seen = samples(side)
    speeds = {
        int(line["step"]): line.get("samples_per_second")
        for line in side.history
        if line["split"] == "train"
    }
    found, total = {0: 0.0}, 0.0
    for before, step in pairwise(sorted({0, *speeds})):
        speed = speeds[step]
        if not speed:
            text = f"the reading of {side.label} at step {step} does not say samples_per_second"
            raise ConfigError(f"--x seconds: {text} (use --x samples)")
        total += (seen[step] - seen.get(before, 0.0)) / speed
        found[step] = total
    missing = [step for step in seen if step not in found]
    if missing:
        text = f"{side.label} has no reading of training at step {missing[0]}"
        raise ConfigError(f"--x seconds: {text} (use --x samples)")
    return found
