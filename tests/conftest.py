"""What all tests share: few threads, and nothing written outside pytest's own folders."""

import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from zlib import crc32

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "run one test in N, chosen by their names: the same ones each time"
    parser.addoption("--share", type=int, default=1, metavar="N", help=words)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    share = int(config.getoption("--share") or 1)
    left = [item for item in items if crc32(item.nodeid.encode()) % share]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if crc32(item.nodeid.encode()) % share == 0]


def pytest_configure() -> None:
    # Before torch is imported; processes that tests start inherit it. Two threads on tensors of a
    # few numbers wait for each other, and for the other tests' threads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # cuBLAS reads it once in a process; without it nothing deterministic is computed on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # A shell ignores Ctrl-C for what it starts in the background, and so would all processes that
    # tests start and stop.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's cache folder is neither read nor written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def runs_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new name for each test; none is made before something is written there."""
    place = tmp_path_factory.mktemp("runs")
    return (place / str(number) for number in count())


@pytest.fixture(autouse=True)
def own_runs(runs_folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without a folder of their own go into one that is the test's alone."""
    monkeypatch.setenv("NNLAB_RUNS", str(next(runs_folders)))
