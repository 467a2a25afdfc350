"""Losses that want a margin between the right class and the others, and no more."""

from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import PositiveFloat

from nnlab.core.contracts import Batch, DataShape, LossFn, Task
from nnlab.core.lazy import Tensor, np, torch
from nnlab.parts.losses.family import Link, LossConfig, at_least_float32, target_columns

if TYPE_CHECKING:
    from nnlab.parts.losses.family import Floats


@final
class HingeConfig(LossConfig, frozen=True):
    """max(0, margin - t z) with t = 1 for the right class, else -1: wants a margin, not more.

    One output for two classes; for more, one against all others for each class, summed; one output
    for each label. Cortes & Vapnik 1995, doi:10.1007/BF00994018.
    """

    kind: Literal["hinge"] = "hinge"
    margin: PositiveFloat = 1.0
    link: ClassVar[Link] = "identity"
    links: ClassVar[tuple[str, ...] | None] = ("identity", "tanh")
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "labels")
    one_for_two: ClassVar[bool] = True
    formula: ClassVar[str] = (
        "max(0, margin - t z); sum over outputs, mean over examples; "
        "targets: t = +1 or -1 for each output (two classes: one output); link: identity"
    )

    def build(self, shape: DataShape) -> LossFn:
        margin = self.margin

        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            y = target_columns(batch, z, shape)
            return (y * (margin - z).relu() + (1.0 - y) * (margin + z).relu()).sum(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        above, below = _gaps(outputs, self.margin)
        return (targets * above + (1 - targets) * below).sum(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        above, below = _gaps(outputs, self.margin)
        return (1 - targets) * (below > 0) - targets * (above > 0)


def _gaps(outputs: "Floats", margin: float) -> "tuple[Floats, Floats]":
    """What is missing to the margin if the target is +1, and if it is -1."""
    return np.maximum(margin - outputs, 0.0), np.maximum(margin + outputs, 0.0)


@final
class SquaredHingeConfig(LossConfig, frozen=True):
    """max(0, margin - t z)^2: hinge that pulls the harder the more is missing, without a corner.

    Outputs as for hinge. Tang 2013, arXiv:1306.0239 (its L2-SVM).
    """

    kind: Literal["squared_hinge"] = "squared_hinge"
    margin: PositiveFloat = 1.0
    link: ClassVar[Link] = "identity"
    links: ClassVar[tuple[str, ...] | None] = ("identity", "tanh")
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "labels")
    one_for_two: ClassVar[bool] = True
    formula: ClassVar[str] = (
        "max(0, margin - t z)^2; sum over outputs, mean over examples; "
        "targets: t = +1 or -1 for each output (two classes: one output); link: identity"
    )

    def build(self, shape: DataShape) -> LossFn:
        margin = self.margin

        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            y = target_columns(batch, z, shape)
            above, below = (margin - z).relu().square(), (margin + z).relu().square()
            return (y * above + (1.0 - y) * below).sum(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        above, below = _gaps(outputs, self.margin)
        return (targets * above**2 + (1 - targets) * below**2).sum(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        above, below = _gaps(outputs, self.margin)
        return 2 * ((1 - targets) * below - targets * above)


@final
class MultiMarginConfig(LossConfig, frozen=True):
    """Mean over classes of max(0, margin - z_y + z_k)^p: the right output leads all others.

    The sum over the others k is divided by K, as in PyTorch. Weston & Watkins 1999, "Support vector
    machines for multi-class pattern recognition".
    """

    kind: Literal["multi_margin"] = "multi_margin"
    margin: PositiveFloat = 1.0
    p: Literal[1, 2] = 1
    link: ClassVar[Link] = "identity"
    links: ClassVar[tuple[str, ...] | None] = ("identity", "tanh")
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)
    formula: ClassVar[str] = (
        "max(0, margin - z_y + z_k)^p; sum over k other than y, divided by K, mean over examples; "
        "targets: class numbers; link: identity"
    )

    def build(self, shape: DataShape) -> LossFn:
        margin, p = self.margin, self.p

        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            y = target_columns(batch, z, shape)
            if batch.targets.ndim == 1:
                right = (z * y).sum(dim=1, keepdim=True)
                return ((margin - right + z).relu().pow(p) * (1.0 - y)).mean(dim=1)
            # (N, K, K): each class y of the distribution against each other class k.
            others = 1.0 - torch.eye(shape.outputs, dtype=z.dtype, device=z.device)
            gaps = (margin - z[:, :, None] + z[:, None, :]).relu().pow(p) * others
            return (y * gaps.mean(dim=2)).sum(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return (targets * (self._between(outputs) ** self.p).mean(axis=2)).sum(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        gaps = self._between(outputs)
        slope = (gaps > 0) * 1.0 if self.p == 1 else 2 * gaps
        pull = targets[:, :, None] * slope / outputs.shape[1]
        return pull.sum(axis=1) - pull.sum(axis=2)

    def _between(self, outputs: "Floats") -> "Floats":
        """(N, K, K): what output y is short of leading output k by the margin; 0 for k = y."""
        gaps = np.maximum(self.margin - outputs[:, :, None] + outputs[:, None, :], 0.0)
        return gaps * (1 - np.eye(outputs.shape[1]))


KINDS = (HingeConfig, SquaredHingeConfig, MultiMarginConfig)
