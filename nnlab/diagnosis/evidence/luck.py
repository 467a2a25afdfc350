"""What chance does to a score or a loss that was measured on few rows."""

from collections.abc import Sequence
from math import log

LUCK = 2.0
"""Standard errors that a difference must have: a chance does more in 5 of 100."""
CHANCE = 0.01
"""How often a network that knows nothing may pass `beats_the_guess`, at most."""


def standard_error(key: str, value: float, rows: int, counts: Sequence[int] = ()) -> float:
    """How far a score of so many rows is from that of endless ones, as a rule.

    Args:
        key: of the score, as metrics.jsonl has it.
        value: of the score.
        rows: that it was measured on.
        counts: of the classes in training; the rows are taken to have the same shares.

    Returns:
        One standard error: of a share sqrt(p (1 - p) / n); of the mean of K shares that of each
        class by itself; of r2 the large-sample 2 |r| (1 - r2) / sqrt(n) (Olkin & Finn 1995,
        doi:10.1037/0033-2909.118.1.155); of correlations (1 - r2) / sqrt(n).
    """
    name, n = key.partition("@")[0], max(1, rows)
    if name in ("r2", "explained_variance"):
        # Below 0 the predictions differ from the mean by noise of this share of the variance.
        return 2.0 * min(1.0, abs(value)) ** 0.5 * min(1.0, max(0.0, 1.0 - value)) / n**0.5
    if name in ("pearson", "cohen_kappa", "matthews_corrcoef"):
        return max(0.0, 1.0 - value * value) / n**0.5
    p = min(1.0, max(0.0, value))
    classes = [n * count / sum(counts) for count in counts if count] if counts else []
    if classes and name in ("balanced_accuracy", "recall"):
        each = sum(1.0 / max(1.0, size) for size in classes) / len(classes) ** 2
        return (p * (1.0 - p) * each) ** 0.5
    if classes and name in ("f1", "precision", "average_precision", "roc_auc"):
        n = max(1.0, min(classes))
    return (p * (1.0 - p) / n) ** 0.5


def beats_the_guess(loss: float, guess: float, rows: int) -> bool:
    """Whether a mean log loss is below that of the best constant answer by more than chance does.

    Were the constant answer right, the likelihood ratio exp(rows (guess - loss)) would have a mean
    of at most 1, whatever the network: it is above 1 / `CHANCE` in at most that share of cases
    (Ville 1939; Wasserman, Ramdas & Balakrishnan 2020, doi:10.1073/pnas.1922664117).

    Args:
        loss: mean over the rows, in nats; the network was not trained on them.
        guess: of the best constant answer to the same rows.
        rows: how many.
    """
    return rows * (guess - loss) > log(1.0 / CHANCE)
