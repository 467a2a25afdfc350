"""The studio in a real browser: led by mouse, led by keyboard alone, in every size and scheme."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Tab
from playwright.sync_api import Browser, expect
from studio_serving import Served, served

import nnlab
from nnlab.studio.drafts import draft_of
from nnlab.studio.replay_page import write_replay_page

pytestmark = pytest.mark.browser

CONFIG = """\
# Two moons, small and slow enough to look at.
data: {kind: moons, samples: 200}
model: {kind: mlp, hidden: [6, 4], activation: tanh}
optimizer: {kind: adam, lr: 0.01}
train: {epochs: 4000, batch_size: 20, compile: off}
"""
UNTRAINED = re.compile("^(\N{EN DASH}|0)$")
"""The update of a run that has begun: nothing yet, or its reading before the first update."""
SHOWN = 'Number(document.getElementById("number-update").textContent.replace(/\\D/g, ""))'
"""The update of the moment on the screen."""
SIZES = [(390, 844), (768, 1024), (1280, 800), (1920, 1080)]
# What axe-core checks first of all: names of what can be pressed, labels of what can be filled in.
NAMELESS = """() => [...document.querySelectorAll(
        "button, a[href], input, select, textarea, canvas[tabindex], [role=tab], [role=img]")]
    .filter((node) => node.offsetParent && !(node.getAttribute("aria-label") || node.title
        || node.getAttribute("aria-labelledby") || node.textContent.trim() || node.labels?.length))
    .map((node) => node.outerHTML.slice(0, 120))"""
TWICE = """() => [...document.querySelectorAll("[id]")].map((node) => node.id)
    .filter((id, at, all) => all.indexOf(id) !== at)"""
# The least contrast of words with what is behind them; WCAG 2.2, 1.4.3 asks for 4.5.
CONTRAST = """() => {
    const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
    const light = (parts) => {
        const [r, g, b] = parts.slice(0, 3).map((v) => v / 255)
            .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (node) => {
        for (; node; node = node.parentElement) {
            const parts = parse(getComputedStyle(node).backgroundColor);
            if (parts.length && (parts.length < 4 || parts[3] >= 0.9)) return parts;
        }
        return [255, 255, 255];
    };
    return [...document.querySelectorAll("body *")]
        .filter((node) => node.offsetParent && !node.disabled && !node.closest("[aria-hidden=true]")
            && getComputedStyle(node).color !== "rgba(0, 0, 0, 0)"
            && [...node.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim()))
        .map((node) => {
            const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
            return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.outerHTML.slice(0, 90)];
        }).sort((one, other) => one[0] - other[0])[0];
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("studio")
    (folder / "moons.yaml").write_text(CONFIG)
    with served(folder / "runs", str(folder / "moons.yaml")) as found:
        yield found


@pytest.fixture
def page(browser: Browser, server: Served) -> Iterator[Tab]:
    """The page with nothing running; afterwards nothing runs either."""
    # Without `bypass_csp`: what the policy forbids would be an error of the console.
    tab = Tab(browser.new_page(viewport={"width": 1440, "height": 900}))
    tab.page.goto(server.address)
    expect(tab.page.locator("#says")).not_to_be_empty()
    if tab.page.input_value("#yaml") != CONFIG:
        # The server keeps what a test that failed halfway left there.
        written(tab, CONFIG)
    yield tab
    assert tab.errors == []
    assert {re.sub(r"^(\w+://[^/]+).*", r"\1", url) for url in tab.asked} == {
        f"http://{server.host}"
    }
    tab.page.close()


def step(tab: Tab) -> int:
    return int(re.sub(r"\D", "", tab.page.inner_text("#number-update")) or -1)


def until(tab: Tab, holds: str) -> None:
    """Waits for an expression; Playwright's own way is a text to run, which the page forbids."""
    for _ in range(600):
        if tab.page.evaluate(holds):
            return
        tab.page.wait_for_timeout(50)
    raise AssertionError(holds)


def written(tab: Tab, text: str) -> None:
    """Writes a text, until the server has it."""
    before = tab.page.evaluate("studio.state.revision")
    tab.page.fill("#yaml", text)
    until(tab, f"studio.state.revision > {before}")


def stands(tab: Tab) -> int:
    """The update that a held run stands at, once its moment is on the screen."""
    expect(tab.page.locator("#play")).to_have_text("Go on")
    until(tab, f"studio.state.step === {SHOWN}")
    return step(tab)


def begun(tab: Tab) -> None:
    """A run from its beginning that stands at its first update."""
    play, update = tab.page.locator("#play"), tab.page.locator("#number-update")
    # Held first: a new run goes on playing where the one before did.
    if tab.page.inner_text("#play") == "Pause":
        tab.page.click("#play")
    expect(play).to_have_text(re.compile("Go on|Train"))
    tab.page.click("#restart")
    expect(update).to_have_text(UNTRAINED)
    expect(tab.page.locator("#status")).to_contain_text("parameters")
    expect(play).to_have_text("Go on")


def test_a_run_is_led_by_the_mouse(page: Tab) -> None:
    begun(page)
    page.page.click("#step")
    before = page.page.locator("#number-update")
    expect(before).to_have_text("1")
    for _ in range(3):
        page.page.click("#step")
    expect(before).to_have_text("4")
    page.page.click("#epoch")
    # 140 training examples in batches of 20.
    expect(before).to_have_text("7")
    # The moment comes before the word that the run stands.
    play = page.page.locator("#play")
    expect(play).to_have_text("Go on")
    page.page.click("#play")
    expect(play).to_have_text("Pause")
    until(page, f"{SHOWN} > 7")
    page.page.click("#play")
    held = stands(page)
    assert held > 7
    page.page.wait_for_timeout(600)
    assert step(page) == held


def test_a_run_is_led_by_the_keyboard_alone(page: Tab) -> None:
    begun(page)
    keys = page.page.keyboard
    page.page.evaluate("document.activeElement.blur()")
    update = page.page.locator("#number-update")
    keys.press("s")
    expect(update).to_have_text("1")
    keys.press("e")
    expect(update).to_have_text("7")
    # The moment comes before the word that the run stands.
    play = page.page.locator("#play")
    expect(play).to_have_text("Go on")
    keys.press(" ")
    expect(play).to_have_text("Pause")
    keys.press(" ")
    expect(play).to_have_text("Go on")
    page.page.focus("#net")
    keys.press("ArrowRight")
    keys.press("ArrowDown")
    expect(page.page.locator("#announce")).to_contain_text("hidden1 2, tanh, bias")
    page.page.focus("#picture canvas.square")
    keys.press("ArrowRight")
    expect(page.page.locator("#announce")).to_contain_text("example")
    keys.press("Enter")
    expect(page.page.locator("#example")).to_contain_text("BP1")
    page.page.focus("#losses")
    keys.press("ArrowLeft")
    expect(page.page.locator("#announce")).to_contain_text("training")


def test_restart_brings_the_same_numbers_and_a_new_seed_others(page: Tab) -> None:
    begun(page)
    table: list[str] = []
    for button in ("#restart", "#restart", "#seed"):
        page.page.click(button)
        expect(page.page.locator("#number-update")).to_have_text(UNTRAINED)
        page.page.click("#epoch")
        expect(page.page.locator("#number-update")).to_have_text("7")
        table.append(page.page.inner_text("#number-loss"))
    assert table[0] == table[1] != table[2]
    assert "seed: 1" in page.page.input_value("#yaml")
    page.page.click("#undo")
    expect(page.page.locator("#yaml")).to_have_value(CONFIG)


def test_an_example_is_worked_and_proved(page: Tab) -> None:
    begun(page)
    page.page.click("#step")
    page.page.locator("#picture canvas.square").click(position={"x": 140, "y": 140})
    expect(page.page.locator("#example")).to_contain_text("hidden2 (tanh)")
    expect(page.page.locator("#example .formula")).to_contain_text("BP1, of cross_entropy")
    page.page.get_by_label("hidden1 2: show its formula").click()
    expect(page.page.locator("#example .formula")).to_contain_text("BP2")
    page.page.get_by_text("Prove the gradient").click()
    expect(page.page.locator("#example")).to_contain_text("differences agree: largest")
    page.page.get_by_text("Leave the example").click()
    expect(page.page.locator("#example")).to_contain_text("Choose a point")


def test_a_mistake_is_marked_and_its_button_cures_it(page: Tab) -> None:
    page.page.fill("#yaml", CONFIG.replace("tanh", "tahn"))
    item = page.page.locator("#mistakes li")
    expect(item).to_contain_text("did you mean tanh?")
    expect(page.page.locator("#gutter b")).to_have_text(re.compile("3"))
    item.get_by_text("Write tanh").click()
    expect(page.page.locator("#yaml")).to_have_value(CONFIG)
    expect(item).to_have_count(0)


SICK = """\
data: {kind: moons, samples: 200}
model: {kind: mlp, hidden: {width: 6, depth: 14}, activation: sigmoid}  # too deep
train: {epochs: 60, batch_size: 20, compile: off}
"""


def test_what_the_doctor_finds_is_applied_and_cured(page: Tab) -> None:
    written(page, SICK)
    expect(page.page.locator("#says")).to_contain_text("578 parameters")
    begun(page)
    page.page.click("#epoch")
    sick = page.page.locator("#findings li[data-name=vanishing_gradient]")
    expect(sick).to_contain_text("vanishing gradient in hidden1")
    sick_run = page.page.inner_text("#status").split(" ")[0].split("runs/")[1]
    sick.get_by_text("Apply and train anew").click()
    expect(page.page.locator("#yaml")).to_have_value(re.compile("activation: relu"))
    assert "# too deep" in page.page.input_value("#yaml")
    expect(page.page.locator("#number-score")).to_have_text(re.compile(r"^(1|0\.\d+)$"))
    expect(page.page.locator("#pinned-key")).to_be_visible()
    expect(sick).to_have_count(0)
    # What both reached stands beside each other: while it trains, and the best of it at its end.
    compared = page.page.locator("#compared")
    expect(compared).to_contain_text(f"{sick_run}, best")
    expect(compared.locator("thead")).to_contain_text("this run, last")
    expect(page.page.locator("#play")).to_have_text("Train")
    expect(compared.locator("thead")).to_contain_text("this run, best")
    cells = compared.locator("tr", has_text="accuracy").locator("td").all_inner_texts()
    assert float(cells[0]) > float(cells[1])
    written(page, CONFIG)


def test_a_change_goes_on_from_now_and_the_curve_before_stays(page: Tab) -> None:
    begun(page)
    page.page.click("#epoch")
    expect(page.page.locator("#number-update")).to_have_text("7")
    page.page.fill("[id='fork-optimizer.lr']", "0.05")
    page.page.select_option("#fork-from", "last")
    page.page.click("#fork")
    expect(page.page.locator("#parent-key")).to_contain_text("before: moons/")
    expect(page.page.locator("#yaml")).to_have_value(
        re.compile(r"start: \{run: moons/\d+, step: 7}")
    )
    assert "lr: 0.05" in page.page.input_value("#yaml")
    expect(page.page.locator("#number-rate")).to_have_text("0.05")
    page.page.click("#play")
    expect(page.page.locator("#play")).to_have_text("Go on")
    page.page.reload()
    expect(page.page.locator("#parent-key")).to_contain_text("before: moons/")
    page.page.locator("#net").click(position=edge_of(page))
    expect(page.page.locator("#definition")).to_be_visible()
    page.page.fill("#edit-value", "2.5")
    page.page.click("#edit-apply")
    expect(page.page.locator("#yaml")).to_have_value(re.compile(r"edits: \[.*value: 2\.5"))
    # It begins, and says so, before the next test looks at what is said.
    expect(page.page.locator("#status")).to_contain_text("parameters")
    written(page, CONFIG)


def edge_of(page: Tab) -> Any:
    """A place where a line of the network is; it is drawn on a canvas."""
    expect(page.page.locator("#number-update")).to_have_text(re.compile(r"\d"))
    return page.page.evaluate("""() => {
        const box = document.querySelector("#net").getBoundingClientRect();
        const x = Math.round(box.width * 0.25), { network } = studio;
        const meets = (y) => network.edgeAt({ x, y }) && !network.unitAt({ x, y });
        // Well within its reach: where a click lands is rounded.
        for (let y = 40; y < box.height; y += 2)
            if ([y - 4, y, y + 4].every(meets)) return { x, y };
    }""")


def test_a_text_is_shared_as_a_command_and_opened_from_an_address(page: Tab) -> None:
    page.page.click("#share")
    status = page.page.locator("#status")
    expect(status).to_contain_text("nnlab studio '#yaml=")
    command = page.page.inner_text("#status").partition("nnlab studio ")[2]
    assert draft_of(command.strip("'")).text == CONFIG
    written(page, CONFIG.replace("tanh", "relu"))
    page.page.evaluate("code => { location.hash = code; }", command.strip("'#"))
    expect(page.page.locator("#yaml")).to_have_value(CONFIG)


def test_a_table_of_ones_own_is_handed_in(page: Tab, tmp_path: Path) -> None:
    rows = "".join(f"{n},{n % 7},{'yes' if n % 2 else 'no'}\n" for n in range(60))
    (tmp_path / "my fruit.csv").write_text(f"width,height,ripe\n{rows}")
    expect(page.page.locator("#data-says")).to_contain_text("140 training")
    page.page.set_input_files("#own-table", tmp_path / "my fruit.csv")
    # The first table of a server waits for pandas.
    says = page.page.locator("#data-says")
    expect(says).to_contain_text("2 classes: no, yes", timeout=120_000)
    assert "kind: csv" in page.page.input_value("#yaml")
    assert "# Two moons" in page.page.input_value("#yaml")
    page.page.click("#undo")
    expect(page.page.locator("#yaml")).to_have_value(CONFIG)


def test_points_drawn_by_hand_are_a_table_and_can_be_trained_on(page: Tab) -> None:
    page.page.click("#draw")
    plane = page.page.locator("#points canvas")
    expect(plane).to_be_focused()
    expect(page.page.locator("#points-use")).to_be_disabled()
    box = plane.bounding_box()
    assert box
    for x, y in ((0.2, 0.2), (0.25, 0.3), (0.3, 0.2), (0.2, 0.35)):
        plane.click(position={"x": x * box["width"], "y": y * box["height"]})
    page.page.keyboard.press("2")
    for x, y in ((0.7, 0.7), (0.8, 0.75), (0.75, 0.8)):
        plane.click(position={"x": x * box["width"], "y": y * box["height"]})
    # One too many, which is clicked away; the last by keyboard alone.
    for _ in range(2):
        plane.click(position={"x": 0.5 * box["width"], "y": 0.5 * box["height"]})
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter", "Enter", "Backspace"):
        page.page.keyboard.press(key)
    expect(plane).to_have_attribute("aria-label", re.compile("4 of class 1, 4 of class 2"))
    page.page.click("#points-use")
    expect(page.page.locator("#data-says")).to_contain_text("2 classes: class 1, class 2")
    text = page.page.input_value("#yaml")
    assert "# Two moons" in text
    (path,) = re.findall(r'path: "?([^",]+)', text)
    rows = Path(path).read_text().splitlines()
    assert rows[0] == "x,y,class"
    assert len(rows) == 9
    x, y, kind = rows[1].split(",")
    # Within a pixel: the plane goes from -1 to 1, and a browser clicks at whole pixels.
    assert float(x) == pytest.approx(-0.6, abs=2 / box["width"] + 0.001)
    assert float(y) == pytest.approx(0.6, abs=2 / box["height"] + 0.001)
    assert (kind, rows[-1]) == ("class 1", "0.1,-0.05,class 2")
    begun(page)
    page.page.click("#step")
    expect(page.page.locator("#number-update")).to_have_text("1")
    page.page.click("#undo")
    expect(page.page.locator("#yaml")).to_have_value(CONFIG)


def test_a_run_is_saved_as_a_page_by_a_button(page: Tab, browser: Browser, tmp_path: Path) -> None:
    begun(page)
    page.page.click("#epoch")
    expect(page.page.locator("#number-update")).to_have_text("7")
    with page.page.expect_download() as download:
        page.page.click("#page")
    download.value.save_as(tmp_path / "page.html")
    expect(page.page.locator("#status")).to_contain_text("needs no server")
    tab = Tab(browser.new_page())
    tab.page.goto((tmp_path / "page.html").as_uri())
    expect(tab.page.locator("#number-update")).to_have_text(re.compile(r"^\d+$"))
    expect(tab.page.locator("#page")).to_be_hidden()
    assert tab.errors == []
    tab.page.close()


def test_a_lesson_asks_first_and_tells_what_one_observes_behind_a_run(page: Tab) -> None:
    page.page.select_option("#open-config", "lessons/xor_by_hand")
    box = page.page.locator("#pane-lesson")
    expect(box).to_contain_text("Your prediction, first")
    train = box.locator("button.train").first
    expect(train).to_be_disabled()
    expect(box).not_to_contain_text("Observe")
    expect(page.page.locator("#open-config")).to_have_value("lessons/xor_by_hand")
    # Nor does any other way to begin it: that would lock an empty field. What runs is still led.
    for control in ("restart", "seed"):
        expect(page.page.locator(f"#{control}")).to_be_disabled()
    page.page.fill("#prediction", "none of them")
    expect(page.page.locator("#restart")).to_be_enabled()
    train.click()
    expect(page.page.locator("#prediction")).to_have_attribute("readonly", "")
    expect(box).to_contain_text("Observe")
    expect(page.page.locator("#prediction")).to_have_value("none of them")
    judged = box.locator(".expectations li")
    expect(judged).to_have_count(2)
    expect(judged.first).to_contain_text("met, found")
    page.page.select_option("#open-config", index=0)
    expect(page.page.locator("#yaml")).to_have_value(CONFIG)
    expect(page.page.locator("#lesson")).to_be_hidden()


def test_a_run_is_opened_from_the_menu_and_another_laid_behind(page: Tab) -> None:
    begun(page)
    page.page.click("#epoch")
    expect(page.page.locator("#number-update")).to_have_text("7")
    status = page.page.locator("#status")
    run = status.inner_text().split(" ")[0].split("runs/")[1]
    page.page.click("#restart")
    expect(status).to_contain_text(re.compile(rf"(?<!{run}) · cpu.*parameters"))
    other = status.inner_text().split(" ")[0].split("runs/")[1]
    page.page.focus("#open-config")
    expect(page.page.locator(f"#open-config option[value='run:{run}']")).to_have_count(1)
    page.page.select_option("#open-config", f"run:{run}")
    expect(page.page.locator("#moments")).to_be_visible()
    expect(page.page.locator("#play")).to_have_text("Replay")
    expect(page.page.locator("#number-update")).to_have_text("7")
    page.page.locator("#moment").press("Home")
    expect(page.page.locator("#number-update")).to_have_text("0")
    page.page.focus("#behind")
    expect(page.page.locator("#behind optgroup option").first).to_be_attached()
    # Nothing is laid behind itself.
    expect(page.page.locator(f"#behind option[value='run:{run}']")).to_have_count(0)
    page.page.select_option("#behind", f"run:{other}")
    expect(page.page.locator("#compared")).to_contain_text(other)
    page.page.click("#pin")
    expect(page.page.locator("#compared")).to_be_empty()
    page.page.select_option("#open-config", index=0)
    expect(page.page.locator("#yaml")).to_have_value(CONFIG)
    page.page.click("#restart")
    expect(page.page.locator("#moments")).to_be_hidden()


def test_another_config_is_opened_by_its_name_and_the_first_again(page: Tab) -> None:
    begun(page)
    page.page.click("#epoch")
    expect(page.page.locator("#number-update")).to_have_text("7")
    page.page.select_option("#open-config", "xor")
    expect(page.page.locator("#status")).to_contain_text("Restart trains xor")
    expect(page.page).to_have_title(re.compile("^xor"))
    page.page.click("#restart")
    expect(page.page.locator("#status")).to_contain_text("/xor/1")
    page.page.select_option("#open-config", index=0)
    expect(page.page).to_have_title(re.compile("^moons"))
    expect(page.page.locator("#yaml")).to_have_value(CONFIG)


def test_the_build_tab_changes_the_text_and_nothing_else_in_it(page: Tab) -> None:
    page.page.get_by_role("tab", name="Build").click()
    page.page.select_option("#build-model-activation", "relu")
    expect(page.page.locator("#yaml")).to_have_value(CONFIG.replace("tanh", "relu"))
    page.page.fill("#build-optimizer-lr", "0.5")
    page.page.press("#build-optimizer-lr", "Enter")
    changed = CONFIG.replace("tanh", "relu").replace("0.01", "0.5")
    expect(page.page.locator("#yaml")).to_have_value(changed)
    page.page.focus("#build-model")
    page.page.select_option("#build-model", "stack")
    expect(page.page.locator("#build-add")).to_be_visible()
    page.page.select_option("#build-add", "dropout")
    expect(page.page.get_by_label("Move up dropout1")).to_be_visible()
    page.page.get_by_label("Remove dropout1").click()
    expect(page.page.get_by_label("Remove dropout1")).to_have_count(0)
    page.page.get_by_role("tab", name="YAML").click()
    for _ in range(5):
        page.page.click("#undo")
    expect(page.page.locator("#yaml")).to_have_value(CONFIG)


def test_whoever_builds_sees_layers_and_mistakes_without_leaving_the_forms(page: Tab) -> None:
    page.page.get_by_role("tab", name="Build").click()
    layers = page.page.locator("#pane-build tbody tr")
    expect(layers).to_have_count(3)
    page.page.fill("#build-model-hidden", "[6, 4, 5]")
    page.page.press("#build-model-hidden", "Tab")
    expect(layers).to_have_count(4)
    expect(page.page.locator("#build-model-bias")).to_be_focused()
    # A field that was selected while the forms were drawn anew still is.
    page.page.locator("#build-train-epochs").select_text()
    page.page.evaluate("document.getElementById('undo').click()")
    expect(layers).to_have_count(3)
    expect(page.page.locator("#build-train-epochs")).to_be_focused()
    assert page.page.evaluate("getSelection().toString()") == "4000"
    # What is half typed is not taken from under the hands.
    page.page.fill("#build-model-hidden", "[6, x]")
    page.page.press("#build-model-hidden", "Tab")
    page.page.fill("#build-optimizer-lr", "0.")
    expect(page.page.locator("#mistakes li")).to_be_visible()
    assert page.page.input_value("#build-optimizer-lr") == "0."
    page.page.fill("#build-optimizer-lr", "0.01")
    page.page.click("#undo")
    expect(page.page.locator("#mistakes li")).to_have_count(0)
    expect(page.page.locator("#yaml")).to_have_value(CONFIG)
    expect(layers).to_have_count(3)
    expect(page.page.locator("#save")).to_be_visible()
    page.page.get_by_role("tab", name="YAML").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Tab, axe: str, scheme: str) -> None:
    begun(page)
    page.page.click("#step")
    page.page.locator("#picture canvas.square").click(position={"x": 140, "y": 140})
    expect(page.page.locator("#example")).to_contain_text("BP1")
    page.page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    page.page.evaluate(axe)
    for tab in ("YAML", "Build"):
        page.page.get_by_role("tab", name=tab).click()
        if tab == "Build":
            expect(page.page.locator("#build-model")).to_be_visible()
        for width, height in SIZES:
            page.page.set_viewport_size({"width": width, "height": height})
            found = page.page.evaluate("axe.run().then((found) => found.violations)")
            for violation in found:
                nodes = [node["html"][:160] for node in violation["nodes"]]
                pytest.fail(f"{tab}, {width}: {violation['id']} {nodes}")


