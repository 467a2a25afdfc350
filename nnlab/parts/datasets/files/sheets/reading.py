"""The strict reader of csv files: every surprise is refused with its file and line."""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from json import dumps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple

from nnlab.core.errors import DataError
from nnlab.core.files import refuse_irregular
from nnlab.core.lazy import np
from nnlab.parts.datasets.files.sheets.notation import Notation
from nnlab.parts.datasets.files.sheets.other_formats import (
    refuse_other_format,
    utf16_without_mark,
)
from nnlab.parts.datasets.files.sheets.sheet import Sheet, numbered
from nnlab.parts.datasets.tables import near_miss

if TYPE_CHECKING:
    from nnlab.parts.datasets.files.sheets.sheet import Cells

_MOST_COLUMNS = 10_000
_TABS = (".tsv", ".tab")
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is laid out.

    Attributes:
        delimiter: between cells; auto is a tab in .tsv files, else a comma.
        header: whether the first line names the columns.
        skip_lines: so many lines above the header are skipped.
        encoding: of the text.
        unnamed: columns without a name that may be left out: "column 3" by its place.
        lenient: leaves every column without a name out.
    """

    delimiter: str = "auto"
    header: Literal["first_line", "none"] = "first_line"
    skip_lines: int = 0
    encoding: str = "utf-8"
    unnamed: frozenset[str] = frozenset()
    lenient: bool = False

    def delimiter_of(self, path: Path) -> str:
        """The sign between the cells of a file."""
        if self.delimiter != "auto":
            return self.delimiter
        return "\t" if path.suffix.lower() in _TABS else ","

    @property
    def codec(self) -> str:
        """The encoding for open; what Excel puts before UTF-8 is no part of the first name."""
        return "utf-8-sig" if self.is_utf8 else self.encoding

    @property
    def is_utf8(self) -> bool:
        """Whether the text is UTF-8."""
        return codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig")


_PANDAS_INDEX = re.compile(r"Unnamed: 0(\.\d+)?")
"""What pandas calls a column without a name, once it has written it again."""


class Head(NamedTuple):
    """What stands above the rows.

    Attributes:
        names: of the columns; "" of one without a name.
        delimiter: between cells.
        lines: how many lines were read.
        first: the cells of the first row, where no line names the columns.
    """

    names: list[str]
    delimiter: str
    lines: int
    first: list[str] | None = None


def read_sheet(path: Path, layout: Layout) -> Sheet:
    """A whole file.

    Raises:
        DataError: it cannot be read, or a line does not fit the header.
    """
    (sheet,) = sheets_of(path, layout)
    return sheet


def sheets_of(path: Path, layout: Layout, *, rows: int | None = None) -> Iterator[Sheet]:
    """A file in sheets of so many rows; None reads all of them at once.

    Raises:
        DataError: it cannot be read, or a line does not fit the header.
    """
    check_regular(path)
    try:
        refuse_other_format(path, below_head=layout.skip_lines > 0)
        if layout.is_utf8 and (found := utf16_without_mark(path)):
            raise DataError(f"{path}: is not UTF-8 text, every other byte is 0 (encoding: {found})")
        with path.open(encoding=layout.codec, newline="") as file:
            head = read_head(file, path, layout)
            lines = _lines(path, _reader(file, head.delimiter), head)
            some = list(islice(lines, rows))
            if not some:
                raise DataError(f"{path}: has a header but no rows")
            while some:
                yield _sheet(path, head, some, layout)
                some = list(islice(lines, rows))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}{near_miss(path)}") from error
    except UnicodeDecodeError as error:
        raise DataError(_not_text(path, layout, error)) from error
    except csv.Error as error:
        raise DataError(
            f"{path}: is not csv: {_bad_csv(error)}{_of_blanks(path, layout)}"
        ) from error


_SPACES = re.compile(r"[ \t]+")


def _reader(file: Iterable[str], delimiter: str) -> Any:
    """Python's reader of csv; where a blank stands between cells, several are as good as one."""
    lines = map(_with_one_blank, file) if delimiter == " " else file
    return csv.reader(lines, delimiter=delimiter, strict=True)


def _with_one_blank(line: str) -> str:
    """A line without blanks at its ends, and with one where several stand outside of quotes."""
    parts = line.strip().split('"')
    parts[::2] = [_SPACES.sub(" ", part) for part in parts[::2]]
    return '"'.join(parts) + "\n"


def _of_blanks(path: Path, layout: Layout) -> str:
    """A hint where the first line is words in quotes with blanks between them, as R writes them."""
    with path.open(encoding=layout.codec, newline="", errors="replace") as file:
        first = file.readline(10_000)
    found = re.match(r'"[^"]*"([ \t;|])"', first)
    return f"; is the delimiter {found[1]!r}? (delimiter: {dumps(found[1])})" if found else ""


