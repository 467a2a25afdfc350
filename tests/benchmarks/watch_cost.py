"""What `nnlab.Watch` at its default settings adds to a loop of one's own, as JSON.

`python tests/benchmarks/watch_cost.py` times two hand-written loops with and without it, in turn.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18

import nnlab

REPEATS = 5


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )


WORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int, int]] = {
    "784-256-128-10, batch 64": (mlp, (784,), 64, 4000),
    "torchvision resnet18 on 3 x 32 x 32, batch 32": (
        lambda: resnet18(num_classes=10), (3, 32, 32), 32, 200),
}  # fmt: skip
"""Network, shape of an example, batch size, updates."""


def seconds(
    make: Callable[[], nn.Module], x: Tensor, y: Tensor, steps: int, watched: bool
) -> float:
    """Of a loop of so many updates; the watch's beginning and end are in it."""
    torch.manual_seed(0)
    network = make()
    optimizer = torch.optim.Adam(network.parameters())
    size = len(x) // 2
    with tempfile.TemporaryDirectory() as folder:
        began = perf_counter()
        watching = nnlab.Watch(network, optimizer, folder, inputs=x[size:]) if watched else None
        with watching or nullcontext():
            for _ in range(steps):
                optimizer.zero_grad()
                loss = F.cross_entropy(network(x[:size]), y[:size])
                loss.backward()
                if watching:
                    watching.step(loss, examples=size)
                optimizer.step()
        return perf_counter() - began


def main() -> None:
    found: dict[str, Any] = {"torch": torch.__version__, "cores": torch.get_num_threads()}
    for name, (make, shape, size, steps) in WORKS.items():
        x, y = torch.randn(2 * size, *shape), torch.randint(0, 10, (2 * size,))
        seconds(make, x, y, steps // 10, watched=True)
        turns = [
            (seconds(make, x, y, steps, watched=True), seconds(make, x, y, steps, watched=False))
            for _ in range(REPEATS)
        ]
        ratios = [with_it / without for with_it, without in turns]
        found[name] = {
            "steps": steps,
            "watched": [round(with_it, 3) for with_it, _ in turns],
            "alone": [round(without, 3) for _, without in turns],
            "ratio": {"median": median(ratios), "least": min(ratios), "most": max(ratios)},
        }
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
