"""No finding says what its run's own numbers contradict: a sample here, both suites if asked."""

from pathlib import Path

import numpy as np
import pytest
from claims import CLAIMS, hold_claims, tried
from claims_records import Records
from doctor_cases import cases
from doctor_suite import trained
from doctor_unseen_suite import cases_of

from nnlab.commands.doctor.recorded import examine_run
from nnlab.core.finding import Finding
from nnlab.diagnosis.watcher import CHECKS

QUICK = ("learning_rate_too_high-0", "overfitting-0", "no_better_than_baseline-1", "saturation-0")


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


@pytest.mark.slow
def test_of_the_second_suite(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    wrong: list[str] = []
    for case in cases_of("unseen", tmp_path / "tables", 1, 60):
        run = trained(tmp_path / case.name, case.sections)
        wrong += hold_claims(run, examine_run(run).findings)
    assert not wrong, "\n".join(wrong)


def test_every_finding_of_a_run_has_its_claim_checked() -> None:
    assert {check.name for check in CHECKS} - set(CLAIMS) == set()


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
    told = "a guess that never looks at the inputs has 0.69"
    finding = Finding("underfitting", "warning", None, 0.6, "training loss", 5, told)
    falling = made(tmp_path / "falling", np.linspace(0.9, 0.4, 40))
    assert len(hold_claims(falling, [finding])) == 1
    resting = made(tmp_path / "resting", np.full(40, 0.6))
    assert hold_claims(resting, [finding]) == []


def test_a_false_number_of_the_config_is_seen(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", np.full(40, 0.69))
    (folder / "config.yaml").write_text("optimizer: {kind: adam, lr: 0.1, eps: 3.0}\n")
    told = Finding("epsilon_too_large", "note", None, None, "", 0, "optimizer.eps is 30, and usual")
    assert len(hold_claims(folder, [told])) == 1


def test_a_number_of_a_trial_that_no_reading_has_is_seen(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", np.full(40, 0.69))
    text = "tried to its end: validation accuracy 0.94 and loss 0.158 instead of 0.5 and loss 0.7"
    told = Finding("missing_classes", "note", None, None, "", 0, "", tried=text)
    with pytest.raises(AssertionError):
        tried(told, Records.of(folder))
