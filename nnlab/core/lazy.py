"""Imports that take seconds, spared where nobody needs them: NumPy, torch and torch's compiler.

    from nnlab.core.lazy import Tensor, np, torch

Type checkers see the real modules and types. At run time a module is imported when its first
attribute is asked for (torch takes seconds, and `nnlab check` needs none of it); a type is a
placeholder, for annotations alone.

torch.optim imports torch's compiler (two to three seconds) when an optimizer is made, and again
in its first step: `spare_compiler` and `optimizer_step` do without.
"""

import importlib
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Generator, Tensor, nn
    from torch.nn import Module, init
    from torch.nn import functional as F
    from torch.optim import Optimizer

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
    "optimizer_step",
    "spare_compiler",
    "torch",
]


class _Lazy(ModuleType):
    """A module that is imported when its first attribute is asked for."""

    _real: ModuleType | None = None

    def __getattr__(self, name: str) -> object:
        if self._real is None:
            self._real = importlib.import_module(self.__name__)
        # Kept, for code that runs in every update: importlib takes a microsecond to find it again.
        return getattr(self._real, name)


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


_MARKED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
_MARK = "__dynamo_disable"
"""Where torch._compile keeps a method once it is marked."""


def spare_compiler() -> None:
    """Comes before the first optimizer is made; changes nothing where the compiler is there.

    Optimizer marks some of its methods as not to be compiled, and imports torch._dynamo for it when
    one is called first; where nothing is compiled the marks say nothing. A torch that keeps its
    marks elsewhere imports its compiler as before.
    """
    if "torch._dynamo" in sys.modules:
        return
    from torch.optim import Optimizer

    for name in _MARKED:
        method = getattr(getattr(Optimizer, name), "__wrapped__", None)
        if method is not None and not hasattr(method, _MARK):
            setattr(method, _MARK, method)


def optimizer_step(optimizer: "Optimizer", *closure: Callable[[], Any]) -> Any:
    """`optimizer.step(*closure)`, without the hooks around it."""
    plain = inspect.unwrap(type(optimizer).step)
    with torch.no_grad():
        return plain(optimizer, *closure)
