"""Starts the server, says where it is, and ends everything softly."""

import asyncio
import secrets
import socket
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from nnlab.core.errors import ConfigError, ResourceError
from nnlab.studio.command import LOOPBACK
from nnlab.studio.limits import Limits
from nnlab.studio.server.app import LOCAL_NAMES, MOST_MESSAGE, Studio, make_app
from nnlab.studio.server.classroom import Classroom
from nnlab.studio.server.parent import Draft
from nnlab.studio.server.session import StudioSession
from nnlab.studio.server.workers.forked import ForkingWorkers, can_fork
from nnlab.studio.server.workers.spare import Spare, Workers

EVERY_ADDRESS = ("0.0.0.0", "::")
"""Where one listens at all addresses of the machine."""


@dataclass(frozen=True, slots=True)
class Class:
    """A classroom that is wanted.

    Attributes:
        count: of its seats.
        limits: of each.
        data: a folder that all may read; None for none besides the usual sets.
    """

    count: int
    limits: Limits
    data: Path | None = None


def class_of(
    host: str, count: int | None, limits: Sequence[str], data: Path | None
) -> Class | None:
    """The classroom that is asked for.

    Args:
        host: where it is to listen.
        count: of seats; None for one session without bounds.
        limits: such as rows=5000.
        data: a folder that all may read.

    Raises:
        ConfigError: others would be let in without one, or there is none that an option belongs to.
    """
    if count is not None:
        return Class(count, Limits.of(limits), data)
    if host not in LOCAL_NAMES:
        way = "--class 1 gives one session that is kept in bounds"
        raise ConfigError(
            f"--host {host}: lets others in, whose configs read any file here ({way})"
        )
    if limits or data:
        raise ConfigError(f"--{'limit' if limits else 'data'}: belongs to a class (--class 30)")
    return None


def serve_studio(
    draft: Draft,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    device: str = "auto",
    overrides: tuple[str, ...] = (),
    classroom: Class | None = None,
    told: Callable[[Sequence[str]], None],
    browser: bool = True,
) -> None:
    """Serves the page until it is interrupted; runs that train then are stopped and saved.

    Args:
        draft: what the page begins with.
        host: of this machine: where it listens.
        port: there; 0 takes any that is free.
        device: that trains.
        overrides: as `--set` takes them, on top of the text.
        classroom: with seats for many; None for one session.
        told: gets the addresses once the page can be opened: of a class the teacher's first.
        browser: open it.

    Raises:
        ConfigError: no seat of the class could train the draft.
        ResourceError: the port is taken, or the class has nowhere to write.
    """
    listening = open_port(host, port)
    reached = host if host not in EVERY_ADDRESS else address_of_machine()
    home = f"http://{f'[{reached}]' if ':' in reached else reached}:{listening.getsockname()[1]}"
    if classroom is None:
        token, workers = secrets.token_urlsafe(24), _workers(device)
        session = StudioSession(draft, workers, device=device, overrides=overrides)
        studio = Studio({token: session}, workers, overrides)
        addresses = [f"{home}/#token={token}"]
    else:
        studio, addresses = _with_seats(draft, classroom, device, overrides, home)
    app = make_app(studio, may_be_called=names_of(host))
    try:
        opened = addresses[0] if browser else None
        asyncio.run(_run(app, listening, lambda: told(addresses), opened))
    except KeyboardInterrupt:
        pass  # uvicorn raises it again, behind the soft end
    finally:
        listening.close()


def _workers(device: str, threads: int | None = None) -> Workers:
    return ForkingWorkers(threads) if can_fork(device) else Spare(threads)


def _with_seats(
    draft: Draft, wanted: Class, device: str, overrides: tuple[str, ...], home: str
) -> tuple[Studio, list[str]]:
    """The class, and its addresses: the teacher's, and one for each seat."""
    device = "cpu" if device == "auto" else device
    workers = _workers(device, threads=1)
    found = Classroom(
        draft,
        wanted.count,
        workers,
        limits=wanted.limits,
        data=wanted.data,
        device=device,
        overrides=overrides,
    )
    sessions = {s.seat.token: s for s in found.sessions if s.seat is not None}
    addresses = [f"{home}/class#token={found.token}"]
    addresses += [f"{home}/#token={token}" for token in sessions]
    return Studio(sessions, workers, overrides, found), addresses


async def _run(
    app: Starlette, listening: socket.socket, started: Callable[[], None], opened: str | None
) -> None:
    """Serves on a socket; `started` is called once that goes well, and `opened` then."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=MOST_MESSAGE,
        # Frames are numbers, which hardly shrink, and it would cost more than sending them.
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    if server.started:
        started()
        if opened is not None:
            await asyncio.to_thread(webbrowser.open, opened)
    await serving


def open_port(host: str, port: int) -> socket.socket:
    """A socket that listens at an address of this machine.

    Raises:
        ResourceError: the port is taken, or the address is none of this machine.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[
            0
        ]
    except OSError as error:
        raise ResourceError(f"--host {host}: {error.strerror} (0.0.0.0 is every address)") from None
    # asyncio sends small messages at once (TCP_NODELAY) where it is told that this is TCP; else a
    # frame behind an event waits 40 ms for the other side to say that the event came.
    found = socket.socket(family, kind, protocol)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(place)
    except OSError as error:
        found.close()
        where = f"--port {port}" if host == LOOPBACK else f"--host {host} --port {port}"
        raise ResourceError(f"{where}: {error.strerror} (--port 0 takes a free one)") from None
    return found


def address_of_machine() -> str:
    """The address under which others most likely reach this machine; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # RFC 5737: an address of nobody
        return str(probe.getsockname()[0])
    return socket.gethostname()


def names_of(host: str) -> Callable[[str], bool]:
    """Whether the server may be asked under a name.

    A page that lets its own name lead here (DNS rebinding) cannot make the browser say a number: so
    where others may come in, every number is right, and of names this machine's own.
    """
    if host in LOCAL_NAMES:
        return LOCAL_NAMES.__contains__
    own = {host.lower(), socket.gethostname().lower(), socket.getfqdn().lower(), *LOCAL_NAMES}

    def fits(name: str) -> bool:
        with suppress(ValueError):
            return bool(ip_address(name))
        return name in own

    return fits
