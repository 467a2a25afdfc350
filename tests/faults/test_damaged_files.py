"""Flips and truncations of every file of a run folder: refused, or nothing that counts changed."""

import json
import random
import shutil
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.__main__ import main
from nnlab.core.errors import NnlabError
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.finished.predict import predict
from nnlab.runs.finished.reopen import load_network
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.listing import list_runs
from nnlab.runs.folder.metrics import read_history
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.observers.findings import read_findings
from nnlab.runs.run import resume, train

CONFIG: dict[str, Any] = {
    "data": {"kind": "moons", "samples": 60},
    "model": {"kind": "mlp", "hidden": [3]},
    "train": {"epochs": 3, "batch_size": 20},
    "log": {"checkpoints": 2},
}
INPUTS = np.linspace(-2, 2, 8, dtype=np.float32).reshape(4, 2)
TIMES = ("samples_per_second",)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(CONFIG, run_dir=tmp_path_factory.mktemp("whole") / "run").run


def scores(run: Path) -> Any:
    return json.dumps(evaluate(run, split="validation"))


def answers(run: Path) -> Any:
    found = predict(run, INPUTS)
    return found.labels, found.outputs.tobytes()


def weights(run: Path) -> Any:
    return {k: v.numpy().tobytes() for k, v in load_network(run).state_dict().items()}


def record(run: Path) -> Any:
    read_summary(run)
    found = read_history(run / "metrics.jsonl")
    return [{k: v for k, v in r.items() if k not in TIMES} for r in found]


def told(run: Path) -> Any:
    """A damaged finding is passed over: a part of what was told, and nothing else."""
    return {finding.name for finding in read_findings(run)} <= TOLD


TOLD = {"no_better_than_baseline", "too_few_updates", "validation_too_small"}
"""What may be found in the run of these tests."""


def gone_on(run: Path) -> Any:
    resume(run, overrides=["train.epochs=4"])
    found = checkpoint.named_checkpoint(run / "checkpoints", "last")
    return {k: v.numpy().tobytes() for k, v in found.tensors.items()}, record(run)


class RefusedError(Exception):
    """A command that ended with the exit code of a refusal."""


def said_by(*words: str | Path) -> str:
    """What a command writes on stdout; the run's place is called HERE."""
    out = StringIO()
    with redirect_stdout(out), redirect_stderr(StringIO()):
        code = main([str(word) for word in words])
    if code not in (0, 7):  # 7: the doctor has found something
        assert code in (2, 3, 4, 6), (words, code)
        raise RefusedError
    return out.getvalue().replace(str(Path(words[1]).parent), "HERE")


def diagnosed(run: Path) -> Any:
    """What the doctor says, but for what it could look at: that a damaged file says aloud."""
    page = json.loads(said_by("doctor", run, "--json", "--yes"))  # whatever the clock says
    return {key: value for key, value in page.items() if not key.endswith("looked_for")}


def compared(run: Path) -> Any:
    return said_by("compare", run, run.parent / "other", "--json")


ACTS: tuple[Callable[[Path], Any], ...] = (
    *(scores, answers, weights, record, told, diagnosed, compared),
    gone_on,  # the last: it changes the run
)


@pytest.fixture(scope="module")
def right(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run = Path(shutil.copytree(whole, tmp_path_factory.mktemp("right") / "run"))
    shutil.copytree(whole, run.parent / "other")
    assert told(run), "the list of what may be found is not whole"
    return {act.__name__: act(run) for act in ACTS}


def files_of(run: Path) -> list[Path]:
    found = [p.relative_to(run) for p in sorted(run.rglob("*")) if p.is_file()]
    return [path for path in found if path.name != "lock"]


def refuses_or_agrees(
    whole: Path, run: Path, right: dict[str, Any], file: Path, data: bytes
) -> None:
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(whole, run)
    if not (run.parent / "other").exists():
        shutil.copytree(whole, run.parent / "other")
    (run / file).write_bytes(data)
    for act in ACTS:
        try:
            found = act(run)
        except RefusedError:
            continue
        except NnlabError as error:
            code = error.exit_code
        else:
            assert found == right[act.__name__], (file, act.__name__)
            continue
        assert code in (2, 3, 4, 6), (file, act.__name__)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def damages(data: bytes, draw: random.Random, flips: int, cuts: int) -> list[bytes]:
    lengths = [0, 1, 8, 100, len(data) // 2, len(data) - 1]
    found = [flipped(data, draw.randrange(8 * len(data))) for _ in range(flips)] if data else []
    return found + [data[:n] for n in draw.sample(lengths, cuts) if n < len(data)]


def test_some_damage(whole: Path, right: dict[str, Any], tmp_path: Path) -> None:
    draw = random.Random(0)
    for file in files_of(whole):
        for data in damages((whole / file).read_bytes(), draw, flips=1, cuts=1):
            refuses_or_agrees(whole, tmp_path / "run", right, file, data)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_much_damage(whole: Path, right: dict[str, Any], tmp_path: Path, seed: int) -> None:
    """1,000 flips and 200 truncations, over all files."""
    draw = random.Random(seed + 1)
    files = files_of(whole)
    for file in files:
        flips = -(-200 // len(files))
        for data in damages((whole / file).read_bytes(), draw, flips=flips, cuts=3):
            refuses_or_agrees(whole, tmp_path / "run", right, file, data)


def test_a_damaged_run_is_listed(
    whole: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path))
    run = Path(shutil.copytree(whole, tmp_path / "net" / "1"))
    for data in (b"", b"[]", b"\xff", b"[" * 100_000, b'{"format": 1, "best": 3}', b"null"):
        (run / "summary.json").write_bytes(data)
        assert [row.status for row in list_runs()] == ["damaged"]
