"""`nnlab backprop`: the words of the worked example."""

from typing import Annotated, Literal

import typer

from nnlab.commands import options


def backprop(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|CONFIG",
            help="A run (its best weights) or a config (its initial weights).",
            autocompletion=options.complete_run_or_config,
        ),
    ],
    set_: options.SetOption = None,
    example: Annotated[int, typer.Option(min=0, help="Which example of the split, from 0.")] = 0,
    split: Annotated[
        Literal["train", "validation", "test"], typer.Option(help="Which split.")
    ] = "train",
    json: options.JsonOption = False,
) -> None:
    """One forward and one backward pass by hand, proved three ways."""
    from nnlab.commands.backprop.page import backprop_page as worked

    options.collect_garbage_again()
    found = worked(what, set_ or [], example=example, split=split, as_json=json)
    options.show_text(found.text, nl=False)
    if found.error is not None:
        raise found.error
