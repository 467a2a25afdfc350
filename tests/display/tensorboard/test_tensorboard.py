import importlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.core.contracts import Plan, Split
from nnlab.core.events import Reading
from nnlab.display.tensorboard.sink import TensorBoard
from nnlab.runs.folder.metrics import JsonLines, Sinks, read_history
from nnlab.training.probes.readings import tag_of

WEIGHT, BIAS = "grad_norm/00_hidden1.weight", "grad_norm/00_hidden1.bias"
CARDS = frozenset({WEIGHT})
SPLITS: tuple[Split, ...] = ("train", "validation")


def accumulate(folder: Path) -> Any:
    """TensorBoard's own reader."""
    module = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    return module.EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()


def readings(steps: range, *, scale: float = 1.0) -> Iterator[Reading]:
    for step in steps:
        value = scale / (step + 3)
        training = {
            "loss": value,
            "learning_rate": 0.1,
            "samples_per_second": 1e5,
            "grad_norm/total": 2.0,
            WEIGHT: 1.0,
            BIAS: 0.5,
        }
        yield Reading(step, step / 2, "train", training)
        yield Reading(step, step / 2, "validation", {"loss": value / 3, "accuracy": 1 - value})


def write(folder: Path, steps: range, *, resume: int | None = None, scale: float = 1.0) -> int:
    """A run's sinks; returns the length of metrics.jsonl after its last step but one."""
    lines = JsonLines(folder / "metrics.jsonl", length=resume)
    purge_step = None if resume is None else steps.start
    board = TensorBoard(folder, purge_step=purge_step, cards=CARDS)
    length = 0
    with Sinks([lines, board], pytest.fail) as sinks:
        for reading in readings(steps, scale=scale):
            if reading.step == steps[-1] and not length:
                sinks.flush()
                length = lines.length
            sinks.write(reading)
    return length


def assert_equals_metrics(folder: Path) -> None:
    expected: dict[str, dict[int, float]] = {}
    for entry in read_history(folder / "metrics.jsonl"):
        step, _, split = entry.pop("step"), entry.pop("epoch"), entry.pop("split")
        for key, value in entry.items():
            expected.setdefault(tag_of(key, split), {})[step] = value
    del expected[BIAS]
    found = accumulate(folder)
    assert set(found.Tags()["scalars"]) == set(expected)
    for tag, values in expected.items():
        points = [(point.step, point.value) for point in found.Scalars(tag)]
        assert points == list(values.items()), tag


def test_reader_finds_one_value_per_step_equal_to_the_file_of_record(tmp_path: Path) -> None:
    write(tmp_path, range(20))
    assert_equals_metrics(tmp_path)


def test_after_a_resume_each_step_has_one_value(tmp_path: Path) -> None:
    length = write(tmp_path, range(10))
    write(tmp_path, range(9, 15), resume=length, scale=2.0)
    assert_equals_metrics(tmp_path)
    assert len(accumulate(tmp_path).Scalars("loss/train")) == 15


def test_a_new_file_sorts_behind_those_of_a_clock_that_ran_ahead(tmp_path: Path) -> None:
    old = tmp_path / "events.out.tfevents.4000000000.host.1.0"
    old.touch()
    write(tmp_path, range(2))
    write(tmp_path, range(2))
    assert sorted(tmp_path.glob("events*"))[0] == old
    assert len(list(tmp_path.glob("events*"))) == 3


def test_not_finite_is_not_finite_in_both(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path, purge_step=None)
    with Sinks([board], pytest.fail) as sinks:
        sinks.write(Reading(1, 1.0, "train", {"loss": float("nan"), "penalty": 1e39}))
    found = accumulate(tmp_path)
    assert np.isnan(found.Scalars("loss/train")[0].value)
    assert np.isinf(found.Scalars("penalty/train")[0].value)


def test_a_reader_beside_the_writer_sees_steps_in_order(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path, purge_step=None)
    seen = 0
    with Sinks([board], pytest.fail, together=0.0) as sinks:
        sinks.write(next(readings(range(1))))
        sinks.flush()
        found = accumulate(tmp_path)
        for reading in readings(range(1, 60)):
            sinks.write(reading)
            time.sleep(0.002)
            found.Reload()
            steps = [point.step for point in found.Scalars("loss/train")]
            assert steps == list(range(len(steps)))
            seen = max(seen, len(steps))
    assert seen > 30


def test_reads_past_a_torn_record(tmp_path: Path) -> None:
    write(tmp_path, range(5))
    (file,) = tmp_path.glob("events*")
    os.truncate(file, file.stat().st_size - 5)
    points = accumulate(tmp_path).Scalars("loss/validation")
    assert [point.step for point in points] == [0, 1, 2, 3]


