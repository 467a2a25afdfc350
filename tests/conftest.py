"""What all tests share: few threads, and nothing written outside pytest's own folders."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_configure() -> None:
    # Before torch is imported; processes that tests start inherit it.
    os.environ.setdefault("OMP_NUM_THREADS", "2")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's cache folder is neither read nor written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without a folder of their own go below the test's."""
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path / "runs"))
