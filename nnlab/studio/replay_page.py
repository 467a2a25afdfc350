"""A run as one HTML file that needs no server: the page itself, with what was recorded in it."""

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from nnlab.config.loading import Text
from nnlab.core import files
from nnlab.core.lazy import NDArray
from nnlab.studio.drafts import draft_of
from nnlab.studio.messages import pack_frame, to_json
from nnlab.studio.page_files import STATIC
from nnlab.studio.server.defined import define
from nnlab.studio.text.checked import check_text

_IMPORT = re.compile(r"(from |import\()'\./([a-z_]+\.js)'")
_NUMBERS = (
    *("step", "epoch", "loss", "learning_rate", "updates_per_second"),
    *("delta", "weight", "unit_map", "grad_norm/total"),
)
_MOST_FRAMES = 200


@final
class _Kept:
    """Keeps what a worker would send."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.frames: dict[int, bytes] = {}

    def event(self, kind: str, **values: Any) -> None:
        """As the post of a worker."""
        if kind != "state":
            self.events.append({"kind": kind, **values})

    def frame(self, head: Mapping[str, Any], arrays: "Mapping[str, NDArray[Any]]") -> None:
        """As the post of a worker."""
        self.frames[int(head["step"])] = pack_frame(head, arrays)


def write_replay_page(run: Path, file: Path, *, device: str = "auto") -> int:
    """Writes a run as a page of its own: curves, findings, and the network at each checkpoint.

    Args:
        run: its folder; nothing is written there.
        file: HTML.
        device: that computes what is shown.

    Returns:
        How many moments it shows.

    Raises:
        NnlabError: the run cannot be opened, or the file not be written.
    """
    from nnlab.studio.worker.replay import ReplayWork

    kept = _Kept()
    work = ReplayWork(kept, {"replay": str(run), "device": device})
    work.show_all(_MOST_FRAMES)
    draft = draft_of(str(run))
    text = Text(draft.text, draft.file, draft.folder, draft.name)
    scene = next(event for event in kept.events if event["kind"] == "scene")
    scene["replay"] = sorted(kept.frames)
    keys = (*_NUMBERS, f"loss:{scene['loss']}", f"score:{scene['score']}")
    welcome = {"kind": "welcome", "text": draft.text, "revision": 0, "name": draft.name}
    begins = {"kind": "begin", "replay": True, "warm": True}
    means = check_text(text)
    checked = {"kind": "checked", "text": draft.text, "found": means}
    record = {
        "events": [{**welcome, "state": {}, "first": draft.name}, checked, begins, *kept.events],
        "checked": means,
        "definitions": {key: found for key in keys if (found := define(key))},
        "frames": {step: base64.b64encode(frame).decode() for step, frame in kept.frames.items()},
    }
    files.write_file(file, page_of(record))
    return len(kept.frames)


def page_of(record: Mapping[str, Any]) -> str:
    """The page with its style, its scripts and what was recorded in it."""
    page = (STATIC / "index.html").read_text()
    icon = "data:image/svg+xml;base64," + _base64((STATIC / "icon.svg").read_text())
    style = (STATIC / "style.css").read_text()
    # Where there is no server a module has no address: each gets a name that leads to its text.
    modules = {
        f"studio/{path.name}": _module(path)
        for path in sorted(STATIC.glob("*.js"))
        if path.stem != "class"
    }
    modules["studio/connection.js"] = modules.pop("studio/recorded.js")
    # No text of a run can end the element that it stands in.
    inside = to_json(record).replace("<", "\\u003c")
    scripts = (
        f'<script type="application/json" id="record">{inside}</script>\n'
        f'<script type="importmap">{json.dumps({"imports": modules})}</script>\n'
        "<script type=\"module\">import 'studio/app.js';</script>"
    )
    page = page.replace('<script type="module" async src="/static/opened.js"></script>\n', "")
    page = page.replace('<script type="module" src="/static/app.js"></script>', scripts)
    page = page.replace(
        '<link rel="stylesheet" href="/static/style.css">', f"<style>{style}</style>"
    )
    return page.replace("/static/icon.svg", icon)


def _module(path: Path) -> str:
    text = _IMPORT.sub(r"\1'studio/\2'", path.read_text())
    return f"data:text/javascript;charset=utf-8;base64,{_base64(text)}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
