"""What every model says of itself: its hidden layers. The output layer follows."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from nnlab.core.contracts import DataShape, Examples, PaddedShape, Plan, Seen, Shape, TokenShape
from nnlab.core.errors import MistakeError, Path
from nnlab.core.kinds import Config, Forms, Kind
from nnlab.core.lazy import nn
from nnlab.parts.activations import Activation
from nnlab.parts.activations.textbook import IdentityConfig, SigmoidConfig, SoftmaxConfig
from nnlab.parts.initializers import BiasInitializer
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.layers.family import Defaults, LayerConfig, Placed, planned_once
from nnlab.parts.layers.weighted import AutoInit, LinearConfig, settled_init
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.norms import NoNormConfig
from nnlab.training.probes.labels import Layers, layers_of, matrices

if TYPE_CHECKING:
    from nnlab.models.stack import StackConfig

MAX_PARAMETERS = 10**10

OUTPUT_SENTENCE = (
    "the output layer is not written: its size follows from the data and its form from the loss"
)

LINKS = {"softmax": SoftmaxConfig, "sigmoid": SigmoidConfig, "identity": IdentityConfig}


class OutputConfig(Config, frozen=True):
    """The output layer: its size follows from the data, its activation is the loss's link."""

    activation: Annotated[Literal["auto"] | Activation, Forms()] = "auto"
    bias: bool = True
    init: AutoInit = "auto"
    bias_init: BiasInitializer = ZerosConfig()
    tie: bool = False
    """true: its weights are those of the embedding. Press & Wolf 2016, arXiv:1608.05859."""


