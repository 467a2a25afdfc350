"""Every rule where it must find something and where it must not, on readings made up here."""

from dataclasses import replace
from math import nan
from typing import Any, get_args

import pytest
from cases import BASE, DATA_FACTS, DEEP, FALLING, FLAT, facts_of, full_probe, watch

from nnlab.config.diagnose import FindingName
from nnlab.config.loading import load_config
from nnlab.core.events import Reading, Stopped
from nnlab.core.finding import Finding
from nnlab.diagnosis.evidence.facts import SplitDoubles, at_rest
from nnlab.diagnosis.watcher import CHECKS, Watcher
from nnlab.parts.activations.textbook import ReluConfig, SigmoidConfig, TanhConfig

TOO_HIGH = ["learning_rate_too_high"]


def test_a_healthy_run_has_no_findings() -> None:
    assert watch(facts_of(), FALLING, validation=[0.7 * 0.92**n for n in range(40)]) == {}


class TestVanishingGradient:
    def fading(self, by: float) -> dict[str, float | None]:
        """Each layer's gradient is that of the next one times a factor, per weight."""
        facts = facts_of(model=DEEP)
        own: dict[str, float | None] = {}
        for depth, layer in enumerate(reversed(facts.layers)):
            size = layer.shape[0] * layer.shape[1]
            own[f"grad_norm/{layer.weight}"] = size**0.5 * by**depth
        return full_probe(facts, own)

    def test_is_a_fault_at_once_where_nothing_arrives(self) -> None:
        found = watch(facts_of(model=DEEP), FLAT, probe=self.fading(0.01))["vanishing_gradient"]
        assert found.level == "fault"
        assert found.layer == "hidden1"
        assert found.since == 0
        assert found.measured == pytest.approx(0.01**5)
        assert "shrinks 1e10 times from the last layer to the first" in found.meaning

    def test_is_a_warning_where_little_arrives_and_nothing_is_learned(self) -> None:
        found = watch(facts_of(model=DEEP), FLAT, probe=self.fading(0.2))["vanishing_gradient"]
        assert found.level == "warning"

    @pytest.mark.parametrize("by", [0.5, 1.0, 2.0])
    def test_is_not_found_where_all_layers_get_some(self, by: float) -> None:
        found = watch(facts_of(model=DEEP), FLAT, probe=self.fading(by))
        assert "vanishing_gradient" not in found

    def test_is_not_found_where_the_loss_falls_all_the_same(self) -> None:
        found = watch(facts_of(model=DEEP), FALLING, probe=self.fading(0.2))
        assert "vanishing_gradient" not in found

    def test_is_not_found_in_two_layers(self) -> None:
        facts = facts_of(model={"kind": "mlp", "hidden": [8]})
        first = {f"grad_norm/{facts.layers[0].weight}": 1e-12}
        assert "vanishing_gradient" not in watch(facts, FLAT, probe=full_probe(facts, first))

    def test_is_none_of_a_layer_whose_learning_rate_is_zero(self) -> None:
        optimizer = {"kind": "adam", "lr": 1e-3, "groups": {"hidden1": {"lr": 0.0}}}
        facts = facts_of(model=DEEP, optimizer=optimizer)
        still = full_probe(facts, {f"grad_norm/{facts.layers[0].weight}": 0.0})
        assert "vanishing_gradient" not in watch(facts, FLAT, probe=still)
        assert "vanishing_gradient" in watch(facts_of(model=DEEP), FLAT, probe=still)

    def test_names_another_activation_and_a_norm_as_remedy(self) -> None:
        found = watch(facts_of(model=DEEP), FLAT, probe=self.fading(0.01))["vanishing_gradient"]
        assert found.remedy == ("model.activation=relu", "model.init=auto", "model.norm=batch")


