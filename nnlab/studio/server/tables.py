"""A table that a person hands in: kept beside the runs, under the sum of its bytes."""

import csv
import re
from hashlib import sha256
from pathlib import PurePath
from typing import Any

from nnlab.core import files
from nnlab.core.errors import DataError
from nnlab.runs.folder.find import runs_home

MOST_TABLE = 20_000_000
"""Bytes."""
_OTHER = re.compile(r"[^A-Za-z0-9_-]+")


def keep_table(name: str, content: bytes) -> dict[str, Any]:
    """Writes a table to runs/tables/; the same bytes are the same file.

    Args:
        name: that its owner gave it; of a path only the last part counts, and of that the letters.
        content: of the file, with a header.

    Returns:
        "path", "columns", and "target": the last of them.

    Raises:
        DataError: it is no table.
        ResourceError: it cannot be written.
    """
    given = PurePath(name.replace("\\", "/"))
    ending = ".tsv" if given.suffix.lower() == ".tsv" else ".csv"
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{given.name[:60]}: is no UTF-8 text") from None
    if len(lines) < 2:
        raise DataError(f"{given.name[:60]}: has no rows below its header")
    columns = next(csv.reader(lines[:1], delimiter="\t" if ending == ".tsv" else ","))
    if len(columns) < 2 or not all(column.strip() for column in columns):
        raise DataError(f"{given.name[:60]}: needs a header with two columns or more")
    stem = _OTHER.sub("-", given.stem).strip("-")[:40] or "table"
    folder = runs_home().absolute() / "tables"
    path = folder / f"{stem}-{sha256(content).hexdigest()[:12]}{ending}"
    with files.storage_errors(path, need=len(content)):
        folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        files.write_file(path, content)
    return {"path": str(path), "columns": columns, "target": columns[-1]}
