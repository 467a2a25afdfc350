"""`nnlab.studio(...)`: the page in a frame of a notebook, served by this process's own child."""

import atexit
import subprocess
import sys
from html import escape
from typing import Any, final


@final
class Frame:
    """A page that is being served; a notebook shows it in place.

    Attributes:
        address: where it can be opened in a window of its own.
    """

    def __init__(self, process: "subprocess.Popen[str]", address: str, height: int) -> None:
        self.address = address
        self._process, self._height = process, height
        atexit.register(self.close)

    def _repr_html_(self) -> str:
        address = escape(self.address, quote=True)
        return (
            f'<iframe src="{address}" title="nnlab studio" width="100%" height="{self._height}" '
            f'style="border:0"></iframe><p><a href="{address}" target="_blank" rel="noopener">'
            "in a window of its own</a></p>"
        )

    def __repr__(self) -> str:
        return f"nnlab studio: {self.address}"

    def close(self) -> None:
        """Ends the server; a run that trains then is stopped and saved."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()


def show_studio(config: Any = "spirals", *, device: str = "auto", height: int = 860) -> Frame:
    """Serves the studio beside this process.

    Args:
        config: a file, a bundled name, or a run as the commands take it.
        device: auto, cpu, cuda, cuda:N or mps.
        height: of the frame, in pixels.

    Raises:
        ConfigError: there is no such config or run.
    """
    from nnlab.core.errors import ConfigError

    words = ["studio", str(config), "--device", device, "--no-browser"]
    process = subprocess.Popen(
        [sys.executable, "-m", "nnlab", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    address = process.stdout.readline().strip()
    if not address:
        process.wait()
        raise ConfigError(process.stderr.read().strip() or "nnlab studio has ended")
    return Frame(process, address, height)
