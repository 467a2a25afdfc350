"""Activation maximization against the closed form of a linear network, and its bounds."""

import pytest
import torch
from torch import nn

from nnlab.runs.explaining.maximize import maximize_outputs


def test_of_a_linear_network_it_is_the_weights_direction() -> None:
    """max w.x + b within ||x - x0|| <= r is at x0 + r w / ||w||, and is w.x0 + b + r ||w||."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 5)).double()
    baseline = torch.randn(1, 3, 2, 2, dtype=torch.float64)
    weight = network[1].weight.detach()
    found = maximize_outputs(network, torch.arange(5), baseline=baseline, radius=2.5)
    direction = weight / weight.norm(dim=1, keepdim=True)
    expected = baseline + 2.5 * direction.view(5, 3, 2, 2)
    torch.testing.assert_close(found.inputs, expected, atol=1e-9, rtol=0)
    top = network(baseline)[0].detach() + 2.5 * weight.norm(dim=1)
    torch.testing.assert_close(found.outputs, top, atol=1e-9, rtol=0)


@pytest.mark.parametrize("radius", [0.3, 4.0])
def test_of_any_network_it_is_within_reach_and_no_draw_is_better(radius: float) -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3)).double()
    baseline = torch.zeros(1, 6, dtype=torch.float64)
    found = maximize_outputs(network, torch.arange(3), baseline=baseline, radius=radius)
    assert found.inputs.norm(dim=1).max() <= radius * (1 + 1e-12)
    with torch.no_grad():
        said = network(found.inputs).diagonal()
        drawn = torch.randn(20_000, 6, dtype=torch.float64)
        drawn *= radius / drawn.norm(dim=1, keepdim=True)
        others = network(drawn).amax(dim=0)
    torch.testing.assert_close(found.outputs, said)
    assert (said >= others).all()


def test_an_output_that_nothing_moves_stays_at_the_baseline() -> None:
    network = nn.Linear(4, 2).double()
    nn.init.zeros_(network.weight)
    baseline = torch.ones(1, 4, dtype=torch.float64)
    found = maximize_outputs(network, torch.arange(2), baseline=baseline, radius=1.0)
    assert torch.equal(found.inputs, baseline.repeat(2, 1))
