"""Files of other formats, told by how they begin: what people save tables as beside csv."""

import re
from pathlib import Path
from shlex import quote

from nnlab.core.errors import DataError

_START = 4096
_AS_CSV = "pandas.{reader}({path!r}).to_csv({csv!r}, index=False)"
_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "packed by gzip", "gunzip --keep {quoted}"),
    (b"BZh", "packed by bzip2", "bunzip2 --keep {quoted}"),
    (b"\xfd7zXZ\0", "packed by xz", "unxz --keep {quoted}"),
    (b"(\xb5/\xfd", "packed by zstd", "unzstd {quoted}"),
    (b"7z\xbc\xaf", "an archive of 7-Zip", "7z x {quoted}"),
    (b"Rar!", "a rar archive", "unrar x {quoted}"),
    (b"PAR1", "Parquet", _AS_CSV.replace("{reader}", "read_parquet")),
    (b"ARROW1", "Arrow's format", _AS_CSV.replace("{reader}", "read_feather")),
    (b"\x89HDF\r\n", "HDF5", _AS_CSV.replace("{reader}", "read_hdf")),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", "save it there as csv"),
    (b"SQLite format 3\0", "an SQLite database", "export a table of it as csv"),
    (b"\x93NUMPY", "an array of NumPy", "numpy.savez, and data: {{kind: npz}}"),
    (b"%PDF", "a PDF", "a table has to be taken out of it"),
    (b"\x80\x04\x95", "a pickle", _AS_CSV.replace("{reader}", "read_pickle")),
    (b"\x80\x05\x95", "a pickle", _AS_CSV.replace("{reader}", "read_pickle")),
)  # fmt: skip
_ZIP = b"PK\x03\x04"
_WORKBOOKS = (b"xl/", b"[Content_Types].xml", b"mimetypeapplication/vnd.oasis")
_PAGES = (b"<!doctype html", b"<html")


def refuse_other_format(path: Path, *, below_head: bool) -> None:
    """Refuses a file that begins as one of another format does, with what makes csv of it.

    Args:
        path: the file.
        below_head: whether lines of its head are skipped: then text may begin in any way.

    Raises:
        DataError: it is of another format.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_START)
    if found := _packed_format(start) or (None if below_head else _text_format(start)):
        what, way = found
        other = path.with_suffix(".csv")
        csv = str(other if other != path else path.with_name(f"{path.stem}-table.csv"))
        said = way.format(quoted=quote(str(path)), path=str(path), csv=csv)
        raise DataError(f"{path}: is no csv, it is {what} ({said})")


def _packed_format(start: bytes) -> tuple[str, str] | None:
    """What a file is that is no text, and what to do about it."""
    for sign, what, way in _BEGINNINGS:
        if start.startswith(sign):
            return what, way
    if start.startswith(_ZIP):
        if any(part in start for part in _WORKBOOKS):
            return "a workbook", "save it there as csv"
        if b".npy" in start[:100]:
            return "npz", "data: {{kind: npz}}"
        return "a zip archive", "unzip {quoted}"
    return None


def _text_format(start: bytes) -> tuple[str, str] | None:
    """What a text is that has no delimiters between cells, and what to do about it."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.lower().startswith(_PAGES):
        return "a page of the web", "did the download give an error page? look at it"
    if text[:1] in (b"[", b"{") and text[1:].lstrip()[:1] in (b"{", b"[", b'"'):
        return "JSON", _AS_CSV.replace("{reader}", "read_json")
    lines = [line.strip().lower() for line in start.splitlines()]
    said = [line for line in lines if line and not line.startswith(b"%")]
    if said and said[0].startswith(b"@relation"):
        head = sum(line.startswith(b"@attribute") for line in said)
        way = "delete all down to @data, and name the columns there"
        if b"@data" in lines:
            skipped = f"skip_lines: {lines.index(b'@data') + 1}, header: none"
            way = f"{skipped} calls the columns x1 to x{head}: then target: x{head} is the last"
        return "ARFF, whose head names the columns", way
    if said and all(map(_SPARSE.fullmatch, said[:-1] or said)):
        return "svmlight, whose cells have numbers before them", _SPARSE_READ
    return None


_SPARSE = re.compile(rb"[-+]?[\d.]+(?:[eE][-+]?\d+)?(?:\s+\d+:\S+)+(?:\s*#.*)?")
_SPARSE_READ = (
    "x, y = sklearn.datasets.load_svmlight_file({path!r}); "
    "numpy.savez('data.npz', x=x.toarray(), y=y), then data: {{kind: npz, path: data.npz}}"
)


def utf16_without_mark(path: Path) -> str:
    """Which UTF-16 a text is in whose every other byte is 0 and that says so nowhere; else ""."""
    with path.open("rb") as file:
        start = file.read(_START)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return ""  # it says so
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(start) > 1 and start[first::2].count(0) * 10 > 8 * len(start[first::2]):
            return name
    return ""
