"""`diagnose:`, the thresholds of the rules that say what is wrong with a run."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from nnlab.core.kinds import Config

_Share = Annotated[float, Field(gt=0.0, lt=1.0)]

FindingName = Literal[
    "attention_collapse",
    "augmentation_too_strong",
    "averaging_too_slow",
    "badly_initialized_layer",
    "batch_norm_with_tiny_batches",
    "batch_too_large",
    "cannot_learn_one_batch",
    "class_imbalance",
    "clip_norm_too_small",
    "constant_features",
    "context_unused",
    "copied_units",
    "data_not_scaled",
    "dead_units",
    "distribution_shift",
    "divergence",
    "dropout_too_large",
    "duplicate_columns",
    "duplicates_across_splits",
    "early_stopping_too_early",
    "epsilon_too_large",
    "exploding_gradient",
    "exploding_through_time",
    "forgetting",
    "frozen_layers",
    "group_rate_too_high",
    "l1_too_large",
    "l2_too_large",
    "label_noise",
    "label_smoothing_too_large",
    "layer_too_narrow",
    "linear_network",
    "learning_rate_too_high",
    "learning_rate_too_low",
    "loss_does_not_fit",
    "loss_not_decreasing",
    "max_norm_too_small",
    "missing_classes",
    "momentum_too_large",
    "naive_forecast",
    "near_duplicates_across_splits",
    "no_better_than_baseline",
    "outlier_rows",
    "outlier_targets",
    "overfitting",
    "poor_initialization",
    "post_norm_without_warmup",
    "repeats_itself",
    "rows_in_order",
    "saturation",
    "scale_differs_from_weights",
    "schedule_ends_too_early",
    "softmax_twice",
    "state_not_carried",
    "symmetric_units",
    "target_leakage",
    "targets_not_scaled",
    "targets_out_of_reach",
    "too_few_updates",
    "underfitting",
    "unusual_setting",
    "update_ratio_off",
    "validation_too_small",
    "vanishing_gradient",
    "vanishing_through_time",
    "warmup_too_long",
    "weight_decay_too_large",
]
"""What can be found; tests/diagnosis holds it against the rules."""


class DiagnoseConfig(Config, frozen=True):
    """From where on a number counts as a finding; nnlab doctor says what is found.

    Each is relative: to what is known without looking at the inputs, to the last layer, to what an
    activation shows at rest. Set on other runs than those of docs/doctor.md.
    """

    ignore: tuple[FindingName, ...] = ()
    """Names of findings that are not told, such as vanishing_gradient."""
    learned: _Share = 0.5
    """So much of the loss of a blind guess is gone: a symptom in the layers is a note from here."""
    patience: _Share = 0.2
    """So much of a run is waited for learning to begin before a mild symptom counts."""
    vanishing_ratio: _Share = 1e-3
    """Gradient per weight, first over last layer, below which it vanishes. Glorot & Bengio 2010,
    figures 6 to 9."""
    exploding_ratio: PositiveFloat = 1e3
    """Gradient per weight, first over last layer, above which it explodes. Pascanu et al. 2013,
    arXiv:1211.5063."""
    attention_entropy: _Share = 0.05
    """Entropy of what a layer's heads look at, median, over that of a look at all places alike.
    Zhai et al. 2023, arXiv:2303.06296."""
    time_vanishing_ratio: _Share = 1e-3
    """Gradient of a recurrent layer's state, first over last step, below which it vanishes.
    Bengio et al. 1994, doi:10.1109/72.279181."""
    time_exploding_ratio: PositiveFloat = 100.0
    """The same, above which it explodes: weights that keep its length have about 1.
    Pascanu et al. 2013, arXiv:1211.5063, section 2.1."""
    context_gain: _Share = 0.01
    """By how much the loss still falls from the third quarter of a window to its last one, of that
    of a blind guess, where a longer memory would tell more."""
    variety: _Share = 0.5
    """How many different runs of tokens a network writes at temperature 1, over as many tokens of
    the held-out text that follows the same beginnings. Holtzman et al. 2019, arXiv:1904.09751."""
    gradient_ratio: PositiveFloat = 100.0
    """Gradient over weights, of any layer: with a usual rate one step would be longer than they."""
    dead_share: _Share = 0.5
    """Units of a layer that are 0 on every example. Maas et al. 2013."""
    saturated_share: _Share = 0.5
    """Activations next to a bound, beyond those of N(0, 1) inputs. Glorot & Bengio 2010."""
    symmetric: PositiveFloat = 1e-5
    """How much the weights of a layer's units differ, of their length. Goodfellow 2016, 8.4."""
    initial_loss: PositiveFloat = 3.0
    """First loss over that of outputs 0 or of a blind guess: a note; a warning where steps do not
    mend it, and from its square on, unless all first weights are at most so many times those of
    N(0, 1 / n_in). Outputs 0 over a blind guess: targets are to be scaled."""
    update_high: PositiveFloat = 0.1
    """Length of an update over that of the weights, median of the layers; 1e-3 is usual."""
    update_low: PositiveFloat = 3e-5
    """The ratio of the update to the weights below which it is too small. Bottou 2015; Karpathy,
    CS231n, "Babysitting the learning process"."""
    leap: PositiveFloat = 3.0
    """How far the weights have gone before learning should have begun, over the first ones (or
    those of N(0, 1 / n_in)): nothing of these is left. Goodfellow et al. 2016, 8.3.1."""
    reach: PositiveFloat = 0.05
    """The same times the updates of the run: so far the weights could go in all."""
    stuck: _Share = 0.05
    """Less of a blind guess's loss is gone after `patience`: the loss does not fall."""
    swing: PositiveFloat = 0.3
    """Deviation of the training loss around its course, of its mean."""
    overfit_rise: PositiveFloat = 0.15
    """How much the validation loss has risen above its lowest value, of that of a blind guess."""
    underfit: _Share = 0.3
    """Less of a blind guess's loss is gone at the end, and it falls no more."""
    better: _Share = 0.05
    """How much of the way from the baseline to perfect scores a model must go at the end."""
    majority: _Share = 0.75
    """Share of the largest class from which on accuracy says little. He & Garcia 2009."""
    spread: PositiveFloat = 30.0
    """Deviation of input columns as the network sees them, largest over smallest."""
    input_size: PositiveFloat = 10.0
    """Root mean square of the inputs as the network sees them. LeCun et al. 1998, section 4.3."""
    duplicates: _Share = 0.1
    """Rows of validation or test that are rows of train as well."""
    mislabelled: _Share = 0.03
    """Of the training labels so many contradict the network however sure it is, at least."""
    mislabelled_unseen: _Share = 0.08
    """Of the training labels so many contradict networks trained without the row: a rare group,
    rightly labelled, looks the same."""
    sure: _Share = 0.5
    """The surest training rows, which are held against validation rows as sure."""
    luck: PositiveFloat = 2.0
    """Standard errors that both allow for: in 2 of 100 a chance does more."""
    outlying: PositiveFloat = 1e3
    """Largest number of a training row, over the median of the rows: no row of the same kind."""
    weights_scale: PositiveFloat = 0.5
    """Deviations that inputs may be from the scale that first weights from elsewhere expect; two
    halves of the same data differ by hundredths, 0..1 in place of ImageNet's scale by two."""
    forgotten: _Share = 0.3
    """Of what the source of the first weights knew of its own data, beyond a blind guess, so much
    is gone. McCloskey & Cohen 1989; French 1999."""
    batch_norm_rows: PositiveInt = 4
    """Fewer values than this for the statistics of a batch. Wu & He 2018, arXiv:1803.08494."""
