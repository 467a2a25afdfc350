"""Measures the doctor like a detector: `make doctor-suite`, or python tests/doctor_suite.py.

Trains sick and healthy experiments, asks the doctor, tries each remedy, and prints which sickness
was found how often, how many healthy runs were called sick, and how often the remedy cured.
"""

import argparse
import json
import os
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from math import sqrt
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from claims import hold_claims
from doctor_cases import cases
from doctor_data import Case
from doctor_labels import label_cases

from nnlab.core.finding import Finding

LEVELS = ("note", "warning", "fault")
_OF_NO_WEIGHT = ("constant_features",)
"""Columns that a network sees as 0: their weights get no gradient and change no answer. Without
them the first weights are drawn anew, and the loss is lower or higher by that luck alone. Cured is
what does not see them any more and is as good as before."""


def trained(folder: Path, sections: dict[str, Any], overrides: tuple[str, ...] = ()) -> Path:
    """The folder of a run, which is trained unless it is there."""
    from nnlab.runs.run import train

    if not (folder / "done").exists():
        if folder.exists():
            import shutil

            shutil.rmtree(folder)
        sections = {**sections, "train": {"threads": 1, **sections["train"]}}
        train(sections, overrides=overrides, run_dir=folder)
        (folder / "done").touch()
    return folder


def score_of(folder: Path, key: str) -> float:
    """A score of the last validation reading, higher is better; the worst where it diverged."""
    from nnlab.runs.folder.metrics import read_history

    found = [r for r in read_history(folder / "metrics.jsonl") if r["split"] == "validation"]
    value = found[-1].get(key.removeprefix("-")) if found else None
    if value is None:
        return float("-inf")
    return -value if key.startswith("-") else value


def _as_good(before: Path, after: Path) -> bool:
    """Whether validation accuracy is no lower than by chance: two standard errors for its rows."""
    rows = json.loads((before / "data.json").read_text())["sizes"]["validation"]
    was, now = score_of(before, "accuracy"), score_of(after, "accuracy")
    return now >= was - 2.0 * sqrt(max(was * (1.0 - was), 0.01) / rows)


def _names(case: Case, finding: Finding) -> bool:
    """Whether a finding tells of the case's sickness: as more than a note, and of its rows."""
    told = finding.worse_than("note") or case.sickness == "constant_features"
    rows = {int(number) for number in re.findall(r"[0-9]+", finding.meaning)}
    return told and (not case.rows or not case.rows.isdisjoint(rows))


def judged(work: tuple[Case, Path, bool]) -> dict[str, Any]:
    """What the doctor says of one case, and whether its remedy cures."""
    case, folder, cure = work
    from nnlab.commands.doctor.recorded import examine_run

    sections = case.sections
    if case.score == "balanced_accuracy":
        sections = {**sections, "scores": ["balanced_accuracy"]}
    run = trained(folder / case.name, case.sections)
    told = examine_run(run).findings
    found = {f.name: f for f in told}
    result: dict[str, Any] = {
        "name": case.name,
        "contradicted": hold_claims(run, told),
        "sickness": case.sickness,
        "found": {name: f.level for name, f in found.items()},
        "hit": any(_names(case, found[name]) for name in case.accepted & found.keys()),
        "cured": None,
    }
    wanted = [f for name, f in found.items() if name in case.accepted]
    wanted.sort(key=lambda f: (f.name != case.sickness, -LEVELS.index(f.level)))
    # What follows from something else has no remedy of its own.
    causes = [found[name] for f in wanted for name in (f.name, *f.because)]
    first = next((f for f in causes if f.remedy), None)
    if cure and case.score and first is not None:
        before, extra = run, ()
        if case.score == "balanced_accuracy":
            extra = ("scores=[accuracy, balanced_accuracy]",)
            before = trained(folder / f"{case.name}-scored", case.sections, extra)
        name = f"{case.name}-cured"
        after = trained(folder / name, case.sections, (*extra, *first.remedy))
        # What is told as a note alone must be gone altogether.
        note = not first.worse_than("note")
        left = {f.name for f in examine_run(after).findings if note or f.worse_than("note")}
        gained = score_of(after, case.score) > score_of(before, case.score)
        if case.sickness in _OF_NO_WEIGHT:
            gained = _as_good(before, after)
        result |= {
            "cured": bool(gained and first.name not in left),
            "remedy": first.remedy,
            "left": sorted(left),
            "scores": [score_of(before, case.score), score_of(after, case.score)],
        }
    return result


def told(results: list[dict[str, Any]]) -> str:
    """The confusion table as Markdown: a line for each sickness."""
    kinds = list(dict.fromkeys(r["sickness"] for r in results if r["sickness"]))
    lines = ["| sickness | runs | found | cured | findings (times) |", "|---|---|---|---|---|"]
    for kind in [*kinds, ""]:
        mine = [r for r in results if r["sickness"] == kind]
        if not mine:
            continue
        counts: dict[str, int] = {}
        for result in mine:
            for name, level in result["found"].items():
                shown = f"{name} (note)" if level == "note" else name
                counts[shown] = counts.get(shown, 0) + 1
        names = ", ".join(f"{n} {c}" for n, c in sorted(counts.items(), key=lambda kv: -kv[1]))
        tried = [r["cured"] for r in mine if r["cured"] is not None]
        cured = f"{sum(tried)}/{len(tried)}" if tried else ""
        hits = f"{sum(r['hit'] for r in mine)}" if kind else ""
        title = kind.replace("_", " ") or "healthy"
        lines.append(f"| {title} | {len(mine)} | {hits} | {cured} | {names.replace('_', ' ')} |")
    well = [r for r in results if not r["sickness"]]
    alarms = [r for r in well if set(r["found"].values()) & {"warning", "fault"}]
    ill = [r for r in results if r["sickness"]]
    tried = [r["cured"] for r in ill if r["cured"] is not None]
    lines += ["", f"found {sum(r['hit'] for r in ill)} of {len(ill)} sick runs; a warning in "
              f"{len(alarms)} of {len(well)} healthy runs; the remedy cured {sum(tried)} of "
              f"{len(tried)}; {sum(len(r['contradicted']) for r in results)} findings contradicted "
              "by the run's numbers"]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    sets = ["development", "second", "suite", "blind", "labels-development", "labels-blind"]
    parser.add_argument("--set", default="blind", choices=sets)
    parser.add_argument("--out", type=Path, default=Path("runs/doctor-suite"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed of the sick ones")
    parser.add_argument("--healthy", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[""], help="cases whose name begins so")
    parser.add_argument("--no-cure", action="store_true")
    words = parser.parse_args()
    folder = (words.out / words.set).absolute()
    made = label_cases if words.set.startswith("labels") else cases
    chosen = made(
        words.set, folder / "tables", seeds=words.seeds, healthies=words.healthy, first=words.first
    )
    work = [(c, folder, not words.no_cure) for c in chosen if c.name.startswith(tuple(words.only))]
    results: list[dict[str, Any]] = []
    with ProcessPoolExecutor(words.jobs, mp_context=get_context("spawn")) as pool:
        for result in pool.map(judged, work):
            results.append(result)
            sys.stderr.write(json.dumps(result) + "\n")
    (folder / "results.json").write_text(json.dumps(results, indent=1))
    sys.stdout.write(told(results) + "\n")


if __name__ == "__main__":
    main()
