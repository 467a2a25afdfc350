"""What `--epochs 3` and its like stand for: any field of a config, by `--set`."""

import shlex
from collections.abc import Sequence

from nnlab.config.every_field import PLACES, dotted_fields
from nnlab.config.words import synonyms

_LETTERS = {"b": "batch_size", "e": "epochs", "s": "seed"}
"""What `-b 64` stands for; other letters mean too many things."""
_FEW = 4


def set_in_place_of(command: str, option: str, words: Sequence[str]) -> str:
    """The sentence that names the `--set`; empty if no field is called so, here or elsewhere.

    Args:
        command: where the option was given: "train".
        option: "--batch-size"; "-l" for `-lr`, whose first letter alone a parser knows.
        words: of the command line, to find the value in.
    """
    if not option.startswith("--"):
        option = _whole_word(option, words)
    word = option.lstrip("-")
    found = _field_named(_LETTERS.get(word, "") if len(word) == 1 else word)
    if found is None:
        return ""
    path, kinds = found
    setting = shlex.quote(f"{path}={_value_of(option, words)}")
    only = f"; {', '.join(kinds)} {'has' if len(kinds) == 1 else 'have'} it" if kinds else ""
    return f"{command} {option}: is no option but a field of the config (--set {setting}{only})"


def _whole_word(letter: str, words: Sequence[str]) -> str:
    """The word that a letter begins, as it was written, without a value in it: "-lr"."""
    found = next((w for w in words if w.startswith(letter) and not w.startswith("--")), letter)
    option = found.partition("=")[0]
    # `-b64` is an option with its value; `-l2` is a field of that name.
    return option if _field_named(option.lstrip("-")) else option.rstrip("0123456789.")


def _field_named(word: str) -> tuple[str, tuple[str, ...]] | None:
    """The path of a field, and the kinds that alone have it; () for many."""
    paths = _paths()
    dotted = word.replace("-", "_")
    if dotted in paths:
        return dotted, paths[dotted]
    valid = list(dict.fromkeys(path.rpartition(".")[2] for path in paths))
    name = dotted if dotted in valid else synonyms.known_as(word, valid, synonyms.KEY_SYNONYMS)
    if name is None:
        return None
    places = [path.rpartition(".")[0] for path in paths if path.rpartition(".")[2] == name]
    # Of fields of one name the first place is meant: the optimizer's rate, not that of a rule.
    place = min(places, key=lambda p: PLACES.index(p) if p in PLACES else len(PLACES))
    path = f"{place}.{name}" if place else name
    return path, paths[path]


def _paths() -> dict[str, tuple[str, ...]]:
    """Every field that `--set` reaches by a path of names, and the kinds that have it if few do."""
    # A field of many kinds, as lr is, is no surprise: naming them all would hide the answer.
    return {
        path: tuple(kind for kind, _ in found if kind) if len(found) <= _FEW else ()
        for path, found in dotted_fields().items()
    }


def _value_of(option: str, words: Sequence[str]) -> str:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == option and following and not following.startswith("--"):
            return _as_written(following)
        # As one word: --lr=0.1, -b64.
        if (given := word.removeprefix(option)) != word and given:
            return _as_written(given.removeprefix("="))
    return "VALUE"


def _as_written(value: str) -> str:
    """A value as `--set` reads it: 64,32 is a list there only between brackets."""
    return f"[{value}]" if "," in value and value[0] not in "[{" else value
