"""What theory says of a signal on its way through random layers, by numerical integration.

For wide layers whose weights are drawn independently with variance sw^2 / n_in and whose biases
have variance sb^2, pre-activations are Gaussian of variance q, and

    q' = sw^2 E[f(sqrt(q) z)^2] + sb^2          Poole et al. 2016, arXiv:1606.05340, eq. 3
    c' q' = sw^2 E[f(u) f(v)] + sb^2            eq. 5: u, v Gaussian of variance q, correlation c
    chi = sw^2 E[f'(sqrt(q) z)^2]               eq. 8; Schoenholz et al. 2017, arXiv:1611.01232

The squared length of the gradient by the pre-activations is multiplied by chi on its way back
through a layer: above 1 it explodes with depth, below 1 it vanishes.
"""

from collections.abc import Callable

from nnlab.core.lazy import Floats, np
from nnlab.parts.activations.family import ActivationConfig

_WIDEST = 8.0
_POINTS, _POINTS_2D = 4001, 401


def gaussian_mean(function: "Callable[[Floats], Floats]") -> float:
    """E[function(z)] for z from N(0, 1), by the trapezoidal rule."""
    z = np.linspace(-_WIDEST, _WIDEST, _POINTS)
    weights = np.exp(-0.5 * z**2)
    return float((weights * function(z)).sum() / weights.sum())


def next_variance(activation: ActivationConfig, q: float, *, sw2: float, sb2: float) -> float:
    """Variance of the next layer's pre-activations.

    Args:
        activation: behind this layer.
        q: mean square of this layer's pre-activations.
        sw2: n_in times the variance of the next layer's weights.
        sb2: variance of its biases.
    """
    return sw2 * gaussian_mean(lambda z: activation.value(np.sqrt(q) * z) ** 2) + sb2


def backward_factor(activation: ActivationConfig, q: float, *, sw2: float) -> float:
    """Chi: what the squared gradient is multiplied by on its way back to these pre-activations."""
    return sw2 * gaussian_mean(lambda z: activation.derivative(np.sqrt(q) * z) ** 2)


def next_correlation(
    activation: ActivationConfig, q: float, c: float, *, sw2: float, sb2: float
) -> float:
    """Correlation of the next layer's pre-activations for two inputs.

    Args:
        activation: behind this layer.
        q: mean square of this layer's pre-activations, for both inputs.
        c: their correlation here.
        sw2: n_in times the variance of the next layer's weights.
        sb2: variance of its biases.
    """
    z = np.linspace(-_WIDEST, _WIDEST, _POINTS_2D)
    weights = np.exp(-0.5 * z**2)
    weights /= weights.sum()
    c = min(1.0, max(-1.0, c))
    u = np.sqrt(q) * z[:, None]
    v = np.sqrt(q) * (c * z[:, None] + np.sqrt(1.0 - c * c) * z[None, :])
    product = activation.value(u) * activation.value(v)
    joint = float((weights[:, None] * weights[None, :] * product).sum())
    after = next_variance(activation, q, sw2=sw2, sb2=sb2)
    return (sw2 * joint + sb2) / after if after > 0.0 else 1.0
