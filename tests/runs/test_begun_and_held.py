"""Starts that were cut, folders that are held, signals that end a run: what is true afterwards."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import nnlab
from nnlab.__main__ import main
from nnlab.config.loading import load_config
from nnlab.core.errors import ConfigError, ResourceError
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.find import in_use
from nnlab.runs.folder.folder import lock_folder
from nnlab.runs.folder.listing import list_runs
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.run import train
from nnlab.training.loop import Trainer

CONFIG: dict[str, Any] = {
    "data": {"kind": "moons", "samples": 100},
    "model": {"kind": "mlp", "hidden": [4]},
    "train": {"epochs": 2, "batch_size": 20},
}


class TestACutStart:
    @pytest.mark.parametrize(
        "left",
        [
            ["lock"],
            ["lock", "config.yaml.tmp-77"],
            ["lock", "config.yaml.tmp-77", "source.yaml.tmp-1"],
        ],
        ids=len,
    )
    @pytest.mark.parametrize("resume", [True, False])
    def test_is_a_start(self, tmp_path: Path, left: list[str], resume: bool) -> None:
        folder = tmp_path / "run"
        folder.mkdir()
        for name in left:
            (folder / name).write_text("half of it")
        assert train(CONFIG, run_dir=folder, resume=resume).status == "completed"
        assert not list(folder.rglob("*.tmp-*"))

    @pytest.mark.parametrize("stranger", ["thesis.tmp-7", "config.yaml.tmp", "a.txt"])
    def test_is_not_what_others_left(self, tmp_path: Path, stranger: str) -> None:
        (tmp_path / stranger).write_text("mine")
        with pytest.raises(ConfigError, match="is not empty"):
            train(CONFIG, run_dir=tmp_path, resume=True)
        assert (tmp_path / stranger).read_text() == "mine"

    def test_before_the_first_weights_have_their_name_gets_all_three(self, tmp_path: Path) -> None:
        run = train(CONFIG, run_dir=tmp_path / "run").run
        folder = run / "checkpoints"
        for path in [*folder.glob("step-0000000[1-9]"), *folder.glob("step-000000[1-9]*")]:
            subprocess.run(["rm", "-r", str(path)], check=True)
        for name in ("init", "last", "best", "pointers.json"):
            (folder / name).unlink()
        (folder / "step-00000000").rename(folder / "step-00000000.tmp-123")
        (run / "metrics.jsonl").unlink()
        (run / "summary.json").unlink()
        train(CONFIG, run_dir=run, resume=True)
        assert checkpoint.named_checkpoint(folder, "init").step == 0
        assert checkpoint.named_checkpoint(folder, "last").step == 8


class TestAHeldFolder:
    def test_is_held_though_its_lock_file_is_removed(self, tmp_path: Path) -> None:
        run = tmp_path / "run"
        code = (
            "import sys; from pathlib import Path; from nnlab.runs.folder.folder import *\n"
            "with lock_folder(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"held\n"
            (run / "lock").unlink()
            assert in_use(run)
            with pytest.raises(ResourceError, match="in use"), lock_folder(run):
                pass
            other.communicate(b"")
        assert not in_use(run) if run.exists() else True
        with lock_folder(run):
            pass

    def test_is_not_refused_because_somebody_looks(self, tmp_path: Path) -> None:
        run, stop = train(CONFIG, run_dir=tmp_path / "run").run, threading.Event()

        def look() -> None:
            while not stop.is_set():
                in_use(run)

        looking = threading.Thread(target=look)
        looking.start()
        try:
            for _ in range(20):
                with lock_folder(run):
                    pass
        finally:
            stop.set()
            looking.join()


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int, number: int) -> None:
    ended = Trainer.ended

    def stopping(self: Trainer, progress: Any) -> Any:
        if progress.step >= steps:
            signal.raise_signal(number)
        return ended(self, progress)

    monkeypatch.setattr(Trainer, "ended", stopping)


class TestASignal:
    def test_to_a_loop_over_runs_ends_the_loop(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda number, _: taken.append(number))
        try:
            stop_after(monkeypatch, 4, signal.SIGTERM)
            nnlab.train(CONFIG, run_dir=tmp_path / "run")
        finally:
            signal.signal(signal.SIGTERM, before)
        assert taken == [signal.SIGTERM]
        assert read_summary(tmp_path / "run").status == "interrupted"

    def test_by_hand_is_a_keyboard_interrupt_behind_the_save(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stop_after(monkeypatch, 4, signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            nnlab.train(CONFIG, run_dir=tmp_path / "run")
        assert checkpoint.named_checkpoint(tmp_path / "run" / "checkpoints", "last").step >= 4

    def test_loses_no_example_of_the_chunk_that_it_cuts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        update, count = nnlab_update(), 0

        def counted(self: Any, rows: Any) -> None:
            nonlocal count
            update(self, rows)
            count += 1
            if count == 6:
                os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr("nnlab.training.eager_step.EagerStep.update", counted)
        config = {**CONFIG, "log": {"every": "100 steps"}, "train": {"epochs": 9, "batch_size": 5}}
        train(config, run_dir=tmp_path / "run")
        found = checkpoint.named_checkpoint(tmp_path / "run" / "checkpoints", "last").state
        assert found["progress"]["examples"] == 5 * found["progress"]["step"] > 0
        assert found["progress"]["train_seconds"] > 0


def nnlab_update() -> Any:
    from nnlab.training.eager_step import EagerStep

    return EagerStep.update


class TestBaseOnTheCommandLine:
    def test_takes_the_place_of_the_file_s(self, tmp_path: Path) -> None:
        for name, lr in (("one", 0.1), ("two", 0.2)):
            text = f"data: xor\nmodel: linear\noptimizer: {{kind: adam, lr: {lr}}}\n"
            (tmp_path / f"{name}.yaml").write_text(text)
        top = tmp_path / "top.yaml"
        top.write_text("base: one.yaml\ntrain: {epochs: 7}\n")
        assert load_config(top).optimizer.lr == 0.1
        found = load_config(top, ["base=two.yaml"])
        assert (found.optimizer.lr, found.train.epochs) == (0.2, 7)
        with pytest.raises(ConfigError, match="data: is missing"):
            load_config(top, ["base=null"])
        with pytest.raises(ConfigError, match=r"--set base=none.yaml: .*no such file"):
            load_config(top, ["base=none.yaml"])


class TestADiskThatIsFull:
    @pytest.mark.parametrize("name", ["metrics.jsonl", "step-00000000", "events"])
    def test_before_the_first_step_is_a_failed_run_that_names_the_first_file(
        self,
        tmp_path: Path,
        name: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        from nnlab.core import files
        from nnlab.runs.folder.metrics import JsonLines

        def full(*args: Any, **kwargs: Any) -> Any:
            raise OSError(28, "No space left on device")

        if name == "metrics.jsonl":
            monkeypatch.setattr(JsonLines, "_mend", full)
        elif name == "events":
            monkeypatch.setattr("nnlab.runs.recorder.Examiner", full)
        else:
            monkeypatch.setattr(files, "_write_new", full)
        if name == "step-00000000":
            monkeypatch.undo()
            new = files._write_new  # pyright: ignore[reportPrivateUsage]

            def full_for_weights(path: Path, data: bytes) -> None:
                if path.suffix == ".safetensors":
                    full()
                new(path, data)

            monkeypatch.setattr(files, "_write_new", full_for_weights)
        (tmp_path / "c.yaml").write_text(
            "data: {kind: moons, samples: 100}\nmodel: {kind: mlp, hidden: [4]}\n"
        )
        run = tmp_path / "run"
        assert main(["train", str(tmp_path / "c.yaml"), "--run-dir", str(run), "-q"]) == 6
        err = capsys.readouterr().err.lower()
        assert "no space left on device" in err
        assert "summary.json" not in err
        found = read_summary(run)
        assert found.status == "failed"
        assert not [row for row in list_runs() if row.status == "running"]
