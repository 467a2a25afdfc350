"""The family of optimizers: learning rate, weight decay, and groups of parameters of their own."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat

from nnlab.core.contracts import Shape
from nnlab.core.errors import Mistake
from nnlab.core.kinds import Config, Kind
from nnlab.core.lazy import lazy, spare_compiler
from nnlab.parts.optimizers.naming import fits, index_of

if TYPE_CHECKING:
    import torch
    from torch.nn import Parameter
else:
    torch = lazy("torch")

BetaFraction = Annotated[float, Field(ge=0.0, lt=1.0)]
"""A decay rate of a running mean: 0 forgets at once."""

Named = Sequence[tuple[str, "Parameter"]]

_SHOWN = 12
"""How many names an error lists."""


class At(NamedTuple):
    """Where one parameter stands before an update."""

    w: "torch.Tensor"
    g: "torch.Tensor"
    """The gradient, in the shape of w."""
    state: "Mapping[str, torch.Tensor]"
    """What the optimizer remembers, by its own keys; counts are 0-dim tensors."""
    lr: "torch.Tensor"
    """0-dim float64, on w's device."""
    weight_decay: "float | torch.Tensor"
    """0 where none falls; a compiled step has the others as 0-dim tensors."""


Updated = tuple["torch.Tensor", dict[str, "torch.Tensor"]]
"""The new w, and what is new of its state."""


class OptimizerConfig(Kind, frozen=True):
    """The family of optimizers.

    Attributes:
        lr: the base learning rate; a schedule multiplies it.
        closure: whether an update evaluates the loss several times, on the same rows.
        follows_lr: whether every update reads the learning rate, so that a schedule has an effect.
        tuned: fields that are numbers, or pairs of them, and that `updated` may meet as 0-dim
            tensors: so that a compiled step is not built anew for another number. A 0 stays a 0,
            as formulas leave out what it is a factor of.
    """

    lr: PositiveFloat
    closure: ClassVar[bool] = False
    follows_lr: ClassVar[bool] = True
    tuned: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def build(self, parameters: Named, *, lr: "float | torch.Tensor") -> "torch.optim.Optimizer":
        """The optimizer.

        Args:
            parameters: names and parameters, at least one, on one device.
            lr: the learning rate; a 0-dim tensor can be changed in place between updates. Float64
                on the CPU gives the bits of a float; on CUDA, where the kernel reads it, float32.
        """

    @abstractmethod
    def mistakes(self, parameters: Mapping[str, Shape]) -> list[Mistake]:
        """What does not fit a network with these parameters; paths start below `optimizer`."""

    def edge(self, lr: float) -> float | None:
        """The curvature above which it is unstable on a quadratic function at this rate.

        Of the Hessian, or where `scales` are given of the preconditioned one. Default: not known.
        """
        return None

    def scales(self, state: "Mapping[str, torch.Tensor]") -> "torch.Tensor | None":
        """What the update divides a gradient by, from a parameter's state. Default: nothing."""
        return None

    def updated(self, at: At) -> Updated | None:
        """One update as a formula without side effects, for a step that is compiled.

        Gives what the optimizer of `build` gives from its second update on, when all of its state
        is there. Default: None, it is no such formula.
        """
        return None

    @abstractmethod
    def state_size(self, parameters: Mapping[str, Shape]) -> int:
        """How many numbers are kept for these parameters, besides single ones such as counts."""

    def tuned_numbers(self) -> list[float]:
        """The numbers of `tuned` that are not 0, one after the other."""
        return [number for name in self.tuned for number in _flat(getattr(self, name)) if number]

    def tuned_by(self, numbers: "Sequence[torch.Tensor]") -> Self:
        """This config with 0-dim tensors in the place of `tuned_numbers`, for `updated` alone."""
        given = iter(numbers)
        taken: dict[str, object] = {}
        for name in self.tuned:
            value = getattr(self, name)
            each = tuple(next(given) if number else number for number in _flat(value))
            taken[name] = each if isinstance(value, tuple) else each[0]
        return self.model_copy(update=taken)


def _flat(value: float | tuple[float, ...]) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)


class ParameterGroupConfig(Config, frozen=True):
    """What differs for some parameters."""

    lr: NonNegativeFloat | None = None
    """The base rate, which the schedule multiplies too; 0 freezes the parameters."""
    weight_decay: NonNegativeFloat | None = None
    """Falls on what `decay` says, and on a parameter that is named in full."""


