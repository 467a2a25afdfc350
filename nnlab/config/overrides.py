"""`--set KEY=VALUE`: changes any field of a tree before it is validated, with the same checks."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from nnlab.config import yaml
from nnlab.config.origins import Origins
from nnlab.config.sections import LENGTHS
from nnlab.core.errors import ConfigError, Path, dotted_path

DEFAULT_KINDS = {
    "loss": "cross_entropy",
    "optimizer": "adam",
    "schedule": "constant",
    "rule": "gradient",
}
"""Sections that are kinds, and the kind that is meant where the file says none."""

STEMS = {"linear": "hidden", "table_conv": "conv", "residual": "block",
         "max_pool": "pool", "avg_pool": "pool", "adaptive_pool": "pool",
         "batch_norm": "norm", "layer_norm": "norm", "group_norm": "norm",
         "local_response_norm": "norm", "rms_norm": "norm"}  # fmt: skip
"""How layers are named in a stack, where that is not their kind; a test holds it to the layers."""
_BARE = ("class_token", "embedding", "first", "flatten", "global_pool", "last", "masking",
         "mean_time", "patches", "positions")  # fmt: skip
"""Stems whose first layer has no number; a test holds it to the layers."""

SHORT: dict[Path, str] = {("train", "early_stopping"): "patience", ("seed",): "all"}
"""Sections that a single value stands for, and the field that it is."""


class Change(NamedTuple):
    """A value that takes the place of another."""

    key: str
    """Dotted: optimizer.lr."""
    value: Any
    where: str
    """Where it was written, for errors."""
    inside: Mapping[Path, str] = MappingProxyType({})
    """Where what it holds was written, by the rest of the paths."""


def parse_change(override: str) -> Change:
    """KEY=VALUE, as `--set` takes it.

    Raises:
        ConfigError: if it is not of that form.
    """
    where = f"--set {_short(override)}"
    key, equals, text = override.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        raise ConfigError(f"{where}: needs KEY=VALUE, such as optimizer.lr=0.01")
    return Change(key, yaml.parse_yaml(text, file=where).tree, where)


def apply_changes(
    tree: dict[str, Any], changes: Sequence[Change], origins: Origins
) -> tuple[dict[str, Any], Origins]:
    """The tree with each change carried out in order, and where the values now come from.

    Raises:
        ConfigError: if a change leads nowhere.
    """
    for change in changes:
        names = [part.strip() for part in change.key.split(".")]
        # More digits name no place of a list, and Python refuses to read very many of them.
        parts = tuple(int(p) if re.fullmatch("[0-9]{1,9}", p) else p for p in names)
        tree, path = _set(tree, parts, change.value, change.where)
        inside = {(*path, *rest): where for rest, where in change.inside.items()}
        origins = origins.replaced({path: change.where, **inside})
    return tree, origins


def _short(text: str) -> str:
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= 100 else text[:100] + "..."


def _set(tree: dict[str, Any], parts: Path, value: Any, where: str) -> tuple[dict[str, Any], Path]:
    copy: dict[str, Any] = dict(tree)
    if len(parts) == 2 and parts[0] == "train" and parts[1] in LENGTHS and value is not None:
        # One length replaces another: the file's epochs give way to --set train.steps=5. Null takes
        # one away and is none: the minutes that were set before --set train.epochs=null stay.
        train = copy.get("train")
        if isinstance(train, dict):
            copy["train"] = {k: v for k, v in train.items() if k not in LENGTHS}
    path: list[str | int] = []
    opened: list[Any] = []
    node: Any = copy
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        opened.append(node)
        part = _index(node, part, where, path, value) if isinstance(node, list) else part
        path.append(part)
        if last:
            _store(node, part, value, where, path)
        else:
            # A copy on the way down: the tree that came in stays as it is.
            inner = _opened(_get(node, part), tuple(path))
            if not isinstance(inner, dict | list):
                found = "a value" if inner is not None else "nothing"
                raise ConfigError(f"{where}: {dotted_path(tuple(path))} is {found}, it has no keys")
            _store(node, part, inner, where, path)
            node = inner
    # Lists on the way back to the tuples that strict validation wants; all else is as it was.
    for above, part, inner in reversed([*zip(opened, path, opened[1:], strict=False)]):
        above[part] = tuple(inner) if isinstance(inner, list) else inner
    return copy, tuple(path)


def _get(node: Any, part: str | int) -> Any:
    return node.get(part) if isinstance(node, dict) else node[part]


def _opened(inner: Any, path: Path) -> Any:
    """A copy that can be changed.

    A bare name becomes its kind, a value its section, a missing section its default.
    """
    if isinstance(inner, dict):
        return dict(inner)
    if isinstance(inner, list | tuple):
        return list(inner)
    if path in SHORT and inner is not None:
        return {SHORT[path]: inner}
    if isinstance(inner, str) and inner not in ("auto", "none"):
        return {"kind": inner}
    if inner is None or inner == "auto":
        kind = DEFAULT_KINDS.get(str(path[0])) if len(path) == 1 else None
        return {"kind": kind} if kind else {}
    return inner


def _index(node: list[Any], part: str | int, where: str, path: list[str | int], value: Any) -> int:
    """A place in a list: by number, or by the name of a layer."""
    if isinstance(part, int) and part < len(node):
        return part
    if path == ["model", "hidden"] and part in ("width", "depth"):
        equal = {"width": node[0] if node else 32, "depth": len(node) or 1, part: value}
        wanted = f'"model.hidden={{width: {equal["width"]}, depth: {equal["depth"]}}}"'
        raise ConfigError(f"{where}: model.hidden is a list of widths here (write --set {wanted})")
    counts: dict[str, int] = {}
    names: list[str] = []
    for item in node:
        kind = item.get("kind") if isinstance(item, dict) else item
        stem = STEMS.get(str(kind), str(kind))
        counts[stem] = counts.get(stem, 0) + 1
        bare = stem in _BARE and counts[stem] == 1
        names.append(stem if bare else f"{stem}{counts[stem]}")
    if part in names:
        return names.index(str(part))
    layers = all(isinstance(item, str | dict) for item in node)
    known = ", ".join(names) if layers and names else f"{len(node)} entries, counted from 0"
    raise ConfigError(f"{where}: {dotted_path(tuple(path))} has no {part} (it has {known})")


def _store(node: Any, part: str | int, value: Any, where: str, path: list[str | int]) -> None:
    if isinstance(node, dict) and isinstance(part, int):
        raise ConfigError(f"{where}: {dotted_path(tuple(path[:-1])) or 'a config'} has no {part}")
    node[part] = value