class TestExplodingGradient:
    def test_is_found_where_the_gradient_is_far_larger_than_the_weights(self) -> None:
        facts = facts_of()
        found = watch(facts, FLAT, probe=full_probe(facts, grad_norm=3e4))["exploding_gradient"]
        assert found.measured == pytest.approx(1e4)

    def test_is_found_where_the_first_layer_gets_far_more_than_the_last(self) -> None:
        facts = facts_of(model=DEEP)
        first = {f"grad_norm/{facts.layers[0].weight}": 100.0,
                 f"grad_norm/{facts.layers[-1].weight}": 1e-3}  # fmt: skip
        found = watch(facts, FLAT, probe=full_probe(facts, first))["exploding_gradient"]
        assert found.layer == "hidden1"

    def test_is_not_found_at_weights_that_begin_next_to_nothing_and_grow(self) -> None:
        """Learned positions have a deviation of 0.02: their gradient is large beside that alone."""
        facts = facts_of()
        first = facts.layers[0].weight
        probe = full_probe(facts, {f"weight_norm/{first}": 0.01, f"grad_norm/{first}": 20.0})
        assert "exploding_gradient" not in watch(facts, FLAT, probe=probe)
        probe |= {f"grad_norm/{first}": 3e4}
        assert "exploding_gradient" in watch(facts, FLAT, probe=probe)

    def test_is_not_found_at_usual_gradients(self) -> None:
        facts = facts_of()
        probe = full_probe(facts, grad_norm=10.0)
        assert "exploding_gradient" not in watch(facts, FLAT, probe=probe)


class TestDeadUnits:
    def dead(self, share: float) -> dict[str, float | None]:
        facts = facts_of()
        return full_probe(facts, {f"dead_units/{facts.layers[1].key}": share})

    def test_a_layer_that_is_dead_is_a_fault(self) -> None:
        found = watch(facts_of(), FLAT, probe=self.dead(1.0))["dead_units"]
        assert (found.level, found.layer) == ("fault", "hidden2")

    def test_many_dead_units_are_a_warning_where_nothing_is_learned(self) -> None:
        assert watch(facts_of(), FLAT, probe=self.dead(0.7))["dead_units"].level == "warning"

    def test_and_a_note_where_it_is(self) -> None:
        assert watch(facts_of(), FALLING, probe=self.dead(0.7))["dead_units"].level == "note"

    def test_a_few_are_nothing(self) -> None:
        assert "dead_units" not in watch(facts_of(), FLAT, probe=self.dead(0.3))


class TestSaturation:
    def sat(self, share: float) -> dict[str, float | None]:
        facts = facts_of(model=DEEP)
        return full_probe(facts, {f"saturated/{facts.layers[1].key}": share})

    def test_is_found_where_most_activations_are_at_a_bound(self) -> None:
        found = watch(facts_of(model=DEEP), FLAT, probe=self.sat(0.8))["saturation"]
        assert (found.layer, found.measured) == ("hidden2", 0.8)

    def test_is_not_found_at_rest(self) -> None:
        assert "saturation" not in watch(facts_of(model=DEEP), FLAT, probe=self.sat(0.2))

    def test_is_not_found_where_much_is_learned(self) -> None:
        later = self.sat(0.8)
        facts = facts_of(model=DEEP)
        watcher = Watcher(facts)
        for n, loss in enumerate(FALLING):
            probe = full_probe(facts) if n < 20 else later
            watcher.read(n * 2, "train", {"loss": loss, **probe})
        assert "saturation" not in watcher.findings

    @pytest.mark.parametrize(
        ("activation", "share"),
        # P(|z| > 3.664) and P(|z| > 1.832) of N(0, 1): scipy.stats.norm.sf, twice.
        [(SigmoidConfig(), 0.000249), (TanhConfig(), 0.0670), (ReluConfig(), 0.0)],
    )
    def test_rest_is_what_a_standard_normal_gives(self, activation: Any, share: float) -> None:
        assert at_rest(activation) == pytest.approx(share, rel=0.02)


class TestSymmetricUnits:
    def test_are_found_after_the_first_update(self) -> None:
        facts = facts_of(model={"kind": "mlp", "hidden": [8, 8, 8], "init": "zeros"})
        found = watch(facts, FLAT, probe=full_probe(facts, unit_spread=1e-8))["symmetric_units"]
        assert (found.level, found.layer) == ("fault", "hidden1")
        assert "model.init=auto" in found.remedy

    def test_are_not_looked_for_in_the_output_or_before_an_update(self) -> None:
        facts = facts_of()
        last = {f"unit_spread/{facts.layers[-1].weight}": 0.0}
        assert "symmetric_units" not in watch(facts, FLAT, probe=full_probe(facts, last))
        watcher = Watcher(facts)
        assert watcher.read(0, "train", {"loss": 0.7, **full_probe(facts, unit_spread=0.0)}) == []

    def test_a_layer_of_one_unit_is_none(self) -> None:
        facts = facts_of(model={"kind": "mlp", "hidden": [1]})
        assert "symmetric_units" not in watch(facts, FLAT, probe=full_probe(facts, unit_spread=0.0))


