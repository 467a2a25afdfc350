"""A loop of one's own, watched: the numbers by hand, no trace in the network, how a run ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18

import nnlab
from nnlab.core.errors import CheckpointError, ConfigError
from nnlab.runs.folder.listing import list_runs
from nnlab.training import device as devices
from nnlab.training.probes.anatomy import dissect_network, unwrap_network
from nnlab.training.probes.readings import reading_definition

X = torch.randn(64, 6, generator=torch.Generator().manual_seed(1))
Y = (X[:, 0] > 0).long()


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 2)
    )


def updates(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    count: int,
    watch: nnlab.Watch | None = None,
    inputs: Tensor = X,
    targets: Tensor = Y,
) -> Iterator[Tensor]:
    """Loss after loss, with the gradients still there."""
    for _ in range(count):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(inputs), targets)
        loss.backward()
        if watch is not None:
            watch.step(loss, examples=len(inputs))
        yield loss.detach()
        optimizer.step()


def run_all(found: Iterator[Tensor]) -> list[float]:
    return [float(loss) for loss in found]


def watched(tmp_path: Path, count: int = 4, **options: Any) -> nnlab.Watch:
    network = small()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    options = {"inputs": X, "every": 2, "probes": 2, **options}
    with nnlab.Watch(network, optimizer, tmp_path / "run", **options) as watch:
        run_all(updates(network, optimizer, count, watch))
    return watch


class TestNumbers:
    def test_are_those_of_a_resnet_by_hand(self, tmp_path: Path) -> None:
        torch.manual_seed(0)
        network = resnet18(num_classes=3)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        inputs, targets = torch.randn(4, 3, 16, 16), torch.tensor([0, 1, 2, 0])
        probe = torch.randn(5, 3, 16, 16)
        kept: list[dict[str, Tensor]] = []
        gradients: dict[str, Tensor] = {}
        with nnlab.Watch(
            network, optimizer, tmp_path / "run", inputs=probe, every=1, probes=1
        ) as watch:
            for _ in updates(network, optimizer, 2, watch, inputs, targets):
                kept.append({n: p.detach().double() for n, p in network.named_parameters()})
                gradients = {
                    name: p.grad.double()
                    for name, p in network.named_parameters()
                    if p.grad is not None
                }
        read = watch.summary.history[-1]
        assert read["step"] == 2
        for name, label in (("conv1.weight", "00_conv1"), ("fc.weight", "20_fc")):
            now = network.get_parameter(name).detach().double()
            before, first = kept[-1][name], kept[0][name]
            moved = (now - before).norm() / before.norm()
            cosine = (now * before).sum() / now.norm() / before.norm()
            expected = {
                "grad_norm": gradients[name].norm(),
                "grad_rms": gradients[name].square().mean().sqrt(),
                "weight_norm": now.norm(),
                "update_ratio": moved,
                "distance": (now - first).norm() / first.norm(),
                "update_angle": torch.rad2deg(torch.arccos(cosine)),
            }
            for key, value in expected.items():
                assert read[f"{key}/{label}.weight"] == pytest.approx(float(value), rel=1e-3), key
        total = torch.stack([g.norm() for g in gradients.values()]).norm()
        assert read["grad_norm/total"] == pytest.approx(float(total), rel=1e-4)
        # The first block, written out: batch statistics, and relu in place behind the sum.
        with torch.no_grad():
            n, b = network, network.get_submodule("layer1.0")
            start = network.maxpool(F.relu(normed(n.bn1, n.conv1(probe))))
            inner = F.relu(normed(b.get_submodule("bn1"), b.get_submodule("conv1")(start)))
            z = normed(b.get_submodule("bn2"), b.get_submodule("conv2")(inner)) + start
        for role, x in (("preactivation", z), ("activation", F.relu(z))):
            values = x.flatten().double()
            label = "02_layer1.0.conv2"
            assert read[f"{role}_mean/{label}"] == pytest.approx(float(values.mean()), rel=1e-4)
            deviation = float(values.std(correction=0))
            assert read[f"{role}_std/{label}"] == pytest.approx(deviation, rel=1e-4)
        dead = (F.relu(z).amax((0, 2, 3)) == 0).double().mean()
        assert read["dead_units/02_layer1.0.conv2"] == pytest.approx(float(dead), abs=1e-6)

    def test_a_window_has_the_mean_loss_and_the_mean_of_what_was_logged(
        self, tmp_path: Path
    ) -> None:
        network = small()
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        losses: list[float] = []
        with nnlab.Watch(network, optimizer, tmp_path / "run", every=3, probes=None) as watch:
            for number, loss in enumerate(updates(network, optimizer, 7, watch)):
                losses.append(float(loss))
                watch.log(number=float(number), **{"own/loss": loss})
        first, *windows = watch.summary.history
        assert first["loss"] == pytest.approx(losses[0], rel=1e-6)
        for row, part in zip(windows, ([0, 1, 2], [3, 4, 5], [6]), strict=True):
            mean = np.mean([losses[i] for i in part])
            assert row["loss"] == pytest.approx(mean, rel=1e-6)
            assert row["own/loss"] == pytest.approx(mean, rel=1e-6)
            assert row["number"] == np.mean(part)
            assert row["learning_rate"] == pytest.approx(0.01)
        assert [row["step"] for row in windows] == [3, 6, 7]
        assert not any(key.startswith("weight_norm") for key in windows[0])

    def test_every_key_has_a_definition(self, tmp_path: Path) -> None:
        for row in watched(tmp_path).summary.history:
            for key, value in row.items():
                known = key in ("step", "epoch", "split", "loss")
                assert known or reading_definition(key) is not None, key
                assert known or np.isfinite(value), key

    def test_units_of_a_sequence_are_its_last_axis(self) -> None:
        network = nn.Sequential(nn.Linear(3, 5), nn.ReLU())
        anatomy = dissect_network(network, lambda: network(torch.randn(2, 7, 3)))
        assert set(anatomy.axes.values()) == {-1}

    def test_layers_are_numbered_as_they_are_called(self) -> None:
        class Backwards(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.last = nn.Linear(4, 2)
                self.first = nn.Linear(3, 4)

            def forward(self, x: Tensor) -> Tensor:
                return self.last(torch.relu(self.first(x)))

        network = Backwards()
        plans = dissect_network(network, lambda: network(torch.randn(2, 3))).plans
        assert [plan.name for plan in plans] == ["first", "last"]
        assert [plan.name for plan in dissect_network(network, None).plans] == ["last", "first"]

    def test_operations_are_those_of_the_published_resnet(self) -> None:
        """1.8e9 multiply-adds: He et al. 2015, arXiv:1512.03385, table 1."""
        network = resnet18()
        plans = dissect_network(network, lambda: network(torch.zeros(2, 3, 224, 224))).plans
        assert sum(plan.flops for plan in plans) / 2 == pytest.approx(1.8e9, rel=0.02)

    def test_a_wrapped_network_goes_by_its_own_names(self) -> None:
        network = small()
        assert unwrap_network(torch.compile(nn.DataParallel(network))) is network  # pyright: ignore[reportArgumentType]


def normed(norm: Any, x: Tensor) -> Tensor:
    """By the batch."""
    return F.batch_norm(x, None, None, norm.weight, norm.bias, training=True)


class TestTrace:
    def test_weights_buffers_and_draws_are_the_same_to_the_bit(self, tmp_path: Path) -> None:
        states: list[dict[str, Tensor]] = []
        for look in (True, False):
            network = small()
            optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
            watch = None
            if look:
                watch = nnlab.Watch(
                    network, optimizer, tmp_path / "run", inputs=X, every=9, probes=18
                )
            with devices.torch_settings(threads=1, deterministic=False):
                run_all(updates(network, optimizer, 300, watch))
            if watch is not None:
                watch.close()
            states.append({**network.state_dict(), "draw": torch.rand(1)})
        for name, value in states[1].items():
            assert torch.equal(states[0][name], value), name

    def test_no_hook_stays(self, tmp_path: Path) -> None:
        network = small()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        with nnlab.Watch(
            network, optimizer, tmp_path / "run", inputs=X, every=1, probes=1
        ) as watch:
            run_all(updates(network, optimizer, 2, watch))
        for module in network.modules():
            assert not module._forward_hooks  # pyright: ignore[reportPrivateUsage]
            assert not module._forward_pre_hooks  # pyright: ignore[reportPrivateUsage]
            assert module.training


class TestEnds:
    def test_a_loop_that_ends_has_completed(self, tmp_path: Path) -> None:
        watch = watched(tmp_path)
        assert watch.summary.status == "completed"
        saved = json.loads((watch.run / "summary.json").read_text())
        assert (saved["status"], saved["steps"], saved["seed"]) == ("completed", 4, None)
        assert saved["parameters"] == sum(p.numel() for p in small().parameters())

    def test_an_error_leaves_a_failed_run_with_what_was_read(self, tmp_path: Path) -> None:
        network = small()
        optimizer = torch.optim.SGD(network.parameters())
        watch = nnlab.Watch(network, optimizer, tmp_path / "run", every=1)

        def loop() -> None:
            with watch:
                watch.step(torch.tensor(1.0))
                watch.step(torch.tensor(3.0))
                raise ZeroDivisionError("oh")

        with pytest.raises(ZeroDivisionError):
            loop()
        assert (watch.summary.status, watch.summary.why) == ("failed", "ZeroDivisionError: oh")
        assert [row["loss"] for row in watch.summary.history] == [1.0, 1.0, 3.0]

    def test_ctrl_c_leaves_an_interrupted_run(self, tmp_path: Path) -> None:
        code = f"""
