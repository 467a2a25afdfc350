"""The process that draws: arrays come in, records of TensorBoard's event file go out.

`python -m nnlab.display.pictures.worker` is started by the painter, beside a run. A request is a
line of JSON {"title", "step", "epoch", "size"} and so many bytes of an npz file; an answer is a
line of JSON {"size"} and so many bytes of a record, or {"error"}. It ends where its input ends.
"""

import json
import os
import signal
import sys
from contextlib import suppress
from io import BytesIO
from typing import Any, BinaryIO


def main() -> None:
    """Answers requests until there are no more."""
    # Ctrl-C and the like are for the run, which then closes the pipe.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with suppress(AttributeError, OSError):
        os.nice(5)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr
    with suppress(BrokenPipeError):
        serve(requests, answers)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers requests on any two streams until there are no more."""
    while line := requests.readline():
        request = json.loads(line)
        data = requests.read(request["size"])
        try:
            record = _record(request, data)
            answers.write(json.dumps({"size": len(record)}).encode() + b"\n" + record)
        except Exception as error:  # whatever it is, the run must hear of it and go on
            text = f"{type(error).__name__}: {error}"
            answers.write(json.dumps({"error": text}).encode() + b"\n")
        answers.flush()


def _record(request: dict[str, Any], data: bytes) -> bytes:
    import numpy as np

    from nnlab.display.pictures.drawing import PIXELS, figure_png
    from nnlab.display.pictures.family import Moment
    from nnlab.display.pictures.menu import DRAWINGS
    from nnlab.display.tensorboard import events, plugins

    (picture,) = (kind for kind in DRAWINGS if kind.title == request["title"])
    with np.load(BytesIO(data), allow_pickle=False) as file:
        arrays = dict(file)
    image = figure_png(picture, arrays, Moment(request["step"], request["epoch"]))
    tag = f"{picture.group}/{picture.title}"
    return events.frame(
        plugins.image(tag, image, PIXELS, step=request["step"], about=picture.about)
    )


if __name__ == "__main__":
    main()
