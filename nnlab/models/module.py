"""`module`: a network of the user's own that Python hands in. A config names it, none holds it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self, final

from pydantic import Field, PrivateAttr

from nnlab.core.contracts import DataShape, Plan, Shape
from nnlab.core.errors import MistakeError
from nnlab.core.kinds import Forms
from nnlab.core.lazy import Module, nn, torch
from nnlab.models.family import Design, ModelConfig, OutputConfig
from nnlab.parts.layers.family import Placed
from nnlab.parts.losses.family import LossConfig


@final
class ModuleConfig(ModelConfig, frozen=True):
    """A torch module that Python hands in: nnlab.train(config, model=network).

    Its weights are the user's: nothing is initialized. Where a loss computes its link itself
    (cross_entropy), it puts out logits.
    """

    handed: ClassVar[bool] = True

    kind: Literal["module"] = "module"
    network: Annotated[str | None, Forms()] = None
    """The module's class, for the record."""
    output: OutputConfig = Field(default=OutputConfig(), exclude=True)

    _module: "Module | None" = PrivateAttr(None)
    _recorded: Design | None = PrivateAttr(None)

    def holding(self, module: "nn.Module") -> Self:
        """This config with the module that it stands for."""
        copy = self.model_copy(update={"network": type(module).__name__})
        copy._module = module  # pyright: ignore[reportAttributeAccessIssue] - private, not frozen
        return copy

    def recorded_as(self, design: Design) -> Self:
        """This config with what the records of a run show of the module, which is not at hand."""
        copy = self.model_copy()
        copy._recorded = design  # pyright: ignore[reportAttributeAccessIssue] - private, not frozen
        return copy

    def hidden_layers(self, inputs: Shape) -> tuple[Placed, ...]:
        raise MistakeError(("model",), "is a torch module, which is no list of layers")

    def designed(self, data: DataShape, loss: LossConfig) -> Design:
        """Follows a pass of two examples of zeros through the module, which leaves no trace in it.

        Raises:
            MistakeError: there is none, or it cannot take such examples, or has other outputs.
        """
        from nnlab.training.probes.anatomy import dissect_network, unwrap_network

        if self.output != OutputConfig():
            text = "a module's output layer is its own (remove it)"
            raise MistakeError(("model", "output"), text)
        if self._module is None and self._recorded is not None:
            return self._recorded
        if self._module is None:
            text = "a torch module comes from Python and is in no file"
            way = "hand it in: nnlab.train(config, model=network)"
            raise MistakeError(("model",), f"{text} ({way})")
        network = unwrap_network(self._module)
        first = next(network.parameters(), None)
        if first is None:
            raise MistakeError(("model",), f"{self.network} has no parameters to train")
        inputs = torch.zeros((2, *data.inputs), dtype=first.dtype, device=first.device)
        shapes: list[object] = []

        def run() -> None:
            outputs: object = network(inputs)
            shapes.append(tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else outputs)

        try:
            layers = dissect_network(network, run)
        except Exception as error:  # whatever a module of a user's own may raise
            why = (str(error).strip().splitlines() or [type(error).__name__])[0]
            text = f"{self.network} cannot take examples of shape {data.inputs}: {why}"
            raise MistakeError(("model",), text) from error
        self._check(shapes[0], data, loss)
        return Design(data.inputs, (), _ending(layers.plans, shapes[0]), network, layers)

    def _check(self, found: object, data: DataShape, loss: LossConfig) -> None:
        """The outputs of two examples are what the loss takes."""
        wanted = None if loss.handed else loss.outputs(data)
        fits = isinstance(found, tuple) and len(found) == 2 and found[0] == 2
        if fits and wanted in (None, found[1]):  # pyright: ignore[reportIndexIssue]
            return
        shown = str(found) if isinstance(found, tuple) else type(found).__name__
        needed = "(2, K)" if wanted is None else f"(2, {wanted})"
        why = "" if wanted is None else f" for {loss.kind} on {data.outputs} {_what(data)}"
        text = f"{self.network} gives {shown} for two examples, expected {needed}{why}"
        if way := _way_out(found, wanted, data):
            text = f"{text} ({way})"
        raise MistakeError(("model",), text)


def _way_out(found: object, wanted: int | None, data: DataShape) -> str:
    """What would do, of two forms of the output that are usual in PyTorch; else empty."""
    if found == (2, 1) and data.task == "classes" and data.outputs == 2:
        return "loss: bce takes one output for two classes"
    if found == (2,) and wanted in (None, 1):
        return "keep the last axis: no squeeze(-1) or flatten(0)"
    return ""


def _what(data: DataShape) -> str:
    return {"classes": "classes", "labels": "labels", "regression": "numbers"}[data.task]


def _ending(plans: Sequence[Plan], outputs: Any) -> tuple[Plan, ...]:
    """The plans; what the last one puts out is the whole network's output."""
    return (*plans[:-1], replace(plans[-1], output=outputs[1:]))


KINDS = (ModuleConfig,)
