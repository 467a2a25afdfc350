"""Checks of what the splits are beside each other, and of columns that tell too much."""

from nnlab.core.finding import Finding
from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import (
    Check,
    needs_all_rows,
    needs_classes,
    needs_data,
    needs_table,
)
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.gains import gains
from nnlab.diagnosis.evidence.history import History
from nnlab.diagnosis.evidence.survey.split_shift import Shift


def target_leakage(_: History, facts: Facts) -> Finding | None:
    """A column that gives the target away: known only when the target is, as a rule."""
    survey = facts.data.survey if facts.data is not None else None
    if survey is None or survey.telling is None:
        return None
    found = survey.telling
    what = "answers" if facts.experiment.shape.task == "classes" else "variance"
    verb = "gets wrong" if what == "answers" else "leaves unexplained"
    return Finding(
        name="target_leakage",
        level="warning",
        layer=None,
        measured=found.alone,
        quantity=f"share of the {what} that column {found.name} alone {verb}",
        since=0,
        meaning=f"column {found.name} alone {verb} {found.alone:.2%} of {found.rows:,} rows, all "
        f"other columns together {found.others:.1%}, and a guess that looks at none "
        f"{found.guess:.0%}: such a column is often written down only when the target is known",
        remedy=remedies.drop_columns(facts, [found.name]),
        advice="find out whether it is known before the target; if it is, all is well "
        "(diagnose.ignore)",
        source="Kaufman, Rosset & Perlich 2012, doi:10.1145/2382577.2382579",
    )


def duplicate_columns(_: History, facts: Facts) -> Finding | None:
    """Columns that are another one, in another unit."""
    survey = facts.data.survey if facts.data is not None else None
    pairs = survey.copied if survey is not None else ()
    if not pairs:
        return None
    shown = ", ".join(f"{copy} is {first}" for copy, first in pairs[:5])
    more = ", ..." if len(pairs) > 5 else ""
    return Finding(
        name="duplicate_columns",
        level="note",
        layer=None,
        measured=float(len(pairs)),
        quantity="columns whose values are those of another, up to unit and zero",
        since=0,
        meaning=f"{shown}{more}: what they say counts twice, and nothing is lost without them",
        remedy=remedies.drop_columns(facts, [copy for copy, _ in pairs]),
        advice="leave one of each pair out of the data",
        source="",
    )


def near_duplicates(_: History, facts: Facts) -> Finding | None:
    """Rows that are training rows up to a little noise."""
    survey = facts.data.survey if facts.data is not None else None
    ranked = [
        (one.near / one.asked, split, one)
        for split, one in (survey.near.items() if survey is not None else ())
        if one.near >= _FEWEST
    ]
    if not ranked:
        return None
    share, split, one = max(ranked)
    if share < _LEAST:
        return None
    numbers = facts.experiment.shape.task == "regression"
    same = "" if numbers else f"; {one.agree} of them have its target"
    return Finding(
        name="near_duplicates_across_splits",
        level="warning" if share >= facts.limits.duplicates else "note",
        layer=None,
        measured=share,
        quantity=f"share of {split} that is next to a training row and far from all others",
        limit=_LEAST,
        since=0,
        meaning=f"{one.near:,} of {one.asked:,} rows of {split} lie at most {one.closer:.2g} "
        f"times as far from a training row as from those behind it{same}: they are copies with "
        "small changes, and what they score says little about new data",
        advice="split by what the copies have in common (the patient, the photo, the day)",
        source="Barz & Denzler 2020, arXiv:1902.00423",
    )


_FEWEST, _LEAST = 4, 0.02
"""Rows that are copies, and their share, from which on it is told."""


def distribution_shift(_: History, facts: Facts) -> Finding | None:
    """Validation or test rows of another kind than training rows."""
    survey = facts.data.survey if facts.data is not None else None
    told = [
        (one.told_apart, split, one)
        for split, one in (survey.shifts.items() if survey is not None else ())
        if _differs(one)
    ]
    if not told:
        return None
    split, one = max(told)[1:]
    moved = (
        f"; column {one.column} moved most: its middle value is {one.medians[0]:.3g} in train and "
        f"{one.medians[1]:.3g} in {split}, as the network sees them"
        if one.column
        else ""
    )
    return Finding(
        name="distribution_shift",
        level="warning" if one.told_apart >= _CLEARLY or one.moved >= _FAR else "note",
        layer=None,
        measured=one.told_apart,
        quantity=f"how often the row of train is known of two, one of {split} (chance: 0.5)",
        limit=_HARDLY,
        since=0,
        meaning=f"a forest of trees tells rows of train from rows of {split} in "
        f"{one.told_apart:.0%} of pairs, where {0.5 + 5 * one.error:.0%} would be chance at "
        f"most{moved}: the score on {split} is of another kind of rows than those learned",
        advice=f"see how {split} was chosen; rows drawn at random are alike (data.{split}=0.2)",
        source="Lopez-Paz & Oquab 2017, arXiv:1610.06545",
    )


def _differs(shift: Shift) -> bool:
    """By more than chance, and by so much that it matters."""
    certain = shift.told_apart - 0.5 > 5.0 * shift.error
    return (certain and shift.told_apart >= _HARDLY) or shift.moved >= _FAR / 2.0


_HARDLY, _CLEARLY, _FAR = 0.6, 0.7, 0.3
"""Area under the ROC curve from which on splits differ, and clearly; and the largest difference of
a column's distributions."""


