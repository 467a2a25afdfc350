"""Claims about the data, held against the data themselves."""

import re
from collections.abc import Callable

import numpy as np
from claims_records import Records, number_after

from nnlab.core.finding import Finding


def column_named(records: Records, text: str, words: str) -> np.ndarray:
    """The training values of a column that a sentence names."""
    found = re.search(words + r" (\S+)", text)
    assert found is not None, (text, words)
    return records.columns()[:, list(records.examples.shape.columns).index(found[1])]


def _is_far(value: float, values: np.ndarray) -> None:
    """By the distance from the median beside that of nine of ten others."""
    middle = np.median(values)
    usual = np.quantile(np.abs(values - middle), 0.9)
    assert abs(value - middle) > 3.0 * usual, (value, middle, usual)
    assert np.isclose(values, value, rtol=1e-3).any()


def outlier_rows(finding: Finding, records: Records) -> None:
    assert finding.measured is not None
    if finding.quantity.startswith("training rows with a value"):
        values = column_named(records, finding.meaning, "column")
        _is_far(number_after(re.sub(r"^.*?column \S+", "", finding.meaning), "is"), values)
        return
    sizes = np.abs(records.seen()).max(axis=1)
    large = (sizes > number_after(finding.quantity, "rows of") * np.median(sizes)).sum()
    assert large >= 1
    assert finding.measured >= large


def outlier_targets(finding: Finding, records: Records) -> None:
    _is_far(
        number_after(re.sub(r".*?(target \S+|the target)", "", finding.meaning), "is"),
        np.concatenate([records.targets(split).astype(float).ravel() for split in records.rows]),
    )


def data_not_scaled(finding: Finding, records: Records) -> None:
    seen = records.seen()
    if finding.quantity.startswith("deviation"):
        spread = seen.std(axis=0)
        spread = spread[spread > 0.0]
        expected = spread.max() / spread.min()
    else:
        expected = np.sqrt((seen**2).mean())
    assert finding.measured is not None
    assert 0.5 < finding.measured / expected < 2.0, (finding.measured, expected)


def targets_not_scaled(finding: Finding, records: Records) -> None:
    targets = records.targets().astype(float)
    scale = records.examples.target_scale
    if scale is not None:
        targets = (targets - np.array(scale.mean)) / np.array(scale.deviation)
    away, size = abs(targets.mean()) / targets.std(), targets.std()
    assert away > 1.0 or not 0.3 < size < 3.0, (away, size)


def constant_features(finding: Finding, records: Records) -> None:
    still = (np.ptp(records.columns(), axis=0) == 0.0).sum()
    assert finding.measured is not None
    assert 1 <= finding.measured <= still


def class_imbalance(finding: Finding, records: Records) -> None:
    labels = records.examples.answers("train")
    assert finding.measured is not None
    assert np.isclose(np.bincount(labels).max() / len(labels), finding.measured)


def duplicates(finding: Finding, records: Records) -> None:
    split = re.search(r"share of (validation|test)", finding.quantity)
    assert split is not None
    stored = np.asarray(records.examples.inputs)
    answers = records.examples.targets

    def keys(name: str) -> list[bytes]:
        rows = records.examples.rows[name]  # pyright: ignore[reportArgumentType]
        return [stored[row].tobytes() + answers[row].tobytes() for row in rows]

    train = set(keys("train"))
    theirs = keys(split[1])
    share = sum(key in train for key in theirs) / len(theirs)
    assert finding.measured is not None
    assert np.isclose(share, finding.measured, atol=1e-9)


def near_duplicates(finding: Finding, records: Records) -> None:
    split = re.search(r"share of (validation|test)", finding.quantity)
    assert split is not None
    pairs = re.findall(r"^([\d,]+) of ([\d,]+)", finding.meaning)
    near, asked = (int(one.replace(",", "")) for one in pairs[0])
    assert finding.measured is not None
    assert np.isclose(near / asked, finding.measured)
    train, other = records.seen(), records.seen(split[1])
    distances = np.stack([np.sort(((train - row) ** 2).sum(axis=1))[:7] for row in other[:1000]])
    # By far the nearest of all, as no row of a cloud is, or of a pair of copies.
    steps = np.sqrt(distances[:, :5] / np.maximum(distances[:, 1:6], 1e-30))
    assert (steps.min(axis=1) < 0.25).sum() >= 0.5 * near


