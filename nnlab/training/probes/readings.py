"""What every number of a reading means: its formula, on which data, its unit, its source.

`nnlab menu readings` shows the table, TensorBoard the line of each curve, `expect:` takes what is
read. A key is the part before the slash, which stands in front of a layer, a parameter or `total`;
losses and scores are not here: their menus define them.

To add one: an entry of READINGS, with a function of what `measured.py` holds of a full probe.
"""

from array import array
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

from nnlab.core.contracts import Split
from nnlab.core.lazy import Tensor
from nnlab.training.probes.labels import GATES

if TYPE_CHECKING:
    from nnlab.training.probes.labels import Layers, Site
    from nnlab.training.probes.measured import Gradients, Matrices, Units

_WHOLE_RUN = {"learning_rate": "learning_rate", "samples_per_second": "speed/samples_per_second"}


def float32(value: float) -> float:
    """The nearest float32, as every sink stores it; infinite where it is too large for one."""
    return array("f", [value])[0]


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

Subject = Literal[
    "run",
    "parameter",
    "matrix",
    "preactivation",
    "activation",
    "bounded",
    "output",
    "recurrent",
    "recurrence",
    "gate",
    "attention",
    "head",
]
"""What a reading is a number of: the run, each parameter, each matrix, what comes into or out of
each activation, out of each that has bounds, what the network puts out, each recurrent layer, each
that is plain (rnn), each gate of the others, each layer of attention, each of its heads."""
Needs = Literal["gradient", "penalty", "clip_norm", "probabilities"]
"""What a run must have besides: a rule that follows a gradient, a regularization term, a limit of
the gradient, outputs that are probabilities of classes."""


@final
@dataclass(frozen=True, slots=True)
class Definition:
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
    of: Subject = "run"
    also: tuple[str, ...] = ()
    """Names behind the slash besides those of layers: total, output."""
    needs: tuple[Needs, ...] = ()
    chart: str = ""
    """Its title on TensorBoard's page of all layers; none is not there."""
    from_gradients: "Callable[[Gradients], Tensor | None] | None" = None
    """Of a full probe, (P,), one number for each matrix; None where there is nothing to measure."""
    from_weights: "Callable[[Matrices], Tensor | None] | None" = None
    """The same, after the update."""
    from_units: "Callable[[Units], Tensor | tuple[Tensor, Tensor]] | None" = None
    """Of what comes into or out of a layer, (); or how many units, and how many there are, so that
    layers can be added up to the total."""

    def fits(self, place: "Site") -> bool:
        """Whether it is read of what is seen there."""
        if self.of == "bounded":
            return place.role == "activation" and place.bounds is not None
        return self.of == place.role


_SPREAD = {
    "mean": ("mean over examples and units", "sum x / n"),
    "std": ("standard deviation over examples and units", "sqrt(sum (x - mean)^2 / n)"),
    "q05": ("5 % of the values lie below", "quantile 0.05 of x"),
    "q50": ("half of the values lie below", "quantile 0.5 of x"),
    "q95": ("95 % of the values lie below", "quantile 0.95 of x"),
}
_GLOROT = "Glorot & Bengio 2010"


def _part(name: str) -> "Callable[[Units], Tensor]":
    return lambda units: units.spread[name]


def _spread(role: Literal["preactivation", "activation"], what: str) -> dict[str, Definition]:
    return {
        f"{role}_{name}": Definition(
            f"{what}: {plain}",
            formula,
            "probe set",
            source=_GLOROT,
            card=name == "std",
            of=role,
            chart=_CHARTS[role] if name == "std" else "",
            from_units=_part(name),
        )
        for name, (plain, formula) in _SPREAD.items()
    }


