"""Signals that ask a run to stop: it ends after the update at hand and saves."""

import os
import signal
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, final

SIGNAL_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class CutShort(KeyboardInterrupt):
    """A signal has ended a long piece of work at once; the run around it is to end softly."""


@final
class StopHandler:
    """Calls `stop` at the first signal; a second one interrupts at once.

    Attributes:
        received: the numbers of the signals that came.
    """

    def __init__(self, stop: Callable[[str], None], received: list[int]) -> None:
        self._stop = stop
        self.received = received

    def __call__(self, number: int, _: FrameType | None) -> None:
        """Takes a signal."""
        self.received.append(number)
        if len(self.received) > 1:
            raise KeyboardInterrupt
        self._stop(f"stopped by {signal.Signals(number).name}")


@contextmanager
def stop_signals(stop: Callable[[str], None], received: list[int]) -> Generator[None]:
    """Calls `stop` at the first signal; a second one interrupts at once.

    A signal that the process was started to ignore, as by nohup, stays ignored. Outside the main
    thread, where Python allows no handlers, nothing is installed. What was installed before is put
    back at the end.

    Args:
        stop: asks the run to end, with a reason.
        received: the numbers of the signals that came are appended here.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    around = [signal.getsignal(number) for number in _known()]
    came = [h.received[0] for h in around if isinstance(h, StopHandler) and h.received]
    handler = StopHandler(stop, received)
    with _installed(dict.fromkeys(_heeded(), handler)):
        if came:
            handler(came[0], None)
        yield


@contextmanager
def cut_short() -> Generator[None]:
    """Within the block the first signal ends the work at once, and its child processes with it.

    For work that takes long and leaves nothing behind. Outside the main thread it does nothing.

    Raises:
        CutShort: at the first signal to a run, also if it came before the block. Elsewhere a signal
            does what it did before; where that was to end the process, files are tidied first.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _known()}
    if any(isinstance(handler, StopHandler) and handler.received for handler in before.values()):
        raise CutShort
    # Those that are there already are somebody else's, such as workers that read data.
    others = _descendants()
    within = [True]

    def handle(number: int, frame: FrameType | None) -> None:
        handler = before[number]
        if within[0]:
            for process in _descendants() - others:
                with suppress(OSError):
                    os.kill(process, signal.SIGTERM)
        if callable(handler):
            handler(number, frame)
            if within[0]:
                raise CutShort
        else:
            # As a shell tells it; unlike the default handler it lets every `finally` run.
            raise SystemExit(128 + number)

    with _installed(dict.fromkeys(_heeded(), handle)):
        try:
            yield
        finally:
            within[0] = False


def _known() -> list[int]:
    return [getattr(signal, name) for name in SIGNAL_NAMES if hasattr(signal, name)]


def _heeded() -> list[int]:
    """Those that are not ignored, and whose handler Python can put back (None: C set it)."""
    return [n for n in _known() if signal.getsignal(n) not in (signal.SIG_IGN, None)]


@contextmanager
def _installed(handlers: Mapping[int, Any]) -> Generator[None]:
    """These handlers; afterwards those that were there."""
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _descendants() -> set[int]:
    """Processes below this one, where the system tells them as files (Linux).

    Elsewhere a terminal's Ctrl-C reaches them by itself.
    """
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # pid (name) state parent ...; a name may hold brackets.
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found: set[int] = set()
    new = {os.getpid()}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new}
        found |= new
    return found
