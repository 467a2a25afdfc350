"""One layer of attention worked through: by hand, by autograd, by finite differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnlab.commands.backprop.attention import (
    AttentionBack,
    AttentionLayer,
    AttentionThere,
    attend,
    attend_back,
    softmax_jacobian,
)
from nnlab.commands.backprop.proof import ENTRIES, LIMIT, STEP, relative_error
from nnlab.commands.backprop.worksheet import tensor_lines
from nnlab.core.contracts import Batch
from nnlab.core.errors import MistakeError
from nnlab.core.text import render_text, text_grid
from nnlab.experiment.experiment import Experiment
from nnlab.models.network import build_network
from nnlab.parts.layers.attention_modules import Attention
from nnlab.training.window import flat_places

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AttentionSheet:
    """One example worked through the first layer of attention.

    Attributes:
        name: of the layer.
        layer: its weights.
        there: what it computes.
        back: the gradients by hand.
        loss: of the whole network.
        errors: parameter -> relative errors against autograd and against differences.
    """

    name: str
    layer: AttentionLayer
    there: AttentionThere
    back: AttentionBack
    loss: float
    errors: Mapping[str, tuple[float, float]]

    @property
    def worst(self) -> float:
        """The largest relative error; NaN if one is not a number."""
        return float(np.max([error for pair in self.errors.values() for error in pair]))

    @property
    def agrees(self) -> bool:
        """Whether all three say the same."""
        return self.worst <= LIMIT


def work_attention(
    experiment: Experiment,
    x: NDArray[Any],
    target: Any,
    *,
    parameters: Mapping[str, Tensor] | None = None,
) -> AttentionSheet:
    """Works one example through the first layer of attention, in float64.

    What comes into the layer, and the gradient of what it puts out, are the network's: what stands
    before and behind is left to torch.

    Args:
        experiment: with attention in its network.
        x: one example as the network sees it.
        target: its class number or numbers, or those of its places.
        parameters: of the network, by name; None for those that it begins with.

    Raises:
        MistakeError: the layer turns queries and keys, which is not written out.
    """
    network = build_network(experiment.design, seed=experiment.config.seed_of("init"))
    network = network.double().eval()
    if parameters is not None:
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(parameters[name])
    layers = experiment.design.layers
    name = layers.seen[next(iter(layers.attention))].layer
    module = network.get_submodule(name)
    assert isinstance(module, Attention)
    if module.positions == "rotary":
        text = "(attention): rotary is not written out: queries and keys turn with their place"
        raise MistakeError(("model",), f"{text} (positions: learned or alibi)")
    came, dy, theirs, loss = _passed(network, module, experiment, x, target)
    layer = _as_equations(module)
    there = attend(layer, came)
    back = attend_back(layer, there, dy)
    errors: dict[str, tuple[float, float]] = {}
    for key, gradient in theirs.items():
        ours = back.gradients[key]
        errors[f"{name}.{key}"] = (
            relative_error(ours, gradient),
            _against_differences(layer, came, dy, key, ours),
        )
    return AttentionSheet(name, layer, there, back, loss, errors)


def _passed(
    network: nn.Module, module: Attention, experiment: Experiment, x: NDArray[Any], target: Any
) -> tuple[_Floats, _Floats, dict[str, _Floats], float]:
    """What comes into a layer, dC/dy behind it, torch's gradients of its parameters, the loss."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        output.retain_grad()
        seen.extend((inputs[0], output))

    targets = torch.as_tensor(np.asarray(target)).reshape(-1)
    classes = experiment.shape.task == "classes"
    targets = targets.long() if classes else targets.double()[None]
    batch = Batch(torch.from_numpy(x[None]), targets, torch.zeros(1, dtype=torch.int64))
    handle = module.register_forward_hook(keep)
    try:
        outputs = flat_places(network(batch.inputs))
    finally:
        handle.remove()
    loss = experiment.loss.build(experiment.shape)(outputs, batch).mean()
    loss.backward()
    came, put = seen
    assert put.grad is not None
    found = {
        name: np.zeros(p.shape) if p.grad is None else p.grad.numpy().copy()
        for name, p in module.named_parameters()
    }
    return came[0].detach().numpy().copy(), put.grad[0].numpy().copy(), found, loss.item()


def _as_equations(module: Attention) -> AttentionLayer:
    weight = module.in_proj_weight.detach().numpy().copy()
    out, heads = module.out_proj, module.heads
    width = len(out.weight)
    bias, out_bias = (
        np.zeros(size) if one is None else one.detach().numpy().copy()
        for one, size in ((module.in_proj_bias, 3 * width), (out.bias, width))
    )
    slopes = 2.0 ** (-8.0 * np.arange(1, heads + 1) / heads)
    if module.positions != "alibi":
        slopes = np.zeros(heads)
    out_weight = out.weight.detach().numpy().copy()
    return AttentionLayer(weight, bias, out_weight, out_bias, heads, module.causal, slopes)


