"""docs/textbook.md names tests that exist and commands that mean something."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from nnlab.commands.menu.page import menu_page
from nnlab.comparison.comparison import load_comparison, settle_comparison
from nnlab.core.contracts import Machine

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "textbook.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("|") and "`" in line]
NAMED = sorted(set(re.findall(r"`(tests/[^`]+::[^`]+)`", "\n".join(ROWS))))
COMMANDS = sorted(set(re.findall(r"`nnlab ([^`]+)`", "\n".join(ROWS))))


def test_every_row_says_what_to_run_and_which_test_holds_it() -> None:
    assert len(ROWS) > 40
    for row in ROWS:
        _, idea, run, held, _ = (cell.strip() for cell in row.split("|"))
        assert idea
        assert re.fullmatch(r"(`nnlab [^`]+` ?)+", run), row
        assert re.fullmatch(r"(`tests/[^`]+\.py::[^`]+` ?)+", held), row


@pytest.mark.parametrize("node", NAMED)
def test_every_test_named_is_there(node: str) -> None:
    path, *names = node.split("::")
    body = ast.parse((ROOT / path).read_text()).body
    for name in names:
        found = [
            n for n in body if isinstance(n, ast.ClassDef | ast.FunctionDef) and n.name == name
        ]
        assert len(found) == 1, f"{node}: no {name}"
        body = found[0].body
    assert names[-1].startswith("test_")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_named_means_something(command: str) -> None:
    verb, name, *words = shlex.split(command)
    if verb == "menu":
        assert menu_page(name)
        return
    assert verb in ("train", "show", "backprop", "lr")
    assert words[::2] == ["--set"] * (len(words) // 2)
    assert settle_comparison(load_comparison(name, words[1::2]), Machine("cpu", 1))
