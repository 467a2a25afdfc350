"""What TensorBoard shows of a run, in the browser: content, not only an answer."""

import re
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from browsing import SECONDS, Tab
from playwright.sync_api import Locator, expect

import nnlab
from nnlab.display.tensorboard.layout import DEPTH, LEARNING

pytestmark = pytest.mark.browser

LAYERS = ["00_hidden1", "01_hidden2", "02_output"]
CONFIG = {
    "name": "seen",
    "data": {"kind": "digits", "limit": 300},
    "model": {"kind": "mlp", "hidden": [12, 8], "activation": "tanh"},
    "optimizer": {"kind": "adam", "lr": 0.00375},
    "train": {"epochs": 2},
    "log": {"pictures": 1, "histograms": 1},
}


@contextmanager
def served(run: Path) -> Generator[str]:
    """`nnlab tensorboard` on a run: the address that it prints, once it answers there."""
    words = [sys.executable, "-m", "nnlab", "tensorboard", str(run), "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        address = re.search(r"http://\S+", said)
        assert address, said
        until = monotonic() + 60
        while not answers(address[0].partition("#")[0]):
            assert process.poll() is None
            assert monotonic() < until
            sleep(0.2)
        yield address[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except URLError:
        return False


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    run = tmp_path_factory.mktemp("seen") / "1"
    nnlab.train(CONFIG, run_dir=run, device="cpu")
    with served(run) as found:
        yield found


@pytest.fixture
def board(tab: Tab, address: str) -> Iterator[Tab]:
    """A tab that must ask this machine alone and meet no error."""
    yield tab
    host = address.partition("#")[0]
    assert [url for url in tab.asked if not url.startswith((host, "data:", "blob:"))] == []
    assert tab.errors == []


def opened(board: Tab, address: str, page: str, *, tags: str = "") -> Locator:
    """One of TensorBoard's pages; with `tags` the open category of those that match."""
    found = f"&tagFilter={quote(tags)}" if tags else ""
    board.page.goto(f"{address.partition('#')[0]}#{page}{found}")
    body = board.page.locator("plugins-component")
    return body.locator("tf-category-paginated-view:has(iron-collapse)").first if tags else body


def exactly(body: Locator, text: str) -> Locator:
    return body.page.get_by_text(text, exact=True)


def drawn(chart: Locator) -> None:
    """There is a line in it of more than a point."""
    line = chart.locator('path[d*="L"]').first
    expect(line).to_be_attached()
    box = line.bounding_box()
    assert box is not None
    assert box["width"] > 20


def test_the_address_that_is_printed_says_whether_it_is_learning(board: Tab, address: str) -> None:
    board.page.goto(address)
    body = board.page.locator("plugins-component")
    headings = body.locator("button.heading .category-name")
    expect(headings).to_have_text([LEARNING, DEPTH])
    cards = body.locator("tf-custom-scalar-multi-line-chart-card")
    for title in ("loss", "accuracy", "gradient norm of first and last layer", "learning rate"):
        card = cards.filter(has=exactly(body, title))
        expect(card).to_be_visible()
        drawn(card)
    both = cards.filter(has=exactly(body, "loss")).get_by_text("Matches (2)")
    expect(both).to_be_visible()  # training and validation


def test_scalars_have_a_curve_for_each_split(board: Tab, address: str) -> None:
    body = opened(board, address, "scalars", tags="^loss/")
    for tag in ("loss/train", "loss/validation"):
        card = body.locator("tf-scalar-card").filter(has=exactly(body, tag))
        expect(card).to_be_visible()
        drawn(card)


def test_scalars_of_layers_stand_in_the_order_of_their_depth(board: Tab, address: str) -> None:
    body = opened(board, address, "scalars", tags="^grad_norm/")
    titles = body.locator("tf-scalar-card .heading-label.name")
    expect(titles).to_have_text(
        [*(f"grad_norm/{name}.weight" for name in LAYERS), "grad_norm/total"]
    )


def test_images_are_pictures_and_not_broken_ones(board: Tab, address: str) -> None:
    body = opened(board, address, "images", tags="^pictures/")
    card = body.locator("tf-image-loader").first
    expect(card.locator("img")).to_be_visible()
    size = card.locator("img").evaluate("async (img) => (await img.decode(), img.naturalWidth)")
    assert size > 100


@pytest.mark.parametrize("what", ["weights", "gradients"])
def test_histograms_show_each_layer(board: Tab, address: str, what: str) -> None:
    body = opened(board, address, "histograms", tags=f"^{what}/")
    cards = body.locator("tf-histogram-loader")
    titles = [f"{what}/{name}.weight" for name in LAYERS]
    expect(cards.locator(".heading-label.name")).to_have_text(titles)
    drawn(cards.first.locator("vz-histogram-timeseries"))


def test_the_graph_leads_from_the_input_up_to_the_output(board: Tab, address: str) -> None:
    body = opened(board, address, "graphs")
    labels = [
        body.locator(f'svg#svg text:has(title:text-is("{name}"))').first
        for name in ("input", "flatten", "hidden1", "hidden2", "output")
    ]
    for label in labels:
        expect(label).to_be_visible()
    shapes = body.locator("svg#svg textPath").filter(has_text="1\N{MULTIPLICATION SIGN}8")
    expect(shapes.first).to_be_attached()
    # It flies into its place.
    until = monotonic() + SECONDS
    while (heights := [height(label) for label in labels]) != sorted(heights, reverse=True):
        assert monotonic() < until, heights
        sleep(0.2)


def height(label: Locator) -> float:
    box = label.bounding_box()
    assert box is not None
    return box["y"]


def test_hyperparameters_that_runs_are_compared_by_stand_first(board: Tab, address: str) -> None:
    body = opened(board, address, "hparams")
    cells = body.locator("vaadin-grid-cell-content .table-cell")
    # The head comes before the rows.
    for shown in ("optimizer.lr", "tanh", "0.0037500"):
        expect(cells.filter(has_text=shown).first).to_be_visible()
    said = [text.strip() for text in cells.all_text_contents()]
    first = ["model.activation.kind", "model.hidden", "optimizer.kind", "optimizer.lr"]
    begin = said.index(first[0])
    assert said[begin : begin + 5] == [*first, "train.batch_size"]
    for value in ("tanh", "[12, 8]", "adam", "0.0037500"):
        assert value in said
    assert {"loss/validation", "accuracy/train"} <= set(said)


def test_texts_are_the_whole_config_and_how_it_went(board: Tab, address: str) -> None:
    body = opened(board, address, "text")
    card = body.locator("tf-text-loader")
    expect(card.filter(has_text="hidden: [12, 8]").filter(has_text="lr: 0.00375")).to_be_visible()
    # Behind the findings, which a run of two epochs has, TensorBoard leaves the third group closed.
    body.get_by_role("button", name="summary").click()
    expect(card.locator("table").get_by_text("completed")).to_be_visible()
