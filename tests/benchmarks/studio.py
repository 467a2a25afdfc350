"""How fast the studio is, with its page open in a browser.

    .venv/bin/python tests/benchmarks/studio.py speed off|on [NETWORK ...]
    .venv/bin/python tests/benchmarks/studio.py goals

`speed` gives updates and frames a second, and from a press to the screen, with an eager or a
compiled step. `goals` gives the rest: start, check, a large network, what watching costs, memory.
Figures, no gates: they hang on the machine and on who else wants it, so the load is printed too.
"""

import gzip
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from classroom import memory, processes, processor
from studio_serving import Page as Follower
from studio_serving import Served, opened, served

SPIRALS = """\
data: {{kind: spirals, samples: 500}}
model: {{kind: mlp, hidden: {hidden}, activation: tanh}}
optimizer: {{kind: sgd, lr: 0.03}}
train: {{epochs: 1000000, batch_size: 10, compile: off}}
"""
MNIST = """\
data: {kind: mnist, validation: 5000}
model: {kind: mlp, hidden: [16, 16], activation: tanh}
optimizer: {kind: sgd, lr: 0.1}
train: {epochs: 1000, batch_size: 10, compile: off}
"""
NETWORKS = {
    "8-8": SPIRALS.format(hidden=[8, 8]),
    "8x6": SPIRALS.format(hidden=[8] * 6),
    "16-16-16": SPIRALS.format(hidden=[16] * 3),
    "784-16-16-10": MNIST,
    "lenet5": "base: mnist_lenet5\ntrain: {epochs: 1000, compile: off}\n",
}
LARGE = SPIRALS.format(hidden=[40, 40, 8])
"""2,016 weights, all of them drawn."""
# Presses Update, and waits until another number is painted.
TO_SCREEN = """async () => {
    const update = document.getElementById("number-update"), found = [];
    for (let k = 0; k < 30; k++) {
        const before = update.textContent, began = performance.now();
        document.getElementById("step").click();
        await new Promise((done) => {
            const look = () => update.textContent !== before ? done() : requestAnimationFrame(look);
            requestAnimationFrame(look);
        });
        found.push(performance.now() - began);
    }
    return found.sort((a, b) => a - b);
}"""
CHECKS = """async () => {
    const text = document.getElementById("yaml").value, found = [];
    const headers = { "x-studio-token": sessionStorage.getItem("nnlab-studio-token") };
    for (let k = 0; k < 30; k++) {
        const began = performance.now();
        await fetch("/api/check", { method: "POST", body: text + "# " + k, headers })
            .then((answer) => answer.json());
        found.push(performance.now() - began);
    }
    return found.sort((a, b) => a - b);
}"""


def tell(text: str) -> None:
    """A line, with the load."""
    print(f"{text} [load {os.getloadavg()[0]:.1f}]", flush=True)  # noqa: T201


def until(holds: Callable[[], Any], seconds: float = 240.0) -> float:
    """Asks again and again, for the page's policy forbids to wait inside; how long it took."""
    began = perf_counter()
    while not holds():
        if perf_counter() - began > seconds:
            raise TimeoutError
        sleep(0.005)
    return perf_counter() - began


