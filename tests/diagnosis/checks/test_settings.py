"""Causes that stand in the config: a sick run, the same run at usual values, on two kinds of data.

Every run is trained here; the sick one must be called so first, the neighbour by no warning.
"""

from pathlib import Path

import pytest
from doctor_data import Case
from doctor_settings import causes, setting_cases
from doctor_suite import trained
from doctor_unseen_suite import goodness, names
from numpy.random import default_rng

from nnlab.commands.doctor.recorded import examine_run
from nnlab.config.loading import load_config
from nnlab.diagnosis.watcher import SETTINGS

_QUICK = ("l2_too_large", "epsilon_too_large", "clip_norm_too_small", "too_few_updates")
_CAUSES = [(n, cause.name) for n, cause in enumerate(causes(default_rng(0)))]
_SEEDS = (0, 1)
"""Two seeds are two kinds of data: tables and images, or two tables."""


def _params() -> list[object]:
    return [
        pytest.param(n, name, seed, id=f"{name}-{n}-{seed}",
                     marks=() if name in _QUICK and seed == 0 else pytest.mark.slow)
        for n, name in _CAUSES
        for seed in _SEEDS
    ]  # fmt: skip


def _case(folder: Path, name: str, seed: int) -> Case | None:
    found = {case.name: case for case in setting_cases(folder / "tables", seeds=1, first=seed)}
    return found.get(name)


def _skip_without_harm(case: Case, run: Path, folder: Path) -> None:
    """Ends the test where the run is as good without its change: then there is nothing to find."""
    assert case.base is not None
    (score, luck), (well, _) = goodness(run), goodness(trained(folder, case.base))
    if well - score <= max(0.05, luck):
        pytest.skip(f"did no harm: {score:.3g}, and {well:.3g} without it")


@pytest.mark.parametrize(("number", "name", "seed"), _params())
def test_a_cause_in_the_config_is_named_first(
    number: int, name: str, seed: int, tmp_path: Path
) -> None:
    case = _case(tmp_path, f"{name}-{number}-{seed}", seed)
    assert case is not None
    run = trained(tmp_path / "run", case.sections)
    story = examine_run(run).findings
    if not story or not names(case, story[0]):
        _skip_without_harm(case, run, tmp_path / "base")
    assert story, "no finding"
    assert names(case, story[0]), [one.line for one in story]
    load_config(case.sections, list(story[0].remedy))


@pytest.mark.parametrize(("number", "name", "seed"), _params())
def test_the_same_field_at_a_usual_value_is_no_warning(
    number: int, name: str, seed: int, tmp_path: Path
) -> None:
    case = _case(tmp_path, f"well-{name}-{number}-{seed}", seed)
    if case is None:
        pytest.skip("a run of the usual length is any healthy run")
    found = examine_run(trained(tmp_path / "run", case.sections)).findings
    assert [one.line for one in found if one.worse_than("note")] == []


def test_every_cause_is_one_that_is_tested() -> None:
    assert {setting.name for setting in SETTINGS} <= {name for _, name in _CAUSES} | {
        "loss_does_not_fit",
        "unusual_setting",
    }