def test_a_mild_poor_initialization_is_a_note_that_steps_can_mend() -> None:
    assert watch(facts_of(), [3.5, *FALLING])["poor_initialization"].level == "note"
    assert watch(facts_of(), [3.5, *FLAT])["poor_initialization"].level == "warning"


def test_a_poor_initialization_is_a_first_loss_far_above_a_guess() -> None:
    found = watch(facts_of(), [7.0, *FALLING])["poor_initialization"]
    assert found.measured == pytest.approx(7.0 / 0.693)
    assert "poor_initialization" not in watch(facts_of(), [1.2, *FALLING])


class TestPoorInitialization:
    """Eight units of N(0, 1 / n_in) have a weight of length 8**0.5, about 3."""

    def first_loss(self, weight_norm: float, size: float = 1.0) -> Finding:
        # Set to other values than the remedies: what equals the config is not advised.
        model = {"kind": "mlp", "hidden": [8, 8, 8], "init": {"kind": "normal", "std": 1.0}}
        data = {"kind": "moons", "samples": 200, "scale": "none"}
        facts = facts_of(replace(DATA_FACTS, size=size), model=model, data=data)
        probe = full_probe(facts, weight_norm=weight_norm)
        return watch(facts, [7.0, *FALLING], probe=probe)["poor_initialization"]

    def test_is_a_warning_at_once_where_the_first_weights_are_large(self) -> None:
        assert self.first_loss(20.0).level == "warning"
        assert self.first_loss(20.0).remedy[0] == "model.init=auto"

    def test_is_a_note_where_they_are_usual_and_all_is_learned(self) -> None:
        assert self.first_loss(3.0).level == "note"

    def test_blames_inputs_that_are_large_where_the_weights_are_not(self) -> None:
        found = self.first_loss(3.0, size=6.0)
        assert found.remedy == ("data.scale=feature",)
        assert "inputs are of size 6" in found.meaning
        assert self.first_loss(20.0, size=6.0).remedy[0] == "model.init=auto"

    def test_does_not_hide_a_rate_that_is_too_high_where_the_weights_are_usual(self) -> None:
        def found(weight_norm: float) -> dict[str, Finding]:
            facts = facts_of()
            probe = full_probe(facts, {f"distance/{layer.weight}": 40.0 for layer in facts.layers},
                           weight_norm=weight_norm)  # fmt: skip
            return watch(facts, [7.0, 60.0, 90.0, *[2.0] * 37], probe=probe)

        assert found(3.0)["learning_rate_too_high"].level == "warning"
        assert found(3.0)["poor_initialization"].level == "note"
        assert "learning_rate_too_high" not in found(20.0)


def test_first_weights_next_to_0_are_a_poor_initialization_where_nothing_is_learned() -> None:
    """Eight units of N(0, 1 / n_in) have a weight of length 8**0.5."""
    model = {"kind": "mlp", "hidden": [8, 8, 8], "init": {"kind": "normal", "std": 1e-6}}
    facts = facts_of(model=model)
    light = full_probe(facts, weight_norm=1e-4 * 8**0.5)
    found = watch(facts, FLAT, probe=light)["poor_initialization"]
    assert (found.level, found.layer) == ("warning", "hidden1")
    assert found.measured == pytest.approx(1e-4)
    assert found.remedy == ("model.init=auto",)
    assert "poor_initialization" not in watch(facts, FALLING, probe=light)


