"""What the README shows is what happens: its Python runs as it stands, its configs are right."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from nnlab.commands.check import check_files
from nnlab.comparison.group import settle_source
from nnlab.config.loading import Text

README = Path(__file__).parents[1] / "README.md"
BLOCKS: list[tuple[str, str]] = re.findall(r"```(\w+)\n(.*?)```", README.read_text(), re.DOTALL)
YAML = [text for language, text in BLOCKS if language == "yaml" and "\ndata:" in f"\n{text}"]


@pytest.mark.parametrize("text", YAML, ids=lambda text: text.splitlines()[0])
def test_configs_are_written_right(text: str, tmp_path: Path) -> None:
    group, _ = settle_source(Text(text, "README.md", tmp_path, "readme"), [])
    assert group.compares == ("variants:" in text)


def test_the_notebook_runs_word_for_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path))
    block, *_ = [text for language, text in BLOCKS if language == "python"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(block, str(README), "exec"), {})
    lines = said.getvalue().splitlines()
    assert lines[0].startswith("{'split': 'validation', 'epoch': ")
    assert "'accuracy': 0.9" in lines[1]
    # The comment beside the line says what it prints.
    (promised,) = re.findall(r"\.labels\)  # (.*)", block)
    assert lines[2] == promised
    assert lines[-1].startswith("Stopped(status='completed'")


def test_mistakes_are_told_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = [text for _, text in BLOCKS if "$ cat wrong.yaml" in text]
    _, config, told = re.split(r"\$ .*wrong\.yaml\n", block)
    (tmp_path / "wrong.yaml").write_text(config)
    monkeypatch.chdir(tmp_path)
    check_files(["wrong.yaml"], style="text")
    assert "".join(capsys.readouterr()) == told
