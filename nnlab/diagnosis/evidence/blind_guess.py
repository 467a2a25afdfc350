"""What guesses cost that learn nothing: a constant, and of a series its naive forecasts."""

from nnlab.core.contracts import Examples, Split
from nnlab.core.errors import MistakeError
from nnlab.core.lazy import np
from nnlab.diagnosis.evidence.facts import NaiveLoss
from nnlab.experiment.experiment import Experiment

_GUESSED = 20_000
"""At most so many rows say what the best constant answer is."""
_DISTANCES = ("mse", "quadratic", "mae", "huber", "smooth_l1", "log_cosh")


def blind_loss(
    experiment: Experiment,
    examples: Examples,
    *,
    silent: bool = False,
    split: Split = "train",
) -> float | None:
    """The mean loss of the best constant outputs: ln K for K classes of equal size.

    Args:
        experiment: settled.
        examples: its data.
        silent: of outputs 0 instead: ln K whatever the sizes of the classes.
        split: on whose rows; the constant is the best one there.

    Returns:
        None for losses where these are no simple mean (hinge, quantile, Poisson, ...), and where
        there is no such split.
    """
    shape, loss = experiment.shape, experiment.loss
    rows = examples.rows.get(split, np.empty(0, np.int64))
    # Validation rows are in the order of the file, which may be that of the classes.
    rows = rows[:: -(-len(rows) // _GUESSED) or 1]
    own = {*experiment.config.replaced}
    if not len(rows) or "loss" in own or (not loss.link_inside and loss.kind not in _DISTANCES):
        return None
    # Of a text every place of a window is an answer.
    targets = examples.targets[rows].reshape(-1) if shape.places else examples.targets[rows]
    try:
        loss = loss.fitted(examples.answers("train"), shape)
        columns = loss.columns(targets, shape)
        scale = examples.target_scale
        if scale is not None:
            columns = (columns - np.array(scale.mean)) / np.array(scale.deviation)
        mean = columns.mean(axis=0)
        if loss.link_inside:
            mean = np.clip(mean, 1e-12, 1.0 - 1e-12)
            odds = np.log(mean) if loss.link == "softmax" else np.log(mean) - np.log1p(-mean)
            mean = odds
        outputs = np.broadcast_to(0.0 * mean if silent else mean, columns.shape)
        return float(loss.value(outputs, columns).mean())
    except MistakeError:
        return None


def naive_losses(experiment: Experiment, examples: Examples) -> tuple[NaiveLoss, ...]:
    """The validation loss of each naive forecast of a series.

    Returns:
        None of them where the data are no series or have no validation split, or where the loss is
        no distance.
    """
    data, loss = experiment.config.data, experiment.loss
    rows = examples.rows.get("validation")
    if examples.windows is None or rows is None:
        return ()
    from nnlab.parts.datasets.sequences.naive import naive_forecasts
    from nnlab.parts.datasets.sequences.series import SeriesLikeConfig

    if not isinstance(data, SeriesLikeConfig):
        return ()
    if loss.kind not in _DISTANCES or "loss" in experiment.config.replaced:
        return ()
    mean, deviation = examples.target_scale or ((0.0,), (1.0,))
    shift, factor = np.array(mean), np.array(deviation)
    found: list[NaiveLoss] = []
    for name, forecast in naive_forecasts(examples.windows, data.season).items():
        try:
            fitted = loss.fitted(examples.answers("train"), examples.shape)
            columns = fitted.columns(examples.targets[rows], examples.shape)
            outputs = (forecast[rows] - shift) / factor
            each = np.asarray(fitted.value(outputs, (columns - shift) / factor))
        except MistakeError:
            return ()
        error = float(each.std()) / len(each) ** 0.5
        found.append(NaiveLoss(name, float(each.mean()), error))
    return tuple(found)
