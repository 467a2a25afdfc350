"""First weights from elsewhere: the right tensors, the same answers, and what does not fit."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import Tensor

import nnlab
from nnlab.commands.import_weights.convert import convert_weights
from nnlab.config.loading import load_config
from nnlab.core.contracts import DataShape, Machine
from nnlab.core.errors import ConfigError
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.models.network import build_network
from nnlab.parts.datasets.tables import Place
from nnlab.runs.building.beginning import load_beginning
from nnlab.runs.weights.beginning import beginning_of
from nnlab.runs.weights.find_weights import WeightsFile
from nnlab.runs.weights.match_weights import match_weights
from nnlab.runs.weights.safetensors_header import Head

CNN: dict[str, Any] = {"kind": "cnn", "channels": [4, 8], "norm": "batch", "dense": [16]}
SIZE = 96
"""Pixels: enough for the published form, which begins at 64."""


def images(place: Path, model: dict[str, Any], classes: int = 10) -> Experiment:
    names = tuple(map(str, range(classes)))
    shape = DataShape((3, SIZE, SIZE), "classes", classes, names, {"train": 100})
    config = load_config({"data": "cifar10", "model": model})
    return settle(config, Place(place, place, place), Machine.here(), shape=shape)


def theirs(name: str, **more: Any) -> torch.nn.Module:
    network = getattr(torchvision.models, name)(num_classes=10, **more).eval()
    for buffer in network.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)  # running statistics as of a trained network
    return network


def saved(run: Path, name: str = "last") -> dict[str, Tensor]:
    folder = run / "checkpoints" / (run / "checkpoints" / name).read_text().strip()
    tensors = load_file(folder / "model.safetensors")
    return {key.removeprefix("model/"): tensor for key, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("resnet18", {"kind": "resnet18"}),
        ("resnet50", {"kind": "resnet50"}),
        pytest.param("vgg11_bn", {"kind": "vgg11", "norm": "batch"}, marks=pytest.mark.slow),
        pytest.param("alexnet", {"kind": "alexnet"}, marks=pytest.mark.slow),
        pytest.param("vgg16", {"kind": "vgg16"}, marks=pytest.mark.slow),
        pytest.param("resnet34", {"kind": "resnet34"}, marks=pytest.mark.slow),
    ],
)
def test_torchvisions_networks_answer_the_same(
    tmp_path: Path, name: str, model: dict[str, Any]
) -> None:
    """Random weights of torchvision's own network, through a .pth and through safetensors."""
    network = theirs(name)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    file = convert_weights(tmp_path / "w.pth", None).path
    (tmp_path / "w.pth").unlink()
    experiment = images(tmp_path, {**model, "from": str(file)})
    ours = build_network(experiment.design, seed=0)
    assert len(load_beginning(ours, experiment)) == len(network.state_dict())
    x = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(x), network(x), atol=1e-5, rtol=0)
    file.unlink()


def tiny_vit() -> torch.nn.Module:
    """torchvision's transformer in the size of vit_tiny, with weights of a trained one's size."""
    torch.manual_seed(0)
    network = torchvision.models.VisionTransformer(
        SIZE, 16, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768, num_classes=10
    )
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return network.eval()


TIMM = {
    "class_token": "cls_token",
    "conv_proj": "patch_embed.proj",
    "encoder.pos_embedding": "pos_embed",
    "encoder.ln": "norm",
    "heads.head": "head",
    "encoder.layers.encoder_layer_": "blocks.",
    ".ln_1": ".norm1",
    ".ln_2": ".norm2",
    ".self_attention.in_proj_": ".attn.qkv.",
    ".self_attention.out_proj": ".attn.proj",
    ".mlp.0": ".mlp.fc1",
    ".mlp.3": ".mlp.fc2",
}
"""What torchvision calls a part of a transformer -> what timm does."""


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_a_transformer_of_torchvision_or_timm_answers_the_same(
    tmp_path: Path, library: str
) -> None:
    network, state = tiny_vit(), dict[str, Tensor]()
    for name, value in network.state_dict().items():
        for before, after in TIMM.items() if library == "timm" else ():
            name = name.replace(before, after)
        state[name] = value
    save_file(state, tmp_path / "vit.safetensors")
    experiment = images(tmp_path, {"kind": "vit_tiny", "from": "vit.safetensors"})
    ours = build_network(experiment.design, seed=0)
    assert len(load_beginning(ours, experiment)) == len(state)
    x = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(x), network(x), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["vgg11", "vgg16"])
