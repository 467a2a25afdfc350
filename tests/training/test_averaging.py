"""Averaged weights, judged by torch.optim.swa_utils."""

import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_avg_fn

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Examples, Machine
from nnlab.core.events import SaveDue
from nnlab.display.open_view import open_view
from nnlab.experiment.settle import settle
from nnlab.runs.building.build import BuiltRun, build_trainer
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.finished.reopen import load_network
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.run import resume, stream_run, train
from nnlab.training.averaging import Averaged

TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"kind": "moons", "samples": 200},
    "model": {"kind": "mlp", "hidden": [8], "norm": "batch", "dropout": 0.2},
    "optimizer": {"kind": "adam", "lr": 0.02},
}
EMA = {"kind": "ema", "decay": 0.9}
SWA = {"kind": "swa", "start": "50%", "every": 1}


def config(averaging: Any, **train_section: Any) -> dict[str, Any]:
    section = {"epochs": 4, "batch_size": 16, "averaging": averaging, **train_section}
    return {**TINY, "train": section}


def built_of(averaging: Any, **section: Any) -> tuple[BuiltRun, Examples]:
    place = place_for(Path.cwd())
    experiment = settle(load_config(config(averaging, **section)), place, Machine("cpu", 1))
    examples = experiment.config.data.load(place)
    return build_trainer(experiment, examples, torch.device("cpu")), examples


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))


