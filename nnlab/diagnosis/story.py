"""One story of all findings: which follows from which, and in what order they are told.

A cause comes before what it brings about, whatever their levels: units that are dead since long
updates threw them there are the learning rate's doing. Only what follows from nothing has a remedy,
so that one page never advises two things that contradict each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from nnlab.core.finding import LEVELS, Finding

_SIGNAL = ("dead_units", "saturation", "vanishing_gradient", "exploding_gradient")
_TIME = ("vanishing_through_time", "exploding_through_time")
"""Ratios of gradients within a layer: how large the targets are has no part in them."""
_STUCK = ("loss_not_decreasing", "underfitting", "no_better_than_baseline", "naive_forecast")
_RATE = ("learning_rate_too_high", "learning_rate_too_low", "update_ratio_off")
_ALL = (*_SIGNAL, *_STUCK, *_RATE, "divergence", "poor_initialization", "symmetric_units")

_SHORT = ("learning_rate_too_low", "update_ratio_off", "vanishing_gradient",
          "vanishing_through_time",
          "poor_initialization", *_STUCK)  # fmt: skip
"""What follows from updates that are too short or too few."""
_LONG = (*_SIGNAL, *_TIME, *_STUCK, "learning_rate_too_high", "update_ratio_off", "divergence",
         "overfitting", "poor_initialization")  # fmt: skip
"""What follows from updates that are too long."""
_HELD = (
    *_SIGNAL,
    "vanishing_through_time",
    *_STUCK,
    *_RATE,
    "poor_initialization",
    "too_few_updates",
    "batch_too_large",
)
"""What follows from weights, units or examples that something holds back."""
_SLOW = ("too_few_updates", "batch_too_large")
"""What follows from whatever keeps the loss from falling sooner."""

EFFECTS: Mapping[str, Sequence[str]] = {
    "outlier_rows": (*_SLOW, *_ALL, *_TIME, "data_not_scaled", "targets_not_scaled"),
    "outlier_targets": (*_SLOW, *_ALL, "targets_not_scaled", "overfitting"),
    "rows_in_order": (*_SLOW, *_STUCK, *_RATE, "overfitting"),
    "missing_classes": ("distribution_shift", "overfitting", "no_better_than_baseline"),
    "distribution_shift": ("overfitting", "no_better_than_baseline"),
    "data_not_scaled": (*_SLOW, *_ALL, *_TIME, "batch_norm_with_tiny_batches"),
    "targets_not_scaled": (*_SLOW, *_ALL),
    "scale_differs_from_weights": (*_SLOW, *_ALL, "data_not_scaled", "forgetting"),
    "l2_too_large": _HELD,
    "l1_too_large": _HELD,
    "weight_decay_too_large": _HELD,
    "max_norm_too_small": _HELD,
    "dropout_too_large": (*_HELD, "poor_initialization"),
    "augmentation_too_strong": (*_HELD, "poor_initialization", "divergence"),
    "label_smoothing_too_large": _HELD,
    "averaging_too_slow": (*_STUCK, "overfitting"),
    "frozen_layers": _HELD,
    "loss_does_not_fit": (*_SLOW, *_STUCK, *_SIGNAL, *_RATE),
    "epsilon_too_large": (*_SLOW, *_SHORT),
    "clip_norm_too_small": (*_SLOW, *_SHORT),
    "warmup_too_long": (*_SLOW, *_SHORT),
    "schedule_ends_too_early": (*_SLOW, *_SHORT),
    "momentum_too_large": (*_SLOW, *_LONG),
    "layer_too_narrow": _HELD,
    "linear_network": _HELD,
    "unusual_setting": (*_HELD, "divergence", "poor_initialization"),
    "early_stopping_too_early": (*_SLOW, *_SHORT),
    "batch_too_large": _SHORT,
    "too_few_updates": _SHORT,
    "batch_norm_with_tiny_batches": (*_SLOW, *_STUCK, *_RATE, "exploding_gradient"),
    "targets_out_of_reach": (*_SLOW, *_SIGNAL, *_STUCK, *_RATE, "poor_initialization"),
    "softmax_twice": (*_SLOW, *_STUCK, *_RATE),
    "group_rate_too_high": (*_LONG, "poor_initialization"),
    "badly_initialized_layer": (*_SLOW, *_SIGNAL, *_TIME, *_STUCK, *_RATE, "poor_initialization",
                                "divergence"),
    "validation_too_small": ("no_better_than_baseline", "overfitting"),
    "copied_units": _STUCK,
    "symmetric_units": (*_SLOW, *_SIGNAL, *_STUCK, *_RATE),
    "poor_initialization": (*_SLOW, *_SIGNAL, *_STUCK, *_RATE, "divergence", "overfitting"),
    "learning_rate_too_high": (*_SIGNAL, *_TIME, *_STUCK, "update_ratio_off", "divergence",
                               "poor_initialization", "overfitting"),
    "learning_rate_too_low": ("update_ratio_off", *_STUCK),
    "dead_units": (*_SLOW, "vanishing_gradient", *_STUCK, *_RATE),
    "exploding_through_time": (*_SLOW, "divergence", "saturation", "exploding_gradient", *_STUCK,
                               *_RATE),
    "vanishing_through_time": (*_SLOW, "vanishing_gradient", *_STUCK, *_RATE),
    "exploding_gradient": (*_SLOW, "divergence", "saturation", "dead_units", *_STUCK, *_RATE),
    "vanishing_gradient": (*_SLOW, "saturation", *_STUCK, *_RATE),
    "saturation": (*_SLOW, *_STUCK, *_RATE),
    "divergence": _STUCK,
    "label_noise": ("overfitting", "no_better_than_baseline", "underfitting"),
    "loss_not_decreasing": ("underfitting", "no_better_than_baseline", "update_ratio_off",
                            "naive_forecast"),
    "underfitting": ("no_better_than_baseline", "naive_forecast"),
    "overfitting": ("no_better_than_baseline", "naive_forecast"),
}  # fmt: skip
"""Cause -> what may follow from it; the causes in the order in which they are told."""
_RANK = {name: number for number, name in enumerate(EFFECTS)}
_SHOWN = ("outlier_rows", "outlier_targets", "data_not_scaled", "targets_not_scaled",
          "frozen_layers", "dropout_too_large", "augmentation_too_strong", "layer_too_narrow",
          "linear_network", "unusual_setting")  # fmt: skip
"""Causes in what the network is or is shown: they are there before the first update."""
_BEFORE = (*_SHOWN, "badly_initialized_layer", "symmetric_units", "poor_initialization", *_SIGNAL,
           *_TIME)  # fmt: skip
"""What was there before the first update follows from these alone."""
_AT_START = ("badly_initialized_layer", "dead_units", "saturation", "vanishing_gradient",
             "exploding_gradient", "vanishing_through_time", "exploding_through_time",
             "symmetric_units", "poor_initialization")  # fmt: skip
"""What can be there before the first update."""


def tell_story(findings: Iterable[Finding]) -> list[Finding]:
    """The findings with what follows from what, causes first.

    Args:
        findings: at most one of a name, as a run has told them.

    Returns:
        Causes by their rank (data, config, first weights, learning rate, signal, loss), each
        followed by its consequences; behind them what is a note of its own. A consequence has no
        remedy: its cause has one.
    """
    roots, effects = list[Finding](), list[Finding]()
    for finding in sorted(findings, key=_place):
        causes = tuple(root.name for root in roots if _leads_to(root, finding))
        if causes:
            effects.append(replace(finding, because=causes, remedy=(), advice=""))
        else:
            roots.append(finding)
    told: list[Finding] = []
    for root in _agreeing(roots):
        mine = [effect for effect in effects if root.name in effect.because]
        # What a run diverged of is no lesser fault than that it did.
        if any(effect.name == "divergence" for effect in mine):
            root = replace(root, level="fault")
        told += [root, *(effect for effect in mine if effect.because[0] == root.name)]
    return told


def _agreeing(roots: Sequence[Finding]) -> list[Finding]:
    """Causes without advice that contradicts an earlier one: of each field one value stays."""
    advised: dict[str, str] = {}
    found: list[Finding] = []
    for root in roots:
        pairs = [change.partition("=") for change in root.remedy]
        kept = [
            f"{key}={value}" for key, _, value in pairs if advised.setdefault(key, value) == value
        ]
        found.append(replace(root, remedy=tuple(kept)))
    return found


def _leads_to(cause: Finding, effect: Finding) -> bool:
    """Whether one finding explains another: it counts, and it was there before."""
    early = _at_start(effect) and cause.name not in _BEFORE
    known = effect.name in EFFECTS.get(cause.name, ())
    return known and not early and cause.worse_than("note")


def _at_start(finding: Finding) -> bool:
    """Whether it was there before the first update, and updates could not be expected to mend it.

    They mend a first loss a few times that of a guess within moments, unless something keeps them
    from it: that is the cause then.
    """
    measured = finding.measured or 0.0
    mild = finding.name == "poor_initialization" and 1.0 <= measured < _SEVERE
    return finding.name in _AT_START and finding.since == 0 and not mild


_SEVERE = 9.0
"""First loss over that of a guess, as diagnose.initial_loss squared: not mended in moments."""


def _place(finding: Finding) -> tuple[int, int, int, int]:
    """Warnings before notes; what was there before the first update; causes in their order."""
    note = 0 if finding.worse_than("note") else 1
    begun = 0 if _at_start(finding) or finding.name in _SHOWN else 1
    return note, begun, _RANK.get(finding.name, len(_RANK)), -LEVELS.index(finding.level)


def effects_of(cause: Finding, story: Sequence[Finding]) -> list[Finding]:
    """What follows from a finding, in the order of the story."""
    return [finding for finding in story if cause.name in finding.because]
