"""NumPy and torch for files that must start without them: imported when they are first used.

    from nnlab.core.lazy import Tensor, np, torch

Type checkers see the real modules and types. At run time a module is imported when its first
attribute is asked for (torch takes seconds, and `nnlab check` needs none of it); a type is a
placeholder, for annotations alone.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Generator, Tensor, nn
    from torch.nn import Module, init
    from torch.nn import functional as F

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = [
    "F",
    "Floats",
    "Generator",
    "Ints",
    "Module",
    "NDArray",
    "Tensor",
    "init",
    "lazy",
    "nn",
    "np",
    "torch",
]


class _Lazy(ModuleType):
    """A module that is imported when its first attribute is asked for."""

    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module(self.__name__), name)


class _Placeholder(type):
    """The class of types that stand in annotations and are nothing at run time."""

    def __getitem__(cls, _: object) -> type:
        return cls

    def __instancecheck__(cls, _: object) -> NoReturn:
        raise TypeError(f"{cls.__name__} is here for annotations alone")


def lazy(name: str) -> ModuleType:
    """The module `name`, imported at first use.

    Beside it stands `if TYPE_CHECKING: import ...`, so that type checkers see the real one.
    """
    return _Lazy(name)


if not TYPE_CHECKING:
    np = lazy("numpy")
    torch = lazy("torch")
    nn = lazy("torch.nn")
    F = lazy("torch.nn.functional")
    init = lazy("torch.nn.init")
    NDArray, Floats, Ints, Tensor, Generator, Module = (
        _Placeholder(name, (), {})
        for name in ("NDArray", "Floats", "Ints", "Tensor", "Generator", "Module")
    )
