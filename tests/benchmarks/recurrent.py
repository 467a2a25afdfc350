"""Recurrent networks: nnlab's step and a loop by hand with nn.RNN, nn.GRU or nn.LSTM, in turn.

`python tests/benchmarks/recurrent.py gru 20` prints one JSON object: microseconds of an update, the
least, the median and the greatest of the blocks, and their ratios; `... gru 20 on nnlab` (or hand)
the peak memory of a process that makes the updates of that alone.

Both train on the same 32 sequences of two numbers a step, 64 units, Adam, one thread, whose own
time is taken; the first block of each is left out. nnlab compiles as `train.compile` says (third
word: auto, on, off); building is no part of the time.
"""

import json
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from building import make

BATCH, WIDTH, BLOCKS, UPDATES = 32, 64, 15, 40
KINDS: dict[str, type[nn.RNN | nn.GRU | nn.LSTM]] = {
    "rnn": nn.RNN,
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}


class ByHand(nn.Module):
    """What a user of PyTorch writes: the layer, its last step, a linear layer."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.layer = KINDS[kind](2, WIDTH, batch_first=True)
        self.output = nn.Linear(WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.layer(x)[0][:, -1])


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def of_nnlab(kind: str, steps: int, compiling: str) -> tuple[Callable[[], None], str]:
    """An update of nnlab's, and which step it is."""
    made = make(
        data={"kind": "adding", "steps": steps, "samples": 1000},
        model={"kind": kind, "units": WIDTH},
        optimizer={"kind": "adam", "lr": 1e-3},
        train={"steps": 1_000_000, "batch_size": BATCH, "threads": 1, "compile": compiling},
    )
    step, rows = made.built.step, made.built.trainer.order.batches(0)[0]
    prepare = getattr(step, "prepare", None)
    if prepare is not None:
        prepare(made.rows, _say)
    step.fill_learning_rate(1e-3)
    built = getattr(step, "built", None) is not None
    return lambda: step.update(rows), "compiled" if built else "eager"


def of_hand(kind: str, steps: int) -> Callable[[], None]:
    """An update of the loop by hand, on sequences of the same size."""
    torch.manual_seed(0)
    network = ByHand(kind)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    inputs, targets = torch.rand(1000, steps, 2), torch.rand(1000, 1)
    rows = torch.randperm(1000)[:BATCH]

    def update() -> None:
        loss = nn.functional.mse_loss(network(inputs[rows]), targets[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return update


def microseconds(update: Callable[[], None]) -> float:
    """Of the processor for an update, the mean of a block: other work counts less in them."""
    began = thread_time()
    for _ in range(UPDATES):
        update()
    return 1e6 * (thread_time() - began) / UPDATES


def measure(kind: str, steps: int, compiling: str) -> dict[str, Any]:
    """Both in turn, so that whatever else the machine does meets both."""
    torch.set_num_threads(1)
    ours, how = of_nnlab(kind, steps, compiling)
    hand = of_hand(kind, steps)
    pairs = [(microseconds(ours), microseconds(hand)) for _ in range(BLOCKS)][1:]
    ours_found, hand_found = zip(*pairs, strict=True)
    return {
        "network": f"{kind}, {steps} steps, batch {BATCH}, {WIDTH} units",
        "step": how,
        "nnlab": spread(ours_found),
        "hand": spread(hand_found),
        "ratio": spread([one / other for one, other in pairs]),
        "ratio of the least": min(ours_found) / min(hand_found),
        "torch": torch.__version__,
    }


def spread(found: Sequence[float]) -> dict[str, float]:
    return {"least": min(found), "median": median(found), "greatest": max(found)}


def alone(kind: str, steps: int, compiling: str, who: str) -> dict[str, Any]:
    """The peak memory of a process that makes the updates of one."""
    torch.set_num_threads(1)
    update = of_nnlab(kind, steps, compiling)[0] if who == "nnlab" else of_hand(kind, steps)
    microseconds(update)
    return {who: {"peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}}


if __name__ == "__main__":
    chosen = sys.argv[1:] + ["gru", "20", "auto"][len(sys.argv) - 1 :]
    about = chosen[0], int(chosen[1]), chosen[2]
    told = alone(*about, chosen[3]) if len(chosen) > 3 else measure(*about)
    print(json.dumps(told, indent=2))  # noqa: T201
