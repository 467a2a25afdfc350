"""Pictures and histograms of a whole run: they arrive in TensorBoard and leave no trace."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nnlab.commands.pictures import album
from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Machine
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.runs.folder.summary import Summary
from nnlab.runs.run import resume, train
from nnlab.training.pace import Due, spaced_steps
from nnlab.training.probes import histograms
from nnlab.training.probes.labels import legible_layers, number_of

CONFIG: dict[str, Any] = {
    "name": "watched",
    "data": {"kind": "moons", "samples": 200},
    "model": {"kind": "mlp", "hidden": [8, 8], "norm": "batch", "dropout": 0.2},
    "train": {"steps": 300, "batch_size": 16},
    "log": {"every": "30 steps", "pictures": "auto"},
}
WATCHED: dict[str, Any] = {**CONFIG, "log": {"every": "30 steps", "pictures": 3}}
"""Three moments: drawing one takes a second."""


def accumulate(folder: Path) -> Any:
    """TensorBoard's own reader."""
    module = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    return module.EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()


def weights(summary: Summary) -> bytes:
    folder = summary.run / "checkpoints"
    return (folder / (folder / "last").read_text().strip() / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return train(WATCHED, run_dir=tmp_path_factory.mktemp("watched") / "1")


def test_watching_leaves_the_weights_byte_for_byte(watched: Summary, tmp_path: Path) -> None:
    off = ["log.pictures=off", "log.histograms=off"]
    unwatched = train(WATCHED, overrides=off, run_dir=tmp_path / "1")
    assert weights(watched) == weights(unwatched)
    assert not any(
        tag.startswith("pictures") for tag in accumulate(unwatched.run).Tags()["tensors"]
    )


def test_samples_of_what_is_written_leave_the_weights_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("to be or not to be. " * 60)
    config: dict[str, Any] = {
        "data": {"kind": "text", "path": str(tmp_path / "text.txt"), "window": 10},
        "model": {"kind": "gru", "units": 6, "embed": 4, "dropout": 0.5},
        "train": {"steps": 30, "batch_size": 8, "carry": True},
        "log": {"every": "10 steps", "pictures": 2},
    }
    summary = train(config, run_dir=tmp_path / "1")
    unwatched = train(config, overrides=["log.pictures=off"], run_dir=tmp_path / "2")
    assert weights(summary) == weights(unwatched)
    tag = "samples/written"
    points = accumulate(summary.run).Tensors(tag)
    assert points[0].step == 0
    assert points[-1].step == 30
    texts = [point.tensor_proto.string_val[0].decode() for point in points]
    assert all("it writes" in text for text in texts)
    assert len(set(texts)) == len(texts)
    assert tag not in accumulate(unwatched.run).Tags()["tensors"]


class TestTensorBoard:
    def test_has_the_pictures_of_all_moments(self, watched: Summary) -> None:
        found = accumulate(watched.run)
        assert set(found.PluginTagToContent("images")) == {
            "pictures/decision boundary",
            "pictures/last hidden layer",
            "pictures/network",
            "pictures/training and validation",
            "pictures/gradient by depth",
            "evaluation/confusion matrix",
            "evaluation/reliability",
        }
        points = found.Tensors("pictures/decision boundary")
        assert [point.step for point in points] == [0, 30, 300]
        pngs = [point.tensor_proto.string_val[2] for point in points]
        assert all(png.startswith(b"\x89PNG") for png in pngs)
        assert len(set(pngs)) == 3
        about = found.SummaryMetadata("pictures/decision boundary").summary_description
        assert about.startswith("Which class the network gives")
        assert found.Tensors("pictures/gradient by depth")[-1].step == 300

    def test_has_a_precision_recall_curve_of_each_class(self, watched: Summary) -> None:
        found = accumulate(watched.run)
        assert set(found.PluginTagToContent("pr_curves")) == {
            "evaluation/upper",
            "evaluation/lower",
        }
        util = importlib.import_module("tensorboard.util.tensor_util")
        curve = util.make_ndarray(found.Tensors("evaluation/upper")[0].tensor_proto)
        assert curve.shape[0] == 6
        assert (curve[:4].sum(axis=0) == 20).all()  # the validation split

    def test_has_histograms_of_each_layer(self, watched: Summary) -> None:
        found = accumulate(watched.run)
        layers = ("00_hidden1", "01_hidden2", "02_output")
        assert set(found.PluginTagToContent("histograms")) == {
            *(f"{what}/{layer}.weight" for what in ("weights", "gradients") for layer in layers),
            *(f"activations/{layer}" for layer in layers[:2]),
        }
        util = importlib.import_module("tensorboard.util.tensor_util")
        last = util.make_ndarray(found.Tensors("weights/01_hidden2.weight")[-1].tensor_proto)
        assert last.shape == (30, 3)
        assert last[:, 2].sum() == 64
        assert np.allclose(last[1:, 0], last[:-1, 1])

    def test_describes_each_curve(self, watched: Summary) -> None:
        found = accumulate(watched.run)
        for tag in found.Tags()["scalars"]:
            assert found.SummaryMetadata(tag).summary_description, tag
        norm = found.SummaryMetadata("grad_norm/total").summary_description
        assert norm.startswith("length of the gradient, before clipping: |g|_2")
        loss = found.SummaryMetadata("loss/train").summary_description
        assert "cross" in loss.lower() or "log" in loss


@pytest.mark.slow
def test_a_resumed_run_goes_on_with_its_pictures(watched: Summary, tmp_path: Path) -> None:
    first = train(WATCHED, overrides=["train.steps=150"], run_dir=tmp_path / "1")
    resume(first.run, overrides=["train.steps=300"])
    found = accumulate(first.run)
    steps = [point.step for point in found.Tensors("pictures/decision boundary")]
    assert steps == sorted(set(steps))
    assert steps[-1] == 300
    assert weights(Summary(run=first.run, name="", status="completed")) == weights(watched)


def test_the_command_draws_first_best_and_last(watched: Summary, tmp_path: Path) -> None:
    files = album.draw(watched.run, tmp_path)
    names = {file.name for file in files}
    assert {f"decision-boundary.{name}.png" for name in album.PICTURE_NAMES} <= names
    assert "training-and-validation.last.png" in names
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
    assert names == {file.name for file in tmp_path.iterdir()}
    drawn = [(tmp_path / f"network.{name}.png").read_bytes() for name in ("init", "last")]
    assert drawn[0] != drawn[1]


def test_one_sheet_has_all_of_them(watched: Summary, tmp_path: Path) -> None:
    """A picture of it is that of its file, made smaller, somewhere below the words."""
    files = album.draw(watched.run, tmp_path, album.FileForm(200, "png"))
    assert files[-1].name == album.SHEET
    with Image.open(files[-1]) as image:
        sheet = np.asarray(image.convert("L"), np.float64)
    across = sheet.shape[1] // len(album.PICTURE_NAMES)
    title = files[0].name.partition(".")[0]
    with Image.open(tmp_path / f"{title}.best.png") as image:
        down = round(image.height * (across - 8) / image.width)
        alone = np.asarray(image.convert("L").resize((across - 8, down)), np.float64)
    column = album.PICTURE_NAMES.index("best") * across
    part = sheet[:, column : column + across - 8]
    alike = [np.corrcoef(part[top : top + down].ravel(), alone.ravel())[0, 1] for top in range(90)]
    assert max(alike) > 0.99


@pytest.mark.slow
def test_of_files_to_scale_the_sheet_is_one_of_pixels(watched: Summary, tmp_path: Path) -> None:
    files = album.draw(watched.run, tmp_path, album.FileForm(200, "svg"))
    assert files[-1].name == album.SHEET
    with Image.open(files[-1]) as image:
        assert image.format == "PNG"


class TestMoments:
    def test_begin_with_0_end_with_the_last_and_grow(self) -> None:
        found = spaced_steps(10, every=13, total=2580)
        assert (found[0], found[-1], len(found)) == (0, 2580, 10)
        assert all(step % 13 == 0 for step in found[:-1])
        gaps = np.diff(found)
        assert (gaps[1:] >= gaps[:-1]).all()

    @pytest.mark.parametrize("total", [1, 2, 7, 150, 10**6])
    def test_lie_within_the_run(self, total: int) -> None:
        for amount in (1, 2, 3, 10, 100):
            found = spaced_steps(amount, every=max(1, total // 200), total=total)
            assert len(found) <= max(amount, 2)
            assert found[-1] == total
            assert list(found) == sorted(set(found))

    def test_of_a_run_in_minutes_double(self) -> None:
        assert spaced_steps(10, every=5, total=None)[:5] == (0, 5, 10, 20, 40)

    @pytest.mark.parametrize("steps", [10, 200, 1000])
    def test_what_auto_took_takes_the_same_again(self, steps: int) -> None:
        first = settled({**CONFIG, "train": {"steps": steps}})
        assert "auto" not in first.config.log.model_dump().values()
        again = settled(first.config)
        assert again.pace == first.pace
        assert again.config.log == first.config.log

    def test_short_runs_have_none(self) -> None:
        assert not settled({**CONFIG, "train": {"steps": 100}}).pace.pictures.ever

    def test_due_is_the_latest_up_to_now(self) -> None:
        assert [Due((0, 4, 9)).latest(step) for step in (0, 3, 4, 10)] == [0, 0, 4, 9]
        assert Due(each=5).latest(13) == 10
        assert Due().latest(13) == -1


def settled(config: Any) -> Experiment:
    return settle(load_config(config), place_for(Path.cwd()), Machine("cpu", 1))


def test_of_a_deep_network_a_few_layers_are_shown() -> None:
    deep = settled({**CONFIG, "model": {"kind": "mlp", "hidden": {"width": 4, "depth": 20}}})
    shown = legible_layers(deep.design.plans)
    assert len(shown) == 8
    assert {0, 20} <= shown
    assert legible_layers(settled(CONFIG).design.plans) == {0, 1, 2}
    assert number_of("activation_std/12_hidden13") == 12
    assert number_of("dead_units/total") is None


def test_histograms_count_every_number_once() -> None:
    numbers = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    (found,) = histograms.read_histograms({"x": histograms.count_buckets(numbers)}).values()
    edges = np.append(found[:, 0], found[-1, 1])
    expected, _ = np.histogram(numbers.numpy(), edges)
    # A number next to an edge may fall on its other side in float32.
    assert np.abs(found[:, 2] - expected).sum() <= 2
    assert found[:, 2].sum() == 1000


def test_histograms_of_equal_numbers_and_of_none() -> None:
    flat = histograms.count_buckets(torch.full((7,), 0.5))
    broken = histograms.count_buckets(torch.tensor([1.0, float("nan")]))
    assert histograms.read_histograms({}) == {}
    found = histograms.read_histograms({"flat": flat, "broken": broken})
    assert set(found) == {"flat"}
    assert found["flat"].tolist() == [[0.5, 0.5, 7.0]]
