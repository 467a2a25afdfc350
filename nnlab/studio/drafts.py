"""What a page begins with: the text of a file, of a bundled config, or of a run."""

from pathlib import Path

from nnlab.commands.options import is_run_name
from nnlab.comparison.comparison import settle_source
from nnlab.config.loading import load_config, read_text
from nnlab.core.errors import CheckpointError, NnlabError
from nnlab.runs.folder.find import find_run
from nnlab.studio.server.parent import Draft


def draft_of(what: str) -> Draft:
    """The draft of a config or of a run, whose own file stays what it is.

    Raises:
        ConfigError: there is no such thing.
        CheckpointError: the run has no config.
    """
    if not is_run_name(what):
        text = read_text(what)
        return Draft(text.text, text.file, text.folder, text.name)
    run = find_run(what)
    if not (run / "config.yaml").exists():
        raise CheckpointError(f"{run}: has no config.yaml (nnlab.Watch recorded it)")
    text = read_text(run / ("source.yaml" if _says_all(run) else "config.yaml"))
    return Draft(text.text, text.file, text.folder, run.parent.name, run.resolve())


def _says_all(run: Path) -> bool:
    """Whether the file as its author wrote it, with comments, means what was trained: no --set."""
    try:
        meant = settle_source(read_text(run / "source.yaml")).first.config
        return meant.model_copy(update={"name": None}) == load_config(
            run / "config.yaml"
        ).model_copy(update={"name": None})
    except NnlabError:
        return False