def test_the_header_is_one_row_of_controls_from_1280_pixels_on(page: Tab) -> None:
    begun(page)
    for width in (1280, 1440, 1920):
        page.page.set_viewport_size({"width": width, "height": 800})
        boxes = [page.page.locator(which).bounding_box() for which in ("#play", "#number-speed")]
        tops = [box["y"] + box["height"] / 2 for box in boxes if box]
        assert abs(tops[0] - tops[1]) < 24, width


def test_what_is_marked_in_the_curves_does_not_overprint(page: Tab) -> None:
    begun(page)
    page.page.click("#epoch")
    expect(page.page.locator("#number-update")).to_have_text("7")
    places = page.page.evaluate("""() => {
        const { losses } = studio, places = [], context = losses.surface.context;
        const write = context.fillText.bind(context);
        context.fillText = (text, x, y) => {
            places.push([text, x, y, context.measureText(text).width]);
            write(text, x, y);
        };
        for (const text of ["dead units", "vanishing gradient", "learning rate too high",
                "a name that is so long that no curve has room for it ".repeat(3)])
            losses.mark(0.001 * text.length, text);
        losses.draw();
        delete context.fillText;
        return places.filter(([text]) => /dead|vanish|rate too|a name/.test(text));
    }""")
    assert len(places) == 3  # three rows; what has no room is told under the pointer
    width = page.page.evaluate("document.querySelector('#losses').clientWidth")
    for text, x, y, wide in places:
        assert 0 <= x <= x + wide <= width, text
        assert [other[2] for other in places].count(y) == 1


