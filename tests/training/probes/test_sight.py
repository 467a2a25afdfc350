"""Which layers can be seen, and a look between them, for networks of any make."""

from typing import Any

import pytest
import torch
from building import make
from torch import Tensor, nn

from nnlab.training.probes.anatomy import dissect_network
from nnlab.training.probes.labels import Layers, Site
from nnlab.training.probes.sight import Sight


def observed(network: nn.Module, layers: Layers, x: Tensor) -> dict[tuple[str, str], Tensor]:
    seen: dict[tuple[str, str], Tensor] = {}

    def tap(place: Site, x: Tensor) -> None:
        seen[place.key, place.role] = x.clone()

    Sight(network, layers).observe(lambda: network(x), tap)
    return seen


def test_ours_and_torchs_twin_are_seen_alike() -> None:
    model = {"kind": "mlp", "hidden": [6, 5], "activation": "tanh", "norm": "layer"}
    made = make(data="digits", model=model)
    ours, design = made.built.network, made.experiment.design
    children = dict(ours.named_children())
    twin = nn.Sequential(*children.values())
    x = torch.randn(9, *design.inputs)
    found = [*observed(ours, design.layers, x).values()]
    expected = [*observed(twin, dissect_network(twin, lambda: twin(x)), x).values()]
    assert len(found) == 5
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    names = [each.shape for each in design.layers.weights]
    assert names == [each.shape for each in dissect_network(twin, lambda: twin(x)).weights]


def test_a_norm_of_an_image_has_no_weights_that_connect_units() -> None:
    model = {"kind": "cnn", "channels": [3], "dense": [4], "norm": "layer"}
    layers = make(data="digits", model=model).experiment.design.layers
    assert [each.name for each in layers.weights] == ["conv1", "hidden1", "output"]
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.LayerNorm([2, 6, 6]))
    layers = dissect_network(net, lambda: net(torch.zeros(2, 1, 8, 8)))
    assert [each.name for each in layers.weights] == ["0"]


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")  # torch's, of its speed
@pytest.mark.parametrize(
    ("kind", "more", "bounds"),
    [
        (nn.LSTM, {}, (-1.0, 1.0)),
        (nn.GRU, {}, (-1.0, 1.0)),
        (nn.RNN, {}, (-1.0, 1.0)),
        (nn.RNN, {"nonlinearity": "relu"}, None),
        (nn.LSTM, {"proj_size": 2}, "inside"),
    ],
)
def test_what_comes_out_of_a_recurrent_layer_is_its_activation(
    kind: Any, more: dict[str, Any], bounds: Any
) -> None:
    net = kind(4, 3, batch_first=True, **more)
    x = torch.randn(5, 7, 4)
    layers = dissect_network(net, lambda: net(x))
    (place,) = layers.places.values()
    if bounds == "inside":  # a linear map stands behind the activation
        assert place.role == "preactivation"
    else:
        assert (place.role, place.bounds) == ("activation", bounds)
        (seen,) = observed(net, layers, x).values()
        assert torch.equal(seen, net(x)[0].movedim(-1, 1)), "units stand on the second axis"
    assert [each.parameter for each in layers.weights][:2] == ["weight_ih_l0", "weight_hh_l0"]


def test_a_recurrent_layer_multiplies_its_matrices_at_each_place() -> None:
    net = nn.LSTM(4, 3, batch_first=True)
    (plan,) = dissect_network(net, lambda: net(torch.zeros(2, 7, 4))).plans
    assert plan.flops == 2 * 7 * (12 * 4 + 12 * 3)


def test_a_gradient_reaches_the_very_tensors_of_a_pass() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    x = torch.randn(5, 7, 4)
    sight = Sight(net, dissect_network(net, lambda: net(x)))
    kept: list[Tensor] = []

    def tap(_: Site, x: Tensor) -> None:
        x.retain_grad()
        kept.append(x)

    with sight.open(tap, whole=True):
        net(x).square().sum().backward()
    assert len(kept) == 3
    assert all(each.grad is not None for each in kept)


def test_hooks_are_gone_whatever_was_raised() -> None:
    net = nn.Sequential(nn.Linear(4, 3))
    sight = Sight(net, dissect_network(net, lambda: net(torch.zeros(1, 4))))

    def fails(_: Site, __: Tensor) -> None:
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"), sight.open(fails):
        net(torch.zeros(1, 4))
    net(torch.zeros(1, 4))
