"""A classroom: every seat is a world of its own, with an end to what it may take."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from studio_serving import Page, Served, opened, served
from websockets.exceptions import ConnectionClosed

from nnlab.core.errors import ConfigError
from nnlab.runs.folder.summary import read_summary
from nnlab.studio.limits import Limits
from nnlab.studio.serve import class_of, names_of
from nnlab.studio.server.tab import Pace

LONG = """\
data: {kind: blobs, samples: 200}
model: {kind: mlp, hidden: [8]}
train: {epochs: 100000, batch_size: 20, compile: off}
"""
SEATS = 5
LIMITS = ("parameters=5000", "rows=1000", "updates=3000", "disk=2", "idle=0.02")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("class")
    (folder / "long.yaml").write_text(LONG)
    words = [word for limit in LIMITS for word in ("--limit", limit)]
    runs, config = folder / "runs", str(folder / "long.yaml")
    with served(runs, config, "--class", str(SEATS), *words) as found:
        yield found


def finished(page: Page, text: str) -> str:
    """Trains a text to its end; why it ended."""
    page.send("text", text=text, revision=page.events[0]["revision"])
    page.until("text")
    page.send("begin", playing=True)
    why = page.until("summary")["why"]
    page.until("over")
    return why


class TestSeats:
    def test_each_has_its_own_text_runs_and_tables(self, room: Served) -> None:
        one, two = room.at(1), room.at(2)
        with opened(one) as page, opened(two) as other:
            page.send("text", text=LONG + "# one\n", revision=page.events[0]["revision"])
            page.until("text")
            page.send("begin", playing=False)
            run = Path(page.until("scene")["run"])
            assert run == one.runs / "long" / "1"
            other.send("text", text=3, revision="x")
            assert other.until("conflict")["text"] == LONG
            content = ("a,b\n" + "".join(f"{n},{n % 2}\n" for n in range(60))).encode()
            table = json.loads(one.ask("/api/table?name=x.csv", content)[1])["path"]
            assert Path(table).is_relative_to(one.runs)
            assert [r["name"] for r in json.loads(one.ask("/api/runs")[1])] == ["long/1"]
            assert json.loads(two.ask("/api/runs")[1]) == []
            assert two.ask("/api/curves?run=long/1")[0] == 404
            assert two.ask(f"/api/curves?run={run}")[0] == 404
            own = f"data: {{kind: csv, path: {table}, target: b}}\nmodel: linear\n"
            assert json.loads(one.ask("/api/check", own.encode())[1])["ok"]
            mistake = json.loads(two.ask("/api/check", own.encode())[1])["mistakes"][0]
            assert "outside of your folders" in mistake["text"]
            # What trains holds to the same: nothing is left to the check alone.
            for text in (own, LONG + f"start: {{run: {run}}}\n"):
                revision = next(e["revision"] for e in reversed(other.events) if "revision" in e)
                other.send("text", text=text, revision=revision)
                other.until("text")
                other.send("begin", playing=True)
                told = " ".join(other.until("error")["lines"])
                assert "outside of your folders" in told or "no such run" in told
                other.until("over")
            other.send("open", run="long/1", revision=page.events[0]["revision"])
            page.send("stop")
            page.until("over")

    def test_a_token_opens_its_own_seat_and_the_teachers_the_table(self, room: Served) -> None:
        assert len({room.token, *room.seats}) == SEATS + 1
        assert room.at(1).ask("/api/class")[0] == 401
        assert room.ask("/api/runs")[0] == 401
        with pytest.raises(ConnectionClosed), opened(room):
            pass
        rows = json.loads(room.ask("/api/class")[1])
        assert [row["number"] for row in rows] == [*range(1, SEATS + 1)]
        assert [row["token"] for row in rows] == [*room.seats]
        assert room.ask("/class", x_studio_token="")[0] == 200
        assert oct((room.runs / "class").stat().st_mode)[-3:] == "700"

    def test_the_teacher_opens_a_config_for_all_and_makes_room(self, room: Served) -> None:
        seat = room.at(3)
        with opened(seat) as page:
            page.send("begin", playing=True)
            page.until("reading")
            assert room.ask("/api/class", b'{"do": "open", "name": "xor"}')[0] == 200
            assert page.until("text")["name"] == "xor"
            row = json.loads(room.ask("/api/class", b'{"do": "pause"}')[1])[2]
            assert (row["tabs"], row["name"]) == (1, "xor")
            page.until("state", lambda e: not e["playing"])
            room.ask("/api/class", b'{"do": "clear", "number": 3}')
            assert [path.name for path in seat.runs.iterdir()] == ["draft.json"]
            for wish in (b'{"do": "dance"}', b'{"do": "open", "name": "../x"}', b"[]", b"{"):
                assert room.ask("/api/class", wish)[0] == 400
            assert room.ask("/api/class", b'{"do": "clear", "number": 99}')[0] == 400
            room.ask("/api/class", b'{"do": "open", "name": ""}')


class TestLimits:
    def test_a_network_and_data_have_an_end_that_is_said_while_one_types(
        self, room: Served
    ) -> None:
        for change, words in (
            (("[8]", "[1000, 100]"), "this class allows 5,000 (fewer or narrower layers)"),
            (("samples: 200", "samples: 2000"), "2,000 rows, this class allows 1,000"),
        ):
            text = LONG.replace(*change)
            found = json.loads(room.at(4).ask("/api/check", text.encode())[1])
            assert not found["ok"]
            assert words in found["mistakes"][0]["text"]
            with opened(room.at(4)) as page:
                page.send("text", text=text, revision=page.events[0]["revision"])
                page.send("begin", playing=True)
                assert words in page.until("error")["lines"][0]
                page.until("over")

    def test_a_run_ends_softly_where_the_class_allows_no_more(self, room: Served) -> None:
        with opened(room.at(4)) as page:
            assert finished(page, LONG) == "this class allows a run 3,000 updates"
            run = Path(next(e["run"] for e in reversed(page.events) if e["kind"] == "scene"))
        summary = read_summary(run)
        assert (summary.status, summary.steps) == ("interrupted", 3000)

    def test_a_full_seat_is_told_so_and_the_rest_goes_on(self, room: Served) -> None:
        seat = room.at(5)
        (seat.runs / "filler").write_bytes(b"x" * 2_000_000)
        assert seat.ask("/api/table?name=x.csv", b"a,b\n" + b"1,2\n" * 50)[0] == 507
        with opened(seat) as page:
            page.send("begin", playing=True)
            assert "2 MB of this session are used" in page.until("error")["lines"][0]
            page.until("over")
            (seat.runs / "filler").unlink()
            page.send("begin", playing=True)
            page.until("reading")
            (seat.runs / "filler").write_bytes(b"x" * 2_000_000)
            assert "2 MB of this session" in page.until("summary")["why"]
            (seat.runs / "filler").unlink()

    def test_limits_are_numbers_with_a_name(self) -> None:
        assert Limits.of(["rows=5", "minutes=0.5"]) == Limits(rows=5, minutes=0.5)
        for wrong in ("row=5", "rows", "rows=-1", "rows=nan", "rows=1e99"):
            with pytest.raises(ConfigError, match="--limit"):
                Limits.of([wrong])
        assert Limits(minutes=2).end_of_run(5, 121.0) == "this class allows a run 2 minutes"
        assert Limits(minutes=2).end_of_run(5, 119.0) is None


class TestParking:
    def test_who_is_idle_is_parked_and_goes_on_where_it_stood(self, room: Served) -> None:
        seat = room.at(1)
        with opened(seat) as page:
            page.send("text", text=LONG, revision=page.events[0]["revision"])
            page.send("begin", playing=False)
            scene = page.until("scene")
            page.send("step", count=5)
            page.until("state", lambda e: e["step"] == 5)
            page.until("parked")
            with pytest.raises(ProcessLookupError):
                os.kill(scene["pid"], 0)
            assert json.loads(room.ask("/api/class")[1])[0]["parked"]
            with opened(seat) as later:
                assert later.until("parked")
            page.send("step", count=2)
            again = page.until("scene")
            assert (again["run"], again["pid"] != scene["pid"]) == (scene["run"], True)
            at = page.until("state", lambda e: e["step"] == 7)
            assert at["running"]
            page.send("stop")
            summary = page.until("summary")
            assert (summary["steps"], summary["status"]) == (7, "interrupted")
            page.until("over")

    def test_a_worker_that_is_killed_is_told_and_the_seat_lives(self, room: Served) -> None:
        with opened(room.at(2)) as page:
            page.send("text", text=LONG, revision=page.events[0]["revision"])
            page.send("begin", playing=False)
            os.kill(page.until("scene")["pid"], signal.SIGKILL)
            assert page.until("died")["code"] == -signal.SIGKILL
            page.send("begin", playing=False)
            page.until("scene")
            page.send("stop")
            page.until("over")


def test_a_server_that_is_killed_comes_back_with_its_addresses_and_texts(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text(LONG)
    with served(tmp_path / "runs", str(tmp_path / "long.yaml"), "--class", "2") as room:
        before = room.token, room.seats
        with opened(room.at(2)) as page:
            page.send("text", text=LONG + "# mine\n", revision=page.events[0]["revision"])
            page.until("text")
            page.send("begin", playing=True)
            run = Path(page.until("scene")["run"])
            page.until("reading", lambda e: e["step"] > 100)
        room.process.kill()
        room.process.wait()
        end = monotonic() + 30
        while read_summary(run).status == "running" and monotonic() < end:
            sleep(0.1)
        found = read_summary(run)
        assert (found.status, found.why) == ("interrupted", "the studio is gone")
    with served(tmp_path / "runs", str(tmp_path / "long.yaml"), "--class", "3") as room:
        assert (room.token, room.seats[:2]) == before
        with opened(room.at(2)) as page:
            assert page.events[0]["text"] == LONG + "# mine\n"
        with opened(room.at(3)) as page:
            assert page.events[0]["text"] == LONG


class TestNames:
    def test_others_may_use_numbers_and_this_machines_own_name(self) -> None:
        fits = names_of("0.0.0.0")
        for name in ("192.168.1.5", "::1", "localhost", socket.gethostname().lower()):
            assert fits(name), name
        for name in ("evil.example", "192.168.1.5.nip.io", "", "localhost.evil.example"):
            assert not fits(name), name
        assert not names_of("127.0.0.1")("192.168.1.5")

    def test_nobody_is_let_in_without_bounds(self) -> None:
        with pytest.raises(ConfigError, match="--class 1"):
            class_of("0.0.0.0", None, [], None)
        with pytest.raises(ConfigError, match="belongs to a class"):
            class_of("127.0.0.1", None, ["rows=5"], None)
        assert class_of("127.0.0.1", None, [], None) is None


def test_more_messages_than_may_be_wait() -> None:
    import asyncio

    async def sent(count: int) -> float:
        loop = asyncio.get_running_loop()
        began, pace = loop.time(), Pace(100.0)
        for _ in range(count):
            await pace.keep()
        return loop.time() - began

    assert asyncio.run(sent(90)) < 0.1
    assert asyncio.run(sent(130)) == pytest.approx(0.3, abs=0.15)