class TestUpdateRatio:
    @pytest.mark.parametrize(("ratio", "word"), [(0.5, "long"), (1e-6, "short")])
    def test_is_noted_where_it_is_far_from_usual(self, ratio: float, word: str) -> None:
        facts = facts_of()
        found = watch(facts, FALLING, probe=full_probe(facts, update_ratio=ratio))[
            "update_ratio_off"
        ]
        assert found.level == "note"
        assert word in found.meaning

    def test_brings_it_back_near_the_usual_length(self) -> None:
        facts = facts_of(optimizer={"kind": "sgd", "lr": 1.0})
        found = watch(facts, FALLING, probe=full_probe(facts, update_ratio=0.3))["update_ratio_off"]
        assert found.remedy == ("optimizer.lr=0.01",)

    def test_a_usual_one_is_nothing(self) -> None:
        assert "update_ratio_off" not in watch(facts_of(), FALLING)


class TestLearningRate:
    def test_is_too_high_where_updates_are_long_and_nothing_is_learned(self) -> None:
        facts = facts_of()
        found = watch(facts, FLAT, probe=full_probe(facts, update_ratio=0.4))
        assert found["learning_rate_too_high"].measured == pytest.approx(0.4)
        assert "loss_not_decreasing" not in found

    def test_is_too_high_where_the_loss_jumps_to_and_fro(self) -> None:
        facts = facts_of()
        jumping: list[float | None] = [0.3 if n % 4 > 1 else 0.9 for n in range(40)]
        probe = full_probe(facts, update_ratio=0.02)
        assert "learning_rate_too_high" in watch(facts, jumping, probe=probe)

    def test_is_not_too_high_where_only_single_batches_differ(self) -> None:
        facts = facts_of()
        noisy: list[float | None] = [0.4 if n % 2 else 0.6 for n in range(40)]
        probe = full_probe(facts, update_ratio=0.02)
        assert "learning_rate_too_high" not in watch(facts, noisy, probe=probe)

    def test_is_not_too_high_where_a_bad_start_is_being_mended(self) -> None:
        facts = facts_of()
        mending: list[float | None] = [5.0 * 0.93**n for n in range(40)]
        assert "learning_rate_too_high" not in watch(facts, mending)

    def test_is_too_low_where_the_whole_run_would_not_move_the_weights(self) -> None:
        facts = facts_of(optimizer={"kind": "sgd", "lr": 1e-5})
        found = watch(facts, FLAT, probe=full_probe(facts, update_ratio=1e-5))[
            "learning_rate_too_low"
        ]
        assert found.remedy == ("optimizer.lr=0.003",)

    def test_no_rate_is_advised_that_nobody_ever_used(self) -> None:
        facts = facts_of(optimizer={"kind": "adam", "lr": 1e-3})
        probe = full_probe(facts, update_ratio=1e-9)
        found = watch(facts, FLAT, probe=probe)["learning_rate_too_low"]
        assert found.remedy == ("optimizer.lr=0.1",)  # a hundred times Adam's default

    def test_is_not_too_low_where_the_run_is_long(self) -> None:
        facts = facts_of(train={"steps": 100_000})
        probe = full_probe(facts, update_ratio=1e-5)
        assert "learning_rate_too_low" not in watch(facts, FLAT, probe=probe)


def test_a_loss_that_stays_is_found_where_nothing_explains_it() -> None:
    assert "loss_not_decreasing" in watch(facts_of(), FLAT)
    assert "loss_not_decreasing" not in watch(facts_of(), FALLING)


@pytest.mark.parametrize(
    ("losses", "ratio", "rate"),
    [
        (FLAT, 3e-4, "0.01"),
        (FLAT, 3e-3, "0.01"),
        (FLAT, 3e-2, "0.0001"),
        ([0.8] * 40, 3e-3, "0.0001"),
        ([0.8] * 40, 3e-4, "0.01"),
    ],
)
def test_a_flat_loss_asks_for_longer_updates_unless_they_are_long(
    losses: list[float | None], ratio: float, rate: str
) -> None:
    facts = facts_of(optimizer={"kind": "adam", "lr": 1e-3}, diagnose={"ignore": TOO_HIGH})
    found = watch(facts, losses, probe=full_probe(facts, update_ratio=ratio))["loss_not_decreasing"]
    assert found.remedy == (f"optimizer.lr={rate}",)


