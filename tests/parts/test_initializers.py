from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

from nnlab.config.loading import Text, load_config, place_for
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError
from nnlab.core.kinds import kinds_of
from nnlab.experiment.settle import settle
from nnlab.parts.initializers import BiasInitializer, Initializer
from nnlab.parts.initializers.family import TRUNCATED_STD, InitializerConfig, fan_in_and_out
from nnlab.parts.initializers.plain import (
    ConstantInitConfig,
    NormalConfig,
    TruncatedNormalConfig,
    UniformConfig,
    ZerosConfig,
)
from nnlab.parts.initializers.scaled import (
    HeNormalConfig,
    HeUniformConfig,
    LecunNormalConfig,
    LecunUniformConfig,
    TorchDefaultConfig,
    VarianceScalingConfig,
    XavierNormalConfig,
    XavierUniformConfig,
)
from nnlab.parts.initializers.structured import (
    DiracConfig,
    GivenConfig,
    IdentityMapConfig,
    LsuvConfig,
    OrthogonalConfig,
    SparseConfig,
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
    fan_in, fan_out = fan_in_and_out(shape if len(shape) > 1 else (*shape, 9))
    generator = torch.Generator().manual_seed(seed)
    config.fill(tensor, fan_in=fan_in, fan_out=fan_out, gain=gain, generator=generator)
    return tensor


SHAPES = ((7, 5), (6, 2, 3, 3), (2, 2))


def shape_for(config: InitializerConfig) -> tuple[int, ...]:
    return next(shape for shape in SHAPES if config.misfit(shape) is None)


@pytest.mark.parametrize("config", configs_of(Initializer), ids=lambda c: c.kind)
class TestEveryInitializer:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_fills_the_whole_weight(self, config: InitializerConfig, dtype: torch.dtype) -> None:
        for shape in SHAPES:
            if config.misfit(shape) is None:
                weight = filled(config, shape, dtype=dtype)
                assert weight.isfinite().all()
                assert (weight.shape, weight.dtype) == (shape, dtype)

    def test_same_seed_gives_the_same_bits(self, config: InitializerConfig) -> None:
        shape = shape_for(config)
        assert torch.equal(filled(config, shape, seed=3), filled(config, shape, seed=3))

    def test_draws_from_its_generator_alone(self, config: InitializerConfig) -> None:
        before = torch.get_rng_state()
        filled(config, shape_for(config))
        assert torch.equal(torch.get_rng_state(), before)

    def test_fills_a_parameter_without_a_gradient(self, config: InitializerConfig) -> None:
        weight = nn.Parameter(torch.empty(shape_for(config)))
        with torch.no_grad():
            config.fill(weight, fan_in=5, fan_out=7, gain=1.0, generator=torch.Generator())
        assert weight.is_leaf
        assert weight.requires_grad

    def test_only_he_multiplies_by_the_gain_of_the_activation(
        self, config: InitializerConfig
    ) -> None:
        factor = 3.0 if config.kind.startswith("he_") else 1.0
        shape = shape_for(config)
        plain = filled(config, shape, dtype=torch.float64)
        torch.testing.assert_close(
            filled(config, shape, gain=3.0, dtype=torch.float64), factor * plain
        )


@pytest.mark.parametrize("config", configs_of(BiasInitializer), ids=lambda c: c.kind)
def test_every_bias_initializer_fills_a_bias(config: Any) -> None:
    if config.kind == "given":
        config = GivenConfig(values=(0.5,) * 7)
    assert filled(config, (7,)).isfinite().all()


def test_given_numbers_are_the_weights() -> None:
    values = ((0.15, 0.2), (0.25, 0.3))
    assert filled(GivenConfig(values=values), (2, 2), dtype=torch.float64).tolist() == [
        list(row) for row in values
    ]


@pytest.mark.parametrize("values", ["x", 1.0, [], [[1], [1, 2]], [[1, "a"]], [True], [1, [2]]])
def test_given_needs_numbers_in_lists_of_one_length(values: object) -> None:
    def tuples(value: object) -> object:
        return tuple(map(tuples, value)) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]

    with pytest.raises(ValidationError, match="numbers in lists of one length"):
        GivenConfig.model_validate({"kind": "given", "values": tuples(values)})


