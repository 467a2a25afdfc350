"""`nnlab doctor`: the words of the examination."""

from typing import Annotated, NoReturn

import typer

from nnlab.commands import options


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
    cure: Annotated[
        bool,
        typer.Option("--cure", help="Train the run again with the first change; show both curves."),
    ] = False,
    trials: Annotated[
        bool, typer.Option(help="Try changes on a copy of the run before they are advised.")
    ] = True,
    json: options.JsonOption = False,
) -> None:
    """What is wrong, where, since when, and what to change. Exit code 7: something is."""
    if options.is_run_name(what):
        from nnlab.commands.doctor.recorded import examine_all
        from nnlab.core.errors import ConfigError

        if set_:
            raise ConfigError("--set: a run has been trained (give its config instead)")
        options.collect_garbage_again()
        if cure:
            _cure(what, trials=trials, json=json)
        reports = examine_all(what, trials=trials)
    elif cure:
        from nnlab.core.errors import ConfigError

        raise ConfigError(f"--cure: {what} is a config (train it first, then give the run)")
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


def _cure(what: str, *, trials: bool, json: bool) -> NoReturn:
    """Trains a run again with what is advised; ends with the exit code of that training."""
    from nnlab.commands.doctor.cure import cure_run, remedy_of
    from nnlab.commands.doctor.recorded import examine_run
    from nnlab.commands.train import view_of
    from nnlab.core.errors import ConfigError
    from nnlab.runs.folder.find import find_run, members_of

    folder = find_run(what)
    if members_of(folder) != [folder]:
        raise ConfigError(f"--cure: {what} is a comparison (give one of its runs)")
    report = examine_run(folder, trials=trials)
    finding = remedy_of(report)
    if finding is None:
        options.show_text(report.page(), nl=False)
        options.show_text("\n--cure: no finding has a change of the config that could be tried")
        raise typer.Exit(report.exit_code)
    cured = cure_run(folder, finding, view_of(quiet=False))
    if json:
        from json import dumps

        typer.echo(dumps(cured.plain(), default=str))
    else:
        options.show_text(cured.page(), nl=False)
    raise typer.Exit(cured.after.exit_code)
