"""The configs that come with nnlab: each means something, says what, and trains."""

import os
import re
from pathlib import Path

import pytest

from nnlab.config import loading
from nnlab.config.run_config import RunConfig, dump_config, to_plain
from nnlab.core.contracts import Machine
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle

CONFIGS = Path(__file__).parents[1] / "configs"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
# What issues, README and users name.
PROMISED = {
    "breast_cancer",
    "cifar10_cnn",
    "diabetes",
    "digits_cnn",
    "digits_mlp",
    "function",
    "iris",
    "mnist_cnn",
    "mnist_lenet5",
    "mnist_mlp",
    "mnist_mlp16",
    "moons",
    "spirals",
    "xor",
}
MNIST = Path(os.environ.get("NNLAB_DATA") or Path(__file__).parents[2] / "shared" / "data")
HAS_MNIST = (MNIST / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file()
NO_MNIST = f"needs the files of MNIST in {MNIST} or NNLAB_DATA"


def settled(name: str) -> Experiment:
    place = loading.place_for(CONFIGS)
    return settle(loading.load_config(CONFIGS / f"{name}.yaml"), place, Machine("cpu", 2))


def read_again(config: RunConfig) -> RunConfig:
    return loading.load_config(loading.Text(dump_config(config), "dump", CONFIGS, "dump"))


def test_all_promised_configs_are_there() -> None:
    assert set(NAMES) >= PROMISED


def test_bundled_names_are_the_files() -> None:
    lessons = [f"lessons/{path.stem}" for path in (CONFIGS / "lessons").glob("*.yaml")]
    assert sorted(loading.bundled_configs()) == sorted([*NAMES, *lessons])


@pytest.mark.parametrize("name", NAMES)
class TestEveryConfig:
    def test_opens_with_what_it_shows_how_long_it_takes_and_what_to_try(self, name: str) -> None:
        lines = (CONFIGS / f"{name}.yaml").read_text().splitlines()
        head = "\n".join(lines[: next(i for i, line in enumerate(lines) if line[:1] != "#")])
        assert re.search(r"\d+ (seconds?|minutes?) on (a|two) CPU", head)
        assert "\n# Try: " in head

    def test_fits_a_screen(self, name: str) -> None:
        lines = (CONFIGS / f"{name}.yaml").read_text().splitlines()
        assert len(lines) <= 40
        assert max(map(len, lines)) <= 100

    def test_settles(self, name: str) -> None:
        experiment = settled(name)
        assert experiment.config.name == name
        assert experiment.shape.sizes["validation"] > 0
        assert experiment.shape.sizes["test"] > 0

    def test_is_read_from_its_own_text_as_it_was(self, name: str) -> None:
        config = loading.load_config(CONFIGS / f"{name}.yaml")
        assert to_plain(read_again(config)) == to_plain(config)

    def test_settled_is_read_from_its_own_text_as_it_was(self, name: str) -> None:
        config = settled(name).config
        assert to_plain(read_again(config)) == to_plain(config)

    def test_settled_settles_to_itself(self, name: str) -> None:
        config = settled(name).config
        again = settle(config, loading.place_for(CONFIGS), Machine("cpu", 2)).config
        assert to_plain(again) == to_plain(config)

    def test_trains_a_few_steps(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from nnlab.runs.run import train

        if name.startswith("cifar"):
            pytest.skip("CIFAR-10 would have to be downloaded")
        overrides = ["train.steps=3"]
        if name.startswith("mnist"):
            if not HAS_MNIST:
                pytest.skip(NO_MNIST)
            monkeypatch.setenv("NNLAB_DATA", str(MNIST))
            overrides += ["data.limit=200", "data.validation=100"]
        if name.startswith("shakespeare"):
            overrides += ["data.limit=100", "data.validation=20"]
        summary = train(
            CONFIGS / f"{name}.yaml",
            overrides=overrides,
            run_dir=tmp_path / "run",
            device="cpu",
        )
        assert summary.status == "completed"
        assert summary.steps == 3


def test_the_classic_network_has_13002_parameters() -> None:
    # 784 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10
    assert settled("mnist_mlp16").design.parameters == 13_002


def test_lenet5_has_61706_parameters() -> None:
    # conv 6 * 25 + 6, 16 * 6 * 25 + 16; linear 400 * 120 + 120, 120 * 84 + 84, 84 * 10 + 10
    assert settled("mnist_lenet5").design.parameters == 61_706


def test_spirals_can_be_made_deep_by_one_number() -> None:
    # The first thing that a newcomer breaks: then nnlab doctor names the vanishing gradient.
    config = loading.load_config(CONFIGS / "spirals.yaml", ["model.hidden.depth=20"])
    design = settle(config, loading.place_for(CONFIGS), Machine("cpu", 2)).design
    # 96 of the first, 19 times 1,056, 66 of the output.
    assert design.parameters == 20_226
