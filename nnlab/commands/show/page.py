"""`nnlab show`: what a config will build, read from its plan before anything is built."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nnlab.commands.show.formulas import bound_formulas, objective_formula, penalty_formula
from nnlab.commands.show.layers import count_parameters, layer_table, shape_text
from nnlab.comparison.comparison import Comparison, settle_source
from nnlab.config.described import plain_text
from nnlab.config.run_config import to_plain
from nnlab.core.contracts import Examples, Plan, flat_plans
from nnlab.core.errors import ConfigError
from nnlab.core.kinds import Kind
from nnlab.core.text import render_text, text_grid
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.memory import memory_needs
from nnlab.parts.datasets.label_noise import noise_of
from nnlab.training.pace import Pace


def show_page(
    source: str,
    overrides: Sequence[str],
    *,
    data: bool,
    plot: Path | None = None,
    expand: bool = False,
    as_json: bool,
) -> str:
    """The page of a config.

    Args:
        source: a file, a bundled name or `-`.
        overrides: as `--set` takes them.
        data: load the data and show them too.
        plot: with `data`, also draw them into this PNG.
        expand: the config itself, with its network written as a stack.
        as_json: one JSON object instead of tables.

    Raises:
        ConfigError: the config is wrong.
        DataError: with `data`, they are missing or damaged.
    """
    if plot is not None and not data:
        raise ConfigError(f"--plot {plot}: draws the data (give --data too)")
    if expand and data:
        raise ConfigError("--expand: prints a config, not the data (leave --data out)")
    settled = settle_source(source, overrides)
    if expand:
        from nnlab.commands.show.expand import expanded_config

        return expanded_config(settled.one(), as_json=as_json)
    experiment = settled.first
    facts = _facts_of(experiment)
    head = ""
    if settled.comparison.compares:
        facts["comparison"] = comparison_facts(*settled)
        head = comparison_page(*settled)
    tail = ""
    if data:
        from nnlab.commands.show.data import data_page, shown_data_facts

        examples = _load_and_plot(experiment, plot)
        if as_json:
            facts["splits"] = shown_data_facts(examples)
        else:
            tail = "\n" + data_page(examples, experiment.config.data)
    return json.dumps(facts) + "\n" if as_json else head + _page(experiment, facts) + tail


def _load_and_plot(experiment: Experiment, plot: Path | None) -> Examples:
    examples = experiment.load()
    if plot is not None:
        from nnlab.commands.show.data_plot import plot_data as draw

        draw(experiment, examples, plot)
    return examples


def _facts_of(experiment: Experiment) -> dict[str, Any]:
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
        "layers": [_layer(plan) for plan in flat_plans(design.plans)],
        "parameters": design.parameters,
        "flops": design.flops,
        "remarks": list(config.model.remarks(shape)),
        "memory": memory_needs(experiment),
        "steps": {
            "per_epoch": experiment.per_epoch,
            "total": experiment.total,
            "reading_every": experiment.pace.every,
        },
        "loss": {"kind": experiment.loss.kind, "formula": experiment.loss.formula},
        "regularize": penalty_formula(experiment),
        "objective": {
            "formula": objective_formula(experiment),
            "bounds": [*bound_formulas(experiment)],
        },
        "rule": line_of(config.rule),
        "optimizer": line_of(config.optimizer) if config.rule.optimized else "",
        "schedule": line_of(config.schedule) if config.rule.optimized else "",
        "scores": [score.key for score in experiment.scores],
        "auto": dict(taken(to_plain(experiment.written), to_plain(config))),
    }


def _layer(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "kind": plan.kind,
        "inputs": list(plan.inputs),
        "output": list(plan.output),
        "parameters": count_parameters(plan),
        "flops": plan.flops,
        "note": plan.note,
    }


def line_of(kind: Kind) -> str:
    """A kind and its fields in one line."""
    plain = to_plain(kind).items()
    fields = {key: value for key, value in plain if key != "kind" and value != {}}
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
        said = (f"{key}: {_short(inner)}" for key, inner in value.items() if inner is not None)
        return str(value.get("kind") or f"{{{', '.join(said)}}}")
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _page(experiment: Experiment, facts: dict[str, Any]) -> str:
    from nnlab.core.text import render_text, text_grid

    shape = experiment.shape
    sizes = ", ".join(f"{size:,} {split}" for split, size in shape.sizes.items())
    what = f"{shape.outputs} {'numbers' if shape.task == 'regression' else shape.task}"
    head = [
        ("data", f"{facts['data']['kind']}: {shape_text(shape.inputs)} to {what}; {sizes} examples")
    ]
    lines = text_grid([*head, *_lines(experiment, facts)], whole=(0,))
    table = layer_table(experiment.design.plans)
    autos = text_grid([(path, value) for path, value in facts["auto"].items()], whole=(0,))
    remarks = ["", *facts["remarks"]] if facts["remarks"] else []
    took = ("\nauto took", autos)
    return render_text(f"{facts['name']}\n", table, *remarks, "", lines, *took)


def _lines(experiment: Experiment, facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    train, total, data = experiment.config.train, experiment.total, experiment.config.data
    if noise := noise_of(data.label_noise):
        yield "", f"label noise: {noise.share:.3g} of the training labels, {noise.kind}"
    if data.augment:
        yield "augment", "; ".join(map(line_of, data.augment))
    yield "loss", f"{line_of(experiment.loss)}: {facts['loss']['formula']}"
    yield "objective", facts["objective"]["formula"]
    yield from (("", line) for line in facts["objective"]["bounds"])
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
    drawn = "" if train.sampling == "shuffled" else f", {train.sampling}"
    rhythm = f"{experiment.per_epoch:,} an epoch, of {size} each{drawn}"
    yield "steps", f"{length}: {rhythm}; {_readings(experiment.pace)}"
    parts = ", ".join(f"{key} {amount(count)}" for key, count in facts["memory"].items())
    yield "memory", f"about {amount(sum(facts['memory'].values()))}: {parts}"


def _readings(pace: Pace) -> str:
    every = "readings in proportion to the step"
    if pace.every is not None:
        every = f"a reading every {pace.every:,}"
    return every if pace.probes is None else f"{every}, a full probe every {pace.probes:,}"


def _first_line(kind: Kind) -> str:
    return (type(kind).__doc__ or "").splitlines()[0]


def amount(size: int) -> str:
    """Bytes in the unit that fits."""
    for limit, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= limit:
            return f"{size / limit:.3g} {unit}"
    return f"{size} B"


def comparison_facts(
    comparison: Comparison, experiments: Mapping[str, Experiment]
) -> dict[str, Any]:
    """The comparison, as `--json` prints it."""
    variants = comparison.config.variants or {}
    return {
        "runs": [member.name for member in comparison.members],
        "variants": {
            name: {
                "differences": {key: plain_text(value) for key, value in own.items()},
                "parameters": experiments[name].design.parameters,
            }
            for name, own in variants.items()
        },
        "expect": [f"{e.sides}: {e.quantity} {e.bound}" for e in comparison.expectations],
    }


def comparison_page(comparison: Comparison, experiments: Mapping[str, Experiment]) -> str:
    """The variants with their differences, the seeds, what is expected."""
    facts = comparison_facts(comparison, experiments)
    seeds = sorted({member.seed for member in comparison.members})
    rows = [
        (
            name,
            f"{facts['variants'][name]['parameters']:,}",
            ", ".join(f"{k}: {v}" for k, v in facts["variants"][name]["differences"].items()),
        )
        for name in facts["variants"]
    ]
    parts: list[Any] = [
        f"{comparison.name}: {len(comparison.members)} runs, seeds {plain_text(seeds)}",
        "",
    ]
    if rows:
        parts += [text_grid(rows, head=("variant", "parameters", "differs in"), right=(1,)), ""]
    parts += [f"expects {line}" for line in facts["expect"]]
    first = f" (that of {next(iter(experiments))})" if rows else ""
    return render_text(*parts, f"what a run trains{first}:", "")
