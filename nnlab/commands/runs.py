"""`nnlab runs`: lists the runs, removes some."""

from typing import Annotated

import typer

from nnlab.commands import options

runs = typer.Typer(
    cls=options.Commands,
    rich_markup_mode=None,
    add_completion=False,
    context_settings=options.HELP,
)


@runs.callback(invoke_without_command=True)
def _list(ctx: typer.Context, json: options.JsonOption = False) -> None:
    """Lists the runs; runs rm and runs prune remove some."""
    if ctx.invoked_subcommand is None:
        from nnlab.runs.folder.listing import runs_list

        options.show_text(runs_list(as_json=json), nl=False)


@runs.command(epilog=options.example_line("nnlab runs rm digits_mlp/1"))
def rm(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", autocompletion=options.complete_run)
    ],
    yes: options.YesOption = False,
) -> None:
    """Removes runs. One that is being trained is removed with --yes alone.

    What is no run, or holds files that no run writes, is named and left as it is.
    """
    from nnlab.runs.folder.find import find_run
    from nnlab.runs.folder.listing import remove_runs

    for folder in remove_runs([find_run(run) for run in runs], yes=yes):
        options.show_text(f"removed {folder}", err=True)


@runs.command(epilog=options.example_line("nnlab runs prune --keep 3"))
def prune(
    keep: Annotated[
        int | None, typer.Option(min=0, help="Keeps the newest of each name, removes the others.")
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Removes what failed, diverged or was left behind.")
    ] = False,
    yes: options.YesOption = False,
) -> None:
    """Removes old or failed runs, after asking. Those in training stay."""
    from nnlab.runs.folder.listing import confirm_removal, prunable_runs, remove_runs

    folders, left = prunable_runs(keep=keep, failed=failed)
    for line in left:
        options.show_text(line, err=True)
    if not folders:
        options.show_text("nothing to remove", err=True)
    elif yes or confirm_removal(folders):
        for folder in remove_runs(folders, yes=False):
            options.show_text(f"removed {folder}", err=True)
