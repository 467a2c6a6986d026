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
from urllib.parse import quote

from persona.errors import UserError
from persona.paths import make_private_dir
from train.export_files import ArchivePath, ExportPath, TornFileError

MAGIC = b"SQLite format 3\0"
_WAL_MODE = 2
_BUSY_S = 5.0


def is_database(path: ExportPath) -> bool:
    """Return whether `path` is a file that begins as SQLite databases do."""
    return path.is_file() and _header(path).startswith(MAGIC)


def tables(path: ExportPath) -> frozenset[str]:
    """Return the names of the tables of a database; empty for anything else. For `Source.detect`."""
    names = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    if not is_database(path):
        return frozenset()
    try:
        if isinstance(path, Path):
            # Without its log and its locks: for a look at the tables a copy would be too much.
            with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?immutable=1", uri=True)) as db:
                return frozenset(row[0] for row in db.execute(names))
        with open_database(path) as db:
            return frozenset(row[0] for row in db.execute(names))
    except (UserError, sqlite3.Error, OSError, TornFileError):
        return frozenset()


def columns(db: sqlite3.Connection, table: str) -> frozenset[str]:
    """Return the names of the columns of a table; empty when there is no such table."""
    return frozenset(row[0] for row in db.execute("SELECT name FROM pragma_table_info(?)", [table]))


@contextmanager
def open_database(path: ExportPath, scratch: Path | None = None) -> Iterator[sqlite3.Connection]:
    """Open a database for reading alone; text that is not UTF-8 is read with U+FFFD in place of broken bytes.

    Nothing is written beside it; a copy that is needed goes to a folder in `scratch` that is removed afterwards.
    Raises UserError when it is no SQLite database, or locked, and TornFileError from the block where it turns out
    to be damaged further in.
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
        except sqlite3.DatabaseError as error:
            if "unable to open" in str(error):
                raise UserError(f"{path} cannot be opened: {error}.", "Look at its permissions.") from error
            if type(error) is sqlite3.DatabaseError:
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
