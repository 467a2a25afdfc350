"""An update of a small transformer: nnlab's compiled step, a plain loop, torch.compile, in turn.

`python tests/benchmarks/transformer.py [ROUNDS]` writes medians in milliseconds and their ratios
(the middle one, the least and the greatest) as one JSON object; `... alone nnlab`, or `by hand` or
`torch.compile`, the peak memory of a process that makes twenty updates of that alone.

All train 64 features x 2 blocks, 4 heads, windows of 64 characters, batch 32, AdamW with the
gradient clipped, on one thread, whose own time is taken; nnlab's also counts what it reads. The net
of the other two is written below as one writes it by hand in PyTorch.
"""

import json
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[1]))

from building import Made, make

from nnlab.runs.building import compiling
from nnlab.training.compiled.step import CompiledStep

WIDTH, DEPTH, HEADS, WINDOW, BATCH, RATE = 64, 2, 4, 64, 32, 3e-3
NAMES = ("nnlab", "by hand", "torch.compile")
UPDATES = 20
"""Of each in a round."""


class Block(nn.Module):
    """Attention and a feedforward layer, each behind a norm and with a way around."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.LayerNorm(WIDTH)
        self.maps = nn.Linear(WIDTH, 3 * WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.between = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        n, t, _ = x.shape
        q, k, v = self.maps(self.before(x)).view(n, t, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.mix(seen.transpose(1, 2).reshape(n, t, WIDTH))
        return x + self.down(F.gelu(self.up(self.between(x))))


class ByHand(nn.Module):
    """The same network as nnlab's, of as many parameters."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(tokens, WIDTH)
        self.places = nn.Embedding(WINDOW, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(DEPTH)))
        self.last = nn.LayerNorm(WIDTH)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        x = self.tokens(x) + self.places(torch.arange(x.shape[1]))
        return self.last(self.blocks(x)) @ self.tokens.weight.T


def by_hand(series: Tensor, tokens: int, *, compiled: bool) -> Callable[[Tensor], None]:
    """An update of rows: windows that follow each other, as nnlab's do."""
    torch.manual_seed(0)
    network = ByHand(tokens)
    run: Any = torch.compile(network) if compiled else network
    optimizer = torch.optim.AdamW(network.parameters(), RATE, fused=True)
    steps = torch.arange(WINDOW + 1)

    def update(rows: Tensor) -> None:
        seen = series[rows[:, None] * WINDOW + steps]
        outputs = run(seen[:, :-1])
        loss = F.cross_entropy(outputs.flatten(0, 1), seen[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    return update


def ours(*, compiled: bool) -> Made:
    """nnlab's own, with its compiled step built where that is asked."""
    made = make(
        data={"kind": "shakespeare", "window": WINDOW},
        model={"kind": "transformer", "width": WIDTH, "depth": DEPTH, "heads": HEADS},
        optimizer={"kind": "adamw", "lr": RATE},
        train={"steps": 1000, "batch_size": BATCH, "clip_norm": 1.0, "compile": "on"},
    )
    step = made.built.step
    assert isinstance(step, CompiledStep)
    if compiled:
        compiling.prepare_step(step, made.rows, lambda line: None)
        assert step.built is not None
    step.fill_learning_rate(RATE)
    return made


def timed(update: Callable[[Tensor], Any], batches: list[Tensor]) -> float:
    """Milliseconds of the processor for an update: what else a machine does counts less in them."""
    began = time.thread_time()
    for rows in batches:
        update(rows)
    return (time.thread_time() - began) / len(batches) * 1e3


def updates_of(names: tuple[str, ...], made: Made) -> dict[str, Callable[[Tensor], Any]]:
    """An update of each, by name."""
    windows = made.examples.windows
    assert windows is not None
    assert windows.stride == WINDOW
    tokens = made.experiment.shape.tokens
    series = torch.from_numpy(windows.series.astype("int64"))
    parameters = sum(p.numel() for p in made.built.network.parameters())
    assert parameters == sum(p.numel() for p in ByHand(tokens).parameters())
    return {
        name: made.built.step.update
        if name == "nnlab"
        else by_hand(series, tokens, compiled=name == "torch.compile")
        for name in names
    }


def whole_batches(made: Made) -> list[Tensor]:
    epoch = made.built.trainer.order.batches(0)
    return [rows for rows in epoch if len(rows) == BATCH][:UPDATES]


def measure(rounds: int) -> dict[str, Any]:
    """All three in turn, so that whatever else the machine does meets all."""
    made = ours(compiled=True)
    batches, updates = whole_batches(made), updates_of(NAMES, made)
    for update in updates.values():
        timed(update, batches[:3])
    found: dict[str, list[float]] = {name: [] for name in updates}
    for _ in range(rounds):
        for name, update in updates.items():
            found[name].append(timed(update, batches))
    ratios = {
        name: sorted(a / b for a, b in zip(found["nnlab"], times, strict=True))
        for name, times in found.items()
    }
    return {
        "milliseconds": {name: median(times) for name, times in found.items()},
        "from, to": {name: [min(times), max(times)] for name, times in found.items()},
        "nnlab over": {name: median(all_of) for name, all_of in ratios.items()},
        "ratios from, to": {name: [each[0], each[-1]] for name, each in ratios.items()},
        "parameters": sum(p.numel() for p in made.built.network.parameters()),
        "torch": torch.__version__,
        "machine": platform.processor() or platform.machine(),
        "rounds": rounds,
    }


def alone(name: str) -> dict[str, Any]:
    """The peak memory of a process that makes the updates of one; the data are in all of them."""
    made = ours(compiled=name == "nnlab")
    [update] = updates_of((name,), made).values()
    timed(update, whole_batches(made))
    return {name: {"peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}}


if __name__ == "__main__":
    torch.set_num_threads(1)
    asked = sys.argv[1:] or ["15"]
    told = alone(asked[1]) if asked[0] == "alone" else measure(int(asked[0]))
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
