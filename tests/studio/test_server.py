"""The server: who may ask, what two tabs see, and what is left when something is killed."""

import gzip
import json
import os
import signal
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep
from urllib.request import Request, urlopen

import pytest
from studio_serving import Page, Served, opened, served
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import nnlab
from nnlab.config.loading import bundled_configs
from nnlab.runs.folder.summary import read_summary
from nnlab.studio.page_files import STATIC

LONG = """\
# A run that goes on until somebody ends it.
data: {kind: blobs, samples: 200}
model: {kind: mlp, hidden: [8]}   # small
train: {epochs: 100000, batch_size: 20, compile: off}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("studio")
    (folder / "long.yaml").write_text(LONG)
    with served(folder / "runs", str(folder / "long.yaml")) as found:
        yield found


class TestWhoMayAsk:
    def test_the_page_is_given_out_with_a_policy_and_holds_no_secret(self, server: Served) -> None:
        status, text = server.ask("/", x_studio_token="")
        assert status == 200
        assert server.token not in text
        assert "unsafe" not in text

    def test_without_the_token_nothing_is_told(self, server: Served) -> None:
        assert server.ask("/api/configs", x_studio_token="")[0] == 401
        assert server.ask("/api/configs", x_studio_token=server.token[:-1])[0] == 401
        assert server.ask("/api/configs")[0] == 200

    def test_under_another_name_or_from_another_page_nothing_is_told(self, server: Served) -> None:
        assert server.ask("/", host="evil.example")[0] == 400
        assert server.ask("/api/check", b"data: xor", origin="http://evil.example")[0] == 403
        assert server.ask("/api/configs", origin="http://evil.example")[0] == 403
        assert server.ask("/api/check", b"data: xor", origin=f"http://{server.host}")[0] == 200

    def test_a_socket_from_another_page_is_refused(self, server: Served) -> None:
        for origin in ("http://evil.example", None):
            with pytest.raises(InvalidStatus) as caught:
                connect(f"ws://{server.host}/socket", origin=origin)  # pyright: ignore[reportArgumentType]
            assert caught.value.response.status_code == 403

    def test_a_socket_without_the_token_hears_nothing(self, server: Served) -> None:
        with pytest.raises(ConnectionClosed), opened(server, token="wrong"):
            pass

    def test_no_path_leads_out_of_the_files_of_the_page(self, server: Served) -> None:
        for path in ("../app.py", "%2e%2e/serve.py", "..%2fserve.py", "//etc/passwd"):
            assert server.ask(f"/static/{path}")[0] == 404
        with opened(server) as page:
            page.send("open", name="../../etc/passwd", revision=page.events[0]["revision"])
            page.send("text", text=3, revision="x")  # what is answered
            assert page.until("conflict")["name"] == "long"

    def test_what_is_sent_packed_is_what_is_in_the_file(self, server: Served) -> None:
        for name in ("app.js", "style.css", "icon.svg"):
            request = Request(
                f"http://{server.host}/static/{name}", headers={"Accept-Encoding": "gzip"}
            )
            with urlopen(request) as answer:
                assert answer.headers["content-encoding"] == "gzip"
                packed = answer.read()
            text = gzip.decompress(packed).decode()
            assert text == (STATIC / name).read_text() == server.ask(f"/static/{name}")[1]
        assert server.ask("/static/index.html")[0] == 404

    def test_what_is_too_long_or_no_text_is_refused_and_the_server_lives(
        self, server: Served
    ) -> None:
        assert server.ask("/api/check", b"#" * 1_000_001)[0] in (413, 0)
        assert server.ask("/api/check", b"\xff\xfe")[0] == 400
        assert server.ask("/api/edit", b"[1, 2]")[0] == 400
        assert server.ask("/api/check", b"data: [" * 100)[0] == 200
        assert server.ask("/api/definition?key=nothing")[0] == 404

    def test_messages_that_are_none_are_passed_over(self, server: Served) -> None:
        with opened(server) as page:
            page.socket.send("{")
            page.socket.send("[1]")
            page.send("dance")
            page.send("text", text=3, revision="x")
            assert page.until("conflict")["text"]


class TestText:
    def test_a_mistake_has_its_place_and_its_cure(self, server: Served) -> None:
        wrong = LONG.replace("hidden: [8]", "hidden: [8], activation: rellu")
        found = json.loads(server.ask("/api/check", wrong.encode())[1])
        (mistake,) = found["mistakes"]
        assert (mistake["line"], mistake["column"]) == (3, wrong.split("\n")[2].index("rellu") + 1)
        assert mistake["fix"]["says"] == "Write relu"
        cured = mistake["fix"]["text"]
        assert cured == wrong.replace("rellu", "relu")
        assert json.loads(server.ask("/api/check", cured.encode())[1])["ok"]

    def test_the_later_of_two_edits_gets_the_text_and_may_try_again(self, server: Served) -> None:
        with opened(server) as one, opened(server) as two:
            revision = one.events[0]["revision"]
            one.send("text", text=LONG + "# one\n", revision=revision)
            assert two.until("text")["text"].endswith("# one\n")
            two.send("text", text=LONG + "# two\n", revision=revision)
            found = two.until("conflict")
            assert found["text"].endswith("# one\n")
            two.send("text", text=LONG, revision=found["revision"])
            assert one.until("text", lambda e: not e["own"])["text"] == LONG


class TestRuns:
    def test_two_tabs_follow_and_steer_and_a_third_hears_it_all(self, server: Served) -> None:
        with opened(server) as one, opened(server) as two:
            one.send("begin", playing=False)
            for page in (one, two):
                page.until("scene")
                page.send("watch", pictures=["decision boundary"])
            two.send("step", count=3)
            at = one.until("state", lambda e: e["step"] == 3)
            assert not at["playing"]
            one.send("play")
            two.until("reading", lambda e: e["step"] > 100)
            one.send("pause")
            held = one.until("state", lambda e: not e["playing"] and e["step"] > 3)
            two.until("state", lambda e: e == held)
            assert one.frames > 1
            with opened(server) as three:
                told = [e for e in three.events if e["kind"] == "reading"]
                heard = [e for e in one.events if e["kind"] == "reading"]
                assert told == heard
            one.send("stop")
            assert one.until("summary")["status"] == "interrupted"

    def test_a_tab_that_never_paints_gets_two_frames_and_training_goes_on(
        self, server: Served
    ) -> None:
        with opened(server) as page:
            page.send("begin", playing=True)
            page.until("scene", paints=False)
            first = page.until("reading", lambda e: e["step"] > 0, paints=False)["step"]
            page.until("reading", lambda e: e["step"] > first + 2000, paints=False)
            assert page.frames <= 2
            page.send("stop")
            page.until("over", paints=False)

    def test_a_worker_that_is_killed_is_told_and_its_run_stays(self, server: Served) -> None:
        with opened(server) as page:
            page.send("begin", playing=True)
            worker = page.until("scene")["pid"]
            start = page.until("start")
            page.until("reading", lambda e: e["step"] > 500)
            os.kill(worker, signal.SIGKILL)
            assert page.until("died")["code"] == -signal.SIGKILL
            run = Path(start["folder"])
            assert read_summary(run).status == "running"
            assert (run / "checkpoints").is_dir()
            page.send("begin", playing=False)
            page.until("scene")
            page.send("stop")
            page.until("over")


class TestForks:
    def test_a_change_goes_on_from_now_and_the_run_before_stays(self, server: Served) -> None:
        with opened(server) as page:
            page.send("begin", playing=False)
            parent = Path(page.until("scene")["run"])
            page.send("step", count=5)
            page.until("state", lambda e: e["step"] == 5)
            page.send("fork", step="last", changes=["optimizer.lr=0.5"], playing=False)
            told = page.until("forked")
            assert (told["step"], told["run"]) == (5, f"long/{parent.name}")
            assert {r["step"] for r in told["readings"]} == {0}
            new = Path(page.until("scene")["run"])
            # A soft stop makes no update more.
            assert (read_summary(parent).status, read_summary(parent).steps) == ("interrupted", 5)
            assert page.until("reading")["step"] == 5
            text = next(e for e in reversed(page.events) if e["kind"] == "text")["text"]
            assert f"start: {{run: long/{parent.name}, step: 5}}" in text
            assert "# small" in text
            assert "lr: 0.5" in (new / "config.yaml").read_text()
            with opened(server) as later:
                assert [e for e in later.events if e["kind"] == "forked"] == [told]
            edit = {"parameter": "hidden1.weight", "at": [2, 1], "value": 9.0}
            page.send("fork", step="init", edits=[edit], playing=False)
            again = page.until("forked")
            assert (again["step"], again["run"]) == (5, f"long/{new.name}")
            assert "value: 9.0" in (Path(page.until("scene")["run"]) / "config.yaml").read_text()
            page.send("stop")
            page.until("over")
            page.send("text", text=LONG, revision=page_revision(page))

    def test_what_does_not_fit_is_refused_and_the_run_goes_on(self, server: Served) -> None:
        with opened(server) as page:
            page.send("begin", playing=False)
            page.until("reading")
            page.send("fork", step="last", changes=["optimizer.lr=-1"], playing=True)
            assert "must be greater than 0" in page.until("refused")["why"]
            page.send("fork", step=77, playing=True)
            assert "no checkpoint of update 77 (it has 0)" in page.until("refused")["why"]
            found = json.loads(server.ask("/api/checkpoints")[1])
            assert found == [{"step": 0, "epoch": 0.0, "names": ["last", "best", "init"]}]
            page.send("step", count=1)
            page.until("state", lambda e: e["step"] == 1)
            page.send("text", text=LONG, revision=page_revision(page))

    @pytest.mark.slow
    def test_a_run_that_is_over_goes_on_for_twice_as_long(self, server: Served) -> None:
        with opened(server) as page:
            short = LONG.replace("epochs: 100000", "epochs: 3")
            page.send("text", text=short, revision=page_revision(page))
            page.until("text", lambda e: e["text"] == short)
            page.send("begin", playing=True)
            page.until("summary", lambda e: e["status"] == "completed")
            page.until("over")
            page.send("fork", step="last", playing=True)
            page.until("forked")
            assert "epochs: 6" in next(
                e["text"] for e in reversed(page.events) if e["kind"] == "text"
            )
            assert page.until("summary")["status"] == "completed"
            page.until("over")
            page.send("text", text=LONG, revision=page_revision(page))


def bytes_of(run: Path) -> dict[str, str]:
    return {
        str(path.relative_to(run)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.is_file()
    }


def test_a_run_is_opened_as_it_was_and_gone_on_from(tmp_path: Path) -> None:
    config = {
        "name": "kept",
        "data": {"kind": "blobs", "samples": 200},
        "model": {"kind": "mlp", "hidden": [8]},
        "train": {"steps": 40, "batch_size": 20, "compile": "off"},
        "log": {"checkpoints": "10 steps"},
    }
    run = nnlab.train(config, run_dir=tmp_path / "runs" / "kept" / "1", device="cpu").run
    before = bytes_of(run)
    record = (run / "metrics.jsonl").read_text().splitlines()
    with served(tmp_path / "runs", str(run)) as server, opened(server) as page:
        scene = page.until("scene")
        assert (scene["run"], scene["replay"]) == (str(run.resolve()), [0, 10, 20, 30, 40])
        assert page.until("summary")["status"] == "completed"
        told = [e for e in page.events if e["kind"] == "reading"]
        assert [e["step"] for e in told] == [json.loads(line)["step"] for line in record]
        assert page.until("state", lambda e: e["step"] == 40)["running"]
        page.send("seek", step=20)
        page.until("state", lambda e: e["step"] == 20)
        page.send("play")
        page.until("state", lambda e: e["step"] == 40 and not e["playing"])
        listed = json.loads(server.ask("/api/runs")[1])
        assert [each["name"] for each in listed] == ["kept/1"]
        curves = json.loads(server.ask("/api/curves?run=kept/1")[1])
        assert len(curves["readings"]) == len(record)
        assert server.ask("/api/curves?run=../../etc")[0] == 404
        page.send("fork", step=20, changes=["optimizer.lr=0.5"], playing=True)
        assert page.until("forked")["step"] == 20
        new = Path(page.until("scene")["run"])
        assert page.until("summary", lambda e: e["steps"] == 40)["status"] == "completed"
        assert json.loads((new / "env.json").read_text())["start"]["run"] == "kept/1"
        page.until("over")
        page.send("open", run="kept/1", revision=page_revision(page))
        assert page.until("scene")["run"] == str(run.resolve())
        page.send("open", run="../../etc", revision=page_revision(page))
        page.send("text", text=3, revision="x")
        assert page.until("conflict")["name"] == "kept"
    assert bytes_of(run) == before


class TestTables:
    def test_a_table_is_kept_beside_the_runs_and_can_be_trained_on(self, server: Served) -> None:
        rows = "".join(f"{n},{n % 7},{'yes' if n % 2 else 'no'}\n" for n in range(60))
        content = f"width,height,ripe\n{rows}".encode()
        status, answer = server.ask("/api/table?name=../../etc/my%20fruit.CSV", content)
        assert status == 200
        found = json.loads(answer)
        path = Path(found["path"])
        assert (found["columns"], found["target"]) == (["width", "height", "ripe"], "ripe")
        assert path.parent.name == "tables"
        assert path.name.startswith("my-fruit-")
        assert path.read_bytes() == content
        text = f"data: {{kind: csv, path: {path}, target: ripe}}\nmodel: linear\n"
        checked = json.loads(server.ask("/api/check", text.encode())[1])
        assert (checked["ok"], checked["classes"]) == (True, ["no", "yes"])

    @pytest.mark.parametrize(
        "content", [b"", b"a,b\n", b"a\n1\n", b"a,\n1,2\n", b"\xff\xfe,1\n2,3\n"]
    )
    def test_what_is_no_table_is_refused_in_words(self, server: Served, content: bytes) -> None:
        status, answer = server.ask("/api/table?name=x.csv", content)
        assert status == 400
        assert answer.startswith("x.csv: ")

    def test_it_needs_the_token_and_has_an_end(self, server: Served) -> None:
        assert server.ask("/api/table?name=x.csv", b"a,b\n1,2\n", x_studio_token="")[0] == 401
        assert server.ask("/api/table?name=x.csv", b"a,b\n" + b"1,2\n" * 5_000_001)[0] in (413, 0)


def page_revision(page: Page) -> int:
    return next(e["revision"] for e in reversed(page.events) if "revision" in e)


class TestOpening:
    def test_an_opened_config_brings_its_own_name_and_the_first_comes_back(
        self, server: Served
    ) -> None:
        with opened(server) as page:
            start = page.events[0]
            page.send("open", name="xor", revision=start["revision"])
            found = page.until("text")
            assert (found["name"], found["own"]) == ("xor", False)
            assert found["text"] == bundled_configs()["xor"].read_text()
            page.send("begin", playing=False)
            assert Path(page.until("start")["folder"]).parent.name == "xor"
            page.send("stop")
            page.until("over")
            page.send("open", name="", revision=found["revision"])
            back = page.until("text", lambda e: e["name"] == start["first"])
            assert back["text"] == LONG


def test_killing_the_server_stops_the_worker_softly(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text(LONG)
    with served(tmp_path / "runs", str(tmp_path / "long.yaml")) as server:
        with opened(server) as page:
            page.send("begin", playing=True)
            start = page.until("start")
            page.until("reading", lambda e: e["step"] > 200)
            server.process.kill()
            server.process.wait()
        run, end = Path(start["folder"]), monotonic() + 60
        while read_summary(run).status == "running" and monotonic() < end:
            sleep(0.1)
        found = read_summary(run)
        assert (found.status, found.why) == ("interrupted", "the studio is gone")
        assert (run / "checkpoints" / "last").exists()
