"""Ensembles: what several runs reach together on one split, by averaging and by voting."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nnlab.core.contracts import Batch, Examples, Split
from nnlab.core.errors import ConfigError, DivergedError
from nnlab.core.text import short_path
from nnlab.experiment.experiment import Experiment
from nnlab.parts.losses.family import LossConfig
from nnlab.runs.building.build import scores_of
from nnlab.runs.finished.outputs import split_answers
from nnlab.runs.finished.reopen import open_run
from nnlab.runs.folder import looks
from nnlab.runs.folder.looks import LookCounts
from nnlab.training import device as devices
from nnlab.training.sources import targets_of


class EnsembleMember(NamedTuple):
    """A run and what it says of every example of the split.

    Attributes:
        name: its folder, short.
        experiment: settled.
        examples: the data, which are those of every member.
        outputs: (N, K) float64, on the CPU.
    """

    name: str
    experiment: Experiment
    examples: Examples
    outputs: Tensor


def evaluate_together(
    runs: Sequence[Path], *, split: Split = "test", device: str = "auto"
) -> dict[str, Any]:
    """The scores of each run, of their averaged predictions and, for classes, of their votes.

    Probabilities are averaged where the losses give some, else the outputs. A vote goes to the
    greatest output; where votes are equal, the average decides. Hansen & Salamon 1990,
    doi:10.1109/34.58871; Dietterich 2000, doi:10.1007/3-540-45014-9_1.

    A look at the test split is counted for each member (`looks`).

    Returns:
        {"split", "samples", "members": [{"run", "loss", ...}], "mean", "average", "vote", "gain"};
        a gain is positive where the ensemble is better than the members' mean, or than the best.

    Raises:
        ConfigError: the runs do not share data, split and the form of their outputs.
        DivergedError: a member's loss is not finite.
    """
    _refuse_twice(runs)
    chosen, _ = devices.choose_device(device)
    members = [_member(run, split, chosen) for run in runs]
    _refuse_others(members, split)
    first = members[0]
    rows = torch.from_numpy(first.examples.rows[split])
    targets = targets_of(first.examples, torch.float64).index_select(0, rows)
    alone = [_scores(member, member.outputs, targets) for member in members]
    for member, values in zip(members, alone, strict=True):
        if not np.isfinite(values["loss"]):
            raise DivergedError(f"{member.name}: the {split} loss is not finite")
    if split == "test":
        for run, member in zip(runs, members, strict=True):
            looks.count_look(run, member.examples, command="ensemble")
    higher = {score.key for score in first.experiment.scores if score.higher_is_better}
    shared = [key for key in alone[0] if all(key in values for values in alone)]
    together = _together(members, targets, shared)
    mean = {key: sum(values[key] for values in alone) / len(alone) for key in shared}
    best = {key: (max if key in higher else min)(values[key] for values in alone) for key in shared}
    gain = {how: _gain(found, mean, best, higher) for how, found in together.items()}
    names = [{"run": m.name, **values} for m, values in zip(members, alone, strict=True)]
    head = {"split": split, "samples": len(rows), "members": names, "mean": mean, "best": best}
    return {**head, **together, "gain": gain}


def _gain(
    found: Mapping[str, float],
    mean: Mapping[str, float],
    best: Mapping[str, float],
    higher: set[str],
) -> dict[str, dict[str, float]]:
    """By how much an ensemble is better than its members' mean and best; of a loss, lower."""
    return {
        over: {k: (v - base[k]) * (1 if k in higher else -1) for k, v in found.items()}
        for over, base in (("over_mean", mean), ("over_best", best))
    }


def _refuse_twice(runs: Sequence[Path]) -> None:
    places = [run.resolve() for run in runs]
    twice = next((run for run in runs if places.count(run.resolve()) > 1), None)
    if twice is not None:
        text = "is given twice, an ensemble needs different runs"
        raise ConfigError(f"{short_path(twice)}: {text} (a comparison stands for all of its runs)")


def _member(run: Path, split: Split, device: torch.device) -> EnsembleMember:
    opened = open_run(run, split=split, device=device)
    outputs = split_answers(opened, split).outputs
    return EnsembleMember(opened.name, opened.experiment, opened.examples, outputs)


def _refuse_others(members: Sequence[EnsembleMember], split: Split) -> None:
    first = members[0]
    for other in members[1:]:
        pair = f"{first.name} and {other.name}"
        if other.examples.digest != first.examples.digest:
            raise ConfigError(f"{pair}: have different data (SHA-256 differs)")
        if not np.array_equal(other.examples.rows[split], first.examples.rows[split]):
            raise ConfigError(f"{pair}: {different_rows(split)}")
        one, two = first.experiment.loss, other.experiment.loss
        if _gives_probabilities(one) != _gives_probabilities(two) or (
            not _gives_probabilities(one) and one.kind != two.kind
        ):
            raise ConfigError(f"{pair}: outputs of {one.kind} and {two.kind} cannot be averaged")


