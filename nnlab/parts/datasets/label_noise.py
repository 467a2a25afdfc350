"""Label noise: a share of the training labels, and of no others, made wrong on purpose."""

from typing import Annotated, Literal

from pydantic import Field

from nnlab.core.kinds import Config, Forms
from nnlab.core.lazy import Ints, np
from nnlab.core.seeds import seed_for

_Share = Annotated[float, Field(ge=0.0, le=1.0)]


class LabelNoise(Config, frozen=True):
    """Which share of the training labels is replaced, and by what.

    uniform: by any other class, each as likely; at share 1 by any class at all, so that the labels
    say nothing of the inputs (Zhang et al. 2016, arXiv:1611.03530). flip: by the next class, as in
    a mistake that people make again and again (Patrini et al. 2016, arXiv:1609.03683).
    """

    share: _Share
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    kind: Literal["uniform", "flip"] = "uniform"


Noise = Annotated[_Share | LabelNoise, Forms()]


def noise_of(written: float | LabelNoise) -> LabelNoise | None:
    """What was written in full; None for no noise."""
    if isinstance(written, LabelNoise):
        return written if written.share > 0.0 else None
    return LabelNoise(share=written) if written > 0.0 else None


def add_label_noise(targets: "Ints", rows: "Ints", noise: LabelNoise, *, classes: int) -> "Ints":
    """A copy of the targets, with the share of these rows replaced.

    It draws raw 64-bit words of PCG64 by the rows' places in the table: NumPy promises that stream
    for ever.

    Args:
        targets: (N,) class numbers.
        rows: of the training split.
        noise: how.
        classes: how many there are.
    """
    words = np.random.PCG64(seed_for(noise.seed, "label_noise")).random_raw(2 * len(targets))
    order, draws = words[: len(targets)], words[len(targets) :]
    chosen = rows[np.argsort(order[rows], kind="stable")[: round(noise.share * len(rows))]]
    if noise.kind == "flip":
        replaced = (targets[chosen] + 1) % classes
    elif noise.share == 1.0:
        replaced = (draws[chosen] % np.uint64(classes)).astype(np.int64)
    else:
        away = (draws[chosen] % np.uint64(classes - 1)).astype(np.int64) + 1
        replaced = (targets[chosen] + away) % classes
    result = targets.copy()
    result[chosen] = replaced
    return result
