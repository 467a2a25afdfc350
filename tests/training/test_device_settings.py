"""The switches of torch that a run sets, and puts back."""

import torch

from nnlab.training import device as devices


def denormal() -> float:
    return float(torch.full((8,), 1e-40).mul(1.0)[0])


def test_denormal_numbers_are_zero_within_and_as_before_outside() -> None:
    before = denormal()
    with devices.settings(threads=1, deterministic=False):
        assert denormal() == 0.0
    assert denormal() == before
    torch.set_flush_denormal(before != 0.0)
    try:
        other = denormal()
        with devices.settings(threads=1, deterministic=False):
            assert denormal() == 0.0
        assert denormal() == other
    finally:
        torch.set_flush_denormal(before == 0.0)


def test_threads_of_a_fresh_pool_flush_too() -> None:
    """In a process of its own: a pool that is there keeps the mode that it was made in."""
    import subprocess
    import sys

    code = """
import torch
from nnlab.training import device as devices
with devices.settings(threads=2, deterministic=False):
    print(int((torch.full((1_000_000,), 1e-40) * 1.0).count_nonzero()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
