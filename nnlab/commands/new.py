"""`nnlab new`: the configs that come with nnlab, to look at and to start from."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from nnlab.config.loading import bundled_configs
from nnlab.core import files
from nnlab.core.errors import ConfigError


def new(
    name: Annotated[str | None, typer.Argument(help="A bundled config.")] = None,
    file: Annotated[Path | None, typer.Argument(help="Where to write it; NAME.yaml here.")] = None,
) -> None:
    """Lists the bundled configs, or writes one here to start from."""
    typer.echo(bundled_table() if name is None else write_config(name, file))


def bundled_table() -> str:
    """Each bundled config with its first comment line."""
    from nnlab.core.text import render_text, text_grid

    rows = [(name, _about(path)) for name, path in bundled_configs().items()]
    hint = "\nnnlab new NAME writes one here; nnlab train NAME trains it as it is"
    return render_text(text_grid(rows, whole=(0,)), hint).rstrip("\n")


def _about(path: Path) -> str:
    """The first sentence: comment lines up to a full stop."""
    lines: list[str] = []
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("# "):
            break
        lines.append(line.removeprefix("# ").strip())
        if lines[-1].endswith((".", ":")):
            break
    return " ".join(lines)


def write_config(name: str, file: Path | None) -> str:
    """Writes a bundled config and says where.

    Args:
        name: of the config.
        file: where to; if None, `zero_init.yaml` here of the config `lessons/zero_init`.

    Raises:
        ConfigError: there is no such config, or the file exists.
        ResourceError: it cannot be written.
    """
    known = bundled_configs()
    if name not in known:
        near = get_close_matches(name, list(known), n=1)
        hint = f"did you mean {near[0]}?" if near else "nnlab new lists them"
        raise ConfigError(f"new {name}: no such bundled config ({hint})")
    own = f"{Path(name).name}.yaml"  # of lessons/zero_init without the folder, which is not here
    target = Path(own) if file is None else file
    if target.is_dir():
        target /= own
    if os.path.lexists(target):
        raise ConfigError(f"new {name}: {target} exists (give another name: nnlab new {name} FILE)")
    files.write_new(target, known[name].read_bytes())
    return str(target)
