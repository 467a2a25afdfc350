"""`nnlab lr`: the words of the learning-rate range test."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from nnlab.commands import options

_FORMATS = (".png", ".svg", ".pdf")


def lr(
    config: options.ConfigArgument,
    set_: options.SetOption = None,
    start: Annotated[float, typer.Option("--from", help="The first rate.")] = 1e-7,
    end: Annotated[float, typer.Option("--to", help="The last rate.")] = 10.0,
    steps: Annotated[int, typer.Option(min=10, max=100_000, help="Updates in all.")] = 100,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draws the curve: .png, .svg or .pdf.")
    ] = None,
    device: options.DeviceOption = "auto",
    json: options.JsonOption = False,
) -> None:
    """Which learning rate? Tries growing ones on a fresh network; leaves nothing behind."""
    from nnlab.comparison.comparison import settle_source
    from nnlab.core.errors import ConfigError, DivergedError
    from nnlab.core.wrap import terminal_width

    if not 0.0 < start < end < float("inf"):
        raise ConfigError(f"--from {start:g} --to {end:g}: needs 0 < from < to")
    if plot is not None and plot.suffix not in _FORMATS:
        raise ConfigError(f"--plot {plot}: needs a name that ends in {' or '.join(_FORMATS)}")
    options.check_device(device)
    experiment = settle_source(config, set_ or []).first  # of a comparison, the first run
    from nnlab.commands.lr.find_lr import draw_rates, find_lr, rates_page, two_digits

    options.collect_garbage_again()
    found = find_lr(experiment, start=start, end=end, steps=steps, device=device)
    if plot is not None:
        draw_rates(found, plot)
    if json:
        from json import dumps

        typer.echo(dumps(found.plain()))
    else:
        options.show_text(rates_page(found, width=terminal_width()), err=True, nl=False)
    if found.valley is None:
        text = f"the loss never fell between {start:g} and {end:g}"
        raise DivergedError(f"lr: {text} (try other --from and --to, or more --steps)")
    if not json:
        change = f"optimizer.lr={two_digits(found.valley.rate)}"
        changes = "".join(f" --set {quote(text)}" for text in [*(set_ or []), change])
        options.show_text(f"nnlab train {quote(str(config))}{changes}")
