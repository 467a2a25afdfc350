"""The runs that are compared: what each folder holds, and how to call it in a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnlab.comparison.result import Curve, curves_of
from nnlab.config.run_config import RunConfig, to_plain
from nnlab.core.errors import CheckpointError, ConfigError
from nnlab.runs.finished.reopen import of_run
from nnlab.runs.folder.data_json import read_data
from nnlab.runs.folder.find import find_run, in_use, is_comparison, members_of, read_comparison_file
from nnlab.runs.folder.folder import flat_tree, read_env
from nnlab.runs.folder.metrics import read_history
from nnlab.runs.folder.summary import Summary, read_summary


@dataclass(frozen=True, slots=True)
class Side:
    """One of the runs.

    Attributes:
        label: what the tables call it; the shortest end of its path that tells it apart.
        folder: of the run.
        variant: what its variant is called in the comparison that it belongs to, else empty.
        config: settled, as it was trained.
        fields: the config by dotted keys.
        summary: what it has reached.
        history: its readings.
        curves: the same by TensorBoard's tag.
        digest: SHA-256 of its data.
        sizes: examples of each split; empty for a run of an older nnlab.
    """

    label: str
    folder: Path
    variant: str
    config: RunConfig
    fields: Mapping[str, Any]
    summary: Summary
    history: Sequence[Mapping[str, Any]]
    curves: Mapping[str, Curve]
    digest: str
    sizes: Mapping[str, int]

    @property
    def status(self) -> str:
        """How it ended; `running`, or `killed` where no process trains it any more."""
        left = self.summary.status == "running" and not in_use(self.folder)
        return "killed" if left else self.summary.status

    @property
    def seed(self) -> int | str:
        """The seed; all of them in words where each purpose has its own."""
        seed = self.config.seed
        if isinstance(seed, int):
            return seed
        own = {name: value for name, value in seed.model_dump().items() if value is not None}
        return ", ".join(f"{name} {value}" for name, value in own.items())

    @property
    def better(self) -> dict[str, bool]:
        """What is measured -> whether higher is better."""
        scores = () if isinstance(self.config.scores, str) else self.config.scores
        return {"loss": False, **{score.key: score.higher_is_better for score in scores}}


def gather_runs(runs: Sequence[str]) -> list[Side]:
    """The runs that are meant, each once; of a comparison its members.

    Args:
        runs: as RUN says it.

    Raises:
        ConfigError: there is no such run, or fewer than two.
        CheckpointError: the folder of one cannot be read.
    """
    found: dict[Path, tuple[Path, str]] = {}
    for name in runs:
        folder = find_run(name)
        variants = _variants(folder)
        for member in members_of(folder):
            found.setdefault(member.resolve(), (member, variants.get(member.name, "")))
    if len(found) < 2:
        got = "one run" if found else "none that has begun"
        way = "name another, or a comparison; nnlab runs lists them"
        raise ConfigError(f"compare: needs two runs or more, got {got} ({way})")
    labels = _labels(list(found))
    return [
        _side(member, label, variant)
        for label, (member, variant) in zip(labels, found.values(), strict=True)
    ]


def _variants(folder: Path) -> dict[str, str]:
    """Member -> variant of a comparison; nothing for a run."""
    if not is_comparison(folder):
        return {}
    members: dict[str, Any] = read_comparison_file(folder)["members"]
    return {name: str(entry.get("variant", "")) for name, entry in members.items()}


def _labels(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart: relu-s0, iris/3, old/iris/3."""
    # A bare number says nothing.
    counts = [2 if folder.name.isdigit() else 1 for folder in folders]
    while True:
        found = ["/".join(f.parts[-n:]) for f, n in zip(folders, counts, strict=True)]
        if len(set(found)) == len(found):
            return found
        counts = [n + (found.count(one) > 1) for n, one in zip(counts, found, strict=True)]


def _side(folder: Path, label: str, variant: str) -> Side:
    summary = read_summary(folder)
    try:
        history = read_history(folder / "metrics.jsonl")
    except FileNotFoundError:
        history = []
    if not history:
        raise CheckpointError(f"{folder}: has no readings (wait until it trains, or leave it out)")
    config = of_run(folder)
    return Side(
        label=label,
        folder=folder,
        variant=variant,
        config=config,
        fields=flat_tree(to_plain(config)),
        summary=summary,
        history=history,
        curves=curves_of(history),
        digest=str(read_env(folder).get("data", "")),
        sizes=_sizes(folder),
    )


def _sizes(folder: Path) -> dict[str, int]:
    return dict(read_data(folder)["sizes"]) if (folder / "data.json").exists() else {}
