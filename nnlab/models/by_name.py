"""What a shorthand says of single layers: `layers: {hidden1: {activation: tanh}}`."""

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from nnlab.core.errors import MistakeError
from nnlab.core.kinds import Config
from nnlab.parts.activations import Activation
from nnlab.parts.initializers import BiasInitializer
from nnlab.parts.layers.family import Defaults, LayerConfig, Placed, name_layers
from nnlab.parts.layers.weighted import AutoInit, Probability, WeightedConfig, settled_init
from nnlab.parts.norms import Norm


class OwnConfig(Config, frozen=True):
    """What one layer has of its own; null is what the model says for all."""

    activation: Activation | None = None
    init: AutoInit | None = None
    bias: bool | None = None
    bias_init: BiasInitializer | None = None
    norm: Norm | None = None
    dropout: Probability | None = None

    def onto(self, layer: LayerConfig) -> LayerConfig:
        """The layer with what is its own."""
        return layer.model_copy(update={key: getattr(self, key) for key in self.keys()})

    def keys(self) -> tuple[str, ...]:
        """What is said."""
        return tuple(key for key in type(self).model_fields if getattr(self, key) is not None)


def _mapping(value: object) -> object:
    if isinstance(value, tuple | int):
        text = "needs what single layers have of their own, such as {hidden1: {init: zeros}}"
        raise PydanticCustomError("value", f"{text} (sizes are written in hidden or dense)")
    return value


ByName = Annotated[
    dict[str, OwnConfig],
    BeforeValidator(_mapping, json_schema_input_type=dict[str, OwnConfig]),
]
"""Layer name -> what it has of its own."""


def written_layers(
    layers: Iterable[LayerConfig], own: Mapping[str, OwnConfig]
) -> tuple[LayerConfig, ...]:
    """Layers with what is their own, as a stack would have them."""
    layers = tuple(layers)
    names = [p.name for p in name_layers(layers, ((),) * len(layers))]
    return tuple(
        own[name].onto(layer) if name in own else layer
        for name, layer in zip(names, layers, strict=True)
    )


def settle_layers(
    placed: Iterable[Placed], own: Mapping[str, OwnConfig], defaults: Defaults
) -> tuple[Placed, ...]:
    """Layers with what is their own, and the model's word for the rest.

    Raises:
        MistakeError: for a name that no layer with weights has.
    """
    placed = tuple(placed)
    names = [p.name for p in placed if isinstance(p.config, WeightedConfig)]
    for name in own:
        if name not in names:
            raise MistakeError(("model", "layers", name), _unknown(name, names), at_key=True)
    return tuple(
        p._replace(
            config=(own[p.name].onto(p.config) if p.name in own else p.config).settled(defaults),
            own=own[p.name].keys() if p.name in own else (),
        )
        for p in placed
    )


def _unknown(name: str, names: list[str]) -> str:
    if name == "output":
        return "is written model.output"
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"there is no such layer with weights (there are {shown or 'none'})"


def resolve_autos(own: Mapping[str, OwnConfig], defaults: Defaults) -> dict[str, OwnConfig]:
    """Layers with every `auto` spelled out, by the activation that the layer has."""
    return {
        name: one.model_copy(
            update={
                "init": settled_init(
                    one.init or defaults.init, one.activation or defaults.activation
                )
            }
        )
        for name, one in own.items()
    }
