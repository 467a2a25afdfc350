"""The worksheet as text and as JSON, and the command that makes it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nnlab.commands.backprop.attention_page import attention_page, attention_plain, work_attention
from nnlab.commands.backprop.equations import Pass
from nnlab.commands.backprop.proof import LIMIT, Agreement, Worksheet, work_example
from nnlab.commands.backprop.steps_page import (
    STATES,
    steps_backward_lines,
    steps_forward_lines,
    steps_plain,
)
from nnlab.commands.backprop.worksheet import row_text, tensor_lines
from nnlab.commands.options import is_run_name
from nnlab.comparison.comparison import settle_first
from nnlab.config.origins import error_at_places
from nnlab.core.contracts import Examples, Split
from nnlab.core.errors import ConfigError, DivergedError, MistakeError
from nnlab.core.text import render_text, short_path, text_grid
from nnlab.experiment.experiment import Experiment
from nnlab.runs.finished.reopen import reopen_run, restore_with_step
from nnlab.runs.folder.find import find_run


class Worked(NamedTuple):
    """What is printed, and the error that the three gradients disagree."""

    text: str
    error: DivergedError | None = None


def backprop_page(
    source: str, overrides: list[str], *, example: int, split: Split, as_json: bool
) -> Worked:
    """The page of one example: of a config with its first weights, of a run with its best.

    Args:
        source: a config's file, bundled name or `-`; or a run as the commands take it.
        overrides: as `--set` takes them.
        example: its number within the split, from 0.
        split: train, validation or test.
        as_json: one JSON object in place of the page.

    Raises:
        ConfigError: the config is wrong, or there is no such example.
        DataError: the data are missing or damaged.
        CheckpointError: the run has no sound checkpoint.
    """
    experiment, examples, parameters, head = _asked(source, overrides)
    if split not in examples.rows:
        raise ConfigError(f"--split {split}: there are {', '.join(examples.rows)}")
    rows = examples.rows[split]
    if not 0 <= example < len(rows):
        raise ConfigError(f"--example {example}: the {split} split has 0 to {len(rows) - 1}")
    row = int(rows[example])
    x = _inputs_of(experiment, examples, row)
    if experiment.design.layers.attention:
        return _attention(experiment, x, examples.targets[row], parameters, head, as_json)
    if experiment.shape.places:
        text = "has an answer at every step, and the page works through one"
        raise ConfigError(f"{experiment.config.data.kind} {text} (data: adding, or a series)")
    try:
        sheet = work_example(experiment, x, examples.targets[row], parameters=parameters)
    except MistakeError as error:
        raise error_at_places([error.mistake], experiment.config.origins) from None
    shown = json.dumps(_plain(sheet)) + "\n" if as_json else page(sheet, experiment, head)
    if sheet.agrees:
        return Worked(shown)
    where = max(sheet.agreements, key=lambda one: max(one.autograd, one.differences))
    line = f"backprop: the gradients of {where.name} disagree by {sheet.worst:.1e}"
    return Worked(shown, DivergedError(f"{line} (the limit is {LIMIT:g}; a formula is wrong)"))


def _inputs_of(experiment: Experiment, examples: Examples, row: int) -> NDArray[Any]:
    """One example as the network sees it, in float64; tokens are whole numbers."""
    inputs = examples.inputs
    stored = inputs[row] if isinstance(inputs, np.ndarray) else inputs.read(row)
    if experiment.shape.tokens:
        return stored.astype(np.int64)
    shift, factor = examples.shift.astype(np.float64), examples.factor.astype(np.float64)
    return ((stored.astype(np.float64)[None] - shift) * factor)[0]


def _attention(
    experiment: Experiment,
    x: NDArray[Any],
    target: Any,
    parameters: Mapping[str, Tensor] | None,
    head: Sequence[str],
    as_json: bool,
) -> Worked:
    """The page of a network's first layer of attention."""
    try:
        sheet = work_attention(experiment, x, target, parameters=parameters)
    except MistakeError as error:
        raise error_at_places([error.mistake], experiment.config.origins) from None
    plain = json.dumps(attention_plain(sheet)) + "\n" if as_json else attention_page(sheet, head)
    if sheet.agrees:
        return Worked(plain)
    line = f"backprop: the gradients of {sheet.name} disagree by {sheet.worst:.1e}"
    return Worked(plain, DivergedError(f"{line} (the limit is {LIMIT:g}; a formula is wrong)"))


class _Asked(NamedTuple):
    """What is worked through.

    Attributes:
        experiment: settled.
        examples: its data.
        parameters: by name; None for the first ones.
        head: which weights these are, where they are not the first ones.
    """

    experiment: Experiment
    examples: Examples
    parameters: Mapping[str, Tensor] | None = None
    head: tuple[str, ...] = ()


def _asked(source: str, overrides: list[str]) -> _Asked:
    """A config with its data, or a run with the weights of its best checkpoint."""
    if not is_run_name(source):
        experiment = settle_first(source, overrides)
        return _Asked(experiment, experiment.load())
    if overrides:
        raise ConfigError("--set: a run has been trained (give its config instead)")
    run = find_run(source)
    experiment, examples = reopen_run(run, "cpu")
    network, step = restore_with_step(run, experiment)
    head = f"WEIGHTS   {short_path(run.absolute())}, best, step {step:,}; a fresh optimizer"
    return _Asked(experiment, examples, dict(network.named_parameters()), (head, ""))


