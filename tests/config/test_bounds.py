"""Large and odd files: refused or told in time, and nothing is opened that is no file."""

import json
import os
from pathlib import Path
from time import process_time

import pytest

from nnlab.__main__ import main
from nnlab.config.loading import load_config
from nnlab.core.errors import ConfigError

HEAD = "data: xor\nmodel: linear\n"


def config_of(folder: Path, lines: list[str]) -> Path:
    path = folder / "large.yaml"
    path.write_text(HEAD + "\n".join(lines) + "\n")
    assert path.stat().st_size < 1 << 20
    return path


LARGE = {
    "unknown keys": [f"key_number_{i}: 1" for i in range(19_990)],
    "nearly known keys": [f"optimizer{i}: 1" for i in range(19_990)],
    "unknown keys in a section": ["train:", *(f"  epochs_{i}: 1" for i in range(19_990))],
    "variants": ["variants:", *(f"  v{i}: {{optimizer.lr: 0.1}}" for i in range(5_000))],
    "wrong variants": ["variants:", *(f"  v{i}: {{optimiser.lr: 0.1}}" for i in range(5_000))],
    "wrong keys below the limit": [f"key_number_{i}: 1" for i in range(1_990)],
    "lists in lists": ["foo:", *("- " * 60 + "1" for _ in range(7_000))],
    "brackets": ["foo:", *("- " + "[" * 30 + "]" * 30 for _ in range(14_000))],
    "mappings": ["foo:", *("- {a: 1, b: 2}" for _ in range(9_990))],
    "a list": ["foo: [" + "1, " * 19_990 + "]"],
    "a folded text": ["foo: " + ("x " * 40 + "\n      ") * 10_000],
    "a long word": ["optimizer: " + "abc" * 300_000],
    "a long number": ["seed: " + "9" * 900_000],
    "one score again and again": ["scores: [" + "accuracy, " * 9_000 + "]"],
    "tag": ["a: !" + "x" * 900_000 + " 1"],
    "words": ["a: " + "x " * 400_000],
    "apostrophes": ["a: " + "'" * 900_000],
    "other line breaks": ["a: 'x" + "\r" * 900_000 + "'"],
    "a path": ["data: {kind: npz, path: " + "x/" * 450_000 + "}"],
    "a path of a base": ["base: " + "x/" * 450_000],
    "unknown layers": ["model: {kind: stack, layers: [" + "lineer, " * 4_900 + "]}"],
    "values left out": [
        "model: {kind: stack, layers: [" + "{kind: residual, branch: [a]}, " * 2_400 + "]}"
    ],
    "lists in variants": [
        "variants: {"
        + ", ".join(f"v{i}: {{model.hidden: [{'3, ' * 80}1]}}" for i in range(95))
        + "}"
    ],
    "expectations": ["expect:", *(f"  v{i}: {{loss/train: above 1}}" for i in range(5_000))],
}


@pytest.fixture(scope="module")
def _imported() -> None:
    """What is imported is not what is measured."""
    with pytest.raises(ConfigError):
        load_config({"data": "xor", "model": {"kind": "stack", "layers": ["a"]}, "x": 1})


