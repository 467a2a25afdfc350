"""`nnlab` and `python -m nnlab`: a command, and lines and a code for what it raises."""

import atexit
import gc
import os
import sys
import threading
from collections.abc import Sequence
from io import TextIOWrapper

_LINES = 15
"""A user's error is at most this long."""
_NO_MEMORY = ("out of memory", "CUDA out of memory", "can't allocate memory")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: without the program's name; those of the process if None.

    Returns:
        The exit code: 0 done, 2 usage or config, 3 data, 4 checkpoint, 5 diverged, 6 resources,
        130 and 143 stopped by a signal, 141 nobody reads the output. 1 is a bug in nnlab.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name that the terminal has no letters for
    words = [word for word in words if word != "--debug"]
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # `nnlab runs | head`: the interpreter must not try to flush once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        return _tell(["stopped"], 130, debug=debug)
    except Exception as error:
        lines, code = _explained(error, words)
        return _tell(lines, code, debug=debug)
    finally:
        gc.unfreeze()  # what a training command froze; native bindings call it a leak at the end
    return code


def program() -> int:
    """`main` for a process of its own: settings that nobody else's Python may be left with.

    Together a quarter of what a short command takes: collecting garbage while modules are imported
    or at the end finds nothing, and pydantic would search every installed package for plugins.
    Commands that train switch collecting on again.
    """
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    code = main()
    if "torch" in sys.modules:
        _end(code)
    gc.freeze()
    return code


def _end(code: int) -> None:
    """Ends the process at once, behind all that Python itself does at its end.

    A thread that is inside torch when the interpreter goes away is unwound through C++ that must
    not throw: "terminate called without an active exception", and a run that was done and saved
    ends as one that was aborted. test_cli.py shows it.
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError):
        return  # the interpreter says so, in its own way
    threading._shutdown()  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    os._exit(code)


def _run(words: list[str]) -> int:
    from nnlab.cli import app

    try:
        app(args=words, prog_name="nnlab")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _explained(error: Exception, words: list[str]) -> tuple[list[str], int]:
    """What to print for an error and the exit code."""
    from nnlab.core.errors import NnlabError

    if isinstance(error, NnlabError):
        return [line for text in error.lines for line in text.splitlines()], error.exit_code
    text = str(error).strip()
    first = text.splitlines()[0] if text else ""
    if isinstance(error, MemoryError) or any(sign in text for sign in _NO_MEMORY):
        what = f"out of memory{f': {first}' if first else ''}"
        return [f"{what} (try a smaller train.batch_size or model)"], 6
    if (told := _of_the_system(error)) is not None:
        return told
    again = " ".join(["nnlab", "--debug", *words])
    return [
        f"{type(error).__name__}: {first}"[:1000],
        f"this is a bug in nnlab, please report it with what this prints: {again}",
    ], 1


def _of_the_system(error: Exception) -> tuple[list[str], int] | None:
    """What to say of a file that could not be opened, named, read or written; None for others.

    Every place that opens one says more of it; this is for the paths that nobody foresaw.
    """
    if isinstance(error, OSError) and error.errno is not None:
        why = (error.strerror or str(error)).lower()
        name = error.filename if error.filename is not None else error.filename2
        if isinstance(name, bytes):
            name = os.fsdecode(name)
        return [f"{name}: {why}" if isinstance(name, str) else why], 6
    if isinstance(error, UnicodeEncodeError):
        what = "holds characters that neither a file's name nor a text can have"
        return [f"{error.object[:100]!r}: {what} (write the name in UTF-8)"], 2
    if isinstance(error, ValueError) and "null" in str(error) and "embedded" in str(error):
        return ["a path holds NUL, which no file's name can have (take it out)"], 2
    return None


def _tell(lines: list[str], code: int, *, debug: bool) -> int:
    """Prints the lines on stderr, behind the traceback if it is asked for."""
    if debug:
        import traceback

        traceback.print_exc()
    elif len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], f"... and {len(lines) - _LINES + 1} more lines"]
    try:
        from nnlab.core.wrap import write_wrapped

        write_wrapped(sys.stderr, "\n".join(lines))
    except OSError:
        pass  # nobody listens; the code still tells
    return code


if __name__ == "__main__":
    sys.exit(program())
