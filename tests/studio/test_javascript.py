"""The page's JavaScript: its types, and the modules that draw nothing, with the node of pyright."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from studio_serving import node, npm_package

from nnlab.studio.messages import pack_frame

HERE = Path(__file__).parent
STATIC = HERE.parents[1] / "nnlab" / "studio" / "static"
TYPESCRIPT = "typescript@5.9.3"


def test_modules_that_draw_nothing(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.array([0, 1, 2, 3, 254], np.uint8),
        "nothing": np.zeros((0, 4), np.float32),
        "c": np.array([0.5], np.float32),
    }
    (tmp_path / "frame").write_bytes(pack_frame({"step": 7, "words": "größer"}, arrays))
    done = subprocess.run(
        [node(), "--test", *sorted(HERE.glob("js/*.test.mjs"))],
        capture_output=True,
        text=True,
        env={**os.environ, "STUDIO_FRAME": str(tmp_path / "frame")},
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "\nℹ skipped 0" in done.stdout  # noqa: RUF001


@pytest.mark.slow
def test_types(tmp_path: Path) -> None:
    compiler = npm_package(tmp_path, TYPESCRIPT) / "bin" / "tsc"
    shutil.copytree(STATIC, tmp_path / "static")
    options = {
        "allowJs": True,
        "checkJs": True,
        "noEmit": True,
        "strict": True,
        "target": "es2023",
        "module": "es2022",
        "lib": ["es2023", "dom", "dom.iterable"],
    }
    (tmp_path / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": options, "include": ["static/*.js"]})
    )
    done = subprocess.run([node(), compiler, "-p", tmp_path], capture_output=True, text=True)
    assert done.stdout == ""


def test_no_module_is_larger_than_one_reads() -> None:
    for path in STATIC.glob("*.js"):
        assert len(path.read_text().splitlines()) <= 520, path.name


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in STATIC.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, path.name
        assert "https://" not in text, path.name
        assert "innerHTML" not in text, path.name
