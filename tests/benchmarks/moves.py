"""How much a reader of `nnlab check` has to jump: modules called, and moves between modules.

    python tests/benchmarks/moves.py check spirals

A move is a call of a function of one module of nnlab from another. Calls that Python's own or other
packages make in between (pydantic's validators) count for the caller that asked for them. The
command runs once before, so that imports and validators that are built at first use do not count.
"""

import contextlib
import io
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import nnlab
from nnlab.__main__ import main

ROOT = str(Path(nnlab.__file__).parent) + "/"


def module_of(frame: FrameType | None) -> str:
    """The module of the nearest caller that belongs to nnlab; empty where there is none."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(ROOT):
            return file.removeprefix(ROOT)
        frame = frame.f_back
    return ""


def moves_of(words: list[str]) -> tuple[set[str], Counter[tuple[str, str]]]:
    """The modules that a command calls, and how often it goes from one to another."""
    called: set[str] = set()
    moves: Counter[tuple[str, str]] = Counter()

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or not frame.f_code.co_filename.startswith(ROOT):
            return
        here, before = module_of(frame), module_of(frame.f_back)
        called.add(here)
        if before and before != here:
            moves[before, here] += 1

    with contextlib.redirect_stdout(io.StringIO()):
        main(words)
        sys.setprofile(look)
        try:
            main(words)
        finally:
            sys.setprofile(None)
    return called, moves


if __name__ == "__main__":
    modules, jumps = moves_of(sys.argv[1:] or ["check", "spirals"])
    total = sum(jumps.values())
    sys.stdout.write(f"{len(modules)} modules, {total} moves between {len(jumps)} pairs\n")
    for (source, target), count in jumps.most_common(12):
        sys.stdout.write(f"{count:4}  {source} -> {target}\n")
