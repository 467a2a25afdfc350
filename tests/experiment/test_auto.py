"""What `auto` takes for speed is arithmetic on the plan."""

from pathlib import Path
from typing import Any

import pytest

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Machine
from nnlab.experiment import auto
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle

MACHINE = Machine("cpu", 4)


def settled(machine: Machine = MACHINE, **sections: Any) -> Experiment:
    config = {"data": "digits", "model": {"kind": "mlp", "hidden": [16, 16]}, **sections}
    return settle(load_config(config), place_for(Path.cwd()), machine)


def test_the_flops_of_a_step_are_three_forward_passes() -> None:
    experiment = settled(train={"batch_size": 50})
    forward = 2 * (64 * 16 + 16 * 16 + 16 * 10)
    flops = auto.step_flops(experiment.design, experiment.batch_size)
    assert flops == pytest.approx(3 * 50 * forward, rel=0.1)


def test_small_steps_take_one_thread_and_large_ones_all() -> None:
    assert settled().config.train.threads == 1
    wide = {"kind": "mlp", "hidden": [4000, 4000]}
    assert settled(model=wide).config.train.threads == 4
    assert settled(model=wide, train={"threads": 2}).config.train.threads == 2


@pytest.mark.parametrize(
    ("data", "model", "threads"),
    [
        ("digits", {"kind": "cnn", "channels": [8], "dense": [16]}, 1),
        ("digits", {"kind": "mlp", "hidden": [512, 512]}, 1),
        ("digits", {"kind": "mlp", "hidden": [256, 128]}, 1),
        ("digits", {"kind": "mlp", "hidden": [4096, 4096, 4096]}, 4),
    ],
)
def test_one_thread_unless_a_layer_is_worth_sharing(
    data: str, model: dict[str, Any], threads: int
) -> None:
    for busy in (MACHINE, MACHINE):  # no clock, no load: the same twice
        assert settled(busy, data=data, model=model).config.train.threads == threads


def test_many_small_layers_are_small_however_many() -> None:
    """Of 100 layers of 50 units no product is worth sharing, though a step has 1e8 operations."""
    deep = {"kind": "mlp", "hidden": {"width": 50, "depth": 100}}
    experiment = settled(model=deep, train={"batch_size": 64})
    assert auto.step_flops(experiment.design, experiment.batch_size) > 9e7
    assert experiment.config.train.threads == 1


def test_channels_lie_side_by_side_where_a_cpu_convolves() -> None:
    cnn = {"kind": "cnn", "channels": [4]}
    assert settled(model=cnn).config.train.layout == "channels_last"
    assert settled(model="resnet20").config.train.layout == "channels_last"
    assert settled().config.train.layout == "contiguous"
    assert settled(model=cnn, train={"layout": "contiguous"}).config.train.layout == "contiguous"
    assert settled(Machine("cuda", 4), model=cnn).config.train.layout == "contiguous"


@pytest.mark.parametrize("length", [{"steps": 1}, {"epochs": 2}, {"steps": 10**7}, {"minutes": 1}])
def test_channels_lie_as_they_do_however_long_the_run_is(length: dict[str, Any]) -> None:
    """So that a run that is made longer goes on with the bits of one that was longer at once."""
    cnn = {"kind": "cnn", "channels": [4]}
    assert settled(model=cnn, train=length).config.train.layout == "channels_last"


class TestCompileAuto:
    def test_is_off_in_a_short_run_and_silent(self) -> None:
        experiment = settled(train={"steps": 1000})
        assert experiment.config.train.compile == "off"
        assert experiment.compile_why == ""

    def test_tells_what_on_would_bring(self) -> None:
        steps = 30_000
        experiment = settled(train={"steps": steps})
        saved = steps * (auto.STEP_SECONDS + 3 * auto.LAYER_SECONDS)
        assert experiment.config.train.compile == "off"
        assert f"compiled ones save about {saved:.0f} s in each run" in experiment.compile_why

    def test_is_on_where_the_run_pays_for_the_build(self) -> None:
        steps = int(auto.BUILD_SECONDS / (auto.STEP_SECONDS + 3 * auto.LAYER_SECONDS)) + 1
        assert settled(train={"steps": steps}).config.train.compile == "on"
        assert settled(train={"steps": steps - 2}).config.train.compile == "off"

    @pytest.mark.parametrize(
        "sections",
        [
            {"optimizer": "lbfgs", "train": {"steps": 10**7, "batch_size": "full"}},
            {"train": {"steps": 10**7, "precision": "fp16"}},
            {"train": {"minutes": 600}},
        ],
        ids=["lbfgs", "fp16", "minutes"],
    )
    def test_is_off_where_there_is_no_compiled_step_or_no_number_of_steps(
        self, sections: dict[str, Any]
    ) -> None:
        assert settled(**sections).config.train.compile == "off"

    def test_is_off_on_other_devices(self) -> None:
        assert settled(Machine("cuda", 4), train={"steps": 10**7}).config.train.compile == "off"

    @pytest.mark.parametrize("written", ["on", "off"])
    def test_what_is_written_stays(self, written: str) -> None:
        experiment = settled(train={"compile": written})
        assert (experiment.config.train.compile, experiment.compile_why) == (written, "")
