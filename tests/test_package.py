"""What `pip install` brings: its name and version, its types, what it needs, who may use it how."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires, version
from pathlib import Path
from zipfile import ZipFile

import pytest

import nnlab
from nnlab.core.package import DISTRIBUTION

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `pip install` would build it; hatchling is among the development tools."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = [sys.executable, "-m", "uv", "build", "--wheel", "--no-build-isolation", "--offline"]
    done = subprocess.run(
        [*uv, "--out-dir", str(folder), str(ROOT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with nothing but the wheel in it: the folder of its environment."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    install = [*uv, "pip", "install", "-q", "--offline", "--no-deps"]
    subprocess.run([*install, "--python", str(python_of(folder)), str(wheel)], check=True)
    return folder


def python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def test_the_version_is_that_of_the_distribution() -> None:
    assert PROJECT["name"] == DISTRIBUTION
    assert nnlab.__version__ == version(DISTRIBUTION) == PROJECT["version"]


def test_the_installed_wheel_knows_its_version_without_anything_else(installed: Path) -> None:
    told = subprocess.run(
        [python_of(installed), "-I", "-c", "import nnlab; print(nnlab.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == PROJECT["version"]


def test_the_wheel_holds_configs_and_the_mark_of_typed_code(wheel: Path) -> None:
    with ZipFile(wheel) as file:
        names = set(file.namelist())
    assert {"nnlab/py.typed", "nnlab/configs/digits_mlp.yaml", "nnlab/cli.py"} <= names
    assert not [name for name in names if name.startswith(("tests/", "docs/", "configs/"))]


def test_a_type_checker_sees_types_of_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    script = tmp_path / "three_lines.py"
    script.write_text('import nnlab\ns = nnlab.train("xor")\nreveal_type(s)\n')
    mypy = [sys.executable, "-m", "mypy", "--python-executable", str(python_of(installed))]
    done = subprocess.run(
        [*mypy, "--cache-dir", str(tmp_path / "cache"), str(script)],
        capture_output=True,
        text=True,
        cwd=tmp_path,  # away from this project's sources and settings
        check=False,
    )
    assert 'Revealed type is "nnlab.runs.folder.summary.Summary"' in done.stdout, done.stdout
    assert done.returncode == 0, done.stdout


def test_every_package_that_the_code_imports_is_declared() -> None:
    """A dependency of a dependency may go with any of its releases.

    What a user has to ask for (nnlab-torch[export]) is imported in functions alone.
    """
    always, sometimes = set[str](), set[str]()
    for path in (ROOT / "nnlab").rglob("*.py"):
        tree = ast.parse(path.read_text())
        inner = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            for node in ast.walk(function)
        }
        for node in ast.walk(tree):
            imported = sometimes if id(node) in inner else always
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    needs = requires(DISTRIBUTION) or ()
    declared = {plain(need) for need in needs if "extra ==" not in need}
    extras = PROJECT["optional-dependencies"]
    asked_for = {plain(need) for extra in ("export", "bpe") for need in extras[extra]}
    providers = packages_distributions()
    ours = {*sys.stdlib_module_names, "nnlab"}
    for names, known in ((always, declared), (sometimes, declared | asked_for)):
        for name in names - ours:
            assert known & {plain(found) for found in providers.get(name, [name])}, name


@pytest.mark.parametrize("page", ["README.md", "docs/getting_started.md"])
def test_a_page_lists_all_that_a_python_with_pytorch_may_lack(page: str) -> None:
    """With `--no-deps` nobody else asks for them."""
    text = " ".join((ROOT / page).read_text().split())
    listed = re.findall(r"(?:missing of `|pip install )(pydantic [^`]*)`", text)
    declared = {plain(need) for need in requires(DISTRIBUTION) or () if "extra ==" not in need}
    comes_with = {"torch", "torchvision", "numpy", "pillow", "scipy", "pydantic-core"}
    assert [{plain(name) for name in one.split()} for one in listed] == [declared - comes_with]


def test_the_makefile_hands_the_build_of_torch_to_uv() -> None:
    """What it installs comes from PyTorch's own index, which no test can ask."""

    def planned(*words: str) -> str:
        make = ["make", "--always-make", "--dry-run", "setup", *words]
        return subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "--torch-backend=cpu" in planned("TORCH=cpu")
    assert "--torch-backend" not in planned()
    known = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"--torch-backend\b.*", known.stdout)


def plain(requirement: str) -> str:
    """The name in a requirement, as the index compares it."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()
