import json
from pathlib import Path

import jsonschema
import pytest

from nnlab.commands.check import check_files
from nnlab.commands.new import bundled_table, write_config
from nnlab.config import yaml
from nnlab.config.loading import bundled_configs, load_config
from nnlab.config.variants import COMPARISON_KEYS
from nnlab.core.errors import ConfigError, ResourceError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.chdir(tmp_path)


def test_lists_every_bundled_config_with_a_sentence() -> None:
    text = bundled_table()
    for name in bundled_configs():
        assert f"{name} " in text


def test_writes_the_file_as_it_is_below_a_line_for_editors() -> None:
    assert write_config("xor", None) == "xor.yaml"
    first, rest = Path("xor.yaml").read_bytes().split(b"\n", 1)
    assert rest == bundled_configs()["xor"].read_bytes()
    assert first == b"# yaml-language-server: $schema=nnlab.schema.json"
    assert load_config("xor.yaml").name == "xor"


@pytest.mark.parametrize("name", ["xor", "mnist_cnn", "lessons/perceptron"])
def test_the_schema_that_the_first_line_names_accepts_the_config(name: str) -> None:
    Path("below").mkdir()
    written = Path(write_config(name, Path("below/mine.yaml")))
    text = written.read_text()
    named = text.splitlines()[0].partition("$schema=")[2]
    schema = json.loads((written.parent / named).read_text())
    validator = jsonschema.Draft202012Validator(schema)
    # Of a comparison the part that is one run: the schema is that of a run.
    tree = json.loads(json.dumps(yaml.parse_yaml(text, file="mine.yaml").tree))
    run = {key: value for key, value in tree.items() if key not in COMPARISON_KEYS}
    assert not list(validator.iter_errors(run))
    assert list(validator.iter_errors({**run, "modle": "mlp"}))


def test_a_new_schema_takes_the_place_of_an_old_one() -> None:
    Path("nnlab.schema.json").write_text('{"title": "nnlab config"}')
    write_config("xor", None)
    assert "$defs" in json.loads(Path("nnlab.schema.json").read_text())


@pytest.mark.parametrize("content", ["{}", "[]", "no json"])
def test_what_is_no_schema_is_left_alone(content: str) -> None:
    Path("nnlab.schema.json").write_text(content)
    with pytest.raises(ConfigError, match="is no schema of nnlab's"):
        write_config("xor", None)
    assert Path("nnlab.schema.json").read_text() == content
    assert not Path("xor.yaml").exists()


def test_writes_under_another_name() -> None:
    assert write_config("xor", Path("mine.yaml")) == "mine.yaml"
    assert load_config("mine.yaml").name == "mine"


def test_writes_a_lesson_here_and_not_into_a_folder_that_is_missing() -> None:
    assert write_config("lessons/zero_init", None) == "zero_init.yaml"
    written = Path("zero_init.yaml").read_bytes()
    assert written.partition(b"\n")[2] == bundled_configs()["lessons/zero_init"].read_bytes()


def test_brings_along_the_weights_that_a_lesson_begins_from() -> None:
    weights = Path("digits_0_to_4.safetensors")
    weights.write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"digits_0_to_4.safetensors is another file"):
        write_config("lessons/transfer", None)
    assert not Path("transfer.yaml").exists()
    weights.unlink()
    write_config("lessons/transfer", None)
    assert check_files(["transfer.yaml"], style="text") == 0
    Path("transfer.yaml").unlink()
    write_config("lessons/transfer", None)  # the file that is there is the same


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
