"""From a file, a bundled name or a dict, with overrides, to a `RunConfig`."""

import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, NamedTuple, cast

from pydantic import ValidationError

from nnlab.config import yaml
from nnlab.config.origins import Origins, error_at_places
from nnlab.config.overrides import Change, apply_changes, parse_change
from nnlab.config.run_config import NAME_LETTERS, RunConfig
from nnlab.config.variants import COMPARISON_KEYS
from nnlab.core.errors import ConfigError, Mistake, Path
from nnlab.core.files import refuse_irregular
from nnlab.core.package import FOLDER
from nnlab.core.reach import LONGEST_PATH, within_reach
from nnlab.parts.datasets.family import Place

_PATHS = re.compile(
    r"(?:.*\.)?(?:data\.(?:.*\.)?(?:file|path|root|exclude)|model\.from(?:\.weights)?)"
)
"""Dotted keys whose values are paths from the folder of the config that says them."""


class Text(NamedTuple):
    """A config as it was written, before anything in it is understood."""

    text: str
    file: str
    """How to call it in errors."""
    folder: pathlib.Path
    """Where its relative paths start."""
    name: str
    """The name that a run gets if the config gives none."""


def bundled_configs() -> dict[str, pathlib.Path]:
    """The configs that come with nnlab, by name; in a checkout and in an installed package.

    Those in a folder of their own are called with it: lessons/zero_init.
    """
    # Installed they lie in the package, in a checkout beside it.
    for folder in (FOLDER / "configs", FOLDER.parent / "configs"):
        if folder.is_dir():
            paths = [*sorted(folder.glob("*.yaml")), *sorted(folder.glob("*/*.yaml"))]
            return {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}
    return {}


def read_text(source: str | pathlib.Path) -> Text:
    """The text of a config: a file, a bundled name, or `-` for standard input.

    Raises:
        ConfigError: if there is no such file or it cannot be read.
    """
    if str(source) == "-":
        import sys

        # One byte more than may be: so it is refused as too large, not cut.
        data = sys.stdin.buffer.read(yaml.MAX_BYTES + 1)
        return Text(_decoded(data, "<stdin>"), "<stdin>", pathlib.Path.cwd(), "stdin")
    path = pathlib.Path(source)
    known = bundled_configs()
    try:
        # A file of that name comes first, also a link that leads nowhere: that is what is told.
        if str(source) in known and not os.path.lexists(path):
            path = known[str(source)]
        with suppress(FileNotFoundError):  # said below
            refuse_irregular(path)
        # Not the whole file, which may be large.
        with path.open("rb") as file:
            data = file.read(yaml.MAX_BYTES + 1)
    except FileNotFoundError:
        near = get_close_matches(str(source), list(known), n=1)
        hint = f"did you mean {near[0]}?" if near else "nnlab new lists the bundled ones"
        raise ConfigError(f"{source}: no such file or bundled config ({hint})") from None
    except IsADirectoryError:
        raise ConfigError(f"{source}: is a folder, needs a YAML file") from None
    except OSError as error:
        raise ConfigError(f"{source}: {error.strerror or error}") from None
    except ValueError as error:
        way = "use a file, or - for standard input"
        raise ConfigError(f"{source}: {error}, perhaps larger than 1 MB ({way})") from None
    shown = str(source) if str(source) not in known else _shown(path)
    return Text(_decoded(data, shown), shown, path.resolve().parent, path.stem)


def _decoded(data: bytes, shown: str) -> str:
    try:
        # Some editors on Windows begin UTF-8 with a byte order mark.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # The YAML reader says where, and that it is too large where it is.
        yaml.parse_yaml(data, file=shown)
        raise


def _shown(path: pathlib.Path) -> str:
    try:
        return str(path.relative_to(pathlib.Path.cwd()))
    except ValueError:
        return str(path)


class Document(NamedTuple):
    """A config as a tree of plain values, not yet validated."""

    tree: dict[str, Any]
    origins: Origins
    name: str
    """The name that a run gets if the config gives none."""

    @property
    def compares(self) -> list[str]:
        """The keys that make it several runs, or runs that must show something."""
        return [key for key in COMPARISON_KEYS if key != "base" and self.tree.get(key) is not None]


def load_config(
    source: str | pathlib.Path | Text | Document | Mapping[str, Any] | RunConfig,
    overrides: Sequence[str] = (),
) -> RunConfig:
    """Reads and checks the syntax, the keys and the types of the config of one run.

    Args:
        source: a path, a bundled name, a text, or the config itself as a mapping.
        overrides: `optimizer.lr=0.01`, as `--set` takes them.

    Raises:
        ConfigError: with every mistake of the first stage that has one; a comparison is refused.
    """
    if isinstance(source, RunConfig):
        return source
    return validate_document(require_one_run(document_of(source, overrides)))


def require_one_run(document: Document) -> Document:
    """A document of one run, as it is; a comparison is refused.

    Raises:
        ConfigError: it is one.
    """
    if keys := document.compares:
        raise error_at_places([comparison_mistake(keys)], document.origins)
    return document


