"""How fast the studio is: updates and frames a second, and from a press to the screen.

    .venv/bin/python tests/benchmarks/studio.py [CHROMIUM]

Figures, no gates: they hang on the machine and on who else wants it, so the load is printed too.
"""

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from studio_serving import served

SPIRALS = """\
data: {{kind: spirals, samples: 500}}
model: {{kind: mlp, hidden: {hidden}, activation: tanh}}
optimizer: {{kind: sgd, lr: 0.03}}
train: {{epochs: 1000000, batch_size: 10, compile: {compiled}}}
"""
NETWORKS = {"8-8": [8, 8], "8 x 6 layers": [8] * 6, "16-16-16": [16] * 3}
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


def wait_for_frames(page: Page) -> None:
    """Until something is painted; by asking again, for the page's policy forbids to wait inside."""
    end = perf_counter() + 240.0
    while page.evaluate("studio.painted") < 1 and perf_counter() < end:
        page.wait_for_timeout(50)


def measure(page: Page, seconds: float) -> tuple[float, float]:
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


def main(chromium: str) -> None:
    """Prints a line for each network."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for compiled in ("off", "on"):
            for name, hidden in NETWORKS.items():
                config = Path(folder) / "config.yaml"
                config.write_text(SPIRALS.format(hidden=hidden, compiled=compiled))
                with served(Path(folder) / "runs", str(config)) as server:
                    page = browser.new_page(viewport={"width": 1440, "height": 900})
                    began = perf_counter()
                    page.goto(server.address)
                    page.click("#step")
                    wait_for_frames(page)
                    ready = perf_counter() - began
                    to_screen = page.evaluate(TO_SCREEN)
                    page.click("#play")
                    page.wait_for_timeout(1500)
                    updates, frames = measure(page, 5.0)
                    print(  # noqa: T201
                        f"{name:14} compile {compiled:3} first numbers {ready:5.1f} s, "
                        f"step to screen {to_screen[0]:.0f} / {statistics.median(to_screen):.0f} / "
                        f"{to_screen[27]:.0f} ms (least, median, p90), {updates:,.0f} updates/s, "
                        f"{frames:.0f} frames/s, load {os.getloadavg()[0]:.1f}",
                        flush=True,
                    )
                    page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else (shutil.which("chromium") or "chromium"))