@pytest.mark.parametrize("what", LARGE)
@pytest.mark.usefixtures("_imported")
def test_a_large_file_is_judged_in_time(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = LARGE[what]
    path = config_of(tmp_path, lines)
    if lines[0].partition(":")[0] in ("data", "model"):
        head = HEAD.replace({"d": "data: xor\n", "m": "model: linear\n"}[lines[0][0]], "")
        path.write_text(head + "\n".join(lines) + "\n")
    start = process_time()
    assert main(["check", str(path)]) in (2, 3)
    assert max(map(len, capsys.readouterr().err.splitlines())) < 500
    # A second on a machine of one's own. Each took more than thirty.
    assert process_time() - start < 2.5


def test_of_very_many_mistakes_the_first_in_the_file_are_explained(tmp_path: Path) -> None:
    lines = [f"unknown_{i}: 1" for i in range(500)]
    path = config_of(tmp_path, [*lines[:250], "optimizr: adam", *lines[250:]])
    text = path.read_text().replace("data: xor\n", "datta: xor\n")
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert "large.yaml:1:1: datta: unknown key (did you mean data?)" in caught.value.lines[0]
    assert all("known are" in line for line in caught.value.lines[1:10])
    assert caught.value.lines[10] == "... and 492 more"
    assert not any("is missing" in line for line in caught.value.lines)


@pytest.mark.skipif(os.name == "nt", reason="has no such files")
@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "folder", "a\0b", "\ud800", "x" * 300])
@pytest.mark.parametrize("where", ["config", "base", "run"])
def test_what_is_no_file_is_no_file(
    tmp_path: Path, name: str, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    path = name if name.startswith("/") else f"{tmp_path}/{name}"
    if where == "base":
        top = tmp_path / "top.yaml"
        top.write_text(f"base: {json.dumps(path)}\n{HEAD}")
        path = str(top)
    words = ["runs", "rm", path] if where == "run" else ["check", path]
    assert main(words) == 2
    assert "bug" not in capsys.readouterr().err


LONG = "model: {kind: stack, layers: [" + "{kind: linear, units: 3}, " * 900 + "]}"


def test_the_networks_of_a_comparison_have_a_bounded_number_of_layers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "long.yaml"
    changes = [f"  v{i}: {{model.dropout: 0.{i + 1:03d}}}" for i in range(23)]
    path.write_text("\n".join(["data: moons", LONG, "variants:", *changes]) + "\n")
    assert main(["check", str(path)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    # 900 linear layers and the output.
    text = "variants: the networks of the first 23 have 20,723 layers, at most 20,000 go into"
    assert f"{path}:4:3: {text} one comparison (use several files)" == told[0]
    path.write_text("\n".join(["data: moons", LONG, "variants:", *changes[:22]]) + "\n")
    assert main(["check", str(path)]) == 0


def test_variants_of_the_same_network_count_once(tmp_path: Path) -> None:
    path = tmp_path / "rates.yaml"
    changes = [f"  v{i}: {{optimizer.lr: 0.{i + 1:03d}}}" for i in range(95)]
    path.write_text("\n".join(["data: moons", LONG, "variants:", *changes]) + "\n")
    assert main(["check", str(path)]) == 0


DEEPEST = {
    "transformer": "data: copy\nmodel: {kind: transformer, width: 8, heads: 2, depth: 1000}",
    "vit": "data: digits\nmodel: {kind: vit, patch: 4, width: 8, heads: 2, depth: 1000}",
    "mlp": "data: digits\nmodel: {kind: mlp, hidden: {width: 2, depth: 1000}}",
    "lstm": "data: {kind: adding}\nmodel: {kind: lstm, units: [" + "2, " * 1000 + "]}",
}


@pytest.mark.parametrize("kind", DEEPEST)
def test_a_network_may_be_as_deep_as_its_field_says(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text(DEEPEST[kind] + "\n")
    assert main(["check", str(path)]) == 0
    # As a list it is more than one may write.
    assert main(["show", str(path), "--expand"]) == 2
    assert "layers, a list has at most 1,000 (make it less deep)" in capsys.readouterr().err


def test_the_bound_counts_variants_that_are_wrong_and_tells_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.yaml"
    groups = "optimizer: {kind: sgd, groups: {nosuch: {lr: 0.1}}}"
    changes = [f"  v{i}: {{model.dropout: 0.{i + 1:03d}}}" for i in range(95)]
    path.write_text("\n".join(["data: moons", LONG, groups, "variants:", *changes]) + "\n")
    began = process_time()
    assert main(["check", str(path)]) == 2
    assert process_time() - began < 3.0
    told = capsys.readouterr().err
    assert "the networks of the first 23 have 20,723 layers" in told
    assert "nosuch" in told


def test_a_wrong_variant_is_settled_once_for_all_its_seeds(tmp_path: Path) -> None:
    path = tmp_path / "seeds.yaml"
    groups = "optimizer: {kind: sgd, groups: {nosuch: {lr: 0.1}}}"
    changes = [f"  v{i}: {{train.batch_size: {i + 1}}}" for i in range(95)]
    text = ["data: moons", LONG, groups, "seeds: 100", "variants:", *changes]
    path.write_text("\n".join(text) + "\n")
    began = process_time()
    assert main(["check", str(path)]) == 2
    assert process_time() - began < 2.0
