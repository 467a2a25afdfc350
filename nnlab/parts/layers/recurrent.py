"""Recurrent layers: a state that is carried from one step of a sequence to the next.

To add one: write a class with its gates, its formula in `recurrent_modules.py`, and name it at the
foot of this file.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self, final

from pydantic import Field, PositiveInt

from nnlab.core.contracts import Plan, Seen, Shape
from nnlab.core.errors import MistakeError, Path
from nnlab.core.lazy import Generator, Tensor, nn
from nnlab.parts.initializers import Initializer
from nnlab.parts.initializers.family import InitializerConfig
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.initializers.scaled import XavierUniformConfig
from nnlab.parts.initializers.structured import OrthogonalConfig
from nnlab.parts.layers.family import Defaults, Fill, LayerConfig
from nnlab.parts.layers.weighted import Probability


@final
class _EachGate(InitializerConfig, frozen=True):
    """Fills the rows of every gate by themselves, as if they were a weight of their own."""

    kind: Literal["each_gate"] = "each_gate"
    inner: InitializerConfig
    gates: int

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        for rows in tensor.chunk(self.gates):
            self.inner.fill(rows, fan_in=fan_in, fan_out=fan_out, gain=gain, generator=generator)


@final
class _OneGate(InitializerConfig, frozen=True):
    """One gate's biases begin with a number, those of the others with 0."""

    kind: Literal["one_gate"] = "one_gate"
    number: float
    gate: int
    gates: int

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        tensor.zero_()
        tensor.chunk(self.gates)[self.gate].fill_(self.number)


class RecurrentConfig(LayerConfig, frozen=True):
    """The family of recurrent layers: (time, features) to (time, units).

    Parameters are called, shaped and ordered as in torch.nn: weight_ih (gates * units, features),
    weight_hh (gates * units, units), bias_ih and bias_hh; those that read the sequence from its end
    have `_reverse` behind their name.

    Attributes:
        gates: how many numbers each unit computes at a step.
    """

    gates: ClassVar[int]

    units: PositiveInt = 64
    """Numbers of the state, which is what goes out at each step."""
    bidirectional: bool = False
    """Reads the sequence from its end too; each unit is there twice."""
    dropout: Probability | None = None
    """A share of what goes out, the same units at every step. Gal & Ghahramani 2016."""
    init: Initializer = Field(default_factory=XavierUniformConfig)
    """Of the weights that see the inputs, gate by gate."""
    recurrent_init: Initializer = Field(default_factory=OrthogonalConfig)
    """Of the weights that see the state, gate by gate; orthogonal keeps its length. Saxe 2013."""

    @property
    @abstractmethod
    def bias_start(self) -> InitializerConfig:
        """How bias_ih begins; bias_hh begins with 0."""

    @property
    def directions(self) -> tuple[str, ...]:
        """What stands behind the parameters' names, for each direction."""
        return ("", "_reverse") if self.bidirectional else ("",)

    @property
    def looks_ahead(self) -> str:
        return "remove bidirectional" if self.bidirectional else ""

    def settled(self, defaults: Defaults) -> Self:
        if self.dropout is not None:
            return self
        return self.model_copy(update={"dropout": defaults.dropout})

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        if len(inputs) != 2:
            text = f"({self.kind}): needs a sequence (time, features), gets {inputs}"
            raise MistakeError(path, f"{text} (tokens need an embedding before)")
        time, features = inputs
        for field, width in (("init", features), ("recurrent_init", self.units)):
            if why := getattr(self, field).misfit((self.units, width)):
                raise MistakeError((*path, field), why)
        rows = self.gates * self.units
        parameters: dict[str, Shape] = {}
        for end in self.directions:
            parameters |= {
                f"{name}.weight_ih{end}": (rows, features),
                f"{name}.weight_hh{end}": (rows, self.units),
                f"{name}.bias_ih{end}": (rows,),
                f"{name}.bias_hh{end}": (rows,),
            }
        sides = len(self.directions)
        words = ("both directions" if self.bidirectional else "", self.recurrent_init.kind)
        return Plan(
            name=name,
            kind=self.kind,
            path=path,
            inputs=inputs,
            output=(time, sides * self.units),
            parameters=parameters,
            flops=2 * sides * time * rows * (features + self.units),
            note=", ".join(word for word in words if word),
        )

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.layers.recurrent_modules import Recurrent
        from nnlab.parts.modules import TimeDropout

        module = Recurrent(
            self.kind, inputs[1], self.units, self.gates, bidirectional=self.bidirectional
        )
        modules: dict[str, nn.Module] = {"": module}
        if self.dropout:
            modules["_dropout"] = TimeDropout(self.dropout)
        return modules

    def seen(self, name: str) -> tuple[Seen, ...]:
        return (Seen(name, None, name, (-1.0, 1.0)),)

    def fills(self, inputs: Shape) -> Mapping[str, Fill]:
        width, fills = inputs[1], dict[str, Fill]()
        for end in self.directions:
            first = _EachGate(inner=self.init, gates=self.gates)
            second = _EachGate(inner=self.recurrent_init, gates=self.gates)
            fills |= {
                f"weight_ih{end}": Fill(first, width, self.units, 1.0),
                f"weight_hh{end}": Fill(second, self.units, self.units, 1.0),
                f"bias_ih{end}": Fill(self.bias_start, width, self.units, 1.0),
                f"bias_hh{end}": Fill(ZerosConfig(), width, self.units, 1.0),
            }
        return fills


@final
class RnnLayerConfig(RecurrentConfig, frozen=True):
    """h_t = tanh(W x_t + b + U h_(t-1) + c): the plain recurrent layer. Elman 1990.

    Its gradient through time is a product of as many Jacobians as there are steps, which shrinks or
    grows exponentially. Bengio et al. 1994.
    """

    kind: Literal["rnn"] = "rnn"
    gates: ClassVar[int] = 1

    @property
    def bias_start(self) -> InitializerConfig:
        return ZerosConfig()


@final
class LstmLayerConfig(RecurrentConfig, frozen=True):
    """A cell c_t = f c_(t-1) + i g beside the state h_t = o tanh(c_t), with gates i, f and o.

    i, f, o = sigmoid and g = tanh of W x_t + b + U h_(t-1) + c. Hochreiter & Schmidhuber 1997; the
    forget gate f: Gers et al. 2000. Where f is near 1 the gradient passes the step undiminished.
    """

    kind: Literal["lstm"] = "lstm"
    gates: ClassVar[int] = 4
    forget_bias: Annotated[float, Field(ge=-10.0, le=10.0)] = 1.0
    """The forget gates' biases begin with it: the cell remembers. Jozefowicz et al. 2015."""

    @property
    def bias_start(self) -> InitializerConfig:
        return _OneGate(number=self.forget_bias, gate=1, gates=self.gates)


@final
class GruLayerConfig(RecurrentConfig, frozen=True):
    """h_t = (1 - z) n + z h_(t-1), with update gate z and reset gate r; no cell.

    r, z = sigmoid(W x_t + b + U h_(t-1) + c), n = tanh(W x_t + b + r (U h_(t-1) + c)), as in torch
    and cuDNN. Cho et al. 2014, arXiv:1406.1078.
    """

    kind: Literal["gru"] = "gru"
    gates: ClassVar[int] = 3

    @property
    def bias_start(self) -> InitializerConfig:
        return ZerosConfig()


KINDS = (GruLayerConfig, LstmLayerConfig, RnnLayerConfig)
