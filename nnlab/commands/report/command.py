"""`nnlab eval --report`: judges, writes the page, says where it is."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nnlab.commands.plain import IN_PLACE, plain_fields
from nnlab.commands.report.cases import Case, case_of, refuse_own
from nnlab.commands.report.content import refuse_others, report_run, report_runs
from nnlab.commands.report.html.page import page_of_run, page_of_runs
from nnlab.commands.report.in_time.text import TextCase, text_case_of
from nnlab.commands.report.report import RunReport, RunsReport
from nnlab.core import files
from nnlab.core.contracts import Split
from nnlab.core.errors import ConfigError
from nnlab.runs.finished.evaluate import eval_folder
from nnlab.runs.finished.reopen import open_run
from nnlab.runs.folder.find import COMPARISON_FILE
from nnlab.training import device as devices


@dataclass(frozen=True, slots=True)
class _Written:
    """A finished report.

    Attributes:
        page: the file.
        report: what stands in it.
    """

    page: Path
    report: RunReport | RunsReport = field(metadata=IN_PLACE)


def write_report(runs: Sequence[Path], *, split: Split = "test", device: str = "auto") -> _Written:
    """Judges the best checkpoint of a run, or of several side by side, and writes the page.

    A look at the test split is counted for each run.

    Raises:
        ConfigError: there is no such split, the runs cannot be compared or predict nothing.
        CheckpointError: a run has no sound checkpoint.
        DivergedError: a loss is not finite.
    """
    if len(set(runs)) < len(runs):
        raise ConfigError("--report: a comparison needs different runs, one is given twice")
    chosen, _ = devices.choose_device(device)
    cases: list[Case | TextCase] = []
    for run in runs:
        opened = open_run(run, split=split, device=chosen)
        refuse_own(opened)
        judge = text_case_of if opened.experiment.shape.places else case_of
        cases.append(judge(opened, split))
        refuse_others(cases)
    if len(cases) == 1:
        report = report_run(cases[0])
        page, name = page_of_run(report), f"{split}.html"
    else:
        report = report_runs(cases)
        page, name = page_of_runs(report), f"{split}-comparison.html"
    folder = runs[0].parent if _one_comparison(runs) else runs[0]
    path = eval_folder(folder) / name
    files.write_file(path, page)
    return _Written(path, report)


def _one_comparison(runs: Sequence[Path]) -> bool:
    """Whether several runs are those of one comparison: its folder is the place for their page."""
    folder = runs[0].parent
    return (
        len(runs) > 1
        and (folder / COMPARISON_FILE).exists()
        and {r.parent for r in runs} == {folder}
    )


def report_text(runs: Sequence[Path], *, split: Split, device: str, as_json: bool) -> str:
    """What the command prints: the page's path, or the content as one JSON object.

    How often the test split was scored goes to stderr.
    """
    found = write_report(runs, split=split, device=device)
    if as_json:
        return json.dumps(plain_fields(found), allow_nan=False) + "\n"
    if found.report.looks is not None:
        sys.stderr.write(found.report.looks.sentence + "\n")
    return f"{found.page}\n"
