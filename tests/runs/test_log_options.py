"""Every option of `log`, for networks of ours and for modules handed in from Python."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import nnlab
from nnlab.config.sections import LogConfig
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.examples import read_record
from nnlab.training.probes.anatomy import dissect_network
from nnlab.training.probes.labels import Layers

DIGITS: Any = load_digits()
X = (DIGITS.images[:200] * 15).astype(np.uint8)[:, None]
Y = DIGITS.target[:200]
OPTIONS: dict[str, Any] = {
    "every": "4 steps",
    "probes": "4 steps",
    "pictures": 1,
    "histograms": "6 steps",
    "examples": 2,
    "checkpoints": "5 steps",
    "noise_scale": "6 steps",
    "sharpness": "6 steps",
}
OFF: dict[str, Any] = {"every": "12 steps", "probes": "off"}


class Rows(nn.Module):
    """Reads an image row by row."""

    def __init__(self, kind: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.memory = kind(8, 6, batch_first=True)
        self.head = nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.memory(x[:, 0])
        return self.head(states[:, -1])


class Attentive(nn.Module):
    """Attention over the rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        rows = x[:, 0]
        seen, _ = self.attention(rows, rows, rows)
        return self.head(seen.mean(1))


def conv_net() -> nn.Module:
    """As torchvision writes them: conv, norm, relu in place, pooling, a head."""
    return nn.Sequential(
        nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        ),
        nn.Conv2d(4, 6, 3, stride=2),
        nn.LayerNorm([6, 3, 3]),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(6, 10),
    )


def mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 10))


NETWORKS: dict[str, Callable[[], nn.Module] | None] = {
    "ours": None,
    "mlp": mlp,
    "lstm": lambda: Rows(nn.LSTM),
    "gru": lambda: Rows(nn.GRU),
    "attention": Attentive,
    "conv": conv_net,
}


class Watched(NamedTuple):
    """A run with every option on."""

    name: str
    run: Path


def made(name: str) -> nn.Module | None:
    torch.manual_seed(0)
    build = NETWORKS[name]
    return None if build is None else build()


def trained(name: str, folder: Path, log: dict[str, Any]) -> Any:
    config: dict[str, Any] = {"train": {"steps": 12, "batch_size": 32}, "log": log}
    if NETWORKS[name] is None:
        config["model"] = {"kind": "mlp", "hidden": [8], "dropout": 0.1}
    return nnlab.train(config, data=(X, Y), model=made(name), run_dir=folder, device="cpu")


def weights(run: Path) -> dict[str, Tensor]:
    return checkpoint.named_checkpoint(run / "checkpoints", "last").tensors


QUICK = ("ours", "lstm", "conv")
EACH = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS]


@pytest.fixture(scope="module", params=EACH)
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    folder = tmp_path_factory.mktemp("watched") / "run"
    return Watched(request.param, trained(request.param, folder, OPTIONS).run)


def test_every_option_is_tested() -> None:
    assert OPTIONS.keys() == SHOWN.keys() == LogConfig.model_fields.keys()


@pytest.mark.parametrize("option", OPTIONS)
def test_the_option_shows_what_it_says(watched: Watched, option: str) -> None:
    SHOWN[option](watched.run, layers(watched.name))


def test_all_options_together_leave_the_weights_alone(watched: Watched, tmp_path: Path) -> None:
    unwatched = weights(trained(watched.name, tmp_path / "run", OFF).run)
    for key, tensor in weights(watched.run).items():
        if key.startswith("model/"):
            assert torch.equal(unwatched[key], tensor), key


def layers(name: str) -> Layers:
    network = made(name)
    if network is None:
        network = nn.Sequential()
        network.add_module("hidden1", nn.Linear(64, 8))
        network.add_module("output", nn.Linear(8, 10))
    inputs = torch.zeros(2, 64) if name == "ours" else torch.zeros(2, 1, 8, 8)
    return dissect_network(network, lambda: network(inputs))


def readings(run: Path) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [each for each in map(json.loads, lines) if each["split"] == "train"]


def tags(run: Path, plugin: str) -> set[str]:
    module = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    board = module.EventAccumulator(str(run), size_guidance={"tensors": 0}).Reload()
    return set(board.PluginTagToContent(plugin))


def read_often(run: Path, _: Layers) -> None:
    steps = [each["step"] for each in readings(run)]
    assert set(steps) >= {0, 4, 8, 12}
    assert 1 not in steps


def probed(run: Path, known: Layers) -> None:
    last = readings(run)[-1]
    for each in known.matrices:
        assert np.isfinite(last[f"weight_norm/{each.key}"]), each
        assert last[f"update_ratio/{each.key}"] > 0.0, each
    assert [key for key in last if key.startswith(("activation_std/", "preactivation_std/"))]


def drawn(run: Path, _: Layers) -> None:
    shown = tags(run, "images")
    assert "pictures/gradient by depth" in shown
    assert "pictures/last hidden layer" in shown
    assert "evaluation/confusion matrix" in shown


def counted(run: Path, known: Layers) -> None:
    shown = tags(run, "histograms")
    keys = {each.key for each in known.matrices}
    assert shown >= {f"{what}/{key}" for what in ("weights", "gradients") for key in keys}
    outputs = {place.key for place in known.places.values() if place.role == "activation"}
    assert shown >= {f"activations/{key}" for key in outputs}


def recorded(run: Path, _: Layers) -> None:
    record = read_record(run)
    assert len(record.steps) == 2
    assert record.losses.shape == (2, len(record.rows))
    assert np.isfinite(record.losses).all()


def kept(run: Path, _: Layers) -> None:
    assert (run / "checkpoints" / "step-00000005").exists()


def noisy(run: Path, _: Layers) -> None:
    assert any("gradient_noise/scale" in each for each in readings(run))


def sharp(run: Path, _: Layers) -> None:
    assert any(np.isfinite(each.get("sharpness/hessian", np.nan)) for each in readings(run))


SHOWN: dict[str, Callable[[Path, Layers], None]] = {
    "every": read_often,
    "probes": probed,
    "pictures": drawn,
    "histograms": counted,
    "examples": recorded,
    "checkpoints": kept,
    "noise_scale": noisy,
    "sharpness": sharp,
}
