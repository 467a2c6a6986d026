"""The tables of the history file, as migrations in the order in which they are applied.

`PRAGMA user_version` holds how many of them a file has had. A migration is never edited once released;
a change of the tables is a new function at the end of MIGRATIONS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

APPLICATION_ID = 0x47524E52
"""“GRNR” in the file's header, so that another program's database is never taken for a history."""


def conversations_and_messages(db: sqlite3.Connection) -> None:
    """Version 1: conversations with a persona, their messages, and what the contact list remembers."""
    db.execute(
        """
        CREATE TABLE conversation (
            id INTEGER PRIMARY KEY,
            persona TEXT NOT NULL,
            started_at REAL NOT NULL
        ) STRICT
        """
    )
    db.execute("CREATE INDEX conversation_of ON conversation (persona, id)")
    # sent_at is Unix time in seconds. state tells how a reply ended: 'streaming' is one still growing, or
    # one whose client was killed. replaced_at is set when a newer reply took its place.
    db.execute(
        """
        CREATE TABLE message (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            conversation INTEGER NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
            role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
            name TEXT NOT NULL,
            text TEXT NOT NULL,
            sent_at REAL NOT NULL,
            touched_at REAL NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('whole', 'streaming', 'stopped', 'failed')),
            tokens INTEGER,
            seconds REAL,
            replaced_at REAL
        ) STRICT
        """
    )
    db.execute("CREATE INDEX message_of ON message (conversation, id)")
    db.execute(
        """
        CREATE TABLE contact (
            persona TEXT PRIMARY KEY,
            draft TEXT NOT NULL DEFAULT '',
            read_message INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """
    )
    db.execute("CREATE TABLE preference (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT")


MIGRATIONS: list[Callable[[sqlite3.Connection], None]] = [conversations_and_messages]
