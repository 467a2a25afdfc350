"""`nnlab pictures`: the words of the command."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nnlab.commands import options


def pictures(
    run: options.RunArgument = "last",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder; default: RUN/eval/pictures/.")
    ] = None,
    dpi: Annotated[
        int, typer.Option(min=50, max=1000, help="Pixels an inch; pictures are 4.2 x 3.4 inches.")
    ] = 200,
    format: Annotated[Literal["png", "svg"], typer.Option(help="File format.")] = "png",
    json: options.JsonOption = False,
) -> None:
    """Draws a run at its beginning, its best and its end, as PNG or SVG files."""
    from nnlab.commands.pictures.album import FileForm, draw_all
    from nnlab.runs.folder.find import find_run, members_of

    options.collect_garbage_again()
    folder = find_run(run)
    files = draw_all(members_of(folder), out, FileForm(dpi, format))
    if json:
        from json import dumps

        typer.echo(dumps({"files": [str(file) for file in files]}))
    else:
        for file in files:
            options.show_path(file)
