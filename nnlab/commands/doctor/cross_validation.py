"""What networks answer of training rows that they have not seen: the run is made again in parts.

A network learns rows by heart, those with wrong labels too, and then answers them as they are
labelled. One that was trained without a row cannot have done so: cross-validation (Stone 1974), as
Northcutt, Jiang & Chuang 2021, arXiv:1911.00068, use it to find wrong labels.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from nnlab.commands.doctor.replay import without_compiler
from nnlab.core.contracts import Examples
from nnlab.diagnosis.evidence.facts import ExampleRecord, Unseen
from nnlab.diagnosis.evidence.label_places import special_place
from nnlab.experiment.auto import step_flops
from nnlab.experiment.experiment import Experiment
from nnlab.runs.building.build import BuiltRun, build_trainer
from nnlab.runs.building.row_answers import row_answers
from nnlab.training import device as devices

FOLDS = 4
MOST_STEPS, MOST_FLOPS = 20_000, 2e12
"""In all folds together: a minute on two cores."""


def predict_unseen(
    experiment: Experiment, examples: Examples, record: ExampleRecord, *, until: int
) -> Unseen | None:
    """Trains the experiment again on the CPU, once for each quarter of its rows without that one.

    Each of these networks makes as many updates as the run did until it had learned what examples
    have in common. Nothing is written.

    Args:
        experiment: of the run, whose targets are classes.
        examples: its data.
        record: of its training examples; margins are taken at the same moments.
        until: the step up to which it learned what examples have in common.

    Returns:
        None where no gradient is followed, where the run was best before its first update, where it
        would take too long, where too few rows are left for a batch, or where the data are not
        those of the record any more.
    """
    moments: list[int] = [step for step in record.steps[record.used(until)].tolist() if step]
    if not moments or not _short(experiment, moments[-1]) or not _same(examples, record):
        return None
    fold = folds(record.labels)
    kept: list[dict[str, np.ndarray]] = []
    device = torch.device("cpu")
    with (
        devices.torch_settings(threads=experiment.threads, deterministic=False),
        devices.own_generator(device),
    ):
        for number in _shown(range(FOLDS)):
            left = fold == number
            rows = {**examples.rows, "train": record.rows[~left]}
            part = replace(examples, rows=rows)
            built = build_trainer(without_compiler(experiment), part, device)
            try:
                kept.append(_trained(experiment, part, built, record.rows[left], moments))
            finally:
                built.source.close()
    back = np.argsort(np.argsort(fold, kind="stable"), kind="stable")
    losses, margins, sure, predicted = (
        np.concatenate([one[key] for one in kept], axis=-1)[..., back]
        for key in ("losses", "margins", "sure", "predicted")
    )
    held, held_sure = (
        np.stack([one[key] for one in kept]) if key in kept[0] else None
        for key in ("held", "held_sure")
    )
    unseen = Unseen(losses, margins, sure, predicted, held, held_sure)
    return replace(unseen, special_place=special_place(examples, record.rows, unseen))


def folds(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) which fold each row is in: of each class as many in each, drawn always alike."""
    mixed = np.random.default_rng(0).permutation(len(labels))
    by_class = mixed[np.argsort(labels[mixed], kind="stable")]
    found = np.empty(len(labels), np.int64)
    found[by_class] = np.arange(len(labels)) % FOLDS
    return found


def _shown(numbers: Sequence[int]) -> Iterable[int]:
    """With a progress bar, where there is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    told = "training networks that do not see the suspected rows"
    return track(numbers, told, console=console, transient=True, disable=not console.is_terminal)


def _short(experiment: Experiment, steps: int) -> bool:
    config, size = experiment.config, experiment.shape.sizes["train"]
    work = FOLDS * steps * step_flops(experiment.design, experiment.batch_size)
    followed = config.rule.optimized and config.model.learns
    left = size - -(-size // FOLDS)
    batch = left if config.train.batch_size == "full" else config.train.batch_size
    enough = left >= batch or not config.train.drop_last
    return followed and enough and FOLDS * steps <= MOST_STEPS and work <= MOST_FLOPS


def _same(examples: Examples, record: ExampleRecord) -> bool:
    rows = examples.rows["train"]
    return np.array_equal(rows, record.rows) and np.array_equal(
        examples.targets[rows], record.labels
    )


def _trained(
    experiment: Experiment,
    part: Examples,
    built: BuiltRun,
    left: NDArray[np.int64],
    moments: Sequence[int],
) -> dict[str, np.ndarray]:
    """What a network says of the rows that were left out, over the moments of its training."""
    trainer, seen = built.trainer, []
    asked = built.network, built.source
    for step in range(moments[-1]):
        epoch, position = divmod(step, trainer.order.per_epoch)
        rows = trainer.order.batches(epoch)[position]
        trainer.fill(step)
        # The last batch of an epoch has another size without these rows; one row has no deviation.
        if len(rows) > 1 or experiment.config.train.batch_size == 1:
            trainer.announce([rows])
            built.step.update(rows)
        if step + 1 in moments:
            found = row_answers(experiment, part, *asked, left)
            if "validation" in part.rows:
                held = row_answers(experiment, part, *asked, part.rows["validation"])
                found |= {"held": held["margins"], "held_sure": held["sure"]}
            seen.append(found)
    means = {k: np.mean([one[k] for one in seen], axis=0) for k in seen[0] if k != "predicted"}
    return {**means, "predicted": np.stack([one["predicted"] for one in seen])}
