"""Runs that were never trained: a config, and readings as a test wants them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Machine
from nnlab.core.finding import Finding
from nnlab.diagnosis.evidence.facts import DataFacts, Facts
from nnlab.diagnosis.watcher import Watcher
from nnlab.experiment.settle import settle

DEEP = {"kind": "mlp", "hidden": {"width": 8, "depth": 5}, "activation": "sigmoid"}
BASE: dict[str, Any] = {
    "data": {"kind": "moons", "samples": 200},
    "model": {"kind": "mlp", "hidden": [8, 8, 8]},
    "train": {"steps": 1000},
}
DATA_FACTS = DataFacts(
    counts=(70, 70),
    size=1.0,
    smallest=0.9,
    largest=1.1,
    widest="x",
    constant=(),
    columns=2,
    table=True,
    doubles={},
    same_rows=(),
    blind=0.693,
    silent=0.693,
    baseline={"accuracy": 0.5},
)


def facts_of(looked: DataFacts | None = DATA_FACTS, /, **sections: Any) -> Facts:
    """Of moons, unless the sections say otherwise."""
    config = load_config({**BASE, **sections})
    return Facts(settle(config, place_for(Path.cwd()), Machine("cpu", 1)), looked)


def full_probe(
    facts: Facts, own: Mapping[str, Any] | None = None, **numbers: float | None
) -> dict[str, float | None]:
    """A close probe: healthy numbers for every layer, others where the test says so.

    Args:
        facts: of the run.
        own: single keys.
        numbers: of all layers alike: grad_norm=0.0.
    """
    usual: dict[str, float | None] = {
        "grad_norm": 0.1, "weight_norm": 3.0, "update_ratio": 3e-3, "unit_spread": 0.9,
        "dead_units": 0.0, "saturated": 0.0,
    }  # fmt: skip
    found: dict[str, float | None] = {}
    for name, value in {**usual, **numbers}.items():
        for layer in facts.layers:
            key = layer.key if name in ("dead_units", "saturated") else layer.weight
            found[f"{name}/{key}"] = value
    return found | dict(own or {})


def watch(
    facts: Facts,
    losses: list[float | None],
    *,
    validation: list[float] | None = None,
    accuracy: float = 0.9,
    probe: Mapping[str, float | None] | None = None,
    status: str = "completed",
) -> dict[str, Finding]:
    """What is found in a run of these training losses at equal distances, each probed."""
    watcher, total = Watcher(facts), facts.experiment.total or 100
    probe = full_probe(facts) if probe is None else probe
    for number, loss in enumerate(losses):
        step = number * total // max(1, len(losses) - 1)
        found = {"loss": loss, **probe}
        if not step:
            found = {k: v for k, v in found.items() if not k.startswith("update_ratio")}
        watcher.read(step, "train", found)
        if validation is not None:
            watcher.read(step, "validation", {"loss": validation[number], "accuracy": accuracy})
    watcher.finish(status)
    return watcher.findings


FALLING: list[float | None] = [0.7 * 0.8**n for n in range(40)]
FLAT: list[float | None] = [0.69 + 0.002 * (n % 3) for n in range(40)]