def comparison_mistake(keys: Sequence[str]) -> Mistake:
    """The mistake where one run is needed and these keys make it several."""
    way = " ".join(f"--set {key}=null" for key in keys)
    text = f"makes this a comparison, one run is needed here ({way} leaves one)"
    return Mistake((keys[0],), text, at_key=True)


def document_of(
    source: str | pathlib.Path | Text | Document | Mapping[str, Any], overrides: Sequence[str] = ()
) -> Document:
    """Reads a config, unless that has been done, and applies the overrides; its keys are not read.

    Raises:
        ConfigError: it cannot be read, or is no mapping.
    """
    changes = [parse_change(override) for override in overrides]
    if isinstance(source, Document):
        document = source
    else:
        if isinstance(source, Mapping):
            origins = Origins("config", {}, {})
            tree, origins = _with_base(_tuples(source), origins, changes)
            document = Document(tree, origins, "run")
        else:
            text = source if isinstance(source, Text) else read_text(source)
            document = _parsed(text, changes=changes)
        changes = [change for change in changes if change.key.strip() != "base"]
    if not changes:
        return document
    tree, origins = apply_changes(document.tree, changes, document.origins)
    return document._replace(tree=tree, origins=origins)


def _parsed(text: Text, *, is_base: bool = False, changes: Sequence[Change] = ()) -> Document:
    """A text with what it is based on; a base has none itself."""
    document = yaml.parse_yaml(text.text, file=text.file)
    marks = document.marks
    origins = Origins(
        text.file,
        {path: f"{text.file}:{mark.line}:{mark.column}" for path, mark in marks.keys.items()},
        {path: f"{text.file}:{mark.line}:{mark.column}" for path, mark in marks.values.items()},
        text.folder,
    )
    if not isinstance(document.tree, dict):
        found = "a list" if isinstance(document.tree, tuple) else "one value"
        found = "nothing" if document.tree is None else found
        what = f"needs a mapping with data and model, found {found}"
        if isinstance(document.tree, str):
            what = yaml.without_space(document.tree) or what
        raise ConfigError(origins.line(Mistake((), what)))
    if is_base and document.tree.get("base") is not None:
        raise ConfigError(f"{text.file} has a base itself (a base may have none)")
    return Document(*_with_base(document.tree, origins, changes), text.name)


def _with_base(
    tree: dict[str, Any], origins: Origins, changes: Sequence[Change]
) -> tuple[dict[str, Any], Origins]:
    """A tree on top of the config that its `base` names, if it has one.

    A change of `base` counts here: what the tree says comes on top of it.
    """
    for change in changes:
        if change.key.strip() == "base":
            # As written on the command line: a path from where one stands.
            value = change.value
            here = pathlib.Path.cwd() / value if isinstance(value, str) else None
            value = str(here) if here is not None and _is_there(here) else value
            tree = {**tree, "base": value}
            origins = origins.replaced({("base",): change.where})
    base = tree.get("base")
    return _on_base(base, tree, origins) if isinstance(base, str) else (tree, origins)


def _on_base(base: str, tree: dict[str, Any], origins: Origins) -> tuple[dict[str, Any], Origins]:
    """What a file says on top of what its base says."""
    if len(base) > LONGEST_PATH:
        text = f"{base[:40]}... is a path of {len(base):,} letters, no system has one"
        raise error_at_places([Mistake(("base",), text)], origins)
    beside = origins.folder / base
    # A base never comes from standard input, which read_text would take - for.
    meant = beside if base == "-" or _is_there(beside) else pathlib.Path(base)
    if not within_reach(meant) and base not in bundled_configs():
        text = f"{base}: is outside of your folders (a bundled config can be a base)"
        raise error_at_places([Mistake(("base",), text)], origins)
    try:
        text = read_text(meant)
        text = text._replace(file=_shown(pathlib.Path(text.file)))
        below = _parsed(text, is_base=True)
    except ConfigError as error:
        lines = (line.removeprefix(f"{base}: ") for line in error.lines)
        raise error_at_places([Mistake(("base",), line) for line in lines], origins) from None
    rest = {key: value for key, value in tree.items() if key != "base"}
    # A name says which experiment it is, and this is another.
    lower = {key: value for key, value in below.tree.items() if key != "name"}
    merged = on_top(
        with_absolute_paths(lower, text.folder) if text.folder != origins.folder else lower, rest
    )
    return merged, below.origins.under(origins)


