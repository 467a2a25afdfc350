"""Who may ask: only the page that this server gave out, opened by whom the terminal told.

Any page that a browser has open can reach a port of this machine. So a request must name this host
(no rebinding), come from this origin (no other page's script), and show the token, which stands in
the fragment of the address: that is never sent, nor seen by other ports as a cookie would be.
"""

import secrets
from collections.abc import Callable
from typing import Any, final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nnlab.studio.server.tables import MOST_TABLE

TOKEN_HEADER = "x-studio-token"
MOST_BODY = 1_000_000
"""Bytes of a request: as long as a config may be."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
    )
)
"""What the page may load and ask: nothing but this server."""
_LARGER = {"/api/table": MOST_TABLE}
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@final
class Guard:
    """Stands before the application.

    Args:
        app: what is behind it.
        may_be_called: whether it may be asked under that name, which is without a port.
        knows: whether a token opens a path, which is more than the page itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        may_be_called: Callable[[str], bool],
        knows: Callable[[str, str], bool],
    ) -> None:
        self._app = app
        self._may_be_called, self._knows = may_be_called, knows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses, or lets through."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, limited(receive, most_of(scope)), guarded(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403, "reason": refusal[1]})
        else:
            await PlainTextResponse(refusal[1], refusal[0])(scope, receive, guarded(send))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        named = headers.getlist("host")
        host = named[0] if len(named) == 1 else ""
        if not self._may_be_called(name_of_host(host)):
            return 400, "this server is not called so"
        length = headers.get("content-length") or "0"
        if not length.isdecimal() or len(length) > 12:
            return 400, "that has no length"
        if int(length) > most_of(scope):
            return 413, f"that is longer than {most_of(scope) // 10**6} MB"
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        origin = headers.get("origin")
        # A GET of the page's own script comes without one.
        same = reads if origin is None else urlsplit(origin).netloc == host
        if not same:
            return 403, "that comes from another page"
        if scope["type"] == "http" and scope["path"].startswith("/api/"):
            shown = headers.get(TOKEN_HEADER, "")
            if not self._knows(scope["path"], shown):
                return 401, "open the address that nnlab studio has printed"
        return None


def name_of_host(host: str) -> str:
    """The name in a Host header, without a port; empty where it is none."""
    try:
        parts = urlsplit(f"//{host}")
        plain = parts.netloc == host and "@" not in host and parts.port != 0
    except ValueError:
        return ""
    return (parts.hostname or "") if plain else ""


def same_token(given: Any, token: str) -> bool:
    """Whether they are equal; takes as long for any that is not."""
    return isinstance(given, str) and secrets.compare_digest(given.encode(), token.encode())


def most_of(scope: Scope) -> int:
    """Bytes that a request may have."""
    return _LARGER.get(scope["path"], MOST_BODY)


def limited(receive: Receive, most: int) -> Receive:
    """Ends a body that grows longer than it may, whatever its header says."""
    seen = 0

    async def received() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > most:
                return {"type": "http.disconnect"}
        return message

    return received


def guarded(send: Send) -> Send:
    """Puts the headers of safety on every answer."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent
