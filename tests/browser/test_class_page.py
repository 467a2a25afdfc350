"""The teacher's page of a class: in every size and scheme it can be read, and axe finds nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from browsing import Tab
from playwright.sync_api import Browser, expect
from studio_serving import Served, opened, served

pytestmark = pytest.mark.browser

CONFIG = """\
data: {kind: moons, samples: 200}
model: {kind: mlp, hidden: [4], activation: tanh}
train: {epochs: 4000, batch_size: 20, compile: off}
"""
SIZES = [(390, 844), (768, 1024), (1280, 800), (1920, 1080)]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A class of four; at one seat a run trains, at another one stands."""
    folder: Path = tmp_path_factory.mktemp("class")
    (folder / "moons.yaml").write_text(CONFIG)
    with (
        served(folder / "runs", str(folder / "moons.yaml"), "--class", "4") as found,
        opened(found.at(1)) as one,
        opened(found.at(2)) as two,
    ):
        one.send("begin", playing=True)
        two.send("begin", playing=False)
        one.until("reading", lambda event: event["step"] > 20)
        two.until("scene")
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_teachers_page(
    browser: Browser, room: Served, axe: str, scheme: Literal["light", "dark"]
) -> None:
    tab = Tab(browser.new_page(color_scheme=scheme))
    tab.page.goto(f"http://{room.host}/class#token={room.token}")
    rows = tab.page.locator("#seats tr")
    expect(rows).to_have_count(4)
    expect(rows.nth(0)).to_contain_text("trains")
    tab.page.evaluate(axe)
    for width, height in SIZES:
        tab.page.set_viewport_size({"width": width, "height": height})
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
        for violation in tab.page.evaluate("axe.run().then((found) => found.violations)"):
            nodes = [node["html"][:160] for node in violation["nodes"]]
            pytest.fail(f"{width}: {violation['id']} {nodes}")
    assert tab.errors == []
    tab.page.close()
