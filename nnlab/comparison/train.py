"""A comparison, run: every member into one folder, then one table, one picture, the verdicts."""

import json
import signal
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnlab.comparison import report as comparison_report
from nnlab.comparison.comparison import Comparison, Member, SettledComparison, settle_source
from nnlab.comparison.curves import draw_comparison
from nnlab.comparison.lesson import lesson_of, question_before
from nnlab.comparison.result import (
    ComparisonResult,
    MeasuredQuantity,
    curves_of,
    judge_expectations,
)
from nnlab.comparison.view import ComparisonView
from nnlab.config.run_config import RunConfig, to_yaml
from nnlab.config.sections import LENGTHS
from nnlab.core import files
from nnlab.core.contracts import Examples, Machine
from nnlab.core.errors import CheckpointError, ConfigError
from nnlab.core.signals import stop_signals
from nnlab.experiment.experiment import Experiment
from nnlab.parts.datasets.checks import data_notes
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.folder import folder as folders
from nnlab.runs.folder.find import COMPARISON_FILE, create_folder, read_comparison_file
from nnlab.runs.folder.summary import Summary, read_summary
from nnlab.runs.run import last_of, stream_run
from nnlab.runs.sums import seal_json, seal_text
from nnlab.training import device as devices

_ENDED = ("completed", "early_stopped", "time_limit", "diverged")
"""A member with one of these is not trained again."""
_MOST_SOURCE = 1 << 20
"""Bytes of source.yaml; a config has at most so many."""


def train_comparison(
    settled: SettledComparison,
    *,
    run_dir: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    deterministic: bool = False,
    view: ComparisonView,
) -> ComparisonResult:
    """Trains the members one after the other; those that have ended are not trained again.

    Args:
        settled: what to train.
        run_dir: exactly this folder; None makes runs/<name>/<number>.
        resume: continue what `run_dir` holds.
        device: auto, cpu, cuda, cuda:N or mps.
        deterministic: refuse operations that have no deterministic form.
        view: shows the runs.

    Raises:
        NnlabError: what one of the runs raises.
    """
    settled = settled.on(Machine.here(devices.choose_device(device)[0].type))
    comparison = settled.comparison
    folder = (run_dir or create_folder(comparison.name)).absolute()
    continues = resume and (folder / COMPARISON_FILE).exists()
    with ExitStack() as stack:
        if not continues:
            # Before a lock is put beside what is there.
            folders.refuse_used(folder)
        stack.enter_context(folders.lock_folder(folder))
        begun = _begun(folder, settled) if continues else {}
        _write_plan(folder, comparison)
        lesson = lesson_of(_source_of(folder))
        stack.enter_context(view.open(comparison, folder, question_before(lesson)))
        members = _train_members(settled, folder, begun, device, deterministic, view)
        found, between = _until_signalled(members)
        result = _compared(comparison, folder, found, device)
        files.write_file(folder / COMPARISON_FILE, seal_json(result.plain(), indent=2))
        if result.ended:
            keys = comparison_report.reported_keys(result.ended)
            draw_comparison(
                result.ended, keys, folder / comparison_report.PICTURE, title=comparison.name
            )
    view.summary(comparison_report.comparison_report(result, lesson))
    if between and not any(run.summary.signal for run in result.runs):
        # No run tells of it by its exit code: it does what it would have done without us.
        signal.raise_signal(between[0])
    return result


def resume_comparison(
    folder: Path, overrides: Sequence[str] = (), *, device: str = "auto", view: ComparisonView
) -> ComparisonResult:
    """Continues a comparison: runs that have ended stay, the others go on or begin.

    Raises:
        CheckpointError: it was killed before its config was written.
    """
    if not (folder / "config.yaml").exists():
        what = "was killed before any of its runs began"
        raise CheckpointError(f"{folder}: {what} (nnlab train CONFIG begins anew)")
    folders.check_config(folder)
    settled = settle_source(folder / "config.yaml", overrides)
    # What its author wrote is in source.yaml already.
    settled = settled._replace(comparison=replace(settled.comparison, text=None))
    return train_comparison(settled, run_dir=folder, resume=True, device=device, view=view)


def _until_signalled(
    members: Iterable[tuple[str, Summary]],
) -> tuple[dict[str, Summary], list[int]]:
    """Members' summaries by name, and the signals that came between two runs.

    Within a run it is the run's own handler that gets them.
    """
    found: dict[str, Summary] = {}
    between: list[int] = []
    with stop_signals(lambda _: None, between):
        for name, summary in members:
            found[name] = summary
            if between:
                break
    return found, between


