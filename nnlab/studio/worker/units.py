"""What each unit does: its map of the inputs, its activation, and the gradient that reaches it."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn

from nnlab.core.contracts import Batch, LossFn
from nnlab.display.pictures.family import Scene
from nnlab.studio.worker.columns import MOST_UNITS, UnitColumn
from nnlab.training.probes.labels import Site
from nnlab.training.probes.no_trace import kept_modes
from nnlab.training.window import flat_places

SIDE = 16
"""Points along each axis of a unit's map."""
_LARGEST = 32
"""Of a channel's map so many places along each axis are shown."""
MIDDLE = 127
"""The byte that stands for 0 in a map: 0 is as far below as 254 is above."""


@final
class UnitMaps:
    """Looks at the units of the columns.

    Args:
        scene: the network and how to look into it.
        columns: with the inputs first.
        loss: of each example.
        points: (N, *inputs) at which the units are asked; None asks at an example.
    """

    def __init__(
        self, scene: Scene, columns: Sequence[UnitColumn], loss: LossFn, points: Tensor | None
    ) -> None:
        self._scene = scene
        self._loss = loss
        self._points = points
        self._numbers = {column.key: n for n, column in enumerate(columns) if column.key}

    @torch.no_grad()
    def maps(self, example: Tensor) -> dict[str, Tensor]:
        """u1, u2, ...: (units, rows, columns) bytes, or (units,) numbers; u0 of an image, itself.

        Args:
            example: (1, *inputs), which is asked about where there are no points.
        """
        seen: dict[int, Tensor] = {}

        def tap(site: Site, x: Tensor) -> None:
            # What comes last of a layer stays: behind its activation.
            if (number := self._numbers.get(site.key)) is not None:
                seen[number] = x[:, :MOST_UNITS].float()

        with self._scene.sight.open(tap):
            self._scene.outputs(example if self._points is None else self._points)
        if self._points is None and example.ndim == 4:
            seen[0] = example.float()
        shape = (1, 0) if self._points is None else _shape(self._points)
        return {f"u{number}": _shown(x, shape) for number, x in sorted(seen.items())}

    def deltas(self, batch: Batch) -> tuple[dict[str, Tensor], float]:
        """g1, g2, ...: (units,), what of the gradient reaches each unit; and the mean loss.

        That is the root of the mean square, over the examples of the batch, of the derivative of
        an example's loss by what comes into the unit's activation. Running statistics and random
        streams stay as they are; there is no dropout, and an example alone, which has no statistics
        of its own, is normalized by the running ones.
        """
        seen: dict[int, Tensor] = {}

        def tap(site: Site, x: Tensor) -> None:
            number = self._numbers.get(site.key)
            if number is not None and number not in seen and x.requires_grad:
                seen[number] = x

        scene = self._scene
        # Not by `Forward`, which puts running statistics back before the gradient has used them.
        alone = len(batch.inputs) == 1
        mode = _evaluating(scene.network) if alone else scene.sight.still()
        with torch.enable_grad(), mode, scene.sight.open(tap, whole=True):
            losses = self._loss(flat_places(scene.network(batch.inputs)), batch)
            asked = list(seen.values())
            found: Any = ()
            if asked:
                found = torch.autograd.grad(losses.sum(), asked, allow_unused=True)
        gradients = {n: g for n, g in zip(seen, found, strict=True) if g is not None}
        return {f"g{n}": _lengths(g) for n, g in sorted(gradients.items())}, losses.mean().item()


@contextmanager
def _evaluating(network: nn.Module) -> Generator[None]:
    with kept_modes(network):
        network.eval()
        yield


def _lengths(gradient: Tensor) -> Tensor:
    """(units,) of (N, units) or (N, units, ...)."""
    others = [axis for axis in range(gradient.ndim) if axis != 1]
    return gradient.float().square().mean(others).sqrt()[:MOST_UNITS]


def _shape(points: Tensor) -> tuple[int, int]:
    """Rows and columns of a map: of points of the plane a square, of a line one row."""
    return (SIDE, SIDE) if points.shape[1] == 2 else (1, len(points))


def _shown(x: Tensor, shape: tuple[int, int]) -> Tensor:
    """Bytes of what (N, units) or (1, units, rows, columns) say, or the numbers themselves."""
    if x.ndim == 4:
        stride = -(-max(x.shape[2:]) // _LARGEST)
        return as_bytes(x[0, :, ::stride, ::stride])
    if x.ndim != 2 or len(x) == 1:
        return x[0].reshape(len(x[0]), -1).mean(1)
    return as_bytes(x.T.reshape(-1, *shape))


def as_bytes(x: Tensor) -> Tensor:
    """Numbers as bytes on one scale for all: `MIDDLE` is 0."""
    most = x.abs().amax().clamp(min=1e-12)
    return (MIDDLE + MIDDLE * (x / most)).clamp(0, 2 * MIDDLE).byte()


def host(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the host: they stay what they are while training goes on."""
    return {name: x.detach().to("cpu", copy=True).contiguous() for name, x in arrays.items()}
