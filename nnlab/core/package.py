"""nnlab's own files: where they lie, and which version they are."""

from pathlib import Path

FOLDER = Path(__file__).parents[1]
"""The package; in a checkout its parent is the repository."""

DISTRIBUTION = "nnlab-torch"
"""What `pip install` calls the package. Its metadata stand under this name, not under `nnlab`."""


def package_version() -> str:
    """The version of the installed package, `0+unknown` of a checkout that is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0+unknown"
