"""`nnlab show`: what a config will build, and its data. Start with `page.py`."""

from typing import Annotated

import typer

from nnlab.commands import options


def show(
    config: options.ConfigArgument,
    set_: options.SetOption = None,
    data: Annotated[bool, typer.Option("--data", help="Loads and shows the data.")] = False,
    plot: options.PlotOption = None,
    expand: options.ExpandOption = False,
    json: options.JsonOption = False,
) -> None:
    """What will be built: layers, shapes, parameters, memory, formulas, every auto."""
    from nnlab.commands.show.page import show_page

    page = show_page(config, set_ or [], data=data, plot=plot, expand=expand, as_json=json)
    options.show_text(page, nl=False)
