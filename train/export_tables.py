"""Rows of a CSV export, whatever its encoding and its dialect."""

import codecs
import csv
import io
from collections.abc import Iterator
from functools import partial

import msgspec

from persona.errors import UserError
from train.export_files import ExportPath, TornFileError
from train.export_text import MAX_LINE_CHARS

csv.field_size_limit(1 << 28)
_START_CHARS = 1 << 15


class TableRow(msgspec.Struct, frozen=True):
    """One row: its values by column, in lower case without blanks around, and the line it ends on."""

    values: dict[str, str]
    line: int


def open_text(path: ExportPath) -> io.TextIOWrapper:
    """Open a text: UTF-8 with or without its mark, UTF-16 with it, else Windows' Western encoding."""
    stream = path.open("rb")
    start = stream.read(1 << 16)
    stream.seek(0)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return io.TextIOWrapper(stream, "utf-16", errors="replace", newline="")
    encoding = "utf-8-sig" if start.startswith(b"\xef\xbb\xbf") or _looks_like_utf8(start) else "cp1252"
    return io.TextIOWrapper(stream, encoding, errors="replace", newline="")


def _looks_like_utf8(start: bytes) -> bool:
    """Return whether what is not ASCII is UTF-8 more often than not: one broken letter does not make it another."""
    # Not the end: what was looked at may end inside a letter.
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(start)
    broken = text.count("\ufffd")
    return not broken or sum(character > "\x7f" for character in text) > 2 * broken


def header_of(path: ExportPath) -> list[str]:
    """Return the names of the columns in lower case; none when the file is no table."""
    try:
        with open_text(path) as text:
            start = text.read(_START_CHARS)
    except (OSError, UserError, TornFileError, UnicodeError):
        return []
    first = start.lstrip("\ufeff").partition("\n")[0]
    try:
        row = next(csv.reader([first.replace("\0", "")], _dialect(first)), [])
    except csv.Error:
        return []
    return [_column(one) for one in row]


def table_rows(path: ExportPath) -> Iterator[TableRow]:
    """Yield the rows after the header. Values that have no column are added to the last one's."""
    with open_text(path) as text:
        first = text.readline(_START_CHARS)
        dialect = _dialect(first)
        lines = (line.replace("\0", "") for line in _lines(text, path))
        names = [_column(one) for one in next(csv.reader([first.replace("\0", "")], dialect), [])]
        reader = csv.reader(lines, dialect)
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield TableRow({}, reader.line_num + 1)
                continue
            if row:
                if names and len(row) > len(names):
                    row = [*row[: len(names) - 1], dialect.delimiter.join(row[len(names) - 1 :])]
                yield TableRow(dict(zip(names, row, strict=False)), reader.line_num + 1)


def _lines(text: io.TextIOWrapper, path: ExportPath) -> Iterator[str]:
    for line in iter(partial(text.readline, MAX_LINE_CHARS), ""):
        if len(line) == MAX_LINE_CHARS:
            raise TornFileError(f"a line of {path.name} is longer than 32 MiB, which is no table")
        yield line


def _column(name: str) -> str:
    return " ".join(name.strip().strip("\ufeff\"'").lower().split())


def _dialect(header: str) -> type[csv.excel]:
    """Return the dialect by the header: whichever of comma, semicolon, tab and bar parts it most."""

    class Dialect(csv.excel):
        delimiter = max(",;\t|", key=header.count)

    return Dialect
