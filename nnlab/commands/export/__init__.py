"""`nnlab export`: the words of the command."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nnlab.commands import options


def export(
    run: options.RunArgument = "last",
    to: Annotated[
        Literal["onnx", "exported", "safetensors", "hf"],
        typer.Option(
            help="ONNX; a program of torch.export (.pt2); weights alone; a folder for the "
            "Hugging Face Hub."
        ),
    ] = "onnx",
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where to; else RUN/eval/.")
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """Writes the best network of a run for programs without nnlab, and checks that it agrees.

    ONNX files and exported programs take rows as in your data, not scaled: scaling and the softmax
    are inside. They answer stored rows before they are kept, and the largest difference from nnlab
    predict is printed.
    """
    from nnlab.runs.folder.find import find_run

    folder = find_run(run)
    from nnlab.commands.export.write import export_run, told

    options.collect_garbage_again()
    written = export_run(folder, to, out)
    if json:
        from json import dumps

        typer.echo(dumps(written.plain()))
        return
    options.tell(told(written))
    options.show_path(written.path)
