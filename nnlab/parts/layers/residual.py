"""The residual block: a list of layers and a way around them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, Self, final

from pydantic import Field

from nnlab.base import MistakeError, Path
from nnlab.contracts import Plan, Shape
from nnlab.parts.activations import Activation
from nnlab.parts.activations.common import IdentityConfig
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.layers.dense import ConvConfig, LinearConfig
from nnlab.parts.layers.family import (
    Defaults,
    Fill,
    LayerConfig,
    Placed,
    activation_parameters,
    place,
)
from nnlab.parts.norms import NoNormConfig, Norm

if TYPE_CHECKING:
    from torch import nn

    from nnlab.parts.layers import Layer


@final
class ResidualConfig(LayerConfig, frozen=True):
    """activation(layers(x) + skip(x)): the gradient has a way around. He 2015, arXiv:1512.03385."""

    kind: Literal["residual"] = "residual"
    layers: Annotated[tuple["Layer", ...], Field(min_length=1)]
    skip: Literal["auto", "identity", "projection"] = "auto"
    activation: Activation | None = None
    norm: Norm | None = None
    """Of the projection."""

    @classmethod
    def example(cls) -> Self:
        return cls(layers=(ConvConfig(channels=1, padding="same"),))

    @property
    def stem(self) -> str:
        return "block"

    def settled(self, defaults: Defaults) -> Self:
        return self.model_copy(
            update={
                "layers": tuple(layer.settled(defaults) for layer in self.layers),
                "activation": self.activation or defaults.activation,
                "norm": self.norm or defaults.norm,
            }
        )

    def _placed(self, path: Path) -> tuple[Placed, ...]:
        paths = tuple((*path, "layers", index) for index in range(len(self.layers)))
        return place(self.layers, paths)

    def _body(self, inputs: Shape, name: str, path: Path) -> tuple[Plan, ...]:
        plans: list[Plan] = []
        for placed in self._placed(path):
            shape = plans[-1].output if plans else inputs
            plans.append(placed.config.plan(shape, f"{name}.{placed.name}", placed.path))
        return tuple(plans)

    def projection(self, inputs: Shape, output: Shape, path: Path) -> LayerConfig | None:
        """The 1 x 1 convolution (or linear map) around the block; None for the identity."""
        if self.skip == "identity" or (self.skip == "auto" and inputs == output):
            if inputs != output:
                text = f"(residual): the skip is the identity, but {inputs} becomes {output}"
                raise MistakeError(path, f"{text} (use skip: projection)")
            return None
        norm = self.norm or NoNormConfig()
        parts = {"bias": False, "norm": norm, "activation": IdentityConfig(), "dropout": 0.0}
        if len(output) == 1 and len(inputs) == 1:
            return LinearConfig(units=output[0], bias_init=ZerosConfig()).model_copy(update=parts)
        if len(output) != 3 or len(inputs) != 3:
            raise MistakeError(path, f"(residual): no projection leads from {inputs} to {output}")
        stride = (-(-inputs[1] // output[1]), -(-inputs[2] // output[2]))
        conv = ConvConfig(channels=output[0], kernel=1, stride=stride).model_copy(update=parts)
        if conv.output(inputs, path) != output:
            raise MistakeError(path, f"(residual): no 1 x 1 stride leads from {inputs} to {output}")
        return conv

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        body = self._body(inputs, name, path)
        output = body[-1].output
        projection = self.projection(inputs, output, path)
        children = body
        if projection is not None:
            skip = projection.plan(inputs, f"{name}.skip", path)
            children = (*body, replace(skip, kind="projection"))
        activation = self.activation or IdentityConfig()
        own = {
            key.replace("_activation", ".activation"): shape
            for key, shape in activation_parameters(activation, name, output[0]).items()
        }
        parameters = {k: v for child in children for k, v in child.parameters.items()} | own
        return Plan(
            name=name,
            kind=self.kind,
            path=path,
            inputs=inputs,
            output=output,
            parameters=parameters,
            buffers={k: v for child in children for k, v in child.buffers.items()},
            flops=sum(child.flops for child in children),
            note="" if activation.kind == "identity" else activation.kind,
            children=children,
        )

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from torch import nn

        from nnlab.parts.containers import Residual

        body: dict[str, nn.Module] = {}
        plans = self._body(inputs, "", ())
        for placed, plan in zip(self._placed(()), plans, strict=True):
            for suffix, module in placed.config.build(plan.inputs).items():
                body[placed.name + suffix] = module
        projection = self.projection(inputs, plans[-1].output, ())
        modules = {"": nn.Identity()} if projection is None else projection.build(inputs)
        skip = {f"skip{suffix}": module for suffix, module in modules.items()}
        activation = (self.activation or IdentityConfig()).build_for(plans[-1].output[0])
        return {"": Residual(body, skip, activation)}

    def fills(self, inputs: Shape) -> Mapping[str, Fill]:
        plans = self._body(inputs, "", ())
        fills = {
            f"{placed.name}.{key}": fill
            for placed, plan in zip(self._placed(()), plans, strict=True)
            for key, fill in placed.config.fills(plan.inputs).items()
        }
        projection = self.projection(inputs, plans[-1].output, ())
        if projection is not None:
            fills |= {f"skip.{key}": fill for key, fill in projection.fills(inputs).items()}
        return fills
