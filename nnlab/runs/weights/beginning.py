"""`model.from` of an experiment: the file that is meant, what of it fits, what a run notes."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlab.core.contracts import Examples
from nnlab.core.errors import ConfigError, NnlabError
from nnlab.runs.folder.pointers import pointed_to

# What reads weights is imported where a config has `model.from`: most have none, and `nnlab check`
# of such a config would wait for NumPy.
if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment
    from nnlab.runs.weights.find_weights import WeightsFile
    from nnlab.runs.weights.match_weights import Matched

_ROWS = 64
"""Training rows on which the scale is compared."""


def with_first_weights(experiment: "Experiment", run: Path) -> "Experiment":
    """The experiment of a run that has begun, with the checkpoint of its first weights."""
    folder = run / "checkpoints"
    if experiment.config.model.begin is None or pointed_to(folder, "init") is None:
        return experiment
    return replace(experiment, first_weights=folder)


def beginning_of(experiment: "Experiment") -> "tuple[WeightsFile, Matched] | None":
    """The file that a network begins from, and what of it fits; None without `from`.

    Raises:
        ConfigError: there is no such file, or it does not fit.
    """
    model = experiment.config.model
    begin = model.begin
    if begin is None:
        return None
    from nnlab.runs.weights.find_weights import find_weights
    from nnlab.runs.weights.match_weights import match_weights

    key = next(name for name in ("weights", "run", "name") if getattr(begin, name) is not None)
    try:
        file = find_weights(begin, experiment.place)
        return file, match_weights(model, experiment.design, begin, file)
    except ConfigError as error:
        first, *rest = error.lines
        raise ConfigError([f"model.from.{key}: {first}", *(f"  {line}" for line in rest)]) from None


def beginning_facts(experiment: "Experiment", examples: Examples) -> dict[str, Any]:
    """What env.json keeps of the file of first weights; {} where none is named, or it is gone."""
    try:
        taken = beginning_of(experiment)
    except NnlabError:
        return {}
    if taken is None:
        return {}
    file, matched = taken
    return {
        "file": str(file.path.absolute()),
        "title": file.title,
        "sha256": file.digest(),
        "tensors": len(matched.pairs),
        "fresh": list(matched.fresh),
        "unused": list(matched.unused[:20]),
        "expects": None if file.expects is None else file.expects.said,
        "scale": "" if file.expects is None else file.expects.name,
        "scale_off": _scale_off(file, examples),
    }


def _scale_off(file: "WeightsFile", examples: Examples) -> float | None:
    """How far the inputs are from the scale that the weights expect."""
    import numpy as np

    from nnlab.runs.weights.input_scale import scale_difference

    if file.expects is None or not isinstance(examples.inputs, np.ndarray):
        return None
    rows = examples.rows["train"][:_ROWS]
    return scale_difference(
        file.expects, examples.shift, examples.factor, examples.own(examples.inputs[rows])
    )


def beginning_notes(facts: dict[str, Any], *, limit: float) -> list[str]:
    """What a user should know when a run begins, in sentences.

    Args:
        facts: of `beginning_facts`.
        limit: deviations from the expected scale from which on it is told.
    """
    if not facts:
        return []
    fresh = f", {', '.join(facts['fresh'])} anew" if facts["fresh"] else ""
    notes = [f"begins from {facts['title']}: {facts['tensors']} tensors{fresh}"]
    if facts["unused"]:
        names = ", ".join(facts["unused"][:4])
        notes.append(f"not taken from {facts['title']}: {names}")
    off = facts["scale_off"]
    if off is not None and off > limit:
        notes.append(
            f"the weights expect {facts['expects']}; the inputs differ from that by {off:.2g} "
            "deviations (data.scale)"
        )
    return notes
