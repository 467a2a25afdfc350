"""Whether labels contradict a network because they are wrong, or because classes overlap.

Where classes overlap, a row is contradicted where the network is unsure: among rows that it answers
surely hardly a label says otherwise. Labels that are wrong at random contradict it however sure it
is. Rows are ranked by their |margin|; only the order counts, since a network that learns from
wrong labels is less sure of everything. Margins are means over moments of the run: (N,) arrays of
the output of the label less the largest other, negative where the label contradicts.
"""

from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from nnlab.core.lazy import NDArray, np

if TYPE_CHECKING:
    from nnlab.diagnosis.evidence.facts import Unseen

    Floats = NDArray[np.floating]

_BINS, _POINTS = 40, 4000
_OVERLAPS, _SHARES = 64, 50
"""Of the ranks; of the normal clouds' quantiles; of the grids of overlaps and of wrong labels."""


class FittedShare(NamedTuple):
    """Wrong labels beside overlapping classes, as fitted to the margins of training rows."""

    least: float
    """A lower bound of the share of wrong labels, from 0 to 0.5."""
    overlap: "Floats"
    """(40,) shares that right labels contradict, of rows from the surest to the others."""


def fit_wrong_share(margin: "Floats", sure: "Floats | None" = None, *, luck: float) -> FittedShare:
    """How many labels are wrong, from how contradictions depend on sureness.

    A row of rank u is contradicted with probability p + (1 - 2 p) q(u): p of the labels are wrong
    at random (Angluin & Laird 1988), and q is what two overlapping normal clouds do. Both p and the
    overlap are fitted by likelihood.

    Args:
        margin: (N,).
        sure: (N,) how sure the network is of its answers; None takes |margin|, which is the same
            for two classes.
        luck: standard errors between the likeliest p and the least, as a ratio of likelihoods
            (Wilks 1938).
    """
    bins = np.array_split(margin[_surest_first(_sure(margin, sure))] < 0.0, _BINS)
    against = np.array([one.sum() for one in bins])
    size = np.array([len(one) for one in bins])
    shares, clouds = np.linspace(0.0, 0.49, _SHARES), _clouds()
    p = shares[:, None, None]
    expected = np.clip(p + (1.0 - 2.0 * p) * clouds, 1e-9, 1.0 - 1e-9)  # (shares, overlaps, 40)
    terms = against * np.log(expected) + (size - against) * np.log1p(-expected)
    likelihood = terms.sum(axis=2)
    likely = likelihood.max(axis=1) >= likelihood.max() - luck**2 / 2.0
    best = int(np.unravel_index(likelihood.argmax(), likelihood.shape)[1])
    return FittedShare(float(shares[likely][0]), clouds[best])


def _sure(margin: "Floats", sure: "Floats | None") -> "Floats":
    return np.abs(margin) if sure is None else sure


def _surest_first(sure: "Floats") -> "NDArray[np.intp]":
    """Places from the surest on; equal rows in no order, since files may be sorted by label."""
    mixed = np.random.default_rng(0).permutation(len(sure))
    return mixed[np.argsort(-sure[mixed], kind="stable")]


@cache
def _clouds() -> "NDArray[np.float64]":
    """(overlaps, 40) shares of right labels that contradict, from the surest rows to the others.

    Log odds of the label, of two normal clouds of equal spread, are N(m, 2 m) (linear discriminant
    analysis). A row whose log odds are s or -s is contradicted with probability 1 / (1 + e^s).
    """
    normal = NormalDist()
    z = np.array([normal.inv_cdf((n + 0.5) / _POINTS) for n in range(_POINTS)])
    rows: list[NDArray[np.float64]] = []
    for error in np.geomspace(5e-4, 0.49, _OVERLAPS):
        m = 2.0 * normal.inv_cdf(error) ** 2
        sure = np.sort(np.abs(m + (2.0 * m) ** 0.5 * z))[::-1]
        rows.append((1.0 / (1.0 + np.exp(sure))).reshape(_BINS, -1).mean(axis=1))
    return np.stack(rows)


