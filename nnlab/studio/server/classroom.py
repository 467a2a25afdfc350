"""A classroom: seats with a session each, and the table in which their teacher sees them all."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from nnlab.config.loading import Text, bundled_configs, place_for
from nnlab.core.errors import ConfigError
from nnlab.runs.folder.find import runs_home
from nnlab.studio.drafts import bundled_draft
from nnlab.studio.limits import Limits
from nnlab.studio.server.parent import Draft
from nnlab.studio.server.seats import make_seats
from nnlab.studio.server.session import StudioSession
from nnlab.studio.server.workers.spare import Workers
from nnlab.studio.text.checked import check_text

_TURN = 2.0
"""Seconds from one look at all sessions to the next."""


@final
class Classroom:
    """The sessions of a class.

    Args:
        draft: what each begins with.
        count: of seats.
        workers: for all.
        limits: of each.
        data: a folder that the configs of all may read; None for none besides the usual sets.
        device: that trains.
        overrides: as `--set` takes them.

    Raises:
        ConfigError: no seat could train the draft.
        ResourceError: the folders cannot be made.
    """

    def __init__(
        self,
        draft: Draft,
        count: int,
        workers: Workers,
        *,
        limits: Limits,
        data: Path | None,
        device: str,
        overrides: tuple[str, ...],
    ) -> None:
        shared = {path.parent for path in bundled_configs().values()}
        reach = (*sorted(shared), place_for(Path()).root, *([] if data is None else [data]))
        self.token, seats = make_seats(runs_home() / "class", count, reach, limits)
        self._draft = draft
        with seats[0].entered():
            text = Text(draft.text, draft.file, draft.folder, draft.name)
            found = check_text(text, overrides, limits)
        if not found["ok"]:
            raise ConfigError([f"{draft.file}: {each['text']}" for each in found["mistakes"]])
        self.sessions = [
            StudioSession(draft, workers, device=device, overrides=overrides, seat=seat)
            for seat in seats
        ]

    async def tend(self) -> None:
        """Looks after all sessions, for as long as the server runs."""
        while True:
            await asyncio.sleep(_TURN)
            for session in self.sessions:
                with session.entered():
                    await session.tend()

    def seen(self) -> list[dict[str, Any]]:
        """What each seat does: for a row of the table."""
        found: list[dict[str, Any]] = []
        for session in self.sessions:
            seat = session.seat
            assert seat is not None
            about = {"number": seat.number, "token": seat.token, **session.about}
            found.append({**about, "used": seat.used(), "disk": seat.limits.disk * 10**6})
        return found

    async def take(self, wish: Any) -> None:
        """What the teacher wants, of one seat or of all.

        Args:
            wish: "do" (open with the "name" of a bundled config or "" for the first one; pause;
                clear, which removes the runs and tables of a seat), and "number" of a seat.

        Raises:
            ConfigError: there is no such wish, seat or config.
        """
        if not isinstance(wish, dict):
            raise ConfigError("a wish is a mapping with do")
        number = wish.get("number")
        chosen = [s for s in self.sessions if s.seat and number in (None, s.seat.number)]
        if not chosen:
            raise ConfigError(f"there is no seat {number}")
        for session in chosen:
            with session.entered():
                await self._do(session, wish)

    async def _do(self, session: StudioSession, wish: Mapping[str, Any]) -> None:
        do, name = wish["do"], str(wish.get("name", ""))
        if do == "open":
            if name and name not in bundled_configs():
                raise ConfigError(f"there is no config {name}")
            session.put(bundled_draft(name) if name else self._draft)
        elif do == "pause":
            await session.pause()
        elif do == "clear":
            await session.end_run("its teacher makes room")
            assert session.seat is not None
            await asyncio.to_thread(_empty, session.seat.home)
        else:
            raise ConfigError(f"nobody knows how to do {do}")


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
