"""The switches of torch that a run sets, and puts back."""

import subprocess
import sys

import pytest
import torch

from nnlab.training import device as devices


def denormal() -> float:
    return float(torch.full((8,), 1e-40).mul(1.0)[0])


def test_denormal_numbers_are_zero_within_and_as_before_outside() -> None:
    before = denormal()
    with devices.torch_settings(threads=1, deterministic=False):
        assert denormal() == 0.0
    assert denormal() == before
    torch.set_flush_denormal(before != 0.0)
    try:
        other = denormal()
        with devices.torch_settings(threads=1, deterministic=False):
            assert denormal() == 0.0
        assert denormal() == other
    finally:
        torch.set_flush_denormal(before == 0.0)


def test_all_threads_flush_whatever_ran_before() -> None:
    """In a process of its own: threads of a pool keep the mode that they were born with."""
    code = """
import torch
from nnlab.training import device as devices
torch.set_num_threads(2)
def numbers():
    return int((torch.full((1_000_000,), 1e-40) * 1.0).count_nonzero())
assert numbers() == 1_000_000  # the pool is there
with devices.torch_settings(threads=2, deterministic=False):
    print(numbers())
print(numbers())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n1000000\n"


def test_without_openmp_several_threads_compute_with_all_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "_openmp", lambda: None)
    with devices.torch_settings(threads=2, deterministic=False):
        assert denormal() != 0.0
    with devices.torch_settings(threads=1, deterministic=False):
        assert denormal() == 0.0
