"""`nnlab eval --report`: judges, writes the page, says where it is."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nnlab.commands.report.cases import Case, case_of, refuse_own
from nnlab.commands.report.content import (
    are_images,
    comparison_of,
    config_text,
    content_of,
    content_of_text,
    finite,
    named_values,
    peak_of,
    refuse_others,
    thumbnail_uri,
)
from nnlab.commands.report.in_time.forecast import forecast_facts
from nnlab.commands.report.in_time.sections import forecast_sections, text_sections
from nnlab.commands.report.in_time.text import TextCase, text_case_of, text_facts
from nnlab.commands.report.learned.facts import how_it_learned, how_they_learned
from nnlab.commands.report.page import page_of, page_of_comparison
from nnlab.core import files
from nnlab.core.contracts import Split
from nnlab.core.errors import ConfigError
from nnlab.display.web.html import Markup
from nnlab.runs.finished.evaluate import eval_folder
from nnlab.runs.finished.reopen import open_run
from nnlab.runs.folder import looks
from nnlab.runs.folder.find import COMPARISON_FILE
from nnlab.runs.folder.looks import LookCounts
from nnlab.training import device as devices


class _Report(NamedTuple):
    """A finished report.

    Attributes:
        page: the file.
        content: the same as data.
    """

    page: Path
    content: dict[str, Any]


def write_report(runs: Sequence[Path], *, split: Split = "test", device: str = "auto") -> _Report:
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
    parts: list[Markup] = []
    content = comparison_of(cases) if len(cases) > 1 else _one(cases[0], parts)
    if split == "test":
        for case in cases:
            looks.count_look(case.opened.run, case.opened.examples, command="report")
        content["looks"] = looks.looks_so_far(runs)._asdict()
    if len(cases) == 1:
        learned = how_it_learned(cases[0].opened)
        content["learning"] = finite(learned.plain())
        page, name = page_of(content, config_text(runs[0]), learned, parts), f"{split}.html"
    else:
        labels = [run["label"] for run in content["runs"]]
        learned = how_they_learned([case.opened for case in cases], labels)
        page, name = page_of_comparison(content, learned), f"{split}-comparison.html"
    folder = runs[0].parent if _one_comparison(runs) else runs[0]
    path = eval_folder(folder) / name
    files.write_file(path, page)
    for one in content.get("worst", ()):
        one.pop("picture", None)
    return _Report(path, {"page": str(path), **content})


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
        return json.dumps(found.content, allow_nan=False) + "\n"
    if "looks" in found.content:
        sys.stderr.write(LookCounts(**found.content["looks"]).sentence + "\n")
    return f"{found.page}\n"


def _one(case: Case | TextCase, parts: list[Markup]) -> dict[str, Any]:
    """The content of a run's report; adds the parts of the page that sequences have."""
    if isinstance(case, TextCase):
        told = text_facts(case)
        parts += text_sections(told)
        return content_of_text(case, told)
    content = content_of(case)
    if (forecast := forecast_facts(case)) is not None:
        content["forecast"] = finite(forecast.plain())
        parts += forecast_sections(forecast)
    _illustrate(content, case)
    return content


def _illustrate(content: dict[str, Any], case: Case) -> None:
    """Puts to each of the worst examples what can be seen of it."""
    examples, worst = case.opened.examples, content["worst"]
    if are_images(examples):
        peak = peak_of(examples, [one["row"] for one in worst])
        for one in worst:
            one["picture"] = thumbnail_uri(examples, one["row"], peak)
    elif len(examples.shape.inputs) == 1:
        for one in worst:
            one["values"] = named_values(examples, one["row"])
