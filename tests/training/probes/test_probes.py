"""The probes: every number against its definition, and that looking leaves no trace."""

from math import log, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from building import Made, make
from torch import Tensor
from torch.nn import functional as F

from nnlab.runs.building.probing import probe_rows
from nnlab.training.probes.labels import layer_labels
from nnlab.training.probes.measured import angles, asleep, saturated, spread
from nnlab.training.probes.readings import READINGS, describe_reading, reading_definition

DIGITS: dict[str, Any] = {"data": "digits", "model": {"kind": "mlp", "hidden": [16, 12]}}
SILENT = {"kind": "mlp", "hidden": [8], "init": "zeros", "activation": "relu"}
CNN: dict[str, Any] = {
    "data": "digits",
    "model": {
        "kind": "cnn",
        "channels": [4, 6],
        "dense": [10],
        "activation": "relu",
        "norm": "batch",
        "dropout": 0.3,
    },
}
RESIDUAL: dict[str, Any] = {
    "data": "digits",
    "model": {
        "kind": "stack",
        "activation": "tanh",
        "layers": [
            {"kind": "conv", "channels": 4, "padding": "same"},
            {"kind": "residual", "layers": [{"kind": "conv", "channels": 4, "padding": "same"}]},
            "flatten",
        ],
    },
}


def batches(made: Made, count: int, size: int = 32) -> list[Tensor]:
    return list(made.rows[: count * size].split(size))


def probed(made: Made, *, update: bool = True, beside: int = 3) -> dict[str, float]:
    rows, *others = batches(made, beside + 1)
    made.built.step.fill_learning_rate(0.1)
    made.built.step.probe(rows, beside=others)
    if update:
        made.built.step.update(rows)
    return made.built.step.read()


def gradient(rows: Tensor, name: str) -> Tensor:
    """By autograd, of a twin of DIGITS."""
    twin = make(**DIGITS)
    loss = F.cross_entropy(
        twin.built.network(scaled(twin, rows)), torch.from_numpy(twin.examples.targets)[rows]
    )
    return torch.autograd.grad(loss, twin.built.network.get_parameter(name))[0]


def scaled(made: Made, rows: Tensor) -> Tensor:
    inputs = torch.from_numpy(np.asarray(made.examples.inputs))[rows].float()
    return inputs * float(made.examples.factor.flat[0])


class TestGradients:
    def test_the_root_mean_square_is_that_of_the_entries(self) -> None:
        made = make(**DIGITS)
        values = probed(made)
        expected = gradient(batches(made, 1)[0], "hidden2.weight")
        rms = float(expected.square().mean().sqrt())
        assert values["grad_rms/01_hidden2.weight"] == pytest.approx(rms, rel=1e-4)

    def test_the_agreement_is_the_norm_of_the_mean_over_the_mean_of_the_norms(self) -> None:
        made = make(**DIGITS)
        values = probed(made)
        each = [gradient(rows, "hidden1.weight") for rows in batches(made, 4)]
        expected = torch.stack(each).mean(0).norm() / torch.stack([g.norm() for g in each]).mean()
        assert values["grad_agreement/00_hidden1.weight"] == pytest.approx(
            float(expected), rel=1e-4
        )

    def test_equal_batches_agree_wholly(self) -> None:
        made = make(**DIGITS)
        rows = batches(made, 1)[0]
        made.built.step.probe(rows, beside=[rows, rows, rows])
        assert made.built.step.read()["grad_agreement/00_hidden1.weight"] == pytest.approx(1.0)

    def test_the_share_of_clipped_updates_is_counted(self) -> None:
        made = make(**DIGITS, train={"clip_norm": 1e-6})
        assert probed(made)["clipped"] == 1.0
        made = make(**DIGITS, train={"clip_norm": 1e6})
        assert probed(made)["clipped"] == 0.0


class TestWeights:
    def test_ratio_angle_norm_and_distance_are_those_of_the_update(self) -> None:
        made = make(**DIGITS, optimizer={"kind": "sgd", "lr": 0.1})
        before = made.weights()["hidden1.weight"].double()
        values = probed(made)
        after = made.weights()["hidden1.weight"].double()
        step = float((after - before).norm())
        label = "00_hidden1.weight"
        assert values[f"update_ratio/{label}"] == pytest.approx(step / float(before.norm()), 1e-4)
        assert values[f"weight_norm/{label}"] == pytest.approx(float(after.norm()), 1e-5)
        assert values[f"distance/{label}"] == pytest.approx(step / float(before.norm()), 1e-4)
        cosine = float((before * after).sum() / before.norm() / after.norm())
        assert values[f"update_angle/{label}"] == pytest.approx(np.degrees(np.arccos(cosine)), 1e-2)

    def test_small_angles_keep_their_digits(self) -> None:
        u = torch.tensor([1.0, 0.0])
        v = torch.tensor([1.0, 1e-5])
        found = angles([u], [v], u.norm().view(1), v.norm().view(1))
        assert float(found) == pytest.approx(np.degrees(1e-5), rel=1e-4)

    def test_the_first_reading_has_no_update(self) -> None:
        values = probed(make(**DIGITS), update=False)
        assert not [key for key in values if key.startswith("update_")]
        assert values["distance/00_hidden1.weight"] == 0.0


