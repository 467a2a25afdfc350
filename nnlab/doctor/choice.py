"""Whether a word names a run or a config."""

from pathlib import Path

from nnlab.loading import bundled
from nnlab.runs import find, is_run


def is_run_name(what: str) -> bool:
    """A folder is a run, a file or a bundled name a config; anything else is looked for as a run.

    A name that is both is a config: its runs are NAME/1, NAME/2.

    Raises:
        ConfigError: it is neither.
    """
    path = Path(what)
    if path.is_dir() or is_run(path):
        return True
    if what == "-" or path.is_file() or what in bundled() or path.suffix in (".yaml", ".yml"):
        return False
    find(what)
    return True
