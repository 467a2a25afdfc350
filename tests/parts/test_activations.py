import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from torch import Tensor, nn
from torch.nn import functional as F

from nnlab.core.kinds import kinds_of
from nnlab.parts.activations import Activation
from nnlab.parts.activations.bounded import HardTanhConfig, ScaledTanhConfig
from nnlab.parts.activations.family import ActivationConfig, ReluFamily
from nnlab.parts.activations.rectifiers import (
    EluConfig,
    LeakyReluConfig,
    PreluConfig,
    RreluConfig,
    SeluConfig,
)
from nnlab.parts.activations.smooth import GeluConfig, SiluConfig
from nnlab.parts.activations.textbook import (
    IdentityConfig,
    ReluConfig,
    SigmoidConfig,
    SoftmaxConfig,
    StepConfig,
    TanhConfig,
)

CONFIGS = [kind.example() for kind in kinds_of(Activation).values()]
LINE = torch.linspace(-6, 6, 1001, dtype=torch.float64)


def slopes(config: ActivationConfig, points: Tensor) -> Tensor:
    x = points.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(config.build().double().eval()(x).sum(), x)
    return gradient


# Away from every kink: those of the menu are at 0, +-0.1, +-0.5, +-1, +-3, 6.
POINTS = np.array([[-4.3, -2.7, -1.2, -0.73, -0.31, -0.04], [0.03, 0.28, 0.77, 1.4, 3.6, 7.2]])


def module_of(config: ActivationConfig) -> nn.Module:
    """As at evaluation, where nothing is drawn."""
    return config.build().double().eval()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.kind)
class TestEveryActivation:
    @pytest.mark.parametrize("shape", [(4, 6), (2, 3, 5, 5)])
    def test_keeps_shape_and_type(self, config: ActivationConfig, shape: tuple[int, ...]) -> None:
        x = torch.randn(shape, dtype=torch.float64)
        y = config.build().double()(x)
        assert (y.shape, y.dtype) == (x.shape, x.dtype)

    def test_gradient_agrees_with_finite_differences(self, config: ActivationConfig) -> None:
        assert torch.autograd.gradcheck(
            module_of(config), (torch.from_numpy(POINTS).requires_grad_(),)
        )

    def test_its_formula_is_what_torch_computes(self, config: ActivationConfig) -> None:
        expected = module_of(config)(torch.from_numpy(POINTS)).detach().numpy()
        np.testing.assert_allclose(config.value(POINTS), expected, rtol=1e-12, atol=1e-15)

    def test_its_backward_formula_is_autograd(self, config: ActivationConfig) -> None:
        x = torch.from_numpy(POINTS).requires_grad_()
        grad = torch.linspace(-1, 2, 12, dtype=torch.float64).view(2, 6)
        (expected,) = torch.autograd.grad(module_of(config)(x), x, grad)
        ours = config.backward(POINTS, grad.numpy())
        # torch's hard_sigmoid multiplies by 1/6 in float32, also in float64.
        np.testing.assert_allclose(ours, expected.numpy(), rtol=1e-7, atol=1e-14)

    def test_its_derivative_is_the_limit_of_differences(self, config: ActivationConfig) -> None:
        if config.kind == "softmax":
            pytest.skip("is no function of single units; its backward is tested")
        h = 1e-6
        slopes = (config.value(POINTS + h) - config.value(POINTS - h)) / (2 * h)
        np.testing.assert_allclose(config.derivative(POINTS), slopes, atol=1e-8)

    def test_stays_finite_for_large_inputs(self, config: ActivationConfig) -> None:
        x = torch.tensor([[-1e4, 0.0, 1e4]], requires_grad=True)
        y = module_of(config).float()(x)
        y.sum().backward()
        assert y.isfinite().all()
        assert x.grad is not None
        assert x.grad.isfinite().all()
        assert np.isfinite(config.value(x.detach().double().numpy())).all()
        assert np.isfinite(config.derivative(x.detach().double().numpy())).all()

    def test_says_how_many_weights_it_learns(self, config: ActivationConfig) -> None:
        built = config.build_for(5)
        assert config.parameters(5) == sum(p.numel() for p in built.parameters())

    def test_says_whether_a_gradient_passes(self, config: ActivationConfig) -> None:
        assert config.differentiable == bool(config.backward(POINTS, POINTS).any())

    def test_a_kink_is_taken_as_torch_takes_it(self, config: ActivationConfig) -> None:
        kinks = torch.tensor([[0.0]], dtype=torch.float64)
        if config.kind in ("hard_swish", "prelu", "rrelu", "leaky_relu"):
            kinks = kinks + 1e-9
        ours = config.derivative(kinks.numpy())
        np.testing.assert_allclose(ours, slopes(config, kinks).numpy(), atol=1e-8)


@pytest.mark.parametrize(
    "config",
    [c for c in CONFIGS if isinstance(c, ReluFamily)],
    ids=lambda c: c.kind,
)
def test_the_relu_family_begins_with_he(config: ActivationConfig) -> None:
    assert config.auto_init == "he_normal"


@pytest.mark.parametrize("kind", ["sigmoid", "tanh", "softsign", "hard_tanh", "scaled_tanh"])
def test_bounded_activations_begin_with_xavier(kind: str) -> None:
    assert kinds_of(Activation)[kind].example().auto_init == "xavier_normal"  # pyright: ignore[reportAttributeAccessIssue]


