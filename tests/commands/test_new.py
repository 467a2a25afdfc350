from pathlib import Path

import pytest

from nnlab.commands.new import bundled_table, write_config
from nnlab.config.loading import bundled_configs, load_config
from nnlab.core.errors import ConfigError, ResourceError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.chdir(tmp_path)


def test_lists_every_bundled_config_with_a_sentence() -> None:
    text = bundled_table()
    for name in bundled_configs():
        assert f"{name} " in text


def test_writes_the_file_as_it_is() -> None:
    assert write_config("xor", None) == "xor.yaml"
    assert Path("xor.yaml").read_bytes() == bundled_configs()["xor"].read_bytes()
    assert load_config("xor.yaml").name == "xor"


def test_writes_under_another_name() -> None:
    assert write_config("xor", Path("mine.yaml")) == "mine.yaml"
    assert load_config("mine.yaml").name == "mine"


def test_writes_a_lesson_here_and_not_into_a_folder_that_is_missing() -> None:
    assert write_config("lessons/zero_init", None) == "zero_init.yaml"
    assert (
        Path("zero_init.yaml").read_bytes() == bundled_configs()["lessons/zero_init"].read_bytes()
    )


def test_does_not_overwrite() -> None:
    Path("xor.yaml").write_text("mine")
    with pytest.raises(ConfigError, match=r"xor\.yaml exists"):
        write_config("xor", None)
    assert Path("xor.yaml").read_text() == "mine"


def test_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean xor"):
        write_config("xorr", None)


def test_says_where_it_cannot_write() -> None:
    with pytest.raises(ResourceError):
        write_config("xor", Path("no/such/folder.yaml"))