@contextmanager
def opening(browser: Browser, text: str) -> Generator[tuple[Page, Served]]:
    """A page on a server of its own, with the text."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(text)
        with served(Path(folder) / "runs", str(config)) as server:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(server.address)
            yield page, server
            page.close()


def rates(page: Page, seconds: float) -> tuple[float, float]:
    """Updates and painted frames a second while it plays."""

    def now() -> tuple[float, int, int]:
        text = page.inner_text("#number-update")
        number = int("".join(c for c in text if c.isdigit()) or 0)
        return perf_counter(), number, page.evaluate("studio.painted")

    before = now()
    page.wait_for_timeout(1000 * seconds)
    after = now()
    passed = after[0] - before[0]
    return (after[1] - before[1]) / passed, (after[2] - before[2]) / passed


def in_words(found: list[float]) -> str:
    """Least, median, nine tenths, in milliseconds."""
    return (
        f"{found[0]:.0f} / {statistics.median(found):.0f} / {found[int(0.9 * len(found))]:.0f} ms"
    )


def speed(browser: Browser, compiled: str, names: list[str]) -> None:
    """A line for each network."""
    for name in names or NETWORKS:
        text = NETWORKS[name].replace("compile: off", f"compile: {compiled}")
        with opening(browser, text) as (page, _):
            page.click("#step")
            ready = until(lambda: page.evaluate("studio.painted") > 0)
            to_screen = page.evaluate(TO_SCREEN)
            page.click("#play")
            page.wait_for_timeout(1500)
            updates, frames = rates(page, 5.0)
            tell(
                f"{name:13} compile {compiled:3} first numbers {ready:5.1f} s, step to screen "
                f"{in_words(to_screen)}, {updates:,.0f} updates/s, {frames:.0f} frames/s"
            )


def goals(browser: Browser) -> None:
    """A line for each."""
    began = perf_counter()
    with opening(browser, LARGE) as (page, server):
        until(lambda: page.inner_text("#says"))
        tell(f"server up, page open and its text checked {perf_counter() - began:.2f} s")
        page.click("#step")
        tell(f"new run, cold {until(lambda: page.evaluate('studio.painted') > 0):.2f} s")
        page.wait_for_timeout(12_000)  # the spare process imports
        page.click("#restart")
        painted = page.evaluate("studio.painted")
        page.click("#step")
        warm = until(lambda: page.evaluate("studio.painted") > painted)
        tell(f"new run, warm {warm:.2f} s")
        tell(f"step to screen, 2,016 weights {in_words(page.evaluate(TO_SCREEN))}")
        tell(f"check {in_words(page.evaluate(CHECKS))}")
        watched(page, server)
    scripts = [
        path.read_bytes() for path in (Path(__file__).parents[2]).glob("nnlab/studio/static/*.js")
    ]
    packed = sum(len(gzip.compress(script)) for script in scripts)
    tell(f"scripts {sum(map(len, scripts)) / 1000:.0f} KB, as they are sent {packed / 1000:.0f} KB")


def watched(page: Page, server: Served) -> None:
    """Frames of a large network, and what looking costs the training."""
    with opened(server) as other:
        other.send("watch", pictures=[], open=False)
        worker = next(e["pid"] for e in other.events if e["kind"] == "scene")
        page.click("#play")
        page.wait_for_timeout(2000)
        chromium = [pid for pid in processes(os.getpid()) if _name(pid).startswith("chrom")]
        costs: list[float] = []
        for shown in (True, False, True, False):
            if shown:
                page.goto(server.address)
                page.wait_for_timeout(1500)
            else:
                page.goto("about:blank")
                page.wait_for_timeout(500)
            used, browsed = processor([worker]), processor(chromium)
            frames, began = other.frames, perf_counter()
            before = _step(other)
            painted = page.evaluate("studio.painted") if shown else 0
            page.wait_for_timeout(6000)
            made, passed = _step(other) - before, perf_counter() - began
            costs.append((processor([worker]) - used) / made)
            if shown:
                frame_rate = (page.evaluate("studio.painted") - painted) / passed
                tell(
                    f"2,016 weights drawn: {frame_rate:.0f} frames/s, browser "
                    f"{(processor(chromium) - browsed) / passed:.2f} cores, {made / passed:,.0f} "
                    "updates/s"
                )
            else:
                tell(
                    f"page closed: {made / passed:,.0f} updates/s, frames to a hidden tab "
                    f"{other.frames - frames}"
                )
        seen, unseen = costs[0] + costs[2], costs[1] + costs[3]
        tell(f"looking costs the worker {100 * (seen / unseen - 1):.0f} % of processor an update")
        page.goto(server.address)
        page.wait_for_timeout(3000)
        size = [memory(processes(server.process.pid)), memory(chromium)]
        page.wait_for_timeout(120_000)
        grown = [memory(processes(server.process.pid)) - size[0], memory(chromium) - size[1]]
        tell(f"two minutes more: server and worker {grown[0]:+.0f} MB, browser {grown[1]:+.0f} MB")


def _name(pid: int) -> str:
    return re.findall(r"\((.*)\)", Path(f"/proc/{pid}/stat").read_text())[0]


def _step(other: Follower) -> int:
    """The newest update that a tab without frames hears of."""
    other.send("pause")
    step = other.until("state", lambda e: not e["playing"])["step"]
    other.send("play")
    other.until("state", lambda e: e["playing"])
    return step


def main(words: list[str]) -> None:
    """Measures what the words say."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        if words[0] == "goals":
            goals(browser)
        else:
            speed(browser, words[1], words[2:])
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:] or ["speed", "off"])
