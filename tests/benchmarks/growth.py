"""How the cost of an update grows with width, depth, batch size and data: eager and compiled.

`python tests/benchmarks/growth.py docs/growth` measures on MNIST and writes docs/growth.json and
docs/growth.png. Around 784-128-128-10 with ReLU and Adam at batch 64 one number changes at a time.
"""

import json
import platform
import sys
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import nnlab
from nnlab.commands.bench.roofline import measure_machine

REPEATS = 5
SECONDS = 0.5
"""Of updates that are timed, at least; the first ones, which are not, find out how many."""
PROBE_STEPS = 60
MODES = ("eager", "compiled")


class Work(NamedTuple):
    """What one point of a curve trains."""

    width: int = 128
    depth: int = 2
    batch: int = 64
    examples: int = 60_000


SWEEPS: dict[str, tuple[int, ...]] = {
    "width": (16, 64, 256, 1024),
    "depth": (1, 2, 4, 8),
    "batch": (16, 64, 256, 1024),
    "examples": (1000, 8000, 60_000),
}
LABELS = {
    "width": "units in each of two hidden layers",
    "depth": "hidden layers of 128 units",
    "batch": "examples in a batch",
    "examples": "examples in the data",
}


def config(work: Work, mode: str, steps: int) -> dict[str, Any]:
    """An experiment of that many updates, read at its end alone."""
    return {
        "data": {"kind": "mnist", "validation": "none", "limit": work.examples},
        "model": {"kind": "mlp", "hidden": [work.width] * work.depth, "activation": "relu"},
        "optimizer": {"kind": "adam", "lr": 1e-3},
        "train": {
            "steps": steps,
            "batch_size": work.batch,
            "drop_last": True,
            "compile": "on" if mode == "compiled" else "off",
        },
        "log": {"every": f"{steps} steps", "probes": "off"},
    }


def seconds(work: Work, mode: str, steps: int) -> float:
    """Of an update: the clock of the run, which holds updates alone."""
    summary = nnlab.train(config(work, mode, steps))
    return summary.seconds["train"] / summary.steps


def flops(work: Work) -> float:
    """Of an update's matrix products: forward, gradients of weights, gradients of inputs.

    The first layer needs no gradient of its inputs.
    """
    sizes = [784, *[work.width] * work.depth, 10]
    products = [2.0 * a * b for a, b in pairwise(sizes)]
    return work.batch * (3.0 * sum(products) - products[0])


def point(work: Work) -> dict[str, Any]:
    """Microseconds of an update in both modes, taken in turn."""
    steps = {mode: max(200, int(SECONDS / seconds(work, mode, PROBE_STEPS))) for mode in MODES}
    times: dict[str, list[float]] = {mode: [] for mode in MODES}
    for _ in range(REPEATS):
        for mode in MODES:
            times[mode].append(1e6 * seconds(work, mode, steps[mode]))
    return {
        **work._asdict(),
        "flops": flops(work),
        **{
            mode: {"median": median(found), "least": min(found), "most": max(found)}
            for mode, found in times.items()
        },
    }


def draw(found: dict[str, Any], path: Path) -> None:
    """A panel for each sweep, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.4), layout="constrained")
    panels = figure.subplots(2, 2, sharey=True).flat
    for (name, points), axes in zip(found["sweeps"].items(), panels, strict=True):
        x = [each[name] for each in points]
        for mode, colour in zip(MODES, ("tab:gray", "tab:blue"), strict=True):
            middle = [each[mode]["median"] for each in points]
            spread = [[each[mode][edge] for each in points] for edge in ("least", "most")]
            axes.plot(x, middle, "o-", color=colour, label=mode)
            axes.fill_between(x, *spread, color=colour, alpha=0.2, linewidth=0)
        least = [1e6 * each["flops"] / found["flops_per_second"] for each in points]
        axes.plot(x, least, ":", color="tab:red", label="its products at the rate of a large one")
        axes.set(xscale="log", yscale="log", xlabel=LABELS[name])
        axes.set_xticks(x, [str(value) for value in x])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    figure.supylabel("microseconds an update")
    figure.axes[-1].legend(loc="lower left")
    figure.suptitle("784-128-128-10 (ReLU, Adam, batch 64) on MNIST; one number changes at a time")
    figure.savefig(path, dpi=110)


def main(target: Path) -> None:
    import torch

    found: dict[str, Any] = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cores": torch.get_num_threads(),
        "flops_per_second": measure_machine(torch.get_num_threads()).flops,
        "sweeps": {},
    }
    for name, values in SWEEPS.items():
        points = found["sweeps"][name] = []
        for value in values:
            points.append(point(Work()._replace(**{name: value})))
            sys.stderr.write(f"{name} {value}: {points[-1]}\n")
    target.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    draw(found, target.with_suffix(".png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