class TestDivergence:
    def test_is_told_of_a_run_that_was_stopped_with_a_finite_loss(self) -> None:
        assert "divergence" in watch(facts_of(), [0.7, 1e12], status="diverged")
        assert "divergence" not in watch(facts_of(), [0.7, 1e12], status="interrupted")

    def test_names_the_first_layer_that_is_not_finite(self) -> None:
        facts = facts_of()
        watcher = Watcher(facts)
        watcher.read(0, "train", {"loss": 0.7, **full_probe(facts)})
        broken = {f"weight_norm/{layer.weight}": nan for layer in facts.layers[1:]}
        (found,) = watcher.read(7, "train", {"loss": nan, **full_probe(facts, broken)})
        assert (found.name, found.layer, found.since) == ("divergence", "hidden2", 7)
        assert "step 0" in found.meaning

    def test_a_gradient_that_overflows_in_fp16_is_none(self) -> None:
        for precision, told in (("fp32", True), ("fp16", False)):
            facts = facts_of(train={"steps": 100, "precision": precision})
            over = {f"grad_norm/{facts.layers[0].weight}": None}
            found = Watcher(facts).read(0, "train", {"loss": 0.7, **full_probe(facts, over)})
            assert ("divergence" in [f.name for f in found]) == told

    def test_takes_null_for_not_finite_as_metrics_jsonl_has_it(self) -> None:
        assert "divergence" in watch(facts_of(), [0.7, 0.6, None], status="diverged")


class TestOverfitting:
    def test_is_not_found_while_validation_falls_fast(self) -> None:
        falling = [2.0 * 0.9**n for n in range(40)]
        assert "overfitting" not in watch(facts_of(), FALLING, validation=falling)

    def test_is_found_where_validation_rises_and_training_falls(self) -> None:
        rising = [0.6 - 0.03 * n if n < 10 else 0.3 + 0.02 * (n - 10) for n in range(40)]
        found = watch(facts_of(), FALLING, validation=rising)["overfitting"]
        assert found.since == 256  # the reading of number 10, of 1000 steps in 39 parts
        assert "train.early_stopping={patience: 2}" in found.remedy

    def test_is_not_found_where_both_rise(self) -> None:
        both = [0.3 + 0.02 * n for n in range(40)]
        assert "overfitting" not in watch(facts_of(), [*both], validation=both)

    def test_is_not_found_at_a_little_rise(self) -> None:
        level = [0.6 - 0.03 * n if n < 10 else 0.33 for n in range(40)]
        assert "overfitting" not in watch(facts_of(), FALLING, validation=level)


def test_underfitting_is_a_loss_at_rest_far_above_what_could_be() -> None:
    resting: list[float | None] = [0.69 - 0.01 * min(n, 10) for n in range(40)]
    facts = facts_of(model="linear")
    found = watch(facts, resting)["underfitting"]
    assert found.remedy == ("model={kind: mlp, hidden: [64, 64]}",)
    assert "underfitting" not in watch(facts, FALLING)
    assert "underfitting" not in watch(facts, resting, status="interrupted")


def test_a_score_at_the_baseline_is_found_at_the_end() -> None:
    level = [0.69] * 40
    found = watch(facts_of(), FLAT, validation=level, accuracy=0.51)
    assert found["no_better_than_baseline"].measured == pytest.approx(0.51)
    found = watch(facts_of(), FLAT, validation=level, accuracy=0.8)
    assert "no_better_than_baseline" not in found


def test_a_score_within_the_luck_of_few_rows_is_at_the_baseline() -> None:
    """0.5 of 40 rows has a standard error of 0.08."""
    level = [0.69] * 40
    few = facts_of(data={"kind": "moons", "samples": 200, "validation": 40})
    assert "no_better_than_baseline" in watch(few, FLAT, validation=level, accuracy=0.6)
    many = facts_of(data={"kind": "moons", "samples": 20_000, "validation": 4000})
    assert "no_better_than_baseline" not in watch(many, FLAT, validation=level, accuracy=0.6)


@pytest.mark.parametrize(("rows", "score", "level"), [
    (20, 0.45, "note"), (40, 0.53, "note"), (400, 0.51, "warning"), (400, 0.45, "warning"),
])  # fmt: skip
def test_few_rows_that_could_be_well_above_the_guess_are_no_warning(
    rows: int, score: float, level: str
) -> None:
    """Two standard errors of 40 rows are 0.16, a third of the way from 0.5 to 1."""
    facts = facts_of(data={"kind": "moons", "samples": 5 * rows, "validation": rows})
    found = watch(facts, FLAT, validation=[0.69] * 40, accuracy=score)["no_better_than_baseline"]
    assert found.level == level
    assert ("so few rows show no difference" in found.meaning) == (level == "note")