def test_every_number_opens_what_it_is(page: Tab) -> None:
    begun(page)
    for id in ("epoch", "update", "loss", "score", "rate", "speed"):
        page.page.click(f"#number-{id}")
        expect(page.page.locator("#definition")).to_be_visible()
        expect(page.page.locator("#definition-body p").first).not_to_be_empty()
        page.page.keyboard.press("Escape")
        expect(page.page.locator("#definition")).to_be_hidden()


def test_two_tabs_see_the_same(page: Tab, browser: Browser, server: Served) -> None:
    begun(page)
    other = Tab(browser.new_page())
    other.page.goto(server.address)
    expect(other.page.locator("#play")).to_have_text("Go on")
    other.page.click("#step")
    expect(page.page.locator("#number-update")).to_have_text("1")
    page.page.click("#epoch")
    expect(other.page.locator("#number-update")).to_have_text("7")
    assert other.page.inner_text("#number-loss") == page.page.inner_text("#number-loss")
    other.page.close()


def test_all_that_the_page_begins_with_is_fetched_at_once_and_nothing_else(
    tab: Tab, tmp_path: Path
) -> None:
    fetched = """[...new Set(performance.getEntriesByType("resource").map((entry) => entry.name)
        .filter((name) => name.endsWith(".js")).map((name) => name.split("/").pop()))].sort()"""
    linked = """[...document.querySelectorAll("link[rel=modulepreload]")]
        .map((link) => link.href.split("/").pop()).sort()"""
    with served(tmp_path / "runs", "spirals") as server:
        tab.page.goto(server.address)
        expect(tab.page.locator("#says")).not_to_be_empty()
        begins = tab.page.evaluate(linked)
        assert tab.page.evaluate(fetched) == begins
        assert "app.js" in begins
        tab.page.get_by_role("tab", name="Build").click()
        expect(tab.page.locator("#build-model")).to_be_visible()
        assert tab.page.evaluate(fetched) == sorted([*begins, "build.js"])
        tab.page.click("#draw")
        expect(tab.page.locator("#points-use")).to_be_visible()
        assert tab.page.evaluate(fetched) == sorted([*begins, "build.js", "points.js", "plane.js"])
    assert tab.errors == []


