"""`nnlab eval`: scores a run, or reports on it."""

from typing import Annotated, Any, Literal

import typer

from nnlab.commands import options


def eval(
    runs: options.MembersArgument = None,
    split: Annotated[
        Literal["test", "validation", "train"], typer.Option(help="Which split.")
    ] = "test",
    device: options.DeviceOption = "auto",
    report: Annotated[
        bool,
        typer.Option("--report", help="Writes a page: intervals, calibration; runs side by side."),
    ] = False,
    json: options.JsonOption = False,
) -> None:
    """Scores the best checkpoint of a run on a split; of several, what they reach together.

    A comparison alone has its runs scored one by one; beside others it stands for its runs.
    """
    from nnlab.runs.folder.find import find_run, members_of

    options.check_device(device)
    folders = [find_run(run) for run in runs or ["last"]]
    members = [member for folder in folders for member in members_of(folder)]
    if report:
        from nnlab.commands.report.command import report_text

        options.collect_garbage_again()
        options.show_text(report_text(members, split=split, device=device, as_json=json), nl=False)
        return
    if len(folders) > 1:
        from nnlab.runs.finished.ensemble import ensemble_report as report_together

        options.collect_garbage_again()
        options.show_text(
            report_together(members, split=split, device=device, as_json=json), nl=False
        )
        return
    from nnlab.runs.finished.evaluate import evaluate_all
    from nnlab.runs.folder.looks import taken_from

    options.collect_garbage_again()
    found = evaluate_all(members, split=split, device=device)
    if not json and (said := taken_from(found)):
        options.tell(said)
    print_scores(found, json=json)


def print_scores(found: dict[str, Any], *, json: bool) -> None:
    """Prints what was scored: a line each, or one JSON object."""
    if json:
        from json import dumps

        typer.echo(dumps(found, default=str))
        return
    from nnlab.core.text import text_list

    options.show_text(text_list(found), nl=False)
