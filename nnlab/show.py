"""`nnlab show`: what a config will build, read from its plan before anything is built."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from nnlab.base import Kind
from nnlab.check import settled_text
from nnlab.config import to_plain
from nnlab.contracts import Plan, Shape
from nnlab.experiment import Experiment
from nnlab.loading import from_text, place_for, read_text
from nnlab.parts.datasets.tables import Place

_BYTES = {"fp64": 8}
"""Of a weight; the half precisions keep their weights in float32."""
_WIDTHS = {"fp64": 8, "fp32": 4}
"""Of an activation; the half precisions need 2."""


def show(source: str, overrides: Sequence[str], *, data: bool, as_json: bool) -> str:
    """The page of a config.

    Args:
        source: a file, a bundled name or `-`.
        overrides: as `--set` takes them.
        data: load the data and show them too.
        as_json: one JSON object instead of tables.

    Raises:
        ConfigError: the config is wrong.
        DataError: with `data`, they are missing or damaged.
    """
    text = read_text(source)
    place = place_for(text.folder)
    written = to_plain(from_text(text, overrides))
    experiment = settled_text(text, overrides)
    facts = facts_of(experiment, written, place)
    if not data:
        return json.dumps(facts) + "\n" if as_json else _page(experiment, facts)
    from nnlab.preview import data_facts, data_page

    examples = experiment.config.data.load(place)
    if as_json:
        return json.dumps({**facts, "splits": data_facts(examples)}) + "\n"
    return _page(experiment, facts) + "\n" + data_page(examples, experiment.config.data.scale)


def facts_of(experiment: Experiment, written: dict[str, Any], place: Place) -> dict[str, Any]:
    """Everything that the page shows, as `--json` prints it."""
    config, shape, design = experiment.config, experiment.shape, experiment.design
    return {
        "name": config.name,
        "data": {
            "kind": config.data.kind,
            "task": shape.task,
            "inputs": list(shape.inputs),
            "outputs": shape.outputs,
            "classes": list(shape.classes),
            "sizes": dict(shape.sizes),
        },
        "layers": [_layer(row.plan) for row in _rows(design.plans)],
        "parameters": design.parameters,
        "flops": design.flops,
        "remarks": list(config.model.remarks(shape)),
        "memory": memory(experiment, place),
        "steps": {
            "per_epoch": experiment.per_epoch,
            "total": experiment.total,
            "reading_every": experiment.every,
        },
        "loss": {"kind": experiment.loss.kind, "formula": experiment.loss.formula},
        "regularize": penalty(experiment),
        "rule": line_of(config.rule),
        "optimizer": line_of(config.optimizer) if config.rule.optimized else "",
        "schedule": line_of(config.schedule) if config.rule.optimized else "",
        "scores": [score.key for score in experiment.scores],
        "auto": dict(taken(written, to_plain(config))),
    }


def _layer(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "kind": plan.kind,
        "inputs": list(plan.inputs),
        "output": list(plan.output),
        "parameters": sum(prod(shape) for shape in plan.parameters.values()),
        "flops": plan.flops,
        "note": plan.note,
    }


@dataclass(frozen=True, slots=True)
class _Row:
    plan: Plan
    depth: int


def _rows(plans: Sequence[Plan], depth: int = 0) -> Iterator[_Row]:
    """Each plan, behind it the plans inside it."""
    for plan in plans:
        yield _Row(plan, depth)
        yield from _rows(plan.children, depth + 1)


def memory(experiment: Experiment, place: Place) -> dict[str, int]:
    """Bytes that training needs, by what for; the working memory of the kernels comes on top."""
    config, design, shape = experiment.config, experiment.design, experiment.shape
    train = config.train
    weights = design.parameters * _BYTES.get(train.precision, 4)
    examples = shape.sizes["train"]
    batch = examples if train.batch_size == "full" else min(train.batch_size, examples)
    leaves = [row.plan for row in _rows(design.plans) if not row.plan.children]
    numbers = prod(shape.inputs) + sum(prod(plan.output) for plan in leaves)
    # Images are kept as they are stored, a byte a value.
    stored = 1 if config.data.form(place) == "images" else 4
    rows = max(shape.sizes.values()) if _shared(experiment) else sum(shape.sizes.values())
    return {
        "weights": weights,
        "gradients": weights if config.rule.optimized else 0,
        "optimizer": weights * slots(config.optimizer) if config.rule.optimized else 0,
        "activations": numbers * batch * _WIDTHS.get(train.precision, 2),
        "data": rows * prod(shape.inputs) * stored,
    }


def _shared(experiment: Experiment) -> bool:
    return "same" in (str(experiment.config.data.validation), str(experiment.config.data.test))


def slots(optimizer: Any) -> int:
    """How many numbers an optimizer keeps for each weight; a test holds it to torch's own state."""
    momentum = int(getattr(optimizer, "momentum", 0.0) > 0)
    own = {"sgd": 0, "adagrad": 1, "rmsprop": 1, "adam": 2, "adamw": 2}
    extra = int(getattr(optimizer, "centered", False)) + int(getattr(optimizer, "amsgrad", False))
    return own.get(optimizer.kind, 2) + momentum + extra


