"""`nnlab doctor`: the words of the examination."""

from pathlib import Path
from typing import Annotated

import typer

from nnlab.commands import options
from nnlab.config.loading import bundled_configs
from nnlab.runs.folder.find import find_run, is_run


def doctor(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|CONFIG",
            help="A run: what it recorded. A config: before it is trained.",
            autocompletion=options.complete_run_or_config,
        ),
    ] = "last",
    set_: options.SetOption = None,
    json: options.JsonOption = False,
) -> None:
    """What is wrong, where, since when, and what to change. Exit code 7: something is."""
    if is_run_name(what):
        from nnlab.commands.doctor.recorded import examine_all
        from nnlab.core.errors import ConfigError

        if set_:
            raise ConfigError("--set: a run has been trained (give its config instead)")
        options.collect_garbage_again()
        reports = examine_all(what)
    else:
        from nnlab.comparison.comparison import settle_source

        settled = settle_source(what, set_ or [])
        from nnlab.commands.doctor.untrained import examine_config

        options.collect_garbage_again()
        reports = [examine_config(settled, set_ or [], name=what)]
    if json:
        from json import dumps

        found = [report.plain() for report in reports]
        typer.echo(dumps(found[0] if len(found) == 1 else {"runs": found}))
    else:
        options.show_text("\n".join(report.page() for report in reports), nl=False)
    raise typer.Exit(max(report.exit_code for report in reports))


def is_run_name(what: str) -> bool:
    """A folder is a run, a file or a bundled name a config; anything else is looked for as a run.

    A name that is both is a config: its runs are NAME/1, NAME/2.

    Raises:
        ConfigError: it is neither.
    """
    path = Path(what)
    if path.is_dir() or is_run(path):
        return True
    if (
        what == "-"
        or path.is_file()
        or what in bundled_configs()
        or path.suffix in (".yaml", ".yml")
    ):
        return False
    find_run(what)
    return True
