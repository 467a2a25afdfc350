"""`nnlab explain`: the words of the command."""

from typing import Annotated, Literal

import typer

from nnlab.commands import options


def explain(
    run: options.RunArgument = "last",
    split: Annotated[
        Literal["validation", "train", "test"] | None,
        typer.Option(help="Whose rows are explained; else that of --row, or validation."),
    ] = None,
    row: Annotated[
        list[int] | None,
        typer.Option(
            "--row",
            metavar="N",
            min=0,
            help="A row of the whole table, from 0, as reports count; else six are chosen.",
        ),
    ] = None,
    answer: Annotated[
        str,
        typer.Option(
            "--class", metavar="NAME", help="Explains this class; else what the network answers."
        ),
    ] = "",
    json: options.JsonOption = False,
) -> None:
    """Shows which inputs an answer of the best network comes from, by several methods.

    Writes a page into RUN/eval/: integrated gradients, occlusion, Grad-CAM, attention rollout,
    saliency, SmoothGrad, and for each whether it sees what was learned: it must change when
    weights become random.
    """
    from nnlab.runs.folder.find import find_run

    folder = find_run(run)
    from nnlab.commands.explain.page import summary_of, write_page
    from nnlab.runs.explaining.answers import explain_run

    options.collect_garbage_again()
    found = explain_run(folder, split=split, rows=row or (), answer=answer)
    path = write_page(found)
    if json:
        from json import dumps

        typer.echo(dumps({"page": str(path), **found.plain()}))
        return
    options.show_text(summary_of(found), nl=False)
    options.show_path(path)
