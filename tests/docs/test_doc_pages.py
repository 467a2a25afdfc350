"""What the pages show is what happens: commands, configs and Python run as they stand there."""

import contextlib
import io
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import ruamel.yaml
import typer
from documents import (
    PAGES,
    ROOT,
    Block,
    Command,
    blocks,
    blocks_in,
    commands,
    inline,
    links,
    name_of,
)

from nnlab import __version__
from nnlab.__main__ import main
from nnlab.cli import app
from nnlab.comparison.comparison import settle_source
from nnlab.config.loading import Text, bundled_configs
from nnlab.core.package import remove_kind
from nnlab.runs.folder.listing import list_runs

YAML = [block for block in blocks_in("yaml") if re.search(r"^data:", block.text, re.MULTILINE)]
PYTHON = [block for block in blocks_in("python") if "import nnlab" in block.text]
NOT_RUN = {
    "tensorboard": "serves until it is stopped",
    "studio": "serves until it is stopped",
    "bench": "takes minutes, and peers may be missing",
}
"""Commands of nnlab that are only read here; their own tests run them."""
CODES = {"doctor": {0, 7}, "check wrong.yaml": {2}}
"""Exit codes other than 0 that a page means."""


def runs(command: Command) -> bool:
    program, *words = shlex.split(command.line)
    return program == "nnlab" and words[0] not in NOT_RUN


SESSIONS = [page for page in PAGES if any(map(runs, commands(page)))]
SLOW = {"README.md", "docs/commands.md", "docs/getting_started.md", "docs/lessons.md"}
"""Pages whose commands train for long."""


def test_the_readme_fits_on_a_few_screens() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 150
    assert "$ git clone " in readme


def write_files_of(page: Path, folder: Path) -> None:
    """The files that a page shows: configs that begin with their name, and what `cat` prints."""
    for block in blocks(page):
        if block.language == "yaml" and (named := re.match(r"# (\w+\.yaml)\n", block.text)):
            (folder / named[1]).write_text(block.text)
    for command in commands(page):
        program, *words = shlex.split(command.line)
        if program == "cat":
            (folder / words[0]).write_text("".join(f"{line}\n" for line in command.shown))


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.name)
def test_configs_are_written_right(block: Block, tmp_path: Path) -> None:
    write_files_of(ROOT / block.page, tmp_path)
    group, _ = settle_source(Text(block.text, block.page, tmp_path, "shown"))
    assert group.compares == bool(re.search(r"^(variants|seeds):", block.text, re.MULTILINE))


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.name)
def test_python_runs_word_for_word(block: Block) -> None:
    printed, names = io.StringIO(), dict[str, Any]()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(block.text, block.page, "exec"), names)
    finally:
        # What a page registers is no kind for the tests after it.
        for name in re.findall(r"^@nnlab\.register\nclass (\w+)", block.text, re.MULTILINE):
            remove_kind(names[name])
    # A comment behind a print with a value in it says what it prints.
    promised = re.findall(r"^print\(.*\)  # ([(\[{'].*)", block.text, re.MULTILINE)
    assert set(promised) <= set(printed.getvalue().splitlines())
    assert {row.status for row in list_runs()} == {"completed"}


def test_the_code_in_contributing_is_that_of_the_package() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (block,) = [b for b in blocks(ROOT / "CONTRIBUTING.md") if b.language == "python"]
    (named,) = re.findall(r"in `(nnlab/\S+\.py)`:", text)
    assert block.text in (ROOT / named).read_text()


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] if name_of(page) in SLOW else [])
        for page in SESSIONS
    ],
    ids=name_of,
)
def test_commands_do_what_the_page_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """All commands of a page, one after the other, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NNLAB_RUNS", raising=False)
    write_files_of(page, tmp_path)
    for command in filter(runs, commands(page)):
        words = shlex.split(command.line)[1:]
        code = main(words)
        out, err = capfd.readouterr()
        told = CODES.get(" ".join(words), CODES.get(words[0], {0}))
        assert code in told, f"{command.line}: {code}\n{out}{err}"
        assert_shown(command, out + err)


def assert_shown(command: Command, printed: str) -> None:
    """The lines of the page stand in the output, in their order; `...` stands for any lines.

    Numbers may differ: processors round differently.
    """
    left = [comparable(line) for line in printed.splitlines()]
    for line in command.shown:
        if line.strip() in ("...", ""):
            continue
        wanted = comparable(line)
        assert wanted in left, f"{command.line} does not print: {line}\n{printed}"
        left = left[left.index(wanted) + 1 :]


def comparable(line: str) -> str:
    line = re.sub(r"-?\b\d[\d.,]*(e[-+]?\d+)?\b", "#", line)
    return " ".join(line.split())


READ = sorted(
    {(name_of(page), line) for page in PAGES for line in inline(page)}
    | {(name_of(p), c.line) for p in PAGES for c in commands(p) if c.line.startswith("nnlab ")}
)


@pytest.mark.parametrize(("page", "line"), READ, ids=lambda text: text)
def test_commands_and_their_options_exist(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    if words[0].isupper() or words[0].startswith("-"):
        return  # nnlab COMMAND --help, nnlab --version
    group = typer.main.get_command(app)
    command: Any = group.get_command(None, words[0])  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
    assert command is not None, f"{page}: {line}"
    if inner := getattr(command, "commands", {}):
        words = words[1:] if words[1:] else words
        command = inner.get(words[0], command)
    if words[1:] and "..." not in line:
        with contextlib.suppress(typer.Exit):  # --help
            command.make_context(words[0], words[1:])


@pytest.mark.parametrize(("page", "line"), READ, ids=lambda text: text)
def test_bundled_configs_that_commands_name_exist(page: str, line: str) -> None:
    _, verb, *words = shlex.split(line)
    if verb not in ("train", "show", "lr", "backprop", "doctor", "bench", "check"):
        return
    sources = [word for word in words[:1] if re.fullmatch(r"[a-z_0-9]+(/[a-z_]+)?", word)]
    for source in sources:
        if source not in bundled_configs():
            assert source in ("last", "runs"), f"{page}: {line}"
            continue
        settings = [value for key, value in pairwise(words) if key == "--set"]
        # The run that it goes on from is made by the page.
        settle_source(source, [value for value in settings if not value.startswith("start.run=")])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_targets_of_make_exist(page: Path) -> None:
    known = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    inside: list[str] = re.findall(r"`(make[^`]*)`", page.read_text())
    code = "\n".join([*inside, *(command.line for command in commands(page))])
    for words in re.findall(r"^make ?(.*)$", code, re.MULTILINE):
        for word in words.split():
            assert "=" in word or word in known, f"make {word}"


@pytest.mark.parametrize("page", [p for p in PAGES if p.parent == ROOT], ids=name_of)
def test_links_beside_the_site_lead_somewhere(page: Path) -> None:
    """Those of docs/ are checked where the site is built."""
    for link in links(page):
        if not link.startswith(("http://", "https://", "#")):
            assert (page.parent / link.partition("#")[0]).exists(), link


def test_the_citation_names_this_version() -> None:
    citation = ruamel.yaml.YAML(typ="safe").load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "version"} <= set(citation)
    assert citation["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
