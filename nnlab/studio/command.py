"""`nnlab studio`: the words of the page in a browser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from nnlab.commands import options
from nnlab.core.errors import ConfigError

LOOPBACK = "127.0.0.1"


PortOption = Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")]
BrowserOption = Annotated[bool, typer.Option(help="Opens the page.")]
SaveOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Writes a run as a page that needs no server, and ends."),
]
HostOption = Annotated[
    str, typer.Option(metavar="ADDRESS", help="Lets others in: 0.0.0.0 (with --class).")
]
ClassOption = Annotated[
    int | None,
    typer.Option(
        "--class", min=1, max=200, metavar="N", help="A classroom: N sessions, each for itself."
    ),
]
LimitOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=NUMBER",
        help="What a session of a class may take: parameters, rows, updates, minutes, disk (MB), "
        "memory (MB), idle (minutes).",
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        exists=True, file_okay=False, metavar="FOLDER", help="What all of a class may read."
    ),
]


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
    port: PortOption = 0,
    host: HostOption = LOOPBACK,
    class_: ClassOption = None,
    limit: LimitOption = None,
    data: DataOption = None,
    browser: BrowserOption = True,
    save: SaveOption = None,
) -> None:
    """Build a network in the browser, train it, watch the gradient flow back."""
    options.check_device(device)
    from nnlab.studio.drafts import draft_of

    draft = draft_of(what)
    if save is not None:
        _save_page(what, draft.run, save, device)
        return
    from nnlab.studio.serve import class_of, serve_studio

    classroom = class_of(host, class_, limit or [], data)
    options.collect_garbage_again()

    def told(addresses: Sequence[str]) -> None:
        for address in addresses:
            typer.echo(address)
        if classroom is not None:
            options.tell("The first is the teacher's, with a table of all; one for each seat.")
        options.tell("Ctrl-C ends it; runs that train then are stopped and saved.")

    serve_studio(
        draft,
        host=host,
        port=port,
        device=device,
        overrides=tuple(set_ or ()),
        classroom=classroom,
        told=told,
        browser=browser,
    )


def _save_page(what: str, run: Path | None, file: Path, device: str) -> None:
    if run is None:
        raise ConfigError(f"--save {file}: {what} is no run (nnlab studio RUN --save FILE)")
    from nnlab.studio.replay_page import write_replay_page

    moments = write_replay_page(run, file, device=device)
    options.tell(f"{moments} moments (log.checkpoints: 2 epochs keeps more)")
    options.show_path(file)
