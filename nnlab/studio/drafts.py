"""What a page begins with: the text of a file, of a bundled config, or of a run."""

import base64
import zlib
from pathlib import Path

from nnlab.commands.options import is_run_name
from nnlab.comparison.comparison import settle_source
from nnlab.config.loading import load_config, read_text
from nnlab.config.yaml import MAX_BYTES
from nnlab.core.errors import CheckpointError, ConfigError, NnlabError
from nnlab.runs.folder.find import find_run
from nnlab.studio.server.parent import Draft

_SHARED = "yaml="
"""What the text in an address begins with."""


def draft_of(what: str) -> Draft:
    """The draft of a config or of a run, whose own file stays what it is.

    Raises:
        ConfigError: there is no such thing.
        CheckpointError: the run has no config.
    """
    if _SHARED in what:
        return Draft(text_of_address(what), "the address", Path.cwd(), "shared")
    if not is_run_name(what):
        text = read_text(what)
        return Draft(text.text, text.file, text.folder, text.name)
    run = find_run(what)
    if not (run / "config.yaml").exists():
        raise CheckpointError(f"{run}: has no config.yaml (nnlab.Watch recorded it)")
    text = read_text(run / ("source.yaml" if _says_all(run) else "config.yaml"))
    return Draft(text.text, text.file, text.folder, run.parent.name, run.resolve())


def bundled_draft(name: str) -> Draft:
    """The draft of a bundled config."""
    text = read_text(name)
    return Draft(text.text, text.file, text.folder, text.name)


def text_of_address(address: str) -> str:
    """The text in an address or a fragment, as *Share* of the page makes it: #yaml=...

    Raises:
        ConfigError: it is cut, or none.
    """
    code = address.partition(_SHARED)[2].partition("&")[0].strip("'\"")
    try:
        data = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
        inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        text = inflating.decompress(data, MAX_BYTES)
        if not inflating.eof:
            raise ValueError("it does not end")
        return text.decode()
    except (ValueError, zlib.error) as error:
        why = "is cut, or no text of a studio"
        raise ConfigError(f"#yaml=...: {why} ({error}; copy it anew)") from None


def _says_all(run: Path) -> bool:
    """Whether the file as its author wrote it, with comments, means what was trained: no --set."""
    try:
        meant = settle_source(read_text(run / "source.yaml")).first.config
        return meant.model_copy(update={"name": None}) == load_config(
            run / "config.yaml"
        ).model_copy(update={"name": None})
    except NnlabError:
        return False
