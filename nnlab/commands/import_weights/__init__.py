"""`nnlab import-weights`: the words of the command."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nnlab.commands import options


def import_weights(
    file: Annotated[Path, typer.Argument(metavar="FILE.pth", help="What torch.save wrote.")],
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where to; else FILE.safetensors beside it.")
    ] = None,
    expects: Annotated[
        Literal["imagenet", "unit", "unknown"],
        typer.Option(help="The scale of the pixels that the weights were trained on."),
    ] = "imagenet",
    order: Annotated[
        Literal["rgb", "bgr"],
        typer.Option(help="The order of colours they expect; bgr is turned round in the file."),
    ] = "rgb",
    json: options.JsonOption = False,
) -> None:
    """Makes a safetensors file of a .pth; only tensors are read, no code in it is run.

    Then `model: {kind: resnet18, from: FILE.safetensors}` begins from it. The file keeps which
    scale its weights expect, and a run whose data have another says so. Example:
    nnlab import-weights resnet18-f37072fd.pth --out resnet18.safetensors
    """
    from nnlab.commands.import_weights.convert import convert_weights, told

    done = convert_weights(file, out, expects=expects, order=order)
    if json:
        from json import dumps

        typer.echo(dumps(done.plain()))
        return
    options.tell(told(done))
    options.show_path(done.path)