def test_a_full_disk_warns_once_and_training_goes_on(tmp_path: Path) -> None:
    (tmp_path / "run").touch()  # a file where the folder should be
    board = TensorBoard(tmp_path / "run", purge_step=None)
    said: list[str] = []
    with Sinks([JsonLines(tmp_path / "metrics.jsonl", length=None), board], said.append) as sinks:
        for reading in readings(range(5)):
            sinks.write(reading)
    assert len(said) == 1
    assert len(read_history(tmp_path / "metrics.jsonl")) == 10


def describe(folder: Path) -> Any:
    """Everything but readings."""
    conv = Plan("conv1", "conv", (), (1, 8, 8), (4, 8, 8), {"conv1.weight": (4, 1, 3, 3)}, {}, 99)
    inner = Plan("block1.conv1", "conv", (), (4, 8, 8), (4, 8, 8), {"block1.conv1.weight": (4,)})
    skip = Plan("block1.skip", "projection", (), (4, 8, 8), (4, 8, 8))
    block = Plan(
        "block1",
        "residual",
        (),
        (4, 8, 8),
        (4, 8, 8),
        inner.parameters,
        note="relu",
        children=(inner, skip),
    )
    output = Plan("output", "linear", (), (4, 8, 8), (10,), {"output.weight": (10, 256)})
    board = TensorBoard(folder, purge_step=None, cards=CARDS)
    values = {"optimizer.lr": 0.1, "optimizer.nesterov": True, "model.hidden": (16, 16), "x": None}
    with Sinks([board], pytest.fail):
        board.text("config", "```yaml\ndata: mnist\n```")
        charts = {"loss": ["^loss/train$", "^loss/validation$"], "rate": ["^learning_rate$"]}
        board.layout([("is it learning?", charts), ("by depth", {"norms": [r"^grad_norm/\d"]})])
        board.graph([conv, block, output], (1, 8, 8))
        board.hparams(values, ["accuracy/validation"])
        board.hparams_end("early_stopped")
    return accumulate(folder)


def test_graph_shows_layers_shapes_and_the_way_around(tmp_path: Path) -> None:
    nodes = {node.name: node for node in describe(tmp_path).Graph().node}
    assert {name: list(node.input) for name, node in nodes.items()} == {
        "input": [],
        "conv1": ["input"],
        "block1/conv1": ["conv1"],
        "block1/skip": ["conv1"],
        "block1/sum": ["block1/conv1", "block1/skip"],
        "output": ["block1/sum"],
    }
    shape = nodes["conv1"].attr["_output_shapes"].list.shape[0]
    assert [dim.size for dim in shape.dim] == [-1, 4, 8, 8]
    weight = nodes["block1/conv1"].attr["weight"].shape
    assert [dim.size for dim in weight.dim] == [4]
    assert nodes["conv1"].attr["flops"].i == 99
    assert "weight" not in nodes["block1/sum"].attr


def test_hparams_page_knows_the_run(tmp_path: Path) -> None:
    content = describe(tmp_path).PluginTagToContent("hparams")
    metadata = importlib.import_module("tensorboard.plugins.hparams.metadata")
    start = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG])
    assert start.hparams["optimizer.lr"].number_value == 0.1
    assert start.hparams["optimizer.nesterov"].bool_value is True
    assert start.hparams["model.hidden"].string_value == "(16, 16)"
    about = metadata.parse_experiment_plugin_data(content[metadata.EXPERIMENT_TAG])
    assert [info.name.tag for info in about.metric_infos] == ["accuracy/validation"]
    end = metadata.parse_session_end_info_plugin_data(content[metadata.SESSION_END_INFO_TAG])
    api = importlib.import_module("tensorboard.plugins.hparams.api_pb2")
    assert end.status == api.STATUS_SUCCESS


def test_layout_and_text_are_read_back(tmp_path: Path) -> None:
    found = describe(tmp_path)
    messages = importlib.import_module("tensorboard.plugins.custom_scalar.layout_pb2")
    data = found.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
    layout = messages.Layout.FromString(data)
    assert [(c.title, c.closed) for c in layout.category] == [
        ("is it learning?", False),
        ("by depth", True),
    ]
    charts = {chart.title: list(chart.multiline.tag) for c in layout.category for chart in c.chart}
    assert charts["loss"] == ["^loss/train$", "^loss/validation$"]
    assert charts["norms"] == [r"^grad_norm/\d"]
    assert set(charts) == {"loss", "rate", "norms"}
    assert found.Tensors("config")[0].tensor_proto.string_val[0].startswith(b"```yaml")


@pytest.mark.parametrize("length", [0, 1, 7, 8, 300])
def test_checksum_is_that_of_tensorboard(length: int) -> None:
    from nnlab.display.tensorboard.events import masked_crc

    stub = importlib.import_module("tensorboard.compat.tensorflow_stub.pywrap_tensorflow")
    data = np.random.default_rng(length).bytes(length)
    assert masked_crc(data) == stub.masked_crc32c(data)
