"""The terms of the objective and the bound on the weights, by definition."""

import pytest
import torch
from torch import nn

from nnlab.training.objective import max_norm, penalty_term, regularized_parameters

GENERATOR = torch.Generator().manual_seed(0)


def parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape, generator=GENERATOR, dtype=torch.float64))


def test_the_gradient_of_the_l2_term_is_l2_times_w() -> None:
    weight = parameter(4, 3)
    term = penalty_term([weight], l2=0.3, l1=0.0)
    assert term is not None
    term().backward()
    torch.testing.assert_close(weight.grad, 0.3 * weight.detach())


def test_the_gradient_of_the_l1_term_is_l1_times_the_sign_of_w() -> None:
    weight = parameter(4, 3)
    term = penalty_term([weight], l2=0.0, l1=0.3)
    assert term is not None
    term().backward()
    torch.testing.assert_close(weight.grad, 0.3 * weight.detach().sign())


def test_the_term_is_the_formula() -> None:
    weights = [parameter(4, 3), parameter(2, 4)]
    term = penalty_term(weights, l2=0.3, l1=0.2)
    assert term is not None
    values = torch.cat([w.detach().flatten() for w in weights])
    expected = 0.5 * 0.3 * (values**2).sum() + 0.2 * values.abs().sum()
    torch.testing.assert_close(term().detach(), expected)


@pytest.mark.parametrize("shape", [(6, 5), (6, 3, 2, 2)])
def test_max_norm_is_torchs_renorm_over_the_units(shape: tuple[int, ...]) -> None:
    weight = parameter(*shape)
    before = weight.detach().clone()
    norms = before.flatten(1).norm(dim=1)
    limit = float(norms.median())
    max_norm([weight], limit)()
    # torch adds 1e-7 to the norm before it divides.
    expected = torch.renorm(before, 2, 0, limit)
    torch.testing.assert_close(weight.detach(), expected, rtol=1e-6, atol=0.0)
    assert float(weight.detach().flatten(1).norm(dim=1).max()) <= limit * (1 + 1e-12)
    assert torch.equal(weight.detach()[norms <= limit], before[norms <= limit]), "bits are kept"


def test_max_norm_leaves_units_of_zeros_alone() -> None:
    weight = nn.Parameter(torch.zeros(3, 4))
    max_norm([weight], 0.5)()
    assert torch.equal(weight.detach(), torch.zeros(3, 4))


def test_weights_are_what_has_two_axes_or_more() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))
    shapes = [tuple(p.shape) for p in regularized_parameters(network, "weights")]
    assert shapes == [(2, 1, 3, 3), (2, 2)]
    assert len(regularized_parameters(network, "all")) == 6
