"""The house of the design, section 4, read from the imports of every file.

A new file stands in the table below, or this test fails. Imports for type checkers alone do not
count; imports inside functions do.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 300

# A module imports from its own room and from the rooms of lower floors. `x.*` is all of a package.
FLOORS: list[dict[str, list[str]]] = [
    {
        "base": [
            *("base", "choices", "contracts", "durable", "durations", "fields", "findings"),
            *("mistakes", "moments", "optimizing", "pace"),
            *("printing", "readings", "signals", "synonyms", "synonyms_*", "yaml"),
        ],
    },
    {
        "parts": ["parts", "parts.*"],
        "training": ["training", "training.*"],
        "terminal": ["terminal", "live", "notebook", "dashboard", "canvas", "closing"],
    },
    {
        "models": ["models", "models.*"],
        "rules": ["rules", "rules.*"],
        "summary": ["summary"],
    },
    {
        "config": [
            *("comparison", "config", "described", "experiment", "fits", "group", "handed"),
            *("labels", "learning", "loading", "overrides", "owners", "pacing", "sections"),
            *("speed", "targets", "thresholds"),
        ],
    },
    {
        "diagnosis": ["diagnosis", "diagnosis.*"],
        "pictures": ["pictures", "pictures.*"],
    },
    {
        "run": [
            *(
                "ahead",
                "album",
                "api",
                "build",
                "charts",
                "compiling",
                "costly",
                "curves",
                "distributions",
                "ensemble",
            ),
            *("ensemble", "evaluation", "find_lr", "folder", "gallery", "judging", "scoring"),
            *("group_report", "group_view", "grouped", "lesson", "listing", "looks", "outputs"),
            *("verdicts", "opening", "outcome", "prediction", "probing", "run", "runs"),
            *("per_example", "saving", "smoke", "stored_data", "watch", "watch_looks", "watching"),
        ],
    },
    {
        "look": [
            *("backprop", "backprop.*"),
            *("bench", "bench.*"),
            *("doctor", "doctor.*"),
            *("check", "expand", "formulas", "layer_table", "preview", "show", "show_group"),
            "data_plot",
        ],
        "report": ["report", "report.*"],
        "compare": ["compare", "compare.*"],
        "predicting": ["predicting", "predicting.*"],
        "menu": ["menu", "menu_fields", "menu_plot", "remedies", "schema"],
        "new": ["new"],
        "board": ["board"],
    },
    {
        "cli": [
            *("", "__main__", "cli", "cli_*", "options"),
        ],
    },
]
# Modules that may import torch at their head; everything else starts without (2 s).
WITH_TORCH = [
    *("album", "distributions", "gallery", "judging"),
    *("training.*", "parts.modules", "parts.containers", "parts.layers.modules", "parts.units"),
    *("backprop.page", "backprop.proof", "models.network", "parts.optimizers.own"),
    *(
        "api",
        "build",
        "compiling",
        "costly",
        "ensemble",
        "evaluation",
        "find_lr",
        "group_report",
        "grouped",
    ),
    *("verdicts", "scoring", "opening", "outcome", "outputs", "prediction", "probing", "run"),
    *("per_example",),
    *(
        "doctor.depth",
        "doctor.recorded",
        "doctor.replay",
        "doctor.rows",
        "doctor.unseen",
        "doctor.untrained",
        "report.*",
        "saving",
        "smoke",
    ),
    *("watch", "watch_looks", "watching"),
]
HEAVY = ["torch", "torchvision", "tensorboard", "sklearn", "pandas", "scipy"]


def name_of(path: Path) -> str:
    """nnlab/parts/layers/dense.py is parts.layers.dense; the package itself is the empty word."""
    parts = path.relative_to(ROOT / "nnlab").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted((ROOT / "nnlab").rglob("*.py"))}


def statements(node: ast.AST, *, inside: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a file that are carried out when it runs."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from (s for part in child.orelse for s in statements(part, inside=inside))
        elif inside or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from statements(child, inside=inside)


@cache
def imported(name: str, *, inside: bool = True) -> set[str]:
    """The modules of nnlab that a module imports; with `inside`, in functions too."""
    found: set[str] = set()
    for statement in statements(ast.parse(FILES[name].read_text()), inside=inside):
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        else:
            assert statement.level == 0, f"{name}: a relative import"
            module = statement.module or ""
            # `from nnlab import yaml` is a module, `from nnlab.base import Config` a name in one.
            names = [f"{module}.{alias.name}" for alias in statement.names]
            names = [n if n.removeprefix("nnlab.") in FILES else module for n in names]
        found |= {n.removeprefix("nnlab").removeprefix(".") for n in names if is_ours(n)}
    return found - {name}


def is_ours(name: str) -> bool:
    return name == "nnlab" or name.startswith("nnlab.")


@cache
def rooms_of(name: str) -> list[tuple[int, str]]:
    return [
        (floor, room)
        for floor, rooms in enumerate(FLOORS)
        for room, patterns in rooms.items()
        if any(fnmatch(name, pattern) for pattern in patterns)
    ]


@pytest.mark.parametrize("name", FILES)
class TestEveryFile:
    def test_stands_in_one_room(self, name: str) -> None:
        assert len(rooms_of(name)) == 1, f"nnlab/{name}: give it a room in {Path(__file__).name}"

    def test_imports_from_lower_floors_and_its_own_room(self, name: str) -> None:
        ((floor, room),) = rooms_of(name)
        for other in imported(name):
            ((below, neighbour),) = rooms_of(other)
            assert below < floor or neighbour == room, f"{name} ({room}) imports {other}"

    def test_is_at_most_three_hundred_lines_long(self, name: str) -> None:
        assert len(FILES[name].read_text().splitlines()) <= MAX_LINES

    def test_says_what_stands_in_it(self, name: str) -> None:
        assert ast.get_docstring(ast.parse(FILES[name].read_text()))


def test_the_table_names_no_file_that_is_gone() -> None:
    patterns = [*(p for rooms in FLOORS for patterns in rooms.values() for p in patterns)]
    gone = [p for p in [*patterns, *WITH_TORCH] if not any(fnmatch(name, p) for name in FILES)]
    assert gone == []


def test_files_do_not_import_each_other_in_a_circle() -> None:
    # At their heads: an import inside a function waits until both are there.
    left = {name: imported(name, inside=False) for name in FILES}
    while free := [name for name, others in left.items() if not others & set(left)]:
        for name in free:
            del left[name]
    assert left == {}


def test_everything_but_a_short_list_starts_without_torch() -> None:
    names = [n for n in FILES if not any(fnmatch(n, pattern) for pattern in WITH_TORCH)]
    modules = [f"nnlab.{name}".rstrip(".") for name in names if name != "__main__"]
    # One process, so each module is blamed for what it brings first.
    code = f"""
import importlib, sys
for name in {modules}:
    before = set(sys.modules)
    importlib.import_module(name)
    for heavy in {HEAVY}:
        if heavy in set(sys.modules) - before:
            print(name, "imports", heavy)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == ""


def test_a_run_imports_neither_torchs_compiler_nor_what_draws(tmp_path: Path) -> None:
    """Each would take seconds, and a run of a small network ends in less."""
    config = {"data": "xor", "model": {"kind": "mlp", "hidden": [4]}, "train": {"steps": 3}}
    unused = ["torch._dynamo", "torchvision", "matplotlib.pyplot", "sklearn", "scipy.stats"]
    code = f"""
import sys, nnlab
nnlab.train({config!r}, run_dir={str(tmp_path / "run")!r})
print([name for name in {unused} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
