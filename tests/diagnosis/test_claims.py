"""No finding says what its run's own numbers contradict: a sample here, both suites if asked."""

from pathlib import Path

import numpy as np
import pytest
from claims import CLAIMS, hold_claims
from doctor_cases import cases
from doctor_suite import trained

from nnlab.commands.doctor.recorded import examine_run
from nnlab.core.finding import Finding

QUICK = ("loss_not_decreasing", "learning_rate_too_high-0", "overfitting-0", "underfitting-0",
         "no_better_than_baseline-1", "saturation-0", "healthy-1", "healthy-13")  # fmt: skip


def wrong_in(kind: str, folder: Path, *, seeds: int, healthies: int, only: tuple[str, ...]) -> None:
    wrong: list[str] = []
    told = 0
    for case in cases(kind, folder / "tables", seeds=seeds, healthies=healthies):
        if case.name.startswith(only):
            run = trained(folder / case.name, case.sections)
            findings = examine_run(run).findings
            told += sum(finding.name in CLAIMS for finding in findings)
            wrong += hold_claims(run, findings)
    assert told > 3
    assert not wrong, "\n".join(wrong)


def test_of_a_sample_of_the_suite(tmp_path: Path) -> None:
    wrong_in("blind", tmp_path, seeds=2, healthies=20, only=QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["blind", "development", "second", "suite"])
def test_of_all_suites(kind: str, tmp_path: Path) -> None:
    wrong_in(kind, tmp_path, seeds=3, healthies=40, only=("",))


def made(folder: Path, losses: np.ndarray) -> Path:
    """A run that recorded these losses and nothing else."""
    folder.mkdir(exist_ok=True)
    lines = [
        f'{{"step": {n}, "epoch": 0.0, "split": "train", "loss": {loss}}}'
        for n, loss in enumerate(losses)
    ]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_the_test_itself_sees_a_false_claim(tmp_path: Path) -> None:
    """The claim is judged by a straight line, not by the code that made it."""
    finding = Finding(
        "underfitting", "warning", None, 0.6, "training loss (the inputs: 0.69)", 5, ""
    )
    falling = made(tmp_path / "falling", np.linspace(0.9, 0.4, 40))
    assert len(hold_claims(falling, [finding])) == 1
    resting = made(tmp_path / "resting", np.full(40, 0.6))
    assert hold_claims(resting, [finding]) == []
