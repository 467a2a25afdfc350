"""The routes: the page and its files, what it asks for, and the socket over which it lives.

To add one: a function, and a line in `ROUTES`. What begins with /api/ is asked with the token.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from nnlab.config.loading import bundled_configs
from nnlab.core.errors import ConfigError, NnlabError
from nnlab.core.package import package_version
from nnlab.studio.messages import to_json
from nnlab.studio.server.classroom import Classroom
from nnlab.studio.server.defined import define
from nnlab.studio.server.guard import MOST_BODY, TOKEN_HEADER, Guard, same_token
from nnlab.studio.server.menus import all_menus
from nnlab.studio.server.page import send_class, send_file, send_page
from nnlab.studio.server.records import listed_runs, run_curves
from nnlab.studio.server.session import BusyError, StudioSession
from nnlab.studio.server.tab import Pace, Tab
from nnlab.studio.server.tables import keep_table
from nnlab.studio.server.workers.spare import Workers
from nnlab.studio.text.edits import edit_text

_JSON = "application/json"
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_GONE = (RuntimeError, ConnectionError, WebSocketDisconnect)
"""What a socket may raise that is no more."""
_AFTER = 4.0
"""Seconds from the start until what takes long is made ready: by then a page is open."""
PATIENCE = 10.0
"""Seconds that a socket has to show its token."""
MOST_MESSAGES = 200
"""Messages a second of a tab; of more the rest waits, in the end with who sends them."""
MOST_MESSAGE = 2 * MOST_BODY
"""Bytes of a message on the socket."""


@dataclass
class Studio:
    """What the routes share.

    Attributes:
        sessions: by the token that opens each.
        workers: for all of them.
        overrides: as `--set` takes them.
        classroom: whose seats the sessions are; None where there is one session alone.
    """

    sessions: Mapping[str, StudioSession]
    workers: Workers
    overrides: tuple[str, ...] = ()
    classroom: Classroom | None = None

    def session_of(self, token: Any) -> StudioSession | None:
        """The session that a token opens; it takes as long for any that opens none."""
        found = None
        for known, session in self.sessions.items():
            found = session if same_token(token, known) else found
        return found

    def knows(self, path: str, token: str) -> bool:
        """Whether a token opens a path: of the class the teacher's alone."""
        if path.startswith("/api/class"):
            return self.classroom is not None and same_token(token, self.classroom.token)
        return self.session_of(token) is not None


def studio_of(request: Request | WebSocket) -> Studio:
    """What the routes share."""
    return request.app.state.studio


def session_at(request: Request) -> StudioSession:
    """The session whose token a request shows; the guard has let it through."""
    session = studio_of(request).session_of(request.headers.get(TOKEN_HEADER))
    assert session is not None
    return session


async def send_check(request: Request) -> Response:
    """POST a text: what it would train, or its mistakes."""
    overrides, session = studio_of(request).overrides, session_at(request)
    try:
        body = await request.body()
    except ClientDisconnect:
        return PlainTextResponse("that is longer than 1 MB", 413)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return PlainTextResponse("that is no UTF-8 text", 400)
    # Beside the loop: a large table must not hold up the frames of a run.
    found = await asyncio.to_thread(session.check, text, overrides)
    # The text may hold numbers that JSON has not: .nan
    return Response(to_json(found), media_type=_JSON)


async def edit(request: Request) -> Response:
    """POST {"text", "do", ...}: the text after an edit of `text/edits.py`, or why there is none."""
    try:
        asked = json.loads(await request.body())
        return JSONResponse({"text": edit_text(str(asked["text"]), asked)})
    except ConfigError as error:
        return JSONResponse({"why": error.lines[0]})
    except (ClientDisconnect, ValueError, KeyError, TypeError, RecursionError):
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
    session = session_at(request)
    with session.entered():
        return JSONResponse(session.checkpoints())


async def runs(request: Request) -> Response:
    """GET: the newest runs that there are."""
    with session_at(request).entered():
        return JSONResponse(await asyncio.to_thread(listed_runs))


async def curves(request: Request) -> Response:
    """GET ?run=spirals/3: its curves, to lay behind others."""
    try:
        name = request.query_params.get("run", "")
        with session_at(request).entered():
            found = await asyncio.to_thread(run_curves, name)
        return Response(to_json(found), media_type=_JSON)
    except NnlabError as error:
        return PlainTextResponse(error.lines[0], 404)


async def replay_page(request: Request) -> Response:
    """GET: the run at hand as a page of its own."""
    session = session_at(request)
    try:
        with session.entered():
            content = await session.page_of(session.run_at_hand())
    except NnlabError as error:
        return PlainTextResponse(error.lines[0], 400)
    # As bytes to be kept: nothing of it is a page of this server.
    return Response(content, media_type="application/octet-stream")


