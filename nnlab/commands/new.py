"""`nnlab new`: the configs that come with nnlab, to look at and to start from."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, cast

import typer

from nnlab.commands import options
from nnlab.config.loading import bundled_configs
from nnlab.core import files
from nnlab.core.errors import ConfigError

SCHEMA_FILE = "nnlab.schema.json"
EDITOR_LINE = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"


def new(
    name: Annotated[
        str | None,
        typer.Argument(help="A bundled config.", autocompletion=options.complete_bundled),
    ] = None,
    file: Annotated[Path | None, typer.Argument(help="Where to write it; NAME.yaml here.")] = None,
) -> None:
    """Lists the bundled configs, or writes one here to start from."""
    options.show_text(bundled_table() if name is None else write_config(name, file))


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
    """Writes a bundled config and says where; beside it the schema, and the files that it names.

    Its first line tells an editor with a YAML language server where the schema is; the rest is the
    bundled file.

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
    from nnlab.commands.schema import schema_text

    # Beside the config and found by a path relative to it: the folder can be moved or shared, and
    # no editor asks a server. One schema serves all configs of a folder.
    schema = target.parent / SCHEMA_FILE
    written = schema_text() + "\n"
    if _is_foreign(schema):
        raise ConfigError(f"new {name}: {schema} is no schema of nnlab's (move it away)")
    beside = _files_beside(known[name])
    for path in beside:
        there = target.parent / path.name
        same = there.is_file() and there.read_bytes() == path.read_bytes()
        if os.path.lexists(there) and not same:
            raise ConfigError(f"new {name}: {there} is another file (move it away)")
    files.write_new(target, EDITOR_LINE.encode() + known[name].read_bytes())
    for path in beside:
        files.write_file(target.parent / path.name, path.read_bytes())
    # Last, and anew each time: an editor then checks with what this version of nnlab accepts.
    files.write_file(schema, written)
    return str(target)


def _files_beside(config: Path) -> list[Path]:
    """What a bundled config names that lies beside it, such as weights to begin from."""
    text = config.read_text("utf-8")
    others = (path for path in sorted(config.parent.iterdir()) if path.suffix != ".yaml")
    return [path for path in others if path.is_file() and path.name in text]


def _is_foreign(schema: Path) -> bool:
    """Whether something else has the name of the schema."""
    from nnlab.commands.schema import TITLE

    if not os.path.lexists(schema):
        return False
    try:
        found = files.parse_json(files.read_regular(schema, limit=64 << 20, follow=True))
    except (OSError, ValueError):
        return True
    return not isinstance(found, dict) or cast("dict[str, object]", found).get("title") != TITLE
