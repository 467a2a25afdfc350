"""What holds for every rule: the menu, the run folder, resuming, what may stand beside it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from building import make, make_on
from pydantic import TypeAdapter
from torch.utils._python_dispatch import TorchDispatchMode

from nnlab.commands.show.page import show_page
from nnlab.commands.smoke import smoke_run
from nnlab.config.loading import Text, load_config, place_for
from nnlab.config.run_config import dump_config, to_plain
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError
from nnlab.core.events import EpochEnd, SaveDue
from nnlab.core.kinds import Kind, kinds_of
from nnlab.display.open_view import open_view
from nnlab.experiment.handed import experiment_of
from nnlab.experiment.settle import settle
from nnlab.rules import LearningRule
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.run import resume, stream_run, train
from nnlab.training.step import Concluding

RULES = [name for name in kinds_of(LearningRule) if name != "gradient"]
# Overlapping clouds: no rule is done before the end.
BLOBS = {"kind": "blobs", "samples": 120, "centers": 2, "cluster_std": 6.0, "augment": ["noise"]}


def config_of(rule: str) -> dict[str, Any]:
    size = {"epochs": 4, "batch_size": 16}
    # The variance of these clouds is some hundred.
    chosen = rule if rule in ("none", "perceptron") else {"kind": rule, "lr": 1e-4}
    return {"name": rule, "data": BLOBS, "model": "linear", "rule": chosen, "train": size}


def quiet() -> Any:
    return open_view(quiet=True, stream=sys.stderr)


def bits(folder: Path) -> dict[str, bytes]:
    found = checkpoint.named_checkpoint(folder / "checkpoints", "last")
    return {k: v.contiguous().numpy().tobytes() for k, v in found.tensors.items()}


def lines(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(t).items() if k != "samples_per_second"} for t in text]


@pytest.fixture
def host_reads() -> Iterator[list[str]]:
    seen: list[str] = []

    class Spy(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if any(w in str(func) for w in ("_local_scalar_dense", "nonzero", "masked_select")):
                seen.append(str(func))
            return func(*args, **(kwargs or {}))

    with Spy():
        yield seen


@pytest.mark.parametrize("kind", kinds_of(LearningRule).values(), ids=kinds_of(LearningRule))
class TestEveryKind:
    def test_has_help_of_one_line(self, kind: type[Kind]) -> None:
        first = (kind.__doc__ or "").splitlines()[0]
        assert first.endswith(".")
        assert len(first) <= 100

    def test_reads_back_what_it_writes(self, kind: type[Kind]) -> None:
        adapter: TypeAdapter[Any] = TypeAdapter(LearningRule)
        assert adapter.validate_python(kind.example().model_dump()) == kind.example()


@pytest.mark.parametrize("rule", RULES)
class TestEveryRule:
    def test_reads_nothing_back_in_an_update(self, rule: str, host_reads: list[str]) -> None:
        made = make(**config_of(rule))
        host_reads.clear()
        made.built.step.update(made.rows[:16])
        assert host_reads == []

    def test_looking_changes_nothing(self, rule: str) -> None:
        watched, unwatched = make(**config_of(rule)), make(**config_of(rule))
        for start in (0, 16, 32):
            rows = watched.rows[start : start + 16]
            watched.built.step.probe(rows)
            watched.built.step.update(rows)
            unwatched.built.step.update(rows)
        states = [made.built.step.state() for made in (watched, unwatched)]
        assert all(torch.equal(states[1][name], tensor) for name, tensor in states[0].items())

    def test_a_state_taken_over_goes_on_with_the_same_bits(self, rule: str) -> None:
        first, second = make(**config_of(rule)), make(**config_of(rule))
        first.built.step.update(first.rows[:16])
        assert isinstance(first.built.step, Concluding)
        first.built.step.end_epoch()
        second.built.step.load({k: v.clone() for k, v in first.built.step.state().items()})
        for made in (first, second):
            made.built.step.update(made.rows[16:40])
        for name, tensor in first.built.step.state().items():
            assert torch.equal(second.built.step.state()[name], tensor), name
        assert first.built.step.read() == second.built.step.read()

    def test_computes_in_fp64_too(self, rule: str) -> None:
        made = make(**{**config_of(rule), "train": {"epochs": 1, "precision": "fp64"}})
        made.run()
        assert made.weights()["output.weight"].dtype == torch.float64

    def test_settled_settles_to_itself_and_keeps_nothing_without_a_meaning(self, rule: str) -> None:
        settled = make(**config_of(rule)).experiment.config
        again = settle(settled, place_for(Path.cwd()), Machine("cpu", 1)).config
        assert to_plain(again) == to_plain(settled)
        read = load_config(Text(dump_config(settled), "dump", Path.cwd(), "dump"), ())
        assert to_plain(read) == to_plain(settled)
        assert not {"optimizer", "schedule", "regularize"} & set(to_plain(settled))

    @pytest.mark.parametrize(
        ("section", "value", "path"),
        [
            ("optimizer", "adam", "optimizer"),
            ("schedule", "cosine", "schedule"),
            ("regularize", {"l2": 0.1}, "regularize"),
            ("train", {"clip_norm": 1.0}, "train.clip_norm"),
            ("train", {"precision": "bf16"}, "train.precision"),
            ("train", {"compile": "on"}, "train.compile"),
        ],
    )
    def test_refuses_what_a_gradient_alone_has(
        self, rule: str, section: str, value: Any, path: str
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            make(**{**config_of(rule), section: value})
        assert len(caught.value.lines) == 1
        assert f"config: {path}: " in caught.value.lines[0]
        assert caught.value.lines[0].endswith(")"), "the way out"

    def test_shows_the_rule_in_place_of_an_optimizer(self, rule: str, tmp_path: Path) -> None:
        file = tmp_path / "f.yaml"
        file.write_text(json.dumps(config_of(rule)))
        facts = json.loads(show_page(str(file), (), data=False, as_json=True))
        assert facts["rule"].startswith(rule)
        assert facts["optimizer"] == facts["schedule"] == ""
        assert facts["memory"]["optimizer"] == facts["memory"]["gradients"] == 0
        page = show_page(str(file), (), data=False, as_json=False)
        assert "optimizer" not in page.replace("optimizer 0 B", "")

    @pytest.mark.gpu
    def test_trains_on_cuda_without_waiting(self, rule: str) -> None:
        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")
        host, device = make(**config_of(rule)), make_on("cuda:0", config_of(rule))
        for made in (host, device):
            made.built.step.update(made.rows[:16].to(made.built.step.state()["window/sums"].device))
        torch.cuda.set_sync_debug_mode("error")
        try:
            device.built.step.update(device.rows[16:32].cuda())
        finally:
            torch.cuda.set_sync_debug_mode("default")
        host.built.step.update(host.rows[16:32])
        for name, tensor in host.weights().items():
            torch.testing.assert_close(device.weights()[name].cpu(), tensor)
        device.run()


# One for each step: hebb and oja are sanger's.
@pytest.mark.parametrize("rule", ["none", "perceptron", "sanger"])
class TestEveryStep:
    def test_break_and_resume_equals_no_break(self, rule: str, tmp_path: Path) -> None:
        whole, broken = tmp_path / "whole", tmp_path / "broken"
        train(config_of(rule), run_dir=whole)
        stream = stream_run(config_of(rule), run_dir=broken, resume=True, view=quiet())
        for event in stream:
            if isinstance(event, SaveDue) and event.step:
                break
        stream.close()
        resume(broken)
        assert bits(broken) == bits(whole)
        assert lines(broken) == lines(whole)
        assert read_summary(broken).conclusion == read_summary(whole).conclusion

    def test_the_written_config_trains_to_the_same_bits(self, rule: str, tmp_path: Path) -> None:
        train(config_of(rule), run_dir=tmp_path / "first")
        train(load_config(tmp_path / "first" / "config.yaml"), run_dir=tmp_path / "second")
        assert bits(tmp_path / "first") == bits(tmp_path / "second")
        assert evaluate(tmp_path / "first") == evaluate(tmp_path / "second")

    def test_smokes(self, rule: str) -> None:
        assert smoke_run(experiment_of(config_of(rule)), view=quiet())["status"] == "completed"


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "none"])
def test_refuses_a_loss_and_a_deep_network(rule: str) -> None:
    with pytest.raises(ConfigError, match=r"config: loss: .* is read as loss \(remove loss\)"):
        make(**{**config_of(rule), "loss": "cross_entropy"})
    with pytest.raises(ConfigError, match=r"trains linear, got mlp \(write model: linear, or"):
        make(**{**config_of(rule), "model": {"kind": "mlp", "hidden": (3,)}})


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"data": "diabetes", "rule": "perceptron"}, "rule: perceptron needs classes"),
        (
            {"data": "iris", "rule": {"kind": "sanger", "components": 5}},
            "rule: sanger finds no more than 4 components in 4 inputs, got 5",
        ),
        (
            {"data": {"kind": "iris", "scale": "unit"}, "rule": "oja"},
            r"data\.scale: oja learns from inputs with mean 0, unit does not center them",
        ),
        (
            {"data": {"kind": "digits", "view": "pixels"}, "rule": "sanger"},
            r"data\.view: sanger learns from inputs with mean 0, and images as pixels have no",
        ),
        (
            {
                "data": "iris",
                "model": {"kind": "linear", "output": {"bias_init": "normal"}},
                "rule": "oja",
            },
            r"model\.output\.bias_init: oja learns weights without a bias",
        ),
        (
            {
                "data": "and",
                "model": {"kind": "linear", "output": {"bias": False}},
                "rule": "perceptron",
            },
            r"model\.output\.bias: perceptron learns a bias too",
        ),
        ({"data": "iris", "rule": "oja", "scores": ("accuracy",)}, "scores: a Hebbian rule has"),
        ({"data": "iris", "rule": {"kind": "oja", "eta": 1}}, "rule.eta: eta is called lr here"),
        ({"data": "iris", "rule": "gha"}, "'gha' is called sanger here"),
    ],
)
def test_refuses_what_does_not_go_together(sections: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make(**{"model": "linear", **sections})


def test_an_override_is_refused_at_its_place(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("data: and\nmodel: linear\nrule: perceptron\noptimizer: sgd\n")
    place, machine = place_for(tmp_path), Machine("cpu", 1)
    with pytest.raises(ConfigError, match=r"f\.yaml:4:12: optimizer: perceptron follows no"):
        settle(load_config(file), place, machine)
    with pytest.raises(ConfigError, match=r"^--set schedule=cosine: schedule: "):
        settle(load_config(file, ["schedule=cosine"]), place, machine)


def test_a_run_ends_with_what_the_rule_has_to_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"data": "and", "model": "linear", "rule": "perceptron", "train": {"epochs": 99}}
    view = open_view(quiet=False, stream=sys.stderr)
    summary = train(config, run_dir=tmp_path / "run", view=view)
    assert summary.why == "an epoch without a mistake"
    assert summary.conclusion["mistakes"] <= summary.conclusion["bound"]
    told = capsys.readouterr().err
    assert "completed (an epoch without a mistake)" in told
    assert "at most (R/gamma)^2 = " in told
    longer = resume(tmp_path / "run", overrides=["train.epochs=200"])
    assert (longer.steps, longer.why) == (summary.steps, summary.why)


def test_stops_at_the_epoch_without_a_mistake() -> None:
    made = make(data="or", model="linear", rule="perceptron", train={"epochs": 99})
    from nnlab.training.progress import Progress

    events = list(made.built.trainer.run(Progress()))
    ends = [event for event in events if isinstance(event, EpochEnd)]
    assert 1 < len(ends) < 99
