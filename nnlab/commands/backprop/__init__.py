"""`nnlab backprop`: the words of the worked example."""

from typing import Annotated, Literal

import typer

from nnlab.commands import options


def backprop(
    config: options.Config,
    set_: options.Set = None,
    example: Annotated[int, typer.Option(min=0, help="Which one of the split, from 0.")] = 0,
    split: Annotated[
        Literal["train", "validation", "test"], typer.Option(help="Of which rows.")
    ] = "train",
    json: options.Json = False,
) -> None:
    """One forward and one backward pass by hand, proved three ways."""
    from nnlab.commands.backprop.page import backprop as worked

    options.ready()
    found = worked(config, set_ or [], example=example, split=split, as_json=json)
    typer.echo(found.text, nl=False)
    if found.error is not None:
        raise found.error
