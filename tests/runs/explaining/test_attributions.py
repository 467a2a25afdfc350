"""Attributions against captum, against finite differences, and against what they promise."""

from typing import Any

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from nnlab.runs.explaining import gradients
from nnlab.runs.explaining.occlusion import occlusion
from nnlab.runs.explaining.sanity import randomized_ranks

attr = pytest.importorskip("captum.attr")


def small_cnn(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return (
        nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.Tanh(),
            nn.BatchNorm2d(4),
            nn.Conv2d(4, 5, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(5 * 36, 3),
        )
        .double()
        .eval()
    )


def small_mlp(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 3)).double().eval()


NETWORKS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "image": (small_cnn, (2, 8, 8)),
    "table": (small_mlp, (6,)),
}
COLUMNS = torch.tensor([0, 2, 1, 2])


@pytest.fixture(params=NETWORKS)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor]:
    made, shape = NETWORKS[request.param]
    generator = torch.Generator().manual_seed(3)
    return made(), torch.randn((4, *shape), generator=generator, dtype=torch.float64)


def test_saliency_as_captum(case: tuple[nn.Module, Tensor]) -> None:
    network, inputs = case
    found = gradients.input_gradient(network, inputs, COLUMNS).abs()
    wanted = attr.Saliency(network).attribute(inputs.clone().requires_grad_(), target=COLUMNS)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


def test_integrated_gradients_as_captum_and_complete(case: tuple[nn.Module, Tensor]) -> None:
    network, inputs = case
    baseline = torch.full_like(inputs[:1], 0.25)
    found = gradients.integrated_gradients(network, inputs, COLUMNS, baseline=baseline, steps=50)
    wanted, delta = attr.IntegratedGradients(network).attribute(
        inputs, baselines=baseline, target=COLUMNS, n_steps=50, return_convergence_delta=True
    )
    torch.testing.assert_close(found.attribution, wanted, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.gap, delta, rtol=0, atol=1e-8)
    # Of a smooth network the quadrature is as good as exact; each kink of a ReLU costs something.
    smooth = not any(isinstance(module, nn.ReLU) for module in network.modules())
    share = 1e-9 if smooth else 0.05
    assert found.gap.abs().max() < share * found.difference.abs().max()


def test_occlusion_as_captum() -> None:
    network, shape = small_cnn(), (2, 8, 8)
    inputs = torch.randn((4, *shape), dtype=torch.float64)
    found = occlusion(network, inputs, COLUMNS, baseline=torch.zeros(1, 1, 1, 1), window=4)
    wanted = attr.Occlusion(network).attribute(
        inputs, target=COLUMNS, sliding_window_shapes=(2, 4, 4), strides=(2, 2, 2), baselines=0
    )
    # captum keeps it in float32.
    torch.testing.assert_close(found.float(), wanted, rtol=0, atol=1e-6)


def test_occlusion_of_columns_is_what_each_is_worth_alone() -> None:
    network = small_mlp()
    inputs = torch.randn((4, 6), dtype=torch.float64)
    found = occlusion(network, inputs, COLUMNS, baseline=torch.ones(1, 6, dtype=torch.float64))
    for column in range(6):
        without = inputs.clone()
        without[:, column] = 1.0
        fall = (network(inputs) - network(without)).gather(1, COLUMNS[:, None])[:, 0]
        torch.testing.assert_close(found[:, column], fall, rtol=0, atol=1e-12)


def test_windows_cover_an_image_that_they_do_not_divide() -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(7 * 5, 3)).double()
    inputs = torch.ones((4, 1, 7, 5), dtype=torch.float64)
    found = occlusion(network, inputs, COLUMNS, baseline=torch.zeros(1, 1, 1, 1), window=3)
    assert found.isfinite().all()


def test_grad_cam_as_captum() -> None:
    network = small_cnn()
    inputs = torch.randn((4, 2, 8, 8), dtype=torch.float64)
    found = gradients.grad_cam(network, network[3], inputs, COLUMNS)
    cam = attr.LayerGradCam(network, network[3])
    coarse = cam.attribute(inputs, target=COLUMNS, relu_attributions=True)
    wanted = torch.nn.functional.interpolate(coarse, (8, 8), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found, wanted[:, 0].detach(), rtol=0, atol=1e-12)


def test_grad_cam_of_a_frozen_network() -> None:
    network = small_cnn().requires_grad_(False)
    inputs = torch.randn((4, 2, 8, 8), dtype=torch.float64)
    found = gradients.grad_cam(network, network[3], inputs, COLUMNS)
    assert found.shape == (4, 8, 8)
    assert found.max() > 0


def test_smooth_gradient_is_the_mean_over_noisy_copies() -> None:
    """Of a quadratic form the gradient is linear: the mean over noise is that of no noise."""

    class Quadratic(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([(x**2).sum(1), (3 * x).sum(1), (x**3).sum(1)], dim=1)

    inputs = torch.linspace(-1, 1, 24, dtype=torch.float64).view(4, 6)

    def smoothed() -> Tensor:
        return gradients.smooth_gradient(
            Quadratic(), inputs, COLUMNS, samples=4000, noise=0.5, seed=2
        )

    found = smoothed()
    spread = 0.5 * (inputs.amax(1) - inputs.amin(1))
    # E[3 (x + s)^2] = 3 x^2 + 3 sd^2: the smoothed gradient of a cube.
    wanted = torch.stack(
        [2 * inputs[0], 3 * inputs[1] ** 2 + 3 * spread[1] ** 2, torch.full((6,), 3.0).double()]
    )
    torch.testing.assert_close(found[:3], wanted, rtol=0, atol=0.05)
    assert torch.equal(found, smoothed())


def test_random_weights_change_what_sees_them_and_not_what_does_not() -> None:
    network, fresh = small_mlp(0), small_mlp(9)
    inputs = torch.randn((4, 6), dtype=torch.float64)
    layers = ["0", "2"]
    seeing = randomized_ranks(
        network, fresh, layers, lambda net: gradients.input_gradient(net, inputs, COLUMNS)
    )
    blind = randomized_ranks(network, fresh, layers, lambda _: inputs)
    assert [rank.layer for rank in seeing] == ["2", "0"]
    assert [rank.correlation for rank in blind] == pytest.approx([1.0, 1.0])
    assert seeing[-1].correlation < 0.9
    # The whole network is random at the end: the same as asking the fresh one.
    wanted: list[Any] = [
        spearmanr(a, b)[0]
        for a, b in zip(
            gradients.input_gradient(network, inputs, COLUMNS).abs(),
            gradients.input_gradient(fresh, inputs, COLUMNS).abs(),
            strict=True,
        )
    ]
    assert seeing[-1].correlation == pytest.approx(sum(wanted) / 4)
