"""`nnlab studio`: the words of the page in a browser."""

from pathlib import Path
from typing import Annotated

import typer

from nnlab.commands import options
from nnlab.core.errors import ConfigError


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
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Writes a run as a page that needs no server, and ends."),
    ] = None,
) -> None:
    """Build a network in the browser, train it, watch the gradient flow back."""
    options.check_device(device)
    from nnlab.studio.drafts import draft_of

    draft = draft_of(what)
    if save is not None:
        if draft.run is None:
            raise ConfigError(f"--save {save}: {what} is no run (nnlab studio RUN --save FILE)")
        from nnlab.studio.replay_page import write_replay_page

        moments = write_replay_page(draft.run, save, device=device)
        options.tell(f"{moments} moments (log.checkpoints: 2 epochs keeps more)")
        options.show_path(save)
        return
    from nnlab.studio.serve import serve_studio

    options.collect_garbage_again()

    def told(address: str) -> None:
        typer.echo(address)
        options.tell("Ctrl-C ends it; a run that trains then is stopped and saved.")

    serve_studio(
        draft, port=port, device=device, overrides=tuple(set_ or ()), told=told, browser=browser
    )
