"""`nnlab menu`: what a config can choose from."""

from typing import Annotated

import typer

from nnlab.commands import options


def complete_menu(incomplete: str) -> list[str]:
    """What there is a page for, as far as it begins so."""
    from nnlab.commands.menu.page import page_names

    return options.words_beginning(page_names(), incomplete)


def menu(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A menu: losses, a kind: relu, or a field: lr.",
            autocompletion=complete_menu,
        ),
    ] = None,
    plot: options.PlotOption = None,
) -> None:
    """What a config can choose from; --plot draws activations."""
    if plot is not None:
        from nnlab.commands.menu.plot import plot_activations as draw

        options.show_path(draw(name, plot))
        return
    from nnlab.commands.menu.page import menu_page

    options.show_text(menu_page(name), nl=False)