def _is_there(path: pathlib.Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long
        return False


def on_top(below: Any, above: Any) -> Any:
    """Mappings are merged key by key, unless they are of two kinds; anything else is replaced."""
    if isinstance(above, str) and isinstance(below, Mapping) and below.get("kind") == above:
        return below
    if not isinstance(above, Mapping):
        return above
    above_ = cast("Mapping[str, Any]", above)
    if isinstance(below, str) and above_.get("kind", below) == below:
        return {"kind": below, **above_}
    if not isinstance(below, Mapping) or above_.get("kind", below.get("kind")) != below.get("kind"):
        return above_
    below_ = cast("Mapping[str, Any]", below)
    return {**below_, **{key: on_top(below_.get(key, v), v) for key, v in above_.items()}}


def with_absolute_paths(tree: dict[str, Any], folder: pathlib.Path) -> dict[str, Any]:
    """A tree whose relative paths to data and to first weights are made absolute."""

    def moved(key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            inner = cast("Mapping[str, Any]", value)
            return {name: moved(f"{key}.{name}", part) for name, part in inner.items()}
        if not isinstance(value, str) or not _PATHS.fullmatch(key):
            return value
        # A home, and an address (which is refused later, with the way out), hang on no folder.
        return value if value.startswith("~") or "://" in value else str(folder / value)

    return {key: moved(key, value) for key, value in tree.items()}


def validate_document(
    document: Document, changes: Sequence[Change] = (), seen: dict[int, object] | None = None
) -> RunConfig:
    """Applies changes to a document and validates it.

    Args:
        document: what was read.
        changes: come on top of it.
        seen: what was found to hold no number that is too large, which variants share; filled.

    Raises:
        ConfigError: unknown keys, wrong types and ranges, all at once.
    """
    # Before validating: a change is checked as if it stood in the file, and may mend it.
    tree, origins = apply_changes(document.tree, changes, document.origins)
    try:
        config = RunConfig.model_validate(tree)
    except ValidationError as error:

        def line_of(path: Path, at_key: bool) -> object:
            return origins.position(Mistake(path, "", at_key))

        # A right config has no use for the words that explain mistakes.
        from nnlab.config.mistakes import all_mistakes

        mistakes = all_mistakes(error, tree, RunConfig, line_of)
        raise error_at_places(mistakes, origins) from None
    if _holds_huge(tree, {} if seen is None else seen) and (huge := list(_huge_numbers(tree))):
        raise error_at_places(huge, origins)
    if config.name is None:
        config = config.model_copy(update={"name": fitting_name(document.name)})
    return config.written(origins)


_LARGEST = 3.4e38
"""Beyond it float32 has infinity, which torch refuses to make of a number."""


_ROWS = ("inputs", "targets")
"""Keys of `data` with rows that are written into the config."""


_HOLD = dict, tuple, list


def _holds_huge(value: object, seen: dict[int, object], but_for: Sequence[str] = ()) -> bool:
    """Whether there is one: a quick look, as most configs have none."""
    pairs = value.items() if isinstance(value, dict) else enumerate(cast("Sequence[object]", value))
    for key, inner in cast("Iterable[tuple[object, object]]", pairs):
        if isinstance(inner, float):
            if abs(inner) > _LARGEST:
                return True
        elif isinstance(inner, _HOLD) and id(inner) not in seen and key not in but_for:
            if _holds_huge(inner, seen, _ROWS if key == "data" else ()):
                return True
            if key != "data":
                # With the value, so that its place in memory stays its own.
                seen[id(inner)] = inner
    return False


def _huge_numbers(value: object, path: Path = ()) -> Iterator[Mistake]:
    """Numbers that float32 does not hold; rows written into `data` are told of by the data."""
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, object]", value).items():
            if path[:1] != ("data",) or key not in _ROWS:
                yield from _huge_numbers(inner, (*path, key))
    elif isinstance(value, tuple | list):
        for index, inner in enumerate(cast("Sequence[object]", value)):
            yield from _huge_numbers(inner, (*path, index))
    elif isinstance(value, float) and abs(value) > _LARGEST:
        text = f"must be at most {_LARGEST:g} in size, which float32 holds, got {value:g}"
        yield Mistake(path, text)


def fitting_name(text: str) -> str:
    """A name for a run's folder: letters and digits of any script stay, all else becomes -.

    Two texts that would be the same but for other signs may get the same name; a text without any
    letter or digit is "run".
    """
    whole = text
    if not text.isascii():
        import unicodedata

        # Decomposed letters (macOS writes file names so) and composed ones are the same name.
        whole = unicodedata.normalize("NFC", text)
    fitting = re.sub(rf"[^{NAME_LETTERS}_.-]", "-", whole).lstrip("_.-")
    # A folder's name holds 255 bytes; 200 leave room for what is put behind it.
    return fitting[:100].encode()[:200].decode(errors="ignore") or "run"


def place_for(folder: pathlib.Path) -> Place:
    """Where data may lie: `NNLAB_DATA`, else the user's cache folder."""
    from platformdirs import user_cache_path

    cache = user_cache_path("nnlab", appauthor=False)
    root = os.environ.get("NNLAB_DATA")
    return Place(folder, pathlib.Path(root).resolve() if root else cache / "data", cache)


def _tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _tuples(inner) for key, inner in value.items()}
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list | tuple) else value
