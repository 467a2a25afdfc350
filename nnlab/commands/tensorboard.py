"""`nnlab tensorboard`: TensorBoard on some runs, seen from this machine alone."""

import errno
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from os.path import commonpath
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from nnlab.commands import options
from nnlab.core import files
from nnlab.core.errors import ConfigError, ResourceError
from nnlab.core.wrap import write_wrapped
from nnlab.runs.folder.find import find_run, is_comparison, members_of, runs_home
from nnlab.runs.folder.listing import list_runs

NEWEST = 10
USUAL_PORT = 6006


def tensorboard(
    runs: options.RunsArgument = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Default: 6006, or a free one where that is taken."),
    ] = None,
) -> None:
    """TensorBoard on these runs, or on the newest ten; on this machine alone."""
    raise typer.Exit(serve_tensorboard(runs or [], port=port))


def serve_tensorboard(runs: Sequence[str], *, port: int | None) -> int:
    """Runs TensorBoard until Ctrl-C.

    Args:
        runs: as RUN says it; the newest ten if none.
        port: 0 takes a free one; None the usual one, or a free one where that is taken.

    Returns:
        The exit code.

    Raises:
        ConfigError: there is no such run.
        ResourceError: the port is taken, or TensorBoard did not start.
    """
    found = [find_run(run) for run in runs] or [row.run for row in list_runs()[-NEWEST:]]
    folders = [member for run in found for member in members_of(run)]
    if not folders:
        raise ConfigError(f"tensorboard: no run in {runs_home()} (nnlab train makes one)")
    port = free_port(port)
    # The page that answers whether it is learning; the others are a click away.
    page = f"http://localhost:{port}/#custom_scalars"
    _say(f"{page} shows {', '.join(shelf_names(folders))} (Ctrl-C ends it)")
    # A server whose parent is told to end must not go on alone.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with shelf(folders) as shown:
            code = _wait(subprocess.Popen(tensorboard_command(shown, port=port)))
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)
    if code:
        raise ResourceError(f"tensorboard: it ended with {code}, and says why above")
    return 0


def tensorboard_command(folder: Path, *, port: int) -> list[str]:
    """TensorBoard's command line; it listens on the loopback address alone."""
    place = ["--host", "127.0.0.1", "--port", str(port)]
    where = ["--reload_interval", "5", "--logdir", str(folder)]
    # Else it shows ten moments of a picture, whichever.
    all_of = ["--samples_per_plugin", "images=1000"]
    return [sys.executable, "-m", "tensorboard.main", *place, *where, *all_of]


@contextmanager
def shelf(folders: Sequence[Path]) -> Generator[Path]:
    """A temporary folder with a link to each run, which TensorBoard calls as the link is called.

    `--logdir_spec` would put `/.` behind each name and take a path apart at a comma. Where links
    are not allowed (Windows), the folder that holds all of the runs stands in, whole.

    Raises:
        ResourceError: the temporary folder cannot be made.
    """
    with files.storage_errors(Path("the temporary folder (TMPDIR)")):
        holder = TemporaryDirectory(prefix="nnlab-tensorboard-")
    with holder as name:
        shown = Path(name)
        try:
            for called, folder in zip(shelf_names(folders), folders, strict=True):
                link = shown / called
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(folder.resolve(), target_is_directory=True)
        except (OSError, NotImplementedError):
            shown = Path(commonpath([folder.resolve() for folder in folders]))
        yield shown


def shelf_names(folders: Sequence[Path]) -> list[str]:
    """How each run is called on the page: as in the commands, or by its path if two are alike."""
    short = [_short(folder.resolve()) for folder in folders]
    return [
        name if short.count(name) == 1 else folder.resolve().relative_to(folder.anchor).as_posix()
        for name, folder in zip(short, (folder.resolve() for folder in folders), strict=True)
    ]


def _short(folder: Path) -> str:
    """mnist-mlp/3; of a comparison's run mnist-mlp/3/relu-s0."""
    parts = folder.parts[-3:] if is_comparison(folder.parent) else folder.parts[-2:]
    return "/".join(parts)


def free_port(asked: int | None) -> int:
    """The port that TensorBoard will listen on, known to be free before its address is said.

    Args:
        asked: must be free; 0 takes any, None the usual one or else any.

    Raises:
        ResourceError: the one that was asked for is taken, or not ours to take.
    """
    try:
        return _bound(USUAL_PORT if asked is None else asked)
    except OSError as error:
        if asked is None:
            return _bound(0)
        why = "is taken" if error.errno == errno.EADDRINUSE else f"{error.strerror}".lower()
        raise ResourceError(
            f"--port {asked}: {why} (leave it out, which takes a free one)"
        ) from None


def _bound(port: int) -> int:
    import socket

    with socket.socket() as probe:
        # As the server will: a port whose last connections are still ending is free.
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return probe.getsockname()[1]


def _say(text: str) -> None:
    write_wrapped(sys.stdout, text)


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """The exit code; Ctrl-C ends the process too."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        try:
            process.wait(timeout=5)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()
        raise