def target_leakage(finding: Finding, records: Records) -> None:
    """A tree of that one column alone, fitted to half of the rows, knows the others."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    found = re.search(r"column (\S+) alone", finding.meaning)
    assert found is not None
    names = list(records.examples.shape.columns)
    places = [
        n for n, name in enumerate(names) if name == found[1] or name.startswith(f"{found[1]}=")
    ]
    inputs, targets = records.columns()[:, places], records.targets()
    half = len(inputs) // 2
    if targets.dtype.kind in "iu":
        tree = DecisionTreeClassifier(max_leaf_nodes=40, random_state=1)
        wrong = (
            tree.fit(inputs[:half], targets[:half]).predict(inputs[half:]) != targets[half:]
        ).mean()
        assert wrong < 0.05
        return
    goal = targets.astype(float).ravel()
    tree = DecisionTreeRegressor(max_leaf_nodes=256, random_state=1)
    left = goal[half:] - tree.fit(inputs[:half], goal[:half]).predict(inputs[half:])
    assert (left**2).mean() < 0.05 * goal.var()


def duplicate_columns(finding: Finding, records: Records) -> None:
    names, values = list(records.examples.shape.columns), records.columns()
    for one, other in re.findall(r"(\S+) is (\S+?)[,:]", f"{finding.meaning}"):
        if one in names and other in names:
            pair = np.corrcoef(values[:, names.index(one)], values[:, names.index(other)])
            assert abs(pair[0, 1]) > 1.0 - 1e-6, (one, other, pair[0, 1])


def missing_classes(finding: Finding, records: Records) -> None:
    split = re.search(r"without a row in (\S+)", finding.quantity)
    assert split is not None
    there = set(records.examples.answers(split[1]).tolist())  # pyright: ignore[reportArgumentType]
    assert finding.measured is not None
    lacking = len(records.examples.shape.classes) - len(there)
    assert 1 <= finding.measured <= lacking


def distribution_shift(finding: Finding, records: Records) -> None:
    split = re.search(r"of two, one of (\S+)", finding.quantity)
    assert split is not None
    moved = re.search(r"column (.+?) moved most: its middle value is (\S+) in train and (\S+) in",
                      finding.meaning)  # fmt: skip
    if moved is not None:
        place = list(records.examples.shape.columns).index(moved[1])
        for name, told in (("train", moved[2]), (split[1], moved[3])):
            middle = float(np.median(records.seen(name)[:, place]))
            assert np.isclose(middle, float(told), rtol=0.2, atol=0.2), (name, middle, told)
    assert finding.measured is not None
    assert moved is not None or finding.measured > 0.55


def rows_in_order(finding: Finding, records: Records) -> None:
    assert records.config["train"]["sampling"] == "in_order"
    size = records.config["train"]["batch_size"]
    targets = records.targets().astype(float)
    whole = len(targets) // size * size
    batches = targets[:whole].reshape(whole // size, -1)
    assert batches.std(axis=1).mean() < 0.95 * targets.std()


def validation_too_small(finding: Finding, records: Records) -> None:
    assert finding.measured == records.rows["validation"]


def label_noise(finding: Finding, records: Records) -> None:
    pairs = re.findall(r"\(([\d,]+) of ([\d,]+) rows\)", finding.quantity)
    suspected, rows = (int(one.replace(",", "")) for one in pairs[0])
    assert rows == records.rows["train"]
    assert finding.measured is not None
    assert np.isclose(suspected / rows, finding.measured)
    first = re.search(r"row (\d+): labelled (\S+), answered (\S+)", finding.meaning)
    assert first is not None
    label = records.examples.targets[int(first[1])]
    assert records.examples.shape.classes[int(label)] == first[2] != first[3]


CLAIMS: dict[str, Callable[[Finding, Records], None]] = {
    "class_imbalance": class_imbalance,
    "constant_features": constant_features,
    "data_not_scaled": data_not_scaled,
    "distribution_shift": distribution_shift,
    "duplicate_columns": duplicate_columns,
    "duplicates_across_splits": duplicates,
    "label_noise": label_noise,
    "missing_classes": missing_classes,
    "near_duplicates_across_splits": near_duplicates,
    "outlier_rows": outlier_rows,
    "outlier_targets": outlier_targets,
    "rows_in_order": rows_in_order,
    "target_leakage": target_leakage,
    "targets_not_scaled": targets_not_scaled,
    "validation_too_small": validation_too_small,
}