def penalty(experiment: Experiment) -> str:
    """The terms that `regularize` adds to the objective; empty for none."""
    part = experiment.config.regularize
    sums = "weights" if part.on == "weights" else "all parameters"
    terms = [f"{part.l2:g} / 2 * sum w^2"] * (part.l2 > 0) + [f"{part.l1:g} * sum |w|"] * (
        part.l1 > 0
    )
    share = f", divided by {experiment.shape.sizes['train']:,} examples"
    return f"{' + '.join(terms)} over {sums}{share * (part.per == 'dataset')}" if terms else ""


def line_of(kind: Kind) -> str:
    """A kind and its fields in one line."""
    fields = {key: value for key, value in to_plain(kind).items() if key != "kind"}
    return ", ".join([kind.kind, *(f"{key} {_short(value)}" for key, value in fields.items())])


def taken(written: Any, settled: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every `auto` of a config, and every folder it left open, with what it took."""
    if isinstance(written, dict) and isinstance(settled, dict):
        for key, value in settled.items():
            yield from taken(written.get(key), value, f"{path}.{key}" if path else key)
    elif isinstance(written, list) and isinstance(settled, list):
        for index, (before, after) in enumerate(zip(written, settled, strict=False)):
            yield from taken(before, after, f"{path}.{index}")
    elif (written == "auto" and settled != "auto") or path == "data.root":
        yield path, _short(settled)


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("kind", value))
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _page(experiment: Experiment, facts: dict[str, Any]) -> str:
    from nnlab.printing import grid, rendered

    shape = experiment.shape
    sizes = ", ".join(f"{size:,} {split}" for split, size in shape.sizes.items())
    what = f"{shape.outputs} classes" if shape.task == "classes" else f"{shape.outputs} numbers"
    head = [
        ("data", f"{facts['data']['kind']}: {across(shape.inputs)} to {what}; {sizes} examples")
    ]
    lines = grid([*head, *_lines(experiment, facts)], whole=(0,))
    autos = grid([(path, value) for path, value in facts["auto"].items()], whole=(0,))
    took = ("\nauto took", autos)
    remarks = facts["remarks"]
    table = ["", *remarks] if remarks else []
    return rendered(f"{facts['name']}\n", _layers(experiment), *table, "", lines, *took)


def _layers(experiment: Experiment) -> Any:
    from nnlab.printing import grid

    rows: list[tuple[str, ...]] = []
    for row in _rows(experiment.design.plans):
        facts = _layer(row.plan)
        name = "  " * row.depth + (row.plan.name.rpartition(".")[2] if row.depth else row.plan.name)
        between = f"{across(row.plan.inputs)} -> {across(row.plan.output)}"
        numbers = (f"{facts['parameters']:,}", large(facts["flops"]))
        rows.append((name, row.plan.kind, between, *numbers, row.plan.note))
    design = experiment.design
    rows.append(("total", "", "", f"{design.parameters:,}", large(design.flops), ""))
    head = ("layer", "kind", "one example", "parameters", "FLOPs", "")
    return grid(rows, head=head, right=(3, 4), whole=(0, 1, 2, 3, 4))


def _lines(experiment: Experiment, facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    train, total = experiment.config.train, experiment.total
    yield "loss", f"{facts['loss']['kind']}: {facts['loss']['formula']}"
    if facts["regularize"]:
        yield "", f"+ {facts['regularize']}"
    yield "scores", ", ".join(facts["scores"]) or "none"
    if experiment.config.rule.optimized:
        yield "optimizer", facts["optimizer"]
        yield "", _first_line(experiment.config.optimizer)
        yield "schedule", facts["schedule"]
    else:
        yield "rule", facts["rule"]
        yield "", _first_line(experiment.config.rule)
    length = f"{train.minutes:g} minutes" if total is None else f"{total:,}"
    size = "all examples" if train.batch_size == "full" else f"{train.batch_size} examples"
    rhythm = f"{experiment.per_epoch:,} an epoch, of {size} each"
    yield "steps", f"{length}: {rhythm}; a reading every {experiment.every:,}"
    parts = ", ".join(f"{key} {amount(count)}" for key, count in facts["memory"].items())
    yield "memory", f"about {amount(sum(facts['memory'].values()))}: {parts}"


def _first_line(kind: Kind) -> str:
    return (type(kind).__doc__ or "").splitlines()[0]


def across(shape: Shape) -> str:
    """A shape as people say it: 1x28x28."""
    return "x".join(map(str, shape))


def large(count: int) -> str:
    """Three digits and a unit: 25.1k."""
    for limit, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count / limit:.3g}{unit}"
    return str(count)


def amount(size: int) -> str:
    """Bytes in the unit that fits."""
    for limit, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= limit:
            return f"{size / limit:.3g} {unit}"
    return f"{size} B"