def walk(net: nn.Module, after: Callable[[int], None], steps: int = 40) -> None:
    """Some training."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(1)
    for count in range(1, steps + 1):
        optimizer.zero_grad()
        net(torch.randn(16, 3, generator=generator)).square().sum(dim=1).mean().backward()
        optimizer.step()
        after(count)


def test_ema_equals_torch_bit_for_bit() -> None:
    net = network()
    from nnlab.parts.averages import EmaConfig

    ours = Averaged(net, EmaConfig(decay=0.9).build(per_epoch=10, total=40))
    theirs = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)

    def after(count: int) -> None:
        ours.update(count)
        theirs.update_parameters(net)

    walk(net, after)
    for (name, mine), other in zip(
        ours.network.state_dict().items(), theirs.module.state_dict().values(), strict=True
    ):
        # torch rounds an average of counts; ours counts the batches of the newest.
        if mine.is_floating_point():
            assert torch.equal(mine, other), name
    assert torch.equal(ours.network.state_dict()["1.num_batches_tracked"], torch.tensor(40))


def test_swa_equals_torch() -> None:
    net = network()
    from nnlab.core.durations import Duration
    from nnlab.parts.averages import SwaConfig

    swa = SwaConfig(start=Duration(50, "%"), every=Duration(5, "steps"))
    ours = Averaged(net, swa.build(per_epoch=10, total=40))
    theirs = AveragedModel(net, avg_fn=get_swa_avg_fn(), use_buffers=True)

    def after(count: int) -> None:
        ours.update(count)
        if count >= 20 and count % 5 == 0:
            theirs.update_parameters(net)
        if count < 20:
            for mine, newest in zip(ours.network.parameters(), net.parameters(), strict=True):
                assert torch.equal(mine, newest), "before the start it is the weights themselves"

    walk(net, after)
    for mine, other in zip(
        ours.network.state_dict().values(), theirs.module.state_dict().values(), strict=True
    ):
        if mine.is_floating_point():
            torch.testing.assert_close(mine, other)


def test_swa_is_the_plain_mean_of_the_weights_it_takes() -> None:
    net, taken = network(), list[list[torch.Tensor]]()
    from nnlab.parts.averages import SwaConfig

    ours = Averaged(net, SwaConfig().build(per_epoch=5, total=40))

    def after(count: int) -> None:
        ours.update(count)
        # From 75 % of 40 on, once an epoch of 5.
        if count in (30, 35, 40):
            taken.append([deepcopy(p.detach()).double() for p in net.parameters()])

    walk(net, after)
    for mine, *path in zip(ours.network.parameters(), *taken, strict=True):
        torch.testing.assert_close(mine.double(), torch.stack(path).mean(dim=0))


@pytest.mark.parametrize("averaging", [EMA, {**SWA, "start": "10 steps", "every": "3 steps"}])
class TestEveryAverage:
    def test_training_itself_goes_on_as_without(self, averaging: dict[str, Any]) -> None:
        plain, examples = built_of("none")
        averaged, _ = built_of(averaging)
        rows = torch.from_numpy(examples.rows["train"][:16])
        for built in (plain, averaged):
            built.step.fill_learning_rate(0.02)
            for _ in range(20):
                built.step.update(rows)
        there = averaged.step.state()
        for name, tensor in plain.step.state().items():
            assert torch.equal(there[name.replace("model/", "trained/")], tensor), name

    def test_validation_reads_the_average(self, averaging: dict[str, Any]) -> None:
        built, examples = built_of(averaging)
        built.step.fill_learning_rate(0.02)
        for _ in range(20):
            built.step.update(torch.from_numpy(examples.rows["train"][:16]))
        values = built.measure["validation"]()
        state = built.step.state()
        held = {k: v.clone() for k, v in state.items() if k.startswith("model/")}
        assert any(not torch.equal(v, state[f"trained/{k[6:]}"]) for k, v in held.items())
        built.network.load_state_dict({k.removeprefix("model/"): v for k, v in held.items()})
        built.network.eval()
        rows = torch.from_numpy(examples.rows["validation"])
        inputs = torch.from_numpy(examples.inputs)[rows]  # pyright: ignore[reportArgumentType]
        targets = torch.from_numpy(examples.targets)[rows]
        loss = nn.functional.cross_entropy(built.network(inputs), targets)
        assert values["loss"] == pytest.approx(loss.item(), rel=1e-5)

    @pytest.mark.parametrize(
        "section",
        [{"precision": "bf16"}, {"precision": "fp16"}, {"precision": "fp64"}],
        ids=lambda s: s["precision"],
    )
    def test_the_average_has_the_precision_of_the_weights(
        self, averaging: dict[str, Any], section: dict[str, Any]
    ) -> None:
        built, examples = built_of(averaging, **section)
        built.step.fill_learning_rate(0.02)
        built.step.update(torch.from_numpy(examples.rows["train"][:16]))
        dtype = torch.float64 if section["precision"] == "fp64" else torch.float32
        state = built.step.state()
        assert state["model/hidden1.weight"].dtype == dtype
        assert torch.equal(state["model/hidden1.weight"], state["trained/hidden1.weight"])

    def test_break_and_resume_equals_no_break(
        self, averaging: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Every epoch is saved, however long a save takes on a busy machine.
        monkeypatch.setattr("nnlab.training.loop.SAVE_SHARE", 1e9)
        train(config(averaging), run_dir=tmp_path / "whole")
        broken = tmp_path / "broken"
        view = open_view(quiet=True, stream=sys.stderr)
        stream = stream_run(config(averaging), run_dir=broken, view=view)
        for event in stream:
            if isinstance(event, SaveDue) and event.step > 9:
                break
        stream.close()
        assert read_summary(broken).status == "pruned"
        resume(broken)
        whole = checkpoint.named_checkpoint(tmp_path / "whole" / "checkpoints", "last").tensors
        again = checkpoint.named_checkpoint(broken / "checkpoints", "last").tensors
        assert set(whole) == set(again)
        for name, tensor in whole.items():
            assert torch.equal(again[name], tensor), name

    def test_eval_and_load_take_the_average(
        self, averaging: dict[str, Any], tmp_path: Path
    ) -> None:
        summary = train(config(averaging), run_dir=tmp_path / "run")
        assert summary.best is not None
        found = evaluate(tmp_path / "run", split="validation")
        assert found["loss"] == pytest.approx(summary.best["loss"], rel=1e-6)
        best = checkpoint.named_checkpoint(tmp_path / "run" / "checkpoints", "best").tensors
        for name, tensor in load_network(tmp_path / "run").state_dict().items():
            assert torch.equal(best[f"model/{name}"], tensor)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_average_follows_a_compiled_network() -> None:
    built, examples = built_of(EMA, compile="on")
    built.step.fill_learning_rate(0.02)
    path: list[torch.Tensor] = []
    for start in (0, 16, 32):
        built.step.update(torch.from_numpy(examples.rows["train"][start : start + 16]))
        path.append(built.step.state()["trained/output.weight"].clone())
    expected = path[0].lerp(path[1], 1.0 - 0.9).lerp(path[2], 1.0 - 0.9)
    assert torch.equal(built.step.state()["model/output.weight"], expected)


def test_the_average_of_bounded_weights_is_bounded() -> None:
    _, examples = built_of(EMA)
    sections = {**config(EMA), "regularize": {"max_norm": 0.3}}
    place = place_for(Path.cwd())
    experiment = settle(load_config(sections), place, Machine("cpu", 1))
    bounded = build_trainer(experiment, examples, torch.device("cpu"))
    bounded.step.fill_learning_rate(0.1)
    for _ in range(30):
        bounded.step.update(torch.from_numpy(examples.rows["train"][:16]))
    for name in ("model/hidden1.weight", "trained/hidden1.weight"):
        assert float(bounded.step.state()[name].norm(dim=1).max()) <= 0.3 * (1 + 1e-6)
