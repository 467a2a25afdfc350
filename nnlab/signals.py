"""Signals that ask a run to stop: it ends after the update at hand and saves."""

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def stop_signals(stop: Callable[[str], None], received: list[int]) -> Generator[None]:
    """Calls `stop` at the first signal; a second one interrupts at once.

    Outside the main thread, where Python allows no handlers, nothing is installed. What was
    installed before is put back at the end.

    Args:
        stop: asks the run to end, with a reason.
        received: the numbers of the signals that came are appended here.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt
        stop(f"stopped by {signal.Signals(number).name}")

    known = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {number: signal.signal(number, handle) for number in known}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