def test_timms_dense_layers_are_convolutions(tmp_path: Path, name: str) -> None:
    with torch.device("meta"):
        state = getattr(torchvision.models, name)(num_classes=10).state_dict()
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    for place, there in ((0, "pre_logits.fc1"), (3, "pre_logits.fc2"), (6, "head.fc")):
        shapes[f"{there}.weight"] = shapes.pop(f"classifier.{place}.weight")
        shapes[f"{there}.bias"] = shapes.pop(f"classifier.{place}.bias")
    shapes["pre_logits.fc1.weight"] = (4096, 512, 7, 7)
    shapes["pre_logits.fc2.weight"] = (4096, 4096, 1, 1)
    head = Head(shapes, dict.fromkeys(shapes, True), {})
    file = WeightsFile(tmp_path / "vgg.safetensors", "vgg", head, None)
    experiment = images(tmp_path, {"kind": name, "from": "vgg.safetensors"})
    model = experiment.config.model
    assert model.begin is not None
    found = match_weights(model, experiment.design, model.begin, file)
    assert len(found.pairs) == len(shapes)
    assert found.unused == found.fresh == ()
    wrong = Head({**shapes, "head.fc.weight": (7, 4096)}, head.numbers, {})
    with pytest.raises(ConfigError, match=r"output\.weight"):
        match_weights(model, experiment.design, model.begin, file._replace(head=wrong))


class TestMisfits:
    def test_a_head_of_other_classes_is_told_with_the_way_out(self, tmp_path: Path) -> None:
        save_file(theirs("resnet18").state_dict(), tmp_path / "r.safetensors")
        experiment = images(tmp_path, {"kind": "resnet18", "from": "r.safetensors"}, classes=7)
        with pytest.raises(ConfigError) as caught:
            beginning_of(experiment)
        first, second, way = caught.value.lines
        assert first == (
            "model.from.weights: output.weight (fc.weight there) has shape (10, 512) there and "
            "(7, 512) here"
        )
        assert "output.bias (fc.bias there) has shape (10,) there and (7,) here" in second
        # The way out works when it is pasted.
        layers = way.partition("write layers: [")[2].rstrip("]").split(", ")
        model = {"kind": "resnet18", "from": {"weights": "r.safetensors", "layers": layers}}
        experiment = images(tmp_path, model, classes=7)
        taken = beginning_of(experiment)
        assert taken is not None
        assert taken[1].fresh == ("output",)
        assert set(taken[1].unused) == {"fc.weight", "fc.bias"}
        network = build_network(experiment.design, seed=3)
        fresh = build_network(experiment.design, seed=3)
        load_beginning(network, experiment)
        assert torch.equal(
            network.get_parameter("output.weight"), fresh.get_parameter("output.weight")
        )
        assert not torch.equal(
            network.get_parameter("conv1.weight"), fresh.get_parameter("conv1.weight")
        )

    def test_names_of_another_world_can_be_renamed(self, tmp_path: Path) -> None:
        experiment = images(tmp_path, {"kind": "cnn", "channels": [4]})
        network = build_network(experiment.design, seed=1)
        called = {"conv1": "stem.0", "hidden1": "body", "output": "head.out"}
        tensors = {
            f"{called[name.partition('.')[0]]}.{name.partition('.')[2]}": tensor
            for name, tensor in network.state_dict().items()
        }
        save_file(tensors, tmp_path / "w.safetensors")
        begin = {"weights": "w.safetensors"}
        with pytest.raises(ConfigError, match=r"names there are .* \(rename: \{THERE: HERE\}"):
            beginning_of(images(tmp_path, {"kind": "cnn", "channels": [4], "from": begin}))
        begin |= {"rename": {there: here for here, there in called.items()}}
        experiment = images(tmp_path, {"kind": "cnn", "channels": [4], "from": begin})
        other = build_network(experiment.design, seed=2)
        load_beginning(other, experiment)
        for name, tensor in network.state_dict().items():
            assert torch.equal(other.state_dict()[name], tensor)

    @pytest.mark.parametrize(
        ("begin", "told"),
        [
            ("no.safetensors", "there is no such file (did you mean not.safetensors?)"),
            ("not.safetensors", "is no safetensors file (nnlab import-weights"),
            ("old.pth", "is a pickle, which can hold code and is not read (nnlab import-weights"),
            (
                {"name": "torchvision/vgg16"},
                "downloads no weights (torchvision.models.vgg16(",
            ),
            ({"name": "timm/vgg16.tv_in1k"}, "with a network: hf download timm/vgg16.tv_in1k"),
            ({"run": "nobody/7"}, "nobody/7: no such run"),
        ],
    )
    def test_what_is_not_there_is_told(self, tmp_path: Path, begin: Any, told: str) -> None:
        (tmp_path / "not.safetensors").write_bytes(b"PK not a head at all")
        (tmp_path / "old.pth").write_bytes(b"\x80\x04")
        with pytest.raises(ConfigError) as caught:
            beginning_of(images(tmp_path, {"kind": "vgg11", "from": begin}))
        assert told in str(caught.value)
        assert str(caught.value).startswith("model.from.")

    def test_last_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="last is another run tomorrow"):
            load_config({"data": "digits", "model": {**CNN, "from": {"run": "last"}}})


