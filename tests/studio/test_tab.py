"""What a tab gets of the moments of a run."""

import asyncio
import socket
from contextlib import suppress

from nnlab.studio.serve import open_port
from nnlab.studio.server.tab import CREDIT, Tab


class _Socket:
    def __init__(self) -> None:
        self.sent: list[str | bytes] = []

    async def send_text(self, data: str) -> None:
        self.sent.append(data)

    async def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)


async def _sent(tab: Tab) -> list[str | bytes]:
    """All that the tab would be sent now."""
    socket = _Socket()
    with suppress(TimeoutError):
        await asyncio.wait_for(tab.send_all(socket), 0.05)
    return socket.sent


def test_a_tab_that_never_paints_gets_no_more_than_its_credit() -> None:
    async def shown() -> None:
        tab, sent = Tab(), list[str | bytes]()
        for k in range(CREDIT + 3):
            tab.show(b"%d" % k)
            sent += await _sent(tab)
        assert sent == [b"%d" % k for k in range(CREDIT)]
        tab.painted()
        # Of those that it had no time for, the newest.
        assert await _sent(tab) == [b"%d" % (CREDIT + 2)]
        assert tab.skipped == 2

    asyncio.run(shown())


def test_a_moment_of_the_run_before_does_not_follow_the_beginning_of_the_next() -> None:
    async def shown() -> None:
        tab = Tab()
        tab.show(b"of the run before")
        tab.forget_frame()
        tab.tell('{"kind":"begin"}')
        assert await _sent(tab) == ['[{"kind":"begin"}]']

    asyncio.run(shown())


def test_what_is_small_is_sent_at_once() -> None:
    async def asked() -> int:
        found = asyncio.get_running_loop().create_future()

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken = writer.get_extra_info("socket")
            found.set_result(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with open_port("127.0.0.1", 0) as listening:
            async with await asyncio.start_server(answer, sock=listening):
                _, writer = await asyncio.open_connection(*listening.getsockname())
                nodelay = await found
                writer.close()
        return nodelay

    assert asyncio.run(asked()) == 1
