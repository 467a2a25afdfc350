"""A learning rate that is too high, under its own name; and symptoms that only the end decides."""

from typing import Any

import pytest
from cases import FALLING, FLAT, facts_of, full_probe

from nnlab.core.finding import Finding
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.watcher import Watcher

RISING = [0.7, 5.0, 9.0, *([0.72] * 37)]


def told(
    facts: Facts,
    losses: Any,
    *,
    first: dict[str, Any] | None = None,
    later: dict[str, Any] | None = None,
    status: str = "completed",
) -> dict[str, Finding]:
    """Findings of a run whose probe at step 0 is one, and each later probe another."""
    watcher, total = Watcher(facts), facts.experiment.total or 100
    start = {k: v for k, v in full_probe(facts).items() if not k.startswith("update_ratio")}
    for number, loss in enumerate(losses):
        probe = {**start, **(first or {})} if not number else {**full_probe(facts), **(later or {})}
        watcher.read(number * total // (len(losses) - 1), "train", {"loss": loss, **probe})
    watcher.finish(status)
    return watcher.findings


def far(facts: Facts, distance: float) -> dict[str, Any]:
    return {f"distance/{layer.weight}": distance for layer in facts.layers}


class TestTooHigh:
    def test_is_the_cause_and_dead_units_are_its_effect(self) -> None:
        facts = facts_of()
        dead = {f"dead_units/{facts.layers[0].key}": 1.0}
        found = told(facts, RISING, later=far(facts, 40.0) | dead)
        high = found["learning_rate_too_high"]
        assert high.level == "warning"
        assert high.measured == pytest.approx(40.0)
        assert high.remedy[0].startswith("optimizer.lr=")
        assert "long updates threw them there" in found["dead_units"].meaning

    def test_what_was_there_before_the_first_update_is_not_its_doing(self) -> None:
        facts = facts_of()
        dead = {f"dead_units/{facts.layers[0].key}": 1.0}
        found = told(facts, RISING, first=dead, later=far(facts, 40.0) | dead)
        assert found["dead_units"].since == 0
        assert "learning_rate_too_high" not in found

    def test_is_a_note_where_it_cost_nothing(self) -> None:
        facts = facts_of()
        found = told(facts, FALLING, later=far(facts, 5.0))
        note = found["learning_rate_too_high"]
        assert (note.level, note.remedy) == ("note", ())
        assert "learned all the same" in note.meaning
        assert "learning_rate_too_high" not in told(facts, FALLING, later=far(facts, 2.0))

    def test_small_first_weights_count_as_usual_ones(self) -> None:
        """From 0.003 to 0.9: 300 times as long, and still shorter than N(0, 1 / n_in)."""
        facts = facts_of()
        small = {f"weight_norm/{layer.weight}": 0.003 for layer in facts.layers}
        assert "learning_rate_too_high" not in told(
            facts, RISING[:1] + FLAT, first=small, later=far(facts, 300.0)
        )

    def test_a_run_that_breaks_at_its_first_update_has_it(self) -> None:
        facts = facts_of()
        gone = {f"weight_norm/{layer.weight}": None for layer in facts.layers}
        found = told(facts, [0.7, None], later=gone, status="diverged")
        assert {"divergence", "learning_rate_too_high"} <= set(found)

    def test_tiny_updates_do_not_overshoot_however_bad_the_loss_is(self) -> None:
        facts = facts_of()
        short = {f"update_ratio/{layer.weight}": 1e-7 for layer in facts.layers}
        found = told(facts, [4.0] * 40, later=short)
        assert "learning_rate_too_high" not in found
        assert "learning_rate_too_low" in found


class TestPlateau:
    """Many runs rest for half of their time, and then learn."""

    def test_a_loss_that_falls_late_is_no_finding_at_the_end(self) -> None:
        facts = facts_of()
        late = [0.69] * 24 + [0.69 * 0.8**n for n in range(16)]
        watcher = Watcher(facts)
        for number, loss in enumerate(late):
            watcher.read(number * 25, "train", {"loss": loss, **full_probe(facts)})
        assert watcher.findings["loss_not_decreasing"].level == "note"
        watcher.finish("completed")
        assert "loss_not_decreasing" not in watcher.findings

    def test_a_loss_that_never_falls_is_a_warning_at_the_end(self) -> None:
        assert told(facts_of(), FLAT)["loss_not_decreasing"].level == "warning"

    def test_half_dead_layers_cost_something_only_where_nothing_moves(self) -> None:
        facts = facts_of()
        dead = {f"dead_units/{facts.layers[0].key}": 0.6}
        slow = [0.69 * 0.985**n for n in range(40)]
        assert told(facts, slow, later=dead)["dead_units"].level == "note"
        assert told(facts, FLAT, later=dead)["dead_units"].level == "warning"


def test_a_schedule_that_ends_at_0_is_no_rate_that_is_too_low() -> None:
    facts = facts_of()
    watcher = Watcher(facts)
    for number in range(40):
        probe = full_probe(facts, update_ratio=5e-3 * (1.0 - number / 39) ** 4)
        watcher.read(number * 25, "train", {"loss": 0.69 - 0.005 * number, **probe})
    watcher.finish("completed")
    assert "learning_rate_too_low" not in watcher.findings
