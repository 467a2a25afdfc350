"""`nnlab studio`: the words of the page in a browser."""

from typing import Annotated

import typer

from nnlab.commands import options


def studio(
    what: Annotated[
        str,
        typer.Argument(
            metavar="[CONFIG|RUN]",
            help="What it begins with: a config, or a run as it was.",
            autocompletion=options.complete_run_or_config,
        ),
    ] = "spirals",
    set_: options.SetOption = None,
    device: options.DeviceOption = "auto",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 0,
    browser: Annotated[bool, typer.Option(help="Opens the page.")] = True,
) -> None:
    """Build a network in the browser, train it, watch the gradient flow back."""
    options.check_device(device)
    from nnlab.studio.drafts import draft_of

    draft = draft_of(what)
    from nnlab.studio.serve import serve_studio

    options.collect_garbage_again()

    def told(address: str) -> None:
        typer.echo(address)
        options.tell("Ctrl-C ends it; a run that trains then is stopped and saved.")

    serve_studio(
        draft, port=port, device=device, overrides=tuple(set_ or ()), told=told, browser=browser
    )