def _bad_csv(error: csv.Error) -> str:
    """What Python's reader says, for people."""
    said = str(error)
    if "unexpected end" in said:
        return 'a quotation mark that opens here is never closed (write "" for one in a cell)'
    if "field limit" in said:
        most = f"{csv.field_size_limit():,}"
        return f"a cell of more than {most} characters (is a quotation mark never closed?)"
    if "expected after" in said:
        return 'a quotation mark stands inside a cell (write "" for it, and quote the whole cell)'
    return said


def check_regular(path: Path) -> None:
    """Refuses what would never end: a pipe, a device.

    Raises:
        DataError: it is neither a file nor missing, or nothing can have such a name.
    """
    try:
        refuse_irregular(path)
        if path.is_dir():
            raise DataError(f"{path}: cannot be read: is a folder")
    except FileNotFoundError:
        return  # reading says what is missing
    except (OSError, ValueError) as error:
        what = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise DataError(f"{path}: cannot be read: {what}") from None


def _sheet(path: Path, head: Head, some: list[tuple[int, list[str]]], layout: Layout) -> Sheet:
    columns = zip(*(cells for _, cells in some), strict=True)
    stripped = [[cell.strip() for cell in column] for column in columns]
    origins = np.zeros((len(some), 2), np.int64)
    origins[:, 1] = [line for line, _ in some]
    named, remarks = named_columns(path, head.names, stripped, layout)
    return Sheet(named, (path,), origins, remarks)


def named_columns(
    path: Path, names: Sequence[str], cells: "Sequence[Cells]", layout: Layout
) -> "tuple[dict[str, Cells], tuple[str, ...]]":
    """The columns by name, without those that have none and are of no use.

    Args:
        path: of the file.
        names: of all columns, "" where there is none: such a column is of text.
        cells: of all columns.
        layout: says which may be left out.

    Raises:
        DataError: a column has no name and something in it.
    """
    found: dict[str, Cells] = {}
    remarks: list[str] = []
    for place, (name, column) in enumerate(zip(names, cells, strict=True), start=1):
        called = f"column {place}"
        if name:
            index = place == 1 and _PANDAS_INDEX.fullmatch(name) and _counts(column)
            if index and name not in layout.unnamed and not layout.lenient:
                text = "counts the rows, an index that pandas' to_csv wrote: left out"
                remarks.append(f"{path}: {name!r} {text}")
            else:
                found[name] = column
            continue
        assert isinstance(column, list), name
        if called in layout.unnamed:
            found[called] = column
        elif layout.lenient:
            continue
        elif place == len(names) and not any(column):
            remarks.append(f"{path}: its last column has no name and no value: left out")
        elif place == 1 and _counts(column):
            remarks.append(
                f"{path}: its first column has no name and counts the rows, as an index of pandas' "
                "to_csv: left out"
            )
        else:
            way = f"columns: {{drop: [{called}]}} leaves it out"
            raise DataError(f"{path}:1: column {place} has no name ({way}, or name it there)")
    return found, tuple(remarks)


def _counts(cells: "Cells") -> bool:
    """Whether cells are whole numbers, each one more than the one before."""
    if not isinstance(cells, list):
        return bool(len(cells) and cells[0] in (0, 1) and (np.diff(cells) == 1).all())
    if not cells or not cells[0].isdecimal():
        return False
    start = int(cells[0])
    return start in (0, 1) and all(cell == str(start + row) for row, cell in enumerate(cells))


def read_head(file: IO[str], path: Path, layout: Layout) -> Head:
    """Reads up to the first row.

    Raises:
        DataError: the columns have no names, or two the same.
    """
    lines = 0
    for _ in range(layout.skip_lines):
        if not file.readline():
            raise DataError(f"{path}: is empty below the {layout.skip_lines} lines of skip_lines")
        lines += 1
    delimiter = layout.delimiter_of(path)
    start = file.tell()
    first = file.readline()
    if (said := first.rstrip("\r\n")).lower().startswith("sep=") and len(said) == 5:
        # Excel's own word for the delimiter, which only it writes.
        if layout.delimiter not in ("auto", said[4]):
            way = f"delimiter: {dumps(said[4])}"
            raise DataError(f"{path}:{lines + 1}: says {said!r}, the config another ({way})")
        delimiter, lines = said[4], lines + 1
    else:
        file.seek(start)
    if hint := _delimiter_hint(first, delimiter):
        raise DataError(f"{path}:{lines + 1}: has one column, {hint}")
    reader = _reader(file, delimiter)
    cells = [cell.strip() for cell in next(reader, [])]
    if cells:  # the mark of an encoding that does not take it away by itself
        cells[0] = cells[0].removeprefix("\ufeff")
    lines += reader.line_num
    if not any(cells):
        if not cells and not file.readline():
            raise DataError(f"{path}: is empty")
        raise DataError(f"{path}:{lines}: is empty (skip_lines: {lines} passes over it)")
    if len(cells) > _MOST_COLUMNS:
        raise DataError(f"{path}:1: has {len(cells)} columns, at most {_MOST_COLUMNS} are read")
    if layout.header == "none":
        names = [f"x{place + 1}" for place in range(len(cells))]
        return Head(names, delimiter, lines, cells)
    _check_names(cells, f"{path}:{lines}", skipped=lines)
    return Head(cells, delimiter, lines)


