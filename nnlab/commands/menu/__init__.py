"""`nnlab menu`: what a config can choose from."""

from typing import Annotated

import typer

from nnlab.commands import options


def menu(
    name: Annotated[
        str | None, typer.Argument(help="A menu: losses, a kind: relu, or a field: lr.")
    ] = None,
    plot: options.PlotOption = None,
) -> None:
    """What a config can choose from; --plot draws activations."""
    if plot is not None:
        from nnlab.commands.menu.plot import plot_activations as draw

        typer.echo(str(draw(name, plot)))
        return
    from nnlab.commands.menu.page import menu_page

    typer.echo(menu_page(name), nl=False)
