"""What every peer is asked, what it trains on, and the line that it answers."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from networks import INPUTS, NETWORKS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEARNING_RATE = 1e-3
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's training pixels in 0..1


class Asked(NamedTuple):
    """The work. `threads` 0 leaves the number to the peer."""

    net: str
    batch: int
    epochs: int
    threads: int
    data: Path


class Trained(NamedTuple):
    """What came of it.

    Attributes:
        first_step: unix time at which training began.
        epochs: seconds of each.
        parameters: weights and biases that were trained.
        loss: of training, at the end (mean of the last epoch or the last batch).
    """

    first_step: float
    epochs: list[float]
    parameters: int
    loss: float


class Clock:
    """When training began, and the seconds of each epoch."""

    def __init__(self) -> None:
        self.first_step = time.time()
        self.seconds: list[float] = []
        self._began = time.perf_counter()

    def lap(self) -> None:
        """An epoch is over."""
        now = time.perf_counter()
        self.seconds.append(now - self._began)
        self._began = now


def mnist(root: Path) -> "tuple[NDArray[np.float32], NDArray[np.int64]]":
    """Standardized inputs (60000, 1, 28, 28) and class numbers (60000,)."""
    import numpy as np

    raw = root / "MNIST" / "raw"
    pixels = np.fromfile(raw / "train-images-idx3-ubyte", np.uint8, offset=16)
    inputs = (pixels.reshape(-1, *INPUTS).astype(np.float32) / 255 - MEAN) / DEVIATION
    targets = np.fromfile(raw / "train-labels-idx1-ubyte", np.uint8, offset=8)
    return inputs.astype(np.float32), targets.astype(np.int64)


def asked(nets: tuple[str, ...] = tuple(NETWORKS)) -> Asked:
    """The command line's words."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--net", required=True, choices=nets)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--data", type=Path, default=os.environ.get("NNLAB_DATA", "data"))
    return Asked(**vars(parser.parse_args()))


def answer(asked: Asked, train: Callable[[Asked], Trained], *packages: str) -> None:
    """Trains and prints one JSON object on stdout.

    Args:
        asked: the work.
        train: does it.
        packages: whose versions are told.
    """
    began = time.perf_counter()
    trained = train(asked)
    found = {
        "net": asked.net,
        "batch": asked.batch,
        **trained._asdict(),
        "seconds": time.perf_counter() - began,
        "versions": {name: version(name) for name in packages},
    }
    sys.stdout.write(json.dumps(found) + "\n")