class GroupedConfig(OptimizerConfig, frozen=True):
    """An optimizer with a rate for each group of parameters.

    Attributes:
        groups: a layer (hidden1, its norm included), a parameter (output.bias) or a pattern (conv*)
            -> what differs; where several fit, the last that says something counts.
        layerwise: what share of the rate of the layer behind it each layer has.
        fused_on: the device types on which torch has all of an update in one kernel.
        capturable_on: those on which the plain kernels read the state back unless told not to.
        on_host: what of a parameter's state torch keeps on the CPU where kernels are neither.
    """

    groups: dict[str, ParameterGroupConfig] = Field(default_factory=dict[str, ParameterGroupConfig])
    layerwise: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Each layer has this share of the rate of the one behind it, the last one all of `lr`: what
    was learned elsewhere moves less the earlier it stands. A residual block is one layer, a norm
    belongs to the layer before it; `groups` come first. Howard & Ruder 2018, arXiv:1801.06146,
    section 3.1 (they take 1 / 2.6)."""
    fused_on: ClassVar[tuple[str, ...]] = ()
    capturable_on: ClassVar[tuple[str, ...]] = ()
    on_host: ClassVar[tuple[str, ...]] = ("step",)

    @property
    def lr_in_tensor(self) -> bool:
        """Whether the update reads a 0-dim tensor of the learning rate without a host read.

        Holds where torch has the fused kernel. After `build`, `group["lr"]` is the tensor there,
        and a float, to be set before an update, elsewhere.
        """
        return bool(self.fused_on)

    def build(self, parameters: Named, *, lr: "float | torch.Tensor") -> "torch.optim.Optimizer":
        """With one group of parameters for each learning rate and each weight decay.

        Frozen parameters are in none: they ask for no gradient and keep no state.
        """
        spare_compiler()
        kinds = {p.device.type for _, p in parameters}
        how = {"fused": True} if kinds <= set(self.fused_on) else {"foreach": True}
        if kinds <= set(self.capturable_on):
            how["capturable"] = True
        rate = lr if "fused" in how else float(lr)
        return self._torch(self._grouped(parameters, rate), lr=rate, how=how)

    def _grouped(self, parameters: Named, lr: "float | torch.Tensor") -> list[dict[str, Any]]:
        groups: dict[tuple[float | None, float | None], list[tuple[str, Parameter]]] = {}
        shares = self.layer_shares({name: tuple(p.shape) for name, p in parameters})
        for name, parameter in parameters:
            own = self._said(name, "lr")
            if own is None and shares[name] != 1.0:
                own = self.lr * shares[name]
            if own == 0.0:
                parameter.requires_grad_(False)
                continue
            key = (own, self._decay_of(name, tuple(parameter.shape)))
            groups.setdefault(key, []).append((name, parameter))
        made: list[dict[str, Any]] = []
        for (own, decay), members in groups.items():
            group: dict[str, Any] = {"params": members, "on_host": self.on_host}
            if own is not None:
                # What a schedule makes of the base rate, it makes of this one too: `fill_rates`.
                group |= {"own_lr": own, "base_lr": self.lr}
                group["lr"] = torch.full_like(lr, own) if isinstance(lr, torch.Tensor) else own
            made.append(group if decay is None else {**group, "weight_decay": decay})
        return made

    def layer_shares(self, parameters: Mapping[str, Shape]) -> dict[str, float]:
        """Of `lr`, what each parameter has by its layer's place.

        Args:
            parameters: from the network's input to its output. A layer is what stands before the
                first dot of a name; one without a matrix of weights, such as a norm, belongs to
                the one before it.
        """
        heads = {name: name.partition(".")[0] for name in parameters}
        weighted = {heads[name] for name, shape in parameters.items() if len(shape) >= 2}
        order = list(dict.fromkeys(heads.values()))
        numbers = dict(zip(order, accumulate(head in weighted for head in order), strict=True))
        # A norm before all layers belongs to the first one.
        last = max(numbers.values(), default=0)
        return {
            name: self.layerwise ** (last - max(numbers[head], 1)) if last else 1.0
            for name, head in heads.items()
        }

    def _said(self, name: str, field: Literal["lr", "weight_decay"]) -> float | None:
        """What the last fitting group says of a parameter."""
        if not self.groups:
            return None
        fitting = (g for pattern, g in self.groups.items() if fits(pattern, name))
        said = [value for g in fitting if (value := getattr(g, field)) is not None]
        return said[-1] if said else None

    def mistakes(self, parameters: Mapping[str, Shape]) -> list[Mistake]:
        """Groups that are nobody's, and nothing left to train."""
        index = index_of(parameters)
        names = ", ".join([*parameters][:_SHOWN]) + (", ..." if len(parameters) > _SHOWN else "")
        wrong = [
            Mistake(("groups", pattern), f"fits no parameter (there are {names})", at_key=True)
            for pattern in self.groups
            if not index.meant_by(pattern)
        ]
        if "weight_decay" not in type(self).model_fields:
            wrong += [
                Mistake(("groups", pattern, "weight_decay"), f"{self.kind} knows none (remove it)")
                for pattern, group in self.groups.items()
                if group.weight_decay is not None
            ]
        trained = [*self.trained(parameters)]
        if not trained:
            wrong.append(Mistake(("groups",), "lr 0 for every parameter leaves nothing to train"))
        return wrong + self._unfit(trained, parameters)

    def _unfit(self, trained: Sequence[str], parameters: Mapping[str, Shape]) -> list[Mistake]:
        """What else a kind has against what it is to train. Default: nothing."""
        return []

    def trained(self, parameters: Mapping[str, Shape]) -> Iterator[str]:
        """The names of those whose rate is not 0."""
        if not self.groups:
            return iter(parameters)
        index, said = index_of(parameters), dict[str, float]()
        for pattern, group in self.groups.items():
            if group.lr is not None:
                said |= dict.fromkeys(index.meant_by(pattern), group.lr)
        return (name for name in parameters if said.get(name) != 0.0)

    def state_size(self, parameters: Mapping[str, Shape]) -> int:
        """Of the parameters that are trained."""
        return sum(self._slots(name, parameters[name]) for name in self.trained(parameters))

    @abstractmethod
    def _decay_of(self, name: str, shape: Shape) -> float | None:
        """The weight decay of a parameter; None for an optimizer that knows none."""

    @abstractmethod
    def _slots(self, name: str, shape: Shape) -> int:
        """How many numbers are kept for a parameter."""

    @abstractmethod
    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        """The optimizer over these groups of named parameters; `how` chooses its kernels."""


