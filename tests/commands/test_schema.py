import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nnlab.commands.schema import schema_text
from nnlab.comparison.comparison import load_comparison, settle_first
from nnlab.config import yaml
from nnlab.config.described import MENUS, language_sections
from nnlab.config.loading import bundled_configs, load_config
from nnlab.config.run_config import dump_config, to_plain
from nnlab.core.errors import ConfigError
from nnlab.core.kinds import Kind, kinds_of

SCHEMA = json.loads(schema_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

XOR = "data: xor\nmodel: linear\n"
MLP = "model: {kind: mlp, hidden: [3]}\n"
VALID = [
    "data: mnist\nmodel: linear\n",
    f"data: xor\n{MLP}loss: auto\nscores: [accuracy, {{kind: top_k, k: 2}}]",
    f"data: {{kind: moons, validation: 0.25, test: {{last: 20}}}}\n{MLP}",
    "data: xor\nmodel: {kind: mlp, hidden: {width: 4, depth: 2}}",
    "data: digits\nmodel: {kind: stack, layers: [flatten, {kind: linear, units: 4, norm: batch}]}",
    f"{XOR}schedule: {{kind: cosine, warmup: 10%}}\ntrain: {{steps: 5, batch_size: full}}",
    f"{XOR}seed: {{all: 1, order: 2}}\noptimizer: {{kind: sgd, lr: 1e-1}}",
    f"{XOR}log: {{every: 5 steps}}\nmodel: cnn".replace("model: linear\n", ""),
    f"{XOR}name: a.b-c_1\ntrain: {{early_stopping: {{patience: 3}}}}",
    f"{XOR}train: {{early_stopping: 10%}}",
    f"{XOR}train: {{early_stopping: 5}}",
]
INVALID = [
    "model: linear",
    "data: mnits\nmodel: linear",
    "data: mnist\nmodel: mlp",
    "data: mnist\nmodel: {hidden: [3]}",
    "data: mnist\nmodel: {kind: mlp, hidden: [3], activation: rellu}",
    "data: mnist\nmodel: {kind: mlp, hidden: [0]}",
    "data: mnist\nmodel: linear\noptimizer: {kind: adam, learning_rate: 0.1}",
    "data: mnist\nmodel: linear\noptimizer: {kind: adam, lr: -1}",
    "data: mnist\nmodel: linear\noptimizer: {kind: adam, lr: '0.1'}",
    "data: mnist\nmodel: linear\nepochs: 3",
    "data: mnist\nmodel: linear\ntrain: {epochs: 0}",
    "data: mnist\nmodel: linear\ntrain: {drop_last: yes}",
    "data: mnist\nmodel: linear\nname: a b",
    "data: mnist\nmodel: linear\ntrain: {early_stopping: -1}",
    "data: mnist\nmodel: linear\ntrain: {early_stopping: true}",
    "data: mnist\nmodel: {kind: stack, layers: []}",
    "[1, 2]",
]


def tree(text: str) -> Any:
    def lists(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: lists(inner) for key, inner in value.items()}
        return [lists(inner) for inner in value] if isinstance(value, tuple) else value

    return lists(yaml.parse_yaml(text, file="test").tree)


def test_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("written", VALID)
def test_accepts_what_nnlab_accepts(written: str) -> None:
    VALIDATOR.validate(tree(written))
    assert load_config(tree(written))


@pytest.mark.parametrize("written", INVALID)
def test_refuses_what_nnlab_refuses(written: str) -> None:
    assert not VALIDATOR.is_valid(tree(written))
    if isinstance(tree(written), dict):
        with pytest.raises(ConfigError):
            load_config(tree(written))


COMPARED = [
    f"{XOR}seeds: 3",
    f"{XOR}variants: {{a: {{optimizer.lr: 0.1}}, b: {{optimizer: adam}}}}",
    "data: xor\nvariants: {a: {model: linear}, b: {model: {kind: mlp, hidden: [2]}}}",
    "base: xor\nseeds: [1, 2]\nexpect: {all: {last loss/train: at_most 1}}",
    f"{XOR}variants: {{a: {{}}, b: {{train.epochs: 2}}}}\n"
    "expect: {a over b: {loss/train: between 0 and 9}}",
]
NOT_COMPARED = [
    "seeds: 3",
    f"{XOR}seeds: 0",
    f"{XOR}variants: {{a b: {{}}}}",
    f"{XOR}variants: {{a: 3}}",
    f"{XOR}expect: {{all: {{loss/train: about 1}}}}",
    f"{XOR}expect: {{all: {{loss/train: not between 0 and 9}}}}",
    f"{XOR}expect: {{all of them: {{loss/train: at_most 1}}}}",
]


@pytest.mark.parametrize("written", COMPARED)
def test_accepts_comparisons(written: str, tmp_path: Path) -> None:
    VALIDATOR.validate(tree(written))
    file = tmp_path / "several.yaml"
    file.write_text(written)
    assert load_comparison(file).compares


@pytest.mark.parametrize("written", NOT_COMPARED)
def test_refuses_comparisons_that_nnlab_refuses(written: str) -> None:
    assert not VALIDATOR.is_valid(tree(written))
    with pytest.raises(ConfigError):
        load_comparison(tree(written))


def test_knows_what_a_variant_can_change_by_its_path() -> None:
    (variant,) = SCHEMA["properties"]["variants"]["anyOf"][0]["patternProperties"].values()
    known = variant["properties"]
    assert known["optimizer.lr"]["description"]
    assert {"model", "model.activation", "train.batch_size", "data.validation"} <= set(known)
    assert not {"seeds", "base", "expect"} & set(known)


@pytest.mark.parametrize("name", list(bundled_configs()))
def test_accepts_every_bundled_config_as_written_and_as_settled(name: str) -> None:
    VALIDATOR.validate(tree(bundled_configs()[name].read_text("utf-8")))
    VALIDATOR.validate(tree(dump_config(settle_first(name).config)))


@pytest.mark.parametrize("menu", ["activations", "losses", "optimizers", "schedules"])
def test_accepts_the_example_of_every_kind(menu: str) -> None:
    union, where = MENUS[menu]
    for kind in kinds_of(union).values():
        config: dict[str, Any] = {"data": "xor", "model": {"kind": "mlp", "hidden": [2]}}
        section, _, field = where.partition(".")
        plain = to_plain(kind.example())
        config[section] = {**config[section], field: plain} if field else plain
        VALIDATOR.validate(config)


def test_every_class_and_documented_field_has_its_help() -> None:
    definitions = SCHEMA["$defs"]
    assert all(definition["description"] for definition in definitions.values())
    assert definitions["RegularizeConfig"]["properties"]["on"]["description"]
    assert definitions["SgdConfig"]["properties"]["lr"]["description"]


def test_every_kind_is_chosen_by_its_name() -> None:
    kinds = [cls for cls in language_sections() if issubclass(cls, Kind)]
    required = [d for d in SCHEMA["$defs"].values() if "kind" in d.get("required", ())]
    assert len(required) == len(kinds)
