"""`zero_one`: the share of wrong answers, read as loss where no gradient is followed.

It stands on no menu: nothing can be trained on it by a gradient, which is 0.
"""

from typing import ClassVar, Literal, final

from nnlab.core.contracts import Batch, DataShape, LossFn, Task
from nnlab.core.lazy import Tensor
from nnlab.parts.losses.family import LossConfig


@final
class ZeroOneConfig(LossConfig, frozen=True):
    """1 for a wrong answer, else 0."""

    kind: Literal["zero_one"] = "zero_one"
    link: ClassVar[Literal["identity"]] = "identity"
    links: ClassVar[tuple[str, ...] | None] = ("identity",)
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)
    one_for_two: ClassVar[bool] = True
    shares: ClassVar[bool] = False
    formula: ClassVar[str] = (
        "1 for a wrong answer, else 0; mean over examples; "
        "targets: class numbers (two classes: one output, above 0 for the second)"
    )

    def build(self, shape: DataShape) -> LossFn:
        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            single = outputs.shape[1] == 1
            found = (outputs[:, 0] > 0).long() if single else outputs.argmax(dim=1)
            return (found != batch.targets).to(outputs.dtype)

        return loss
