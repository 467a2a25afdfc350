"""What the target columns of a table are: classes, numbers or labels, and what was guessed."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from nnlab.core.contracts import Task
from nnlab.core.errors import ConfigError, DataError
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.files import guesses
from nnlab.parts.datasets.files.sheets.columns import (
    Reader,
    loose_numbers,
    no_number,
    numbers_and_words,
    read_dates,
)
from nnlab.parts.datasets.files.sheets.notation import brief, looks_like
from nnlab.parts.datasets.files.sheets.sheet import Sheet


class Targets(NamedTuple):
    """Targets as they are stored.

    Attributes:
        task: what they are.
        classes: names of classes or labels; empty for a regression.
        values: (N,) int64 class numbers; else (N, K) float64.
        guess: what would make them something else, where `auto` guessed; else empty.
        remark: the sentence about that guess.
    """

    task: Task
    classes: tuple[str, ...]
    values: "NDArray[Any]"
    guess: str = ""
    remark: str = ""


def read_targets(
    sheet: Sheet, names: Sequence[str], asked: Literal["auto"] | Task, reader: Reader
) -> Targets:
    """The targets of a table without gaps.

    Raises:
        ConfigError: the task cannot be that of so many columns.
        DataError: a cell does not fit the task.
    """
    if len(names) == 1:
        if asked == "labels":
            raise ConfigError(
                "data.task: labels needs several target columns, got 1 (task: classes)"
            )
        return _one(sheet, names[0], asked, reader)
    if asked == "classes":
        return _from_marks(sheet, names, reader)
    values = np.stack([_numbers(sheet, name, reader) for name in names], axis=1)
    if asked == "labels":
        return Targets("labels", tuple(names), values)
    if asked == "auto" and guesses.is_one_hot(values):
        some = ", ".join(names[:4]) + (" ..." if len(names) > 4 else "")
        text = f"{some} hold one 1 in every row, taken for {len(names)} classes"
        way = "task: regression, or labels, if they are not one choice"
        return Targets("classes", tuple(names), values.argmax(axis=1), way, f"data: {text} ({way})")
    remark = ""
    if asked == "auto" and guesses.are_marks(values):
        way = "task: labels, if an example can have several of them"
        remark = f"data: the targets hold only 0 and 1, taken for numbers ({way})"
    return Targets("regression", (), values, "", remark)


def _from_marks(sheet: Sheet, names: Sequence[str], reader: Reader) -> Targets:
    """Classes that stand as columns of 0 and 1."""
    values = np.stack([_numbers(sheet, name, reader) for name in names], axis=1)
    if not guesses.is_one_hot(values):
        raise ConfigError(
            f"data.task: classes needs one target column, got {len(names)}, which do not hold one "
            "1 in every row (task: regression, or labels)"
        )
    return Targets("classes", tuple(names), values.argmax(axis=1))


def _one(sheet: Sheet, name: str, asked: Literal["auto"] | Task, reader: Reader) -> Targets:
    cells = sheet.columns[name]
    as_numbers = name in reader.columns.numeric or reader.columns.form_of(name) is not None
    if asked == "regression" or (as_numbers and asked == "auto"):
        return Targets("regression", (), _numbers(sheet, name, reader)[:, None])
    if isinstance(cells, list):
        values, words = numbers_and_words(cells, sheet.gaps(name, reader.notation), reader.notation)
        texts = [cells[row] for row in words]
    else:
        values, words, texts = cells, np.zeros(0, np.int64), list[str]()
    if texts:
        if asked == "auto":
            _refuse_numbers(sheet, name, texts, words, reader)
        assert isinstance(cells, list)
        order = sorted(set(cells))
        index = {label: position for position, label in enumerate(order)}
        found = np.fromiter(map(index.__getitem__, cells), np.int64, len(cells))
        same = guesses.look_alike(order)
        remark = f"data: {name}: {same} are classes of their own" if same else ""
        if (found_in := guesses.several_in_one(order)) is not None:
            one, sign = found_in
            text = f"data: {name}: {brief(one)} is taken for one class"
            way = f"df.join(df.pop({name!r}).str.get_dummies({sign!r}))"
            way = f"a column of 0 and 1 for each label, as pandas' {way} writes them"
            text += f" (if it is several labels: {way}; target: their names, task: labels)"
            remark = f"{remark}; {text}" if remark else text
        return Targets("classes", tuple(order), found, remark=remark)
    guess, remark = "", ""
    if asked == "auto":
        task, guess, remark = guesses.of_numbers(values, f"data: {name} holds", most=guesses.FEW)
        if task == "regression":
            return Targets("regression", (), values[:, None], guess, remark)
    if isinstance(cells, list):
        if (order := guesses.written_names(cells)) is not None:
            index = {label: position for position, label in enumerate(order)}
            found = np.fromiter(map(index.__getitem__, cells), np.int64, len(cells))
            return Targets("classes", order, found, guess, remark)
        if same := guesses.two_writings(cells):
            text = f"data: {name}: {same} are one class (write them alike, if they are two)"
            remark = f"{remark}; {text}" if remark else text
    # 1 and 1.0 are the same class.
    labels, found = np.unique(values, return_inverse=True)
    return Targets("classes", tuple(map(guesses.label_of, labels.tolist())), found, guess, remark)


def _refuse_numbers(
    sheet: Sheet, name: str, texts: list[str], words: "NDArray[np.int64]", reader: Reader
) -> None:
    """Refuses words that are numbers in another writing, mistakes among numbers, or all different.

    Raises:
        DataError: with what would read them.
    """
    rows, different, row = len(sheet), len(set(texts)), int(words[0])
    cell = texts[0]
    at = f"{sheet.where(row)}: column {name!r}: {brief(cell)}"
    like = looks_like(texts, name, reader.notation, delimiter=reader.delimiter)
    if like and different > 2:
        raise DataError(
            f"{at} is not a number; {different} different targets of {rows} look like {like.what} "
            f"({like.way}; task: classes, if they are names)"
        )
    numeric = rows - len(texts)
    if numeric > len(texts) and len({*sheet.texts(name)}) - different > guesses.FEW:
        ways = no_number(sheet, name, texts, row).rpartition(" (")[2].removesuffix(")")
        hints = [way for way in ways.split("; ") if way.startswith("missing_as")]
        told = "; ".join([*hints, "task: classes, if they are names"])
        raise DataError(f"{at} is not a number, as {numeric} others are ({told})")
    if different > guesses.FEW and 2 * different > rows:
        raise DataError(
            f"{at} and {different - 1} other words in {rows} rows are too many for classes "
            f"(another target; or task: classes, if each of them is one)"
        )


def _numbers(sheet: Sheet, name: str, reader: Reader) -> "NDArray[np.float64]":
    cells = sheet.columns[name]
    if not isinstance(cells, list):
        return cells
    if (form := reader.columns.form_of(name)) is not None:
        return read_dates(sheet, name, form, reader.notation).values
    if name in reader.columns.numeric:
        return loose_numbers(sheet, name, reader).values
    values, words = numbers_and_words(cells, sheet.gaps(name, reader.notation), reader.notation)
    if len(words):
        row = int(words[0])
        like = looks_like(
            [cells[row] for row in words], name, reader.notation, delimiter=reader.delimiter
        )
        way = f"{like.way}: it looks like {like.what}; or " if like else ""
        raise DataError(
            f"{sheet.where(row)}: column {name!r}: {brief(cells[row])} is not a number "
            f"({way}task: classes, if it names one)"
        )
    return values
