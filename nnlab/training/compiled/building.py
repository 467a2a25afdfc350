"""Builds a recorded step into machine code ahead of time, by torch's AOTInductor."""

import logging
import os
import shutil
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from nnlab.training.compiled.recording import Recording


_FORMAT = 2
"""Of what is built; another number makes every kept step a stranger."""


def find_compiler() -> str | None:
    """The C++ compiler that torch would call; None if there is none."""
    named = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    return shutil.which(named)


def build_surroundings(threads: int) -> tuple[str, ...]:
    """What beside the graph decides the machine code: versions, processor, compiler, threads."""
    parts = (torch.__version__, sys.platform, _processor(), _compiler_identity())
    return (str(_FORMAT), *parts, str(threads))


def key_of(recording: "Recording", threads: int) -> str:
    """A name for what is computed: graph, shapes, constants, surroundings."""
    digest = sha256()
    for part in (*build_surroundings(threads), recording.graph.code):
        # Zeros between the parts, so that what moves from one to the next is told apart.
        digest.update(part.encode() + b"\0")
    for name, tensor in zip(recording.inputs, recording.tensors, strict=True):
        digest.update(f"{name} {_form(tensor)}\0".encode())
    for node in recording.graph.graph.find_nodes(op="get_attr"):
        value = getattr(recording.graph, str(node.target))
        digest.update(f"{node.target} {_form(value)}\0".encode())
        # As bytes: NumPy has no bfloat16.
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def build_package(recording: "Recording", path: Path, *, threads: int, scratch: Path) -> None:
    """Writes the package; takes about half a minute.

    Args:
        recording: what is built.
        path: ends in .pt2.
        threads: of one call.
        scratch: sources and objects on the way; torch's own place for them is open to others.

    Raises:
        Exception: whatever torch's compiler raises.
    """
    from torch._inductor import aoti_compile_and_package

    # Random numbers are those of the eager step; casts round as they are written; what was taken
    # apart in the recording (addmm) stays apart.
    options: dict[str, Any] = {
        "fallback_random": True,
        "pattern_matcher": False,
        "emulate_precision_casts": True,
        "cpp.threads": threads,
        "cpp.enable_floating_point_contract_flag": "off",
        # Those lie in a folder below /tmp that others can be the first to make.
        "cpp_cache_precompile_headers": False,
    }
    tensors = tuple(tensor.detach() for tensor in recording.tensors)
    scratch.mkdir(mode=0o700, exist_ok=True)
    with torch.no_grad(), _silent():
        _choose_instructions(scratch, path.stem)
        with _scratch(scratch / path.stem):
            program = torch.export.export(recording.graph, tensors)
            aoti_compile_and_package(program, package_path=str(path), inductor_configs=options)


def load_package(path: Path) -> Any:
    """The runner of a package: `run([tensors])` changes them in place. Takes milliseconds."""
    return torch._C._aoti.AOTIModelPackageLoader(str(path), "model", True, 1, -1)  # pyright: ignore


def _choose_instructions(scratch: Path, draft: str) -> None:
    """Lets torch find out which vector instructions it can use, and keeps the answer.

    It compiles and loads a small program for each, which takes as long as a step does. Torch keeps
    those whose name is there; so the folder gets its name when all are whole.
    """
    from torch._inductor.cpu_vec_isa import valid_vec_isa_list

    known = (
        scratch / f"instructions-{sha256(repr(build_surroundings(0)).encode()).hexdigest()[:16]}"
    )
    if known.exists():
        with _environment(known):
            valid_vec_isa_list()
        return
    with _scratch(scratch / f"{draft}.instructions") as folder:
        valid_vec_isa_list()
        with suppress(OSError):  # another process was quicker
            folder.rename(known)


@contextmanager
def _scratch(folder: Path) -> Generator[Path]:
    """A folder for torch's compiler, which is removed."""
    folder.mkdir(mode=0o700, exist_ok=True)
    try:
        with _environment(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _environment(folder: Path) -> Generator[None]:
    name = "TORCHINDUCTOR_CACHE_DIR"
    before = os.environ.get(name)
    # Torch's compiler asks the environment alone where its files go, and anew at each build.
    os.environ[name] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def _silent() -> Generator[None]:
    """Without what torch's compiler says to its authors."""
    logger = logging.getLogger("torch")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _form(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tuple(tensor.shape)} {tensor.stride()} {tensor.device}"


def _compiler_identity() -> str:
    """Path, size and date of the compiler: asking it for its version would take a process."""
    found = find_compiler()
    if found is None:
        return ""
    path = Path(found).resolve()
    about = path.stat()
    return f"{path} {about.st_size} {about.st_mtime_ns}"


def _processor() -> str:
    """The instructions that this processor knows, where the system tells them."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        # One line is enough: it stands there again for each core.
        known = [line for line in lines if line.startswith(("flags", "Features"))][:1]
        return " ".join(known)
    return torch.backends.cpu.get_cpu_capability()
