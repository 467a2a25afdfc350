"""Judges the doctor on the second suite: python tests/doctor_unseen_suite.py --seeds 2.

Each case is trained with and without its sickness and the doctor is asked; the first remedy of its
page is then tried. Printed are, with Wilson's 95 % intervals: how often the cause was found, how
often it came first, how often the first remedy cured, how often it did harm, and how many healthy
runs were called sick.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from math import sqrt
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import doctor_unseen
from claims import hold_claims
from doctor_data import Case
from doctor_settings import setting_cases
from doctor_suite import trained

from nnlab.core.finding import Finding

Result = dict[str, Any]


def goodness(folder: Path) -> tuple[float, float]:
    """Score of the last validation reading, higher is better, and what of it is chance.

    The share of right answers, or r2 for numbers; two standard errors of a share, 0.03 of r2.
    """
    from nnlab.runs.folder.metrics import read_history
    from nnlab.runs.folder.summary import read_summary

    found = [r for r in read_history(folder / "metrics.jsonl") if r["split"] == "validation"]
    if read_summary(folder).status == "diverged" or not found:
        return float("-inf"), 0.0
    last = found[-1]
    if (right := last.get("accuracy")) is not None:
        return right, 2.0 * sqrt(max(right * (1.0 - right), 0.01) / 225)
    value = last.get("r2")
    return (max(-1.0, value), 0.03) if value is not None else (-1.0, 0.03)


def names(case: Case, finding: Finding) -> bool:
    """Whether a finding tells of the case's cause: by its name, or by the field it would change."""
    changes = [change.partition("=")[0] for change in finding.remedy]
    touched = any(key == f or key.startswith(f + ".") for key in changes for f in case.fields)
    return finding.worse_than("note") and (finding.name in case.accepted or touched)


def judged(work: tuple[Case, Path]) -> Result:
    """What the doctor says of one case, whether that is right, and what its first remedy does."""
    case, folder = work
    from nnlab.commands.doctor.recorded import examine_run

    run = trained(folder / case.name, case.sections)
    told = examine_run(run).findings
    warned = [finding for finding in told if finding.worse_than("note")]
    result: Result = {
        "name": case.name,
        "contradicted": hold_claims(run, told),
        "sickness": case.sickness,
        "found": [f"{f.name} ({f.level})" for f in told],
        "warned": bool(warned),
        "hit": any(names(case, finding) for finding in warned),
        "first": bool(warned) and names(case, warned[0]),
    }
    score, luck = goodness(run)
    result["score"] = score
    if case.base is not None:
        well, _ = goodness(trained(folder / f"{case.name}-base", case.base))
        result |= {"base": well, "harmless": well - score <= max(0.05, luck)}
    remedy = next((f.remedy for f in warned if f.remedy), ())
    if remedy:
        after, more = goodness(trained(folder / f"{case.name}-cured", case.sections, remedy))
        result |= {"remedy": remedy, "after": after, "harm": after < score - max(luck, more)}
        if case.base is not None:
            result["cured"] = after - score >= 0.5 * (min(1.0, result["base"]) - max(-1.0, score))
    return result


def wilson(hits: int, of: int) -> str:
    """A share with its interval: Wilson 1927, 95 %."""
    if not of:
        return "-"
    z, p = 1.96, hits / of
    middle, half = p + z * z / (2 * of), z * sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = (max(0.0, middle + s * half) / (1 + z * z / of) for s in (-1, 1))
    return f"{hits} of {of} ({low:.0%} to {high:.0%})"


def told(results: list[Result]) -> str:
    """The table as Markdown, a line for each kind, and the sums."""
    ill = [r for r in results if r["sickness"] and not r.get("harmless")]
    well = [r for r in results if not r["sickness"]]
    lines = ["| kind | runs | found | first | cured | the page's findings, first run |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for kind in dict.fromkeys(r["sickness"] for r in ill):
        mine = [r for r in ill if r["sickness"] == kind]
        cures = [r["cured"] for r in mine if "cured" in r]
        lines.append(
            f"| {kind.replace('_', ' ')} | {len(mine)} | {sum(r['hit'] for r in mine)} | "
            f"{sum(r['first'] for r in mine)} | {sum(cures)}/{len(cures)} | "
            f"{', '.join(mine[0]['found']).replace('_', ' ')} |"
        )
    cures = [r["cured"] for r in ill if "cured" in r]
    harms = [r["harm"] for r in results if "harm" in r]
    wrong = sum(len(r["contradicted"]) for r in results)
    spared = sum(bool(r.get("harmless")) for r in results)
    lines += [
        "",
        f"found {wilson(sum(r['hit'] for r in ill), len(ill))}; "
        f"cause first {wilson(sum(r['first'] for r in ill), len(ill))}; "
        f"cured {wilson(sum(cures), len(cures))}; "
        f"first remedy makes it worse {wilson(sum(harms), len(harms))}; "
        f"healthy with a warning {wilson(sum(r['warned'] for r in well), len(well))}; "
        f"{spared} changes did no harm and are not counted; "
        f"{wrong} findings contradicted by the run's numbers",
    ]
    return "\n".join(lines)


def cases_of(kind: str, tables: Path, count: int, first: int) -> list[Case]:
    """All cases of a set: settings, on which checks are set, or unseen."""
    if kind == "settings":
        return setting_cases(tables, seeds=count, first=first)
    seeds = range(first, first + count)
    chosen = [case for seed in seeds for case in doctor_unseen.sick(tables, seed)]
    return chosen + [
        Case(f"healthy-{n}-{seed}", "", frozenset(), {**sections, "seed": 800 + seed})
        for seed in seeds
        for n, sections in enumerate(doctor_unseen.healthy(tables))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", default="unseen", choices=["unseen", "settings"])
    parser.add_argument("--out", type=Path, default=Path("runs/doctor-unseen"))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--jobs", type=int, default=2)
    words = parser.parse_args()
    folder = words.out.absolute()
    tables = folder / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    chosen = cases_of(words.set, tables, words.seeds, words.first)
    work = [(case, folder) for case in chosen if case.name.startswith(words.only)]
    results: list[Result] = []
    with ProcessPoolExecutor(words.jobs, mp_context=get_context("spawn")) as pool:
        for result in pool.map(judged, work):
            results.append(result)
            sys.stderr.write(json.dumps(result) + "\n")
    (folder / "results.json").write_text(json.dumps(results, indent=1))
    sys.stdout.write(told(results) + "\n")


if __name__ == "__main__":
    main()