def test_given_numbers_of_another_shape_are_refused_where_they_are_written() -> None:
    text = (
        "data: xor\nmodel:\n  kind: mlp\n  hidden: [2]\n"
        "  init: {kind: given, values: [[1, 2, 3]]}\n"
    )
    with pytest.raises(ConfigError) as caught:
        settle(
            load_config(Text(text, "f.yaml", Path.cwd(), "f")),
            place_for(Path.cwd()),
            Machine("cpu", 1),
        )
    assert caught.value.lines == (
        "f.yaml:5:9: model.init: gives (1, 3) numbers, this layer has (2, 2)",
    )


def test_sparse_weights_leave_each_unit_a_few_inputs() -> None:
    weight = filled(SparseConfig(sparsity=0.9, std=0.3), (50, 200)).double()
    assert ((weight != 0).sum(dim=1) == 20).all()
    assert weight[weight != 0].std().item() == pytest.approx(0.3, rel=0.1)


def test_the_identity_passes_its_input_on() -> None:
    x = torch.randn(3, 7)
    torch.testing.assert_close(x @ filled(IdentityMapConfig(), (7, 7)).T, x)


def test_a_dirac_filter_passes_its_channels_on() -> None:
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(F.conv2d(x, filled(DiracConfig(), (3, 3, 3, 3)), padding=1), x)


@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 300), ("fan_out", 200), ("fan_avg", 250)])
def test_variance_scaling_is_keras(distribution: Any, mode: Any, fan: int) -> None:
    config = VarianceScalingConfig(scale=1.5, mode=mode, distribution=distribution)
    weight = filled(config, (200, 300)).double()
    assert weight.var().item() == pytest.approx(1.5 / fan, rel=0.025)
    bound = {"truncated_normal": 2 * sqrt(1.5 / fan) / 0.8796, "uniform": sqrt(4.5 / fan)}
    assert weight.abs().max().item() <= bound.get(distribution, 9.0) * 1.0001


def test_the_truncated_deviation_is_that_of_scipy() -> None:
    assert stats.truncnorm(-2, 2).std() == pytest.approx(TRUNCATED_STD, rel=1e-12)


@pytest.mark.parametrize("module", [nn.Linear(5, 7), nn.Conv2d(8, 6, (3, 2), groups=2)])
def test_fans_are_those_of_torch(module: nn.Linear | nn.Conv2d) -> None:
    expected = nn.init._calculate_fan_in_and_fan_out(module.weight)  # pyright: ignore[reportPrivateUsage]
    assert fan_in_and_out(tuple(module.weight.shape)) == expected


def test_fans_need_two_axes() -> None:
    with pytest.raises(ValueError, match="two axes"):
        fan_in_and_out((5,))


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
    (
        LecunUniformConfig(),
        lambda w, g: nn.init.kaiming_uniform_(w, nonlinearity="linear", generator=g),
    ),
    (LsuvConfig(), lambda w, g: nn.init.orthogonal_(w, generator=g)),
    (
        TruncatedNormalConfig(mean=0.5, std=0.2),
        lambda w, g: nn.init.trunc_normal_(w, 0.5, 0.2, 0.1, 0.9, generator=g),
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
    fan_in, fan_out = fan_in_and_out(tuple(layer.weight.shape))
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
    assert (filled(ConstantInitConfig(value=0.5), (3, 4)) == 0.5).all()


def test_uniform_refuses_bounds_out_of_order() -> None:
    with pytest.raises(ValidationError, match="low must not be above high"):
        UniformConfig(low=1.0, high=-1.0)


def test_constant_needs_its_value() -> None:
    with pytest.raises(ValidationError, match="value"):
        ConstantInitConfig.model_validate({"kind": "constant"})


def faded(config: InitializerConfig) -> float:
    """Mean square after 30 ReLU layers over that after one; its logarithm deviates by 0.4."""
    x = torch.randn(100, 1024, generator=torch.Generator().manual_seed(1))
    sizes: list[float] = []
    for layer in range(30):
        weight = filled(config, (1024, 1024), gain=sqrt(2), seed=layer)
        x = (x @ weight.T).relu()
        sizes.append(x.square().mean().item())
    return sizes[-1] / sizes[0]


def test_signal_of_30_relu_layers_stays_within_a_factor_of_2_under_he() -> None:
    assert 1 / 2 < faded(HeNormalConfig()) < 2


def test_signal_of_30_relu_layers_halves_in_each_under_xavier() -> None:
    assert 1 / 2 < faded(XavierNormalConfig()) * 2**29 < 2