def test_selu_keeps_mean_and_variance_of_lecun_layers() -> None:
    # Klambauer et al. 2017: (0, 1) is a fixed point of a layer with lecun_normal weights.
    assert SeluConfig().auto_init == "lecun_normal"
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2000, 300, generator=generator)
    for _ in range(20):
        x = SeluConfig().build()(x @ torch.randn(300, 300, generator=generator) / 300**0.5)
    assert abs(x.mean().item()) < 0.1
    assert x.var().item() == pytest.approx(1.0, abs=0.2)


def test_rrelu_draws_between_its_bounds_and_takes_their_mean_at_evaluation() -> None:
    module = RreluConfig(lower=0.2, upper=0.4).build()
    x = -torch.ones(10_000)
    drawn = -module(x)
    assert 0.2 <= drawn.min().item() < 0.21
    assert 0.39 < drawn.max().item() <= 0.4
    torch.testing.assert_close(module.eval()(x), 0.3 * x)


@pytest.mark.parametrize("kind", [RreluConfig, HardTanhConfig])
def test_refuses_bounds_out_of_order(kind: type[ActivationConfig]) -> None:
    low, high = list(kind.model_fields)[1:]
    with pytest.raises(ValidationError, match=f"{low} must"):
        kind.model_validate({"kind": kind.name(), low: 0.9, high: 0.1})


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


def test_slope_of_gelu_ranges_from_minus_0_129_to_1_129() -> None:
    slope = slopes(GeluConfig(), LINE)
    # The textbook says "about (-0.129, 1.129)"; one of its source texts prints -0.17, which is the
    # minimum of GELU itself. The extremes are where x^2 = 2.
    z = math.sqrt(2)
    extreme = 0.5 * (1 + math.erf(1)) + z * math.exp(-1) / math.sqrt(2 * math.pi)
    assert slope.max().item() == pytest.approx(extreme, abs=1e-4)
    assert slope.min().item() == pytest.approx(1 - extreme, abs=1e-4)
    assert (round(1 - extreme, 3), round(extreme, 3)) == (-0.129, 1.129)

    # And the minimum of GELU itself, by SciPy.
    def gelu(x: float) -> float:
        return x * float(norm.cdf(x))

    least: Any = minimize_scalar(gelu, bracket=(-2, 0))
    assert GeluConfig().build()(LINE).min().item() == pytest.approx(least.fun, abs=1e-5)
    assert round(least.fun, 2) == -0.17


def test_slope_of_a_leaky_relu_is_one_hundredth_below_zero_unless_told() -> None:
    x = torch.tensor([-2.0, 3.0])
    assert torch.equal(LeakyReluConfig().build()(x), nn.LeakyReLU()(x))
    assert slopes(LeakyReluConfig(), x.double()).tolist() == [0.01, 1.0]


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


def test_prelu_per_channel_learns_a_slope_for_each() -> None:
    config = PreluConfig(slope=0.5, per="channel")
    module = config.build_for(3)
    (slope,) = module.parameters()
    assert slope.tolist() == [0.5] * 3
    with torch.no_grad():
        slope.copy_(torch.tensor([0.0, 0.5, 1.0]))
    x = -torch.ones(2, 3, 4, 4)
    torch.testing.assert_close(module(x)[0, :, 0, 0], torch.tensor([0.0, -0.5, -1.0]))


@pytest.mark.parametrize(
    "config", [LeakyReluConfig(slope=0.3), PreluConfig(), ReluConfig()], ids=lambda c: c.kind
)
def test_gain_keeps_the_mean_square_of_a_signal(config: ActivationConfig) -> None:
    # gain^2 E f(z)^2 = 1 for z ~ N(0, 1): He et al. 2015, the derivation of eq. 10.
    assert config.gain**2 * mean_square(config.value) == pytest.approx(1.0, abs=1e-6)


def test_gain_of_rrelu_is_that_of_its_draws() -> None:
    config = RreluConfig()
    draws = np.linspace(config.lower, config.upper, 201)
    squares = [mean_square(LeakyReluConfig(slope=float(s)).value) for s in draws]
    mean = float(np.trapezoid(squares, draws)) / (config.upper - config.lower)
    assert config.gain**2 * mean == pytest.approx(1.0, abs=1e-5)


def mean_square(f: Callable[[Any], Any]) -> float:
    z = np.linspace(-10.0, 10.0, 20_001)
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return float(np.trapezoid(f(z) ** 2 * density, z))


def test_tanh_is_a_sigmoid_of_twice_the_input() -> None:
    z = LINE.numpy()
    np.testing.assert_allclose(
        TanhConfig().value(z), 2 * SigmoidConfig().value(2 * z) - 1, atol=1e-15
    )


def test_slope_of_tanh_is_at_most_one() -> None:
    assert TanhConfig().derivative(LINE.numpy()).max() == 1.0


def test_formula_of_softmax_is_shift_invariant_and_stable() -> None:
    z = np.array([[1e4, -1e4, 1e4 - 1.0], [-1e4, -1e4, -1e4]])
    a = SoftmaxConfig().value(z)
    np.testing.assert_allclose(a.sum(axis=1), 1.0)
    np.testing.assert_allclose(a, SoftmaxConfig().value(z + 77.0))
