"""The residual block: a list of layers and a way around them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, Self, final

from pydantic import Field

from nnlab.core.contracts import Plan, Seen, Shape
from nnlab.core.errors import MistakeError, Path
from nnlab.core.lazy import nn
from nnlab.parts.activations import Activation
from nnlab.parts.activations.textbook import IdentityConfig
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.layers import AnyLayer
from nnlab.parts.layers.family import (
    Defaults,
    Fill,
    LayerConfig,
    Placed,
    name_layers,
    planned_once,
    settled_by,
)
from nnlab.parts.layers.norm_layers import NormLayerConfig
from nnlab.parts.layers.skips import padded_skip, projection_skip
from nnlab.parts.layers.weighted import (
    AutoInit,
    ConvConfig,
    WeightedConfig,
    check_sequence_activation,
    settled_init,
    units_of,
)
from nnlab.parts.norms import NoNormConfig, Norm


@final
class ResidualConfig(LayerConfig, frozen=True):
    """activation(layers(x) + skip(x)): the gradient has a way around. He 2015, arXiv:1512.03385.

    Where layers end without an activation of their own, the block's is the one that follows them:
    `init: auto` and the he kinds go by it.
    """

    kind: Literal["residual"] = "residual"
    layers: Annotated[tuple[AnyLayer, ...], Field(min_length=1, max_length=1000)]
    skip: Literal["auto", "identity", "projection", "pad"] = "auto"
    """projection: 1 x 1 conv (option B); pad: every stride-th pixel, zeros as new channels (A)."""
    activation: Activation | None = None
    norm: Norm | None = None
    """Of the projection."""
    init: AutoInit | None = None
    """Of the projection."""
    zero_init: bool = False
    """true: the last norm begins as 0, the block as its skip. Goyal 2017, arXiv:1706.02677, 5.1."""

    @classmethod
    def example(cls) -> Self:
        return cls(layers=(ConvConfig(channels=1, padding="same"),))

    @property
    def stem(self) -> str:
        return "block"

    @property
    def looks_ahead(self) -> str:
        return next((way for layer in self.layers if (way := layer.looks_ahead)), "")

    def settled(self, defaults: Defaults) -> Self:
        activation = self.activation or defaults.activation
        *first, last = self.layers
        if _is_open(last, defaults):
            assert isinstance(last, WeightedConfig)
            init = settled_init(last.init or defaults.init, activation)
            last = last.model_copy(update={"init": init})
        return self.model_copy(
            update={
                "layers": settled_by((*first, last), defaults),
                "activation": activation,
                "norm": self.norm or defaults.norm,
                "init": settled_init(self.init or defaults.init, activation),
            }
        )

    def inside(self) -> tuple[Placed, ...]:
        return self._placed(())

    def _placed(self, path: Path) -> tuple[Placed, ...]:
        paths = tuple((*path, "layers", index) for index in range(len(self.layers)))
        return name_layers(self.layers, paths)

    def _body(self, inputs: Shape, name: str, path: Path) -> tuple[Plan, ...]:
        plans: list[Plan] = []
        for placed in self._placed(path):
            shape = plans[-1].output if plans else inputs
            full = f"{name}.{placed.name}"
            plans.append(planned_once(placed.config, shape, full, placed.path))
        return tuple(plans)

    def _skip(self, inputs: Shape, output: Shape, path: Path) -> LayerConfig | None:
        """The layer around the block; None for the identity."""
        if self.skip == "identity" and inputs != output:
            text = f"(residual): the skip is the identity, but {inputs} becomes {output}"
            raise MistakeError(path, f"{text} (use skip: projection)")
        if self.skip != "projection" and inputs == output:
            return None
        if self.skip == "pad":
            return padded_skip(inputs, output, path)
        init = settled_init(self.init or "auto", self.activation or IdentityConfig())
        norm = self.norm or NoNormConfig()
        return projection_skip(inputs, output, path, norm=norm, init=init)

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        body = self._body(inputs, name, path)
        output = body[-1].output
        self._check_zero_init(path)
        skip = self._skip(inputs, output, path)
        children = body
        if skip is not None:
            around = skip.plan(inputs, f"{name}.skip", path)
            kind = around.kind if self.skip == "pad" else "projection"
            children = (*body, replace(around, kind=kind))
        activation = self.activation or IdentityConfig()
        if len(output) == 2:
            check_sequence_activation(activation, (*path, "activation"))
        own = {
            key.replace("_activation", ".activation"): shape
            for key, shape in activation.parameters_behind(name, units_of(output)).items()
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
        skip = self._skip(inputs, plans[-1].output, ())
        around = {"": nn.Identity()} if skip is None else skip.build(inputs)
        named = {f"skip{suffix}": module for suffix, module in around.items()}
        activation = (self.activation or IdentityConfig()).build_for(units_of(plans[-1].output))
        return {"": Residual(body, named, activation)}

    def seen(self, name: str) -> tuple[Seen, ...]:
        inner = [s.under(name) for p in self._placed(()) for s in p.config.seen(p.name)]
        bounds = (self.activation or IdentityConfig()).bounds
        # What its activation gets is a sum that no module puts out.
        return (*inner, Seen(name, None, name, bounds))

    def fills(self, inputs: Shape) -> Mapping[str, Fill]:
        plans = self._body(inputs, "", ())
        gain = (self.activation or IdentityConfig()).gain
        fills: dict[str, Fill] = {}
        for placed, plan in zip(self._placed(()), plans, strict=True):
            inner = placed.config.fills(plan.inputs)
            if plan is plans[-1] and _is_open(placed.config):
                inner = _followed(inner, gain)
            fills |= {f"{placed.name}.{key}": fill for key, fill in inner.items()}
        skip = self._skip(inputs, plans[-1].output, ())
        if skip is not None:
            inner = _followed(skip.fills(inputs), gain)
            fills |= {f"skip.{key}": fill for key, fill in inner.items()}
        if self.zero_init:
            last = self._placed(())[-1]
            suffix = "_norm" if isinstance(last.config, WeightedConfig) else ""
            fills[f"{last.name}{suffix}.weight"] = Fill(ZerosConfig(), 1, 1, 1.0)
        return fills

    def _check_zero_init(self, path: Path) -> None:
        last = self.layers[-1]
        norm = last.norm if isinstance(last, WeightedConfig | NormLayerConfig) else None
        if self.zero_init and (norm is None or norm.kind == "none"):
            text = "needs a norm in the last layer of the block, whose weight begins as 0"
            raise MistakeError((*path, "zero_init"), f"{text} (write norm: batch there)")


def _is_open(layer: LayerConfig, defaults: Defaults | None = None) -> bool:
    """Whether no activation of its own follows a layer with weights."""
    if not isinstance(layer, WeightedConfig):
        return False
    activation = layer.activation or (defaults.activation if defaults else IdentityConfig())
    return activation.kind == "identity"


def _followed(fills: Mapping[str, Fill], gain: float) -> dict[str, Fill]:
    """Fills of weights that an activation of this gain follows."""
    return {k: f._replace(gain=gain) if k == "weight" else f for k, f in fills.items()}


KINDS = (ResidualConfig,)