import nnlab, torch
network = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(network.parameters())
with nnlab.Watch(network, optimizer, {str(tmp_path / "run")!r}, every=1) as watch:
    while True:
        watch.step(network(torch.ones(1, 2)).sum())
        print(watch.steps, flush=True)
"""
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(5):
                process.stdout.readline()
            process.send_signal(signal.SIGINT)
            process.stdout.read()
        saved = json.loads((tmp_path / "run" / "summary.json").read_text())
        assert (saved["status"], saved["signal"]) == ("interrupted", 2)
        lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
        assert len(lines) >= 5
        assert [json.loads(line)["step"] for line in lines] == sorted(range(len(lines)))

    def test_a_study_that_gives_up_leaves_a_pruned_run(self, tmp_path: Path) -> None:
        class TrialPruned(Exception):  # noqa: N818
            """As optuna.TrialPruned, which need not be installed."""

        network = small()
        optimizer = torch.optim.SGD(network.parameters())
        watch = nnlab.Watch(network, optimizer, tmp_path / "run", every=1)

        def loop() -> None:
            with watch:
                watch.step(torch.tensor(1.0))
                raise TrialPruned

        with pytest.raises(TrialPruned):
            loop()
        assert watch.summary.status == "pruned"

    def test_a_program_that_ends_without_close_is_interrupted(self, tmp_path: Path) -> None:
        code = f"""
