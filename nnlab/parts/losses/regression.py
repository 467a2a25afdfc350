"""Losses of distances between outputs and targets; classes count as one-hot."""

from math import log
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, final

from pydantic import Field, PositiveFloat

from nnlab.core.contracts import Batch, DataShape, LossFn
from nnlab.core.lazy import F, Tensor, np, torch
from nnlab.parts.losses.family import Link, LossConfig, at_least_float32, target_columns

if TYPE_CHECKING:
    from nnlab.parts.losses.family import Floats

_TARGETS = "targets: numbers, or classes as one-hot; link: identity (any may be written)"


@final
class QuadraticConfig(LossConfig, frozen=True):
    """Half the squared distance to the target: 1/2 sum (z - y)^2 over the outputs.

    Maximum likelihood for Gaussian noise with a linear output. Rumelhart, Hinton & Williams 1986,
    doi:10.1038/323533a0.
    """

    kind: Literal["quadratic"] = "quadratic"
    link: ClassVar[Link] = "identity"
    formula: ClassVar[str] = f"1/2 (z - y)^2; sum over outputs, mean over examples; {_TARGETS}"

    def build(self, shape: DataShape) -> LossFn:
        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            return 0.5 * (z - target_columns(batch, z, shape)).square().sum(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return 0.5 * ((outputs - targets) ** 2).sum(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return outputs - targets


@final
class MseConfig(LossConfig, frozen=True):
    """Mean squared error: (z - y)^2, mean over the outputs. Gauss 1809, "Theoria motus"."""

    kind: Literal["mse"] = "mse"
    link: ClassVar[Link] = "identity"
    formula: ClassVar[str] = f"(z - y)^2; mean over outputs and examples; {_TARGETS}"

    def build(self, shape: DataShape) -> LossFn:
        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            return (z - target_columns(batch, z, shape)).square().mean(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return ((outputs - targets) ** 2).mean(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return 2 * (outputs - targets) / outputs.shape[1]


@final
class MaeConfig(LossConfig, frozen=True):
    """Mean absolute error: |z - y|, mean over the outputs; fits the median. Laplace 1774."""

    kind: Literal["mae"] = "mae"
    link: ClassVar[Link] = "identity"
    formula: ClassVar[str] = f"|z - y|; mean over outputs and examples; {_TARGETS}"

    def build(self, shape: DataShape) -> LossFn:
        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            return (z - target_columns(batch, z, shape)).abs().mean(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return np.abs(outputs - targets).mean(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return np.sign(outputs - targets) / outputs.shape[1]


@final
class HuberConfig(LossConfig, frozen=True):
    """(z - y)^2 / 2 near the target, delta * (|z - y| - delta / 2) beyond delta; mean over outputs.

    Outliers pull with at most delta. Huber 1964, doi:10.1214/aoms/1177703732.
    """

    kind: Literal["huber"] = "huber"
    delta: PositiveFloat = 1.0
    in_target_unit: ClassVar[tuple[str, ...]] = ("delta",)
    link: ClassVar[Link] = "identity"
    formula: ClassVar[str] = (
        "e^2 / 2 for |e| <= delta, else delta (|e| - delta / 2), e = z - y; mean over outputs and "
        f"examples; {_TARGETS}"
    )

    def build(self, shape: DataShape) -> LossFn:
        delta = self.delta

        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            y = target_columns(batch, z, shape)
            return F.huber_loss(z, y, reduction="none", delta=delta).mean(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return _huber(outputs - targets, self.delta).mean(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return np.clip(outputs - targets, -self.delta, self.delta) / outputs.shape[1]


def _huber(errors: "Floats", delta: float) -> "Floats":
    far = np.abs(errors)
    return np.where(far <= delta, errors**2 / 2, delta * (far - delta / 2))


@final
class SmoothL1Config(LossConfig, frozen=True):
    """(z - y)^2 / (2 beta) near the target, |z - y| - beta / 2 beyond beta; mean over the outputs.

    It is huber of delta = beta, divided by beta: outliers pull with 1 whatever beta is, and a small
    beta comes to mae. Girshick 2015, arXiv:1504.08083, eq. 3.
    """

    kind: Literal["smooth_l1"] = "smooth_l1"
    beta: PositiveFloat = 1.0
    in_target_unit: ClassVar[tuple[str, ...]] = ("beta",)
    link: ClassVar[Link] = "identity"
    formula: ClassVar[str] = (
        "e^2 / (2 beta) for |e| < beta, else |e| - beta / 2, e = z - y; mean over outputs and "
        f"examples; {_TARGETS}"
    )

    def build(self, shape: DataShape) -> LossFn:
        beta = self.beta

        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            y = target_columns(batch, z, shape)
            return F.smooth_l1_loss(z, y, reduction="none", beta=beta).mean(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return _huber(outputs - targets, self.beta).mean(axis=1) / self.beta

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return np.clip((outputs - targets) / self.beta, -1.0, 1.0) / outputs.shape[1]


@final
class LogCoshConfig(LossConfig, frozen=True):
    """log cosh(z - y), mean over the outputs: like e^2 / 2 near the target, like |e| - log 2 far.

    Huber's idea without a corner. Saleh & Saleh 2022, arXiv:2208.04564.
    """

    kind: Literal["log_cosh"] = "log_cosh"
    link: ClassVar[Link] = "identity"
    formula: ClassVar[str] = f"log cosh(z - y); mean over outputs and examples; {_TARGETS}"

    def build(self, shape: DataShape) -> LossFn:
        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            e = z - target_columns(batch, z, shape)
            # cosh e = 1 + 2 sinh(e/2)^2 keeps the digits of a small e; the other form does not
            # overflow for a large one.
            near = torch.log1p(2.0 * torch.sinh(e.clamp(-1.0, 1.0) / 2.0).square())
            far = e.abs() + torch.log1p(torch.exp(-2.0 * e.abs())) - log(2.0)
            return torch.where(e.abs() < 1.0, near, far).mean(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        e = np.abs(outputs - targets)
        return (e + np.log1p(np.exp(-2 * e)) - log(2)).mean(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return np.tanh(outputs - targets) / outputs.shape[1]


@final
class QuantileConfig(LossConfig, frozen=True):
    """max(q (y - z), (q - 1) (y - z)), mean over the outputs: fits the q-quantile; pinball loss.

    q = 0.9 wants nine of ten targets below the output; 0.5 is half of mae.
    Koenker & Bassett 1978, doi:10.2307/1913643.
    """

    kind: Literal["quantile"] = "quantile"
    q: Annotated[float, Field(gt=0, lt=1)] = 0.5
    link: ClassVar[Link] = "identity"
    formula: ClassVar[str] = (
        f"max(q (y - z), (q - 1) (y - z)); mean over outputs and examples; {_TARGETS}"
    )

    def build(self, shape: DataShape) -> LossFn:
        q = self.q

        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            missing = target_columns(batch, z, shape) - z
            return torch.maximum(q * missing, (q - 1.0) * missing).mean(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        missing = targets - outputs
        return np.maximum(self.q * missing, (self.q - 1) * missing).mean(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        # (1/2 - q) where the target is met: between the slopes on both sides, as autograd has it.
        return (0.5 * (1 + np.sign(outputs - targets)) - self.q) / outputs.shape[1]


KINDS = (
    MseConfig,
    QuadraticConfig,
    MaeConfig,
    HuberConfig,
    SmoothL1Config,
    LogCoshConfig,
    QuantileConfig,
)
