from typing import Any

from pydantic import TypeAdapter

from nnlab.commands.show.layers import count_parameters, folded, layer_table
from nnlab.core.contracts import DataShape, Shape, flat_plans
from nnlab.core.text import render_text
from nnlab.models import Model
from nnlab.models.family import Design, design_network
from nnlab.parts.losses.classes import CrossEntropyConfig

READ: Any = TypeAdapter(Model)


def designed(inputs: Shape, **keys: Any) -> Design:
    shape = DataShape(inputs, "classes", 10, tuple("0123456789"), {"train": 100})
    return design_network(READ.validate_python(keys), shape, CrossEntropyConfig())


def lines(network: Design) -> list[list[str]]:
    return [line.split() for line in render_text(layer_table(network.plans)).splitlines()]


def test_blocks_that_are_alike_have_one_row() -> None:
    network = designed((3, 32, 32), kind="resnet56")
    names = [row.name for row in folded(network.plans) if row.depth == 0]
    assert names == [
        *("conv1", "block1-9", "block10", "block11-18", "block19", "block20-27"),
        *("global_pool", "output"),
    ]


def test_equal_layers_of_an_mlp_have_one_row_from_three_on() -> None:
    network = designed((4,), kind="mlp", hidden={"width": 4, "depth": 4})
    assert [row.name for row in folded(network.plans)] == ["hidden1-4", "output"]
    network = designed((4,), kind="mlp", hidden=(4, 4, 5))
    assert [row.name for row in folded(network.plans)] == [
        *("hidden1", "hidden2", "hidden3", "output")
    ]


def test_layers_that_differ_in_a_note_stay_apart() -> None:
    layer = {"kind": "linear", "units": 4}
    layers = (layer, layer, {**layer, "activation": "relu"}, layer)
    network = designed((4,), kind="stack", layers=layers)
    assert len(list(folded(network.plans))) == 5


def test_rows_stand_for_all_layers() -> None:
    network = designed((3, 32, 32), kind="resnet20", width=4)
    top = [row for row in folded(network.plans) if row.depth == 0]
    assert sum(row.count for row in top) == len(network.plans)
    assert sum(row.count * count_parameters(row.plan) for row in top) == network.parameters


def test_all_plans_are_listed_each_before_what_is_inside() -> None:
    network = designed((3, 8, 8), kind="resnet20", width=4)
    names = [plan.name for plan in flat_plans(network.plans)]
    assert names[:5] == ["conv1", "block1", "block1.conv1", "block1.conv2", "block2"]
    assert len(names) == len(set(names)) == 1 + 9 * 3 + 2 + 2


def test_a_table_that_is_too_wide_shows_what_goes_out_alone() -> None:
    narrow, wide = designed((4,), kind="mlp", hidden=(3,)), designed((3, 32, 32), kind="resnet20")
    assert lines(narrow)[0] == ["layer", "kind", "one", "example", "parameters", "FLOPs"]
    assert lines(narrow)[1][:5] == ["hidden1", "linear", "4", "->", "3"]
    assert lines(wide)[0] == ["layer", "kind", "output", "parameters", "FLOPs"]
    assert lines(wide)[2][:6] == ["block1-3", "residual", "16x32x32", "3", "x", "4,672"]


def test_the_last_row_is_the_sum() -> None:
    network = designed((3, 32, 32), kind="resnet20")
    assert lines(network)[-1] == ["total", "269,722", "81.1M"]
