"""What a stranger, a broken program or a slow line may send: a word in answer, and all goes on."""

import asyncio
import json
import os
import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from starlette.routing import Route
from studio_serving import Page, Served, opened, served
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from nnlab.runs.folder.summary import read_summary
from nnlab.studio.serve import address_of_machine
from nnlab.studio.server import app
from nnlab.studio.server.tab import MOST_WAITING, Tab

LONG = """\
data: {kind: blobs, samples: 200}
model: {kind: mlp, hidden: [8]}
train: {epochs: 100000, batch_size: 20, compile: off}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("studio")
    (folder / "long.yaml").write_text(LONG)
    with served(folder / "runs", str(folder / "long.yaml")) as found:
        yield found
        assert alive(found)


@pytest.fixture(scope="module", autouse=True)
def silent(server: Served) -> Iterator[ClientConnection]:
    """A socket that has been there from the beginning, and says nothing."""
    with connect(f"ws://{server.host}/socket", origin=own_page(server)) as wire:
        yield wire


def own_page(server: Served) -> Any:
    return f"http://{server.host}"


def alive(server: Served) -> bool:
    return server.process.poll() is None and server.ask("/api/configs")[0] == 200


def line(server: Served) -> socket.socket:
    host, port = server.host.split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def answer(server: Served, request: str) -> tuple[int, str]:
    """Status (0 where it hangs up) and head of the answer to what a program wrote by hand."""
    with closing(line(server)) as wire:
        wire.sendall(request.replace("\n", "\r\n").encode())
        found = b""
        with suppress(ConnectionError):
            while b"\r\n\r\n" not in found and (part := wire.recv(4096)):
                found += part
    head = found.decode(errors="replace")
    return int(head.split(" ")[1]) if head.startswith("HTTP/") else 0, head


def revision(page: Page) -> int:
    return next(e["revision"] for e in reversed(page.events) if "revision" in e)


class TestNames:
    @pytest.mark.parametrize(
        "host",
        [
            *("evil.com", "10.attacker.com", "localhost.evil.com", "127.0.0.1.nip.io", ""),
            *("127.0.0.1@evil.com", "evil.com#127.0.0.1", "127.0.0.1:x", "[::1"),
        ],
    )
    def test_under_none_but_its_own_is_anything_told(self, server: Served, host: str) -> None:
        assert answer(server, f"GET / HTTP/1.1\nHost: {host}\n\n")[0] == 400

    def test_two_names_or_none_are_none(self, server: Served) -> None:
        own = server.host
        assert answer(server, f"GET / HTTP/1.1\nHost: {own}\nHost: evil.com\n\n")[0] == 400
        assert answer(server, "GET / HTTP/1.1\n\n")[0] == 400
        large = own.replace("127.0.0.1", "LOCALHOST")
        assert answer(server, f"GET / HTTP/1.1\nHost: {large}\n\n")[0] == 200

    def test_an_address_of_another_in_the_request_line_leads_nowhere(self, server: Served) -> None:
        request = f"GET http://evil.com/api/configs HTTP/1.1\nHost: {server.host}\n\n"
        assert answer(server, request)[0] in (400, 401, 404)

    @pytest.mark.parametrize("origin", ["null", "http://localhost:1", "https://evil.com", "x"])
    def test_no_other_page_may_ask(self, server: Served, origin: str) -> None:
        assert server.ask("/api/check", b"data: xor", origin=origin)[0] == 403

    def test_a_post_without_an_origin_is_no_page_of_ours(self, server: Served) -> None:
        head = f"POST /api/check HTTP/1.1\nHost: {server.host}\nx-studio-token: {server.token}\n"
        assert answer(server, f"{head}Content-Length: 0\n\n")[0] == 403

    def test_it_listens_on_this_machine_alone(self, server: Served) -> None:
        port = int(server.host.split(":")[1])
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")]
        assert listening == [f"0100007F:{port:04X}"]
        if (other := address_of_machine()) not in ("127.0.0.1", socket.gethostname()):
            with pytest.raises(OSError):  # noqa: PT011
                socket.create_connection((other, port), timeout=2)


class TestTokens:
    def test_every_route_below_api_wants_it_in_the_header(self, server: Served) -> None:
        paths = [r.path for r in app.ROUTES if isinstance(r, Route) and r.path.startswith("/api/")]
        assert len(paths) >= 10
        for path in paths:
            for token in ("", server.token.swapcase(), server.token + "x", "é"):
                assert server.ask(path, x_studio_token=token)[0] == 401, path
                assert server.ask(f"{path}?token={server.token}", b"", x_studio_token="")[0] == 401

    def test_a_page_of_no_class_has_no_table_of_one(self, server: Served) -> None:
        assert server.ask("/api/class")[0] == 401

    def test_nothing_else_is_done_nor_allowed_to_others(self, server: Served) -> None:
        for method in ("PUT", "DELETE", "TRACE", "PATCH", "OPTIONS"):
            status, head = answer(
                server,
                f"{method} /api/configs HTTP/1.1\nHost: {server.host}\nContent-Length: 0\n"
                f"Origin: http://{server.host}\nx-studio-token: {server.token}\n\n",
            )
            assert status in (400, 405), method
            assert "access-control" not in head.lower()

    def test_the_headers_of_safety_are_on_every_answer(self, server: Served) -> None:
        for path in ("/", "/static/app.js", "/api/configs", "/nothing", "/class"):
            _, head = answer(server, f"GET {path} HTTP/1.1\nHost: {server.host}\n\n")
            head = head.lower()
            assert "content-security-policy: default-src 'none'" in head, path
            assert "x-content-type-options: nosniff" in head
            assert "referrer-policy: no-referrer" in head
            assert "\r\nserver:" not in head
            assert "unsafe" not in head

    def test_a_socket_under_another_name_is_refused(self, server: Served) -> None:
        with (
            pytest.raises(InvalidStatus),
            connect(
                f"ws://{server.host}/socket",
                origin=own_page(server),
                additional_headers={"Host": "evil.com"},
            ),
        ):
            pass


class TestSizes:
    def test_a_body_without_an_end_is_ended(self, server: Served) -> None:
        head = (
            f"POST /api/check HTTP/1.1\nHost: {server.host}\nOrigin: http://{server.host}\n"
            f"x-studio-token: {server.token}\nTransfer-Encoding: chunked\n\n"
        )
        with closing(line(server)) as wire:
            wire.sendall(head.replace("\n", "\r\n").encode())
            chunk, sent = b"10000\r\n" + b"#" * 0x10000 + b"\r\n", 0
            with suppress(ConnectionError, TimeoutError):
                while sent < 40:
                    wire.sendall(chunk)
                    sent += 1
                wire.settimeout(10)
                assert b" 413 " in wire.recv(4096)
        assert alive(server)

    @pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999", "x"])
    def test_a_length_that_is_none_is_refused(self, server: Served, length: str) -> None:
        head = f"POST /api/check HTTP/1.1\nHost: {server.host}\nOrigin: http://{server.host}\n"
        assert answer(server, f"{head}Content-Length: {length}\n\n")[0] in (400, 413)

    def test_a_message_that_is_too_long_ends_its_own_socket_alone(self, server: Served) -> None:
        with opened(server) as page, opened(server) as other:
            page.send("text", text="#" * app.MOST_MESSAGE, revision=0)
            with pytest.raises(ConnectionClosed):
                page.until("conflict")
            other.send("text", text=3, revision="x")
            assert other.until("conflict")

    def test_a_ninth_tab_is_told_that_there_are_too_many(self, server: Served) -> None:
        with ExitStack() as stack:
            for _ in range(8):
                stack.enter_context(opened(server))
            with pytest.raises(ConnectionClosed, match="tabs are open"), opened(server):
                pass

    def test_two_hundred_lines_that_never_end_their_request_keep_nobody_out(
        self, server: Served
    ) -> None:
        wires = [line(server) for _ in range(200)]
        for wire in wires:
            wire.sendall(b"GET / HTTP/1.1\r\nHost: 127")
        began = monotonic()
        assert alive(server)
        assert monotonic() - began < 5
        for wire in wires:
            wire.close()


class TestTexts:
    @pytest.mark.parametrize(
        "text",
        [
            *("[" * 100_000, "{a: " * 5000, "&a [*a]", "a: !!python/object/apply:os.system [id]"),
            "data: blobs\nmodel: {kind: mlp, hidden: {width: 1, depth: 1000000}}",
            "data: blobs\nmodel: {kind: mlp, hidden: [1000000000000]}",
            "data: {kind: spirals, samples: 1000000000}\nmodel: linear",
            "data: blobs\nmodel: linear\ntrain: {batch_size: -1}",
            "data: blobs\nmodel: linear\noptimizer: {lr: .nan}",
            "data: blobs\nmodel: linear\noptimizer: {lr: 1e400}",
            "data: blobs\nmodel: linear\nname: ../../etc",
            "data: blobs\nmodel: linear\nname: '<script>'",
            "data: blobs\nmodel: linear\nname: a\\0b" + "x" * 10_000,
            "data: blobs\ndata: xor\nmodel: linear",
            'data: {kind: csv, path: "a\\0b", target: x}\nmodel: linear',
            "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        ],
        ids=range(16),
    )
    def test_what_cannot_be_is_said_within_a_second_or_two(self, server: Served, text: str) -> None:
        began = monotonic()
        status, found = server.ask("/api/check", text.encode())
        assert status == 200
        assert not json.loads(found)["ok"]
        assert monotonic() - began < 5

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 100_000,
            b'{"text": NaN, "do": "set"}',
            b'{"text": "a: 1", "do": "set", "path": ' + b"[" * 50_000,
            b'{"text": "a: 1", "do": "set", "path": ["a"], "value": 1e400, "value": {}}',
            b'{"text": "a: 1", "do": "__class__", "path": ["a"]}',
            b'{"text": "a: 1", "do": "set", "path": [null]}',
            b"\xff",
        ],
        ids=range(7),
    )
    def test_an_edit_that_is_none_is_refused(self, server: Served, body: bytes) -> None:
        assert server.ask("/api/edit", body)[0] in (200, 400)
        assert alive(server)

    def test_no_name_is_a_path(self, server: Served) -> None:
        for name in ("..", "../..", "%2e%2e%2f", "a%00b", "%3Cscript%3E", "'; rm", "x" * 10_000):
            assert server.ask(f"/api/curves?run={name.replace(' ', '%20')}")[0] == 404
        for path in ("/static/../../config.yaml", "/static/%2e%2e/%2e%2e/serve.py", "/static/a%00"):
            assert server.ask(path)[0] in (404, 400)

    def test_messages_of_every_sort_change_nothing(self, server: Served) -> None:
        with opened(server) as page:
            page.send("begin", playing=False)
            run = page.until("scene")["run"]
            for raw in ("[" * 50_000, '{"do": {}}', '{"do": "step", "count": "x"}', "\0", "null"):
                page.socket.send(raw)
            for do, values in (
                ("step", {"count": [1]}),
                ("rate", {"rate": None}),
                ("rate", {"rate": "1e999"}),
                ("example", {"split": "../x", "number": -1}),
                ("watch", {"pictures": 5}),
                ("watch", {"pictures": [{}] * 100_000}),
                ("seek", {"step": "x"}),
                ("fork", {"step": [], "changes": 5}),
                ("fork", {"step": "last", "changes": ["__class__=1"]}),
                ("open", {"name": ["x"], "revision": revision(page)}),
                ("open", {"run": {"x": 1}, "revision": revision(page)}),
                ("text", {"text": "x", "revision": None}),
                ("begin-", {}),
            ):
                page.send(do, **values)
            page.send("step", count=1)
            page.until("state", lambda e: e["step"] == 1)
            page.send("stop")
            page.until("over")
            assert read_summary(Path(run)).steps == 1
        assert alive(server)


class TestRuns:
    def test_a_hundred_beginnings_leave_one_run(self, server: Served) -> None:
        with opened(server) as page:
            for _ in range(100):
                page.send("begin", playing=False)
            pid = page.until("scene")["pid"]
            children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
            end = monotonic() + 20
            while len(children.read_text().split()) > 2 and monotonic() < end:
                sleep(0.1)
            # It, and the spare one.
            assert len(children.read_text().split()) <= 2
            os.kill(pid, 0)
            page.send("stop")
            page.until("over")

    def test_a_tab_that_is_killed_leaves_its_run_to_the_next(self, server: Served) -> None:
        with opened(server) as page:
            page.send("begin", playing=True)
            page.until("reading", lambda e: e["step"] > 100)
            wire = page.socket.socket
            # No word of farewell: the connection is reset, as where a process dies.
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wire.close()
        with opened(server) as page:
            assert page.until("reading", lambda e: e["step"] > 2000)
            page.send("stop")
            assert page.until("summary")["status"] == "interrupted"
            page.until("over")

    def test_a_tab_that_reads_nothing_is_let_go_and_training_goes_on(self) -> None:
        class Stuck:
            async def send_text(self, data: str) -> None:
                await asyncio.Event().wait()

            async def send_bytes(self, data: bytes) -> None:
                await asyncio.Event().wait()

        async def told() -> None:
            tab = Tab()
            sending = asyncio.create_task(tab.send_all(Stuck()))
            tab.tell("{}")
            await asyncio.sleep(0)  # it is being sent, for ever
            for _ in range(MOST_WAITING):
                tab.tell("{}")
            assert not tab.stalled.is_set()
            tab.tell("{}")
            assert tab.stalled.is_set()
            sending.cancel()

        asyncio.run(told())


def test_a_socket_that_shows_no_token_is_let_go(server: Served, silent: ClientConnection) -> None:
    with pytest.raises(ConnectionClosed):
        silent.recv(timeout=app.PATIENCE + 5)


def test_a_full_disk_is_said_and_the_page_lives(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text(LONG.replace("[8]", "[256, 256]"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A checkpoint of this network is longer than any file may get; it is inherited.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with served(tmp_path / "runs", str(tmp_path / "long.yaml")) as server:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            with opened(server) as page:
                page.send("begin", playing=True)
                told = page.until("error")["lines"][0]
                assert "checkpoints" in told
                assert "file too large" in told
                page.until("over")
                small = LONG
                page.send("text", text=small, revision=revision(page))
                page.until("text")
                page.send("begin", playing=True)
                page.until("reading", lambda e: e["step"] > 100)
                page.send("stop")
                assert page.until("summary")["status"] == "interrupted"
                page.until("over")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
