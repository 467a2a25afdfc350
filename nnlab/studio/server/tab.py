"""One tab: gets every event in its order, and of frames the newest that it has time for."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Protocol, final

from nnlab.studio.messages import to_json

MOST_WAITING = 20_000
"""Events that wait for a tab, some 20 MB; more than any run has told when a tab comes late."""
CREDIT = 2
"""Frames on their way to a tab that it has not painted yet."""


class Socket(Protocol):
    """What a tab writes to."""

    async def send_text(self, data: str) -> None:
        """Text."""
        ...

    async def send_bytes(self, data: bytes) -> None:
        """Bytes."""
        ...


@final
class Pace:
    """Lets so many things through a second, after as many at once; what is more waits.

    Args:
        rate: of them a second.
        clock: seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._left, self._at = rate, clock()

    async def keep(self) -> None:
        """Returns when the next one may pass."""
        now = self._clock()
        self._left = min(self._rate, self._left + self._rate * (now - self._at)) - 1.0
        self._at = now
        if self._left < 0.0:
            await asyncio.sleep(-self._left / self._rate)


@final
class Tab:
    """A page that is connected.

    A tab that never paints gets two frames and no more: nothing piles up, neither here nor in the
    socket, and training does not wait.
    """

    def __init__(self) -> None:
        self.skipped = 0
        """Frames that it had no time for."""
        self.watched: list[str] | None = None
        """Pictures that it shows; None until it says so, an empty list while it is hidden."""
        self.open = True
        """Whether it can be seen."""
        self.stalled = asyncio.Event()
        """Set where it has not taken thousands of events: nobody reads there."""
        self._events: list[str] = []
        self._frame: bytes | None = None
        self._unpainted = 0
        self._more = asyncio.Event()

    def tell(self, event: str) -> None:
        """An event, as JSON."""
        if len(self._events) >= MOST_WAITING:
            self.stalled.set()
            self._events.clear()
        self._events.append(event)
        self._more.set()

    def tell_plain(self, **event: object) -> None:
        """An event of the server's own."""
        self.tell(to_json(event))

    def show(self, frame: bytes) -> None:
        """A moment, in place of one that it has not got yet."""
        self.skipped += self._frame is not None
        self._frame = frame
        self._more.set()

    def forget_frame(self) -> None:
        """Another run begins: a moment of the one before, if not sent yet, is not sent."""
        self._frame = None

    def painted(self) -> None:
        """A frame has come to its end there: drawn, or let go for a newer one or another run."""
        self._unpainted = max(0, self._unpainted - 1)
        self._more.set()

    async def send_all(self, socket: Socket) -> None:
        """Sends what there is, for as long as the tab is there."""
        while True:
            await self._more.wait()
            self._more.clear()
            if self._events:
                events, self._events = self._events, []
                await socket.send_text(f"[{','.join(events)}]")
            if self._frame is not None and self._unpainted < CREDIT:
                frame, self._frame = self._frame, None
                self._unpainted += 1
                await socket.send_bytes(frame)
