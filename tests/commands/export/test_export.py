"""`nnlab export`: files that answer as nnlab does, asked by onnxruntime and by torch alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open

import nnlab
from nnlab.__main__ import main
from nnlab.commands.export import formats
from nnlab.commands.export.write import EXPORT_LIMIT, Written, export_run, told
from nnlab.core.errors import CheckpointError, ConfigError, DataError
from nnlab.runs.finished.answering import AnsweringNetwork
from nnlab.runs.finished.predict import open_predictor

SHORT = {"train": {"epochs": 1, "batch_size": 32}}
MLP = {"kind": "mlp", "hidden": [4]}
DRAW = np.random.default_rng(5)
X, Y = DRAW.normal(size=(90, 3)).astype(np.float32), DRAW.integers(0, 3, 90)


def trained(folder: Path, config: dict[str, Any], **handed: Any) -> Path:
    return nnlab.train({**SHORT, **config}, run_dir=folder / "net" / "1", **handed).run


def opened(written: Written, to: str) -> Callable[[NDArray[Any]], NDArray[Any]]:
    return formats.EXPORT_FORMATS[to].open(written.path)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("iris"), {"data": "iris", "model": MLP})


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layers = [
        {"kind": "conv", "channels": 4, "kernel": 3, "norm": "batch"},
        {"kind": "max_pool", "kernel": 2},
        {
            "kind": "residual",
            "layers": [{"kind": "conv", "channels": 4, "kernel": 3, "padding": 1}],
        },
        "flatten",
        {"kind": "dropout", "p": 0.5},
        {"kind": "linear", "units": 8},
    ]
    config = {"data": "digits", "model": {"kind": "stack", "layers": layers}}
    return trained(tmp_path_factory.mktemp("images"), config)


def test_onnx_answers_as_predict_does_for_any_number_of_rows(iris: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    written = export_run(iris, "onnx", tmp_path / "iris.onnx")
    rows = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [5.9, 3.0, 4.2, 1.5]], np.float32)
    wanted = nnlab.predict(iris, rows).probabilities
    assert wanted is not None
    answers = opened(written, "onnx")
    for count in (1, 2, 3):
        np.testing.assert_allclose(answers(rows[:count]), wanted[:count], atol=1e-6)
    props = {entry.key: entry.value for entry in onnx.load(written.path).metadata_props}
    assert json.loads(props["classes"]) == ["setosa", "versicolor", "virginica"]
    assert json.loads(props["columns"])[0] == "sepal length (cm)"


def test_onnx_of_images_takes_bytes(images: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    written = export_run(images, "onnx", tmp_path / "digits.onnx")
    assert json.loads(written.facts["inputs"]) == ["uint8", 1, 8, 8]
    rows = DRAW.integers(0, 17, (5, 1, 8, 8)).astype(np.uint8)
    wanted = nnlab.predict(images, rows).probabilities
    assert wanted is not None
    np.testing.assert_allclose(opened(written, "onnx")(rows), wanted, atol=1e-6)


def test_an_exported_program_needs_torch_alone(images: Path, tmp_path: Path) -> None:
    written = export_run(images, "exported", tmp_path / "digits.pt2")
    extra = {"nnlab.json": ""}
    module = torch.export.load(written.path, extra_files=extra).module()
    rows = DRAW.integers(0, 17, (7, 1, 8, 8)).astype(np.uint8)
    wanted = nnlab.predict(images, rows).probabilities
    assert wanted is not None
    np.testing.assert_allclose(module(torch.from_numpy(rows)).detach(), wanted, atol=1e-6)
    assert json.loads(extra["nnlab.json"])["answer"] == "probabilities"


SCALED = {"model": MLP, "loss": "mse", "data": {"scale_target": "standard"}}
MEANINGS: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "scaled_targets": (
        SCALED,
        X,
        X[:, :2] * 50 + 300,
    ),
    "targets_far_from_0": (SCALED, X, 1e7 + X[:, 0]),
    "inputs_far_from_0": ({"model": MLP}, X.astype(np.float64) + 1.7e9, Y),
    "counts": ({"model": MLP, "loss": "poisson_nll"}, X, np.abs(X[:, 0]).round()),
    "mean_and_variance": ({"model": MLP, "loss": "gaussian_nll"}, X, X[:, 0]),
    "labels": ({"model": MLP}, X, (X[:, :2] > [0.0, 0.5]).astype(int)),
    "one_logit": ({"model": MLP, "loss": "bce"}, X, (X[:, 0] > 0).astype(int)),
    "hinge": ({"model": MLP, "loss": "hinge"}, X, Y),
    "fp64": ({"model": MLP, "train": {"epochs": 1, "precision": "fp64"}}, X, Y),
    "bf16": ({"model": MLP, "train": {"epochs": 1, "precision": "bf16"}}, X, Y),
}


@pytest.mark.parametrize("name", MEANINGS)
def test_the_graph_gives_what_predict_gives(name: str, tmp_path: Path) -> None:
    """Scaling before, meaning behind: in one graph the same numbers, for every kind of answer."""
    config, inputs, targets = MEANINGS[name]
    run = trained(tmp_path, config, data=(inputs, targets))
    said = nnlab.predict(run, inputs)
    wanted = said.outputs if said.probabilities is None else said.probabilities
    network = AnsweringNetwork(open_predictor(run, device="cpu"))
    rows = torch.from_numpy(np.asarray(inputs)).to(network.example.dtype)
    with torch.no_grad():
        got = network(rows)
    accuracy = 0.02 if name == "bf16" else 1e-6  # the graph has float32, the run bf16 products
    np.testing.assert_allclose(got, wanted, rtol=accuracy, atol=accuracy)
    # torch's own exporter, on the same module: no data are stored, so rows are drawn.
    written = export_run(run, "exported", tmp_path / "net.pt2")
    assert written.agreement is not None
    assert not written.agreement.stored
    assert written.agreement.difference <= EXPORT_LIMIT * max(1.0, written.agreement.greatest)
    assert written.lowered == (name == "bf16")


@pytest.mark.parametrize("kind", [pytest.param("gru", marks=pytest.mark.slow), "transformer"])
def test_networks_of_tokens_take_whole_numbers(kind: str, tmp_path: Path) -> None:
    text = tmp_path / "book.txt"
    text.write_text("to be or not to be. " * 40, encoding="utf-8")
    size = {"units": 8} if kind == "gru" else {"width": 8, "depth": 1, "heads": 2}
    data = {"kind": "text", "path": str(text), "window": 6}
    run = trained(tmp_path, {"data": data, "model": {"kind": kind, **size}})
    written = export_run(run, "exported", tmp_path / "net.pt2")
    assert json.loads(written.facts["inputs"]) == ["int64", 6]
    network = torch.export.load(written.path).module()
    rows = torch.from_numpy(DRAW.integers(0, 8, (5, 6)))
    whole = network(rows)
    assert whole.shape == (5, 6, 8)  # probabilities of eight characters at each place
    torch.testing.assert_close(whole.sum(2), torch.ones(5, 6))
    torch.testing.assert_close(network(rows[:1]), whole[:1])
    assert written.agreement is not None
    assert written.agreement.stored
    # Without the text tokens are drawn, each of them one that there is.
    text.unlink()
    drawn = export_run(run, "exported", tmp_path / "again.pt2").agreement
    assert drawn is not None
    assert not drawn.stored
    assert drawn.difference <= EXPORT_LIMIT


def test_weights_alone_are_those_of_the_best_checkpoint(iris: Path, tmp_path: Path) -> None:
    written = export_run(iris, "safetensors", tmp_path / "iris.safetensors")
    network = nnlab.load(iris)
    with safe_open(written.path, framework="pt") as file:
        metadata = file.metadata()
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert metadata["nnlab"] == nnlab.__version__
    assert found.keys() == network.state_dict().keys()
    assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())


def test_a_folder_for_the_hub_trains_again(iris: Path, tmp_path: Path) -> None:
    written = export_run(iris, "hf", tmp_path / "hub")
    names = sorted(file.name for file in written.path.iterdir())
    assert names == ["README.md", "config.json", "config.yaml", "model.safetensors"]
    assert json.loads((written.path / "config.json").read_text())["classes"][0] == "setosa"
    assert "accuracy" in (written.path / "README.md").read_text()
    again = nnlab.train(written.path / "config.yaml", run_dir=tmp_path / "again")
    assert all(
        torch.equal(value, nnlab.load(again.run).state_dict()[name])
        for name, value in nnlab.load(iris).state_dict().items()
    )


def test_a_file_that_disagrees_is_not_kept(
    iris: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = formats.EXPORT_FORMATS["exported"]

    def open_wrong(path: Path) -> formats.Exported:
        answers = right.open(path)
        return lambda rows: answers(rows) + 1e-3

    monkeypatch.setitem(formats.EXPORT_FORMATS, "exported", right._replace(open=open_wrong))
    with pytest.raises(DataError, match=r"up to 1\.0e-03 away"):
        export_run(iris, "exported", tmp_path / "iris.pt2")
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_said_with_the_way_to_get_it(
    iris: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = formats.EXPORT_FORMATS["onnx"]._replace(needs=("onnx", "no_such_package"))
    monkeypatch.setitem(formats.EXPORT_FORMATS, "onnx", wanted)
    with pytest.raises(ConfigError, match=r"needs no_such_package \(install: pip install .*export"):
        export_run(iris, "onnx", None)


def test_a_comparison_is_refused(tmp_path: Path) -> None:
    config = {**SHORT, "data": "iris", "model": MLP, "seeds": 2}
    run = nnlab.train_comparison(config, run_dir=tmp_path / "c").run
    with pytest.raises(CheckpointError, match="comparison of several runs"):
        export_run(run, "exported", None)


def test_the_command_prints_the_path_and_what_goes_in(
    iris: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(iris), "--to", "exported"]) == 0
    out, err = capsys.readouterr()
    assert Path(out.strip()) == iris / "eval" / "net-1.pt2"
    assert "float32 (N, 4) as in your data, not scaled: sepal length" in err
    assert "agrees with nnlab predict on 30 rows of the data set" in " ".join(err.split())
    assert main(["export", str(iris), "--to", "safetensors", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["facts"]["answer"] == "probabilities"


def test_class_names_of_others_cannot_steer_the_terminal(tmp_path: Path) -> None:
    names = np.array(["a\x1b[31m", "b", "c"])[Y]
    run = trained(tmp_path, {"model": MLP}, data=(X, names))
    assert "\x1b" not in told(export_run(run, "exported", tmp_path / "x.pt2"))
