"""`function`: a loss of the user's own that Python hands in. A config names it, none holds it."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self, final

from pydantic import PrivateAttr

from nnlab.core.contracts import Batch, DataShape, LossFn, Task
from nnlab.core.errors import ConfigError, Mistake
from nnlab.core.lazy import Tensor, torch
from nnlab.parts.losses.family import Link, LossConfig

_CHECKED = 8
"""A mean is compared with so many losses of single examples."""


@final
class FunctionConfig(LossConfig, frozen=True):
    """A function that Python hands in: nnlab.train(config, loss=function).

    It takes outputs (N, K) and targets, (N,) class numbers or (N, K) numbers, and gives a loss for
    each example, (N,), or their mean, ().
    """

    handed: ClassVar[bool] = True
    link: ClassVar[Link] = "identity"
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "regression", "labels")
    formula: ClassVar[str] = "the user's own"

    kind: Literal["function"] = "function"

    _function: "Callable[..., Tensor] | None" = PrivateAttr(None)
    _recorded: bool = PrivateAttr(False)

    def holding(self, function: "Callable[..., Tensor]") -> Self:
        """This config with the function that it stands for."""
        copy = self.model_copy()
        copy._function = function  # pyright: ignore[reportAttributeAccessIssue] - private, not frozen
        return copy

    def recorded(self) -> Self:
        """This config for a look at the records of a run, which needs no function."""
        copy = self.model_copy()
        copy._recorded = True  # pyright: ignore[reportAttributeAccessIssue] - private, not frozen
        return copy

    def mistake(self, shape: DataShape) -> Mistake | None:
        if self._function is not None or self._recorded:
            return None
        way = "hand it in: nnlab.train(config, loss=function)"
        return Mistake(("loss",), f"a function comes from Python and is in no file ({way})")

    def build(self, shape: DataShape) -> LossFn:
        function = self._function
        assert function is not None
        means = False

        def losses(outputs: "Tensor", batch: Batch) -> "Tensor":
            nonlocal means
            found: Any = function(outputs, batch.targets)
            count = len(outputs)
            if not isinstance(found, torch.Tensor) or tuple(found.shape) not in ((count,), ()):
                shown = tuple(found.shape) if isinstance(found, torch.Tensor) else repr(found)[:40]
                raise ConfigError(
                    f"loss: gives {shown} for {count} examples, expected ({count},): one for each, "
                    "or their mean ()"
                )
            if found.ndim:
                return found
            if not means and count > 1:
                _check_mean(function, outputs, batch)
                means = True
            return found.expand(count)

        return losses


def _check_mean(function: "Callable[..., Tensor]", outputs: "Tensor", batch: Batch) -> None:
    """One number for a batch must be the mean over its examples: readings add batches up.

    Raises:
        ConfigError: it is a sum, a weighted mean, or depends on the batch as a whole.
    """
    outputs, targets = outputs.detach()[:_CHECKED], batch.targets[:_CHECKED]
    whole = function(outputs, targets)
    each = [function(outputs[i : i + 1], targets[i : i + 1]) for i in range(len(outputs))]
    mean = torch.stack(each).mean()
    if not torch.allclose(whole, mean, rtol=1e-3, atol=1e-6, equal_nan=True):
        raise ConfigError(
            f"loss: gives {float(whole):.6g} for {len(outputs)} examples whose own losses have the "
            f"mean {float(mean):.6g} (give one loss for each, (N,), as reduction='none' does)"
        )


KINDS = (FunctionConfig,)
