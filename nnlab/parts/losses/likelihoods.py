"""Negative log-likelihoods of real targets whose outputs are parameters of a distribution."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, final

from pydantic import Field

from nnlab.core.contracts import Batch, DataShape, LossFn, Task
from nnlab.core.errors import DataError
from nnlab.core.lazy import F, Tensor, np
from nnlab.parts.losses.family import (
    Link,
    LossConfig,
    at_least_float32,
    numpy_sigmoid_of_logits,
    numpy_softplus_of_logits,
)

if TYPE_CHECKING:
    from nnlab.parts.losses.family import Floats, Targets


@final
class GaussianNllConfig(LossConfig, frozen=True):
    """(log v + (m - y)^2 / v) / 2: a mean m and a variance v for each target, both learned.

    The network has 2K outputs: K means, then K numbers s whose softplus + eps is the variance, as
    in Lakshminarayanan et al. 2017, arXiv:1612.01474. The constant log(2 pi) / 2 is left out.
    Nix & Weigend 1994, doi:10.1109/ICNN.1994.374138. Scores judge the means.
    """

    kind: Literal["gaussian_nll"] = "gaussian_nll"
    eps: Annotated[float, Field(gt=0, le=1)] = 1e-6
    """The least variance, in the unit that the network learns."""
    link: ClassVar[Link] = "identity"
    links: ClassVar[tuple[str, ...] | None] = ("identity",)
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)
    formula: ClassVar[str] = (
        "(log v + (m - y)^2 / v) / 2, v = softplus(s) + eps; mean over targets and examples; "
        "targets: numbers; 2K outputs: m, then s; link: identity"
    )

    def outputs(self, shape: DataShape) -> int:
        return 2 * shape.outputs

    def predictions(self, outputs: "Tensor") -> "Tensor":
        return outputs[:, : outputs.shape[1] // 2]

    def build(self, shape: DataShape) -> LossFn:
        columns, eps = shape.outputs, self.eps

        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            mean, variance = z[:, :columns], F.softplus(z[:, columns:]) + eps
            errors = (mean - batch.targets.to(z.dtype)).square()
            return 0.5 * (variance.log() + errors / variance).mean(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        mean, scale = np.split(outputs, 2, axis=1)
        variance = numpy_softplus_of_logits(scale) + self.eps
        return 0.5 * (np.log(variance) + (mean - targets) ** 2 / variance).mean(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        mean, scale = np.split(outputs, 2, axis=1)
        variance = numpy_softplus_of_logits(scale) + self.eps
        errors = mean - targets
        by_variance = 0.5 * (1 / variance - errors**2 / variance**2)
        both = np.concatenate(
            [errors / variance, by_variance * numpy_sigmoid_of_logits(scale)], axis=1
        )
        return both / targets.shape[1]


@final
class PoissonNllConfig(LossConfig, frozen=True):
    """exp(z) - y z: the targets are counts, whose expected number is exp(z).

    The constant log y! is left out, as in PyTorch; scores judge exp(z), which overflows in float32
    beyond z = 88. Nelder & Wedderburn 1972, doi:10.2307/2344614.
    """

    kind: Literal["poisson_nll"] = "poisson_nll"
    link: ClassVar[Link] = "identity"
    links: ClassVar[tuple[str, ...] | None] = ("identity",)
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)
    any_unit: ClassVar[bool] = False
    looks_at_targets: ClassVar[bool] = True
    formula: ClassVar[str] = (
        "exp(z) - y z; mean over outputs and examples; targets: counts; "
        "link: identity (z is the log of the rate)"
    )

    def fitted(self, targets: "Targets", shape: DataShape) -> Self:
        least = float(targets.min())
        if least < 0:
            raise DataError(f"data: poisson_nll needs counts as targets, got {least:g} (loss: mse)")
        return self

    def predictions(self, outputs: "Tensor") -> "Tensor":
        return at_least_float32(outputs).exp()

    def build(self, shape: DataShape) -> LossFn:
        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            return F.poisson_nll_loss(z, batch.targets.to(z.dtype), reduction="none").mean(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return (np.exp(outputs) - targets * outputs).mean(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return (np.exp(outputs) - targets) / outputs.shape[1]


KINDS = (GaussianNllConfig, PoissonNllConfig)
