"""The recursion of theory against closed forms, and against a wide random network."""

from math import acos, asin, isclose, pi, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from building import make
from scipy.integrate import quad
from scipy.stats import norm

from nnlab.commands.doctor.depth import by_depth
from nnlab.commands.doctor.theory import backward_factor, next_correlation, next_variance
from nnlab.core.contracts import Batch
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.parts.activations.rectifiers import LeakyReluConfig
from nnlab.parts.activations.textbook import IdentityConfig, ReluConfig, SigmoidConfig, TanhConfig
from nnlab.runs.building.scoring import loss_of


class TestRelu:
    """He et al. 2015, eq. 9; Cho & Saul 2009, the arc-cosine kernel of degree 1."""

    @pytest.mark.parametrize("q", [0.01, 1.0, 30.0])
    def test_variance_is_halved(self, q: float) -> None:
        found = next_variance(ReluConfig(), q, sw2=1.7, sb2=0.2)
        assert found == pytest.approx(1.7 * q / 2 + 0.2, rel=1e-6)

    def test_half_of_the_slopes_are_one(self) -> None:
        assert backward_factor(ReluConfig(), 3.0, sw2=2.0) == pytest.approx(1.0, rel=2e-3)

    @pytest.mark.parametrize("c", [-0.5, 0.0, 0.3, 0.9])
    def test_correlation_is_the_arc_cosine_kernel(self, c: float) -> None:
        angle = acos(c)
        kernel = (sqrt(1 - c * c) + (pi - angle) * c) / pi
        found = next_correlation(ReluConfig(), 1.0, c, sw2=2.0, sb2=0.0)
        assert found == pytest.approx(kernel, abs=2e-4)

    def test_a_leak_adds_its_square(self) -> None:
        found = next_variance(LeakyReluConfig(slope=0.5), 4.0, sw2=1.0, sb2=0.0)
        assert found == pytest.approx(4.0 * (1 + 0.25) / 2, rel=1e-6)


class TestLinear:
    def test_variance_and_slope_are_those_of_the_weights(self) -> None:
        assert next_variance(IdentityConfig(), 3.0, sw2=0.5, sb2=0.1) == pytest.approx(1.6)
        assert backward_factor(IdentityConfig(), 3.0, sw2=0.5) == pytest.approx(0.5)

    def test_correlation_stays(self) -> None:
        found = next_correlation(IdentityConfig(), 2.0, 0.4, sw2=1.0, sb2=0.0)
        assert found == pytest.approx(0.4, abs=1e-6)


@pytest.mark.parametrize("activation", [TanhConfig(), SigmoidConfig()])
@pytest.mark.parametrize("q", [0.3, 4.0])
def test_smooth_activations_agree_with_scipys_quadrature(activation: Any, q: float) -> None:
    def square(z: float) -> float:
        return float(activation.value(np.array(sqrt(q) * z)) ** 2 * norm.pdf(z))

    def steep(z: float) -> float:
        return float(activation.derivative(np.array(sqrt(q) * z)) ** 2 * norm.pdf(z))

    variance, chi = (quad(f, -12, 12, limit=200)[0] for f in (square, steep))
    assert next_variance(activation, q, sw2=1.0, sb2=0.0) == pytest.approx(variance, rel=1e-6)
    assert backward_factor(activation, q, sw2=1.0) == pytest.approx(chi, rel=1e-6)


def test_the_correlation_of_signs_is_the_arc_sine() -> None:
    """tanh of very large numbers is the sign: E[sign sign] = 2/pi asin(c). Price 1958."""
    found = next_correlation(TanhConfig(), 1e6, 0.5, sw2=1.0, sb2=0.0)
    assert isclose(found, 2 / pi * asin(0.5), abs_tol=0.01)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_wide_random_network_follows_it(activation: str) -> None:
    made = make(
        data={"kind": "blobs", "samples": 200, "features": 20},
        model={"kind": "mlp", "hidden": {"width": 600, "depth": 6}, "activation": activation},
    )
    facts = Facts(made.experiment)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 20, generator=generator)
    batch = Batch(inputs, torch.arange(64) % 3, made.rows[:64])
    loss = loss_of(made.experiment, made.examples, made.built.network)
    rows = by_depth(made.built.network, batch, loss, facts)
    for name in ("hidden2", "hidden4", "hidden6"):
        row = rows[name]
        assert row["signal"] == pytest.approx(row["signal_theory"], rel=0.08)
        assert row["likeness"] == pytest.approx(row["likeness_theory"], abs=0.05)
    assert rows["hidden1"]["gradient"] == pytest.approx(
        rows["hidden1"]["gradient_theory"], rel=0.25
    )
    assert all(p.grad is None for p in made.built.network.parameters())
