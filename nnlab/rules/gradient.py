"""`gradient`: backpropagation and an optimizer."""

from typing import TYPE_CHECKING, Any, Literal, final

from nnlab.base import Kind

if TYPE_CHECKING:
    from nnlab.training.step import Step


@final
class GradientConfig(Kind, frozen=True):
    """Every parameter follows the gradient of the loss. Rumelhart, Hinton & Williams 1986."""

    kind: Literal["gradient"] = "gradient"

    def build(self, *, closure: bool, **parts: Any) -> "Step":
        """The step that trains.

        Args:
            closure: whether the optimizer evaluates the loss several times in an update.
            parts: those of `EagerStep`.
        """
        if closure:
            from nnlab.training.lbfgs import LbfgsStep

            return LbfgsStep(**parts)
        from nnlab.training.step import EagerStep

        return EagerStep(**parts)
