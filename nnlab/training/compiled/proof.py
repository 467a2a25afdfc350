"""A built step proves itself: one update beside the eager one, on the same state.

What records and builds without complaint may still die in its first call, or compute something
else. So nothing that was built is trusted before it has made the update that torch makes operation
by operation; where it has not, the run goes on eagerly and says why.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from nnlab.training.eager_step import EagerStep
from nnlab.training.probes.gradients import tensor_norms
from nnlab.training.probes.no_trace import kept_generators

SHARE = 0.05
"""Of its own change, what a tensor may be off. Sums in another order are off by millionths, and
Newton-Schulz in bfloat16 by a hundredth; a wrong formula or a wrong gradient by much more."""
LOW_SHARE = 0.5
"""The same where products are computed in bfloat16: an entry whose gradient is near 0 moves by the
sign of what is rounded."""
NOISE = 1e-5
"""A gradient below this share of the whole one is rounding, which adaptive rates blow up: a bias
before a batch norm."""
LOW_NOISE = 0.05
"""The same in bfloat16, which has two digits."""
FLIPS = 2.0
"""So much may be added to a score by examples whose outputs are equal but for rounding."""


@contextmanager
def as_before(eager: EagerStep) -> Generator[None]:
    """Inside, updates without their `finish` can be tried; afterwards the state is as it was.

    Tensors keep their places in memory, which a captured graph has written down.
    """
    tensors = eager.tensors()
    values = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    memory = {p: dict(state) for p, state in eager.optimizer.state.items()}
    counts = eager.window.examples, eager.window.batches
    with kept_generators():
        try:
            yield
        finally:
            eager.optimizer.zero_grad(set_to_none=True)
            eager.window.waiting.clear()
            with torch.no_grad():
                for name, tensor in tensors.items():
                    tensor.copy_(values[name])
            for parameter, state in memory.items():
                eager.optimizer.state[parameter] = state
            eager.window.examples, eager.window.batches = counts


def find_fault(eager: EagerStep, rows: Tensor, call: Callable[[], Tensor]) -> str:
    """What is wrong with a built step, as a phrase; the empty word where it makes the same update.

    Args:
        eager: what was built; its optimizer has made an update, so that its state is there.
        rows: (N,) of a whole batch.
        call: makes the update of these rows with what was built, all but `finish`, and gives the
            gradient norms (P,) before clipping.
    """
    start = _copies(eager)
    with as_before(eager):
        norms = tensor_norms(eager.gradients(rows)).float()
        eager.clip()
        eager.descend()
        expected = {**_copies(eager), "norms": norms}
    # Norms are of this update alone: the whole of them is what has changed.
    start["norms"] = torch.zeros_like(norms)
    with as_before(eager):
        try:
            found = {"norms": call().detach().float().clone(), **_copies(eager)}
        except Exception as error:  # whatever machine code and its loader raise
            return f"fails at its first call ({first_line(error)})"
    return _difference(eager, start, expected, found)


def first_line(error: Exception) -> str:
    """Kind and first line of an error of torch's, whose whole text is a page."""
    first = (str(error).splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {first}"


def _copies(eager: EagerStep) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in eager.tensors().items()}


def _difference(
    eager: EagerStep,
    start: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
) -> str:
    """Where the built update is another one than the eager one; the empty word for nowhere."""
    norms = expected["norms"]
    least = LOW_NOISE if eager.lower_precision else NOISE
    small = (norms <= least * torch.linalg.vector_norm(norms)).tolist()
    names = [name for name, _ in eager.network.named_parameters()]
    noise = {name for name, is_small in zip(names, small, strict=True) if is_small}
    share = LOW_SHARE if eager.lower_precision else SHARE
    for name, right in expected.items():
        if _parameter_of(name) in noise or not torch.isfinite(right).all():
            continue
        off, moved, rounding = _distances(start[name], right, found[name])
        if name == "window/sums":
            rounding += FLIPS
        # Not `off >`: with a NaN in what was found every comparison is false.
        if not off <= share * moved + rounding:
            what = name.removeprefix("model/").replace("window/sums", "the sum of the losses")
            by = f"{off / moved:.2g} of its change" if moved else f"{off:.2g}"
            return f"makes another update: {what} is off by {by}"
    return ""


def _distances(start: Tensor, right: Tensor, found: Tensor) -> tuple[float, float, float]:
    """How far the found one is from the right one, how far that has moved, and its rounding."""
    # In float64 the difference of near equals has all its digits; counts are compared alike.
    a, b, c = (tensor.double() for tensor in (start, right, found))
    eps = torch.finfo(right.dtype).eps if right.is_floating_point() else 0.0
    off, moved, size = (float(torch.linalg.vector_norm(x)) for x in (c - b, b - a, b))
    return off, moved, 100.0 * eps * size


def _parameter_of(name: str) -> str:
    """The parameter that a tensor of the step is of: model/<name>, optimizer/<name>/<key>."""
    kind, _, rest = name.partition("/")
    return rest.rpartition("/")[0] if kind == "optimizer" else rest