class BeginConfig(Config, frozen=True):
    """Where first weights come from: a safetensors file, a run, or a name of what is here."""

    weights: str | None = None
    """A safetensors file; nnlab import-weights makes one of a .pth."""
    run: str | None = None
    """A run, whose best checkpoint is meant."""
    name: str | None = None
    """Such as torchvision/vgg16 or timm/resnet18.tv_in1k: a file in the data folder, or in the
    cache of the Hugging Face Hub. Nothing is downloaded."""
    layers: tuple[str, ...] = ("*",)
    """Layers or patterns that are taken; others begin by their initializers."""
    rename: dict[str, str] = Field(default_factory=dict[str, str])
    """A name in the file, or the beginning of one up to a dot -> what it is called here."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("weights", "run", "name") if getattr(self, name) is not None]
        if len(given) != 1:
            text = f"needs one of weights, run and name, got {' and '.join(given) or 'none'}"
            raise PydanticCustomError("value", "{text}", {"text": text})
        if self.run == "last":
            # What is trained must not hang on what was trained before it.
            text = "run: last is another run tomorrow (write its name, such as mnist-cnn/3)"
            raise PydanticCustomError("value", "{text}", {"text": text})
        return self

    def found_from(self, find: Callable[[str], object]) -> Self:
        """With the whole path of a file, wherever the config will lie."""
        return (
            self
            if self.weights is None
            else self.model_copy(update={"weights": str(find(self.weights))})
        )


if TYPE_CHECKING:
    _Begun = Kind
else:
    # `from` is a word of Python's: a class body cannot say it.
    _Begun = create_model(
        "_Begun",
        __base__=Kind,
        __module__=__name__,
        __cls_kwargs__={"frozen": True},
        **{"from": (Annotated[str | BeginConfig | None, Forms()], None)},
    )
    _Begun.__doc__ = """What begins.

    Attributes:
        from: first weights in place of an initializer: a safetensors file, or {run: ...},
            {name: ...}, with layers and rename.
    """


class ModelConfig(_Begun, frozen=True):
    """The family of models."""

    learns: ClassVar[bool] = True
    """Whether it has parameters that a rule could change."""
    looks_at_inputs: ClassVar[bool] = False
    """Whether `check` may refuse data, so that they are worth a look before training."""

    output: OutputConfig = OutputConfig()
    """The output layer; its size follows from the data, its activation from the loss."""
    freeze: Annotated[tuple[str, ...], Field(max_length=1000)] = ()
    """Layers (conv1), parameters (conv1.bias) or patterns (conv*) that stay as they begin; their
    batch norms use the running statistics. train.unfreeze ends it for some of them."""

    @property
    def begin(self) -> BeginConfig | None:
        """Where first weights come from (`from` in YAML); None where initializers draw them."""
        written = getattr(self, "from")
        return BeginConfig(weights=written) if isinstance(written, str) else written

    @abstractmethod
    def hidden_layers(self, inputs: Shape) -> tuple[Placed, ...]:
        """The layers before the output layer, settled and named, for examples of this shape."""

    def settled_for(self, data: DataShape) -> Self:
        """The model with what follows from the data decided. Default: nothing does."""
        return self

    def expanded(self, inputs: Shape) -> "StackConfig":
        """This network as a stack: same names, same first weights. Default: there is none.

        Raises:
            MistakeError: if it is not a list of layers, or cannot take such inputs.
        """
        raise MistakeError(("model",), f"({self.kind}): cannot be written as a stack of layers")

    def whole(self, data: DataShape) -> tuple[Placed, ...] | None:
        """All layers, for a network that has no output layer of the usual form. Default: None.

        Raises:
            MistakeError: if the network cannot learn from such data.
        """
        return None

    def designed(self, data: DataShape, loss: LossConfig) -> "Design | None":
        """The design of a network that is no list of layers of ours. Default: None.

        Raises:
            MistakeError: if it cannot learn from such data by such a loss.
        """
        return None

    @property
    def own_loss(self) -> LossConfig | None:
        """What is read as loss where the model says it; `replaces` says so. Default: None."""
        return None

    def check(self, examples: Examples) -> None:
        """Refuses data that the network is not meant for. Default: it takes all.

        Raises:
            DataError: saying what it needs.
        """

    def remarks(self, data: DataShape) -> tuple[str, ...]:
        """What `show` should say of the network besides its layers, line by line. Default: ()."""
        return ()

    def resolved(self) -> Self:
        """The model with every `auto` of its hidden layers spelled out."""
        return self


def _seen(placed: Placed, plan: Plan) -> tuple[Seen, ...]:
    found = placed.config.seen(placed.name)
    return found or ((Seen(placed.name, placed.name, None, None),) if matrices([plan]) else ())


@dataclass(frozen=True)
class Design:
    """A network before it is built.

    Attributes:
        inputs: shape of one example.
        placed: all layers, the output layer last.
        plans: the plan of each.
        module: a network of the user's own, which takes the place of all layers; None for ours.
        dissected: which layers it has.
        output: what the output layer took for each `auto`; None where the network has none of the
            usual form.
    """

    inputs: Shape
    placed: tuple[Placed, ...]
    plans: tuple[Plan, ...]
    module: "nn.Module | None" = None
    dissected: Layers | None = None
    output: OutputConfig | None = None

    @cached_property
    def parameters(self) -> int:
        """How many weights and biases."""
        return sum([plan.tally.parameters for plan in self.plans])

    @cached_property
    def weighted(self) -> int:
        """How many layers with weights."""
        return sum([plan.tally.weighted for plan in self.plans])

    @property
    def layers(self) -> Layers:
        """Which of its layers can be seen; one that says nothing of it, where it puts out."""
        if self.dissected is not None:
            return replace(self.dissected, plans=self.plans)
        pairs = zip(self.placed, self.plans, strict=True)
        return layers_of(self.plans, [s for placed, plan in pairs for s in _seen(placed, plan)])

    @property
    def flops(self) -> int:
        """Of a forward pass for one example."""
        return sum(plan.flops for plan in self.plans)


def resolve_output(output: OutputConfig, loss: LossConfig) -> OutputConfig:
    """The output layer with its `auto`s spelled out: the loss's canonical link.

    Raises:
        MistakeError: if the loss cannot take this activation's outputs.
    """
    written = output.activation
    activation = LINKS[loss.link]() if isinstance(written, str) else written
    if loss.links is not None and activation.kind not in loss.links:
        text = f"{loss.kind} takes {' or '.join(loss.links)}, got {activation.kind}"
        way = "mse and quadratic take any activation"
        raise MistakeError(("model", "output", "activation"), f"{text} ({way})")
    return output.model_copy(
        update={"activation": activation, "init": settled_init(output.init, activation)}
    )


def design_network(model: ModelConfig, data: DataShape, loss: LossConfig) -> Design:
    """Plans the whole network: hidden layers, then the output layer.

    Raises:
        MistakeError: if a layer does not fit behind the one before.
    """
    if (own := model.designed(data, loss)) is not None:
        if isinstance(data.inputs, PaddedShape):
            raise MistakeError(("data", "lengths"), f"{_DIFFERENT} (write the network as layers)")
        return replace(own, output=resolve_output(model.output, loss))
    if (layers := model.whole(data)) is not None:
        return _whole(model, layers, data)
    if data.start:
        text = f"{model.kind} cannot stand on a surface, whose network is a point"
        raise MistakeError(("model",), f"{text} (write model: point)")
    output, units = resolve_output(model.output, loss), loss.outputs(data)
    assert not isinstance(output.activation, str)
    hidden = model.hidden_layers(data.inputs)
    _refuse_written_output(hidden, units)
    _refuse_a_look_ahead(hidden, data)
    _refuse_padding(hidden, data)
    plans: list[Plan] = []
    for placed in hidden:
        shape = plans[-1].output if plans else data.inputs
        plans.append(_planned(placed, shape))
    shape = plans[-1].output if plans else data.inputs
    _check_end(shape, data, hidden[-1].path if hidden else ("model",))
    # Log-softmax and log-sigmoid are exact on logits: such a loss applies its link itself.
    activation = IdentityConfig() if loss.link_inside else output.activation
    settled = output.model_copy(update={"activation": activation})
    last = _tied if output.tie else _linear
    placed = Placed("output", last(settled, units, hidden), ("model", "output"))
    plans.append(_planned(placed, shape))
    if output.tie:
        _check_tie(plans)
    network = Design(data.inputs, (*hidden, placed), tuple(plans), output=output)
    if network.parameters > MAX_PARAMETERS:
        largest = max(plans, key=lambda plan: plan.tally.parameters)
        text = f"{network.parameters:,} parameters are more than the limit of {MAX_PARAMETERS:,}"
        raise MistakeError(largest.path, f"{text} ({largest.tally.parameters:,} of them here)")
    return network


def _check_end(shape: Shape, data: DataShape, path: Path) -> None:
    """What comes into the output layer has as many places as the data have answers.

    Raises:
        MistakeError: if not.
    """
    if isinstance(shape, TokenShape):
        raise MistakeError(path, "tokens are names, not numbers (put an embedding before)")
    if data.places:
        if len(shape) == 2 and shape[:1] == data.places:
            return
        text = f"the targets are {data.places[0]} of each example, one at every step"
        raise MistakeError(path, f"{text}, and {shape} comes out (keep the sequence)")
    if len(shape) != 1:
        ways = "last or mean_time" if len(shape) == 2 else "flatten or global_pool"
        text = f"the output layer needs a flat input, gets {shape}"
        raise MistakeError(path, f"{text} (put {ways} behind this)")


def _linear(output: OutputConfig, units: int, hidden: tuple[Placed, ...]) -> LayerConfig:  # noqa: ARG001
    assert not isinstance(output.activation, str)
    said = Defaults(NoNormConfig(), output.activation, output.init, output.bias_init, dropout=0.0)
    return LinearConfig(units=units, bias=output.bias).settled(said)


def _tied(output: OutputConfig, units: int, hidden: tuple[Placed, ...]) -> LayerConfig:
    """The output layer that has the weights of the embedding.

    Raises:
        MistakeError: if there is none, or its activation is no matter of the loss.
    """
    from nnlab.parts.layers.sequence import EmbeddingConfig, TiedConfig

    path = ("model", "output", "tie")
    if not hidden or not isinstance(hidden[0].config, EmbeddingConfig):
        raise MistakeError(path, "has an embedding's weights, and there is none first (remove it)")
    assert not isinstance(output.activation, str)
    if output.activation.kind != "identity":
        raise MistakeError(path, f"gives logits, not {output.activation.kind} (remove it)")
    return TiedConfig(units=units, bias=output.bias, bias_init=output.bias_init)


def _check_tie(plans: list[Plan]) -> None:
    """Refuses a tied output layer whose weights would have another shape.

    Raises:
        MistakeError: if the embedding's weights do not fit.
    """
    first, last = plans[0], plans[-1]
    have, needs = first.parameters[f"{first.name}.weight"], (*last.output[-1:], *last.inputs[-1:])
    if have != needs:
        text = f"the embedding's weights are {have}, the output needs {needs}"
        raise MistakeError(("model", "output", "tie"), f"{text} (remove tie)")


def _refuse_a_look_ahead(hidden: tuple[Placed, ...], data: DataShape) -> None:
    """Where each step has a target, a layer that sees later steps reads it off the next input."""
    if not data.places:
        return
    for placed in hidden:
        if way := placed.config.looks_ahead:
            text = "sees the steps behind the one whose target it is to tell"
            raise MistakeError(placed.path, f"({placed.config.kind}): {text} ({way})")


_DIFFERENT = "different is what only recurrent layers know to go on with, behind `masking`"
_BY_STEP = ("activation", "dropout", "layer_norm", "linear", "rms_norm")
"""Layers that make of a step something that hangs on it alone."""


def _refuse_padding(hidden: tuple[Placed, ...], data: DataShape) -> None:
    """Where sequences end at different steps, no layer may count those that are not there."""
    if not isinstance(data.inputs, PaddedShape):
        return
    if not hidden or hidden[0].config.kind != "masking":
        path = hidden[0].path if hidden else ("model",)
        text = "sequences end at different steps, and NaN stands behind the last"
        raise MistakeError(path, f"{text} (model: rnn, lstm or gru; a stack has masking first)")
    from nnlab.parts.layers.recurrent import RecurrentConfig

    for placed in hidden[1:]:
        layer = placed.config
        if layer.kind in ("last", "mean_time"):
            return
        norm = getattr(getattr(layer, "norm", None), "kind", "none")
        known = layer.kind in _BY_STEP or isinstance(layer, RecurrentConfig)
        plain = known and norm in ("none", "layer", "rms")
        if not plain or getattr(layer, "bidirectional", False):
            what = " bidirectional" if getattr(layer, "bidirectional", False) else ""
            text = f"({layer.kind}):{what} would count steps that are not there"
            raise MistakeError(placed.path, f"{text} (rnn, lstm, gru or linear; then last)")


def _whole(model: ModelConfig, layers: tuple[Placed, ...], data: DataShape) -> Design:
    """The design of a network without the usual output layer."""
    if model.output != OutputConfig():
        text = f"{model.kind} has no output layer whose form could be chosen (remove it)"
        raise MistakeError(("model", "output"), text)
    plans: list[Plan] = []
    for placed in layers:
        plans.append(_planned(placed, plans[-1].output if plans else data.inputs))
    return Design(data.inputs, layers, tuple(plans))


def _planned(placed: Placed, inputs: Shape) -> Plan:
    try:
        return planned_once(placed.config, inputs, placed.name, placed.path)
    except MistakeError as error:
        if placed.path[:2] == ("model", "layers"):
            raise
        # A layer of a shorthand has no keys of its own that an error could point at.
        key = error.mistake.path[-1]
        path = placed.path
        if key in placed.own:
            path = ("model", "layers", placed.name, key)
        elif key in ("init", "bias_init"):
            path = (*path, key) if path == ("model", "output") else ("model", key)
        raise MistakeError(path, error.mistake.text) from None


def _refuse_written_output(hidden: tuple[Placed, ...], outputs: int) -> None:
    if not hidden or hidden[-1].path[:2] != ("model", "layers"):
        return
    last, path = hidden[-1].config, hidden[-1].path
    if not isinstance(last, LinearConfig) or last.units != outputs:
        return
    if last.activation is None or last.activation.kind == "identity":
        text = f"(linear): looks like the output layer, and {OUTPUT_SENTENCE} (remove it)"
        raise MistakeError(path, text)
