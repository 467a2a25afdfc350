"""What `auto` takes for train.threads and train.compile: arithmetic on the plan.

No clock and no cache is asked, so that the same config takes the same path on every machine of a
kind.
"""

from dataclasses import dataclass

from nnlab.contracts import Machine, Plan
from nnlab.models.family import Design
from nnlab.sections import TrainConfig

SINGLE_THREAD_FLOPS = 2e8
"""A step below this many floating-point operations runs on one thread: sharing it costs as much.

An estimate between two looks on 2 cores: at 784-16-16-10 and batch 64 (5e6) a second thread gains
nothing and suffers from any other load; a CNN of 32 and 64 channels (2e9) uses both.
"""
STEP_SECONDS = 150e-6
"""What a compiled step saves of an eager one, whatever the network: gather, loss, sums."""
LAYER_SECONDS = 80e-6
"""What it saves for each layer with weights."""
BUILD_SECONDS = 35.0
"""What building it takes, once."""
WORTH_TELLING = 0.05
"""A choice is told where the other one would change the run by this share of a build."""


@dataclass(frozen=True, slots=True)
class Compiling:
    """Whether a run's steps are compiled.

    Attributes:
        use: on or off.
        why: a sentence for `auto`: what was taken and what the other would bring; else empty.
    """

    use: str
    why: str


def step_flops(train: TrainConfig, network: Design, examples: int) -> float:
    """Floating-point operations of an update: forward, and twice as much backward."""
    size = examples if train.batch_size == "full" else min(train.batch_size, examples)
    return 3.0 * network.flops * size


def threads(train: TrainConfig, machine: Machine, flops: float) -> int:
    """Of one operation on the CPU.

    Args:
        train: the section.
        machine: that trains.
        flops: of an update.
    """
    if not isinstance(train.threads, str):
        return train.threads
    return 1 if flops < SINGLE_THREAD_FLOPS else machine.cores


def compiling(
    train: TrainConfig, machine: Machine, network: Design, *, steps: int | None, fit: bool
) -> Compiling:
    """Whether building the step pays within this run.

    Args:
        train: the section.
        machine: that trains.
        network: that is trained.
        steps: updates of the run; None where the clock decides.
        fit: whether there can be a compiled step at all.
    """
    if train.compile != "auto":
        return Compiling(train.compile, "")
    if machine.device != "cpu" or not fit or steps is None:
        return Compiling("off", "")
    saved = steps * (STEP_SECONDS + LAYER_SECONDS * sum(map(_weighted, network.plans)))
    if saved > BUILD_SECONDS:
        why = f"compiled steps (auto): they save about {saved:.0f} s, building them takes "
        return Compiling("on", why + f"{BUILD_SECONDS:.0f} s, once for this network")
    if saved < WORTH_TELLING * BUILD_SECONDS:
        return Compiling("off", "")
    why = f"eager steps (auto): compiled ones save about {saved:.0f} s in each run, building them "
    return Compiling("off", why + f"takes {BUILD_SECONDS:.0f} s once (train.compile: on)")


def _weighted(plan: Plan) -> int:
    """How many layers with weights a plan holds."""
    own = any(len(shape) > 1 for shape in plan.parameters.values())
    return sum(map(_weighted, plan.children)) if plan.children else int(own)
