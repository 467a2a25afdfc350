"""All that a report says, as typed facts: what `--json` prints and the page shows.

A section is a field here, its facts and how they are found are a module beside this one, and
`sections.py` shows it; docs/architecture.md lists what a new one touches.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from os.path import commonpath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlab.commands.report import classes
from nnlab.commands.report.calibration import judge_calibration
from nnlab.commands.report.cases import Case, case_of
from nnlab.commands.report.explained import explain_few
from nnlab.commands.report.facts import (
    ExplainedAnswers,
    Judged,
    OfClasses,
    OfLabels,
    OfNumbers,
    OfText,
)
from nnlab.commands.report.in_time.forecast import forecast_facts
from nnlab.commands.report.in_time.text import TextCase, scores_of_text, text_facts
from nnlab.commands.report.intervals import CONFIDENCE, Floats
from nnlab.commands.report.learned.record import how_it_learned, how_they_learned
from nnlab.commands.report.noise_inputs import sureness_on_noise
from nnlab.commands.report.regression import describe_columns, worst_predicted
from nnlab.commands.report.report import (
    ComparedClass,
    ComparedRun,
    JudgedRun,
    RunReport,
    RunsReport,
    Scored,
)
from nnlab.commands.report.scores import compare_pairs, scores_of_case
from nnlab.config.loading import load_config
from nnlab.core.errors import ConfigError
from nnlab.core.package import package_version
from nnlab.runs.finished.ensemble import different_rows
from nnlab.runs.finished.reopen import Opened
from nnlab.runs.folder import looks
from nnlab.runs.folder.looks import LookCounts
from nnlab.runs.folder.summary import read_summary

_FORMAT = 1


def report_run(case: Case | TextCase) -> RunReport:
    """Judges one run; a look at the test split is counted.

    Raises:
        CheckpointError: its record cannot be read.
    """
    return RunReport(
        about=_about([case]),
        run=_head(case.opened),
        scores=_scores_of(case),
        answers=_answers_of(case),
        looks=_count_looks([case]),
        explained=_explained(case),
        learning=how_it_learned(case.opened),
        config=_config_text(case.opened.run),
    )


def _explained(case: Case | TextCase) -> ExplainedAnswers | None:
    # Of a text the answer behind the last step of a window is explained.
    losses = case.losses[:, -1] if isinstance(case, TextCase) else case.losses
    return explain_few(case.opened, case.split, losses)


def _answers_of(case: Case | TextCase) -> OfClasses | OfLabels | OfNumbers | OfText:
    if isinstance(case, TextCase):
        return OfText(text_facts(case))
    task = case.opened.experiment.shape.task
    of = {"classes": _of_classes, "labels": _of_labels, "regression": _of_numbers}[task]
    return of(case)


def _scores_of(case: Case | TextCase) -> list[Scored]:
    return scores_of_text(case) if isinstance(case, TextCase) else scores_of_case(case)


def report_runs(cases: Sequence[Case | TextCase]) -> RunsReport:
    """Judges several runs side by side; a look at the test split is counted for each.

    Raises:
        CheckpointError: the record of one cannot be read.
        ConfigError: they do not answer the same examples.
    """
    refuse_others(cases)
    scores = [{one.key: one for one in _scores_of(case)} for case in cases]
    names = labels_of([case.opened.run for case in cases])
    task = cases[0].opened.experiment.shape.task
    right = None
    rows = [case for case in cases if isinstance(case, Case)]
    if task != "regression" and rows:
        same = [case.actual == case.predicted for case in rows]
        right = [one.all(axis=1) if task == "labels" else one for one in same]
    return RunsReport(
        about=_about(cases),
        runs=[
            ComparedRun(name, _head(case.opened), [*found.values()])
            for name, case, found in zip(names, cases, scores, strict=True)
        ],
        pairs=compare_pairs(names, scores, right),
        classes=_side_by_side(rows) if task != "regression" and rows else None,
        looks=_count_looks(cases),
        learning=how_they_learned([case.opened for case in cases], names),
    )


def _count_looks(cases: Sequence[Case | TextCase]) -> LookCounts | None:
    if cases[0].split != "test":
        return None
    for case in cases:
        looks.count_look(case.opened.run, case.opened.examples, command="report")
    return looks.looks_so_far([case.opened.run for case in cases])


def labels_of(runs: Sequence[Path]) -> list[str]:
    """Short names that differ: the paths from the folder above the one that all share."""
    whole = [run.absolute() for run in runs]
    shared = Path(commonpath([run.parent for run in whole]))
    return [run.relative_to(shared.parent).as_posix() for run in whole]


def _about(cases: Sequence[Case | TextCase]) -> Judged:
    opened, split = cases[0].opened, cases[0].split
    shape = opened.experiment.shape
    return Judged(
        format=_FORMAT,
        split=split,
        samples=len(cases[0].losses),
        task=shape.task,
        names=shape.classes,
        data=opened.experiment.config.data.called,
        digest=opened.examples.digest,
        confidence=CONFIDENCE,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        nnlab=package_version(),
        device=str(opened.device),
        target_columns=_target_names(opened),
    )


def _target_names(opened: Opened) -> tuple[str, ...]:
    """The columns that a regression predicts, as far as the data call them something."""
    shape = opened.experiment.shape
    if shape.task != "regression":
        return ()
    found: Any = getattr(opened.experiment.config.data, "target", None)
    names: tuple[str, ...] = (found,) if isinstance(found, str) else tuple(found or ())
    if len(names) == shape.outputs:
        return names
    if shape.outputs == 1:
        return ("target",)
    word = "target" if opened.examples.windows is None else "step"
    return tuple(f"{word} {k + 1}" for k in range(shape.outputs))


def _head(opened: Opened) -> JudgedRun:
    experiment, summary = opened.experiment, read_summary(opened.run)
    config = experiment.config
    return JudgedRun(
        folder=opened.name,
        name=summary.name,
        status=summary.status,
        step=opened.step,
        epoch=opened.step / experiment.per_epoch,
        epochs=summary.epochs,
        chosen_by=summary.monitor,
        seed=summary.seed,
        parameters=summary.parameters,
        network=_network(opened),
        loss=experiment.loss.kind,
        optimizer=f"{config.optimizer.kind}, lr {config.optimizer.lr:g}",
        batch_size=config.train.batch_size,
        schedule=config.schedule.kind,
        sizes=experiment.shape.sizes,
    )


def _network(opened: Opened) -> str:
    """`mlp 784-16-16-10`, as far as it is a short chain."""
    design, model = opened.experiment.design, opened.experiment.config.model
    widths = [plan.output[-1] for plan in design.plans if plan.parameters and not plan.children]
    flat = all(len(plan.output) == 1 for plan in design.plans if plan.parameters)
    if not flat or len(widths) > 8:
        return model.kind
    first = int(np.prod(opened.experiment.shape.inputs))
    return f"{model.kind} {'-'.join(map(str, (first, *widths)))}"


def _of_classes(case: Case) -> OfClasses:
    matrix = classes.confusion_counts(case)
    p = case.probabilities
    return OfClasses(
        classes=classes.measures_per_class(case),
        confusion=matrix.tolist(),
        confused_pairs=classes.confused_pairs(matrix, case.opened.experiment.shape.classes),
        curves=classes.class_curves(case),
        worst=classes.worst_classified(case),
        mistakes=int(len(case.losses) - np.trace(matrix)),
        calibration=None if p is None else judge_calibration(p, case.actual, _fitting(case)),
        meaningless_inputs=sureness_on_noise(case),
    )


def _of_labels(case: Case) -> OfLabels:
    return OfLabels(
        classes=classes.measures_per_class(case),
        curves=classes.class_curves(case),
        worst=classes.worst_labels(case),
        mistakes=int((case.actual != case.predicted).any(axis=1).sum()),
        meaningless_inputs=sureness_on_noise(case),
    )


def _of_numbers(case: Case) -> OfNumbers:
    return OfNumbers(describe_columns(case), worst_predicted(case), forecast_facts(case))


def _fitting(case: Case) -> tuple[Floats, NDArray[np.int64]] | None:
    """Probabilities and classes of the validation split, which a temperature is fitted on."""
    if "validation" not in case.opened.examples.rows:
        return None
    other = case if case.split == "validation" else case_of(case.opened, "validation")
    assert other.probabilities is not None  # the network and its loss are those of `case`
    return other.probabilities, other.actual


def _side_by_side(cases: Sequence[Case]) -> list[ComparedClass]:
    found = [classes.measures_per_class(case) for case in cases]
    return [
        ComparedClass(rows[0].class_, rows[0].support, tuple(row.f1 for row in rows))
        for rows in zip(*found, strict=True)
    ]


def refuse_others(cases: Sequence[Case | TextCase]) -> None:
    """Refuses runs that do not answer the same examples, or not the same question.

    Raises:
        ConfigError: saying which two, and what differs.
    """
    first = cases[0]
    for other in cases[1:]:
        pair = f"--report: {first.opened.name} and {other.opened.name}"
        if other.opened.examples.digest != first.opened.examples.digest:
            raise ConfigError(f"{pair} have different data (SHA-256 differs)")
        if not np.array_equal(other.rows, first.rows):
            raise ConfigError(f"{pair} {different_rows(first.split)}")
        one, two = (case.opened.experiment.shape for case in (first, other))
        if (one.task, one.outputs) != (two.task, two.outputs):
            raise ConfigError(f"{pair} have different targets ({one.task}, {two.task})")


def _config_text(run: Path) -> str:
    """The whole config of a run, as its folder holds it."""
    from nnlab.config.run_config import dump_config

    return dump_config(load_config(run / "config.yaml"))
