"""What a notebook shows while a run trains, as a browser sets it."""

import re

import pytest
from browsing import Tab

from nnlab.core.events import Reading
from nnlab.display.notebook import NotebookView
from nnlab.display.views import RunAbout

pytestmark = pytest.mark.browser

SIZE = """(html) => {
    document.body.innerHTML = html;
    const pre = document.querySelector("pre");
    pre.style.width = "max-content";
    return [pre.getBoundingClientRect().width, pre.getBoundingClientRect().height];
}"""


def test_dots_of_a_curve_take_as_much_room_as_letters(tab: Tab) -> None:
    shown: list[str] = []
    view = NotebookView(shown.append)
    view.start(RunAbout("xor", None, "cpu", 9, 100, 10, {"train": 4}, lambda: 100))
    for step in range(1, 101):
        view.reading(Reading(step, step / 10, "train", {"loss": 1 / step, "accuracy": 0.5}))
    view.finish()
    dots = re.compile("[\u2800-\u28ff]")
    assert len(dots.findall(shown[-1])) > 50
    found = tab.page.evaluate(SIZE, shown[-1])
    assert found == pytest.approx(tab.page.evaluate(SIZE, dots.sub("x", shown[-1])), abs=2)