def more_than_held(margin: "Floats", held: "Floats", *, sure: float, luck: float) -> float:
    """How much more often the surest training rows are contradicted than validation rows as sure.

    Training rows are answered at least as well as others; if they are contradicted more often,
    their labels are worse.

    Args:
        margin: (N,) of training rows.
        held: (V,) of validation rows.
        sure: the share of the training rows that counts as surest.
        luck: standard errors that are taken off (Agresti & Caffo 2000, which adds a row of each).

    Returns:
        A difference of shares, from -1 to 1; -1 where fewer than ten validation rows are as sure.
    """
    least = np.quantile(np.abs(margin), 1.0 - sure)
    ours, theirs = margin[np.abs(margin) >= least] < 0.0, held[np.abs(held) >= least] < 0.0
    if len(theirs) < _FEWEST:
        return -1.0
    a, b = ((one.sum() + 1.0) / (len(one) + 2.0) for one in (ours, theirs))
    error = (a * (1.0 - a) / (len(ours) + 2.0) + b * (1.0 - b) / (len(theirs) + 2.0)) ** 0.5
    return float(a - b - luck * error)


def more_than_unseen(unseen: "Unseen") -> float:
    """How much more often rows are contradicted than validation rows, by networks that saw neither.

    Where all labels are right the rows of both are alike. In five groups of equal sureness the
    differences of the shares are added, weighted as a share p of wrong labels would show in them:
    a right share q becomes p + (1 - 2 p) q (the efficient score; Cochran 1954, Biometrics 10).

    Returns:
        Standard errors above 0; 0 where there are too few validation rows.
    """
    if unseen.held is None or unseen.held_sure is None:
        return 0.0
    group, other = (sureness_groups(unseen.sure, sure) for sure in (unseen.sure, unseen.held_sure))
    networks = len(unseen.held)
    ours, theirs = np.bincount(group, minlength=5), np.bincount(other, minlength=5) / networks
    enough = np.minimum(ours, theirs) >= 3.0
    if not enough.any():
        return 0.0
    against = np.bincount(group, unseen.margins < 0.0, minlength=5)
    contrary = np.bincount(other, (unseen.held < 0.0).ravel(), minlength=5) / networks
    n, m, a, b = (x[enough] for x in (ours, theirs, against, contrary))
    right = np.minimum((a + b + 1.0) / (n + m + 2.0), 0.49)
    variance = right * (1.0 - right) * (1.0 / n + 1.0 / m)
    weight = (1.0 - 2.0 * right) / variance
    return float((weight * (a / n - b / m)).sum() / np.sqrt((weight**2 * variance).sum()))


def sureness_groups(sure: "Floats", rows: "Floats") -> "NDArray[np.intp]":
    """Of five groups of equal size, from the surest rows to the others: where each row belongs."""
    least = np.quantile(sure, (0.8, 0.6, 0.4, 0.2))
    return (rows.reshape(-1, 1) < least).sum(axis=1)


def held_shares(
    margin: "Floats",
    held: "Floats",
    sure: "Floats | None" = None,
    held_sure: "Floats | None" = None,
) -> "NDArray[np.float64]":
    """(5,) shares of validation rows that are contradicted, from the surest to the others.

    To each group a row is added that is contradicted as often as all are: some groups have few.

    Args:
        margin: (N,) of training rows.
        held: (V,) of validation rows, or (F, V).
        sure: (N,) what divides the training rows in five groups of equal size; None for |margin|.
        held_sure: (V,) or (F, V) how sure the answers to the validation rows are.
    """
    group = sureness_groups(_sure(margin, sure), _sure(held, held_sure))
    against = (held < 0.0).ravel()
    size = np.bincount(group, minlength=5)
    return (np.bincount(group, against, minlength=5) + against.mean()) / (size + 1.0)


def places_beyond_chance(
    margin: "Floats", expected: "Floats", sure: "Floats | None" = None
) -> "NDArray[np.intp]":
    """Places of as many contradicted rows as are more than right labels explain.

    Of each of five groups of rows, from the surest to the others, those that are furthest off are
    taken, so many that the rest is contradicted as often as expected. All that are contradicted
    would be too many: a network that never sees where classes overlap becomes too sure.

    Args:
        margin: (N,) of training rows.
        expected: (5 k,) shares that right labels contradict, from the surest rows on.
        sure: (N,) by which they are ranked; None for |margin|.
    """
    groups = np.array_split(_surest_first(_sure(margin, sure)), 5)
    taken: list[NDArray[np.intp]] = []
    for rows, share in zip(groups, expected.reshape(5, -1).mean(axis=1), strict=True):
        against = rows[margin[rows] < 0.0]
        against = against[np.argsort(margin[against], kind="stable")]
        more = (len(against) - share * len(rows)) / max(1.0 - share, 0.5)
        taken.append(against[: max(0, round(more))])
    return np.sort(np.concatenate(taken))


_FEWEST = 10