def missing_classes(_: History, facts: Facts) -> Finding | None:
    """Classes that a split has no row of.

    Not of a text: its tokens are as rare as they are, and its splits are blocks that cannot be
    drawn otherwise.
    """
    if facts.experiment.shape.places:
        return None
    counts = facts.data.split_counts if facts.data is not None else {}
    train, names = counts.get("train", ()), facts.experiment.shape.classes
    for split, others in counts.items():
        unknown = [names[k] for k, n in enumerate(others) if n and not train[k]]
        if unknown:
            rows = sum(n for k, n in enumerate(others) if not train[k])
            return _missing(
                facts, unknown, f"no row of train is of {_few(unknown)}, and {rows:,} rows of "
                f"{split} are: they cannot be learned", "train", "warning"
            )  # fmt: skip
    size = max(1, sum(train))
    for split, others in counts.items():
        if facts.data is not None and split in facts.data.same_rows:
            continue
        expected = [sum(others) * n / size for n in train]
        lost = [k for k, n in enumerate(others) if not n and train[k]]
        if lost:
            sure = max(expected[k] for k in lost) >= _EXPECTED
            missing = [names[k] for k in lost]
            return _missing(
                facts, missing, f"no row of {split} is of {_few(missing)}: its score says nothing "
                "about them", split, "warning" if sure else "note"
            )  # fmt: skip
    return None


_EXPECTED = 5.0
"""So many rows of a class would be in a split that is drawn at random."""


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _missing(facts: Facts, names: list[str], meaning: str, split: str, level: str) -> Finding:
    return Finding(
        name="missing_classes",
        level="warning" if level == "warning" else "note",
        layer=None,
        measured=float(len(names)),
        quantity=f"classes, of {len(facts.experiment.shape.classes):,}, without a row in {split}",
        since=0,
        meaning=meaning,
        advice="draw the splits at random, by class (data.validation=0.2), or leave these out",
        source="",
    )


def rows_in_order(_: History, facts: Facts) -> Finding | None:
    """Batches of rows that are alike, because nothing shuffles them."""
    purity = facts.data.purity if facts.data is not None else 0.0
    if purity < _PURE:
        return None
    return Finding(
        name="rows_in_order",
        level="warning",
        layer=None,
        measured=purity,
        quantity="how much the rows of a batch are alike (0 as at random, 1 all the same)",
        limit=_PURE,
        since=0,
        meaning="batches are taken in the order of the rows, which follows the target: each update "
        "unlearns what the others have taught",
        remedy=("train.sampling=shuffled",),
        source="Bengio 2012, arXiv:1206.5533, section 3.2",
    )


_PURE = 0.3


def validation_too_small(history: History, facts: Facts) -> Finding | None:
    """So few validation rows that their score says nothing."""
    rows = facts.answers("validation")
    by_design = facts.data is not None and "validation" in facts.data.same_rows
    if not rows or by_design or rows >= _SAYS_SOMETHING:
        return None
    # A score far above the guess is something, however few the rows.
    found = gains(history, facts, "validation") if history.ended else []
    nothing = bool(found) and not any(one.certain for one in found)
    little = rows < _SAYS_LITTLE or nothing
    if not little and (facts.data is None or facts.data.survey is None):
        return None  # while a run trains, that would be told of every small data set
    return Finding(
        name="validation_too_small",
        level="warning" if little else "note",
        layer=None,
        measured=float(rows),
        quantity="rows of validation",
        limit=float(_SAYS_SOMETHING),
        since=0,
        meaning=f"{_off_by(facts, rows)} in 19 of 20 cases: smaller differences between two runs, "
        "or two epochs, say nothing",
        advice="more rows (data.validation=0.2), or the mean over several splits and seeds",
        source="Raschka 2018, arXiv:1811.12808, section 1.7",
    )


def _off_by(facts: Facts, rows: int) -> str:
    """How far off what so few rows say is."""
    if facts.experiment.shape.task == "regression":
        # The variance of a mean of n squares of normal errors is 2 / n of its own square.
        luck = 2.0 * (2.0 / rows) ** 0.5
        return f"a mean squared error, measured on {rows:,} rows, is off by up to {luck:.0%} of it"
    luck = 2.0 * (0.25 / rows) ** 0.5
    share = f"a share of right answers near one half, measured on {rows:,} rows,"
    return f"{share} is off by up to {luck:.2f}"


_SAYS_SOMETHING, _SAYS_LITTLE = 30, 10


def _no_survey(history: History, facts: Facts) -> str | None:
    if why := needs_all_rows(history, facts):
        return why
    survey = facts.data.survey if facts.data is not None else None
    if survey is not None and not survey.shifts:
        return "the splits have too few rows, or are the training rows by design"
    return None


def _survey_of_table(history: History, facts: Facts) -> str | None:
    why = needs_table(history, facts)
    return needs_all_rows(history, facts) if why is None else why


def _no_batches(history: History, facts: Facts) -> str | None:
    return "" if not facts.followed else needs_data(history, facts)


SPLIT_CHECKS = (
    Check("target_leakage", target_leakage, unable=_survey_of_table),
    Check("duplicate_columns", duplicate_columns, unable=_survey_of_table),
    Check(
        "near_duplicates_across_splits",
        near_duplicates,
        ("duplicates_across_splits",),
        unable=_no_survey,
    ),
    Check("missing_classes", missing_classes, unable=needs_classes),
    Check("distribution_shift", distribution_shift, ("missing_classes",), unable=_no_survey),
    Check("rows_in_order", rows_in_order, unable=_no_batches),
    Check("validation_too_small", validation_too_small, unable=needs_data),
)