def test_a_name_is_found_in_the_hubs_cache_with_its_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "hub" / "models--timm--resnet18.tv_in1k" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    save_file(theirs("resnet18").state_dict(), folder / "model.safetensors")
    about = {"pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}}
    (folder / "config.json").write_text(json.dumps(about))
    model = {"kind": "resnet18", "from": {"name": "timm/resnet18.tv_in1k"}}
    taken = beginning_of(images(tmp_path, model))
    assert taken is not None
    assert taken[0].expects is not None
    assert taken[0].expects.shift.ravel().tolist() == [127.5] * 3
    assert taken[0].expects.factor.ravel().tolist() == [1 / 63.75] * 3


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = {"data": "digits", "model": CNN, "train": {"epochs": 2}}
    return nnlab.train(asked, run_dir=tmp_path_factory.mktemp("source") / "1").run


class TestFromARun:
    def asked(self, source: Path, **begin: Any) -> dict[str, Any]:
        return {
            "data": "digits",
            "model": {**CNN, "from": {"run": str(source), **begin}},
            "train": {"epochs": 2, "compile": "off", "layout": "contiguous"},
            "seed": 5,
            "log": {"every": "5 steps", "probes": "10 steps"},
        }

    def test_it_begins_with_the_best_weights(self, tmp_path: Path, source: Path) -> None:
        run = nnlab.train(self.asked(source), run_dir=tmp_path / "run").run
        best = saved(source, "best")
        for name, tensor in saved(run, "init").items():
            assert torch.equal(tensor, best[name]), name
        env = json.loads((run / "env.json").read_text())["weights"]
        assert env["sha256"] == hashlib.sha256(Path(env["file"]).read_bytes()).hexdigest()
        assert env["tensors"] == len(best)
        assert env["fresh"] == []
        assert env["scale_off"] < 1e-6

    def test_layers_choose(self, tmp_path: Path, source: Path) -> None:
        run = nnlab.train(self.asked(source, layers=["conv*"]), run_dir=tmp_path / "run").run
        plain = {**self.asked(source), "model": CNN}
        drawn = saved(nnlab.train(plain, run_dir=tmp_path / "plain").run, "init")
        best = saved(source, "best")
        for name, tensor in saved(run, "init").items():
            right = best if name.startswith("conv") else drawn
            assert torch.equal(tensor, right[name]), name

    def test_it_goes_on_without_the_source(
        self, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copy = tmp_path / "copied"
        shutil.copytree(source, copy)
        whole = nnlab.train(
            self.asked(copy), set={"train.epochs": 4}, run_dir=tmp_path / "whole"
        ).run
        part = nnlab.train(self.asked(copy), run_dir=tmp_path / "part").run
        shutil.rmtree(copy)
        nnlab.resume(part, set={"train.epochs": 4})
        ours, right = saved(part), saved(whole)
        assert all(torch.equal(ours[name], right[name]) for name in right)
        assert nnlab.evaluate(part)["accuracy"] == nnlab.evaluate(whole)["accuracy"]
        # Readings beside the first weights (distance) are of the same first weights, too.
        ends = [
            {k: v for k, v in nnlab.doctor(run, trials=False).facts.items() if k != "run"}
            for run in (part, whole)
        ]
        assert ends[0] == ends[1]
        lines = [
            [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
            for run in (part, whole)
        ]
        distances = [
            [value for line in each for key, value in line.items() if key.startswith("distance/")]
            for each in lines
        ]
        assert distances[0] == distances[1]
        assert distances[0]

    def test_another_scale_is_told(
        self, tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        asked = {**self.asked(source), "data": {"kind": "digits", "scale": "none"}}
        run = nnlab.train(asked, run_dir=tmp_path / "run", quiet=False).run
        assert json.loads((run / "env.json").read_text())["weights"]["scale_off"] > 10
        assert "the weights expect (stored - 0) * 0.0625" in capsys.readouterr().err
