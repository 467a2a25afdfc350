"""Starts the server, says where it is, and ends everything softly."""

import asyncio
import secrets
import socket
import webbrowser
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from nnlab.core.errors import ResourceError
from nnlab.studio.server.app import MOST_MESSAGE, make_app
from nnlab.studio.server.parent import Draft

LOOPBACK = "127.0.0.1"


def serve_studio(
    draft: Draft,
    *,
    port: int = 0,
    device: str = "auto",
    overrides: tuple[str, ...] = (),
    told: Callable[[str], None],
    browser: bool = True,
) -> None:
    """Serves the page until it is interrupted; a run that trains then is stopped and saved.

    Args:
        draft: what the page begins with.
        port: on this machine alone; 0 takes any that is free.
        device: that trains.
        overrides: as `--set` takes them, on top of the text.
        told: gets the address once the page can be opened.
        browser: open it.

    Raises:
        ResourceError: the port is taken.
    """
    token = secrets.token_urlsafe(24)
    listening = open_port(port)
    address = f"http://{LOOPBACK}:{listening.getsockname()[1]}/#token={token}"
    app = make_app(draft, token=token, device=device, overrides=overrides)
    try:
        asyncio.run(_run(app, listening, lambda: told(address), address if browser else None))
    except KeyboardInterrupt:
        pass  # uvicorn raises it again, behind the soft end
    finally:
        listening.close()


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


def open_port(port: int) -> socket.socket:
    """A socket that listens on this machine alone.

    Raises:
        ResourceError: the port is taken.
    """
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((LOOPBACK, port))
    except OSError as error:
        found.close()
        raise ResourceError(
            f"--port {port}: {error.strerror} (--port 0 takes a free one)"
        ) from None
    return found