def page(sheet: Worksheet, experiment: Experiment, head: Sequence[str] = ()) -> str:
    """What a person reads: there, back, the update, the proof; above it the lines of the head."""
    dense = "z = W a + b, a = f(z)"
    parts: list[Any] = [*head, f"FORWARD   {STATES if sheet.steps else dense}"]
    parts += [""] if sheet.steps else [f"x {row_text(sheet.x)}", ""]
    for each in sheet.steps:
        parts += [*steps_forward_lines(each), ""]
    parts += [f"behind the last step  {dense}", ""] if sheet.steps else []
    for one in sheet.passes:
        parts += [*_forward(one), ""]
    loss = experiment.loss
    if loss.link_inside:
        # Else its delta, p - y, looks wrong beside f' = 1.
        parts += [f"p = {loss.link}(a) is part of the loss {loss.kind}"]
    parts += [f"loss {loss.kind}: {sheet.loss:.7g}   target {row_text(sheet.y)}", ""]
    parts += ["BACKWARD  the last layer first", ""]
    for number, one in reversed(list(enumerate(sheet.passes))):
        behind = sheet.passes[number + 1] if number + 1 < len(sheet.passes) else None
        parts += [*_backward(one, behind), ""]
    for each in reversed(sheet.steps):
        parts += [*steps_backward_lines(each), ""]
    optimizer = experiment.config.optimizer
    parts += [f"UPDATE    {optimizer.kind}, lr {optimizer.lr:g}{_left_out(experiment)}"]
    for name, value in sheet.updated.items():
        parts += tensor_lines(name, value)
    head = ("parameter", "largest entry", "against autograd", "against differences", "entries")
    rows = [
        (a.name, f"{a.size:.3e}", f"{a.autograd:.1e}", f"{a.differences:.1e}", _entries(a))
        for a in sheet.agreements
    ]
    verdict = "agree" if sheet.agrees else "DISAGREE"
    parts += [
        "",
        "PROOF     relative errors in float64",
        text_grid(rows, head=head, right=(1, 2, 3, 4)),
    ]
    parts += [f"largest relative error {sheet.worst:.1e}: they {verdict} (limit {LIMIT:g})"]
    return render_text(*parts, width=100)


def _left_out(experiment: Experiment) -> str:
    """What training does to the gradient between these equations and the optimizer."""
    regularize, train = experiment.config.regularize, experiment.config.train
    left_out = ["regularize"] if regularize.l1 or regularize.l2 or regularize.max_norm else []
    left_out += ["train.clip_norm"] if train.clip_norm is not None else []
    return f" (of the loss alone: without {' and '.join(left_out)})" if left_out else ""


def _entries(one: Agreement) -> str:
    return f"{one.entries}" + (f", {one.kinks} at kinks" if one.kinks else "")


def _forward(one: Pass) -> list[str]:
    layer = one.layer
    lines = [f"{layer.name}  {len(one.inputs)} -> {len(one.z)}, f = {layer.activation.kind}"]
    for name, value in (("W", layer.weight), ("b", layer.bias), ("z", one.z), ("a", one.a)):
        if value is not None:
            lines += tensor_lines(name, value)
    return lines


def _backward(one: Pass, behind: Pass | None) -> list[str]:
    if behind is None:
        rule = "BP1  delta = dC/da * f'(z)"
    else:
        rule = f"BP2  delta = (W[{behind.layer.name}]^T delta[{behind.layer.name}]) * f'(z)"
    lines = [f"{one.layer.name}  {rule}", *tensor_lines("delta", one.delta)]
    for name, value in (
        ("BP3 dC/dW", one.weight_gradient),
        ("BP4 dC/db", one.bias_gradient),
    ):
        if value is not None:
            lines += tensor_lines(name, value)
    return lines


def _plain(sheet: Worksheet) -> dict[str, Any]:
    """The whole worksheet, for JSON."""
    layers: list[dict[str, Any]] = []
    for one in sheet.passes:
        tensors = {
            "weight": one.layer.weight,
            "bias": one.layer.bias,
            "z": one.z,
            "a": one.a,
            "delta": one.delta,
            "weight_gradient": one.weight_gradient,
            "bias_gradient": one.bias_gradient,
        }
        shown = {name: None if v is None else v.tolist() for name, v in tensors.items()}
        layers.append({"name": one.layer.name, "activation": one.layer.activation.kind, **shown})
    return {
        **({"steps": [steps_plain(one) for one in sheet.steps]} if sheet.steps else {}),
        "inputs": sheet.x.tolist(),
        "target": sheet.y.tolist(),
        "loss": sheet.loss,
        "layers": layers,
        "updated": {name: value.tolist() for name, value in sheet.updated.items()},
        "agreement": {
            a.name: {"autograd": a.autograd, "differences": a.differences, "entries": a.entries}
            for a in sheet.agreements
        },
        "largest_relative_error": sheet.worst,
        "agrees": sheet.agrees,
    }
