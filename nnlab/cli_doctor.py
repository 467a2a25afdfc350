"""`nnlab doctor`: the words of the examination."""

import typer

from nnlab import options


def doctor(
    run: options.Run = "last",
    json: options.Json = False,
) -> None:
    """What is wrong, where, since when, and what to change. Exit code 7: something is."""
    from nnlab.doctor.recorded import examine

    options.ready()
    reports = examine(run)
    if json:
        from json import dumps

        found = [report.plain() for report in reports]
        typer.echo(dumps(found[0] if len(found) == 1 else {"runs": found}))
    else:
        typer.echo("\n".join(report.page() for report in reports), nl=False)
    raise typer.Exit(max(report.exit_code for report in reports))
