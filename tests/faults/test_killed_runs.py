"""Runs that are killed at random moments, and resumed to their end: as if nothing had happened."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from faults.equal_runs import assert_equal_runs
from faults.injected import LIMIT, Forks

CONFIGS = {
    "augmented": """
data: {kind: digits, limit: 60, augment: [{kind: shift, pixels: 1}, noise]}
model: {kind: cnn, channels: [2], dense: [4]}
train: {epochs: 4, batch_size: 20}
log: {checkpoints: 2}
""",
    "batch norm": """
data: {kind: moons, samples: 80}
model: {kind: mlp, hidden: [6, 4], norm: batch, dropout: 0.2}
train: {epochs: 6, batch_size: 20}
""",
    "averaging": """
data: {kind: moons, samples: 80}
model: {kind: mlp, hidden: [6]}
train: {epochs: 6, batch_size: 20, averaging: {kind: ema, decay: 0.9}}
log: {checkpoints: 3}
""",
    "plateau": """
data: {kind: moons, samples: 80}
model: {kind: mlp, hidden: [6]}
optimizer: {kind: sgd, lr: 0.5, momentum: 0.9}
schedule: {kind: plateau, patience: 1, factor: 0.5}
train: {epochs: 8, batch_size: 20}
""",
    "csv": """
data: {kind: csv, path: data.csv, target: kind}
model: {kind: mlp, hidden: [5]}
train: {epochs: 6, batch_size: 16}
log: {every: 1 steps, probes: 2 steps}
""",
    "compiled": """
data: {kind: moons, samples: 80}
model: {kind: mlp, hidden: [6]}
train: {epochs: 8, batch_size: 20, compile: "on"}
""",
}
SHARE = {"compiled": 20}
"""Kills of a config, where they are not 36; a compiled step is loaded at each start."""


class Killed:
    """Runs of one config, in processes that may be killed."""

    def __init__(self, forks: Forks, folder: Path, name: str) -> None:
        self.forks, self.folder = forks, folder
        (folder / "c.yaml").write_text(CONFIGS[name])
        draw = random.Random(0)
        rows = [f"{draw.gauss(k, 1):.3f},{draw.gauss(-k, 1):.3f},{'ab'[k]}" for k in (0, 1) * 40]
        (folder / "data.csv").write_text("\n".join(["x,y,kind", *rows]) + "\n")

    def run(self, run: Path, kill_after: float | None = None, *, limit: float = LIMIT) -> int:
        words = ["train", str(self.folder / "c.yaml"), "--run-dir", str(run), "--resume", "-q"]
        cache = {"XDG_CACHE_HOME": str(self.folder / "cache")}
        log = self.folder / f"log-{run.name}"
        return self.forks.run(words, log=log, kill_after=kill_after, environment=cache, limit=limit)

    def log(self, run: Path) -> str:
        return (self.folder / f"log-{run.name}").read_text()


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as found:
        yield found


def survives(killed: Killed, *, kills: int, seed: int) -> int:
    """Kills runs at moments spread over what one takes, until so many processes were killed.

    Each run is killed again and again before it may end; it is compared with one that was not.
    """

    whole = killed.folder / "whole"
    # What it builds is there afterwards.
    assert killed.run(whole, limit=600) == 0, killed.log(whole)
    shutil.rmtree(whole)
    began = monotonic()
    assert killed.run(whole) == 0, killed.log(whole)
    seconds = monotonic() - began
    draw, done, number = random.Random(seed), 0, 0
    while done < kills:
        run = killed.folder / f"run-{number}"
        number += 1
        for _ in range(draw.randrange(1, 4)):
            code = killed.run(run, draw.uniform(0.02, 1.1) * seconds)
            assert code in (0, -9), (code, killed.log(run))
            done += code != 0
        assert killed.run(run) == 0, killed.log(run)
        try:
            assert_equal_runs(run, whole, board=True)
        except BaseException as error:
            error.add_note(f"{run}: {killed.log(run)}")
            raise
        shutil.rmtree(run)
    return done


def test_a_few_kills(forks: Forks, tmp_path: Path) -> None:
    assert survives(Killed(forks, tmp_path, "batch norm"), kills=3, seed=0) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_kills_at_random(forks: Forks, tmp_path: Path, name: str) -> None:
    """Two hundred in all."""
    kills = SHARE.get(name, 36)
    assert survives(Killed(forks, tmp_path, name), kills=kills, seed=1) >= kills
