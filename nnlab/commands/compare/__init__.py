"""`nnlab compare`: the words of what runs differ in."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nnlab.commands import options


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Two or more; a comparison stands for its runs.",
            autocompletion=options.complete_run,
        ),
    ],
    x: Annotated[
        Literal["epoch", "step", "samples", "seconds"],
        typer.Option("--x", help="What curves are drawn over; seconds are those of the updates."),
    ] = "epoch",
    score: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="Ranks by it and draws it: accuracy, loss/train; else the monitor."
        ),
    ] = None,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Draws the curves.")] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Writes it all as a page for a browser.")
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """What do runs differ in? Their configs, curves, scores and weights; the first is reference."""
    from nnlab.commands.compare.compared import as_json
    from nnlab.commands.compare.compared import compare_runs as find_out

    found = find_out(runs, over=x, score=score)
    options.collect_garbage_again()
    if png is not None:
        from nnlab.commands.compare.compared import draw_png

        draw_png(found, png)
    if html is not None:
        from nnlab.commands.compare.html import write_html

        write_html(found, html)
    if json:
        typer.echo(as_json(found), nl=False)
        return
    from nnlab.commands.compare.page import compare_page

    typer.echo(compare_page(found), nl=False)
    for file in (png, html):
        if file is not None:
            options.show_text(f"wrote {file}", err=True)
