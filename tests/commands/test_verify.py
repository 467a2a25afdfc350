"""`nnlab verify`, and that the commands refuse what it calls damaged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from nnlab.__main__ import main
from nnlab.runs.folder.soundness import file_states
from nnlab.runs.run import train
from nnlab.runs.sums import json_is_sound, open_text, seal_json, seal_text

CONFIG: dict[str, Any] = {
    "data": {"kind": "moons", "samples": 120},
    "model": {"kind": "mlp", "hidden": [4]},
    "train": {"epochs": 3, "batch_size": 20},
    "log": {"checkpoints": 2},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(CONFIG, run_dir=tmp_path_factory.mktemp("whole") / "run").run


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def digit(text: str, after: str) -> str:
    """The text with the first digit behind a word changed."""
    start = text.index(after) + len(after)
    place = next(i for i in range(start, len(text)) if text[i].isdigit())
    return text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]


CHANGES: dict[str, Callable[[str], str]] = {
    "config.yaml": lambda text: digit(text, "samples:"),
    "data.json": lambda text: digit(text, '"shift"'),
    "summary.json": lambda text: digit(text, '"loss"'),
    "env.json": lambda text: text.replace('"threads": 1', '"threads": 2'),
    "metrics.jsonl": lambda text: digit(text, '"loss"'),
    "checkpoints/best": lambda _: "step-00000000\n",
    "checkpoints/last": lambda _: "step-00000000\n",
    "checkpoints/kept": lambda text: text.replace("step-0000001", "step-0000002"),
}
READ_BY: dict[str, list[str]] = {
    "eval": ["config.yaml", "summary.json", "env.json", "checkpoints/best"],
    "predict": ["config.yaml", "summary.json", "data.json", "checkpoints/best"],
    "resume": ["config.yaml", "summary.json", "env.json", "metrics.jsonl", "checkpoints/last"],
}


def states_of(run: Path) -> dict[str, str]:
    return {state.file: state.state for state in file_states(run)}


def test_a_run_is_sound_and_every_number_has_a_sum(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = states_of(run)
    assert set(found.values()) == {"sound"}
    assert found.keys() >= {*CHANGES, "checkpoints/init", "checkpoints/step-00000000"}
    assert main(["verify", str(run)]) == 0
    assert f"{len(found)} sound" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_number_is_found(
    run: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (run / name).read_text()
    changed = CHANGES[name](text)
    assert changed != text
    (run / name).write_text(changed)
    assert states_of(run)[name] == "damaged"
    assert main(["verify", str(run), "--json"]) == 4
    (states,) = json.loads(capsys.readouterr().out).values()
    assert [s["file"] for s in states if s["state"] == "damaged"] == [name]


@pytest.mark.parametrize(
    ("command", "name"), [(c, name) for c, names in READ_BY.items() for name in names]
)
def test_is_refused_by_who_reads_it(
    run: Path, command: str, name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (run / name).write_text(CHANGES[name]((run / name).read_text()))
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    (tmp_path / "rows.csv").write_text("0.1,0.2\n")
    words = {"predict": [str(tmp_path / "rows.csv")], "resume": ["--set", "train.epochs=5"]}
    assert main([command, str(run), *words.get(command, [])]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert Path(name).name in err
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_who_means_to_edit_a_config_is_told_how(
    run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("batch_size: 20", "batch_size: 10"))
    assert main(["eval", str(run)]) == 4
    err = capsys.readouterr().err
    assert f"nnlab train {path}" in err
    assert main(["train", str(path), "--run-dir", str(tmp_path / "new"), "-q"]) == 0
    assert "remove the file's line of # sha256" in err
    first, *rest = path.read_text().splitlines(keepends=True)
    assert first.startswith("# sha256")
    path.write_text("".join(rest))
    assert main(["eval", str(run)]) == 0
    assert states_of(run)["config.yaml"] == "no sum"


def test_a_run_without_sums_still_opens(run: Path) -> None:
    for name in ("summary.json", "data.json", "env.json"):
        values = json.loads((run / name).read_text())
        del values["sha256"]
        values.pop("record", None)
        (run / name).write_text(json.dumps(values))
    (run / "checkpoints" / "pointers.json").unlink()
    (run / "config.yaml").write_text(open_text((run / "config.yaml").read_bytes()).text)
    assert main(["eval", str(run)]) == 0
    found = states_of(run)
    assert found["summary.json"] == found["checkpoints/last"] == found["metrics.jsonl"] == "no sum"
    assert main(["verify", str(run)]) == 0
    assert main(["resume", str(run), "--set", "train.epochs=4", "-q"]) == 0
    assert set(states_of(run).values()) <= {"sound", "no sum"}


def test_a_damaged_summary_is_written_anew_as_the_message_says(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "summary.json").write_text(CHANGES["summary.json"]((run / "summary.json").read_text()))
    assert main(["eval", str(run)]) == 4
    err = capsys.readouterr().err
    words = err.partition("(nnlab ")[2].partition(" writes it anew")[0].split()
    assert main(words) == 0
    assert main(["eval", str(run)]) == 0


class TestSums:
    VALUES: ClassVar[dict[str, Any]] = {
        "a": 1,
        "b": [0.1, 1e-30, None],
        "c": {"d": "é\u2028"},
        "e": (1, 2),
    }

    def test_survives_reading_and_writing(self) -> None:
        found = json.loads(seal_json(self.VALUES, indent=2))
        assert json_is_sound(found)
        assert json_is_sound(json.loads(json.dumps(found, sort_keys=True)))
        assert json_is_sound({"a": 1}) is None

    @pytest.mark.parametrize("change", [{"a": 2}, {"a": 1.0}, {"b": []}, {"new": 0}])
    def test_a_change_of_a_value_is_seen(self, change: dict[str, Any]) -> None:
        assert json_is_sound({**json.loads(seal_json(self.VALUES)), **change}) is False

    def test_every_cut_of_a_text_is_seen(self) -> None:
        """A text that ends early is still YAML: it must not pass for a whole one."""
        text = seal_text("lr: 0.1\nepochs: 3\n", "a hint").encode()
        for length in range(len("# sha256 "), len(text)):
            assert open_text(text[:length]).sound is False

    def test_the_sum_of_an_older_text_stands_at_its_end(self) -> None:
        rest = "lr: 0.1\nepochs: 3\n"
        last = seal_text(rest).partition("\n")[0].replace("below", "above") + "\n"
        assert open_text((rest + last).encode()) == (rest, True)
        assert open_text((rest.replace("3", "4") + last).encode()).sound is False

    def test_every_flip_of_a_text_is_seen(self) -> None:
        text = seal_text("lr: 0.1\nepochs: 3\n", "a hint").encode()
        assert open_text(text) == ("lr: 0.1\nepochs: 3\n", True)
        for bit in range(8 * len(text)):
            changed = bytearray(text)
            changed[bit // 8] ^= 1 << bit % 8
            try:
                found = open_text(bytes(changed))
            except UnicodeDecodeError:
                continue
            # The comment itself says nothing that is read.
            if not found.text.endswith("lr: 0.1\nepochs: 3\n"):
                assert found.sound is False
