"""Opens the databases that some exports are, without changing anything beside them.

Opening a database in WAL mode makes files next to it even when it is only read, and reading it without its
log misses its newest messages. So such a database is copied into a private folder first, together with its log.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from persona.errors import UserError
from persona.paths import make_private_dir
from train.export_files import ArchivePath, ExportPath, TornFileError

MAGIC = b"SQLite format 3\0"
_WAL_MODE = 2
_BUSY_S = 5.0
_LEAF, _INTERIOR = b"\x0d", b"\x05"
"""The kinds of pages in the tree of a table."""
_SCHEMA_PAGES = 10_000
"""Pages looked at for the names of tables: enough for a hundred thousand of them."""


def is_database(path: ExportPath) -> bool:
    """Return whether `path` is a file that begins as SQLite databases do."""
    return path.is_file() and _header(path).startswith(MAGIC)


def tables(path: ExportPath) -> frozenset[str]:
    """Return the names of the tables of a database; empty for anything else. For `Source.detect`.

    Reads the few pages that hold the schema, so that nothing is copied, not even out of an archive. What is in the
    log beside a database and nowhere else is not seen.
    """
    try:
        with path.open("rb") as stream:
            return frozenset(_schema_tables(stream)) if stream.peek(16).startswith(MAGIC) else frozenset()
    except (OSError, UserError, TornFileError):
        return frozenset()


def _schema_tables(stream: BinaryIO) -> Iterator[str]:
    """Yield the names of the tables in `sqlite_schema`, which is the tree of page 1 (sqlite.org/fileformat2.html)."""
    header = stream.read(100)
    size = int.from_bytes(header[16:18], "big")
    size = 65536 if size == 1 else size
    encoding = {2: "utf-16-le", 3: "utf-16-be"}.get(int.from_bytes(header[56:60], "big"), "utf-8")
    seen: set[int] = set()
    level = [1]
    # Level by level and in order: an archive can only be read forwards.
    while level and len(seen) < _SCHEMA_PAGES:
        below: list[int] = []
        for number in sorted(set(level) - seen):
            seen.add(number)
            stream.seek((number - 1) * size)
            page = stream.read(size)
            start = 100 if number == 1 else 0
            kind, cells = page[start : start + 1], int.from_bytes(page[start + 3 : start + 5], "big")
            first = start + (8 if kind == _LEAF else 12)
            places = [int.from_bytes(page[at : at + 2], "big") for at in range(first, first + 2 * cells, 2)]
            if kind == _INTERIOR:
                below += [int.from_bytes(page[at : at + 4], "big") for at in (*places, start + 8)]
            elif kind == _LEAF:
                for at in places:
                    what, name = _type_and_name(page, at, encoding)
                    if what == "table":
                        yield name
        level = [number for number in below if number > 0]


def _type_and_name(page: bytes, at: int, encoding: str) -> tuple[str, str]:
    """Return the first two values of the row in a leaf's cell; both always lie on the page itself."""
    _, at = _varint(page, at)  # the length of the row
    _, at = _varint(page, at)  # its rowid
    start = at
    length, at = _varint(page, at)
    what, at = _varint(page, at)
    name, at = _varint(page, at)
    middle = start + length + max(0, what - 13) // 2
    raw = page[start + length : middle], page[middle : middle + max(0, name - 13) // 2]
    return raw[0].decode(encoding, "replace"), raw[1].decode(encoding, "replace")


def _varint(page: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(at, at + 9):
        byte = page[place] if place < len(page) else 0
        if place == at + 8:
            return value << 8 | byte, place + 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    return value, at + 9


def columns(db: sqlite3.Connection, table: str) -> frozenset[str]:
    """Return the names of the columns of a table; empty when there is no such table."""
    return frozenset(row[0] for row in db.execute("SELECT name FROM pragma_table_info(?)", [table]))


@contextmanager
def open_database(path: ExportPath, scratch: Path | None = None) -> Iterator[sqlite3.Connection]:
    """Open a database for reading alone; text that is not UTF-8 is read with U+FFFD in place of broken bytes.

    Nothing is written beside it; a copy that is needed goes to a folder in `scratch` that is removed afterwards.
    Raises UserError when it is no SQLite database, or locked, or lacks a table or column that the block asks for, and
    TornFileError from the block where it turns out to be damaged further in.
    """
    if not is_database(path):
        raise UserError(f"{path} is not a SQLite database, or it is encrypted.", "Look at the file.")
    with _readable_copy(path, scratch) as (file, how):
        try:
            with closing(sqlite3.connect(f"file:{quote(str(file))}?{how}", uri=True, timeout=_BUSY_S)) as db:
                db.text_factory = _text
                db.execute("PRAGMA query_only = ON")
                try:
                    db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error):
                        raise
                    hint = "Quit the program that has it open and try again."
                    raise UserError(f"{path} is locked by another program.", hint) from error
                yield db
        except UnicodeDecodeError as error:
            # SQLite's own message quotes a broken name of a table.
            raise TornFileError(f"{path.name} is damaged: a name in it is not UTF-8") from error
        except sqlite3.DatabaseError as error:
            if "unable to open" in str(error):
                raise UserError(f"{path} cannot be opened: {error}.", "Look at its permissions.") from error
            if str(error).startswith("no such "):
                hint = "It may be of another version of its app; look whether it is the right file."
                raise UserError(f"{path} is not laid out as expected: {error}.", hint) from error
            if type(error) is sqlite3.DatabaseError or "disk I/O" in str(error):
                raise TornFileError(f"{path.name} is damaged: {error}") from error
            raise


@contextmanager
def _readable_copy(path: ExportPath, scratch: Path | None) -> Iterator[tuple[Path, str]]:
    """Give the file to open and the URI's options: `path` itself where that leaves no trace, else a copy."""
    wal, journal = _beside(path, "-wal"), _beside(path, "-journal")
    if isinstance(path, Path) and _header(path)[18:19] != bytes([_WAL_MODE]):
        if journal is None:
            yield path.resolve(), "mode=ro"
            return
    elif isinstance(path, Path) and wal is None:
        yield path.resolve(), "immutable=1"
        return
    if scratch is not None:
        make_private_dir(scratch)
    with tempfile.TemporaryDirectory(prefix="reading-", dir=scratch) as folder:
        for one, name in ((path, "copy.db"), (wal, "copy.db-wal"), (journal, "copy.db-journal")):
            if one is not None:
                with one.open("rb") as source, (Path(folder) / name).open("xb") as target:
                    os.chmod(target.fileno(), 0o600)
                    shutil.copyfileobj(source, target, 1 << 20)
        # Not read-only: SQLite may have to roll an interrupted write back, which is done to the copy.
        yield Path(folder) / "copy.db", "mode=rw"


def _beside(path: ExportPath, ending: str) -> ExportPath | None:
    beside = path.parent / (path.name + ending)
    if not beside.is_file():
        return None
    size = beside.size() if isinstance(beside, ArchivePath) else beside.stat().st_size
    return beside if size else None


def _header(path: ExportPath) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(100)
    except (OSError, UserError, TornFileError):
        return b""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
