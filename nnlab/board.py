"""`nnlab tensorboard`: TensorBoard on some runs, seen from this machine alone."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from nnlab.base import ConfigError, ResourceError
from nnlab.listing import listing
from nnlab.runs import find, home, members_of

NEWEST = 10


def serve(runs: Sequence[str], *, port: int) -> int:
    """Runs TensorBoard until Ctrl-C.

    Args:
        runs: as RUN says it; the newest ten if none.
        port: 0 takes a free one.

    Returns:
        The exit code.

    Raises:
        ConfigError: there is no such run.
        ResourceError: TensorBoard did not start, such as where the port is taken.
    """
    found = [find(run) for run in runs] or [row.run for row in listing()[-NEWEST:]]
    folders = [member for run in found for member in members_of(run)]
    if not folders:
        raise ConfigError(f"tensorboard: no run in {home()} (nnlab train makes one)")
    port = port or _free_port()
    _say(f"http://localhost:{port}/ shows {', '.join(names(folders))} (Ctrl-C ends it)")
    process = subprocess.Popen(command(folders, port=port))
    # A server whose parent is told to end must not go on alone.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.terminate()
        return _ended(process)
    finally:
        signal.signal(signal.SIGTERM, before)
    if code:
        raise ResourceError(
            f"--port {port}: TensorBoard ended with {code} (use --port 0, or see above)"
        )
    return 0


def command(folders: Sequence[Path], *, port: int) -> list[str]:
    """TensorBoard's command line; it listens on the loopback address alone."""
    place = ["--host", "127.0.0.1", "--port", str(port)]
    if len(folders) == 1:
        where = ["--logdir", str(folders[0].resolve())]
    else:
        pairs = zip(names(folders), folders, strict=True)
        where = ["--logdir_spec", ",".join(f"{name}:{folder.resolve()}" for name, folder in pairs)]
    return [sys.executable, "-m", "tensorboard.main", *place, "--reload_interval", "5", *where]


def names(folders: Sequence[Path]) -> list[str]:
    """How each run is called on the page: as in the commands, or by its path if two are alike."""
    short = [f"{folder.resolve().parent.name}/{folder.resolve().name}" for folder in folders]
    return [
        name if short.count(name) == 1 else str(folder.resolve()).strip("/")
        for name, folder in zip(short, folders, strict=True)
    ]


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _ended(process: "subprocess.Popen[bytes]") -> int:
    try:
        process.wait(timeout=5)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()
    return 0
