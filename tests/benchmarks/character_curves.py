"""Characters of Shakespeare: a GRU and a transformer, each by its bundled config, over seconds.

`python tests/benchmarks/character_curves.py docs/characters [CONFIG ...]` trains both, or those
that are named, and writes docs/characters.json and docs/characters.png: two and three minutes. What
is drawn is the mean loss over the held-out last part of the text.
"""

import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

import nnlab

CONFIGS = {"shakespeare": "GRU, 128 units", "shakespeare_transformer": "transformer, 64 x 2"}


def curve(name: str) -> dict[str, Any]:
    """Loss on the held-out text over the seconds of updates."""
    with tempfile.TemporaryDirectory() as folder:
        summary = nnlab.train(name, run_dir=Path(folder) / "run")
        lines = (summary.run / "metrics.jsonl").read_text().splitlines()
    seconds = summary.seconds["train"]
    read = [line for line in map(json.loads, lines) if line["split"] == "validation"]
    return {
        "parameters": summary.parameters,
        "steps": summary.steps,
        "seconds": seconds,
        "threads": 1,
        "torch": torch.__version__,
        "machine": platform.processor() or platform.machine(),
        "curve": [[line["step"] / summary.steps * seconds, line["loss"]] for line in read],
    }


def draw(found: dict[str, Any], path: Path) -> None:
    """Both curves over seconds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, one in found.items():
        seconds, losses = zip(*one["curve"], strict=True)
        axes.plot(seconds, losses, ".-", label=f"{CONFIGS[name]}: {min(losses):.3f}")
    axes.set(xlabel="seconds of updates", ylabel="nats a character, held-out text", ylim=(1.5, 2.6))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)


def main(target: Path, names: list[str]) -> None:
    path = target.with_suffix(".json")
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        found[name] = curve(name)
    path.write_text(json.dumps(found, indent=1) + "\n")
    draw(found, target.with_suffix(".png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or [*CONFIGS])
