"""A page in a real browser, and what it did that a person does not see."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Page, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 30
"""How long a page may take to show something; on a busy machine TensorBoard's take ten."""


def browser_of(playwright: Playwright) -> str | None:
    """The browser of the system, else the one that `playwright install chromium` puts there."""
    on_path = [path for name in NAMES if (path := shutil.which(name))]
    own = Path(playwright.chromium.executable_path)
    return next(iter(on_path), str(own) if own.exists() else None)


@dataclass
class Tab:
    """A page of the browser.

    Attributes:
        page: 1280 pixels wide and 900 high.
        asked: the addresses it asked for.
        errors: what it wrote to the console as an error, and what its scripts threw.
        warnings: what it wrote there as a warning.
    """

    page: Page
    asked: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.page.set_default_timeout(SECONDS * 1000)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._note)

    def _note(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            (self.errors if said.type == "error" else self.warnings).append(said.text)