import nnlab, torch
network = torch.nn.Linear(2, 2)
watch = nnlab.Watch(network, torch.optim.SGD(network.parameters()), {str(tmp_path / "run")!r})
watch.step(torch.tensor(1.0))
"""
        subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
        saved = json.loads((tmp_path / "run" / "summary.json").read_text())
        assert saved["status"] == "interrupted"

    def test_a_loss_that_is_not_finite_has_diverged(self, tmp_path: Path) -> None:
        network = small()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        with nnlab.Watch(network, optimizer, tmp_path / "run") as watch:
            watch.step(float("nan"))
        assert watch.summary.status == "diverged"
        assert watch.summary.history[-1]["loss"] is None


class TestFolder:
    def test_is_listed_with_its_best_reading_and_holds_no_config(self) -> None:
        network = small()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        with nnlab.Watch(network, optimizer, name="mine", steps_per_epoch=2) as watch:
            for number, loss in enumerate(updates(network, optimizer, 4, watch)):
                if number % 2:
                    watch.evaluate("validation", loss=loss + number, accuracy=0.5)
            assert [row.status for row in list_runs()] == ["running"]
        (row,) = list_runs()
        assert (row.name, row.status) == ("mine/1", "completed")
        assert row.scores["accuracy"] == 0.5
        best = watch.summary.best
        assert best is not None
        assert (best["step"], best["epoch"]) == (2, 1.0)
        found = {path.name.split(".")[0] for path in watch.run.iterdir()}
        assert found == {"summary", "env", "metrics", "events", "lock"}

    def test_tensorboard_reads_it(self, tmp_path: Path) -> None:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        watch = watched(tmp_path)
        events: Any = EventAccumulator(str(watch.run))
        events.Reload()
        tags = events.Tags()["scalars"]
        wanted = {"loss/train", "learning_rate", "grad_norm/00_0.weight", "saturated/00_0"}
        assert wanted <= set(tags)
        rows = [row for row in watch.summary.history if row["split"] == "train"]
        assert [e.value for e in events.Scalars("loss/train")] == [row["loss"] for row in rows]

    def test_commands_that_need_a_config_say_so(self, tmp_path: Path) -> None:
        watch = watched(tmp_path)
        acts: list[Any] = [nnlab.evaluate, nnlab.resume, nnlab.load]
        for act in acts:
            with pytest.raises(CheckpointError, match=r"nnlab\.Watch recorded it"):
                act(watch.run)

    def test_a_used_folder_is_refused(self, tmp_path: Path) -> None:
        watched(tmp_path)
        with pytest.raises(ConfigError, match="not empty"):
            watched(tmp_path)


class TestMistakes:
    def test_are_told(self, tmp_path: Path) -> None:
        network = small()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        with pytest.raises(ConfigError, match="every must be at least 1"):
            nnlab.Watch(network, optimizer, tmp_path / "run", every=0)
        with nnlab.Watch(network, optimizer, tmp_path / "run") as watch:
            with pytest.raises(ConfigError, match="one number"):
                watch.step(torch.ones(3))
            with pytest.raises(ConfigError, match=r"nnlab's own"):
                watch.log(learning_rate=1.0)
            with pytest.raises(ConfigError, match="validation or test"):
                watch.evaluate("train", loss=1.0)  # pyright: ignore[reportArgumentType]
            watch.evaluate("test", loss=1.0)
            with pytest.raises(ConfigError, match="before"):
                watch.evaluate("test", loss=1.0)
        with pytest.raises(ConfigError, match="has ended"):
            watch.step(1.0)
