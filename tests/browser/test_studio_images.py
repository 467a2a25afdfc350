"""The studio as the documentation shows it; `NNLAB_WRITE_DOCS=1` puts the pictures there.

NNLAB_WRITE_DOCS=1 python -m pytest -m browser tests/browser/test_studio_images.py
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Tab
from PIL import Image
from playwright.sync_api import Browser, ViewportSize, expect
from studio_serving import Served, opened, served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DOCS = Path(__file__).parents[2] / "docs"
SIZE: ViewportSize = {"width": 1600, "height": 1000}
SPIRALS = """\
# Two spirals that turn one and a half times.
data: {kind: spirals, samples: 600}
model: {kind: mlp, hidden: [12, 8, 6], activation: tanh}
optimizer: {kind: adam, lr: 0.01}
train: {epochs: 400, batch_size: 32, compile: off}
"""
SICK = """\
# The gradient is gone long before it reaches the first layer.
data: {kind: spirals, samples: 600}
model: {kind: mlp, hidden: {width: 8, depth: 20}, activation: sigmoid}
optimizer: {kind: adam, lr: 0.003}
train: {epochs: 400, batch_size: 32, compile: off}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("studio")
    (folder / "spirals.yaml").write_text(SPIRALS)
    # From there paths are short: no folder of this machine is in a picture.
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with served(folder / "runs", str(folder / "spirals.yaml")) as found:
            yield found


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    tab = Tab(browser.new_page(viewport=SIZE))
    yield tab
    assert tab.errors == []
    tab.page.close()


def shoot(tab: Tab, name: str, folder: Path) -> None:
    """Takes the picture: into the documentation, where that is wanted."""
    folder = DOCS if os.environ.get("NNLAB_WRITE_DOCS") else folder
    # Numbers are drawn once for each frame; the toolbar's last word comes behind them.
    tab.page.wait_for_timeout(400)
    tab.page.screenshot(path=folder / f"{name}.png")
    with Image.open(folder / f"{name}.png") as image:
        assert image.size == (SIZE["width"], SIZE["height"])
        assert len(image.convert("RGB").getcolors(1 << 24) or ()) > 500
    assert (DOCS / f"{name}.png").exists()


def write_text(tab: Tab, text: str) -> None:
    expect(tab.page.locator("#says")).not_to_be_empty()
    tab.page.fill("#yaml", text)
    expect(tab.page.locator("#says")).to_contain_text(re.compile(r"\d steps"))
    tab.page.wait_for_timeout(300)


def hold_past(tab: Tab, epoch: int) -> None:
    """Holds a run that plays behind an epoch."""
    for _ in range(1200):
        found = tab.page.inner_text("#number-epoch")
        if found[0].isdigit() and float(found) >= epoch:
            break
        tab.page.wait_for_timeout(50)
    tab.page.click("#play")
    expect(tab.page.locator("#play")).to_have_text("Go on")


def test_a_fork(tab: Tab, server: Served, tmp_path: Path) -> None:
    tab.page.goto(server.address)
    write_text(tab, SPIRALS)
    tab.page.click("#play")
    hold_past(tab, 40)
    tab.page.fill("[id='fork-optimizer.lr']", "0.003")
    tab.page.click("#fork")
    expect(tab.page.locator("#parent-key")).to_contain_text("before")
    expect(tab.page.locator("#play")).to_have_text("Pause")
    hold_past(tab, 70)
    tab.page.locator("#picture canvas.square").click(position={"x": 140, "y": 140})
    expect(tab.page.locator("#example")).to_contain_text("BP1")
    shoot(tab, "studio", tmp_path)


def test_a_gradient_that_vanishes(tab: Tab, server: Served, tmp_path: Path) -> None:
    tab.page.goto(server.address)
    write_text(tab, SICK)
    tab.page.click("#restart")
    expect(tab.page.locator("#status")).to_contain_text("parameters")
    tab.page.click("#epoch")
    expect(tab.page.locator("#findings li[data-name=vanishing_gradient]")).to_be_visible()
    shoot(tab, "studio-vanishing", tmp_path)


def test_a_lesson(tab: Tab, server: Served, tmp_path: Path) -> None:
    tab.page.goto(server.address)
    expect(tab.page.locator("#says")).not_to_be_empty()
    tab.page.select_option("#open-config", "lessons/bias")
    box = tab.page.locator("#pane-lesson")
    tab.page.fill("#prediction", "Without a bias the border must go through the origin.")
    for variant in ("without", "with"):
        box.get_by_role("button", name=f"Train {variant}", exact=True).click()
        expect(tab.page.locator("#status")).to_contain_text("completed")
        expect(box.locator(".expectations li").first).to_be_visible()
    for number in (0, 1):
        expect(box.locator(".expectations li").nth(number)).to_contain_text("met, found")
    shoot(tab, "studio-lesson", tmp_path)


def test_a_class(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "spirals.yaml").write_text(SPIRALS)
    config = str(tmp_path / "spirals.yaml")
    with (
        served(tmp_path / "runs", config, "--class", "6") as room,
        opened(room.at(1)) as one,
        opened(room.at(2)) as two,
        opened(room.at(4)),
    ):
        one.send("begin", playing=True)
        two.send("begin", playing=False)
        two.until("scene")
        two.send("step", count=40)
        two.until("state", lambda e: e["step"] == 40)
        one.until("reading", lambda e: e["step"] > 200)
        tab.page.goto(f"http://{room.host}/class#token={room.token}")
        rows = tab.page.locator("#seats tr")
        expect(rows).to_have_count(6)
        expect(rows.nth(0)).to_contain_text("trains")
        expect(rows.nth(0).locator("td").nth(4)).not_to_have_text("0")
        expect(rows.nth(1)).to_contain_text("holds")
        expect(rows.nth(5)).to_contain_text("nobody there")
        expect(tab.page.locator("#total")).to_contain_text("3 of 6 are there")
        shoot(tab, "studio-class", tmp_path)
