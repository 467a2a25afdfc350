"""What pictures collect, against the network itself, scikit-learn and definitions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from building import Made, make
from sklearn.decomposition import PCA

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Machine
from nnlab.core.events import Reading
from nnlab.display.pictures.boundary import DecisionBoundary, segments
from nnlab.display.pictures.depth import GradientByDepth
from nnlab.display.pictures.descent import Descent
from nnlab.display.pictures.diagram import Diagram
from nnlab.display.pictures.family import Arrays, Picture, Scene, thin_rows
from nnlab.display.pictures.filters import FirstWeights, mosaic
from nnlab.display.pictures.fit import FittedFunction
from nnlab.display.pictures.hidden import HiddenSpace, principal, turn
from nnlab.display.pictures.learning_curve import LearningCurve
from nnlab.display.pictures.menu import KINDS
from nnlab.display.pictures.sequences.through_time import Gates, GradientThroughTime
from nnlab.display.pictures.sequences.told import Forecast, NextTokens
from nnlab.experiment.settle import settle
from nnlab.runs.observers.gallery import pictures_of, scene_of
from nnlab.runs.observers.samples import Samples

MOONS: dict[str, Any] = {
    "data": {"kind": "moons", "samples": 200, "scale": "feature"},
    "model": {"kind": "mlp", "hidden": [5, 3], "activation": "tanh"},
}
SINC: dict[str, Any] = {
    "data": {"kind": "function", "samples": 100, "scale_target": "standard"},
    "model": {"kind": "mlp", "hidden": [6], "norm": "batch"},
}
DIGITS: dict[str, Any] = {"data": "digits", "model": {"kind": "mlp", "hidden": [12]}}
CNN: dict[str, Any] = {
    "data": "digits",
    "model": {"kind": "cnn", "channels": [4], "dense": [6], "norm": "batch", "dropout": 0.5},
}
COPY: dict[str, Any] = {
    "data": {"kind": "copy", "samples": 60, "delay": 4, "length": 3},
    "model": {"kind": "lstm", "units": [6, 5], "embed": 4},
}
SUNSPOTS: dict[str, Any] = {
    "data": {"kind": "sunspots", "window": 12, "horizon": 4, "difference": True},
    "model": {"kind": "gru", "units": 6},
}
POINT: dict[str, Any] = {"data": "surface", "model": "point", "train": {"steps": 10}}


def shown(picture: Picture) -> Arrays:
    found = picture.arrays()
    assert found is not None
    return found


def scene(made: Made) -> Scene:
    return scene_of(made.experiment, made.examples, made.built.network, made.built.source)


def titles(sections: dict[str, Any]) -> set[str]:
    experiment = settle(load_config(sections), place_for(Path.cwd()), Machine("cpu", 1))
    return {kind.title for kind in KINDS if kind.fits(experiment)}


def reading(step: int, **values: float) -> Reading:
    return Reading(step, step / 10, "train", {k.replace("__", "/"): v for k, v in values.items()})


def test_pictures_apply_by_data_and_model() -> None:
    always = {"training and validation", "gradient by depth"}
    assert titles(MOONS) == {"decision boundary", "last hidden layer", "network", *always}
    assert titles(SINC) == {"fitted function", "network", *always}
    parts = "where answers come from"
    assert titles(CNN) == {"first layer's weights", "last hidden layer", parts, *always}
    assert titles(POINT) == {"descent"}
    time = {"gradient through time", "gates"}
    assert titles(COPY) == {*time, "next tokens", parts, *always}
    assert titles(SUNSPOTS) == {*time, "forecast", parts, *always}
    assert titles({"data": "xor", "model": "linear"}) == {
        "decision boundary",
        "network",
        "training and validation",
    }


class TestBoundary:
    def test_the_grid_is_the_softmax_of_the_network(self) -> None:
        made = make(**MOONS)
        found = shown(DecisionBoundary(scene(made)))
        x, y = np.meshgrid(found["x"], found["y"])
        stored = np.stack([x, y], axis=-1).reshape(-1, 2)
        seen = (stored - made.examples.shift) * made.examples.factor
        with torch.no_grad():
            p = made.built.network(torch.from_numpy(seen).float()).softmax(1).numpy()
        assert np.array_equal(found["regions"].ravel(), p.argmax(1))
        assert np.allclose(found["sure"].ravel(), p.max(1), atol=1e-5)

    def test_the_lines_are_where_a_unit_is_0(self) -> None:
        made = make(**MOONS)
        with torch.no_grad():
            made.built.network.get_parameter("hidden1.bias").uniform_(-1.0, 1.0)
        found = shown(DecisionBoundary(scene(made)))
        box = (found["x"][0], found["x"][-1], found["y"][0], found["y"][-1])
        ends = segments(found["lines"], box)
        seen = torch.from_numpy((ends - made.examples.shift) * made.examples.factor).double()
        hidden = made.built.network.get_submodule("hidden1").double()
        for unit in range(5):
            with torch.no_grad():
                assert hidden(seen[unit])[:, unit].abs().max() < 1e-5
        assert (np.abs(ends[:, 0] - ends[:, 1]).max(axis=1) > 0.1).all()

    def test_the_points_are_training_examples_as_stored(self) -> None:
        made = make(**MOONS)
        found = shown(DecisionBoundary(scene(made)))
        rows = made.examples.rows["train"]
        assert np.allclose(found["points"], np.asarray(made.examples.inputs)[rows])
        assert np.array_equal(found["labels"], made.examples.targets[rows])


def test_the_fit_is_in_the_data_s_own_units() -> None:
    made = make(**SINC)
    found = shown(FittedFunction(scene(made)))
    network, scale = made.built.network.eval(), made.examples.target_scale
    assert scale is not None
    seen = (found["x"][:, None] - made.examples.shift) * made.examples.factor
    with torch.no_grad():
        outputs = network(torch.from_numpy(seen).float()).numpy()
    expected = outputs * scale.deviation[0] + scale.mean[0]
    assert np.allclose(found["y"], expected, atol=1e-5)


def test_earlier_fits_are_remembered() -> None:
    made = make(**SINC)
    picture = FittedFunction(scene(made))
    first = shown(picture)["y"]
    with torch.no_grad():
        made.built.network.get_parameter("output.bias").add_(1.0)
    second = shown(picture)
    assert np.array_equal(second["earlier"][0], first)
    assert not np.allclose(second["y"], first)


def test_the_descent_shows_the_height_of_the_surface_and_the_way() -> None:
    made = make(**POINT)
    picture = Descent(scene(made))
    picture.see(reading(1, x=-1.0, y=0.25))
    found = shown(picture)
    x, y = np.meshgrid(found["x"], found["y"])
    assert np.allclose(found["heights"], (x**2 + 50 * y**2) / 2)  # the ravine
    assert found["way"].tolist() == [[-2.0, 0.5], [-1.0, 0.25], [-2.0, 0.5]]


class TestFirstWeights:
    def test_dense_weights_are_images_of_the_inputs_size(self) -> None:
        made = make(**DIGITS)
        tiles = shown(FirstWeights(scene(made)))["tiles"]
        weight = made.weights()["hidden1.weight"].numpy()
        assert tiles.shape == (12, 1, 8, 8)
        assert np.array_equal(tiles[3, 0], weight[3].reshape(8, 8))

    def test_filters_stand_in_the_mosaic_with_gaps(self) -> None:
        tiles = np.arange(3 * 2 * 2 * 2.0).reshape(3, 2, 2, 2)
        grid = mosaic(tiles)
        assert np.isnan(grid).any()
        assert sorted(grid[~np.isnan(grid)]) == list(range(24))
        assert np.array_equal(grid[:2, :2], tiles[0, 0])
        assert np.array_equal(grid[3:5, :2], tiles[0, 1])


class TestHiddenSpace:
    def test_is_what_comes_into_the_output_layer(self) -> None:
        made = make(**CNN)
        picture = HiddenSpace(scene(made))
        seen: list[torch.Tensor] = []
        hook = made.built.network.get_submodule("output").register_forward_hook(
            lambda _, inputs, __: seen.append(inputs[0])
        )
        places = shown(picture)["places"]
        hook.remove()
        expected = PCA(2).fit_transform(seen[0].double().numpy())
        assert np.allclose(np.abs(places), np.abs(expected), atol=1e-6)

    @pytest.mark.parametrize("size", [(30, 7), (12, 40)])
    def test_components_are_those_of_scikit_learn(self, size: tuple[int, int]) -> None:
        x = np.random.default_rng(0).normal(size=size) * np.linspace(3, 1, size[1])
        places, explained = principal(x)
        reference = PCA(2)
        expected = reference.fit_transform(x)
        signs = np.sign((places * expected).sum(axis=0))
        assert np.allclose(places * signs, expected)
        assert np.allclose(explained, reference.explained_variance_ratio_)

    def test_turns_back_what_was_turned(self) -> None:
        before = np.random.default_rng(0).normal(size=(20, 2))
        angle = 2.0
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        flipped = before @ rotation * [1.0, -1.0]
        assert np.allclose(flipped @ turn(flipped, before), before)

    def test_one_unit_has_no_plane(self) -> None:
        made = make(data="digits", model={"kind": "mlp", "hidden": [8, 1]})
        assert not HiddenSpace.fits(made.experiment)


def test_gradients_stand_from_input_to_output() -> None:
    hidden = {"width": 2, "depth": 101}
    made = make(data="xor", model={"kind": "mlp", "hidden": hidden})
    looked = scene(made)
    picture = GradientByDepth(looked)
    assert picture.arrays() is None
    for step in (0, 5, 10, 100):
        values = {key: step + depth for depth, key in enumerate(looked.norms)}
        picture.see(Reading(step, step, "train", values))
    found = shown(picture)
    assert found is not None
    assert found["layers"].tolist() == [*(f"hidden{n}" for n in range(1, 102)), "output"]
    assert found["steps"].tolist() == [0, 5, 100]  # 10 is too near to 5
    assert np.array_equal(found["norms"][-1], np.arange(100, 202))


def test_curves_keep_all_readings_of_both_splits() -> None:
    made = make(**MOONS)
    picture = LearningCurve(scene(made))
    readings, _ = make(**{**MOONS, "train": {"epochs": 2}}).run()
    for one in readings:
        picture.see(one)
    found = shown(picture)
    assert found is not None
    for split in ("train", "validation"):
        expected = [[r.epoch, r.values["loss"], r.values["accuracy"]]
                    for r in readings if r.split == split]  # fmt: skip
        assert found[split].tolist() == expected


@pytest.mark.parametrize("sections", [MOONS, SINC, DIGITS, CNN, POINT])
class TestEveryPicture:
    def test_collects_copies(self, sections: dict[str, Any]) -> None:
        made = make(**sections)
        pictures = seeing(made)
        before = {type(p): p.arrays() for p in pictures}
        kept = {kind: {k: v.copy() for k, v in (found or {}).items()}
                for kind, found in before.items()}  # fmt: skip
        with torch.no_grad():
            for parameter in made.built.network.parameters():
                parameter.add_(1.0)
        for kind, found in before.items():
            for key, array in (found or {}).items():
                np.testing.assert_array_equal(array, kept[kind][key], f"{kind} {key}")

    def test_leaves_no_trace(self, sections: dict[str, Any]) -> None:
        made = make(**sections)
        before, state = made.weights(), torch.get_rng_state()
        modes = [module.training for module in made.built.network.modules()]
        for picture in seeing(made):
            picture.arrays()
        assert torch.equal(torch.get_rng_state(), state)
        assert modes == [module.training for module in made.built.network.modules()]
        for name, value in made.weights().items():
            assert torch.equal(value, before[name]), name


def seeing(made: Made) -> list[Picture]:
    """The pictures of a run that have seen a few readings."""
    looked = scene(made)
    pictures = pictures_of(looked)
    for step in (0, 1, 5):
        values = {"x": 1.0, "y": 1.0, "loss": 1.0, **dict.fromkeys(looked.norms, 0.5)}
        for picture in pictures:
            picture.see(Reading(step, step, "train", values))
    return pictures


def test_a_network_s_diagram_holds_its_weights() -> None:
    made = make(**MOONS)
    found = shown(Diagram(scene(made)))
    for number, name in enumerate(("hidden1", "hidden2", "output")):
        assert np.array_equal(found[f"weight{number}"], made.weights()[f"{name}.weight"].numpy())
        assert np.array_equal(found[f"bias{number}"], made.weights()[f"{name}.bias"].numpy())
    assert found["classes"].tolist() == ["upper", "lower"]


def test_what_stays_and_what_changes_have_no_name_in_common() -> None:
    linear = {"model": "linear", "train": {"epochs": 1}}
    for sections in (MOONS, {"data": "digits", **linear}, {"data": "diabetes", **linear}):
        made = make(**sections)
        for picture in pictures_of(scene(made)):
            still, now = picture.still(), picture.collect() or {}
            assert not still.keys() & now.keys(), picture.title
            assert (picture.arrays() or {}).keys() == ({**still, **now}.keys() if now else set())


def test_a_finer_grid_is_the_same_function_at_more_points() -> None:
    picture = DecisionBoundary(scene(make(**MOONS)))
    coarse, fine = picture.collect(grid=9), picture.collect(grid=17)
    assert fine["sure"].shape == (17, 17)
    assert fine["x"][::2] == pytest.approx(coarse["x"])
    assert fine["sure"][::2, ::2] == pytest.approx(coarse["sure"], abs=1e-6)


class TestSequences:
    def test_the_gradient_through_time_is_that_of_autograd(self) -> None:
        """Of h_t alone: a plain step, written once more, from each state to the last loss."""
        made = make(data={"kind": "adding", "steps": 7, "samples": 60},
                    model={"kind": "rnn", "units": 5})  # fmt: skip
        whole = scene(made)
        found = shown(GradientThroughTime(whole))
        rows = thin_rows(whole.probe, 16)
        batch = whole.source.gather(rows)
        weights = dict(made.built.network.named_parameters())
        w, u, b, c = (
            weights[f"rnn1.{n}"] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        states = [torch.zeros(len(rows), 5)]
        for t in range(7):
            before = states[-1].detach().requires_grad_() if t == 0 else states[-1]
            states.append(torch.tanh(batch.inputs[:, t] @ w.T + b + before @ u.T + c))
        outputs = states[-1] @ weights["output.weight"].T + weights["output.bias"]
        loss = ((outputs - batch.targets) ** 2).mean()
        expected = [g.norm().item() for g in torch.autograd.grad(loss, states[1:])]
        assert found["norms"][0] == pytest.approx(expected, rel=1e-4)
        assert found["earlier"].shape == (0, 7)

    @pytest.mark.parametrize(("kind", "gate"), [("lstm", "forget"), ("gru", "update")])
    def test_the_gates_are_sigmoids_of_what_comes_in(self, kind: str, gate: str) -> None:
        """At the first step the state is 0: a gate is what input and biases make of it."""
        made = make(**{**SUNSPOTS, "model": {"kind": kind, "units": 6}})
        whole = scene(made)
        found = shown(Gates(whole))
        assert found["keeps"].tolist() == [gate]
        x = whole.source.gather(whole.probe[:1]).inputs[0, 0]
        weights = dict(made.built.network.named_parameters())
        names = (f"{kind}1.{n}" for n in ("weight_ih", "bias_ih", "bias_hh"))
        w, b, c = (weights[name].chunk(4 if kind == "lstm" else 3)[1] for name in names)
        with torch.no_grad():
            expected = torch.sigmoid(w @ x + b + c).numpy()
        assert sorted(found["units"][:, 0]) == pytest.approx(sorted(expected), rel=1e-5)
        number = found["gates"].tolist().index(gate)
        assert found["means"][number, 0] == pytest.approx(expected.mean(), rel=1e-5)

    def test_the_next_tokens_are_the_likeliest_of_the_softmax(self) -> None:
        made = make(**COPY)
        whole = scene(made)
        found = shown(NextTokens(whole))
        batch = whole.source.gather(whole.probe[:1])
        with torch.no_grad():
            p = made.built.network.eval()(batch.inputs).softmax(-1).reshape(10, 10).double()
        assert found["shares"] == pytest.approx(p.topk(5).values.numpy(), rel=1e-5)
        names = made.experiment.shape.classes
        assert found["tokens"][:, 0].tolist() == [names[k] for k in p.argmax(1)]
        right = [names.index(t) for t in found["tokens"][found["right"]]]
        assert set(right) <= set(batch.targets.tolist())

    def test_the_forecast_is_in_the_series_own_values(self) -> None:
        made = make(**SUNSPOTS)
        whole = scene(made)
        found = shown(Forecast(whole))
        windows, row = made.examples.windows, int(made.examples.rows["validation"][-1])
        assert windows is not None
        assert found["truth"][0] == pytest.approx(windows.targets[row + 12 : row + 16], abs=1e-4)
        assert found["past"] == pytest.approx(windows.targets[row : row + 12], abs=1e-4)
        with torch.no_grad():
            seen = whole.source.gather(torch.tensor([row])).inputs
            z = made.built.network.eval()(seen).double().numpy()
        scale = made.examples.target_scale
        assert scale is not None
        told = z * np.array(scale.deviation) + np.array(scale.mean) + windows.targets[row + 11]
        assert found["told"] == pytest.approx(told, rel=1e-4)
        assert (np.diff(found["edges"], axis=0) >= 0.0).all()


def test_what_is_written_leaves_the_network_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("to be or not to be. " * 40)
    made = make(data={"kind": "text", "path": str(tmp_path / "text.txt"), "window": 10},
                model={"kind": "gru", "units": 6, "embed": 4, "dropout": 0.5})  # fmt: skip
    whole = scene(made)
    assert Samples.fits(whole)
    samples, state = Samples(whole), torch.get_rng_state()
    before, mode = made.weights(), made.built.network.training
    first = samples.write()
    assert first == samples.write()
    assert first.startswith("after\n\n    ")
    assert made.built.network.training == mode
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], w) for name, w in made.weights().items())
    assert not Samples.fits(scene(make(**COPY)))
