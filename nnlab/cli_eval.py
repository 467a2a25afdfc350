"""`nnlab eval`: the words of scoring a run, and of its report."""

from typing import Annotated, Any, Literal

import typer

from nnlab import options


def evaluate(
    runs: options.Members = None,
    split: Annotated[
        Literal["test", "validation", "train"], typer.Option(help="Which rows.")
    ] = "test",
    device: options.Device = "auto",
    report: Annotated[
        bool,
        typer.Option("--report", help="Writes a page: intervals, calibration; runs side by side."),
    ] = False,
    json: options.Json = False,
) -> None:
    """Scores the best checkpoint of a run on a split; of several, what they reach together.

    A comparison alone has its runs scored one by one; beside others it stands for its runs.
    """
    from nnlab.runs import find, members_of

    options.check_device(device)
    folders = [find(run) for run in runs or ["last"]]
    members = [member for folder in folders for member in members_of(folder)]
    if report:
        from nnlab.report.command import told

        options.ready()
        typer.echo(told(members, split=split, device=device, as_json=json), nl=False)
        return
    if len(folders) > 1:
        from nnlab.ensemble import report as report_together

        options.ready()
        typer.echo(report_together(members, split=split, device=device, as_json=json), nl=False)
        return
    from nnlab.evaluation import evaluate_all
    from nnlab.looks import taken_from

    options.ready()
    found = evaluate_all(members, split=split, device=device)
    if not json and (said := taken_from(found)):
        typer.echo(said, err=True)
    print_scores(found, json=json)


def print_scores(found: dict[str, Any], *, json: bool) -> None:
    """Prints what was scored: a line each, or one JSON object."""
    if json:
        from json import dumps

        typer.echo(dumps(found, default=str))
        return
    from nnlab.printing import listed

    typer.echo(listed(found), nl=False)
