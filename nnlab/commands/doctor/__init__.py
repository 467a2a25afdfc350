"""`nnlab doctor`: the words of the examination."""

import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from nnlab.commands import options
from nnlab.core.wrap import write_wrapped

if TYPE_CHECKING:
    from nnlab.commands.doctor.report import DoctorReport


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
    yes: options.YesOption = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Takes at most 15% of the training's time.")
    ] = False,
    json: options.JsonOption = False,
) -> None:
    """What is wrong, where, since when, and what to change. Exit code 7: something is."""
    # A name can be both: a change is of a config, and what was trained says more than what was not.
    if options.is_run_name(what, prefer="config" if set_ else "run"):
        if set_:
            from nnlab.core.errors import ConfigError

            raise ConfigError("--set: a run has been trained (give its config instead)")
        options.collect_garbage_again()
        if cure:
            _cure(what, trials=trials, json=json)
        reports = _of_run(what, trials=trials, yes=yes, quick=quick)
    elif cure:
        from nnlab.core.errors import ConfigError

        raise ConfigError(f"--cure: {what} is a config (train it first, then give the run)")
    else:
        from nnlab.comparison.comparison import settle_source

        settled = settle_source(what, set_ or [])
        from nnlab.commands.doctor.untrained import examine_config

        options.collect_garbage_again()
        reports = [examine_config(settled, set_ or [], name=what)]
    _print(reports, json=json)
    raise typer.Exit(max(report.exit_code for report in reports))


def _of_run(what: str, *, trials: bool, yes: bool, quick: bool) -> "list[DoctorReport]":
    """Looks at a run, or at those of a comparison; at a terminal asks before that takes long."""
    from nnlab.commands.doctor.allowance import ask_on_terminal, somebody_to_ask
    from nnlab.commands.doctor.recorded import examine_all

    if quick:
        return examine_all(what, trials=trials, whole=False)
    if yes:
        return examine_all(what, trials=trials)
    if somebody_to_ask():
        return examine_all(what, trials=trials, ask=ask_on_terminal, whole=False)
    return examine_all(what, trials=trials, note=_tell_cost)


def _tell_cost(over: str) -> None:
    write_wrapped(sys.stderr, f"{over} (nnlab doctor --quick takes at most 15% of it)")


def _print(reports: "list[DoctorReport]", *, json: bool) -> None:
    if json:
        from json import dumps

        found = [report.plain() for report in reports]
        typer.echo(dumps(found[0] if len(found) == 1 else {"runs": found}))
    elif len(reports) > 1:
        from nnlab.commands.doctor.several import comparison_page

        options.show_text(comparison_page(reports), nl=False)
    else:
        options.show_text(reports[0].page(), nl=False)


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