_CHARTS = {
    "preactivation": "pre-activations: standard deviation",
    "activation": "activations: standard deviation",
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
        needs=("gradient", "penalty"),
    ),
    "clipped": Definition(
        "share of updates whose gradient was cut to clip_norm",
        "mean [|g| > clip_norm]",
        "window",
        source="Pascanu et al. 2013, arXiv:1211.5063",
        card=True,
        when="log.every",
        needs=("gradient", "clip_norm"),
    ),
    "grad_norm": Definition(
        "length of the gradient, before clipping",
        "|g|_2",
        "last batch",
        card=True,
        when="log.every",
        of="parameter",
        also=("total",),
        needs=("gradient",),
        chart="gradient norms",
    ),
    "grad_rms": Definition(
        "size of a gradient's entry, comparable between layers",
        "|g|_2 / sqrt(n)",
        "last batch",
        of="matrix",
        needs=("gradient",),
        from_gradients=lambda gradients: gradients.rms,
    ),
    "grad_agreement": Definition(
        "whether batches pull the same way: 1 all alike, 1/sqrt(M) only noise",
        "|mean g_i| / mean |g_i|, i = 1..M",
        "batches of the window",
        source="compare McCandlish et al. 2018, arXiv:1812.06162",
        of="matrix",
        needs=("gradient",),
        from_gradients=lambda gradients: gradients.agreement,
    ),
    "weight_norm": Definition(
        "length of the weights",
        "|w|_2",
        "weights",
        of="matrix",
        needs=("gradient",),
        from_weights=lambda weights: weights.norms,
    ),
    "distance": Definition(
        "how far the weights are from the first ones",
        "|w - w_0| / |w_0|",
        "weights",
        of="matrix",
        needs=("gradient",),
        from_weights=lambda weights: weights.distance,
    ),
    "unit_spread": Definition(
        "how much the weights of a layer's units differ; 0 where all units are one",
        "|W - mean of its rows|_F / |W|_F",
        "weights",
        source="Goodfellow et al. 2016, section 8.4",
        of="matrix",
        needs=("gradient",),
        from_weights=lambda weights: weights.spread,
    ),
    "update_ratio": Definition(
        "how much the last update changed the weights; near 1e-3 is usual",
        "|w' - w| / |w|",
        "weights",
        source="Bottou 2015, cited in Stanford's CS231n notes",
        card=True,
        of="matrix",
        needs=("gradient",),
        chart="update ratios",
        from_weights=lambda weights: weights.update_ratio,
    ),
    "update_angle": Definition(
        "how far the last update turned the weights",
        "angle between w and w'",
        "weights",
        "degrees",
        "Wan et al. 2021, arXiv:2006.08419",
        of="matrix",
        needs=("gradient",),
        from_weights=lambda weights: weights.update_angle,
    ),
    **_spread("preactivation", "what comes into the activation"),
    **_spread("activation", "what comes out of the activation"),
    "dead_units": Definition(
        "share of units that are 0 on every example",
        "mean over units [max |a| = 0]",
        "probe set",
        source="Maas et al. 2013",
        card=True,
        of="activation",
        also=("total",),
        chart="dead units",
        from_units=lambda units: units.dead,
    ),
    "dormant_units": Definition(
        "share of units that do next to nothing",
        "mean over units [E|a| <= 0.025 E|a| of the layer]",
        "probe set",
        source="Sokar et al. 2023, arXiv:2302.12902",
        of="activation",
        from_units=lambda units: units.dormant,
    ),
    "saturated": Definition(
        "share of activations within 2.5 % of a bound, where the slope is below a tenth",
        "mean [a near its low or high bound]",
        "probe set",
        source=_GLOROT,
        card=True,
        of="bounded",
        chart="saturated activations",
        from_units=lambda units: units.saturated,
    ),
    "sharpness": Definition(
        "curvature of the objective: above its edge the optimizer is unstable",
        "largest eigenvalue of the Hessian H, or of P^-1/2 H P^-1/2; edge 2/lr for sgd, "
        "2(1 + b)/lr with momentum b, 38/lr for Adam's preconditioned one",
        "training rows",
        source="Cohen et al. 2021, arXiv:2103.00065; 2022, arXiv:2207.14484",
        card=True,
        when="log.sharpness",
        also=("hessian", "preconditioned", "edge"),
        needs=("gradient",),
    ),
    "gradient_noise": Definition(
        "the batch size at which the gradient is as much noise as signal",
        "scale = tr(S) / |G|^2, from |g|^2 of batches and of their mean",
        "training rows",
        "examples",
        "McCandlish et al. 2018, arXiv:1812.06162, appendix A.1",
        card=True,
        when="log.noise_scale",
        also=("scale", "signal", "variance"),
        needs=("gradient",),
    ),
    "time_gradient": Definition(
        "how much of the gradient reaches the first step of a sequence: 1 all, 0 nothing",
        "|dL/ds_1| / |dL/ds_T|, s_t the state (lstm: cell) behind step t, L the loss at the end",
        "probe set",
        source="Bengio et al. 1994; Pascanu et al. 2013, arXiv:1211.5063",
        card=True,
        of="recurrent",
        needs=("gradient",),
    ),
    "gate_saturated": Definition(
        "share of a gate's values that are next to 0 or 1, where its slope is below a tenth",
        "mean [g < 0.025 or g > 0.975]",
        "probe set",
        source="Karpathy et al. 2015, arXiv:1506.02078, section 4.2",
        of="gate",
        needs=("gradient",),
    ),
    "spectral_radius": Definition(
        "how much a step of a plain recurrent layer can make of its state: below 1 it fades",
        "largest |eigenvalue| of weight_hh",
        "weights",
        source="Pascanu et al. 2013, arXiv:1211.5063, section 2.1",
        card=True,
        of="recurrence",
        needs=("gradient",),
    ),
    "attention_entropy": Definition(
        "how widely a head looks: 0 at one place alone, ln T at all T places alike",
        "-sum_s a_ts ln a_ts, a the softmax over places s, mean over examples and places t",
        "probe set",
        "nats",
        "Zhai et al. 2023, arXiv:2303.06296",
        card=True,
        of="head",
        needs=("gradient",),
    ),
    "attention_logit": Definition(
        "the largest logit of attention; training becomes unstable where it goes on growing",
        "max q_t k_s / sqrt(e)",
        "probe set",
        source="Dehghani et al. 2023, arXiv:2302.05442, section 2.1",
        card=True,
        of="attention",
        needs=("gradient",),
    ),
    "entropy": Definition(
        "how undecided the outputs are: ln K knows nothing, 0 is certain",
        "-sum p ln p, mean over examples",
        "probe set",
        "nats",
        card=True,
        of="output",
        also=("output",),
        needs=("probabilities",),
    ),
}
"""By the key before the slash."""