def different_rows(split: Split) -> str:
    """What is wrong with two runs of the same data whose split has other rows, and which fields."""
    fields = "data.validation, data.test, data.limit" if split == "train" else f"data.{split}"
    return f"have different {split} rows ({fields} or data.split_seed differ)"


def _gives_probabilities(loss: LossConfig) -> bool:
    return loss.probabilities(torch.zeros(1, 2)) is not None


def _scores(member: EnsembleMember, outputs: Tensor, targets: Tensor) -> dict[str, float]:
    """The loss and the scores of outputs, as this member's config measures them."""
    batch = Batch(outputs, targets, torch.arange(len(targets)))
    losses = member.experiment.loss.build(member.experiment.shape)(outputs, batch)
    scores = scores_of(member.experiment, member.examples)
    measured = {
        k: s.value(s.sums(outputs, batch).tolist(), len(targets)) for k, s in scores.items()
    }
    return {"loss": float(losses.mean(dtype=torch.float64)), **measured}


def _together(
    members: Sequence[EnsembleMember], targets: Tensor, shared: Sequence[str]
) -> dict[str, dict[str, float]]:
    """What the averaged predictions reach, and for classes the votes."""
    first = members[0]
    loss, shape = first.experiment.loss, first.experiment.shape
    predictions = torch.stack([_prediction(member) for member in members])
    average = predictions.mean(dim=0)
    found = _scores(first, _as_outputs(average, loss, shape), targets)
    if any(member.experiment.loss != loss for member in members):
        del found["loss"]
    together = {"average": {key: found[key] for key in shared if key in found}}
    if shape.task == "classes":
        votes = torch.nn.functional.one_hot(predictions.argmax(dim=2), average.shape[1])
        # Less than one vote: decides only where votes are equal.
        ballot = votes.double().sum(dim=0) + 0.5 * average.sigmoid()
        found = _scores(first, ballot[:, 1:] - ballot[:, :1] if _single(first) else ballot, targets)
        together["vote"] = {key: found[key] for key in shared if key != "loss"}
    return together


def _single(member: EnsembleMember) -> bool:
    """Whether one output stands for two classes."""
    return member.outputs.shape[1] == 1 and member.experiment.shape.task == "classes"


def _prediction(member: EnsembleMember) -> Tensor:
    """(N, K): probabilities where the loss gives some, else the outputs; always one per class."""
    found = member.experiment.loss.probabilities(member.outputs)
    if found is not None and member.experiment.shape.task == "classes":
        return found
    return torch.cat([-member.outputs, member.outputs], 1) if _single(member) else member.outputs


def _as_outputs(average: Tensor, loss: LossConfig, shape: Any) -> Tensor:
    """The outputs of a network that would predict this."""
    single = shape.task == "classes" and loss.outputs(shape) == 1
    if not _gives_probabilities(loss) or shape.task != "classes":
        return average[:, 1:] if single else average
    # The least positive float64, so that a probability of 0 costs much and not infinity.
    tiny = torch.finfo(average.dtype).tiny
    if loss.link == "softmax":
        return average.clamp_min(tiny).log()
    chosen = average[:, 1:] if single else average
    other = average[:, :1] if single else 1.0 - average
    return chosen.clamp_min(tiny).log() - other.clamp_min(tiny).log()


def ensemble_report(runs: Sequence[Path], *, split: Split, device: str, as_json: bool) -> str:
    """What `evaluate_together` gives, as a table or as one JSON object."""
    found = evaluate_together(runs, split=split, device=device)
    if split == "test":
        found["looks"] = looks.looks_so_far(runs)._asdict()
    return json.dumps(found) + "\n" if as_json else _page(found)


def _page(found: Mapping[str, Any]) -> str:
    from nnlab.core.text import render_text, text_grid

    keys = [*found["mean"]]

    def row(name: str, values: Mapping[str, float], sign: str = "") -> tuple[str, ...]:
        return (name, *(f"{values[k]:{sign}#.4g}" if k in values else "" for k in keys))

    rows = [row(member["run"], member) for member in found["members"]]
    rows.append(row("mean of the members", found["mean"]))
    for how in ("average", "vote"):
        if how in found:
            gain = found["gain"][how]
            rows.append(row(f"ensemble, {how}", found[how]))
            rows.append(row("  better than the mean by", gain["over_mean"], "+"))
            rows.append(row("  better than the best by", gain["over_best"], "+"))
    head = (f"{found['samples']:,} {found['split']} examples", *keys)
    parts = [text_grid(rows, head=head, right=range(1, len(head)), whole=(0,))]
    if "looks" in found:
        parts += [LookCounts(**found["looks"]).sentence]
    return render_text(*parts)
