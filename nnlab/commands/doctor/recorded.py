"""What is wrong with a run that has been trained, from what it recorded."""

from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from nnlab.commands.doctor.allowance import SHARE, Allowance, Ask
from nnlab.commands.doctor.cross_validation import FOLDS, predict_unseen
from nnlab.commands.doctor.listed_rows import with_batch, with_outliers, with_suspects
from nnlab.commands.doctor.remedied import try_remedies
from nnlab.commands.doctor.reopened import Reopened, reopen_for_doctor
from nnlab.commands.doctor.replay import Broken, replay_updates, updates_to_replay
from nnlab.commands.doctor.report import Column, DoctorReport
from nnlab.commands.doctor.trials import Trials, update_seconds
from nnlab.core.contracts import Examples
from nnlab.core.errors import CheckpointError
from nnlab.core.finding import Finding
from nnlab.core.text import short_path
from nnlab.diagnosis.checks.label_noise import label_noise_finding, suspect_labels
from nnlab.diagnosis.checks.scores import rests_on_chance, told_by_unseen
from nnlab.diagnosis.checks.signal import per_weight
from nnlab.diagnosis.evidence.begun import begun_of
from nnlab.diagnosis.evidence.facts import Facts, Unseen
from nnlab.diagnosis.evidence.history import HistoryPoint
from nnlab.diagnosis.evidence.survey.survey import survey_seconds
from nnlab.diagnosis.watcher import CHECKS, Looked, Watcher
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.handed import NOTHING, Handed, held_sections
from nnlab.runs.building.build import source_of
from nnlab.runs.finished.forgetting import with_forgotten
from nnlab.runs.finished.reopen import restore_with_step
from nnlab.runs.folder.checkpoint import newest_checkpoint
from nnlab.runs.folder.examples import record_of
from nnlab.runs.folder.find import find_run, members_of
from nnlab.runs.folder.folder import read_env
from nnlab.runs.folder.summary import Summary, read_summary
from nnlab.runs.observers.findings import facts_of, read_findings
from nnlab.runs.observers.network_facts import (
    look_at_outputs,
    look_at_places,
    look_at_weights,
    look_at_writing,
    record_at,
)

_COLUMNS = (
    Column("gradient", "gradient"),
    Column("at start", "gradient_at_start"),
    Column("update", "update_ratio"),
    Column("spread", "activation_std"),
    Column("dead", "dead_units", ".0%"),
    Column("saturated", "saturated", ".0%"),
)
_READ = {
    "update_ratio": "update_ratio",
    "activation_std": "activation_std",
    "dead_units": "dead_units",
    "saturated": "saturated",
}


def examine_all(
    run: str,
    *,
    trials: bool = True,
    ask: Ask | None = None,
    whole: bool = True,
    note: Callable[[str], None] | None = None,
) -> list[DoctorReport]:
    """What is wrong with a run; with each run of a comparison.

    Args:
        run: as RUN says it.
        trials: whether remedies are tried on copies of the run; of a comparison none are.
        ask: puts the question whether more may be spent than a share of the training.
        whole: whether all may be spent unasked.
        note: gets what all of it cost, where that is more than the share and nobody agreed to it.

    Raises:
        ConfigError: there is no such run.
        CheckpointError: its records cannot be read.
        DataError: its data are not there any more, or are others.
    """
    folders = members_of(find_run(run))
    training = sum(_seconds(read_summary(folder)) for folder in folders)
    allowance = Allowance(training, ask=ask, whole=whole)
    trials = trials and len(folders) == 1
    reports = [examine_run(folder, trials=trials, allowance=allowance) for folder in folders]
    if note is not None and (over := allowance.overrun()):
        note(over)
    return reports


def examine_run(
    folder: Path,
    *,
    trials: bool = True,
    handed: Handed = NOTHING,
    allowance: Allowance | None = None,
) -> DoctorReport:
    """Judges all readings of a run once more, looks at its data, and tries what it advises.

    Args:
        folder: of the run; lists of rows are written there, nothing else.
        trials: whether remedies are tried on copies of the run.
        handed: what Python handed in to train it; without it the records are judged alone.
        allowance: what it may cost; None for all that it takes.
    """
    summary = read_summary(folder)
    allowance = allowance or Allowance(_seconds(summary), whole=True)
    opened = reopen_for_doctor(folder, handed)
    facts = _facts(folder, opened, allowance)
    _look_at_network(folder, facts, opened)
    history = _history(summary)
    watcher = Watcher(facts)
    watcher.replay(history)
    watcher.finish(summary.status)
    kept = [point for point in history if point["split"] == "train"]
    probed = [p for p in kept if any(key.startswith("weight_norm/") for key in p)]
    first, last = (probed[0], probed[-1]) if probed else ({}, {})
    detailed = _detailed(watcher, folder, facts, opened, summary.steps, allowance)
    tried = Trials(
        facts,
        opened.examples,
        history if trials else (),
        diverged=trials and summary.status == "diverged",
        allowance=allowance,
    )
    detailed += _only_recorded(folder, opened, detailed, watcher.looked())
    findings = try_remedies(watcher, detailed, facts, tried)
    told = allowance.told(f"nnlab doctor {quote(short_path(folder))}")
    return DoctorReport(
        about=_about(folder, summary, opened.experiment),
        findings=tuple(findings),
        columns=_COLUMNS,
        layers=_layers(facts, first, last),
        remarks=(*_remarks(first, last), *_cost(tried, summary), *told),
        looked=watcher.looked(),
        facts={"run": str(folder), "status": summary.status, "steps": summary.steps},
        command=f"nnlab train {_source(folder)}",
        handed=tuple(name for name, _ in held_sections(opened.experiment.config, handed)),
    )


def _seconds(summary: Summary) -> float:
    """That the training took, with what was measured along it."""
    seconds = summary.seconds
    made_ready = sum(seconds.get(name, 0.0) for name in ("startup", "build", "compile"))
    return max(seconds.get("train", 0.0), seconds.get("total", 0.0) - made_ready)


def _facts(folder: Path, opened: Reopened, allowance: Allowance) -> Facts:
    """What is known of the run beside its readings; of all its rows where that is affordable."""
    experiment, examples, record = opened.experiment, opened.examples, record_of(folder)
    if examples is None:
        facts = Facts(experiment, None, record, missing=opened.missing)
    else:
        doubles = allowance.affords("a look at all rows", survey_seconds(examples))
        facts = facts_of(experiment, examples, doubles=doubles, record=record)
    if (begun := begun_of(read_env(folder))) is not None:
        facts.begun = with_forgotten(begun, folder, experiment)
    return facts


def _look_at_network(folder: Path, facts: Facts, opened: Reopened) -> None:
    """The weights of the newest checkpoint; with data at hand, what the network makes of them."""
    if facts.experiment.shape.start or not facts.followed:
        return
    try:
        found = newest_checkpoint(folder / "checkpoints").checkpoint
    except CheckpointError:
        return
    if found is None:
        return
    weights = {
        key.removeprefix("model/"): tensor
        for key, tensor in found.tensors.items()
        if key.startswith("model/")
    }
    look_at_weights(facts, weights)
    if opened.complete and opened.examples is not None:
        network, step = restore_with_step(folder, opened.experiment)
        first = next(network.parameters())
        source = source_of(opened.examples, device=first.device, dtype=first.dtype)
        try:
            look_at_outputs(facts, opened.examples, network, source)
            look_at_places(facts, opened.examples, network, source)
            look_at_writing(facts, opened.examples, network)
            if facts.record is None:
                facts.record = record_at(opened.experiment, opened.examples, network, source, step)
        finally:
            source.close()


def _detailed(
    watcher: Watcher,
    folder: Path,
    facts: Facts,
    opened: Reopened,
    steps: int,
    allowance: Allowance,
) -> tuple[Finding, ...]:
    """The findings, with the rows that two of them are about."""
    found = dict(watcher.findings)
    examples = opened.examples
    if examples is None:
        return tuple(found.values())
    if found.pop("label_noise", None):
        labels = _labels(folder, facts, examples, watcher.best_step, allowance)
        found |= {labels.name: labels} if labels else {}
    score = found.get("no_better_than_baseline")
    if score is not None and rests_on_chance(score):
        told = "training networks that do not see a part of the rows"
        unseen = _unseen(facts, examples, watcher.best_step, allowance, told)
        if unseen is not None and facts.record is not None:
            found[score.name] = told_by_unseen(score, unseen, facts.record)
    if "outlier_rows" in found:
        assert facts.data is not None
        rows = facts.data.outliers
        found["outlier_rows"] = with_outliers(found["outlier_rows"], folder, rows)
    if "outlier_targets" in found:
        assert facts.data is not None
        assert facts.data.survey is not None
        survey = facts.data.survey
        far = survey.far_targets or survey.far_held_targets
        rows = sorted({row for one in far for row in one.rows})
        found["outlier_targets"] = with_outliers(found["outlier_targets"], folder, rows)
    followed = facts.followed and not facts.experiment.shape.start
    if "divergence" in found and followed and opened.complete:
        broken = _replayed(folder, facts, examples, steps, allowance)
        if broken is not None:
            outlying = found.get("outlier_rows")
            found["divergence"] = with_batch(found["divergence"], broken, outlying)
    return tuple(found.values())


def _only_recorded(
    folder: Path, opened: Reopened, found: Sequence[Finding], looked: Looked
) -> tuple[Finding, ...]:
    """What the run found while it had what is not at hand now.

    What is judged as the run goes on is judged anew from its readings: a phase may have passed.
    """
    if not opened.missing:
        return ()
    known = {finding.name for finding in found}
    at_end = {check.name for check in CHECKS if check.at_end}
    told = {finding.name: finding for finding in read_findings(folder)}
    return tuple(
        finding
        for name, finding in told.items()
        if name not in known and (name in looked.missed or name in at_end)
    )


def _replayed(
    folder: Path, facts: Facts, examples: Examples, steps: int, allowance: Allowance
) -> Broken | None:
    """The update that broke a run, where making its updates again is affordable."""
    again = updates_to_replay(folder, until=steps)
    seconds = 2.0 * again * update_seconds(facts.experiment, 0)  # each is measured before it
    if not again or not allowance.affords("making the last updates again", seconds):
        return None
    return replay_updates(folder, facts.experiment, examples, until=steps)


def _labels(
    folder: Path, facts: Facts, examples: Examples, until: int, allowance: Allowance
) -> Finding | None:
    """What is to be said of labels that the run contradicted, once others were asked.

    Where there is time for it, networks are trained that have not seen the rows; what they say
    counts then.
    """
    record = facts.record
    assert record is not None
    once = len(record.steps) == 1  # of the best checkpoint: nobody kept more
    first = suspect_labels(record, until, facts.limits) if once else None
    second = None
    if first is None or first.evidence:
        told = "training networks that do not see the suspected rows"
        second = _unseen(facts, examples, until, allowance, told)
    suspects = suspect_labels(record, until, facts.limits, second)
    if once and (second is None or not suspects.evidence):
        return None  # one moment alone, or rows of classes that overlap
    finding = label_noise_finding(suspects, facts)
    return None if finding is None else with_suspects(finding, folder, facts, suspects.rows)


def _unseen(
    facts: Facts, examples: Examples, until: int, allowance: Allowance, told: str
) -> Unseen | None:
    """What networks say of the training rows that were trained without them, where affordable."""
    record = facts.record
    # A module from Python has weights that have seen every row already.
    if record is None or record.margins is None or facts.handed:
        return None
    updates = FOLDS * int(record.steps[record.used(until)].max())
    if not allowance.affords(told, updates * update_seconds(facts.experiment, 0)):
        return None
    return predict_unseen(facts.experiment, examples, record, until=until)


def _history(summary: Summary) -> list[dict[str, Any]]:
    try:
        return summary.history
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{summary.run / 'metrics.jsonl'}: cannot be read: {error}") from None


def _about(folder: Path, summary: Summary, experiment: Experiment) -> tuple[str, ...]:
    config, size = experiment.config, experiment.design.parameters
    return (
        f"{short_path(folder)}: {summary.status.replace('_', ' ')}, {summary.steps:,} steps",
        f"{config.model.kind} of {size:,} parameters on {config.data.called}, "
        f"{config.optimizer.kind}, lr {config.optimizer.lr:g}",
    )


def _layers(
    facts: Facts, first: dict[str, Any], last: dict[str, Any]
) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for layer in facts.layers if last else ():
        row: dict[str, float | None] = {
            "gradient": per_weight(HistoryPoint(0, last), layer),
            "gradient_at_start": per_weight(HistoryPoint(0, first), layer),
        }
        for name, key in _READ.items():
            row[name] = last.get(f"{key}/{layer.weight}", last.get(f"{key}/{layer.key}"))
        found[layer.name] = row
    return found


def _remarks(first: dict[str, Any], last: dict[str, Any]) -> tuple[str, ...]:
    if not last:
        return ("no probe of the layers was recorded (log.probes: auto records them)",)
    return (
        f"gradient per weight at step {last['step']:,} and at step {first['step']:,}; update: its "
        "length over that of the weights; spread: deviation of the activations (nnlab menu "
        "readings)",
    )


def _cost(tried: Trials, summary: Summary) -> tuple[str, ...]:
    """What the trials cost, beside the run."""
    if not tried.updates:
        return ()
    share = tried.updates / max(1, summary.steps)
    text = f"changes were tried in {tried.updates:,} updates, {share:.0%} of the run's"
    return (f"{text} (--no-trials: none)" if share > SHARE else text,)


def _source(folder: Path) -> str:
    return quote(str(Path(short_path(folder)) / "config.yaml"))
