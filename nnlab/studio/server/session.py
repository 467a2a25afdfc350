"""A session: one text, at most one run at a time, and the tabs that look at it."""

import asyncio
import json
from collections.abc import Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, final

from nnlab.config.loading import Text, bundled_configs
from nnlab.core.errors import ConfigError, NnlabError
from nnlab.runs.folder.find import find_run, is_comparison, known_runs
from nnlab.studio.drafts import bundled_draft, draft_of
from nnlab.studio.messages import FRAME, MESSAGE_HEAD, head_of, kind_of, to_json
from nnlab.studio.server.judged import EndedRun, judge_runs
from nnlab.studio.server.parent import HEARD, Draft, Parent
from nnlab.studio.server.seats import Seat
from nnlab.studio.server.tab import Tab
from nnlab.studio.server.thinned import thin_readings
from nnlab.studio.server.workers.process import WorkerProcess
from nnlab.studio.server.workers.spare import Workers
from nnlab.studio.text.checked import check_text

MOST_TABS = 8
MOST_ENDED = 40
"""So many runs of the past are held against what their texts expect."""
_HANDED_ON = frozenset({"play", "pause", "step", "seek", "epoch", "rate", "example", "prove"})
_PASSING = frozenset({"state", "proof", "refused", "parked"})
"""Events that say how it is now: a tab that comes later needs the last alone, or none."""


class BusyError(Exception):
    """There are as many as there may be."""


