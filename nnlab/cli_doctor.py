"""`nnlab doctor`: the words of the examination."""

from typing import Annotated

import typer

from nnlab import options


def doctor(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|CONFIG", help="A run: what it recorded. A config: before it is trained."
        ),
    ] = "last",
    set_: options.Set = None,
    json: options.Json = False,
) -> None:
    """What is wrong, where, since when, and what to change. Exit code 7: something is."""
    from nnlab.doctor.choice import is_run_name

    if is_run_name(what):
        from nnlab.base import ConfigError
        from nnlab.doctor.recorded import examine

        if set_:
            raise ConfigError("--set: a run has been trained (give its config instead)")
        options.ready()
        reports = examine(what)
    else:
        from nnlab.check import settled_group
        from nnlab.loading import read_text

        text = read_text(what)
        settled_group(text, set_ or [])
        from nnlab.doctor.untrained import examine_config

        options.ready()
        reports = [examine_config(text, set_ or [], name=what)]
    if json:
        from json import dumps

        found = [report.plain() for report in reports]
        typer.echo(dumps(found[0] if len(found) == 1 else {"runs": found}))
    else:
        typer.echo("\n".join(report.page() for report in reports), nl=False)
    raise typer.Exit(max(report.exit_code for report in reports))
