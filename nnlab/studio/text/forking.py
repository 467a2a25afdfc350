"""The text of a run that goes on from a checkpoint of another, with what is changed in it."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from nnlab.config.yaml import parse_yaml
from nnlab.studio.text.edits import edit_text
from nnlab.studio.text.splice import remove_value, set_value


def changed_text(text: str, changes: Sequence[str]) -> str:
    """The text with changes as `--set` takes them, and without the start that it had.

    Raises:
        ConfigError: it is not YAML, or a change leads nowhere.
    """
    without = remove_value(text, ("start",))
    return edit_text(without, {"do": "apply", "changes": list(changes)}) if changes else without


def forked_text(
    text: str, run: str, step: int, edits: Sequence[Mapping[str, Any]], *, total: int, epoch: int
) -> str:
    """The text with the checkpoint that it starts from.

    Args:
        text: with all that is changed.
        run: which run, as a config calls it.
        step: of its checkpoint.
        edits: single weights: parameter, at, value.
        total: updates after which the run ends that is gone on from; 0 where it ends by time.
        epoch: updates of one.

    Returns:
        Where nothing would be left to train, for twice as long.

    Raises:
        ConfigError: the text is not YAML.
    """
    start: dict[str, Any] = {"run": run, "step": step}
    if edits:
        start["edits"] = [{k: edit[k] for k in ("parameter", "at", "value")} for edit in edits]
    text = set_value(text, ("start",), start)
    if not total or step < total:
        return text
    tree: Any = parse_yaml(text, file="text").tree
    train = tree.get("train") if isinstance(tree, dict) else None
    if isinstance(train, dict) and train.get("steps") is not None:
        return set_value(text, ("train", "steps"), 2 * step)
    return set_value(text, ("train", "epochs"), 2 * ceil(step / epoch))