_FIELDS = {
    "in_proj_weight": "weight",
    "in_proj_bias": "bias",
    "out_proj.weight": "out_weight",
    "out_proj.bias": "out_bias",
}


def _against_differences(
    layer: AttentionLayer, x: _Floats, dy: _Floats, key: str, ours: _Floats
) -> float:
    """Of <dC/dy, y>, whose gradient by the layer's parameters is that of the loss."""
    count = min(ours.size, ENTRIES)
    chosen = np.random.Generator(np.random.PCG64(0)).permutation(ours.size)[:count]
    field = _FIELDS[key]

    def moved(index: int, by: float) -> float:
        values = getattr(layer, field).copy()
        values.reshape(-1)[index] += by
        return float((dy * attend(replace(layer, **{field: values}), x).y).sum())

    sides = [(moved(int(i), STEP) - moved(int(i), -STEP)) / (2.0 * STEP) for i in chosen]
    return relative_error(ours.reshape(-1)[chosen], np.array(sides))


def attention_page(sheet: AttentionSheet, head: Sequence[str] = ()) -> str:
    """What a person reads, of the first head: there, back, the proof; above it the head's lines."""
    there, back, heads = sheet.there, sheet.back, sheet.layer.heads
    last = len(there.x) - 1
    parts: list[Any] = [
        *head,
        f"FORWARD   {sheet.name}: y = [softmax(q k' / sqrt(E)) v of {heads} heads] Wo' + bo",
        "what stands before and behind this layer is left to torch",
        *_named("x", there.x),
        "",
        f"head 1 of {heads}, E = {there.q.shape[2]}",
    ]
    for name in ("q", "k", "v"):
        parts += _named(name, getattr(there, name)[0])
    parts += _named("S = q k' / sqrt(E)", there.logits[0])
    parts += _named("A = softmax(S)", there.weights[0])
    parts += _named("o = A v", there.o[0])
    parts += ["", *_named("y", there.y), f"loss of the network: {sheet.loss:.7g}", ""]
    parts += ["BACKWARD  from what torch says of y", *_named("dC/dy", back.y), ""]
    parts += ["head 1, dC/do = dC/dy Wo", *_named("dC/dA = dC/do v'", back.weights[0])]
    jacobian = softmax_jacobian(there.weights[0, last])
    parts += _named(f"J of row {last + 1} = diag(a) - a a'", jacobian)
    parts += _named("dC/dS = J dC/dA", back.logits[0])
    parts += _named("dC/dq = dC/dS k / sqrt(E)", back.q[0])
    parts += _named("dC/dk = dC/dS' q / sqrt(E)", back.k[0])
    parts += _named("dC/dv = A' dC/do", back.v[0])
    parts += [""]
    for name in sheet.errors:
        key = name.removeprefix(f"{sheet.name}.")
        parts += _named(f"dC/d{key}", back.gradients[key])
    rows = [
        (name, f"{np.abs(back.gradients[name.removeprefix(f'{sheet.name}.')]).max():.3e}",
         f"{autograd:.1e}", f"{differences:.1e}")
        for name, (autograd, differences) in sheet.errors.items()
    ]  # fmt: skip
    titles = ("parameter", "largest entry", "against autograd", "against differences")
    verdict = "agree" if sheet.agrees else "DISAGREE"
    parts += ["", "PROOF     relative errors in float64"]
    parts += [text_grid(rows, head=titles, right=(1, 2, 3))]
    parts += [f"largest relative error {sheet.worst:.1e}: they {verdict} (limit {LIMIT:g})"]
    return render_text(*parts, width=110)


def _named(name: str, value: _Floats) -> list[str]:
    """A formula, and below it its numbers."""
    return [name, *tensor_lines("", value)]


def attention_plain(sheet: AttentionSheet) -> dict[str, Any]:
    """The whole worksheet, for JSON; what may not be seen has a logit of null."""
    there, back = sheet.there, sheet.back
    logits = np.where(np.isfinite(there.logits), there.logits, np.nan)
    seen = {
        name: getattr(there, name).tolist() for name in ("x", "q", "k", "v", "weights", "o", "y")
    }
    came = {f"d_{n}": getattr(back, n).tolist() for n in ("y", "weights", "logits", "q", "k", "v")}
    return {
        "layer": sheet.name,
        "heads": sheet.layer.heads,
        "loss": sheet.loss,
        **seen,
        "logits": [[[None if n != n else n for n in row] for row in h] for h in logits.tolist()],
        **came,
        "gradients": {name: value.tolist() for name, value in back.gradients.items()},
        "agreement": {n: {"autograd": a, "differences": d} for n, (a, d) in sheet.errors.items()},
        "largest_relative_error": sheet.worst,
        "agrees": sheet.agrees,
    }
