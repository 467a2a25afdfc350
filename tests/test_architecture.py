"""The house: its rooms from the ground up, and what keeps it one to find one's way in.

A room is a folder of `nnlab/`; it imports from itself and from the rooms before it in the list.
Imports for type checkers alone do not count; imports inside functions do.
"""

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nnlab"
ROOMS = [
    *("core", "training", "parts", "models", "rules", "config"),
    *("experiment", "diagnosis", "display", "runs", "comparison", "commands", "studio"),
]
STRANGERS = {("parts", "training"), ("config", "training")}
"""Side by side: a loss cannot reach into the loop, and the language does not know the engine."""
LOOSE = {"__init__", "__main__", "api", "cli"}
MAX_FILES, MAX_LINES, MAX_FUNCTION, MAX_CHAIN = 15, 500, 50, 18
TABLES = {"config.words.synonyms"}
"""Tables of words, which may be as long as they need."""
SHARED_NAMES = {"KINDS"}
"""Names that mean the same wherever they are defined."""
WITH_TORCH = [
    *("training.*", "models.network", "rules.*_step", "api", "__main__"),
    *(
        "parts.gru",
        "parts.modules",
        "parts.containers",
        "parts.units",
        "parts.layers.modules",
        "parts.layers.recurrent_modules",
        "parts.layers.attention_modules",
    ),
    "parts.optimizers.not_in_torch",
    *("runs.building.*", "runs.observers.*", "runs.finished.*", "runs.explaining.*"),
    "runs.folder.checkpoint*",
    *(
        "runs.run",
        "runs.recorder",
        "runs.open_session",
        "runs.summarizing",
        "runs.starting",
        "runs.saving",
        "runs.watch*",
    ),
    *("comparison.train", "comparison.report", "comparison.result"),
    *("commands.*.*", "commands.smoke", "display.tensorboard.*", "studio.worker*"),
]
"""Modules that may load torch when they are imported; everything else starts without (2 s)."""
HEAVY = ["torch", "torchvision", "tensorboard", "sklearn", "pandas", "scipy"]


def name_of(path: Path) -> str:
    """nnlab/parts/layers/weighted.py is parts.layers.weighted; the package is `__init__`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"


FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in FILES.items()}


def room_of(name: str) -> str:
    return name.partition(".")[0]


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
    for statement in statements(TREES[name], inside=inside):
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        else:
            assert statement.level == 0, f"{name}: a relative import"
            module = statement.module or ""
            # `from nnlab.config import yaml` is a module, `... import Config` a name in one.
            names = [f"{module}.{alias.name}" for alias in statement.names]
            names = [n if n.removeprefix("nnlab.") in FILES else module for n in names]
        ours = (n for n in names if n == "nnlab" or n.startswith("nnlab."))
        found |= {n.removeprefix("nnlab").removeprefix(".") or "__init__" for n in ours}
    return found - {name}


def definitions(tree: ast.Module) -> Iterator[str]:
    """The public names that a file defines at its head level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        else:
            names = []
        yield from (name for name in names if not name.startswith("_"))


class TestRooms:
    def test_every_folder_is_one_of_the_thirteen(self) -> None:
        assert {room_of(name) for name in FILES} - LOOSE == set(ROOMS)

    def test_four_files_lie_loose(self) -> None:
        assert {name for name in FILES if "." not in name} - set(ROOMS) == LOOSE

    def test_a_folder_has_at_most_fifteen_files(self) -> None:
        counts = Counter(path.parent for path in FILES.values())
        assert {str(k): n for k, n in counts.items() if n > MAX_FILES} == {}

    def test_a_file_imports_downwards_alone(self) -> None:
        def allowed(room: str, below: str) -> bool:
            upwards = below not in ROOMS or ROOMS.index(below) > ROOMS.index(room)
            return not upwards and (room, below) not in STRANGERS

        inside = [name for name in FILES if room_of(name) not in LOOSE]
        found = {(name, other) for name in inside for other in imported(name)}
        wrong = {(n, o) for n, o in found if not allowed(room_of(n), room_of(o))}
        assert wrong == set()

    def test_commands_do_not_import_each_other(self) -> None:
        """But for the few words that they share."""
        shared = {"commands", "commands.options", "commands.plain"}
        shared |= {"commands.train", "commands.eval"}
        found = {
            (name, other)
            for name in FILES
            for other in imported(name)
            if room_of(name) == room_of(other) == "commands" and other not in shared
            if name.split(".")[1:2] != other.split(".")[1:2]
        }
        assert found == {
            ("commands.train", "commands.smoke"),
            ("commands.new", "commands.schema"),
            ("commands.eval", "commands.report.command"),
        }


class TestEveryFile:
    """Each file, in one test for all: there are hundreds, and a test of its own costs more."""

    def test_says_what_stands_in_it(self) -> None:
        said = {name: ast.get_docstring(tree) or "" for name, tree in TREES.items()}
        assert [name for name, text in said.items() if len(text) <= 20] == []

    def test_is_at_most_five_hundred_lines_long(self) -> None:
        lines = {name: len(path.read_text().splitlines()) for name, path in FILES.items()}
        long = {name: n for name, n in lines.items() if n > MAX_LINES and name not in TABLES}
        assert long == {}

    def test_has_functions_of_at_most_fifty_lines(self) -> None:
        lines = {
            f"{name}.{node.name}": (node.end_lineno or 0) - node.lineno + 1
            for name, tree in TREES.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert {name: n for name, n in lines.items() if n > MAX_FUNCTION} == {}

    def test_has_docstrings_that_stand_alone(self) -> None:
        leaning = ("likewise", "the same", "as above")
        found = [
            f"{name}.{node.name}"
            for name, tree in TREES.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            if (ast.get_docstring(node) or "").lower().startswith(leaning)
        ]
        assert found == []


def test_a_public_name_is_defined_once() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for name, tree in TREES.items():
        for defined in set(definitions(tree)):
            homes[defined].append(name)
    twice = {k: v for k, v in homes.items() if len(v) > 1 and k not in SHARED_NAMES}
    assert len(twice) < 0.02 * len(homes), twice


def test_no_two_files_of_tests_have_one_name() -> None:
    """pytest collects them as modules without folders, and stops at the second one."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_files_do_not_import_each_other_in_a_circle() -> None:
    # At their heads: an import inside a function waits until both are there.
    left = {name: imported(name, inside=False) for name in FILES}
    while free := [name for name, others in left.items() if not others & set(left)]:
        for name in free:
            del left[name]
    assert left == {}


def test_no_chain_of_imports_is_long() -> None:
    @cache
    def chain(name: str) -> tuple[str, ...]:
        below = (chain(other) for other in imported(name, inside=False))
        return (name, *max(below, key=len, default=()))

    longest = max(map(chain, FILES), key=len)
    assert len(longest) <= MAX_CHAIN, " -> ".join(longest)


def test_everything_but_a_short_list_starts_without_torch() -> None:
    names = [n for n in FILES if not any(fnmatch(n, pattern) for pattern in WITH_TORCH)]
    modules = [f"nnlab.{name}".removesuffix(".__init__") for name in names]
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
