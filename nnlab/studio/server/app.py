"""The routes: the page and its files, what it asks for, and the socket over which it lives.

To add one: a function, and a line in `ROUTES`. What begins with /api/ is asked with the token.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from nnlab.config.loading import Text, bundled_configs
from nnlab.core.errors import ConfigError, NnlabError
from nnlab.core.package import package_version
from nnlab.studio.messages import to_json
from nnlab.studio.server.defined import define
from nnlab.studio.server.guard import MOST_BODY, Guard, same_token
from nnlab.studio.server.menus import all_menus
from nnlab.studio.server.parent import Draft
from nnlab.studio.server.records import listed_runs, run_curves
from nnlab.studio.server.session import BusyError, StudioSession
from nnlab.studio.server.spare import Spare
from nnlab.studio.server.tab import Tab
from nnlab.studio.server.tables import keep_table
from nnlab.studio.text.checked import check_text
from nnlab.studio.text.edits import edit_text

STATIC = Path(__file__).parents[1] / "static"
_JSON = "application/json"
MOST_MESSAGE = 2 * MOST_BODY
"""Bytes of a message on the socket."""


@dataclass
class Studio:
    """What the routes share.

    Attributes:
        session: the one there is.
        spare: workers.
        token: what a page must show.
        hosts: names of this server.
    """

    session: StudioSession
    spare: Spare
    token: str
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "::1")
    overrides: tuple[str, ...] = ()


def studio_of(request: Request | WebSocket) -> Studio:
    """What the routes share."""
    return request.app.state.studio


async def send_page(_: Request) -> Response:
    """The page, which holds no secret."""
    return FileResponse(STATIC / "index.html")


async def send_check(request: Request) -> Response:
    """POST a text: what it would train, or its mistakes."""
    studio = studio_of(request)
    try:
        body = await request.body()
    except ClientDisconnect:
        return PlainTextResponse("that is longer than 1 MB", 413)
    draft = studio.session.draft
    try:
        text = Text(body.decode(), draft.file, draft.folder, draft.name)
    except UnicodeDecodeError:
        return PlainTextResponse("that is no UTF-8 text", 400)
    # Beside the loop: a large table must not hold up the frames of a run.
    return JSONResponse(await asyncio.to_thread(check_text, text, studio.overrides))


async def edit(request: Request) -> Response:
    """POST {"text", "do", ...}: the text after an edit of `text/edits.py`, or why there is none."""
    try:
        asked = json.loads(await request.body())
        return JSONResponse({"text": edit_text(str(asked["text"]), asked)})
    except ConfigError as error:
        return JSONResponse({"why": error.lines[0]})
    except (ClientDisconnect, ValueError, KeyError, TypeError):
        return PlainTextResponse("that is no edit", 400)


async def definition(request: Request) -> Response:
    """GET ?key=grad_norm/total: what a number is, its formula, its source."""
    found = define(request.query_params.get("key", ""))
    return JSONResponse(found) if found else PlainTextResponse("there is no such number", 404)


async def configs(_: Request) -> Response:
    """GET: the names of the bundled configs, each with the sentence that it begins with."""
    found: list[dict[str, str]] = []
    for name, path in bundled_configs().items():
        first = path.read_text().partition("\n")[0].removeprefix("#").strip()
        found.append({"name": name, "about": first})
    return JSONResponse(found)


async def checkpoints(request: Request) -> Response:
    """GET: the checkpoints of the run at hand, the newest first."""
    return JSONResponse(studio_of(request).session.checkpoints())


async def runs(_: Request) -> Response:
    """GET: the newest runs that there are."""
    return JSONResponse(await asyncio.to_thread(listed_runs))


async def curves(request: Request) -> Response:
    """GET ?run=spirals/3: its curves, to lay behind others."""
    try:
        name = request.query_params.get("run", "")
        return Response(to_json(await asyncio.to_thread(run_curves, name)), media_type=_JSON)
    except NnlabError as error:
        return PlainTextResponse(error.lines[0], 404)


async def table(request: Request) -> Response:
    """POST a table ?name=flowers.csv: kept beside the runs; where it lies, and its columns."""
    try:
        name, content = request.query_params.get("name", ""), await request.body()
        return JSONResponse(await asyncio.to_thread(keep_table, name, content))
    except ClientDisconnect:
        return PlainTextResponse("that is longer than 20 MB", 413)
    except NnlabError as error:
        return PlainTextResponse(error.lines[0], 400)


async def send_menus(_: Request) -> Response:
    """GET: every kind of every menu, with its help and its fields: palette and forms."""
    return JSONResponse(await asyncio.to_thread(all_menus))


async def socket(socket: WebSocket) -> None:
    """The page's own connection. Its first message shows the token."""
    studio = studio_of(socket)
    await socket.accept()
    with suppress(WebSocketDisconnect, ConnectionError):
        first = await _message(socket)
        if first is None or not same_token(first.get("token"), studio.token):
            await socket.close(4401, "open the address that nnlab studio has printed")
            return
        tab = Tab()
        try:
            studio.session.join(tab)
        except BusyError as error:
            await socket.close(4429, str(error))
            return
        await _attend(socket, studio.session, tab)


async def _attend(socket: WebSocket, session: StudioSession, tab: Tab) -> None:
    """Sends and takes, until the tab is closed."""
    sender = asyncio.create_task(tab.send_all(socket))
    try:
        while True:
            message = await _message(socket)
            if message is not None:
                await session.take(tab, message)
    finally:
        session.leave(tab)
        sender.cancel()
        with suppress(asyncio.CancelledError, RuntimeError, WebSocketDisconnect):
            await sender


async def _message(socket: WebSocket) -> dict[str, Any] | None:
    """A message of the page; None for what is none."""
    text = await socket.receive_text()
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


ROUTES: tuple[BaseRoute, ...] = (
    Route("/", send_page),
    Route("/api/check", send_check, methods=["POST"]),
    Route("/api/edit", edit, methods=["POST"]),
    Route("/api/definition", definition),
    Route("/api/configs", configs),
    Route("/api/menus", send_menus),
    Route("/api/checkpoints", checkpoints),
    Route("/api/runs", runs),
    Route("/api/table", table, methods=["POST"]),
    Route("/api/curves", curves),
    WebSocketRoute("/socket", socket),
    Mount("/static", StaticFiles(directory=STATIC)),
)


def make_app(draft: Draft, *, token: str, device: str, overrides: tuple[str, ...]) -> Starlette:
    """The application around one session."""
    spare = Spare()
    session = StudioSession(draft, spare, device=device, overrides=overrides)
    studio = Studio(session, spare, token, overrides=overrides)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        spare.prepare()
        yield
        await asyncio.gather(session.end_run(), spare.close())

    app = Starlette(
        routes=list(ROUTES),
        lifespan=lifespan,
        middleware=[
            Middleware(Guard, hosts=studio.hosts, token=token),
            Middleware(GZipMiddleware, minimum_size=1000),
        ],
    )
    app.state.studio = studio
    app.state.version = package_version()
    return app