def test_a_text_with_the_line_ends_of_windows_is_checked_when_the_page_opens(
    tab: Tab, tmp_path: Path
) -> None:
    file = tmp_path / "windows.yaml"
    file.write_bytes(b"data: moons\r\nmodel: {kind: mlp, hidden: [4]}\r\n")
    with served(tmp_path / "runs", str(file)) as server:
        tab.page.goto(server.address)
        expect(tab.page.locator("#says")).to_contain_text("moons")
        assert tab.page.evaluate("studio.network.columns.length") == 3
    assert tab.errors == []


def test_without_the_token_the_page_says_so(browser: Browser, server: Served) -> None:
    tab = Tab(browser.new_page())
    tab.page.goto(f"http://{server.host}/")
    expect(tab.page.locator("#status")).to_contain_text("may not ask the server")
    tab.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_every_size_it_fits_and_can_be_read(page: Tab, scheme: str) -> None:
    begun(page)
    page.page.click("#step")
    page.page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    for width, height in SIZES:
        page.page.set_viewport_size({"width": width, "height": height})
        page.page.wait_for_timeout(150)
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width
        contrast, where = page.page.evaluate(CONTRAST)
        assert contrast >= 4.5, (width, where)
        assert page.page.evaluate(NAMELESS) == []
        assert page.page.evaluate(TWICE) == []


