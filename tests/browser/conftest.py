"""The browser is started once; each test gets a page of its own."""

from collections.abc import Iterator

import pytest
from browsing import NAMES, SECONDS, Tab, browser_of
from playwright.sync_api import Browser, expect, sync_playwright
from studio_serving import npm_package


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = browser_of(playwright)
        if path is None:
            pytest.skip(f"needs a browser: {', '.join(NAMES)} (make test-browser installs one)")
        # Without the sandbox it also starts where CI is root; its pages are made here.
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        expect.set_options(timeout=SECONDS * 1000)
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    tab = Tab(browser.new_page(viewport={"width": 1280, "height": 900}))
    yield tab
    tab.page.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core, which is installed from npm."""
    folder = npm_package(tmp_path_factory.mktemp("axe"), "axe-core@4.11.0")
    return (folder / "axe.min.js").read_text()
