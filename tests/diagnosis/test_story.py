"""Causes come before what follows from them, and one page gives no advice against itself."""

from dataclasses import replace

import pytest

from nnlab.core.finding import Finding, Level
from nnlab.diagnosis.story import EFFECTS, effects_of, tell_story
from nnlab.diagnosis.watcher import CHECKS, SETTINGS


def finding(name: str, level: Level = "warning", *, since: int = 0, remedy: str = "") -> Finding:
    return Finding(name, level, None, None, "", since, "", (remedy,) if remedy else ())


def told(*findings: Finding) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.name, one.because) for one in tell_story(findings)]


def test_units_that_long_updates_killed_follow_from_the_rate() -> None:
    dead = finding("dead_units", "fault", since=12, remedy="model.activation=leaky_relu")
    high = finding("learning_rate_too_high", since=30, remedy="optimizer.lr=0.001")
    story = tell_story([dead, high, finding("no_better_than_baseline", since=100)])
    assert [(one.name, one.because) for one in story] == [
        ("learning_rate_too_high", ()),
        ("dead_units", ("learning_rate_too_high",)),
        ("no_better_than_baseline", ("learning_rate_too_high",)),
    ]
    assert [one.remedy for one in story] == [("optimizer.lr=0.001",), (), ()]


def test_units_that_were_dead_before_the_first_update_do_not() -> None:
    found = told(finding("dead_units", "fault"), finding("learning_rate_too_high", since=30))
    assert found == [("dead_units", ()), ("learning_rate_too_high", ("dead_units",))]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_cause_in_the_config_comes_before_every_symptom_that_came_later(setting: object) -> None:
    name = setting.name  # pyright: ignore[reportAttributeAccessIssue]
    symptoms = [finding(one, since=50) for one in EFFECTS[name]]
    story = tell_story([*symptoms, finding(name)])
    assert story[0].name == name
    assert {one.because for one in story[1:]} == {(name,)}


def test_units_that_are_alike_come_before_what_they_do() -> None:
    dead = finding("dead_units", since=8)
    assert told(dead, finding("symmetric_units", "fault"))[0] == ("symmetric_units", ())


def test_a_note_explains_nothing() -> None:
    found = told(finding("learning_rate_too_high", "note"), finding("dead_units", since=9))
    assert found == [("dead_units", ()), ("learning_rate_too_high", ("dead_units",))]


def test_what_hangs_together_with_nothing_stands_alone() -> None:
    found = told(finding("class_imbalance"), finding("learning_rate_too_low"))
    assert {because for _, because in found} == {()}


def test_no_finding_is_lost_and_none_is_told_twice() -> None:
    every = [finding(check.name, since=since) for since in (0, 40) for check in CHECKS]
    for chosen in (every[: len(CHECKS)], every[len(CHECKS) :]):
        story = tell_story(chosen)
        assert sorted(one.name for one in story) == sorted(one.name for one in chosen)
        roots = {one.name for one in story if not one.because}
        assert all(roots.issuperset(one.because) for one in story)


def test_only_what_follows_from_nothing_has_a_remedy() -> None:
    every = [finding(check.name, since=40, remedy="optimizer.lr=1") for check in CHECKS]
    assert all(not one.remedy for one in tell_story(every) if one.because)


def test_two_causes_never_advise_two_values_of_one_field() -> None:
    low = finding("learning_rate_too_low", remedy="optimizer.lr=100")
    vague = finding("overfitting", remedy="optimizer.lr=0.001")
    story = tell_story([vague, low])
    assert [one.because for one in story] == [(), ()]
    assert [one.remedy for one in story] == [("optimizer.lr=100",), ()]


def test_effects_are_those_that_name_the_cause() -> None:
    cause = finding("momentum_too_large")
    story = tell_story([cause, finding("divergence", since=5), finding("class_imbalance")])
    assert [one.name for one in effects_of(story[0], story)] == ["divergence"]


def test_a_finding_survives_being_written_and_read() -> None:
    one = replace(finding("dead_units"), because=("learning_rate_too_high",), tried="tried: worse")
    assert Finding.of(one.plain()) == one


def test_every_cause_that_can_be_named_is_a_check() -> None:
    names = {check.name for check in CHECKS}
    assert set(EFFECTS) <= names
    assert {effect for effects in EFFECTS.values() for effect in effects} <= names


def test_what_a_run_diverged_of_is_a_fault() -> None:
    high, broken = (
        finding("learning_rate_too_high", since=3),
        finding("divergence", "fault", since=9),
    )
    assert [(one.name, one.level) for one in tell_story([high, broken])] == [
        ("learning_rate_too_high", "fault"),
        ("divergence", "fault"),
    ]
    assert tell_story([high, finding("dead_units", since=9)])[0].level == "warning"


def test_a_gradient_that_grows_through_time_does_not_follow_from_the_size_of_targets() -> None:
    grows = finding("exploding_through_time", remedy="model.recurrent_init=orthogonal")
    story = tell_story([finding("targets_not_scaled", remedy="data.scale_target=standard"), grows])
    assert {one.because for one in story} == {()}
    assert grows.remedy in {one.remedy for one in story}