class TestData:
    def test_columns_of_different_size_are_not_scaled(self) -> None:
        found = watch(facts_of(replace(DATA_FACTS, largest=90.0)), FALLING)["data_not_scaled"]
        assert found.remedy == ("data.scale=feature",)
        assert "column x" in found.meaning

    def test_large_pixels_are_not_scaled_and_dark_corners_are_nothing(self) -> None:
        pixels = replace(DATA_FACTS, table=False, size=90.0, smallest=0.01)
        found = watch(facts_of(pixels), FALLING)["data_not_scaled"]
        assert found.remedy == ("data.scale=unit",)
        assert "data_not_scaled" not in watch(facts_of(replace(pixels, size=0.3)), FALLING)

    def test_rows_far_too_large_are_named_and_explain_the_scale(self) -> None:
        large = replace(DATA_FACTS, largest=1e20, size=1e18, outliers=(7, 31))
        found = watch(facts_of(large), FALLING)
        assert "row 7, 31" in found["outlier_rows"].meaning
        assert "data_not_scaled" not in found

    def test_targets_far_from_0_are_to_be_scaled(self) -> None:
        curve = {"data": "function", "loss": "mse"}
        far = replace(DATA_FACTS, counts=(), blind=5.0, silent=50.0)
        found = watch(facts_of(far, **curve), FALLING)["targets_not_scaled"]
        assert found.remedy == ("data.scale_target=standard",)
        near = replace(far, silent=6.0)
        assert "targets_not_scaled" not in watch(facts_of(near, **curve), FALLING)

    @pytest.mark.parametrize(
        "output", [{"bias_init": {"kind": "constant", "value": 7.0}}, {"activation": "sigmoid"}]
    )
    def test_outputs_that_do_not_begin_at_0_are_not_said_to(self, output: dict[str, Any]) -> None:
        curve = {"data": "function", "loss": "mse"}
        model = {"kind": "mlp", "hidden": [8], "output": output}
        far = replace(DATA_FACTS, counts=(), blind=5.0, silent=50.0)
        found = watch(facts_of(far, **curve, model=model), FALLING)
        assert "targets_not_scaled" not in found

    def test_constant_columns_are_named(self) -> None:
        found = watch(facts_of(replace(DATA_FACTS, constant=("age",), columns=5)), FALLING)
        assert "age" in found["constant_features"].meaning
        assert found["constant_features"].level == "note"

    def test_a_class_that_is_nearly_all_is_found(self) -> None:
        found = watch(facts_of(replace(DATA_FACTS, counts=(130, 10))), FALLING)["class_imbalance"]
        assert found.remedy == ("scores=[accuracy, balanced_accuracy]", "train.sampling=balanced")
        assert "class_imbalance" not in watch(
            facts_of(replace(DATA_FACTS, counts=(80, 60))), FALLING
        )
        # `and` has one 1 in four; nobody calls that rare.
        quarter = replace(DATA_FACTS, counts=(105, 35))
        assert "class_imbalance" not in watch(facts_of(quarter), FALLING)

    def test_rows_in_two_splits_are_counted(self) -> None:
        def found(whole: int, contradicted: int = 0, chance: float = 0.0) -> Finding | None:
            doubles = {"test": SplitDoubles(whole, contradicted, chance)}
            facts = facts_of(replace(DATA_FACTS, doubles=doubles))
            assert facts.experiment.shape.sizes["test"] == 40
            return watch(facts, FALLING).get("duplicates_across_splits")

        assert found(15).level == "warning"  # pyright: ignore[reportOptionalMemberAccess]
        assert found(2).level == "note"  # pyright: ignore[reportOptionalMemberAccess]
        assert found(0) is None
        assert found(15, contradicted=5) is None  # columns that cannot tell rows apart
        assert found(15, chance=14.5) is None


