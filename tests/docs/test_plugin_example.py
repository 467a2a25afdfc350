"""The example package, installed into a folder: every place that knows kinds knows its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from documents import ROOT
from studio_serving import served

EXAMPLE = ROOT / "docs" / "plugin_example"
CONFIG = EXAMPLE / "example.yaml"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is installed, as `pip install --target` does it."""
    folder = tmp_path_factory.mktemp("site")
    words = ["--quiet", "--offline", "--no-deps", "--no-build-isolation", "--target", str(folder)]
    uv = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable]
    subprocess.run([*uv, *words, str(EXAMPLE)], check=True)
    return folder


def python(site: Path, *words: str, code: int = 0) -> str:
    """What a Python says in which the package is installed."""
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": str(site), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_its_own_tests_pass(site: Path) -> None:
    python(site, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(EXAMPLE / "tests"))


def test_menu_schema_and_errors_know_it(site: Path) -> None:
    code = """
    import json
    from nnlab.commands.menu.page import menu_page
    from nnlab.commands.schema import build_schema
    from nnlab.config.loading import load_config
    from nnlab.core.errors import ConfigError
    try:
        load_config({"data": "xor", "model": {"kind": "mlp", "hidden": [2], "activation": "snak"}})
    except ConfigError as error:
        told = str(error)
    print(json.dumps([menu_page(n) for n in (None, "activations", "snake", "layer_scale")]
          + [build_schema(), told]))
    """
    whole, activations, snake, scale, schema, told = json.loads(python(site, "-c", dedent(code)))
    names = whole.split()
    assert "snake" in names
    assert "layer_scale" in names
    assert "not usable" not in whole
    assert "From nnlab-example 0.1.0, not part of nnlab." in activations
    assert "a: the waves are pi / a wide." in snake
    assert "start  number > 0  0.1" in scale
    assert told.endswith("(did you mean snake?)")
    import jsonschema

    def valid(**layer: Any) -> bool:
        layers = ["flatten", {"kind": "layer_scale", **layer}]
        snake = {"kind": "snake", "frequency": 2.0}
        model = {"kind": "stack", "activation": snake, "layers": layers}
        config = {"data": "digits", "model": model}
        return jsonschema.Draft202012Validator(schema).is_valid(config)

    assert valid(start=0.5)
    assert not valid(start=-0.5)
    assert not valid(begin=0.5)


def test_it_is_checked_and_trained_and_its_run_says_where_it_is_from(
    site: Path, tmp_path: Path
) -> None:
    checked = python(site, "-m", "nnlab", "check", str(CONFIG))
    assert ": ok (digits" in checked
    run = tmp_path / "run"
    train = ["train", str(CONFIG), "--run-dir", str(run), "--device", "cpu"]
    python(site, "-m", "nnlab", *train, "--set", "train.epochs=2")
    env = json.loads((run / "env.json").read_text())
    both = {"snake": "nnlab-example 0.1.0", "layer_scale": "nnlab-example 0.1.0"}
    assert env["plugins"] == both
    weights = [
        json.loads(line)["values"] if "values" in json.loads(line) else json.loads(line)
        for line in (run / "metrics.jsonl").read_text().splitlines()
    ]
    # A probe sees the layer by what `seen` says of it.
    assert any("layer_scale1" in key for reading in weights for key in reading)
    told = python(tmp_path, "-m", "nnlab", "eval", str(run), code=2)
    assert "'snake' is not one of" in told
    assert "  snake was from nnlab-example 0.1.0 (install it)" in told


def test_a_misfit_of_its_own_is_told_at_its_place(site: Path) -> None:
    layers = '["layer_scale", "flatten"]'
    words = ["check", str(CONFIG), "--set", f"model.layers={layers}"]
    told = python(site, "-m", "nnlab", *words, code=2)
    assert "model.layers.0 (layer_scale): needs (units,), gets (1, 8, 8) (flatten first)" in told


def test_the_studios_forms_offer_it(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(site))
    with served(tmp_path / "runs", str(CONFIG)) as server:
        status, text = server.ask("/api/menus")
        assert status == 200
        menus = json.loads(text)
        status, checked = server.ask("/api/check", CONFIG.read_bytes())
    layer = next(each for each in menus["layer"] if each["name"] == "layer_scale")
    assert layer["least"] == "layer_scale"
    assert layer["help"].endswith("(from nnlab-example 0.1.0)")
    snake = next(each for each in menus["activation"] if each["name"] == "snake")
    assert [field["name"] for field in snake["fields"]] == ["frequency"]
    assert status == 200
    assert not json.loads(checked).get("mistakes")