def _delimiter_hint(line: str, delimiter: str) -> str:
    """A question, where a line has none of the delimiters but some of another."""
    counts = {sign: line.count(sign) for sign in _DELIMITERS}
    shown, plain = line.strip()[:40], Notation()
    if line.count(delimiter):
        return ""
    if any(counts.values()):
        best = max(counts, key=lambda sign: counts[sign])
    elif len(parts := line.split()) > 1 and all(plain.number(p) is not None for p in parts):
        best = " "
    else:
        return ""
    return f"{shown!r}; is the delimiter {best!r}? (delimiter: {dumps(best)})"


def _check_names(names: Sequence[str], at: str, *, skipped: int) -> None:
    unnamed = f"header: none calls the columns {numbered(len(names))}"
    plain = Notation()
    if all(plain.number(name) is not None for name in names):
        raise DataError(
            f"{at}: the first line must name the columns, but it holds numbers ({unnamed}: then "
            f"target: x{len(names)} is the last)"
        )
    for position, name in enumerate(names):
        if name and name in names[:position]:
            way = f"rename one there; or skip_lines: {skipped}, header: none"
            if plain.number(name) is not None:
                way = "is it no header? header: none"
            raise DataError(
                f"{at}: two columns are called {name!r} ({way} calls them {numbered(len(names))})"
            )


def _lines(path: Path, reader: Any, head: Head) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not empty, with their numbers."""
    width, above = len(head.names), head.lines
    fits = head.first is not None
    if head.first is not None:
        yield above, head.first
    last = 0
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise DataError(f"{path}:{above + last + 1}: {_bad_csv(error)}") from error
        if row is None:
            return
        last = reader.line_num
        if row and row[0][:1] in _MARKS:  # files that were put together, and the end of one of DOS
            row[0] = row[0][1:]
            row = row if any(row) else []
        if len(row) == width:
            if row == head.names and head.first is None:
                way = "where two files were put together? delete that line"
                raise DataError(f"{path}:{above + last}: repeats the header ({way})")
            yield above + last, row
        elif len(row) == width + 1 and not row[-1].strip() and width > 1:
            yield above + last, row[:-1]  # a delimiter at the end of the line
        elif len(row) == width - 1 and not head.names[-1]:
            yield above + last, [*row, ""]  # one at the end of the header alone
        elif row:
            raise DataError(_misfit(path, above + last, row, head, fits=fits))
        else:
            continue
        fits = True


_MARKS = ("\ufeff", "\x1a")


def _misfit(path: Path, line: int, row: list[str], head: Head, *, fits: bool) -> str:
    """What is said of a row with too many or too few cells.

    Args:
        path: of the file.
        line: its number.
        row: its cells.
        head: of the file.
        fits: whether a row above has as many cells as the header.
    """
    width = len(head.names)
    cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
    text = f"{path}:{line}: has {cells}, the header has {width}"
    if fits and not head.names[0].startswith("#"):
        way = f"a cell that holds {head.delimiter!r} needs quotation marks around it"
        return f"{text} (complete or delete the line{'; ' + way if len(row) > width else ''})"
    if width == 1 or head.names[0].startswith("#"):
        return f"{text} (if the line above is no header: skip_lines: {line - 1})"
    if len(row) == width + 1 and line == head.lines + 1 and head.first is None:
        return (
            f"{text}: a column without a name, as R writes the names of rows (name it in the "
            f"header; or skip_lines: {head.lines}, header: none calls the columns "
            f"{numbered(len(row))})"
        )
    return f"{text} (delimiter: {head.delimiter!r})"


def _not_text(path: Path, layout: Layout, error: UnicodeDecodeError) -> str:
    """Which encoding would do: by the marks that UTF-16 begins with, else what Windows wrote."""
    name = "UTF-8" if layout.is_utf8 else layout.encoding
    with path.open("rb") as file:
        start = file.read(4)
    other = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"
    if other == layout.encoding:
        other = "latin-1"
    return f"{path}: is not {name} text, at byte {error.start} (encoding: {other})"
