"""What each import did, as the ledger in the store has it: every record kept, or dropped with a reason."""

import sqlite3
from pathlib import Path

import msgspec

PLACES = 3
"""Places shown of each reason; all of them are in the table `drops`."""


class Reason(msgspec.Struct, frozen=True):
    """Why records were dropped, how many, and where the first of them stand."""

    reason: str
    count: int
    places: list[str]


class Entry(msgspec.Struct, frozen=True):
    """One import of one export. `records` is `kept` + `dropped`; `folded` of those kept are parts of messages."""

    id: int
    path: str
    source: str
    started: float
    """Unix time in seconds."""
    status: str
    kept: int
    folded: int
    dropped: int
    added: int
    updated: int
    tear: str | None
    reasons: list[Reason]

    @property
    def records(self) -> int:
        """How many records the export had."""
        return self.kept + self.dropped

    @property
    def adds_up(self) -> bool:
        """Whether every dropped record is in the ledger with its reason."""
        return self.dropped == sum(reason.count for reason in self.reasons)


def entries(db: sqlite3.Connection, under: Path | None = None) -> list[Entry]:
    """Return the imports, oldest first; with `under` only those of this file, or of files in this folder."""
    columns = "id, path, source, started, status, kept, folded, dropped, added, updated, tear"
    rows = db.execute(f"SELECT {columns} FROM imports ORDER BY id").fetchall()
    place = None if under is None else str(under.resolve())
    return [Entry(*[*row, _reasons(db, row[0])]) for row in rows if place is None or _is_under(row[1], place)]


def _is_under(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _reasons(db: sqlite3.Connection, import_id: int) -> list[Reason]:
    counts = db.execute(
        "SELECT reason, count(*) FROM drops WHERE import_id = ? GROUP BY reason ORDER BY 2 DESC, 1", [import_id]
    ).fetchall()
    places = "SELECT place FROM drops WHERE import_id = ? AND reason = ? ORDER BY rowid LIMIT ?"
    return [
        Reason(reason, count, [row[0] for row in db.execute(places, [import_id, reason, PLACES])])
        for reason, count in counts
    ]
