"""`nnlab predict`: the words of predictions for files."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nnlab.commands import options


def predict(
    run: options.RunArgument,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Images, csv (columns by name), npz (array x), texts."
        ),
    ],
    proba: Annotated[
        bool, typer.Option("--proba", help="The probability of every class or label.")
    ] = False,
    top: Annotated[int, typer.Option(min=0, metavar="K", help="The K most probable classes.")] = 0,
    format: Annotated[
        Literal["table", "jsonl", "csv"],
        typer.Option(help="On stdout; jsonl and csv have every digit."),
    ] = "table",
    device: options.DeviceOption = "auto",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="How a csv file is written, if not as the run's: --set data.encoding=cp1252",
        ),
    ] = None,
) -> None:
    """What does the best network of a run say of these files? Rows as in your data, not scaled.

    A csv file may have the target column (of a data set that is not yours: target), an npz file the
    array y: then the answers are compared with it. Of a series each row of a csv file is the last
    one that is seen; of a text it is told how likely each token was.
    """
    from nnlab.runs.folder.find import find_run

    options.check_device(device)
    folder = find_run(run)
    from nnlab.commands.predict.files import predict_files
    from nnlab.commands.predict.records import PredictOptions

    options.collect_garbage_again()
    predict_files(
        folder,
        files,
        asked=PredictOptions(proba=proba, top=top),
        format=format,
        device=device,
        changes=set_ or [],
        write=lambda text: options.show_text(text, nl=False),
        note=options.tell,
    )
