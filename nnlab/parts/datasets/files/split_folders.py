"""Folders of images as people have them: train and Test, seg_train, training_set, val or dev."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from nnlab.core.contracts import Split
from nnlab.core.errors import DataError

_TRAIN: Split = "train"
_WORDS: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("validation", "validate", "valid", "val", "dev", "devel"), "validation"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}
_BEHIND = re.compile(r"(set|sets|data|images|imgs|split)$")
_IGNORED = frozenset(("__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found"))
"""Folders that systems make."""
IGNORED_FILES = frozenset(("thumbs.db", "desktop.ini"))


@dataclass(frozen=True, slots=True)
class SplitFolders:
    """Which folders hold the class folders of each split.

    Attributes:
        splits: train, and those beside it; train alone where the path itself holds the classes.
        unread: folders beside train that are none of them, or hold no class folders.
    """

    splits: dict[Split, Path]
    unread: tuple[Path, ...] = field(default=())


def split_named(name: str) -> Split | None:
    """The split that a folder's name stands for, whatever the case: Train, seg_test, valSet."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    found: set[Split] = set()
    for word in re.split(r"[^a-z]+", spaced.lower()):
        for part in (word, _BEHIND.sub("", word)):
            if part in _WORDS:
                found.add(_WORDS[part])
    return found.pop() if len(found) == 1 else None


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones and those that systems make.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return sorted(
            entry
            for entry in folder.iterdir()
            if entry.is_dir() and entry.name[0] != "." and entry.name not in _IGNORED
        )
    except (OSError, ValueError) as error:
        way = "data.path: the folder that holds one folder for each class"
        why = getattr(error, "strerror", None) or error
        raise DataError(f"{folder}: cannot be read: {why} ({way})") from error


def layout_of(folder: Path) -> SplitFolders:
    """Tells split folders from class folders.

    A folder is a split if its name says so and it holds folders; there must be one for train.

    Raises:
        DataError: two folders are the same split, or every folder holds the same folders.
    """
    inner = folders_in(folder)
    holding = {path: [p.name for p in folders_in(path)] for path in inner}
    by_split: dict[Split, list[Path]] = {}
    for path in inner:
        split: Split | None = split_named(path.name)
        if split is not None and holding[path]:
            by_split.setdefault(split, []).append(path)
    if _TRAIN not in by_split:
        _refuse_splits(folder, inner, holding)
        return SplitFolders({"train": folder})
    for split, paths in list(by_split.items()):
        if len(paths) > 1:
            exact = [path for path in paths if path.name.lower() == split]
            if len(exact) == 1:
                by_split[split] = exact
                continue
            names = ", ".join(path.name for path in paths)
            raise DataError(
                f"{folder}: {names} are all called {split} (keep one of them there, or name it: "
                f"data.path: {paths[0]})"
            )
    splits: dict[Split, Path] = {split: paths[0] for split, paths in by_split.items()}
    return SplitFolders(splits, tuple(path for path in inner if path not in splits.values()))


def _refuse_splits(folder: Path, inner: list[Path], holding: dict[Path, list[str]]) -> None:
    """Refuses folders that all hold the same folders: those are the classes, these are splits."""
    names = [tuple(holding[path]) for path in inner]
    if len(inner) < 2 or len(names[0]) < 2 or len(set(names)) > 1:
        return
    some = ", ".join(path.name for path in inner[:4])
    raise DataError(
        f"{folder}: {some} hold the same folders ({', '.join(names[0][:4])}): they look like "
        f"splits, not classes (call them train and test, or data.path: {inner[0]} and data.test: "
        f"{{file: {inner[1]}}})"
    )


def one_too_many(folder: Path) -> str:
    """The way out where a folder holds no classes, but a folder in it does; else what is needed."""
    try:
        inner = folders_in(folder)
        for path in inner:
            deeper = [p.name for p in folders_in(path)]
            if len(deeper) > 1 and len(inner) == 1:
                return f"data.path: {path}, which holds {', '.join(deeper[:4])}"
    except DataError:
        pass
    return "move the images of each class into a folder that has its name"


@dataclass(slots=True)
class Unread:
    """What lies in class folders and is not read.

    Attributes:
        endings: files by the end of their name, that are no images that can be read.
        links: linked folders, which are not followed.
    """

    endings: dict[str, int] = field(default_factory=dict[str, int])
    links: list[Path] = field(default_factory=list[Path])

    def look(self, parent: str, folders: list[str], others: list[str]) -> None:
        """Takes note of one folder of `os.walk`."""
        for name in others:
            if name[0] != "." and name.lower() not in IGNORED_FILES:
                ending = Path(name).suffix.lower() or "no ending"
                self.endings[ending] = self.endings.get(ending, 0) + 1
        paths = (os.path.join(parent, name) for name in folders)  # noqa: PTH118 - of many files
        self.links += [Path(path) for path in paths if os.path.islink(path)]  # noqa: PTH114
