"""What every number of a reading means: its formula, on which data, its unit, its source.

`nnlab menu readings` shows the table, TensorBoard the line of each curve. A key is the part before
the slash, which stands in front of a layer, a parameter or `total`; losses and scores are not here:
their menus define them.
"""

import ctypes
from collections.abc import Mapping
from typing import Literal, NamedTuple

from nnlab.core.contracts import Split

_WHOLE_RUN = {"learning_rate": "learning_rate", "samples_per_second": "speed/samples_per_second"}


def float32(value: float) -> float:
    """The nearest float32, as every sink stores it; infinite where it is too large for one."""
    return ctypes.c_float(value).value


def tag_of(key: str, split: Split) -> str:
    """TensorBoard's name of a reading's key: loss/train, learning_rate, grad_norm/total."""
    return key if "/" in key else _WHOLE_RUN.get(key, f"{key}/{split}")


MeasuredOn = Literal[
    "window",
    "last batch",
    "batches of the window",
    "weights",
    "probe set",
    "training rows",
    "clock",
]

DATA: Mapping[MeasuredOn, str] = {
    "window": "all examples since the reading before, in training mode",
    "last batch": "the batch of the window's last update, at the weights before it",
    "batches of the window": "up to four batches of the window, all at the weights before its last "
    "update",
    "weights": "the weights before and after the window's last update",
    "probe set": "up to 256 validation examples, the same for the whole run, at the weights after "
    "the update; batch statistics as in training, no dropout",
    "training rows": "training examples that stay the same for the whole run, at the weights after "
    "the update; no augmentation, no dropout",
    "clock": "time spent on updates alone",
}
"""On what a number is measured, in a sentence."""


SATURATED = 0.025
"""Of the range between an activation's bounds, the share next to each that counts as saturated.

There the slope of sigmoid and tanh is a tenth of its largest: 4 a (1 - a) <= 0.1.
"""


class Definition(NamedTuple):
    """One kind of number in a reading."""

    plain: str
    """What it says, in one line."""
    formula: str
    data: MeasuredOn
    unit: str = "1"
    source: str = ""
    card: bool = False
    """Whether TensorBoard shows it; all of them stand in metrics.jsonl."""
    when: str = "log.probes"
    """The field of the config that says when it is read; log.every: at each reading."""


_SPREAD = {
    "mean": ("mean over examples and units", "sum x / n"),
    "std": ("standard deviation over examples and units", "sqrt(sum (x - mean)^2 / n)"),
    "q05": ("5 % of the values lie below", "quantile 0.05 of x"),
    "q50": ("half of the values lie below", "quantile 0.5 of x"),
    "q95": ("95 % of the values lie below", "quantile 0.95 of x"),
}
_GLOROT = "Glorot & Bengio 2010"


def _spread(role: str, what: str) -> dict[str, Definition]:
    return {
        f"{role}_{name}": Definition(
            f"{what}: {plain}", formula, "probe set", source=_GLOROT, card=name == "std"
        )
        for name, (plain, formula) in _SPREAD.items()
    }


READINGS: Mapping[str, Definition] = {
    "learning_rate": Definition(
        "the rate of the last update", "lr * schedule(step)", "window", card=True, when="log.every"
    ),
    "samples_per_second": Definition(
        "training speed", "examples / seconds", "clock", "1/s", card=True, when="log.every"
    ),
    "penalty": Definition(
        "the regularization term of the objective",
        "l2 / 2 |w|_2^2 + l1 |w|_1",
        "window",
        card=True,
        when="log.every",
    ),
    "clipped": Definition(
        "share of updates whose gradient was cut to clip_norm",
        "mean [|g| > clip_norm]",
        "window",
        source="Pascanu et al. 2013, arXiv:1211.5063",
        card=True,
        when="log.every",
    ),
    "grad_norm": Definition(
        "length of the gradient, before clipping",
        "|g|_2",
        "last batch",
        card=True,
        when="log.every",
    ),
    "grad_rms": Definition(
        "size of a gradient's entry, comparable between layers", "|g|_2 / sqrt(n)", "last batch"
    ),
    "grad_agreement": Definition(
        "whether batches pull the same way: 1 all alike, 1/sqrt(M) only noise",
        "|mean g_i| / mean |g_i|, i = 1..M",
        "batches of the window",
        source="compare McCandlish et al. 2018, arXiv:1812.06162",
    ),
    "weight_norm": Definition("length of the weights", "|w|_2", "weights"),
    "distance": Definition(
        "how far the weights are from the first ones", "|w - w_0| / |w_0|", "weights"
    ),
    "update_ratio": Definition(
        "how much the last update changed the weights; near 1e-3 is usual",
        "|w' - w| / |w|",
        "weights",
        source="Bottou 2015, cited in Stanford's CS231n notes",
        card=True,
    ),
    "unit_spread": Definition(
        "how much the weights of a layer's units differ; 0 where all units are one",
        "|W - mean of its rows|_F / |W|_F",
        "weights",
        source="Goodfellow et al. 2016, section 8.4",
    ),
    "update_angle": Definition(
        "how far the last update turned the weights",
        "angle between w and w'",
        "weights",
        "degrees",
        "Wan et al. 2021, arXiv:2006.08419",
    ),
    **_spread("preactivation", "what comes into the activation"),
    **_spread("activation", "what comes out of the activation"),
    "dead_units": Definition(
        "share of units that are 0 on every example",
        "mean over units [max |a| = 0]",
        "probe set",
        source="Maas et al. 2013",
        card=True,
    ),
    "dormant_units": Definition(
        "share of units that do next to nothing",
        "mean over units [E|a| <= 0.025 E|a| of the layer]",
        "probe set",
        source="Sokar et al. 2023, arXiv:2302.12902",
    ),
    "saturated": Definition(
        "share of activations within 2.5 % of a bound, where the slope is below a tenth",
        "mean [a near its low or high bound]",
        "probe set",
        source=_GLOROT,
        card=True,
    ),
    "sharpness": Definition(
        "curvature of the objective: above its edge the optimizer is unstable",
        "largest eigenvalue of the Hessian H, or of P^-1/2 H P^-1/2; edge 2/lr for sgd, "
        "2(1 + b)/lr with momentum b, 38/lr for Adam's preconditioned one",
        "training rows",
        source="Cohen et al. 2021, arXiv:2103.00065; 2022, arXiv:2207.14484",
        card=True,
        when="log.sharpness",
    ),
    "gradient_noise": Definition(
        "the batch size at which the gradient is as much noise as signal",
        "scale = tr(S) / |G|^2, from |g|^2 of batches and of their mean",
        "training rows",
        "examples",
        "McCandlish et al. 2018, arXiv:1812.06162, appendix A.1",
        card=True,
        when="log.noise_scale",
    ),
    "entropy": Definition(
        "how undecided the outputs are: ln K knows nothing, 0 is certain",
        "-sum p ln p, mean over examples",
        "probe set",
        "nats",
        card=True,
    ),
}
"""By the key before the slash."""


def reading_definition(key: str) -> Definition | None:
    """The meaning of a reading's key (`dead_units/00_hidden1`), or None for losses and scores."""
    return READINGS.get(key.partition("/")[0])


def describe_reading(key: str) -> str:
    """A sentence or two for a person: what it says, the formula, on which data."""
    found = reading_definition(key)
    if found is None:
        return ""
    unit = "" if found.unit == "1" else f", in {found.unit}"
    source = f" {found.source}." if found.source else ""
    return f"{found.plain}: {found.formula}{unit}. Measured on {DATA[found.data]}.{source}"
