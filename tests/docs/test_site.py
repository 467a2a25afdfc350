"""The site as `make docs` builds it: no warning, no broken link, nothing from another host."""

import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from documents import PAGES, ROOT

from nnlab.cli import COMMANDS
from nnlab.config.described import MENUS

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""What a browser fetches without being asked."""


class Page(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for every opening tag."""
        found = dict(attrs)
        self.places |= {value for key in ("id", "name") if (value := found.get(key))}
        if target := found.get(LOADS.get(tag, "")):
            self.loads.append(target)
        if tag == "a" and (target := found.get("href")):
            self.links.append(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, since the pages that are written from the code come to lie beside it."""
    copy = tmp_path_factory.mktemp("repository")
    left_out = shutil.ignore_patterns("_generated", "menus", "__pycache__")
    shutil.copytree(ROOT / "docs", copy / "docs", ignore=left_out)
    for page in PAGES:
        if page.parent == ROOT:
            shutil.copy(page, copy)
    options = ["--quiet", "--fail-on-warning", "--keep-going"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "docs", "site"],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return copy / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    files = [path.resolve() for path in site.rglob("*.html") if "_static" not in path.parts]
    return {file: Page(file) for file in files}


def test_every_link_leads_to_a_page_and_a_place_in_it(pages: dict[Path, Page]) -> None:
    broken: list[str] = []
    for file, page in pages.items():
        for link in (*page.links, *page.loads):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            places = pages[target].places if target in pages else set[str]()
            missing = target in pages and parts.fragment and unquote(parts.fragment) not in places
            if missing or not target.exists():
                broken.append(f"{file.name}: {link}")
    assert not broken


def test_no_page_loads_anything_from_another_host(site: Path, pages: dict[Path, Page]) -> None:
    for page in pages.values():
        for load in page.loads:
            assert not urlsplit(load).netloc, load
    for style in site.rglob("*.css"):
        assert "url(http" not in style.read_text()
        assert "@import" not in style.read_text()


def test_every_menu_has_a_page_and_every_command_a_section(
    site: Path, pages: dict[Path, Page]
) -> None:
    for menu in (*MENUS, "index", "sections", "readings", "regularization"):
        assert (site / "menus" / f"{menu}.html").resolve() in pages
    places = pages[(site / "commands.html").resolve()].places
    assert {name for names in COMMANDS.values() for name in names} <= places


def test_every_page_can_be_reached_from_the_first_one(site: Path, pages: dict[Path, Page]) -> None:
    reached: set[Path] = set()
    left = [(site / "index.html").resolve()]
    while left:
        file = left.pop()
        if file in reached or file not in pages:
            continue
        reached.add(file)
        left += [(file.parent / urlsplit(link).path).resolve() for link in pages[file].links]
    assert {file.name for file in pages.keys() - reached} <= {"search.html", "genindex.html"}
