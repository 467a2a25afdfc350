"""Where the rows lie whose labels contradict networks that had not seen them.

A label that is wrong at random is so wherever its row lies. Right labels that contradict a network
that is sure of its answer have a place of their own: they lie together (a rare group that was not
learned), or further out than others (a long tail, about which a network is surer than its data).
"""

from typing import TYPE_CHECKING

from nnlab.core.contracts import Examples
from nnlab.core.lazy import NDArray, np
from nnlab.diagnosis.evidence.contradicted_labels import sureness_groups
from nnlab.diagnosis.evidence.survey.survey import seen_rows

if TYPE_CHECKING:
    from nnlab.diagnosis.evidence.facts import Unseen

    Floats = NDArray[np.floating]
    Places = NDArray[np.intp]

_NEIGHBOURS = 5
_MOST = 4000
"""So many rows are looked at, of more these are drawn."""
_SUREST, _FEWEST = 2, 10
"""Of the five groups by sureness those whose rows are asked; and so many must be contradicted."""
_TOLD = 0.5
"""Neighbours are answered alike at least half of the way from chance to always: else they say
nothing, and a group could not be seen."""


def special_place(examples: Examples, rows: "NDArray[np.int64]", unseen: "Unseen") -> float | None:
    """How far the surest contradicted rows lie together, or further out than rows as sure.

    Args:
        examples: the data.
        rows: (N,) their numbers in the data.
        unseen: what networks say of them that were trained without them.

    Returns:
        The larger of two numbers of standard errors, about N(0, 1) each where labels are wrong at
        random; None where nothing can be said.
    """
    from sklearn.neighbors import NearestNeighbors

    inputs, shape = examples.inputs, examples.shape
    # Of text and series a row is no example that stands by itself.
    if not isinstance(inputs, np.ndarray) or shape.tokens or shape.places:
        return None
    chosen = np.random.default_rng(0).permutation(len(rows))[:_MOST]
    seen, against = seen_rows(examples, inputs, rows[chosen]), unseen.margins[chosen] < 0.0
    group = sureness_groups(unseen.sure[chosen], unseen.sure[chosen])
    asked = group < _SUREST
    if against[asked].sum() < _FEWEST or not np.isfinite(seen).all():
        return None
    search = NearestNeighbors(n_neighbors=_NEIGHBOURS).fit(seen)
    distances, nearest = search.kneighbors()
    if not _telling(unseen.predicted[-1, chosen], nearest, asked):
        return None
    together = _together(against, group, nearest, asked)
    return max(together, _further_out(against, group, distances[:, -1]))


def _telling(answers: "NDArray[np.int32]", nearest: "Places", asked: "NDArray[np.bool_]") -> bool:
    """Whether rows that lie next to each other are mostly answered alike."""
    alike = float((answers[nearest] == answers[:, None])[asked].mean())
    chance = float(np.square(np.bincount(answers) / len(answers)).sum())
    return alike - chance > _TOLD * (1.0 - chance)


def _together(
    against: "NDArray[np.bool_]",
    group: "Places",
    nearest: "Places",
    asked: "NDArray[np.bool_]",
) -> float:
    """How much more often than by chance a contradicted row lies next to another.

    A join count (Moran 1948, J. R. Stat. Soc. B 10): each pair of neighbours adds the product of
    how far either is from what rows as sure are on average. A pair counts twice where each row is
    among the nearest of the other.
    """
    rate = np.bincount(group, against, minlength=5) / np.bincount(group, minlength=5)
    more, spread = against - rate[group], (rate * (1.0 - rate))[group]
    own = np.arange(len(group))[:, None, None]
    mutual = (nearest[nearest] == own).any(axis=2) & asked[nearest]
    pairs = (more[:, None] * more[nearest])[asked]
    variance = (spread[:, None] * spread[nearest] * (1.0 + mutual))[asked]
    return float(pairs.sum() / np.sqrt(max(variance.sum(), 1e-12)))


def _further_out(against: "NDArray[np.bool_]", group: "Places", distance: "Floats") -> float:
    """How much further from their neighbours contradicted rows are than rows as sure.

    By rank, in each of the surest groups (Wilcoxon's rank sum test, stratified: van Elteren 1960).
    """
    total = variance = 0.0
    for number in range(_SUREST):
        mine = group == number
        count, few = int(mine.sum()), int(against[mine].sum())
        ranks = 1.0 + np.argsort(np.argsort(distance[mine]))
        total += float(ranks[against[mine]].sum()) / (count + 1.0) - few / 2.0
        variance += few * (count - few) / (12.0 * (count + 1.0))
    return total / max(variance, 1e-12) ** 0.5
