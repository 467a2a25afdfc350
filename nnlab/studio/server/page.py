"""The page and its files, which hold no secret: read, linked and packed once."""

import gzip
import re
from functools import cache

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from nnlab.studio.page_files import STATIC, modules_from

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_SCRIPT = re.compile(r'<script type="module" (?:async )?src="/static/([a-z_]+\.js)"></script>')


async def send_page(request: Request) -> Response:
    """GET: the page."""
    return _answer(request, "index.html")


async def send_class(request: Request) -> Response:
    """GET: the teacher's page."""
    return _answer(request, "class.html")


async def send_file(request: Request) -> Response:
    """GET: one of their files."""
    name = request.path_params["name"]
    if name not in _names() or name.endswith(".html"):
        return PlainTextResponse("there is no such file", 404)
    return _answer(request, name)


@cache
def _names() -> frozenset[str]:
    """Of the files that may be asked for: nothing that is asked is ever taken for a path."""
    return frozenset(path.name for path in STATIC.iterdir() if path.suffix in _TYPES)


def _answer(request: Request, name: str) -> Response:
    path = STATIC / name
    plain, packed = _content(name, path.stat().st_mtime_ns)
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    headers = {"vary": "accept-encoding", **({"content-encoding": "gzip"} if zipped else {})}
    content = packed if zipped else plain
    return Response(content, headers=headers, media_type=_TYPES[path.suffix])


@cache
def _content(name: str, _changed: int) -> tuple[bytes, bytes]:
    """A file as it is and packed; one that has changed since is read again."""
    text = (STATIC / name).read_text()
    if name.endswith(".html"):
        text = linked(text)
    return text.encode(), gzip.compress(text.encode(), 9)


def linked(page: str) -> str:
    """A page that names all modules it begins with.

    They are fetched at once, and not each when the one before has come and says what it needs.
    """
    names = dict.fromkeys(name for first in _SCRIPT.findall(page) for name in modules_from(first))
    links = [f'<link rel="modulepreload" href="/static/{name}">' for name in names]
    return page.replace("</head>", "\n".join([*links, "</head>"]))
