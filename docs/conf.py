"""Sphinx: the documentation's site, built by `make docs` without a network."""

import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from generate import generate  # noqa: E402

from nnlab.core.package import DISTRIBUTION  # noqa: E402

generate(HERE)

project = "nnlab"
author = "the nnlab authors"
version = release = version_of(DISTRIBUTION)

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_generated", "plugin_example"]
suppress_warnings = ["misc.highlighting_failure"]

myst_heading_anchors = 3
"""So that `commands.md#train` is a link that a build checks."""
default_role = "code"
"""In docstrings, which say `name` for code."""
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"nnlab {version}"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False


def _escape(_: object, __: str, ___: str, ____: object, _____: object, lines: list[str]) -> None:
    """Docstrings are plain text with `code` in it: a star is a star, as in (N, *inputs)."""
    for number, line in enumerate(lines):
        pieces = re.split(r"(`[^`]*`)", line)
        kept = (p if p.startswith("`") else re.sub(r"([*|])", r"\\\1", p) for p in pieces)
        lines[number] = "".join(kept)


def setup(app: Any) -> None:
    """Sphinx calls it once; napoleon, which reads Google style, comes after priority 400."""
    app.connect("autodoc-process-docstring", _escape, priority=400)
