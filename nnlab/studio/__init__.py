"""studio: a page in a browser in which a network is built, trained, watched and explained.

`server/` answers the page, without torch; `worker/` is the process that trains, one for each
session; `static/` is the page itself, in plain JavaScript. `nnlab.studio(...)` shows it in a
notebook.
"""

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """This package, which can also be called: `nnlab.studio("spirals")`."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        from nnlab.studio.notebook import show_studio

        return show_studio(*args, **keywords)


sys.modules[__name__].__class__ = _Room