class TestActivations:
    def test_are_those_of_the_probe_set_after_the_update(self) -> None:
        made = make(**DIGITS, optimizer={"kind": "sgd", "lr": 0.1})
        values = probed(made)
        rows = probe_rows(made.examples, "validation")
        inputs = scaled(made, rows)
        weights = made.weights()
        z = inputs.flatten(1) @ weights["hidden1.weight"].T + weights["hidden1.bias"]
        a = z.relu()
        assert values["preactivation_mean/00_hidden1"] == pytest.approx(float(z.mean()), abs=1e-5)
        assert values["activation_std/00_hidden1"] == pytest.approx(
            float(a.std(correction=0)), rel=1e-4
        )
        assert values["activation_q95/00_hidden1"] == pytest.approx(
            float(np.quantile(a.numpy(), 0.95, method="nearest")), rel=1e-4
        )
        outputs = a
        for name in ("hidden2", "output"):
            z = outputs @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
            outputs = z.relu()
        p = z.softmax(1)
        assert values["entropy/output"] == pytest.approx(
            float(-(p * p.log()).sum(1).mean()), rel=1e-4
        )

    def test_a_layer_of_zeros_is_dead_and_undecided(self) -> None:
        values = probed(make(data="digits", model=SILENT), update=False)
        assert values["dead_units/00_hidden1"] == 1.0
        assert values["dead_units/total"] == 1.0
        assert values["entropy/output"] == pytest.approx(log(10), rel=1e-5)

    def test_dead_and_dormant_units_of_a_convolution_are_channels(self) -> None:
        x = torch.zeros(5, 4, 3, 3)
        x[:, 1] = 1.0
        x[0, 2, 0, 0] = 0.1
        dead, units, dormant = asleep(x)
        assert (int(dead), int(units)) == (2, 4)
        assert float(dormant) == 0.75

    def test_saturated_sigmoids_have_a_tenth_of_the_slope(self) -> None:
        z = torch.tensor([-4.0, -3.0, 0.0, 3.0, 4.0])
        a = z.sigmoid()
        slopes = 4 * a * (1 - a)
        assert float(saturated(a, (0.0, 1.0))) == float((slopes < 0.1).float().mean())

    def test_quantiles_agree_with_numpy(self) -> None:
        x = torch.randn(64, 10, generator=torch.Generator().manual_seed(0))
        for name, q in (("q05", 0.05), ("q50", 0.5), ("q95", 0.95)):
            expected = np.quantile(x.numpy(), q, method="nearest")
            assert float(spread(x)[name]) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("sections", [DIGITS, CNN, RESIDUAL], ids=["mlp", "cnn", "residual"])
class TestEveryNetwork:
    def test_weights_are_the_same_to_the_bit_with_probes_and_without(
        self, sections: dict[str, Any]
    ) -> None:
        common = {"optimizer": "adam", "train": {"steps": 300, "batch_size": 16}}
        runs = [
            make(**sections, **common, log={"every": "7 steps", "probes": p}) for p in (7, "off")
        ]
        for made in runs:
            made.run()
        watched, unwatched = (made.weights() for made in runs)
        for name, tensor in unwatched.items():
            assert torch.equal(watched[name], tensor), name

    def test_every_number_is_finite_and_defined(self, sections: dict[str, Any]) -> None:
        values = probed(make(**sections))
        scores = {"loss", "accuracy"}
        for key, value in values.items():
            assert np.isfinite(value), key
            assert key in scores or reading_definition(key) is not None, key


def test_a_blocks_own_activation_is_seen_after_its_layers() -> None:
    values = probed(make(**RESIDUAL))
    names = [key.partition("/")[2] for key in values if key.startswith("saturated/")]
    assert names == ["00_conv1", "01_block1.conv1", "01_block1"] or names == [
        "00_conv1",
        "01_block1",
    ]


def test_labels_number_a_layer_without_weights_like_the_one_before() -> None:
    named = {"conv1.weight": "00_conv1.weight", "hidden1.weight": "01_hidden1.weight"}
    found = layer_labels(["conv1", "activation1", "hidden1"], named)
    assert list(found.values()) == ["00_conv1", "00_activation1", "01_hidden1"]


def test_close_looks_come_at_their_steps_at_the_first_reading_and_at_both_ends() -> None:
    made = make(**DIGITS, train={"steps": 50}, log={"every": "5 steps", "probes": "20 steps"})
    readings, _ = made.run()
    probed_at = [r.step for r in readings if "weight_norm/00_hidden1.weight" in r.values]
    assert probed_at == [0, 5, 20, 40, 50]


def test_probes_can_be_turned_off() -> None:
    readings, _ = make(**DIGITS, train={"steps": 10}, log={"probes": "off"}).run()
    assert not any(key.startswith("weight_norm") for r in readings for key in r.values)
    assert all("grad_norm/total" in r.values for r in readings if r.split == "train")


@pytest.mark.parametrize("key", READINGS)
def test_every_reading_says_what_it_means(key: str) -> None:
    found = reading_definition(f"{key}/00_hidden1")
    assert found is not None
    assert found.plain in describe_reading(key)
    assert found.formula in describe_reading(key)


def test_agreement_of_independent_noise_is_one_over_the_root_of_the_batches() -> None:
    from nnlab.training.probes.gradients import gradient_agreement

    generator = torch.Generator().manual_seed(0)
    each = [[torch.randn(100_000, generator=generator)] for _ in range(4)]
    assert float(gradient_agreement(each)) == pytest.approx(1 / sqrt(4), rel=0.01)