@pytest.mark.parametrize(("rows", "told"), [(2, True), (4, True), (32, False)])
def test_batch_norm_over_a_few_examples_is_found(rows: int, told: bool) -> None:
    model = {"kind": "mlp", "hidden": [8], "norm": "batch"}
    facts = facts_of(model=model, train={"steps": 1000, "batch_size": rows})
    assert ("batch_norm_with_tiny_batches" in watch(facts, FALLING)) == told


class TestWatcher:
    def test_says_each_finding_once(self) -> None:
        watcher = Watcher(facts_of(replace(DATA_FACTS, largest=90.0)))
        first = watcher.observe(Reading(0, 0.0, "train", {"loss": 0.7}))
        again = watcher.observe(Reading(5, 0.5, "train", {"loss": 0.6}))
        assert [f.name for f in first] == ["data_not_scaled"]
        assert again == []

    def test_does_not_repeat_what_an_earlier_session_told(self) -> None:
        facts = facts_of(replace(DATA_FACTS, largest=90.0))
        (told,) = Watcher(facts).observe(Reading(0, 0.0, "train", {"loss": 0.7}))
        later = Watcher(facts, told=[Finding.of(told.plain())])
        assert later.observe(Reading(5, 0.5, "train", {"loss": 0.6})) == []

    def test_says_a_note_again_when_it_has_become_a_warning(self) -> None:
        facts = facts_of()
        watcher = Watcher(facts)
        dead = full_probe(facts, {f"dead_units/{facts.layers[0].key}": 0.8})
        for n in range(20):
            watcher.read(10 * n, "train", {"loss": 0.1, **dead})
        assert watcher.findings["dead_units"].level == "note"
        for n in range(20, 60):
            watcher.read(10 * n, "train", {"loss": 0.69, **dead})
        assert watcher.findings["dead_units"].level == "note"
        watcher.finish("completed")
        assert watcher.findings["dead_units"].level == "warning"

    def test_is_silent_about_what_the_config_ignores(self) -> None:
        facts = facts_of(diagnose={"ignore": ["loss_not_decreasing"]})
        assert "loss_not_decreasing" not in watch(facts, FLAT)

    def test_goes_on_as_if_it_had_not_been_stopped(self) -> None:
        facts = facts_of()
        records = [
            {"step": n, "epoch": 0.0, "split": "train", "loss": loss, **full_probe(facts)}
            for n, loss in enumerate(FLAT * 3)
        ]
        whole, second = Watcher(facts), Watcher(facts)
        whole.replay(records)
        second.recall(records[:20])
        second.replay(records[20:])
        assert whole.findings == second.findings

    def test_concludes_when_the_run_has_ended(self) -> None:
        watcher = Watcher(facts_of(model="linear"))
        for n in range(40):
            watcher.read(n, "train", {"loss": 0.6})
        names = [f.name for f in watcher.observe(Stopped("completed", ""))]
        assert "underfitting" in names

    def test_every_rule_has_a_name_of_its_own_and_known_causes(self) -> None:
        names = [rule.name for rule in CHECKS]
        assert len(set(names)) == len(names)
        assert set(get_args(FindingName)) == {*names, "cannot_learn_one_batch"}
        assert {cause for rule in CHECKS for cause in rule.explained_by} <= set(names)


def test_every_remedy_is_a_config_that_can_be_read() -> None:
    facts = facts_of(model=DEEP, optimizer={"kind": "sgd", "lr": 0.3})
    probes = [
        full_probe(facts, grad_norm=1e4), full_probe(facts, unit_spread=0.0),
        full_probe(facts, dead_units=1.0), full_probe(facts, saturated=1.0),
        full_probe(facts, update_ratio=0.9),
        full_probe(facts, update_ratio=1e-7),
        full_probe(facts, {f"grad_norm/{facts.layers[0].weight}": 0.0}),
    ]  # fmt: skip
    rising = [0.3 + 0.02 * n for n in range(40)]
    found = [f for probe in probes for f in watch(facts, FLAT, probe=probe).values()]
    found += watch(facts, FALLING, validation=rising).values()
    remedies = [finding.remedy for finding in found if finding.remedy]
    assert len(remedies) >= 7
    for remedy in remedies:
        load_config({**BASE, "model": DEEP, "optimizer": {"kind": "sgd", "lr": 0.3}}, list(remedy))
