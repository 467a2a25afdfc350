"""A laboratory for neural networks: YAML in; a trained, measured, explained network out.

    summary = nnlab.train("config.yaml")
    nnlab.evaluate(summary.run)

Importing this imports neither torch nor pydantic; the first use of a name does.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnlab.api import (
        ComparisonResult,
        Summary,
        Watch,
        doctor,
        evaluate,
        load,
        predict,
        register,
        resume,
        stream,
        train,
        train_comparison,
    )
    from nnlab.core.errors import (
        CheckpointError,
        ConfigError,
        DataError,
        DivergedError,
        NnlabError,
        ResourceError,
    )

    __version__: str

__all__ = [
    "CheckpointError",
    "ComparisonResult",
    "ConfigError",
    "DataError",
    "DivergedError",
    "NnlabError",
    "ResourceError",
    "Summary",
    "Watch",
    "__version__",
    "doctor",
    "evaluate",
    "load",
    "predict",
    "register",
    "resume",
    "stream",
    "train",
    "train_comparison",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from nnlab.core.package import package_version

        return package_version()
    if name in __all__:
        from importlib import import_module

        # The errors have a home without torch: who only catches them does not wait for it.
        home = "nnlab.core.errors" if name.endswith("Error") else "nnlab.api"
        return getattr(import_module(home), name)
    raise AttributeError(f"module 'nnlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
