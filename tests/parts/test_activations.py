import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnlab.choices import kinds_of
from nnlab.parts.activations import (
    Activation,
    ActivationConfig,
    EluConfig,
    GeluConfig,
    IdentityConfig,
    LeakyReluConfig,
    PreluConfig,
    ReluConfig,
    ScaledTanhConfig,
    SigmoidConfig,
    SiluConfig,
    SoftmaxConfig,
    StepConfig,
    TanhConfig,
)

CONFIGS = [kind.example() for kind in kinds_of(Activation).values()]
LINE = torch.linspace(-6, 6, 1001, dtype=torch.float64)


def slopes(config: ActivationConfig, points: Tensor) -> Tensor:
    x = points.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(config.build().double()(x).sum(), x)
    return gradient


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.kind)
class TestEveryActivation:
    @pytest.mark.parametrize("shape", [(4, 6), (2, 3, 5, 5)])
    def test_keeps_shape_and_type(self, config: ActivationConfig, shape: tuple[int, ...]) -> None:
        x = torch.randn(shape, dtype=torch.float64)
        y = config.build().double()(x)
        assert (y.shape, y.dtype) == (x.shape, x.dtype)

    def test_gradient_agrees_with_finite_differences(self, config: ActivationConfig) -> None:
        # No point is a kink: 0 lies in the middle between two of them.
        x = torch.linspace(-2, 2, 8, dtype=torch.float64).view(2, 4).requires_grad_()
        assert torch.autograd.gradcheck(config.build().double(), (x,))

    def test_stays_finite_for_large_inputs(self, config: ActivationConfig) -> None:
        x = torch.tensor([[-1e4, 0.0, 1e4]], requires_grad=True)
        y = config.build()(x)
        y.sum().backward()
        assert y.isfinite().all()
        assert x.grad is not None
        assert x.grad.isfinite().all()

    def test_says_how_many_weights_it_learns(self, config: ActivationConfig) -> None:
        assert config.parameters == sum(p.numel() for p in config.build().parameters())


FORMULAS: list[tuple[ActivationConfig, Callable[[Tensor], Tensor]]] = [
    (EluConfig(alpha=0.7), lambda x: torch.where(x > 0, x, 0.7 * torch.expm1(x))),
    (GeluConfig(), lambda x: x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))),
    (IdentityConfig(), lambda x: x),
    (LeakyReluConfig(slope=0.2), lambda x: torch.where(x > 0, x, 0.2 * x)),
    (PreluConfig(slope=0.25), lambda x: torch.where(x > 0, x, 0.25 * x)),
    (ReluConfig(), lambda x: x.clamp(min=0)),
    (SigmoidConfig(), lambda x: 1 / (1 + torch.exp(-x))),
    (ScaledTanhConfig(), lambda x: 1.7159 * torch.tanh(2 / 3 * x)),
    (SiluConfig(), lambda x: x / (1 + torch.exp(-x))),
    (StepConfig(), lambda x: (x >= 0).double()),
    (TanhConfig(), lambda x: 2 * torch.sigmoid(2 * x) - 1),
]


@pytest.mark.parametrize(("config", "formula"), FORMULAS, ids=[c.kind for c, _ in FORMULAS])
def test_is_the_formula_of_its_help(
    config: ActivationConfig, formula: Callable[[Tensor], Tensor]
) -> None:
    torch.testing.assert_close(config.build().double()(LINE), formula(LINE))


def test_softmax_is_exp_over_its_sum_along_the_units() -> None:
    x = torch.randn(3, 5, 2, dtype=torch.float64)
    torch.testing.assert_close(SoftmaxConfig().build()(x), x.exp() / x.exp().sum(1, keepdim=True))


def test_softmax_does_not_change_when_all_inputs_shift() -> None:
    x = torch.randn(4, 7, dtype=torch.float64)
    softmax = SoftmaxConfig().build()
    torch.testing.assert_close(softmax(x + 123.0), softmax(x))


def test_softmax_of_huge_logits_sums_to_one() -> None:
    y = SoftmaxConfig().build()(torch.tensor([[1e4, -1e4, 1e4], [-1e4, -1e4, -1e4]]))
    torch.testing.assert_close(y.sum(1), torch.ones(2))


def test_sigmoid_is_one_half_at_zero() -> None:
    assert SigmoidConfig().build()(torch.zeros(1)).item() == 0.5


def test_slope_of_sigmoid_is_greatest_at_zero_and_one_quarter() -> None:
    slope = slopes(SigmoidConfig(), LINE)
    assert slope.max().item() == slopes(SigmoidConfig(), torch.zeros(1).double()).item() == 0.25


def test_slope_of_tanh_is_one_minus_its_square() -> None:
    torch.testing.assert_close(slopes(TanhConfig(), LINE), 1 - LINE.tanh() ** 2)


def test_scaled_tanh_is_one_at_one() -> None:
    # LeCun et al. 1998, appendix A: f(1) = 1 and f(-1) = -1, to the four digits of its numbers.
    ends = ScaledTanhConfig().build()(torch.tensor([-1.0, 1.0]))
    torch.testing.assert_close(ends, torch.tensor([-1.0, 1.0]), atol=1e-4, rtol=0)


def test_slope_of_relu_at_zero_is_zero() -> None:
    assert slopes(ReluConfig(), torch.zeros(1).double()).item() == 0.0


def test_slope_of_gelu_ranges_as_in_the_textbook() -> None:
    slope = slopes(GeluConfig(), LINE)
    # The textbook says "about (-0.129, 1.129)". The extremes are where x^2 = 2.
    z = math.sqrt(2)
    extreme = 0.5 * (1 + math.erf(1)) + z * math.exp(-1) / math.sqrt(2 * math.pi)
    assert slope.max().item() == pytest.approx(extreme, abs=1e-4)
    assert slope.min().item() == pytest.approx(1 - extreme, abs=1e-4)
    assert round(extreme, 3) == 1.129


def test_nothing_learns_below_a_step() -> None:
    assert not slopes(StepConfig(), LINE).any()


@pytest.mark.parametrize(
    ("config", "name", "argument"),
    [
        (IdentityConfig(), "linear", None),
        (SigmoidConfig(), "sigmoid", None),
        (TanhConfig(), "tanh", None),
        (ReluConfig(), "relu", None),
        (LeakyReluConfig(slope=0.3), "leaky_relu", 0.3),
    ],
    ids=lambda c: getattr(c, "kind", ""),
)
def test_gain_is_that_of_torch(config: ActivationConfig, name: str, argument: float | None) -> None:
    gain = nn.init.calculate_gain(name, argument)  # pyright: ignore[reportArgumentType]
    assert config.gain == pytest.approx(gain)


def test_prelu_learns_one_slope_for_the_layer() -> None:
    module = PreluConfig(slope=0.5).build()
    (slope,) = module.parameters()
    x = torch.randn(2, 3)
    torch.testing.assert_close(module(x), F.leaky_relu(x, 0.5))
    assert slope.tolist() == [0.5]
