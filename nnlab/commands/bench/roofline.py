"""What this machine can do at most: the rates of a matrix product and of a copy in torch.

`python -m nnlab.commands.bench.roofline THREADS` prints them as JSON.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter

_SIDE = 1024
"""Of the matrices: 12 MB in all, 2 GFLOP a product."""
COPIED = 256 * 2**20
"""Bytes of the copied array, more than caches hold."""
_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Roofline:
    """The two roofs. Williams, Waterman & Patterson 2009, "Roofline", CACM 52(4).

    Attributes:
        flops: per second, of a float32 matrix product, 2 n^3 operations each.
        bytes: per second, read and written, of a large copy.
        threads: that both used.
    """

    flops: float
    bytes: float
    threads: int

    def least_seconds(self, flops: float, bytes: float) -> float:
        """That so many operations on so many bytes take at least."""
        return max(flops / self.flops, bytes / self.bytes)


def measure_machine(threads: int) -> Roofline:
    """Takes the best of about a second each, in this process; sets torch's threads."""
    import torch

    torch.set_num_threads(threads)
    a, b, out = (torch.ones(_SIDE, _SIDE) for _ in range(3))
    product = best(lambda: torch.mm(a, b, out=out))
    count = min(COPIED, _free() // 8) // 4
    source, target = torch.ones(count), torch.ones(count)
    copy = best(lambda: target.copy_(source))
    return Roofline(2 * _SIDE**3 / product, 2 * 4 * count / copy, threads)


def best(act: Callable[[], object]) -> float:
    """Seconds of the quickest call in about a second, of at least three."""
    times: list[float] = []
    act()
    while len(times) < 3 or sum(times) < _SECONDS:
        began = perf_counter()
        act()
        times.append(perf_counter() - began)
    return min(times)


def _free() -> int:
    """Bytes of memory that are free, as far as the system says."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 8 * COPIED


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(measure_machine(int(sys.argv[1])))) + "\n")
