"""What `auto` takes for train.threads, layout and compile: arithmetic on the plan.

No clock and no cache is asked, so that the same config takes the same path on every machine of a
kind.
"""

from collections.abc import Mapping
from typing import NamedTuple

from nnlab.config.sections import TrainConfig
from nnlab.core.contracts import Machine, flat_plans
from nnlab.models.family import Design

SINGLE_THREAD_FLOPS = 2e8
"""Below this many floating-point operations for each layer with weights, a step runs on one thread.

That is about ten milliseconds of one core: a layer that a second thread clearly shortens, and
longer than what a thread waits for a core that others use too. Two runs at once, or a browser, are
normal, and nothing in a config says that a machine is idle; so the small gain is left.

Idle, on 2 cores at batch 64, the second thread takes 10 % off a compiled step of 784-16-16-10 (2e6
a layer), 33 % off 784-256-128-10 (3e7), 40 % off LeNet-5 (4e7). Beside other work (a load of 12 on
2 cores) an eager step takes, on 1 thread and on 2, as the mean: 784-128-10 2.0 and 47 ms,
784-256-128-10 3.0 and 39, LeNet-5 16 and 273, 784-512-512-10 19 and 140, 784-2048-2048-10 (7e8)
115 and 599. `train.threads` takes the number that suits an idle machine.
"""
STEP_SECONDS = 200e-6
"""What a compiled step saves of an eager one, whatever the network: gather, loss, sums."""
LAYER_SECONDS = 200e-6
"""What it saves for each layer with weights.

Measured on 2 cores of 2.5 GHz, eager and compiled: 784-16-16-10 2.1 and 0.31 ms, 784-256-128-10
3.1 and 0.87, LeNet-5 8.3 and 5.3, a CNN of 32 and 64 channels 34.3 and 32.5. On a processor three
times as fast the first saves 0.35 ms; the rule lies between.
"""
BUILD_SECONDS = 30.0
"""What building it takes, once: 28 to 37 s on the same 2 cores."""
UNROLLED_SECONDS = 1.5
"""And for each step that a recurrent layer writes out: 17 to 29 s at 20 steps, 93 s at 64."""
STEP_SAVED = {"rnn": 50e-6, "gru": 110e-6, "lstm": 30e-6}
"""What a compiled step saves for each of them: 1.4 ms become 0.35 over 20 steps of an rnn of 64
units at batch 32, 3.1 become 0.9 of a gru, 1.8 become 1.2 of an lstm."""
LONGEST_LSTM = 32
"""Steps up to which an lstm is compiled: at 100 torch's own kernel takes 5.8 ms, the compiled step
7.2, and building it 219 s."""
WORTH_TELLING = 0.05
"""A choice is told where the other one would change the run by this share of a build."""


class Decided(NamedTuple):
    """What the machine decides of `train`.

    Attributes:
        fields: of the section: threads, layout, compile.
        why: a sentence on what `compile: auto` took and what the other would bring; else empty.
    """

    fields: Mapping[str, object]
    why: str


def decide_for_machine(
    train: TrainConfig,
    machine: Machine,
    network: Design,
    *,
    batch: int,
    steps: int | None,
    recordable: bool,
) -> Decided:
    """The fields of `train` that hang on the machine, where they are `auto`.

    Args:
        train: as it was written.
        machine: that trains.
        network: that is trained.
        batch: examples in a batch.
        steps: updates of the run; None where the clock decides.
        recordable: whether there can be a compiled step at all.
    """
    use, why = _compile(train, machine, network, steps if recordable else None)
    fields = {
        "compile": use,
        "threads": _threads(train, machine, network, batch),
        "layout": _layout(train, machine, network),
    }
    return Decided(fields, why)


def step_flops(network: Design, batch: int) -> float:
    """Floating-point operations of an update: forward, and twice as much backward."""
    return 3.0 * network.flops * batch


def _threads(train: TrainConfig, machine: Machine, network: Design, batch: int) -> int:
    """Of one operation on the CPU: of a recurrent layer, that is a single step through time."""
    if not isinstance(train.threads, str):
        return train.threads
    each = (p.flops / (p.inputs[0] if p.kind in STEP_SAVED else 1) for p in network.plans)
    flops = 3.0 * sum(each) * batch
    layers = max(1, network.weighted)
    return 1 if flops / layers < SINGLE_THREAD_FLOPS else machine.cores


def _layout(train: TrainConfig, machine: Machine, network: Design) -> str:
    """How images lie in memory: channels side by side where a CPU convolves.

    On 2 cores that takes a quarter off a step of a CNN of 32 and 64 channels, 14 % off a compiled
    one of LeNet-5.
    """
    if train.layout != "auto":
        return train.layout
    convolves = machine.device == "cpu" and any(plan.tally.convolves for plan in network.plans)
    return "channels_last" if convolves else "contiguous"


def _compile(
    train: TrainConfig, machine: Machine, network: Design, steps: int | None
) -> tuple[str, str]:
    """Whether building the step pays within this run, and a sentence where that may surprise."""
    if train.compile != "auto":
        return train.compile, ""
    if machine.device != "cpu" or steps is None:
        return "off", ""
    recurrent = [plan for plan in flat_plans(network.plans) if plan.kind in STEP_SAVED]
    if any(plan.kind == "lstm" and plan.inputs[0] > LONGEST_LSTM for plan in recurrent):
        why = f"eager steps (auto): beyond {LONGEST_LSTM} steps torch's own lstm is the faster one"
        return "off", why
    each = sum(plan.inputs[0] * STEP_SAVED[plan.kind] for plan in recurrent)
    layers = LAYER_SECONDS * network.weighted
    saved = steps * (STEP_SECONDS + layers + each)
    takes = BUILD_SECONDS + UNROLLED_SECONDS * sum(plan.inputs[0] for plan in recurrent)
    if saved > takes:
        why = f"compiled steps (auto): they save about {saved:.0f} s, building them takes "
        return "on", why + f"{takes:.0f} s, once for this network"
    if saved < WORTH_TELLING * takes:
        return "off", ""
    why = f"eager steps (auto): compiled ones save about {saved:.0f} s in each run, building them "
    return "off", why + f"takes {takes:.0f} s once (train.compile: on)"
