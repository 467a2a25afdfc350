"""The cases that `make doctor-suite` trains: they can be read, and the two sets are apart."""

from pathlib import Path
from typing import Any

import pytest
from doctor_cases import cases, healthy

from nnlab.diagnosis.watcher import RULES
from nnlab.loading import load_config


@pytest.mark.parametrize("kind", ["development", "second", "suite"])
def test_every_case_is_a_config_and_names_a_rule(kind: str, tmp_path: Path) -> None:
    found = cases(kind, tmp_path / "tables", seeds=3, healthies=8)
    for case in found:
        load_config(case.sections)
    sick = {case.sickness for case in found if case.sickness}
    assert len(sick) == 17
    assert sick <= {rule.name for rule in RULES}
    assert len({case.name for case in found}) == len(found)


def test_thresholds_and_figures_come_from_different_data(tmp_path: Path) -> None:
    def sources(kind: str) -> set[str]:
        found: list[dict[str, Any]] = [base["data"] for base in healthy(kind, tmp_path)]
        return {data.get("path") or data["kind"] for data in found}

    assert (sources("development") | sources("second")).isdisjoint(sources("suite"))
    assert sources("development").isdisjoint(sources("second"))
