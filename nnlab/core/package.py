"""nnlab's own files: where they lie, and which version they are."""

from pathlib import Path

FOLDER = Path(__file__).parents[1]
"""The package; in a checkout its parent is the repository."""


def package_version() -> str:
    """The version of the installed package, `0+unknown` of a checkout that is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("nnlab")
    except PackageNotFoundError:
        return "0+unknown"