class DecayingConfig(GroupedConfig, frozen=True):
    """An optimizer that can pull weights towards 0.

    Attributes:
        weight_decay: pulls weights towards 0; each kind says how.
        decay: what it falls on: parameters with two axes or more, or biases and norms too.
        decoupled: whether it shrinks the weights themselves, apart from the gradient.
    """

    decoupled: ClassVar[bool] = False
    weight_decay: NonNegativeFloat = 0.0
    decay: Literal["weights", "all"] = "weights"

    def _decay_of(self, name: str, shape: Shape) -> float | None:
        falls = self.decay == "all" or len(shape) >= 2 or name in self.groups
        own = self._said(name, "weight_decay") if falls else None
        if own is not None:
            return own
        return self.weight_decay if self.decay == "all" or len(shape) >= 2 else 0.0

    def _decayed(
        self, at: At, *, decoupled: bool | None = None
    ) -> "tuple[torch.Tensor, torch.Tensor]":
        """W and g once the weight decay has fallen on one of them."""
        if not given(at.weight_decay):
            return at.w, at.g
        if self.decoupled if decoupled is None else decoupled:
            return at.w * (1 - at.lr * at.weight_decay), at.g
        (decay,) = scalars_of(at.w, at.weight_decay)
        return at.w, at.g + decay * at.w


def scalar_once(*numbers: "torch.Tensor") -> "tuple[torch.Tensor, ...]":
    """Numbers, () each, computed once for a parameter and not for each of its weights.

    The stack makes them memory. torch's compiler would fold them into the loop over the weights:
    the powers of Adam's corrections were two fifths of a compiled update of 784-256-128-10.
    """
    return torch.stack(numbers).unbind()


def given(number: "float | torch.Tensor") -> bool:
    """Whether there is something to compute with: a tensor is never asked what it holds."""
    return isinstance(number, torch.Tensor) or number != 0


def scalars_of(
    like: "torch.Tensor", *numbers: "float | torch.Tensor"
) -> "tuple[float | torch.Tensor, ...]":
    """Numbers as factors of a tensor: those that are tensors in its precision.

    Args:
        like: what they will be multiplied with.
        numbers: plain ones stay what they are; differences such as 1 - b2 come computed, as they
            would lose digits in the precision of `like`.
    """
    return tuple(n.to(like.dtype) if isinstance(n, torch.Tensor) else n for n in numbers)


def numel_of(shape: Shape) -> int:
    """How many numbers a parameter is."""
    return prod(shape)
