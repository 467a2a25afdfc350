"""The name that a run gets from that of its config."""

import re
from pathlib import Path

import pytest

from nnlab.config.loading import fitting_name, load_config
from nnlab.config.run_config import RUN_NAME, dump_config


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mnist_mlp", "mnist_mlp"),
        ("a b", "a-b"),
        ("实验一", "实验一"),
        ("실험", "실험"),
        ("übung", "übung"),
        ("u\u0308bung", "übung"),
        ("опыт-2", "опыт-2"),
        ("../..", "run"),
        ("../etc/passwd", "etc-passwd"),
        ("__x", "x"),
        ("🙂", "run"),
        ("a\x1b[31m", "a--31m"),
        ("x" * 300, "x" * 100),
    ],
)
def test_a_name_keeps_its_letters(text: str, name: str) -> None:
    assert fitting_name(text) == name
    assert re.fullmatch(RUN_NAME, name)  # so that the run's own config.yaml can be read again


def test_a_config_with_such_a_name_reads_its_own_file_again(tmp_path: Path) -> None:
    path = tmp_path / "实验一.yaml"
    path.write_text("data: iris\nmodel: {kind: mlp, hidden: [4]}\n")
    config = load_config(str(path))
    assert config.name == "实验一"
    path.write_text(dump_config(config))
    assert load_config(str(path)).name == "实验一"


@pytest.mark.parametrize("name", ["a\u202eb", "a\u061cb", "a\u200bb", "a\x1bb", "a b"])
def test_signs_that_a_terminal_obeys_are_in_no_name(name: str) -> None:
    assert not re.fullmatch(RUN_NAME, name)


def test_a_name_fits_into_a_folder() -> None:
    name = fitting_name("实" * 300)
    assert len(name.encode()) <= 200
    assert set(name) == {"实"}
