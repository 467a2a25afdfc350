"""The files of the page, and which modules it begins with."""

import re
from pathlib import Path

STATIC = Path(__file__).parent / "static"
_NEEDS = re.compile(r"^import .* from '\./([a-z_]+\.js)';$", re.MULTILINE)


def modules_from(name: str) -> list[str]:
    """A module, and all that it needs before it can begin; each once."""
    found: list[str] = []
    waiting = [name]
    while waiting:
        module = waiting.pop(0)
        if module not in found:
            found.append(module)
            waiting += _NEEDS.findall((STATIC / module).read_text())
    return found
