"""What `nnlab show` says of a comparison before its first variant."""

from collections.abc import Mapping
from typing import Any

from nnlab.described import plain_text
from nnlab.experiment import Experiment
from nnlab.group import Group
from nnlab.printing import grid, rendered


def group_facts(group: Group, experiments: Mapping[str, Experiment]) -> dict[str, Any]:
    """The comparison, as `--json` prints it."""
    variants = group.comparison.variants or {}
    return {
        "runs": [member.name for member in group.members],
        "variants": {
            name: {
                "differences": {key: plain_text(value) for key, value in own.items()},
                "parameters": experiments[name].design.parameters,
            }
            for name, own in variants.items()
        },
        "expect": [f"{e.sides}: {e.quantity} {e.bound}" for e in group.expectations],
    }


def group_page(group: Group, experiments: Mapping[str, Experiment]) -> str:
    """The variants with their differences, the seeds, what is expected."""
    facts = group_facts(group, experiments)
    seeds = sorted({member.seed for member in group.members})
    rows = [
        (
            name,
            f"{facts['variants'][name]['parameters']:,}",
            ", ".join(f"{k}: {v}" for k, v in facts["variants"][name]["differences"].items()),
        )
        for name in facts["variants"]
    ]
    parts: list[Any] = [f"{group.name}: {len(group.members)} runs, seeds {plain_text(seeds)}", ""]
    if rows:
        parts += [grid(rows, head=("variant", "parameters", "differs in"), right=(1,)), ""]
    parts += [f"expects {line}" for line in facts["expect"]]
    first = f" (that of {next(iter(experiments))})" if rows else ""
    return rendered(*parts, f"what a run trains{first}:", "")
