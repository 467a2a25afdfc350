"""Which view shows a run: none, a notebook's, the live one, or a line an epoch."""

import os
import sys
from typing import TextIO

from nnlab.display.views import PlainView, QuietView, View, calm_stream


def open_view(*, quiet: bool, stream: TextIO) -> View:
    """The view that suits: notes alone, a notebook's cell, the live view, or a line an epoch."""
    quietly = calm_stream(stream)
    if quiet:
        return QuietView(quietly)
    if "ipykernel" in sys.modules:
        from nnlab.display.notebook import notebook_view

        if (view := notebook_view(stream)) is not None:
            return view
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        return PlainView(quietly)
    from nnlab.display.live import LiveView

    return LiveView(quietly)
