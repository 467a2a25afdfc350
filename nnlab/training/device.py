"""The device that trains, and the global switches of torch that a run sets and puts back."""

import ctypes
import os
import platform
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

from nnlab.core.errors import ResourceError

_DENORMAL = 1e-310  # below the smallest normal float64, 2.2e-308
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h


def choose_device(wanted: str) -> tuple[torch.device, str]:
    """The device for `--device`, and a sentence that says what was taken and why.

    Args:
        wanted: auto, cpu, cuda, cuda:N or mps.

    Raises:
        ResourceError: if this torch or this machine has no such device.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return _cuda(0)
        if torch.backends.mps.is_available():
            return torch.device("mps"), "mps (auto: no CUDA device, but Apple's GPU)"
        built = "sees no CUDA device" if torch.backends.cuda.is_built() else "is built without CUDA"
        return torch.device("cpu"), f"cpu (auto: this torch {built})"
    kind, _, index = wanted.partition(":")
    if kind == "cpu" and not index:
        return torch.device("cpu"), "cpu"
    if kind == "mps" and not index:
        if not torch.backends.mps.is_available():
            raise ResourceError("--device mps: this machine has no Apple GPU (use --device cpu)")
        return torch.device("mps"), "mps"
    if kind == "cuda" and (not index or index.isdecimal()):
        return _cuda(int(index or 0))
    raise ResourceError(f"--device {wanted}: is not one of auto, cpu, cuda, cuda:N, mps")


def _cuda(index: int) -> tuple[torch.device, str]:
    if not torch.cuda.is_available():
        way = "use --device cpu or install the CUDA wheel"
        raise ResourceError(f"--device cuda: this torch build sees no CUDA device ({way})")
    count = torch.cuda.device_count()
    if index >= count:
        raise ResourceError(f"--device cuda:{index}: there are {count}, from cuda:0 on")
    return torch.device("cuda", index), f"cuda:{index}, {torch.cuda.get_device_name(index)}"


@contextmanager
def torch_settings(*, threads: int, deterministic: bool) -> Generator[None]:
    """Sets threads and determinism for a run and puts everything back: a notebook stays as it was.

    Args:
        threads: of one operation on the CPU.
        deterministic: refuse operations that have no deterministic form (needed on CUDA only).
    """
    flushed = _flushes_denormals()
    keep_memory()
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.deterministic,
    )
    torch.set_num_threads(threads)
    # Behind the line above: the threads that are asked are those that the run computes with.
    flush_denormals(flag=True, threads=threads)
    if deterministic:
        # cuBLAS reads this when its first handle is made.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        flush_denormals(flag=flushed, threads=threads)
        torch.set_num_threads(before[0])
        if deterministic:  # importing what this call imports takes seconds
            torch.use_deterministic_algorithms(before[1], warn_only=before[2])
        torch.backends.cudnn.benchmark = before[3]
        torch.backends.cudnn.deterministic = before[4]


def flush_denormals(*, flag: bool, threads: int) -> None:
    """Takes numbers below the smallest normal one as 0, in this thread and in those of its pool.

    Adam's means of a weight without gradient fall to 1e-45 and stay there, and a processor takes a
    hundred times as long for such numbers: 784-256-128-10 on MNIST trains 1.3 times as fast. The
    switch is each thread's own, and OpenMP's threads keep the one they were born with: without
    asking each of them, the bits of a run would depend on what ran before it in the process. Where
    they cannot be asked, several threads compute with all numbers.

    Args:
        flag: on or off.
        threads: of one operation.
    """
    if threads == 1:
        torch.set_flush_denormal(flag)
    elif (parallel := _openmp()) is not None:

        def switch(_: object) -> None:
            torch.set_flush_denormal(flag)

        parallel(_Outlined(switch), None, threads, 0)


_Outlined = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
"""What each thread of a team calls: void (*)(void *)."""


@cache
def _openmp() -> Callable[[Any, None, int, int], None] | None:
    """GOMP_parallel of the OpenMP that torch computes with: calls a function in each thread.

    GCC's ABI for `#pragma omp parallel` (libgomp manual, 8.13); None where torch has another one.
    """
    try:
        # Looked up in all that torch is linked with.
        found = ctypes.CDLL(torch._C.__file__).GOMP_parallel  # pyright: ignore[reportPrivateUsage]
    except (AttributeError, OSError):
        return None
    found.argtypes = (_Outlined, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    found.restype = None
    return found


def _flushes_denormals() -> bool:
    """Of the thread that asks: Python's own numbers are the processor's too."""
    return _DENORMAL * 1.0 == 0.0


@cache
def keep_memory() -> None:
    """Lets glibc keep what is freed for the next step, up to 32 MB a tensor (Linux).

    As it comes it gives large tensors back to the system at once, and every step pays for their
    pages again: with activations of 13 MB a step takes half as long again. mallopt(3). Never put
    back: glibc does not tell what was set before, so a notebook keeps up to 1 GiB that it freed.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_TRIM_THRESHOLD, 2**30)
        libc.mallopt(_MMAP_THRESHOLD, 2**25)


@contextmanager
def own_generator(device: torch.device) -> Generator[None]:
    """Lets the run draw from torch's default generators and puts their states back afterwards."""
    cpu = torch.get_rng_state()
    state = _generator(device).get_state() if device.type != "cpu" else None
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        if state is not None:
            _generator(device).set_state(state)


def seed_generators(device: torch.device, value: int) -> None:
    """Seeds the generators that a forward pass on this device may draw from."""
    _generator(device).manual_seed(value)
    if device.type != "cpu":
        torch.default_generator.manual_seed(value)


def _generator(device: torch.device) -> torch.Generator:
    if device.type == "cuda":
        # Before that the tuple of its generators is empty.
        torch.cuda.init()
        return torch.cuda.default_generators[device.index or 0]
    if device.type == "mps":
        return torch.mps._get_default_mps_generator()  # pyright: ignore[reportPrivateUsage]
    return torch.default_generator


def device_versions(device: torch.device) -> dict[str, object]:
    """What decides the bits of a run, for env.json."""
    cuda = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "torch": torch.__version__,
        "python": sys.version.split()[0],
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "cudnn": torch.backends.cudnn.version() if device.type == "cuda" else None,
        "device": str(device),
        "device_name": cuda,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }
