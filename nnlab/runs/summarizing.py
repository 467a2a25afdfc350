"""What a run says of itself: its summary, in a file, on TensorBoard and for a person."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from nnlab.config.described import help_of
from nnlab.core.contracts import Split
from nnlab.core.errors import CheckpointError
from nnlab.core.events import Stopped
from nnlab.core.kinds import Kind
from nnlab.core.text import short_path
from nnlab.display.shown_summary import ShownSummary, epoch_of, two_decimals
from nnlab.display.tensorboard.layout import chart_categories
from nnlab.display.tensorboard.sink import TensorBoard
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.handed import in_no_file
from nnlab.experiment.misfits import monitored_keys
from nnlab.runs.building.compiling import compile_facts
from nnlab.runs.building.forward import batches_of
from nnlab.runs.building.probing import seen_of
from nnlab.runs.building.session import Session
from nnlab.runs.folder.find import is_newest
from nnlab.runs.folder.folder import config_text, flat_config
from nnlab.runs.folder.pointers import pointed_to
from nnlab.runs.folder.summary import Summary
from nnlab.training.probes.readings import tag_of
from nnlab.training.progress import Progress
from nnlab.training.step import Concluding, Conclusion

UNTOLD = ("name", "log", "diagnose", "data.root", "data.split_seed", "model.output",
          "train.threads", "train.monitor", "train.compile", "train.layout",
          "data.inputs", "data.targets")  # fmt: skip
"""What one does not compare runs by; the rest of the config is TensorBoard's hyperparameters."""
FIRST = ("model.activation.kind", "model.hidden", "model.hidden.depth", "model.hidden.width",
         "optimizer.kind", "optimizer.lr", "train.batch_size")  # fmt: skip
"""What one compares runs by most often; in the table of hyperparameters they stand at the left."""


def conclude_run(session: Session) -> Conclusion:
    """What has come of the run, if its rule has something to say."""
    step, device = session.built.step, next(session.built.network.parameters()).device
    if not isinstance(step, Concluding):
        return Conclusion()
    return step.conclude(batches_of(session.experiment, session.examples.rows["train"], device))


def describe_run(board: TensorBoard, session: Session) -> None:
    """Gives TensorBoard what does not change: graph, config, layout, hyperparameters."""
    experiment = session.experiment
    keys = ["loss", *(score.key for score in experiment.scores)]
    read: tuple[Split, ...] = ("train", "validation")
    splits: list[Split] = [split for split in read if split in experiment.shape.sizes]
    trained = monitored_keys(experiment.scores)
    tags = [
        tag_of(key, split) for key in keys for split in splits if trained[key] or split != "train"
    ]
    board.graph(experiment.design.plans, experiment.shape.inputs)
    board.layout(chart_categories(tags, session.built.cards, seen_of(experiment)))
    board.text("config", f"```yaml\n{config_text(session.folder)}```")
    chosen = {k: v for k, v in flat_config(experiment.config).items() if not k.startswith(UNTOLD)}
    board.hparams(chosen, tags, first=FIRST)


def summary_card(summary: Summary) -> str:
    """The summary as a table in Markdown."""
    values = {**summary.plain(), "epochs": summary.epochs_trained}
    values["began"] = {key: _moment(seconds) for key, seconds in summary.began.items()}
    plain = {key: value for key, value in values.items() if value not in (None, {}, "", [])}
    rows = [f"| {key} | {_cell(value)} |" for key, value in plain.items()]
    return "\n".join(["| field | value |", "|---|---|", *rows])


def _moment(seconds: float) -> str:
    """A unix time as a date and a time of day, here: 2026-11-29 13:59:08+0000."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S%z")


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        found: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return ", ".join(f"{key} {_cell(inner)}" for key, inner in found.items())
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def score_meanings(experiment: Experiment) -> dict[str, str]:
    """What the loss and each score say, by their keys: their menus' words."""
    loss = experiment.loss
    found = {"loss": f"{_first_line(loss)} {loss.formula}"}
    return found | {score.key: _first_line(score) for score in experiment.scores}


def _first_line(kind: Kind) -> str:
    return help_of(type(kind))[0]


def summarize_run(session: Session, stopped: Stopped | None, signal: int) -> Summary:
    """The summary as it stands; without `stopped` the run is still running."""
    progress = session.progress
    config = session.experiment.config
    names = [score.key for score in session.experiment.scores]

    def entry(values: Mapping[str, float], step: int, epoch: float) -> dict[str, Any]:
        scores = {name: values[name] for name in names if name in values}
        return {"epoch": epoch, "step": step, "loss": values.get("loss"), "scores": scores}

    best = None
    if progress.best is not None:
        found = progress.best
        best = {"split": found.split, **entry(found.values, found.step, found.epoch)}
    epoch = progress.step / session.experiment.per_epoch
    last = {split: entry(values, progress.step, epoch) for split, values in progress.last.items()}
    speed = progress.examples / progress.train_seconds if progress.train_seconds else 0.0
    total = sum(session.seconds.values()) + progress.seconds
    return Summary(
        run=session.folder,
        name=config.name or "run",
        status="running" if stopped is None else stopped.status,
        why="" if stopped is None else stopped.why,
        seed=config.seed if isinstance(config.seed, int) else config.seed.model_dump(),
        parameters=session.experiment.design.parameters,
        epochs=progress.epoch,
        steps=progress.step,
        monitor=config.train.monitor,
        best=_finite(best),
        last=_finite(last) or {},
        seconds={**session.seconds, "train": progress.train_seconds, "total": total},
        began=session.began,
        compiled=compile_facts(session.built.step),
        samples_per_second=speed,
        signal=signal,
        conclusion=_finite(session.conclusion.plain()),
        findings=[finding.brief() for finding in session.findings],
        record=session.record._asdict(),
    )


def _finite(value: Any) -> Any:
    """Values without NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    # inf - inf and nan - nan are NaN, which equals nothing.
    if isinstance(value, float) and value - value != 0.0:
        return None
    return value


def shown_summary(session: Session, summary: Summary, chance: Mapping[str, float]) -> ShownSummary:
    """What the last lines show beside the baseline."""
    progress = session.progress
    names = ["loss", *(score.key for score in session.experiment.scores)]
    shown = {
        label: {name: values[name] for name in names if name in values}
        for label, values in _rows(progress, session.experiment.per_epoch)
    }
    names_of = {"classes": "majority class", "labels": "majority", "regression": "mean"}
    splits: tuple[Split, ...] = ("test", "validation", "train")
    from_python = in_no_file(session.experiment.config)
    last = session.folder / "checkpoints" / "last"
    held_out: Split = next(split for split in splits if split in session.experiment.shape.sizes)
    return ShownSummary(
        run=short_path(session.folder),
        status=summary.status,
        why="" if summary.why == f"{summary.steps} steps" else summary.why,
        steps=summary.steps,
        seconds=progress.seconds,
        best_epoch=None if progress.best is None else progress.best.epoch,
        scores=shown,
        baseline=chance,
        baseline_name=names_of[session.experiment.shape.task],
        remarks=(*_way_back(session, summary), *session.conclusion.lines),
        held_out=None if from_python else held_out,
        resumable=summary.status in ("interrupted", "pruned") and not from_python and last.exists(),
        sick=not from_python
        and (summary.status == "diverged" or any(f.worse_than("note") for f in session.findings)),
        newest=is_newest(session.folder),
    )


def _rows(progress: Progress, per_epoch: int) -> Iterator[tuple[str, Mapping[str, float]]]:
    """The rows of the last table, with what each is the reading of."""
    best = progress.best
    if progress.epoch_means:
        epoch = epoch_of(progress.epoch_means_step, per_epoch)
        yield f"train (mean of {epoch})", progress.epoch_means
    for split, values in progress.last.items():
        if best is not None and best.split == split:
            what = "best reading, " if split == "train" else "after "
            yield f"{split} ({what}epoch {two_decimals(best.epoch)})", best.values
        elif split != "train":
            yield f"{split} (after epoch {two_decimals(progress.step / per_epoch)})", values
        elif not progress.epoch_means:
            yield f"{split} (last reading)", values


def _way_back(session: Session, summary: Summary) -> tuple[str, ...]:
    """Where a run that has diverged was still sound."""
    if summary.status != "diverged":
        return ()
    with suppress(CheckpointError):
        if (last := pointed_to(session.folder / "checkpoints", "last")) is not None:
            return (f"last good checkpoint: {last}",)
    return ()