def _train_members(
    settled: SettledComparison,
    folder: Path,
    begun: Mapping[str, RunConfig],
    device: str,
    deterministic: bool,
    view: ComparisonView,
) -> Generator[tuple[str, Summary]]:
    """Each member's name and summary; stops at the first that a signal interrupts."""
    shared: dict[str, Examples] = {}
    for member in settled.comparison.members:
        run, experiment = folder / member.name, settled.of(member)
        done = _summary_of(run)
        if (
            done is not None
            and done.status in _ENDED
            and not _asks_more(begun[member.name], experiment)
        ):
            view.ended(member, done)
            yield member.name, done
            continue
        stream = stream_run(
            experiment,
            run_dir=run,
            begun=begun.get(member.name),
            device=device,
            deterministic=deterministic,
            view=view.member(member),
            examples=_examples(member, experiment, shared, view),
            shown=False,
            alone=True,
        )
        summary = last_of(stream)
        view.ended(member, summary)
        yield member.name, summary
        if summary.status == "interrupted":
            break


def _summary_of(run: Path) -> Summary | None:
    """What a member says of itself; one that cannot be read is written anew when it goes on."""
    with suppress(CheckpointError):
        return read_summary(run)
    return None


def _asks_more(begun: RunConfig, experiment: Experiment) -> bool:
    """Whether a run that has ended is to go on for longer."""
    there, here = begun.train, experiment.config.train
    return any(getattr(there, name) != getattr(here, name) for name in LENGTHS)


def _examples(
    member: Member, experiment: Experiment, shared: dict[str, Examples], view: ComparisonView
) -> Examples:
    """The data of a member: loaded, and their notes told, once for all that say the same."""
    data = experiment.config.data  # settled: what `auto` took hangs on the network too
    key = json.dumps(data.model_dump(mode="json"), sort_keys=True, default=str)
    if key not in shared:
        shared[key] = experiment.load()
        for note in (*experiment.remarks(), *data_notes(shared[key])):
            view.note_once(member, note)
    return shared[key]


def _compared(
    comparison: Comparison, folder: Path, found: Mapping[str, Summary], device: str
) -> ComparisonResult:
    tested = any(line.tag.endswith("/test") for line in comparison.expectations)
    runs: list[MeasuredQuantity] = []
    for member in comparison.members:
        summary = found.get(member.name)
        if summary is None:
            continue
        values: Mapping[str, Any] = {}
        if tested and summary.status not in ("diverged", "interrupted"):
            values = evaluate(folder / member.name, split="test", device=device)
        test = {f"{key}/test": v for key, v in values.items() if isinstance(v, float)}
        curves = curves_of(summary.history)
        runs.append(
            MeasuredQuantity(member.name, member.variant, member.seed, summary, curves, test)
        )
    complete = len(runs) == len(comparison.members)
    interrupted = not complete or any(run.summary.status == "interrupted" for run in runs)
    status = "interrupted" if interrupted else "completed"
    judged = () if interrupted else judge_expectations(comparison, runs)
    return ComparisonResult(folder, comparison, status, tuple(runs), judged)


def _write_plan(folder: Path, comparison: Comparison) -> None:
    """What the comparison is to be, before its first run.

    `group.json` comes first: with it alone the folder can be begun anew, with `config.yaml` alone
    it would look like the run of something else.
    """
    plan = ComparisonResult(folder, comparison, "running", (), ()).plain()
    files.write_file(folder / COMPARISON_FILE, seal_json(plan, indent=2))
    files.write_file(folder / "config.yaml", seal_text(to_yaml(comparison.whole), folders.EDITING))
    if comparison.text is not None:
        files.write_file(folder / "source.yaml", comparison.text)


def _source_of(folder: Path) -> str | None:
    """The file as its author wrote it, also of a comparison that goes on."""
    source = folder / "source.yaml"
    try:
        return files.read_regular(source, limit=_MOST_SOURCE, follow=True).decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{source}: cannot be read: {error}") from None


def _begun(folder: Path, settled: SettledComparison) -> dict[str, RunConfig]:
    """The configs of the runs that have begun, by their names.

    Raises:
        ConfigError: the folder holds other runs, or some of them under other settings, also those
            that have ended.
    """
    there = list(read_comparison_file(folder)["members"])
    here = [member.name for member in settled.comparison.members]
    if there != here:
        text = f"{folder}: holds other runs ({', '.join(there)}; now {', '.join(here)})"
        raise ConfigError(f"{text} (use a new --run-dir)")
    found: dict[str, RunConfig] = {}
    for member in settled.comparison.members:
        run = folder / member.name
        begun = folders.begun_config(run)
        if begun is not None:
            found[member.name] = begun
            folders.refuse_changes(run, begun, settled.of(member).going_on(begun).config)
    return found
