"""`gradient`: backpropagation and an optimizer."""

from typing import TYPE_CHECKING, Any, Literal, final

from nnlab.base import Kind

if TYPE_CHECKING:
    from nnlab.training.step import Step


@final
class GradientConfig(Kind, frozen=True):
    """Every parameter follows the gradient of the loss. Rumelhart, Hinton & Williams 1986."""

    kind: Literal["gradient"] = "gradient"

    def build(self, **parts: Any) -> "Step":
        """The step that trains; `parts` are those of `EagerStep`."""
        from nnlab.training.step import EagerStep

        return EagerStep(**parts)
