"""Updates on a GPU: nnlab's eager and captured step and what one writes by hand, in turn.

    python tests/benchmarks/on_gpu.py [ROUNDS] [NETWORK ...]

Prints one JSON object: for each network the medians of the rounds in microseconds an update, and
nnlab's ratios to the loops by hand (least, median, greatest of the rounds). Every round makes 200
updates of each one after the other and waits for the device at its end. By hand: a network of
torch's own layers, data on the device, Adam fused, the loss not read; once as it is, once with
torch.compile over the network ("reduce-overhead" captures what it compiled). nnlab's steps also
sum losses and scores. Images are random: no time hangs on what they show.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from building import make_on
from networks import torch_network
from recurrent import KINDS, ByHand, spread

UPDATES = 200
DEVICE = torch.device("cuda", 0)
ADAM = {"kind": "adam", "lr": 1e-3}
IMAGES = {"mlp16": 64, "mlp": 64, "lenet": 64, "cnn": 128}
"""Networks of the files beside this one, and their batch."""
SEQUENCES = {f"{kind} {steps}": (kind, steps) for kind in KINDS for steps in (20, 100)}


def of_nnlab(name: str, compiling: str) -> Callable[[Tensor], None]:
    """An update of rows."""
    if name in IMAGES:
        from nnlab.config.loading import load_config

        config = load_config(Path(__file__).parent / f"{name}.yaml").model_dump(mode="json")
        sections = {key: config[key] for key in ("model", "loss")}
        given: dict[str, Any] = {
            "data": {"kind": "mnist", "validation": "none", "scale": "channel"}
        }
        batch = IMAGES[name]
    else:
        kind, steps = SEQUENCES[name]
        sections = {"model": {"kind": kind, "units": 64}}
        given = {"data": {"kind": "adding", "steps": steps, "samples": 1000}}
        batch = 32
    train = {"steps": 1_000_000, "batch_size": batch, "compile": compiling}
    made = make_on("cuda:0", {**given, **sections, "optimizer": ADAM, "train": train})
    step = made.built.step
    if compiling == "on":
        step.prepare(made.rows, lambda text: sys.stderr.write(f"{name}: {text}\n"))  # pyright: ignore
    step.fill_learning_rate(1e-3)
    return step.update


def of_hand(name: str, *, compiled: bool) -> Callable[[Tensor], None]:
    """Likewise, of the loop by hand."""
    torch.manual_seed(0)
    if name in IMAGES:
        network: nn.Module = torch_network(name).to(DEVICE)
        inputs = torch.rand(60_000, 1, 28, 28, device=DEVICE)
        targets = torch.randint(0, 10, (60_000,), device=DEVICE)
        loss_of = F.cross_entropy
    else:
        kind, steps = SEQUENCES[name]
        network = ByHand(kind).to(DEVICE)
        inputs = torch.rand(1000, steps, 2, device=DEVICE)
        targets = torch.rand(1000, 1, device=DEVICE)
        loss_of = F.mse_loss
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    forward = torch.compile(network, mode="reduce-overhead") if compiled else network

    def update(rows: Tensor) -> None:
        loss = loss_of(forward(inputs[rows]), targets[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return update


def microseconds(update: Callable[[Tensor], None], batches: Sequence[Tensor]) -> float:
    """Of an update, the mean of a round."""
    torch.cuda.synchronize()
    began = perf_counter()
    for rows in batches:
        update(rows)
    torch.cuda.synchronize()
    return 1e6 * (perf_counter() - began) / len(batches)


def measure(name: str, rounds: int) -> dict[str, Any]:
    """All in turn, so that whatever else the machine does meets each."""
    programs = {
        "nnlab eager": of_nnlab(name, "off"),
        "nnlab captured": of_nnlab(name, "on"),
        "by hand": of_hand(name, compiled=False),
    }
    if name not in SEQUENCES:  # a recurrent kernel of cuDNN's is not compiled
        programs["by hand, torch.compile"] = of_hand(name, compiled=True)
    size, many = (IMAGES[name], 60_000) if name in IMAGES else (32, 1000)
    batches = [torch.randint(0, many, (size,), device=DEVICE) for _ in range(UPDATES)]
    for update in programs.values():
        microseconds(update, batches[:20])
    found: dict[str, list[float]] = {program: [] for program in programs}
    for _ in range(rounds):
        for program, update in programs.items():
            found[program].append(microseconds(update, batches))
    ratios = {
        f"{ours} / {theirs}": spread(
            [a / b for a, b in zip(found[ours], found[theirs], strict=True)]
        )
        for ours in programs
        if ours.startswith("nnlab")
        for theirs in programs
        if theirs.startswith("by hand")
    }
    return {"microseconds": {key: median(value) for key, value in found.items()}, **ratios}


def main(words: Sequence[str]) -> None:
    """Measures what the words say."""
    rounds = int(words[0]) if words else 7
    told: dict[str, Any] = {
        "device": torch.cuda.get_device_name(DEVICE),
        "torch": torch.__version__,
    }
    for name in words[1:] or [*IMAGES, *SEQUENCES]:
        told[name] = measure(name, rounds)
        sys.stderr.write(f"{name}: {json.dumps(told[name])}\n")
    print(json.dumps(told, indent=2))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