async def table(request: Request) -> Response:
    """POST a table ?name=flowers.csv: kept beside the runs; where it lies, and its columns."""
    try:
        name, content = request.query_params.get("name", ""), await request.body()
        session = session_at(request)
        if (full := await asyncio.to_thread(session.full)) is not None:
            return PlainTextResponse(full, 507)
        with session.entered():
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
    with suppress(WebSocketDisconnect, ConnectionError, TimeoutError):
        first = await asyncio.wait_for(_message(socket), PATIENCE)
        session = None if first is None else studio.session_of(first.get("token"))
        if session is None:
            await socket.close(4401, "open the address that nnlab studio has printed")
            return
        tab = Tab()
        with session.entered():
            try:
                session.join(tab)
            except BusyError as error:
                await socket.close(4429, str(error))
                return
            await _attend(socket, session, tab)


async def _attend(socket: WebSocket, session: StudioSession, tab: Tab) -> None:
    """Sends and takes, until the tab is closed."""
    sender = asyncio.create_task(tab.send_all(socket))
    hearer = asyncio.create_task(_hear(socket, session, tab))
    # A tab that takes nothing any more is let go: when it wakes it comes again, and hears it all.
    stalled = asyncio.create_task(tab.stalled.wait())
    try:
        await asyncio.wait({hearer, stalled}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        session.leave(tab)
        for task in (hearer, stalled, sender):
            task.cancel()
            with suppress(asyncio.CancelledError, *_GONE):
                await task


async def _hear(socket: WebSocket, session: StudioSession, tab: Tab) -> None:
    pace = Pace(MOST_MESSAGES)
    while True:
        message = await _message(socket)
        await pace.keep()
        if message is None:
            continue
        try:
            await session.take(tab, message)
        except (KeyError, TypeError, ValueError) as error:
            tab.tell_plain(kind="refused", do=str(message.get("do"))[:40], why=str(error)[:200])


async def _message(socket: WebSocket) -> dict[str, Any] | None:
    """A message of the page; None for what is none."""
    text = await socket.receive_text()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


async def class_seats(request: Request) -> Response:
    """GET: what each seat does. POST {"do", ...}: what the teacher wants."""
    classroom = studio_of(request).classroom
    assert classroom is not None
    if request.method == "POST":
        try:
            await classroom.take(json.loads(await request.body()))
        except NnlabError as error:
            return PlainTextResponse(error.lines[0], 400)
        except (ClientDisconnect, ValueError, KeyError, TypeError, RecursionError):
            return PlainTextResponse("that is no wish of a teacher", 400)
    return Response(to_json(await asyncio.to_thread(classroom.seen)), media_type=_JSON)


ROUTES: tuple[BaseRoute, ...] = (
    Route("/", send_page),
    Route("/class", send_class),
    Route("/api/class/configs", configs),
    Route("/api/class", class_seats, methods=["GET", "POST"]),
    Route("/api/check", send_check, methods=["POST"]),
    Route("/api/edit", edit, methods=["POST"]),
    Route("/api/definition", definition),
    Route("/api/configs", configs),
    Route("/api/menus", send_menus),
    Route("/api/checkpoints", checkpoints),
    Route("/api/runs", runs),
    Route("/api/page", replay_page),
    Route("/api/table", table, methods=["POST"]),
    Route("/api/curves", curves),
    WebSocketRoute("/socket", socket),
    Route("/static/{name}", send_file),
)


async def _warm(studio: Studio) -> None:
    """Imports what the page asks for, before it asks; what it wants at once comes first."""
    for session in [*studio.sessions.values()][:1]:
        await asyncio.to_thread(session.check, session.draft.text, studio.overrides)
    await asyncio.sleep(_AFTER)
    await asyncio.to_thread(all_menus)


def make_app(
    studio: Studio, *, may_be_called: Callable[[str], bool] = LOCAL_NAMES.__contains__
) -> Starlette:
    """The application around the sessions.

    Args:
        studio: what the routes share.
        may_be_called: names under which it may be asked.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        studio.workers.prepare()
        warming = asyncio.create_task(_warm(studio))
        classroom = studio.classroom
        tending = None if classroom is None else asyncio.create_task(classroom.tend())
        yield
        warming.cancel()
        if tending is not None:
            tending.cancel()
        await asyncio.gather(*(session.end_run() for session in studio.sessions.values()))
        await studio.workers.close()

    app = Starlette(
        routes=list(ROUTES),
        lifespan=lifespan,
        middleware=[
            Middleware(Guard, may_be_called=may_be_called, knows=studio.knows),
            Middleware(GZipMiddleware, minimum_size=1000),
        ],
    )
    app.state.studio = studio
    app.state.version = package_version()
    return app
