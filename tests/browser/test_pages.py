"""The pages that nnlab writes: opened from disk, wide and narrow, light, dark and on paper."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from browsing import Tab
from playwright.sync_api import expect

import nnlab
from nnlab.commands.compare.compared import compare_runs
from nnlab.commands.compare.html import write_html
from nnlab.commands.report.command import write_report

pytestmark = pytest.mark.browser

CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "classes": {"data": "digits", "model": {"kind": "mlp", "hidden": [12]}},
    "two classes": {"data": "breast_cancer", "model": "linear"},
    "regression": {"data": "diabetes", "model": {"kind": "mlp", "hidden": [8]}},
    "labels": {"data": {"kind": "npz", "path": "labels.npz", "task": "labels"}, "model": "linear"},
}
PAGES = [*CONFIGS, "runs side by side", "compare"]
PAPER = 680
"""Pixels between margins of 15 mm on A4: 180 mm at 96 to the inch."""

# The least contrast of a text with what is behind it, WCAG 2.1, 1.4.3: 4.5 for small text.
CONTRAST = """() => {
    const light = (color) => {
        const part = color.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
            .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
    };
    const behind = (node) => {
        for (; node; node = node.parentElement) {
            const color = getComputedStyle(node).backgroundColor;
            if (!/, 0\\)$/.test(color)) return color;
        }
        return "rgb(255, 255, 255)";
    };
    const said = [...document.querySelectorAll("body *")].filter((node) => !node.closest("svg")
        && [...node.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim()));
    return said.map((node) => {
        const [a, b] = [light(getComputedStyle(node).color), light(behind(node))];
        return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.textContent.slice(0, 40)];
    }).sort((one, other) => one[0] - other[0])[0];
}"""
# Boxes whose content is wider than they are: there one must scroll, and on paper it is cut off.
CUT = """() => [...document.querySelectorAll("body *")]
    .filter((node) => !node.closest("svg") && node.clientWidth
        && node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== "inline")
    .map((node) => `${node.tagName} ${node.textContent.slice(0, 60)}`)"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of each kind, of runs of three epochs."""
    folder = tmp_path_factory.mktemp("pages")
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 4)).astype(np.float32)
    np.savez(folder / "labels.npz", inputs=x, targets=(x[:, :3] + x[:, 1:] > 0).astype(np.int64))
    runs: dict[str, Path] = {}
    for name, sections in CONFIGS.items():
        runs[name] = folder / name.replace(" ", "-") / "1"
        train(sections, runs[name])
    other = folder / "classes" / "2"
    train({**CONFIGS["classes"], "optimizer": {"kind": "adam", "lr": 0.01}}, other)
    found = {name: write_report([run], device="cpu").page for name, run in runs.items()}
    both = [runs["classes"], other]
    found["runs side by side"] = write_report(both, device="cpu").page
    found["compare"] = folder / "compare.html"
    write_html(compare_runs([str(run) for run in both]), found["compare"])
    return found


def train(sections: Mapping[str, Any], run: Path) -> None:
    data = sections["data"]
    if not isinstance(data, str):
        sections = {**sections, "data": {**data, "path": str(run.parents[1] / data["path"])}}
    config = {"name": run.parent.name, **sections, "train": {"epochs": 3}}
    nnlab.train(config, run_dir=run, device="cpu")


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, tab: Tab, pages: dict[str, Path]) -> Tab:
    """A page, opened from disk."""
    tab.page.goto(pages[request.param].as_uri())
    return tab


def test_asks_no_host_and_meets_no_error(page: Tab) -> None:
    expect(page.page.locator("h1")).to_be_visible()
    expect(page.page.locator("table").first).to_be_visible()
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
    assert [*page.errors, *page.warnings] == []


@pytest.mark.parametrize("name", PAGES)
def test_shows_every_picture(tab: Tab, pages: dict[str, Path], name: str) -> None:
    tab.page.goto(pages[name].as_uri())
    pictures = tab.page.locator("img, svg").all()
    assert pictures
    for picture in pictures:
        box = picture.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) > 10
    broken = "[...document.images].filter((one) => !one.naturalWidth).length"
    assert tab.page.evaluate(broken) == 0


@pytest.mark.parametrize("width", [1280, 390])
def test_is_no_wider_than_the_window(page: Tab, width: int) -> None:
    page.page.set_viewport_size({"width": width, "height": 900})
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width


# The last cell of each row of tables that are wider than their boxes, when one has scrolled there.
OUT_OF_REACH = """() => [...document.querySelectorAll("table")].flatMap((table) => {
    const box = table.parentElement;
    box.scrollLeft = box.scrollWidth;
    const right = box.getBoundingClientRect().right + 1;
    const cells = [...table.rows].map((row) => row.cells[row.cells.length - 1]);
    return cells.filter((cell) => cell.getBoundingClientRect().right > Math.min(right, innerWidth))
        .map((cell) => cell.textContent.slice(0, 60));
})"""


def test_what_a_narrow_window_does_not_show_can_be_scrolled_to(page: Tab) -> None:
    page.page.set_viewport_size({"width": 390, "height": 900})
    scrolled = "node => ['auto', 'scroll'].includes(getComputedStyle(node).overflowX)"
    for box in page.page.locator("table").locator("..").all():
        cut, *_ = box.evaluate("node => [node.scrollWidth > node.clientWidth]")
        assert not cut or box.evaluate(scrolled), box.text_content()
    assert page.page.evaluate(OUT_OF_REACH) == []


def test_a_comparison_fits_a_telephone(tab: Tab, pages: dict[str, Path]) -> None:
    tab.page.set_viewport_size({"width": 390, "height": 900})
    tab.page.goto(pages["compare"].as_uri())
    assert tab.page.locator("table").count() > 3
    assert tab.page.evaluate(CUT) == []


def test_cuts_nothing_off_on_paper(page: Tab) -> None:
    page.page.set_viewport_size({"width": PAPER, "height": 1000})
    page.page.emulate_media(media="print")
    assert page.page.evaluate(CUT) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_can_be_read_by_day_and_by_night(page: Tab, scheme: Literal["light", "dark"]) -> None:
    page.page.emulate_media(color_scheme=scheme)
    contrast, text = page.page.evaluate(CONTRAST)
    assert contrast >= 4.5, text
    shade = "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g)[0] < 128"
    assert page.page.evaluate(shade) == (scheme == "dark")


def test_numbers_stand_where_they_are_read(tab: Tab, pages: dict[str, Path]) -> None:
    """The accuracy that stands large on the page is that of its confusion matrix."""
    tab.page.goto(pages["two classes"].as_uri())
    large = tab.page.locator(".key div").filter(has_text="accuracy").first.locator("dd")
    matrix = tab.page.locator("svg").filter(has_text="confusion matrix, counts")
    counts = [int(text) for text in matrix.locator("text.number").all_text_contents()]
    assert len(counts) == 4
    expect(large).to_contain_text(f"{100 * (counts[0] + counts[3]) / sum(counts):.2f} %")
