"""`nnlab generate`: goes on with a text."""

from typing import Annotated

import typer

from nnlab.commands import options
from nnlab.core.text import repeated_end
from nnlab.core.wrap import visible_text


def generate(
    run: options.RunArgument = "last",
    prompt: Annotated[str, typer.Option(help="What it goes on with; nothing begins a line.")] = "",
    length: Annotated[
        int, typer.Option(min=1, max=1_000_000, metavar="N", help="How many tokens follow.")
    ] = 500,
    temperature: Annotated[
        float,
        typer.Option(
            min=0.0, max=100.0, help="Below 1: likelier; above: more varied; 0: the likeliest."
        ),
    ] = 1.0,
    top_k: Annotated[
        int, typer.Option(min=0, metavar="K", help="Draws from the K likeliest alone; 0: all.")
    ] = 0,
    top_p: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, metavar="P", help="From the likeliest of share P together."),
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the draws.")] = 0,
    device: options.DeviceOption = "auto",
) -> None:
    """What does a network that learned from a text write? The same seed gives the same text."""
    from nnlab.runs.folder.find import find_run

    options.check_device(device)
    folder = find_run(run)
    from nnlab.runs.building.writing import Sampling
    from nnlab.runs.finished.generate import generate_text
    from nnlab.training.device import choose_device

    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    chosen, _ = choose_device(device)
    options.collect_garbage_again()
    pieces = generate_text(folder, prompt, length, sampling, chosen)
    # Together, so that nothing is written where the prompt is refused.
    written = next(pieces, "")
    options.show_text(prompt + written, nl=False)
    for piece in pieces:
        options.show_text(piece, nl=False)
        written += piece
    options.show_text("")
    if looped := repeated_end(written):
        advice = "--temperature 0.8 --top-p 0.95 varies more" if temperature < 0.8 else _LONGER
        said = f"it goes round: {looped!r} again and again ({advice})"
        typer.echo(visible_text(said), err=True)


_LONGER = "the text may do so itself; a longer run or a larger network may not"
