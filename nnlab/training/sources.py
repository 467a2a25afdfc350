"""Where batches come from: here all rows lie on the device; `streams` reads them as needed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, final, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from nnlab.core.contracts import Batch, Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray


class RowSource(Protocol):
    """Gives the batch of any rows, scaled."""

    def gather(self, rows: Tensor) -> Batch:
        """Inputs (N, *shape), scaled, and targets of the rows of these numbers, (N,) int64."""
        ...

    def announce(self, batches: Sequence[Tensor]) -> None:
        """Says which rows will be gathered next, in order, so that they can be read ahead.

        It is these tensors themselves that are to be asked for.
        """
        ...

    def close(self) -> None:
        """Ends what reads ahead; it begins anew where something is announced again."""
        ...


@runtime_checkable
class HeldSource(RowSource, Protocol):
    """A source whose rows lie on the device, so that a compiled step gathers them itself."""

    def tensors(self) -> dict[str, Tensor]:
        """What `gather` reads, by name."""
        ...


@final
class ResidentSource:
    """All rows lie on the device as they are stored (uint8 for images); scaling happens there."""

    def __init__(self, examples: Examples, *, device: torch.device, dtype: torch.dtype) -> None:
        assert isinstance(examples.inputs, np.ndarray)
        self._inputs = _tensor(examples.inputs).to(device)
        self._targets = targets_of(examples, dtype).to(device)
        self._scale = RowScale(examples, device=device, dtype=dtype)
        self._places = bool(examples.shape.places)

    def gather(self, rows: Tensor) -> Batch:
        """Inputs (N, *shape), scaled, and targets of the rows of these numbers, (N,) int64."""
        inputs = self._scale(self._inputs.index_select(0, rows))
        targets = self._targets.index_select(0, rows)
        return Batch(inputs, targets.reshape(-1) if self._places else targets, rows)

    def announce(self, batches: Sequence[Tensor]) -> None:
        """Nothing is read ahead: all is there."""

    def close(self) -> None:
        """Nothing was begun."""

    def tensors(self) -> dict[str, Tensor]:
        """What `gather` reads, by name."""
        scale = {"factor": self._scale.factor, "shift": self._scale.shift}
        held = {"inputs": self._inputs, "targets": self._targets, **scale}
        return {name: tensor for name, tensor in held.items() if tensor is not None}


@final
class WindowSource:
    """Rows are windows over a series that lies on the device once, as it is stored."""

    def __init__(self, examples: Examples, *, device: torch.device, dtype: torch.dtype) -> None:
        windows = examples.windows
        assert windows is not None
        self._series = _tensor(windows.series).to(device)
        self._targets = _tensor(windows.targets).to(device)
        self._stride, self._offset = windows.stride, windows.offset
        self._steps = torch.arange(windows.length, device=device)
        self._ahead = torch.arange(windows.count, device=device) + windows.offset
        self._relative = windows.relative
        self._scale = RowScale(examples, device=device, dtype=dtype)
        self._places = bool(examples.shape.places)
        self._dtype = dtype
        scale = examples.target_scale
        self._unit = None
        if scale is not None:
            self._unit = tuple(torch.tensor(part, dtype=dtype, device=device) for part in scale)

    def gather(self, rows: Tensor) -> Batch:
        """Inputs (N, window, ...), scaled, and targets of these windows, (N,) int64 numbers."""
        starts = (rows * self._stride)[:, None]
        inputs = self._scale(self._series[starts + self._steps])
        targets = self._targets[starts + self._ahead]
        if self._places:
            # Tokens lie in the smallest type that holds them, and a loss wants int64.
            return Batch(inputs, targets.reshape(-1).long(), rows)
        if self._relative:
            targets = targets - self._targets[starts + self._steps[-1:]]
        targets = targets.to(self._dtype)
        if self._unit is not None:
            mean, deviation = self._unit
            targets = (targets - mean) / deviation
        return Batch(inputs, targets, rows)

    def announce(self, batches: Sequence[Tensor]) -> None:
        """Nothing is read ahead: all is there."""

    def close(self) -> None:
        """Nothing was begun."""

    def tensors(self) -> dict[str, Tensor]:
        """What `gather` reads, by name."""
        held = {
            "series": self._series,
            "targets": self._targets,
            "steps": self._steps,
            "ahead": self._ahead,
            "factor": self._scale.factor,
            "shift": self._scale.shift,
            **dict(zip(("mean", "deviation"), self._unit or (), strict=False)),
        }
        return {name: tensor for name, tensor in held.items() if tensor is not None}


@final
class RowScale:
    """(x - shift) * factor, without the subtraction where there is nothing to subtract.

    Tokens stay what they are, whole numbers.
    """

    def __init__(self, examples: Examples, *, device: torch.device, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._tokens = examples.shape.tokens > 0
        self.shift = _tensor(examples.shift).to(device, dtype) if examples.shift.any() else None
        self.factor = _tensor(examples.factor).to(device, dtype)

    def __call__(self, stored: Tensor) -> Tensor:
        """(N, *shape) as stored to (N, *shape) in the run's precision."""
        if self._tokens:
            return stored.long()
        inputs = stored.to(self._dtype)
        if self.shift is None:
            return inputs * self.factor
        return (inputs - self.shift) * self.factor


def _tensor(array: "NDArray[np.generic]") -> Tensor:
    # A memory-mapped cache is read-only, which torch warns about.
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def targets_of(examples: Examples, dtype: torch.dtype) -> Tensor:
    """(N,) int64 class numbers, or (N, K) in the run's precision and `data.scale_target`."""
    targets = _tensor(examples.targets)
    if examples.shape.task == "classes":
        return targets
    if examples.target_scale is None:
        return targets.to(dtype)
    # Targets far from 0 stay in float64 until here; a mean in float32 would be beside theirs.
    exact = torch.float64 if targets.dtype == torch.float64 else torch.float32
    mean, deviation = (torch.tensor(part, dtype=exact).double() for part in examples.target_scale)
    return ((targets.double() - mean) / deviation).to(dtype)
