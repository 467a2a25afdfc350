"""What the page is told of a text: what it would train, or its mistakes at their places."""

import re
from collections.abc import Iterator
from contextlib import suppress
from time import perf_counter
from typing import Any

from nnlab.commands.check import describe_experiments
from nnlab.comparison.comparison import SettledComparison, settle_source
from nnlab.comparison.lesson import lesson_of
from nnlab.config.loading import Text
from nnlab.config.yaml import parse_yaml
from nnlab.core.contracts import Plan
from nnlab.core.errors import NnlabError
from nnlab.experiment.experiment import Experiment
from nnlab.studio.limits import Limits

_PLACE = re.compile(r":(\d+):(\d+): (.*)", re.DOTALL)
_WORD = re.compile(r"[^\s,:\[\]{}#]+")
_FIXES = (
    (re.compile(r"did you mean ([A-Za-z0-9_]+)\?"), "Write {}"),
    (re.compile(r"\S+ is called ([A-Za-z0-9_]+) here"), "Write {}"),
    (re.compile(r"\(write ([^:()]+?)(?:, without quotes)?\)"), "Write {}"),
)
"""What a mistake's sentence says would do, in place of the word where it stands."""


def check_text(
    text: Text, overrides: tuple[str, ...] = (), limits: Limits | None = None
) -> dict[str, Any]:
    """Settles a text; nothing is built or loaded.

    Args:
        text: YAML.
        overrides: as `--set` takes them.
        limits: what it may ask for.

    Returns:
        "ok", and "says", "plans", "variants" and the like; or "mistakes": line, column, text and,
        where one word cures it, "fix": what its button says and the whole text afterwards.
    """
    began = perf_counter()
    settled, lines = _settled(text, overrides)
    found: dict[str, Any]
    if settled is None:
        found = {"ok": False, "mistakes": [_mistake(line, text, overrides) for line in lines]}
    elif limits is not None and (excess := [*limits.excesses(settled.experiments)]):
        found = {"ok": False, "mistakes": [_mistake(line, text, overrides) for line in excess]}
    else:
        found = {"ok": True, **_described(settled)}
    if lesson := lesson_of(text.text):
        # Each part begins with its name.
        found["lesson"] = {name: said.removeprefix(name).strip() for name, said in lesson.items()}
    with suppress(NnlabError):
        found["tree"] = parse_yaml(text.text, file=text.file).tree
    return {**found, "milliseconds": 1000 * (perf_counter() - began)}


def _settled(
    text: Text, overrides: tuple[str, ...]
) -> tuple[SettledComparison | None, tuple[str, ...]]:
    try:
        return settle_source(text, overrides), ()
    except NnlabError as error:
        return None, error.lines


def _described(settled: SettledComparison) -> dict[str, Any]:
    first, comparison = settled.first, settled.comparison
    variants = list(dict.fromkeys(m.variant for m in comparison.members if m.variant))
    seeds = list(dict.fromkeys(m.seed for m in comparison.members))
    return {
        "says": describe_experiments(settled),
        "remarks": list(first.remarks()),
        "variants": variants,
        "seeds": seeds if comparison.compares else [],
        "plans": [_plan(plan) for plan in first.design.plans],
        **_shape(first),
    }


def _shape(experiment: Experiment) -> dict[str, Any]:
    shape, config = experiment.shape, experiment.config
    return {
        "name": config.name or "run",
        "data": config.data.kind,
        "inputs": list(shape.inputs),
        "names": list(shape.columns),
        "classes": list(shape.classes),
        "task": shape.task,
        "sizes": dict(shape.sizes),
        "parameters": experiment.design.parameters,
        "per_epoch": experiment.per_epoch,
        "total": experiment.total,
        "seed": config.first_seed,
        "optimizer": config.optimizer.kind,
        "learning_rate": config.optimizer.lr,
        "compiled": config.train.compile,
    }


def _plan(plan: Plan) -> dict[str, Any]:
    parameters = sum(_size(shape) for shape in plan.parameters.values())
    return {
        "name": plan.name,
        "kind": plan.kind,
        "path": list(plan.path),
        "inputs": list(plan.inputs),
        "output": list(plan.output),
        "parameters": parameters,
        "note": plan.note,
    }


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for part in shape:
        size *= part
    return size


def _mistake(line: str, text: Text, overrides: tuple[str, ...]) -> dict[str, Any]:
    found = _PLACE.match(line.removeprefix(text.file)) if line.startswith(text.file) else None
    if found is None:
        # Of a base, of --set, or of the whole.
        return {"line": None, "column": None, "text": line.removeprefix(f"{text.file}: ")}
    row, column, sentence = int(found[1]), int(found[2]), found[3]
    mistake: dict[str, Any] = {"line": row, "column": column, "text": sentence}
    for says, candidate in _cures(sentence, text.text, row, column):
        _, left = _settled(text._replace(text=candidate), overrides)
        if line not in left and len(left) <= len(_settled(text, overrides)[1]):
            return {**mistake, "fix": {"says": says, "text": candidate}}
    return mistake


def _cures(sentence: str, text: str, row: int, column: int) -> Iterator[tuple[str, str]]:
    """What the sentence proposes, put in the place of the word that it is about."""
    lines = text.split("\n")
    if row > len(lines):
        return
    start = sum(len(line) + 1 for line in lines[: row - 1]) + column - 1
    for pattern, says in _FIXES:
        for word in pattern.findall(sentence):
            quoted = text[start : start + 1]
            if quoted in ("'", '"'):
                end = text.find(quoted, start + 1) + 1 or len(text)
            else:
                match = _WORD.match(text, start)
                if match is None:
                    return
                end = match.end()
            yield says.format(word), f"{text[:start]}{word}{text[end:]}"
