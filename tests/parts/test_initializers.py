from collections.abc import Callable
from math import sqrt
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from nnlab.choices import kinds_of
from nnlab.parts.initializers import (
    BiasInitializer,
    ConstantConfig,
    HeNormalConfig,
    HeUniformConfig,
    Initializer,
    InitializerConfig,
    LecunNormalConfig,
    NormalConfig,
    OrthogonalConfig,
    TorchDefaultConfig,
    UniformConfig,
    XavierNormalConfig,
    XavierUniformConfig,
    ZerosConfig,
    fans,
)


def configs_of(menu: Any) -> list[Any]:
    return [kind.example() for kind in kinds_of(menu).values()]


def filled(
    config: InitializerConfig,
    shape: tuple[int, ...],
    *,
    gain: float = 1.0,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    tensor = torch.full(shape, torch.nan, dtype=dtype)
    fan_in, fan_out = fans(shape if len(shape) > 1 else (*shape, 9))
    generator = torch.Generator().manual_seed(seed)
    config.fill(tensor, fan_in=fan_in, fan_out=fan_out, gain=gain, generator=generator)
    return tensor


@pytest.mark.parametrize("config", configs_of(Initializer), ids=lambda c: c.kind)
class TestEveryInitializer:
    @pytest.mark.parametrize("shape", [(7, 5), (6, 2, 3, 3)])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_fills_the_whole_weight(
        self, config: InitializerConfig, shape: tuple[int, ...], dtype: torch.dtype
    ) -> None:
        weight = filled(config, shape, dtype=dtype)
        assert weight.isfinite().all()
        assert (weight.shape, weight.dtype) == (shape, dtype)

    def test_same_seed_gives_the_same_bits(self, config: InitializerConfig) -> None:
        assert torch.equal(filled(config, (7, 5), seed=3), filled(config, (7, 5), seed=3))

    def test_draws_from_its_generator_alone(self, config: InitializerConfig) -> None:
        before = torch.get_rng_state()
        filled(config, (7, 5))
        assert torch.equal(torch.get_rng_state(), before)

    def test_fills_a_parameter_without_a_gradient(self, config: InitializerConfig) -> None:
        weight = nn.Parameter(torch.empty(7, 5))
        config.fill(weight, fan_in=5, fan_out=7, gain=1.0, generator=torch.Generator())
        assert weight.is_leaf
        assert weight.requires_grad

    def test_only_he_multiplies_by_the_gain_of_the_activation(
        self, config: InitializerConfig
    ) -> None:
        factor = 3.0 if config.kind.startswith("he_") else 1.0
        plain = filled(config, (7, 5), dtype=torch.float64)
        torch.testing.assert_close(
            filled(config, (7, 5), gain=3.0, dtype=torch.float64), factor * plain
        )


@pytest.mark.parametrize("config", configs_of(BiasInitializer), ids=lambda c: c.kind)
def test_every_bias_initializer_fills_a_bias(config: InitializerConfig) -> None:
    assert filled(config, (7,)).isfinite().all()


@pytest.mark.parametrize("module", [nn.Linear(5, 7), nn.Conv2d(8, 6, (3, 2), groups=2)])
def test_fans_are_those_of_torch(module: nn.Linear | nn.Conv2d) -> None:
    expected = nn.init._calculate_fan_in_and_fan_out(module.weight)  # pyright: ignore[reportPrivateUsage]
    assert fans(tuple(module.weight.shape)) == expected


def test_fans_need_two_axes() -> None:
    with pytest.raises(ValueError, match="two axes"):
        fans((5,))


ORACLES: list[tuple[InitializerConfig, Callable[[Tensor, torch.Generator], object]]] = [
    (NormalConfig(mean=2.0, std=0.5), lambda w, g: nn.init.normal_(w, 2.0, 0.5, generator=g)),
    (UniformConfig(low=-2, high=1), lambda w, g: nn.init.uniform_(w, -2, 1, generator=g)),
    (XavierNormalConfig(gain=2.0), lambda w, g: nn.init.xavier_normal_(w, 2.0, generator=g)),
    (XavierUniformConfig(gain=2.0), lambda w, g: nn.init.xavier_uniform_(w, 2.0, generator=g)),
    (
        HeNormalConfig(mode="fan_out"),
        lambda w, g: nn.init.kaiming_normal_(w, mode="fan_out", generator=g),
    ),
    (HeNormalConfig(), lambda w, g: nn.init.kaiming_normal_(w, generator=g)),
    (HeUniformConfig(), lambda w, g: nn.init.kaiming_uniform_(w, generator=g)),
    (
        HeUniformConfig(mode="fan_out"),
        lambda w, g: nn.init.kaiming_uniform_(w, mode="fan_out", generator=g),
    ),
    (
        LecunNormalConfig(),
        lambda w, g: nn.init.kaiming_normal_(w, nonlinearity="linear", generator=g),
    ),
    (OrthogonalConfig(gain=2.0), lambda w, g: nn.init.orthogonal_(w, 2.0, generator=g)),
    (TorchDefaultConfig(), lambda w, g: nn.init.kaiming_uniform_(w, a=sqrt(5), generator=g)),
]


@pytest.mark.parametrize("shape", [(40, 30), (12, 4, 3, 3)])
@pytest.mark.parametrize(("config", "oracle"), ORACLES, ids=[c.kind for c, _ in ORACLES])
def test_fills_as_torch_does(
    config: InitializerConfig,
    oracle: Callable[[Tensor, torch.Generator], object],
    shape: tuple[int, ...],
) -> None:
    expected = torch.empty(shape)
    oracle(expected, torch.Generator().manual_seed(5))
    torch.testing.assert_close(filled(config, shape, gain=sqrt(2), seed=5), expected)


@pytest.mark.parametrize(
    ("config", "variance"),
    [
        (NormalConfig(std=0.3), 0.09),
        (UniformConfig(low=-1.0, high=1.0), 1 / 3),
        (XavierNormalConfig(), 2 / (300 + 200)),
        (XavierUniformConfig(), 2 / (300 + 200)),
        (HeNormalConfig(), 2 / 300),
        (HeUniformConfig(), 2 / 300),
        (HeNormalConfig(mode="fan_out"), 2 / 200),
        (LecunNormalConfig(), 1 / 300),
        (OrthogonalConfig(), 1 / 300),
        (TorchDefaultConfig(), 1 / (3 * 300)),
    ],
    ids=lambda c: getattr(c, "kind", ""),
)
def test_variance_is_that_of_the_formula(config: InitializerConfig, variance: float) -> None:
    weight = filled(config, (200, 300), gain=sqrt(2)).double()
    # 60,000 draws: the variance is known to sqrt(2 / 60000) = 0.6 %, the mean likewise.
    assert weight.var().item() == pytest.approx(variance, rel=0.025)
    assert abs(weight.mean().item()) < 0.025 * sqrt(variance)


@pytest.mark.parametrize("layer", [nn.Linear(5, 4000), nn.Conv2d(2, 4000, 3)])
def test_torch_default_bounds_weight_and_bias_as_torch_does(layer: nn.Linear | nn.Conv2d) -> None:
    fan_in, fan_out = fans(tuple(layer.weight.shape))
    assert layer.bias is not None
    for torchs in (layer.weight, layer.bias):
        ours = torch.empty_like(torchs)
        TorchDefaultConfig().fill(
            ours, fan_in=fan_in, fan_out=fan_out, gain=1.0, generator=torch.Generator()
        )
        assert ours.abs().max().item() <= 1 / sqrt(fan_in)
        assert ours.abs().max().item() == pytest.approx(torchs.abs().max().item(), rel=0.01)


def test_orthogonal_keeps_lengths() -> None:
    weight = filled(OrthogonalConfig(), (30, 20)).double()
    torch.testing.assert_close(weight.T @ weight, torch.eye(20).double(), atol=1e-5, rtol=0)


def test_zeros_and_constant_are_what_they_say() -> None:
    assert not filled(ZerosConfig(), (3, 4)).any()
    assert (filled(ConstantConfig(value=0.5), (3, 4)) == 0.5).all()


def test_uniform_refuses_bounds_out_of_order() -> None:
    with pytest.raises(ValidationError, match="low must not be above high"):
        UniformConfig(low=1.0, high=-1.0)


def test_constant_needs_its_value() -> None:
    with pytest.raises(ValidationError, match="value"):
        ConstantConfig.model_validate({"kind": "constant"})


def faded(config: InitializerConfig) -> float:
    """Mean square after 30 ReLU layers over that after one; its logarithm deviates by 0.4."""
    x = torch.randn(100, 1024, generator=torch.Generator().manual_seed(1))
    sizes: list[float] = []
    for layer in range(30):
        weight = filled(config, (1024, 1024), gain=sqrt(2), seed=layer)
        x = (x @ weight.T).relu()
        sizes.append(x.square().mean().item())
    return sizes[-1] / sizes[0]


def test_signal_of_relu_layers_keeps_its_size_under_he() -> None:
    assert 1 / 2 < faded(HeNormalConfig()) < 2


def test_signal_of_relu_layers_halves_in_each_under_xavier() -> None:
    assert 1 / 2 < faded(XavierNormalConfig()) * 2**29 < 2