def reading_keys(
    layers: "Layers", *, when: "Collection[str]", has: "Collection[Needs]"
) -> list[str]:
    """The keys of a run's readings, but for losses and scores.

    Args:
        layers: of its network.
        when: the fields of the config that something is read by: log.every, log.probes.
        has: what the run has of all that a reading may need.
    """
    return [
        key
        for name, found in READINGS.items()
        if found.when in when and all(need in has for need in found.needs)
        for key in _keys(name, found, layers)
    ]


def _keys(name: str, found: Definition, layers: "Layers") -> list[str]:
    if found.from_units is not None:
        named = [place.key for place in layers.places.values() if found.fits(place)]
        return [f"{name}/{one}" for one in (*named, *found.also)] if named else []
    if found.of in ("recurrent", "recurrence", "gate"):
        kinds = layers.recurrent
        wanted = [key for key, kind in kinds.items() if found.of == "recurrent" or kind == "rnn"]
        if found.of == "gate":
            wanted = [f"{key}.{gate}" for key, kind in kinds.items() for gate in GATES[kind]]
        return [f"{name}/{one}" for one in wanted]
    if found.of in ("attention", "head"):
        if found.of == "attention":
            return [f"{name}/{key}" for key in layers.attention]
        return [
            f"{name}/{k}.head{n + 1}" for k, count in layers.attention.items() for n in range(count)
        ]
    if found.of == "parameter":
        named = [*layers.keys.values()]
    else:
        named = [each.key for each in layers.matrices] if found.of == "matrix" else []
    return [f"{name}/{one}" for one in (*named, *found.also)] or [name]


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
