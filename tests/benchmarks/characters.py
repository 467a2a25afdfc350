"""The characters of Shakespeare, by a loop written by hand: nnlab's network and batches.

`python tests/benchmarks/characters.py data FILE.npz UPDATES` writes the windows of `shakespeare`
and the rows of each batch in nnlab's order; `... hand FILE.npz` trains on them with nn.GRU and
prints seconds and losses as one JSON object; `keras_recurrent.py characters FILE.npz` does so with
Keras. nnlab's own figures are those of `nnlab train shakespeare --set train.steps=UPDATES`. All:
embedding 32, GRU of 128 units, AdamW at 4e-3 with cosine after a warm-up of 3 %, clipped at 1.
"""

import json
import sys
from math import cos, pi
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

EMBED, UNITS, RATE, DECAY, CLIP, WARMUP = 32, 128, 4e-3, 0.01, 1.0, 0.03


def rate_factor(step: int, steps: int) -> float:
    """A line up to 1, then half a cosine down to 0."""
    first = round(WARMUP * steps)
    if step < first:
        return step / first
    return 0.5 * (1.0 + cos(pi * (step - first) / (steps - first)))


def write_data(path: str, updates: int) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from building import make

    made = make(
        data={"kind": "shakespeare", "window": 64},
        model={"kind": "gru", "units": UNITS},
        train={"steps": updates, "batch_size": 32, "threads": 1, "compile": "off"},
    )
    order, batches = made.built.trainer.order, list[Any]()
    for epoch in range(-(-updates // order.per_epoch)):
        batches += [rows.numpy() for rows in order.batches(epoch)]
    whole = [np.resize(rows, 32) for rows in batches[:updates]]
    windows: dict[str, Any] = {s: made.examples.rows[s] for s in ("validation", "test")}
    inputs, targets = made.examples.inputs, made.examples.targets
    assert isinstance(inputs, np.ndarray)
    np.savez(path, inputs=inputs, targets=targets, batches=np.stack(whole), **windows)


def train_by_hand(path: str) -> dict[str, Any]:
    import torch
    from torch import Tensor, nn

    class ByHand(nn.Module):
        def __init__(self, tokens: int) -> None:
            super().__init__()
            self.embedding = nn.Embedding(tokens, EMBED)
            self.layer = nn.GRU(EMBED, UNITS, batch_first=True)
            self.output = nn.Linear(UNITS, tokens)

        def forward(self, x: Tensor) -> Tensor:
            return self.output(self.layer(self.embedding(x))[0])

    torch.set_num_threads(1)
    torch.manual_seed(0)
    held = np.load(path)
    inputs, targets = (torch.from_numpy(held[n].astype(np.int64)) for n in ("inputs", "targets"))
    batches = torch.from_numpy(held["batches"])
    network = ByHand(int(inputs.max()) + 1)
    nn.init.orthogonal_(network.layer.get_parameter("weight_hh_l0"))
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY, fused=True)
    began = perf_counter()
    for step, rows in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = RATE * rate_factor(step, len(batches))
        said = network(inputs[rows])
        loss = nn.functional.cross_entropy(said.flatten(0, 1), targets[rows].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
    seconds = perf_counter() - began
    losses = dict[str, float]()
    with torch.no_grad():
        for split in ("validation", "test"):
            rows = torch.from_numpy(held[split])
            said = network(inputs[rows]).flatten(0, 1)
            losses[split] = float(nn.functional.cross_entropy(said, targets[rows].flatten()))
    return {"updates": len(batches), "seconds": seconds, **losses, "torch": torch.__version__}


if __name__ == "__main__":
    if sys.argv[1] == "data":
        write_data(sys.argv[2], int(sys.argv[3]))
    else:
        print(json.dumps(train_by_hand(sys.argv[2])))  # noqa: T201
