"""An update of a small transformer: nnlab's compiled step, a plain loop, torch.compile, in turn.

`python tests/benchmarks/transformer.py [ROUNDS]` writes medians in milliseconds and their ratios as
one JSON object. All train 64 features x 2 blocks, 4 heads, windows of 64 characters, batch 32,
AdamW with the gradient clipped, on one thread; nnlab's also counts what it reads. The net of the
other two is written below as one writes it by hand in PyTorch.
"""

import json
import platform
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


def ours() -> Made:
    """nnlab's own, with its compiled step built."""
    made = make(
        data={"kind": "shakespeare", "window": WINDOW},
        model={"kind": "transformer", "width": WIDTH, "depth": DEPTH, "heads": HEADS},
        optimizer={"kind": "adamw", "lr": RATE},
        train={"steps": 1000, "batch_size": BATCH, "clip_norm": 1.0, "compile": "on"},
    )
    step = made.built.step
    assert isinstance(step, CompiledStep)
    compiling.prepare_step(step, made.rows, lambda line: None)
    step.fill_learning_rate(RATE)
    return made


def timed(update: Callable[[Tensor], Any], batches: list[Tensor]) -> float:
    """Milliseconds of an update."""
    began = time.perf_counter()
    for rows in batches:
        update(rows)
    return (time.perf_counter() - began) / len(batches) * 1e3


def main(rounds: int) -> None:
    torch.set_num_threads(1)
    made = ours()
    windows = made.examples.windows
    assert windows is not None
    assert windows.stride == WINDOW
    tokens = made.experiment.shape.tokens
    series = torch.from_numpy(windows.series.astype("int64"))
    updates: dict[str, Callable[[Tensor], Any]] = {
        "nnlab": made.built.step.update,
        "by hand": by_hand(series, tokens, compiled=False),
        "torch.compile": by_hand(series, tokens, compiled=True),
    }
    parameters = sum(p.numel() for p in made.built.network.parameters())
    assert parameters == sum(p.numel() for p in ByHand(tokens).parameters())
    epoch = made.built.trainer.order.batches(0)
    batches = [rows for rows in epoch if len(rows) == BATCH][:UPDATES]
    for update in updates.values():
        timed(update, batches[:3])
    found: dict[str, list[float]] = {name: [] for name in updates}
    for _ in range(rounds):
        for name, update in updates.items():
            found[name].append(timed(update, batches))
    middle = {name: median(times) for name, times in found.items()}
    ratios = {
        name: median(a / b for a, b in zip(found["nnlab"], times, strict=True))
        for name, times in found.items()
    }
    told = {
        "milliseconds": middle,
        "least": {name: min(times) for name, times in found.items()},
        "nnlab over": ratios,
        "parameters": parameters,
        "torch": torch.__version__,
        "machine": platform.processor() or platform.machine(),
        "rounds": rounds,
    }
    sys.stdout.write(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