def test_a_run_saved_as_a_page_is_shown_again_without_a_server(
    browser: Browser, tmp_path: Path
) -> None:
    config = {
        "name": "kept",
        "data": {"kind": "moons", "samples": 200},
        "model": {"kind": "mlp", "hidden": [6, 4], "activation": "tanh"},
        "train": {"steps": 40, "batch_size": 20, "compile": "off"},
        "log": {"checkpoints": "10 steps"},
    }
    run = nnlab.train(config, run_dir=tmp_path / "</script>run", device="cpu").run
    assert write_replay_page(run, tmp_path / "page.html") == 5
    tab = Tab(browser.new_page(viewport={"width": 1280, "height": 900}))
    tab.page.goto((tmp_path / "page.html").as_uri())
    update = tab.page.locator("#number-update")
    expect(update).to_have_text("40")
    expect(tab.page.locator("#says")).to_contain_text("56 parameters")
    expect(tab.page.locator("#losses")).to_have_attribute("aria-label", re.compile("training 0"))
    tab.page.locator("#moment").press("Home")
    expect(update).to_have_text("0")
    tab.page.click("#step")
    expect(update).to_have_text("10")
    tab.page.click("#play")
    expect(update).to_have_text("40")
    expect(tab.page.locator("#play")).to_have_text("Replay")
    tab.page.click("#number-loss")
    expect(tab.page.locator("#definition-body p").first).not_to_be_empty()
    assert tab.errors == []
    assert all(url.startswith(("file:", "data:")) for url in tab.asked)
    tab.page.close()
