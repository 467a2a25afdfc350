"""How csv files of a prediction are written: as the run's own, unless `--set` says otherwise."""

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from shlex import quote
from typing import Any

from pydantic import ValidationError

from nnlab.commands.predict.expected_inputs import Wanted
from nnlab.config.mistakes import mistakes_of
from nnlab.config.overrides import parse_change
from nnlab.core.errors import ConfigError, DataError
from nnlab.parts.datasets.family import DataConfig
from nnlab.parts.datasets.files.csv_table import CsvConfig

SETTINGS = ("delimiter", "decimal", "thousands", "skip_lines", "encoding", "missing_as")
"""The fields of `data` that say how a csv file is written, and nothing of what is in it."""

_HINT = re.compile(rf"\b({'|'.join(SETTINGS)}): (\"(?:[^\"\\]|\\.)*\"|'[^']*'|\[[^\]]*\]|[\w-]+)")


def with_settings(wanted: Wanted, data: DataConfig, changes: Sequence[str]) -> Wanted:
    """What a run takes, from csv files that are written as `data.encoding=cp1252` says.

    Args:
        wanted: what it takes from files like its own.
        data: of the run.
        changes: as `--set` takes them.

    Raises:
        ConfigError: a change is none of `SETTINGS`, or has no such value.
    """
    given: dict[str, Any] = {}
    for change in map(parse_change, changes):
        key = change.key.removeprefix("data.")
        if key not in SETTINGS:
            text = f"says nothing of how a csv file is written (data.{', data.'.join(SETTINGS)} do)"
            raise ConfigError(f"{change.where}: {change.key} {text}")
        given[key] = change.value
    if not given:
        return wanted
    own = data if isinstance(data, CsvConfig) else CsvConfig(path="rows.csv", target="target")
    tree = {"path": own.path, "target": own.target, "header": own.header}
    tree |= {key: getattr(own, key) for key in SETTINGS} | given
    try:
        settled = CsvConfig.model_validate(tree)
    except ValidationError as error:
        mistakes = mistakes_of(error, CsvConfig)
        lines = [f"--set data.{'.'.join(map(str, m.path))}: {m.text}" for m in mistakes]
        raise ConfigError(lines) from None
    layout = replace(settled.layout, lenient=True, unnamed=wanted.layout.unnamed)
    return replace(
        wanted, layout=layout, notation=settled.notation, own_layout="delimiter" not in given
    )


def as_options(text: str) -> str:
    """A sentence whose hints at the config are options of this command: no config is read here."""
    return _HINT.sub(lambda hint: f"--set {quote(f'data.{hint[1]}={hint[2]}')}", text)


@contextmanager
def hinting(note: Callable[[str], None]) -> Generator[Callable[[str], None]]:
    """Within it what is said, and refused, names options."""
    try:
        yield lambda text: note(as_options(text))
    except DataError as error:
        raise DataError([as_options(line) for line in error.lines]) from None
