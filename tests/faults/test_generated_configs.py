"""What check accepts, training takes; and nothing that anybody writes ends in exit 1."""

import json
import random
from collections import Counter
from functools import cache
from io import StringIO
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from faults.generated import Drawn, mutated, without_mistakes
from ruamel.yaml import YAML

from nnlab.__main__ import main
from nnlab.commands.schema import schema_text
from nnlab.comparison.comparison import settle_source
from nnlab.core.errors import NnlabError

CHECKED = (0, 2, 3)
TRAINED = (0, 5)
"""Done, or diverged, which no check can know."""


@cache
def schema() -> Any:
    return json.loads(schema_text())


def drawn_text(draw: random.Random) -> str:
    """A config; nearly all are accepted, as what check refuses is taken out a few times."""
    config = Drawn(schema(), draw).config()
    for _ in range(8):
        try:
            settle_source(config)
        except NnlabError as error:
            if not without_mistakes(config, error.lines):
                break
        else:
            break
    text = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.width = 1000
    yaml.dump(config, text)
    return text.getvalue()


def checked_then_trained(
    text: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, int | None]:
    """The exit codes of check and of two updates; None where check refuses."""
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    start = process_time()
    code = main(["check", str(path)])
    seconds = process_time() - start
    said = capsys.readouterr()
    assert code in CHECKED, (text, said)
    assert seconds < 3.0, (text, seconds)
    if code != 0:
        return code, None
    words = ["train", str(path), "-q", "--run-dir", str(folder / "run")]
    trained = main([*words, "--set", "train.steps=2", "--set", "train.epochs=null"])
    said = capsys.readouterr()
    assert trained in TRAINED, (text, said)
    return code, trained


def several(
    count: int, seed: int, folder: Path, capsys: pytest.CaptureFixture[str], *, changed: bool
) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for number in range(count):
        draw = random.Random(f"{seed}/{number}")
        place = folder / str(number)
        place.mkdir()
        text = drawn_text(draw)
        if changed:
            text = mutated(text, draw)
        found[checked_then_trained(text, place, capsys)] += 1
    return found


@pytest.mark.parametrize("changed", [False, True])
def test_some_configs(tmp_path: Path, changed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    several(12, 0, tmp_path, capsys, changed=changed)


@pytest.mark.slow
@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("seed", range(1, 7))
def test_many_configs(
    tmp_path: Path, seed: int, changed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """600 that are drawn and 600 that are changed."""
    found = several(100, seed, tmp_path, capsys, changed=changed)
    # Else the test would be about refusing alone: 41 to 55 of 100 mutations were accepted.
    assert sum(n for (code, _), n in found.items() if code == 0) >= 30, found
