"""Initializers with a structure: orthogonal, sparse, the identity, numbers written by hand."""

from collections.abc import Callable
from math import ceil, inf, sqrt
from typing import Annotated, Any, ClassVar, Literal, Self, cast, final

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt
from pydantic_core import PydanticCustomError

from nnlab.core.contracts import Shape
from nnlab.core.lazy import Generator, Tensor, init
from nnlab.parts.initializers.family import InitializerConfig


def _shape_of(values: Any) -> Shape | None:
    """The shape of numbers in lists, None if the lists are not of one length."""
    if not isinstance(values, tuple):
        return ()
    inner = {_shape_of(value) for value in cast("tuple[Any, ...]", values)}
    (shape,) = inner if len(inner) == 1 else (None,)
    return None if shape is None else (len(cast("tuple[Any, ...]", values)), *shape)


def _numbers(value: Any) -> Any:
    def plain(part: Any) -> bool:
        if isinstance(part, tuple):
            return all(map(plain, cast("tuple[Any, ...]", part)))
        return isinstance(part, int | float) and not isinstance(part, bool)

    if not isinstance(value, tuple) or not value or not plain(value) or _shape_of(value) is None:
        form = "numbers in lists of one length, such as [[0.1, 0.2], [0.3, 0.4]]"
        raise PydanticCustomError("form", "needs {needs}", {"needs": form, "names": []})
    return cast("tuple[Any, ...]", value)


_Written = BeforeValidator(_numbers, json_schema_input_type=list[Any])
Numbers = Annotated[Any, _Written, Field(title="numbers in lists")]


@final
class OrthogonalConfig(InitializerConfig, frozen=True):
    """gain times a random matrix with orthonormal rows or columns: keeps lengths.

    Saxe et al. 2013, arXiv:1312.6120. A conv weight is taken as (out, everything else).
    """

    kind: Literal["orthogonal"] = "orthogonal"
    gain: PositiveFloat = 1.0

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        init.orthogonal_(tensor, self.gain, generator=generator)


@final
class LsuvConfig(InitializerConfig, frozen=True):
    """Orthonormal, then scaled until the layer's outputs have variance 1 on training data.

    Layer-sequential unit variance: Mishkin & Matas 2015, arXiv:1511.06422, algorithm 1; over up to
    256 training rows, what comes in front of norm and activation.
    """

    kind: Literal["lsuv"] = "lsuv"
    tolerance: PositiveFloat = 0.1
    """How far from 1 the variance may stay."""
    trials: PositiveInt = 10
    """How often a layer is scaled at most; more than once only where it has biases."""
    calibrated: ClassVar[bool] = True

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        init.orthogonal_(tensor, generator=generator)

    def calibrate(self, weight: "Tensor", outputs: "Callable[[], Tensor]") -> None:
        for _ in range(self.trials):
            variance = outputs().var(correction=0).item()
            # Outputs that are all alike, or not finite, cannot be scaled to variance 1.
            if abs(variance - 1.0) < self.tolerance or not 0.0 < variance < inf:
                return
            weight.div_(sqrt(variance))


@final
class SparseConfig(InitializerConfig, frozen=True):
    """N(0, std^2) for a few inputs of each unit, 0 for the others. Martens 2010, section 5.

    "Deep learning via Hessian-free optimization". torch's sparse_ counts the zeros of each input
    instead, and draws from the default generator.
    """

    kind: Literal["sparse"] = "sparse"
    sparsity: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    std: PositiveFloat = 0.1

    def misfit(self, shape: Shape) -> str | None:
        return None if len(shape) == 2 else f"fills weights with two axes, this has {shape}"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        import torch

        init.normal_(tensor, 0.0, self.std, generator=generator)
        order = torch.rand(tensor.shape, generator=generator).argsort(dim=1)
        tensor.masked_fill_(order < ceil(self.sparsity * fan_in), 0.0)


@final
class IdentityMapConfig(InitializerConfig, frozen=True):
    """The identity matrix (1 on the diagonal): what comes in goes out."""

    kind: Literal["identity"] = "identity"

    def misfit(self, shape: Shape) -> str | None:
        return None if len(shape) == 2 else f"fills weights with two axes, this has {shape}"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        init.eye_(tensor)


@final
class DiracConfig(InitializerConfig, frozen=True):
    """1 in the middle of a filter, so that a convolution passes its channels on unchanged."""

    kind: Literal["dirac"] = "dirac"

    def misfit(self, shape: Shape) -> str | None:
        return None if len(shape) == 4 else f"fills filters with four axes, this has {shape}"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        init.dirac_(tensor)


@final
class GivenConfig(InitializerConfig, frozen=True):
    """The numbers that are written: a row for each unit, [[0.15, 0.20], [0.25, 0.30]]."""

    kind: Literal["given"] = "given"
    values: Numbers

    @classmethod
    def example(cls) -> Self:
        return cls(values=((0.15, 0.2), (0.25, 0.3)))

    def misfit(self, shape: Shape) -> str | None:
        found = _shape_of(self.values)
        return None if found == shape else f"gives {found} numbers, this layer has {shape}"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        import torch

        tensor.copy_(torch.tensor(self.values, dtype=tensor.dtype))


KINDS = (
    DiracConfig,
    GivenConfig,
    IdentityMapConfig,
    LsuvConfig,
    OrthogonalConfig,
    SparseConfig,
)