@final
class StudioSession:
    """What one person, in one tab or several, does.

    Args:
        draft: what it begins with.
        workers: gives one that is ready.
        device: that trains.
        overrides: as `--set` takes them, on top of the text.
        seat: of a classroom; None where there is one session that may do all.
    """

    def __init__(
        self,
        draft: Draft,
        workers: Workers,
        *,
        device: str = "auto",
        overrides: tuple[str, ...] = (),
        seat: Seat | None = None,
    ) -> None:
        self._first = draft
        kept = seat.kept_text(draft.text) if seat is not None else None
        self.draft = draft if kept is None else replace(draft, text=kept)
        self.revision = 0
        """Counts the changes of the text: an edit of an older one is refused."""
        self.worker: WorkerProcess | None = None
        self.seat = seat
        self._workers = workers
        self._device, self._overrides = device, overrides
        self._tabs: set[Tab] = set()
        self._log: list[tuple[str, str]] = []
        self._frame: bytes | None = None
        self._state: dict[str, Any] = {"running": False, "playing": False, "rate": 0.0, "step": 0}
        self._rate = 0.0
        self._hearing: asyncio.Task[None] | None = None
        self._beginning, self._writing = asyncio.Lock(), asyncio.Lock()
        self._runs = 0
        self._tasks: set[asyncio.Future[None]] = set()
        self._touched = monotonic()
        self._trained: tuple[Draft, Mapping[str, Any]] | None = None
        self._ended: list[EndedRun] = []
        self._asked: Mapping[str, Any] = {}
        self._parking = False
        self._parked: Path | None = None

    def entered(self) -> AbstractContextManager[None]:
        """Within it runs and paths are those of the session's seat."""
        return nullcontext() if self.seat is None else self.seat.entered()

    def join(self, tab: Tab) -> None:
        """Adds a tab, and tells it all that was told so far: no gap, and nothing twice.

        Raises:
            BusyError: there are too many.
        """
        if len(self._tabs) >= MOST_TABS:
            raise BusyError(f"{MOST_TABS} tabs are open already")
        tab.tell_plain(
            kind="welcome",
            **self._text_event(),
            state=self._state,
            first=self._first.name,
            file=self.draft.file,
            overrides=list(self._overrides),
        )
        self._later(self._tell_checked(tab, self.draft.text))
        for _, event in self._log:
            tab.tell(event)
        tab.tell_plain(kind="state", **self._state)
        if self._parked is not None:
            tab.tell_plain(kind="parked")
        if self._frame is not None:
            tab.show(self._frame)
        self._tabs.add(tab)
        if self.draft.run is not None and not self._log:
            self._later(self.replay(self.draft.run))

    def leave(self, tab: Tab) -> None:
        """A tab was closed; training goes on."""
        self._tabs.discard(tab)
        self._watch()

    async def take(self, tab: Tab, message: Mapping[str, Any]) -> None:
        """What a tab says."""
        do = message.get("do")
        if do == "painted":
            tab.painted()
            return
        self._touched = monotonic()
        if do == "text":
            self._edit(tab, message)
        elif do == "open":
            self._open(tab, message)
        elif do == "begin":
            self._later(self.begin(message))
            # It takes its turn before what comes next: an update is one of the new run.
            await asyncio.sleep(0)
        elif do == "fork":
            await self.fork(tab, message)
        elif do == "watch":
            tab.watched = [str(title) for title in message.get("pictures", ())][:8]
            tab.open = bool(message.get("open", True))
            self._watch()
        elif do == "stop":
            await self._stop()
        elif do in _HANDED_ON:
            if do == "rate":
                self._rate = float(message.get("rate", 0.0))
            await self._wake()
            await self._order({key: value for key, value in message.items() if key != "token"})

    def _edit(self, tab: Tab, message: Mapping[str, Any]) -> None:
        """A new text; who changed an older one gets the text as it is now, and may try again."""
        text = message.get("text")
        if not isinstance(text, str) or message.get("revision") != self.revision:
            tab.tell_plain(kind="conflict", **self._text_event())
            return
        self.change(text, author=tab)

    def _open(self, tab: Tab, message: Mapping[str, Any]) -> None:
        """Another experiment: a bundled config by its name, or with "" what the page began with."""
        name, run = message.get("name"), message.get("run")
        if message.get("revision") != self.revision:
            tab.tell_plain(kind="conflict", **self._text_event())
        elif run is not None:
            # By its name alone: nothing that a page sends is a path.
            if str(run) in known_runs() and not is_comparison(find_run(str(run))):
                self.put(draft_of(str(run)))
                self._later(self.replay(find_run(str(run))))
        elif name == "":
            self.put(self._first)
        elif name in bundled_configs():
            self.put(bundled_draft(str(name)))

    def check(self, text: str, overrides: tuple[str, ...]) -> dict[str, Any]:
        """What a text would train here, or its mistakes."""
        draft, limits = self.draft, None if self.seat is None else self.seat.limits
        with self.entered():
            return check_text(Text(text, draft.file, draft.folder, draft.name), overrides, limits)

    async def _tell_checked(self, tab: Tab, text: str) -> None:
        """What a text would train, to a tab that would ask for it next."""
        found = await asyncio.to_thread(self.check, text, self._overrides)
        tab.tell_plain(kind="checked", text=text, found=found)

    def change(self, text: str, author: Tab | None = None) -> None:
        """Replaces the text, and tells every tab."""
        self.put(replace(self.draft, text=text), author)

    def put(self, draft: Draft, author: Tab | None = None) -> None:
        """Another text, perhaps of another experiment; every tab is told."""
        self.draft = draft
        self.revision += 1
        if self.seat is not None:
            self._later(asyncio.to_thread(self.seat.keep_text, self._first.text, draft.text))
        for tab in self._tabs:
            tab.tell_plain(kind="text", own=tab is author, **self._text_event())

    def _text_event(self) -> dict[str, Any]:
        return {"text": self.draft.text, "revision": self.revision, "name": self.draft.name}

    async def begin(self, message: Mapping[str, Any]) -> None:
        """Ends the run that there is, softly, and begins one of the text as it is now.

        Args:
            message: "playing", and of a comparison "variant" and "seed".
        """
        self._asked = message
        async with self._beginning:
            if self._asked is not message:
                return  # another one was asked for meanwhile: that comes next
            await self.end_run("another run was begun")
            await self._begin(message)

    async def replay(self, run: Path) -> None:
        """Ends the run that there is, softly, and shows one that is over."""
        async with self._beginning:
            await self.end_run("another run was opened")
            await self._begin({}, replay=run)

    async def fork(self, tab: Tab, message: Mapping[str, Any]) -> None:
        """Ends the run softly, and begins another from one of its checkpoints.

        Args:
            tab: hears why not.
            message: "step" (a number, last, best, init), "changes" as `--set` takes them, "edits"
                of single weights, and "playing", "variant" as in `begin`.
        """
        async with self._beginning:
            try:
                parent, draft = self._parent(), self.draft
                text = await asyncio.to_thread(parent.checked, draft, message, self._overrides)
                await self.end_run("another run goes on from it")
                # Again: its last readings have come since.
                text, begun = self._parent().forked(text, message)
            except (NnlabError, ValueError, KeyError, TypeError) as error:
                why = error.lines[0] if isinstance(error, NnlabError) else str(error)
                tab.tell_plain(kind="refused", do="Go on", why=why)
                return
            self.change(text)
            await self._begin(message, begun)

    def _parent(self) -> Parent:
        """The run at hand, as one to go on from."""
        return Parent.of([json.loads(t) for kind, t in self._log if kind in HEARD])

    async def page_of(self, run: Path) -> bytes:
        """A run as an HTML file that needs no server; a worker of its own writes it.

        Raises:
            ConfigError: it cannot be opened.
        """
        said: list[dict[str, Any]] = []
        environment = None if self.seat is None else self.seat.environment
        async with self._writing:
            worker = await self._workers.take(environment)
            with TemporaryDirectory() as folder:
                page = Path(folder) / "page.html"
                order = {"run": str(run), "page": str(page), "device": self._device}
                await worker.order(order)
                code = await worker.hear(lambda message: said.append(head_of(message)))
                lines = [line for event in said for line in event.get("lines", ())]
                if code != 0:
                    raise ConfigError(lines or [f"{run.name}: cannot be written as a page"])
                return await asyncio.to_thread(page.read_bytes)

    def run_at_hand(self) -> Path:
        """The folder of the run that is shown.

        Raises:
            ConfigError: there is none.
        """
        try:
            return self._parent().folder
        except ValueError:
            raise ConfigError("there is no run yet (Train begins one)") from None

    def checkpoints(self) -> list[dict[str, Any]]:
        """The checkpoints of the run at hand, the newest first."""
        try:
            return self._parent().checkpoints()
        except ValueError:
            return []

    async def _begin(
        self,
        message: Mapping[str, Any],
        parent: dict[str, Any] | None = None,
        replay: Path | None = None,
    ) -> None:
        self._runs += 1
        self._log, self._frame, self._parked = [], None, None
        for tab in self._tabs:
            tab.forget_frame()
        self._state = {"running": True, "playing": bool(message.get("playing")), "step": 0}
        about = {"number": self._runs, "warm": self._workers.ready, "replay": replay is not None}
        self._tell({"kind": "begin", **about})
        if parent is not None:
            self._tell({"kind": "forked", **parent})
        if (full := await asyncio.to_thread(self.full)) is not None:
            self._tell({"kind": "error", "lines": [full]})
            self._state = {**self._state, "running": False, "playing": False}
            self._tell({"kind": "over", "code": 6})
            return
        self._trained = None if replay is not None else (self.draft, message)
        await self._start(message, {"replay": None if replay is None else str(replay)})

    async def _start(self, message: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        """Gives a worker its order."""
        seat, draft = self.seat, self.draft
        self.worker = await self._workers.take(None if seat is None else seat.environment)
        await self._order(
            {
                "text": draft.text,
                "file": draft.file,
                "folder": str(draft.folder),
                "name": draft.name,
                "set": self._overrides,
                "device": self._device,
                "playing": bool(message.get("playing")),
                "rate": self._rate,
                "variant": message.get("variant"),
                "seed": message.get("seed"),
                "limits": None if seat is None else seat.limits.plain(),
                **more,
            }
        )
        self._hearing = asyncio.create_task(self._hear(self.worker))
        self._watch()

    def full(self) -> str | None:
        """Why nothing more may be written, if that is so."""
        return None if self.seat is None else self.seat.limits.full(self.seat.used())

    async def tend(self) -> None:
        """Ends a run that has filled its session's share of the disk, and parks who is idle."""
        if self.seat is None or self.worker is None:
            return
        if self._state["running"] and (full := await asyncio.to_thread(self.full)) is not None:
            await self._order({"do": "stop", "why": full})
        idle = monotonic() - self._touched >= 60.0 * self.seat.limits.idle
        if idle and not (self._state["playing"] and self._tabs):
            await self.park()

    async def _judge(self, draft: Draft, message: Mapping[str, Any]) -> None:
        """Says what became of the expectations of a text, of which a run has ended."""
        folder = next((json.loads(t)["run"] for k, t in self._log if k == "scene"), None)
        if folder is None or "expect" not in draft.text:
            return
        variant, seed = message.get("variant"), message.get("seed")
        self._ended = [*self._ended, EndedRun(draft.text, variant, seed, Path(folder))][
            -MOST_ENDED:
        ]
        text = Text(draft.text, draft.file, draft.folder, draft.name)
        with suppress(NnlabError):
            found = await asyncio.to_thread(judge_runs, text, self._ended, self._overrides)
            if found:
                self._tell({"kind": "judged", "verdicts": found})

    async def park(self) -> None:
        """Lets the worker go; a run that is not over goes on from its checkpoint when asked."""
        async with self._beginning:
            folder = next((json.loads(t)["run"] for k, t in self._log if k == "scene"), None)
            if self.worker is None or folder is None:
                return
            self._parking = bool(self._state["running"]) and "replay" not in self.about
            stands = {**self._state, "playing": False}
            try:
                await self.end_run("parked, for nobody was there")
            finally:
                was, self._parking = self._parking, False
            if was:
                self._parked, self._state = Path(folder), stands
                self._tell({"kind": "state", **stands})
                self._tell({"kind": "parked"})

    async def _stop(self) -> None:
        """Lets the run end; one that is parked has been saved."""
        if self._parked is None:
            await self._order({"do": "stop"})
            return
        self._parked, self._state = None, {**self._state, "running": False, "playing": False}
        self._tell({"kind": "over", "code": 0})

    async def _wake(self) -> None:
        """Goes on with a run that was parked."""
        async with self._beginning:
            folder, self._parked = self._parked, None
            if folder is not None:
                await self._start({}, {"resume": str(folder)})

    @property
    def about(self) -> dict[str, Any]:
        """What it does now: experiment, run, state, last loss and score, for who looks after it."""
        told: dict[str, Any] = {"name": self.draft.name, "tabs": len(self._tabs), **self._state}
        for kind, text in reversed(self._log):
            if kind == "reading" and "reading" not in told:
                event = json.loads(text)
                told["reading"] = {key: event[key] for key in ("split", "epoch", "values")}
                # While it plays nobody is told of each update.
                told["step"] = max(told["step"], event["step"])
            elif kind == "scene" and "run" not in told:
                event = json.loads(text)
                told |= {"run": event["run"], "score": event["score"], "task": event["task"]}
                told |= {"replay": True} if event.get("replay") else {}
            elif kind == "error" and "error" not in told:
                told["error"] = " ".join(json.loads(text)["lines"])
        idle = monotonic() - self._touched
        return {**told, "parked": self._parked is not None, "idle": idle}

    async def pause(self) -> None:
        """Holds the run up."""
        await self._order({"do": "pause"})

    async def end_run(self, why: str = "the studio is gone") -> None:
        """Lets the worker stop softly and go."""
        worker, self.worker = self.worker, None
        if worker is not None:
            await worker.end(why)
        if self._hearing is not None:
            await self._hearing
            self._hearing = None

    async def _hear(self, worker: WorkerProcess) -> None:
        code = await worker.hear(self._take)
        if self._state["running"] and not self._parking:
            self._state = {**self._state, "running": False, "playing": False}
            self._tell({"kind": "died", "code": code})

    def _take(self, message: bytes) -> None:
        """A message of the worker."""
        if kind_of(message) == FRAME:
            self._frame = message
            for tab in self._tabs:
                if tab.open:
                    tab.show(message)
            return
        size, _ = MESSAGE_HEAD.unpack_from(message)
        text = message[MESSAGE_HEAD.size : MESSAGE_HEAD.size + size].decode().rstrip()
        kind = json.loads(text)["kind"]
        if kind == "ready" or (self._parking and kind in ("summary", "over", "state")):
            return
        if kind == "state":
            self._state = {k: v for k, v in json.loads(text).items() if k != "kind"}
        if kind == "over":
            self._state = {**self._state, "running": False, "playing": False}
        self._tell_text(kind, text)
        if kind == "over" and self._trained is not None:
            self._later(self._judge(*self._trained))

    def _tell(self, event: dict[str, Any]) -> None:
        self._tell_text(event["kind"], to_json(event))

    def _tell_text(self, kind: str, text: str) -> None:
        if kind not in _PASSING:
            self._log.append((kind, text))
            if kind == "reading":
                self._log = thin_readings(self._log)
        for tab in self._tabs:
            tab.tell(text)

    def _watch(self) -> None:
        """Tells the worker what anybody looks at."""
        seen = [tab for tab in self._tabs if tab.open and tab.watched is not None]
        if self._tabs and not seen and any(tab.open for tab in self._tabs):
            return  # a tab has yet to say it
        titles = list(dict.fromkeys(title for tab in seen for title in tab.watched or ()))
        command = {"do": "watch", "open": bool(seen), "pictures": titles}
        self._later(self._order(command))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _order(self, command: Mapping[str, Any]) -> None:
        if self.worker is not None:
            await self.worker.order(command)
