"""How fast the studio is, with its page open in a browser.

    .venv/bin/python tests/benchmarks/studio.py speed off|on [NETWORK ...]
    .venv/bin/python tests/benchmarks/studio.py start|cost|memory MINUTES

`speed` gives updates and frames a second, and from a press to the screen, with an eager or a
compiled step. The rest are the studio's other goals: `start` how long one waits, and what is sent;
`cost` a large network, and what watching it costs; `memory` how much larger all becomes.
Figures, no gates: they hang on the machine and on who else wants it, so the load is printed too.
"""

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
# Notes when the page's text was checked, and Train can be pressed.
INTERACTIVE = """new MutationObserver((_, observer) => {
    const says = document.getElementById("says")?.textContent;
    if (!says || document.getElementById("play").disabled) return;
    window.interactive = performance.now();
    observer.disconnect();
}).observe(document, { subtree: true, childList: true, attributes: true })"""
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


def start(browser: Browser) -> None:
    """How long one waits: for the server, the page, a run, an update, a check; and what is sent."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(LARGE)
        began = perf_counter()
        with served(Path(folder) / "runs", str(config)) as server:
            tell(f"server up {perf_counter() - began:.2f} s")
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.add_init_script(INTERACTIVE)
            # A window of a browser opens pages of its own: here none is waited for but ours.
            page.wait_for_timeout(2000)
            times = visits(page, server)
            tell(f"page checked: first {times[0]:.0f} ms, all {in_words(sorted(times))}")
            tell(sent(page))
            began = perf_counter()
            page.click("#step")
            until(lambda: page.evaluate("studio.painted") > 0)
            tell(f"new run, cold {perf_counter() - began:.2f} s")
            page.wait_for_timeout(15_000)  # the spare process imports
            painted, began = page.evaluate("studio.painted"), perf_counter()
            page.click("#restart")
            until(lambda: page.evaluate("studio.painted") > painted)
            tell(f"new run, warm {perf_counter() - began:.2f} s")
            page.click("#step")
            page.wait_for_timeout(1500)
            tell(f"step to screen, 2,016 weights {in_words(page.evaluate(TO_SCREEN))}")
            tell(f"check {in_words(page.evaluate(CHECKS))}")


def visits(page: Page, server: Served, count: int = 9) -> list[float]:
    """Milliseconds from asking for the page until it can be used, of several visits."""
    found: list[float] = []
    for _ in range(count):
        page.goto("about:blank")
        page.wait_for_timeout(500)
        page.goto(server.address)
        until(lambda: page.evaluate("window.interactive") is not None)
        found.append(page.evaluate("window.interactive"))
    return found


def sent(page: Page) -> str:
    """Bytes of scripts, style and page, as they are and as they came over the wire."""
    kinds = page.evaluate("""() => performance.getEntriesByType("resource")
        .filter((entry) => /\\.js$/.test(entry.name))
        .map((entry) => [entry.decodedBodySize, entry.encodedBodySize])""")
    whole, packed = (sum(sizes) / 1000 for sizes in zip(*kinds, strict=True))
    return f"{len(kinds)} scripts, {whole:.0f} KB, sent as {packed:.0f} KB"


def cost(browser: Browser) -> None:
    """Frames of a large network, the share of a core, and what looking costs the training."""
    with opening(browser, LARGE) as (page, server), opened(server) as other:
        other.send("watch", pictures=[], open=False)
        page.click("#play")
        until(lambda: page.evaluate("studio.painted") > 20)
        worker = other.until("scene")["pid"]
        costs: list[float] = []
        for shown in (True, False, True, False):
            page.goto(server.address if shown else "about:blank")
            page.wait_for_timeout(2000)
            chromium = _chromium()
            used, browsed = processor([worker]), processor(chromium)
            frames, began = other.frames, perf_counter()
            before = _step(other)
            painted = page.evaluate("studio.painted") if shown else 0
            page.wait_for_timeout(6000)
            made, passed = _step(other) - before, perf_counter() - began
            costs.append((processor([worker]) - used) / made)
            if shown:
                rate = (page.evaluate("studio.painted") - painted) / passed
                browsed = (processor(chromium) - browsed) / passed
                tell(
                    f"2,016 weights drawn: {rate:.0f} frames/s, browser {browsed:.2f} cores, "
                    f"{made / passed:,.0f} updates/s"
                )
            else:
                hidden = other.frames - frames
                tell(
                    f"page closed: {made / passed:,.0f} updates/s, {hidden} frames to a hidden tab"
                )
        seen, unseen = costs[0] + costs[2], costs[1] + costs[3]
        tell(f"looking costs the worker {100 * (seen / unseen - 1):.0f} % of processor an update")


def grown(browser: Browser, minutes: float) -> None:
    """How much larger all is after so many minutes of training with the page open.

    A browser gives memory back when it likes: what counts is what the page holds after a collection
    of garbage, which each line asks for.
    """
    with opening(browser, LARGE) as (page, server):
        page.click("#play")
        until(lambda: page.evaluate("studio.painted") > 20)
        page.wait_for_timeout(20_000)
        before = _sizes(page, server)
        tell(", ".join(f"{name} {size:.1f}" for name, size in before.items()))
        rounds = max(1, round(minutes / 2))
        for number in range(rounds):
            page.wait_for_timeout(60_000 * minutes / rounds)
            now = _sizes(page, server)
            changes = ", ".join(f"{name} {now[name] - before[name]:+.1f}" for name in before)
            update = page.inner_text("#number-update")
            tell(f"{minutes * (number + 1) / rounds:.0f} minutes: {changes}, update {update}")


def _sizes(page: Page, server: Served) -> dict[str, float]:
    """Of all processes without their files, in MB; what the page's scripts hold; its elements."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("HeapProfiler.collectGarbage")
    devtools.send("Performance.enable")
    told = devtools.send("Performance.getMetrics")["metrics"]
    held = {entry["name"]: entry["value"] for entry in told}
    devtools.detach()
    found = {"server and worker": memory(processes(server.process.pid), "Pss_Anon")}
    for kind in ("renderer", "gpu-process", "utility", ""):
        pids = [pid for pid in _chromium() if _kind(pid) == kind]
        found[kind or "browser"] = memory(pids, "Pss_Anon")
    return {**found, "scripts": held["JSHeapUsedSize"] / 2**20, "elements": held["Nodes"]}


def _kind(pid: int) -> str:
    """Of a process of Chromium's: renderer, gpu-process, utility; none of the browser's own."""
    words = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    found = re.search(r"--type=(\S+)", words)
    return found[1] if found and found[1] in ("renderer", "gpu-process", "utility") else ""


def _chromium() -> list[int]:
    return [pid for pid in processes(os.getpid()) if _name(pid).startswith("chrom")]


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
        if words[0] == "start":
            start(browser)
        elif words[0] == "cost":
            cost(browser)
        elif words[0] == "memory":
            grown(browser, float(words[1]))
        else:
            speed(browser, words[1], words[2:])
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:] or ["speed", "off"])
