"""`nnlab pictures`: the words of the command."""

from pathlib import Path
from typing import Annotated

import typer

from nnlab.commands import options


def pictures(
    run: options.RunArgument = "last",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to; else RUN/eval/pictures/.")
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """Draws a run at its beginning, its best and its end, as PNG files."""
    from nnlab.commands.pictures.album import draw_all
    from nnlab.runs.folder.find import find_run, members_of

    options.collect_garbage_again()
    folder = find_run(run)
    files = draw_all(members_of(folder), out)
    if json:
        from json import dumps

        typer.echo(dumps({"files": [str(file) for file in files]}))
    else:
        typer.echo("\n".join(map(str, files)))
