"""How a worksheet shows numbers."""

import numpy as np
from numpy.typing import NDArray

_SHOWN = 8
"""Rows and columns of a tensor that are printed."""


def tensor_lines(name: str, value: NDArray[np.float64]) -> list[str]:
    """A name and its rows below each other."""
    rows = value if value.ndim == 2 else value[None]
    head = f"  {name}  "
    lines = [
        f"{head if i == 0 else ' ' * len(head)}{row_text(row)}"
        for i, row in enumerate(rows[:_SHOWN])
    ]
    return lines + ([f"{' ' * len(head)}... {len(rows)} rows"] if len(rows) > _SHOWN else [])


def row_text(values: NDArray[np.float64]) -> str:
    """Numbers beside each other, as many as have room."""
    shown = " ".join(f"{value:>12.7g}" for value in values[:_SHOWN])
    return shown + (f" ... {len(values)}" if len(values) > _SHOWN else "")
