"""The tables of the message store, as they came to be: `PRAGMA user_version` counts the migrations that were applied.

They are named functions, applied in the order of `MIGRATIONS`, each in a transaction of its own.
"""

import os
import sqlite3
from collections.abc import Callable


def m001_first_tables(db: sqlite3.Connection) -> None:
    """Imports and their drops, chats, people and their accounts, messages."""
    for statement in (
        """CREATE TABLE imports (
            id INTEGER PRIMARY KEY,
            path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
            source TEXT NOT NULL, started REAL NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('running', 'whole', 'torn', 'interrupted')),
            kept INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0,
            added INTEGER NOT NULL DEFAULT 0, updated INTEGER NOT NULL DEFAULT 0,
            tear TEXT) STRICT""",
        """CREATE TABLE drops (
            import_id INTEGER NOT NULL REFERENCES imports(id) ON DELETE CASCADE,
            reason TEXT NOT NULL, place TEXT NOT NULL, chat TEXT) STRICT""",
        """CREATE TABLE chats (
            id INTEGER PRIMARY KEY, platform TEXT NOT NULL, chat TEXT NOT NULL,
            name TEXT, kind TEXT, UNIQUE (platform, chat)) STRICT""",
        """CREATE TABLE people (
            id INTEGER PRIMARY KEY, name TEXT, named_by_hand INTEGER NOT NULL DEFAULT 0,
            is_owner INTEGER NOT NULL DEFAULT 0) STRICT""",
        """CREATE TABLE accounts (
            id INTEGER PRIMARY KEY, platform TEXT NOT NULL, account TEXT NOT NULL,
            name TEXT, person_id INTEGER NOT NULL REFERENCES people(id),
            UNIQUE (platform, account)) STRICT""",
        """CREATE TABLE messages (
            id INTEGER PRIMARY KEY,
            chat_id INTEGER NOT NULL REFERENCES chats(id), message TEXT NOT NULL,
            time_ms INTEGER NOT NULL, seq INTEGER NOT NULL, offset_min INTEGER,
            sender_id INTEGER REFERENCES accounts(id), kind TEXT NOT NULL, text TEXT NOT NULL,
            reply_to TEXT, topic TEXT, edited_ms INTEGER, forwarded_from TEXT, reactions TEXT, slot TEXT,
            import_id INTEGER NOT NULL REFERENCES imports(id),
            UNIQUE (chat_id, message)) STRICT""",
        "CREATE INDEX messages_slot ON messages (chat_id, slot) WHERE slot IS NOT NULL",
        "CREATE INDEX accounts_person ON accounts (person_id)",
    ):
        db.execute(statement)


def m002_messages_by_their_own_ids(db: sqlite3.Connection) -> None:
    """Messages lie in the order of their ids, which stay numbers where the platform's are; what is known of accounts.

    One tree instead of a table and an index, to which numbers in order are added at its end: half the time.
    """
    for statement in (
        """CREATE TABLE messages_new (
            chat_id INTEGER NOT NULL REFERENCES chats(id), message ANY NOT NULL,
            time_ms INTEGER NOT NULL, seq INTEGER NOT NULL, offset_min INTEGER,
            sender_id INTEGER REFERENCES accounts(id), kind TEXT NOT NULL, text TEXT NOT NULL,
            reply_to ANY, topic TEXT, edited_ms INTEGER, forwarded_from TEXT, reactions TEXT, mentions TEXT,
            slot TEXT, import_id INTEGER NOT NULL REFERENCES imports(id),
            PRIMARY KEY (chat_id, message)) STRICT, WITHOUT ROWID""",
        """INSERT INTO messages_new
            SELECT m.chat_id, iif(c.platform = 'telegram', CAST(message AS INTEGER), message), time_ms, seq,
                offset_min, sender_id, m.kind, text,
                iif(c.platform = 'telegram', CAST(reply_to AS INTEGER), reply_to), topic, edited_ms,
                forwarded_from, reactions, NULL, slot, import_id
            FROM messages m JOIN chats c ON c.id = m.chat_id""",
        "DROP TABLE messages",
        "ALTER TABLE messages_new RENAME TO messages",
        "CREATE INDEX messages_slot ON messages (chat_id, slot) WHERE slot IS NOT NULL",
        """CREATE TABLE account_keys (
            account_id INTEGER NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
            kind TEXT NOT NULL CHECK (kind IN ('phone', 'email')), value TEXT NOT NULL,
            PRIMARY KEY (account_id, kind, value)) STRICT, WITHOUT ROWID""",
        "ALTER TABLE imports ADD COLUMN folded INTEGER NOT NULL DEFAULT 0",
    ):
        db.execute(statement)


def m003_excluded_and_forgotten(db: sqlite3.Connection) -> None:
    """People whose words never reach a dataset, and the marks of those who were deleted for good."""
    for statement in (
        "ALTER TABLE people ADD COLUMN excluded INTEGER NOT NULL DEFAULT 0",
        "CREATE TABLE forgotten (mark BLOB PRIMARY KEY) STRICT, WITHOUT ROWID",
        "CREATE TABLE forgotten_salt (salt BLOB NOT NULL) STRICT",
    ):
        db.execute(statement)
    db.execute("INSERT INTO forgotten_salt VALUES (?)", [os.urandom(16)])


def m004_names_of_the_forgotten(db: sqlite3.Connection) -> None:
    """Marks of what the forgotten were called, with the mark of the account that was called so."""
    db.execute(
        "CREATE TABLE forgotten_names (account BLOB NOT NULL, mark BLOB NOT NULL, PRIMARY KEY (account, mark)) "
        "STRICT, WITHOUT ROWID"
    )


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    m001_first_tables,
    m002_messages_by_their_own_ids,
    m003_excluded_and_forgotten,
    m004_names_of_the_forgotten,
)
