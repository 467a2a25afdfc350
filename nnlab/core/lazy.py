"""Modules that are imported when they are first used: torch alone takes seconds."""

import importlib
from types import ModuleType


class _Lazy(ModuleType):
    """A module that is imported when its first attribute is asked for."""

    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module(self.__name__), name)


def lazy(name: str) -> ModuleType:
    """The module `name`, imported at first use.

    Beside it stands `if TYPE_CHECKING: import torch`, so that type checkers see the real one.
    """
    return _Lazy(name)
