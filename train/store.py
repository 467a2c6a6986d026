"""The message store: one SQLite file, `data/messages.db`, that only its owner can read.

Importing writes it in batches, so that an import that is killed leaves it whole with what was read so far;
reading the same export again then adds only what is missing.
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

from persona.errors import UserError
from persona.paths import PRIVATE_DIR_MODE, PRIVATE_FILE_MODE, make_private_dir
from train.export_files import ArchivePath, ExportPath, size_of
from train.forgetting import Forgotten, forget
from train.messages import Account, Chat, ChatKind, Drop, Message
from train.migrations import MIGRATIONS as MIGRATIONS
from train.people import Person, attach_account
from train.slots import Slots

FILE_NAME = "messages.db"

Row = tuple[Any, ...]

_ROWS_AT_ONCE = 16
"""Rows in one INSERT: a statement for each row takes twice as long, longer statements gain nothing."""
_COMMON = ("message", "time_ms", "seq", "offset_min", "sender_id", "kind", "text")
_RARE = ("reply_to", "topic", "edited_ms", "forwarded_from", "reactions", "mentions")
_NO_RARE = (None,) * len(_RARE)
_rare_of = attrgetter(*_RARE)
_sender_of = attrgetter("sender_id", "sender_name")
# What was deleted stays deleted and what was edited stays edited when an older export is read again, and an export that
# says less of a message than another did takes nothing away.
_UPDATE = """UPDATE messages SET time_ms = ?2, offset_min = coalesce(?4, offset_min),
    sender_id = coalesce(?5, sender_id), kind = ?6, text = ?7, reply_to = coalesce(?8, reply_to),
    topic = coalesce(?9, topic), edited_ms = ?10, forwarded_from = ?11, reactions = coalesce(?12, reactions),
    mentions = coalesce(?13, mentions)
    WHERE chat_id = ?14 AND message = ?1 AND kind != 'deleted' AND coalesce(?10, 0) >= coalesce(edited_ms, 0)
    AND (time_ms, offset_min, kind, text, reply_to, topic, edited_ms, forwarded_from, reactions, mentions)
        IS NOT (?2, coalesce(?4, offset_min), ?6, ?7, coalesce(?8, reply_to), coalesce(?9, topic), ?10, ?11,
            coalesce(?12, reactions), coalesce(?13, mentions))"""


class Store:
    """The open message store."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        """Wrap an open, migrated database; `open_store` makes one."""
        self.db = db
        self.path = path
        self._chats: dict[tuple[str, str], int] = {}
        self._chats_seen: dict[tuple[str, str], Chat] = {}
        self._accounts: dict[tuple[str, str], tuple[int, str | None]] = {}
        self._slots = Slots(db)
        self.joined: list[tuple[str, str, Person]] = []
        """Accounts (platform, name) that became part of a person known from another platform."""
        self.forgotten = Forgotten(db)

    def close(self) -> None:
        """Close the file; what was not committed is not kept."""
        self.db.close()

    def commit(self) -> None:
        """Make everything since the last commit last."""
        self.db.commit()

    def start_import(self, path: ExportPath, source: str, now: float) -> int:
        """Note in the ledger that `path` is being read, and return the import's id."""
        file = path.archive if isinstance(path, ArchivePath) else path
        stat = file.stat()
        place = str(path) if isinstance(path, ArchivePath) else str(path.resolve())
        self.db.execute("UPDATE imports SET status = 'interrupted' WHERE path = ? AND status = 'running'", [place])
        cursor = self.db.execute(
            "INSERT INTO imports (path, size, mtime_ns, source, started, status) VALUES (?, ?, ?, ?, ?, 'running')",
            [place, size_of(path), stat.st_mtime_ns, source, now],
        )
        self.commit()
        return int(cursor.lastrowid or 0)

    def note_import(self, import_id: int, counts: Counter[str], status: str, tear: str | None = None) -> None:
        """Write the counts so far (`kept`, `folded`, `dropped`, `added`, `updated`) and the status to the ledger."""
        self.db.execute(
            "UPDATE imports SET kept = ?, folded = ?, dropped = ?, added = ?, updated = ?, status = ?, tear = ? "
            "WHERE id = ?",
            [*(counts[name] for name in ("kept", "folded", "dropped", "added", "updated")), status, tear, import_id],
        )

    def add_drops(self, import_id: int, drops: Sequence[Drop]) -> None:
        """Write down what was not kept, why, and where it stands."""
        self.db.executemany(
            "INSERT INTO drops VALUES (?, ?, ?, ?)",
            [(import_id, d.reason, d.place, d.chat_id) for d in drops],
        )

    def chat_id(self, platform: str, chat: str) -> int:
        """Return the row id of a chat, making the row when it is new."""
        key = (platform, chat)
        if key not in self._chats:
            self.db.execute("INSERT INTO chats (platform, chat) VALUES (?, ?) ON CONFLICT DO NOTHING", key)
            found = self.db.execute("SELECT id FROM chats WHERE platform = ? AND chat = ?", key).fetchone()
            self._chats[key] = found[0]
        return self._chats[key]

    def note_chat(self, chat: Chat) -> None:
        """Write a chat's name and kind where they are known."""
        if self._chats_seen.get((chat.platform, chat.id)) != chat:
            self._chats_seen[chat.platform, chat.id] = chat
            self.db.execute(
                "UPDATE chats SET name = coalesce(?, name), kind = coalesce(?, kind) WHERE id = ?",
                [chat.name, chat.kind, self.chat_id(chat.platform, chat.id)],
            )

    def account_id(self, platform: str, account: str, name: str | None) -> int:
        """Return the row id of an account, joining a new one to its person, and keep its newest name."""
        key = (platform, account)
        known = self._accounts.get(key)
        if known is not None and (name is None or known[1] == name):
            return known[0]
        row_id, joined = attach_account(self.db, platform, account, name)
        if joined is not None:
            self.joined.append((platform, name or account, joined))
        self._accounts[key] = (row_id, name)
        return row_id

    def note_account(self, account: Account) -> None:
        """Write down an account with its phone numbers and e-mail addresses."""
        row_id = self.account_id(account.platform, account.id, account.name)
        keys = [("phone", one) for one in account.phones] + [("email", one.casefold()) for one in account.emails]
        self.db.executemany(
            "INSERT INTO account_keys VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [(row_id, *key) for key in keys]
        )

    def forget(self, person: Person) -> int:
        """Delete a person for good, see `train.forgetting.forget`; returns how many messages went."""
        deleted = forget(self.db, self.forgotten, person)
        for known in (self._chats, self._chats_seen, self._accounts):
            known.clear()
        self._slots.forget()
        return deleted

    def add_messages(self, messages: Sequence[Message], import_id: int) -> tuple[int, int]:
        """Store messages of one chat. Returns how many were new, and how many changed what was known."""
        if not messages:
            return 0, 0
        chat = self.chat_id(messages[0].platform, messages[0].chat_id)
        replaced = 0
        if messages[0].slot is not None:
            messages, replaced = self._slots.fill(chat, import_id, messages)
        plain, slotted, rich = self._rows(messages)
        before = self.db.total_changes
        self._insert(chat, import_id, _COMMON, plain)
        self._insert(chat, import_id, (*_COMMON, "slot"), slotted)
        self._insert(chat, import_id, (*_COMMON, *_RARE, "slot"), rich)
        added = self.db.total_changes - before
        if added == len(messages):
            return added, replaced
        common, known = len(_COMMON), len(_COMMON) + len(_RARE)
        self.db.executemany(_UPDATE, [(*row[:common], *_NO_RARE, chat) for row in chain(plain, slotted)])
        self.db.executemany(_UPDATE, [(*row[:known], chat) for row in rich])
        return added, replaced + self.db.total_changes - before - added

    def _rows(self, messages: Sequence[Message]) -> tuple[list[Row], list[Row], list[Row]]:
        """Return the rows of messages of one chat: those with common columns alone, with a slot, and with any."""
        accounts = self._account_rows(messages)
        plain: list[Row] = []
        slotted: list[Row] = []
        rich: list[Row] = []
        for m in messages:
            common = (
                m.id, m.time_ms, m.seq, m.offset_min, accounts[m.sender_id, m.sender_name], m.kind._value_, m.text,
            )  # fmt: skip
            if (rare := _rare_of(m)) != _NO_RARE:
                rich.append((*common, *rare, m.slot))
            elif m.slot is None:
                plain.append(common)
            else:
                slotted.append((*common, m.slot))
        return plain, slotted, rich

    def _account_rows(self, messages: Sequence[Message]) -> dict[tuple[str | None, str | None], int | None]:
        """Return the row of every sender, by id and name; nobody's is None."""
        platform = messages[0].platform
        rows: dict[tuple[str | None, str | None], int | None] = {}
        pairs = list(dict.fromkeys(map(_sender_of, messages)))
        if len({sender for sender, _ in pairs}) < len(pairs):
            # Somebody changed their name within the batch: the one they had last is noted last.
            pairs += reversed(dict.fromkeys(map(_sender_of, reversed(messages))))
        for sender, name in pairs:
            rows[sender, name] = None if sender is None else self.account_id(platform, sender, name)
        return rows

    def _insert(self, chat: int, import_id: int, columns: tuple[str, ...], rows: list[Row]) -> None:
        """Insert the rows that are not there yet, many to a statement."""
        row = f"({chat}, {import_id}, {', '.join('?' * len(columns))})"
        head = f"INSERT INTO messages (chat_id, import_id, {', '.join(columns)}) VALUES "
        whole = len(rows) - len(rows) % _ROWS_AT_ONCE
        many = f"{head}{', '.join([row] * _ROWS_AT_ONCE)} ON CONFLICT DO NOTHING"
        for start in range(0, whole, _ROWS_AT_ONCE):
            self.db.execute(many, [*chain.from_iterable(rows[start : start + _ROWS_AT_ONCE])])
        self.db.executemany(f"{head}{row} ON CONFLICT DO NOTHING", rows[whole:])

    def chats(self) -> Iterator[tuple[int, str, str | None, ChatKind | None]]:
        """Yield every chat: row id, platform, name, kind; in the order they were first seen."""
        for row in self.db.execute("SELECT id, platform, name, kind FROM chats ORDER BY id").fetchall():
            yield row[0], row[1], row[2], ChatKind(row[3]) if row[3] else None

    def count(self) -> int:
        """Return how many messages the store holds."""
        return int(self.db.execute("SELECT count(*) FROM messages").fetchone()[0])


@contextmanager
def open_store(data: Path, *, create: bool = True) -> Iterator[Store]:
    """Open `data/messages.db`, bringing its tables up to date, and close it afterwards.

    Without `create`, a missing store is a UserError that says to import first.
    """
    path = data / FILE_NAME
    if not create and not path.is_file():
        raise UserError(f"There are no messages in {data} yet.", "Read an export first: greenroom import PATH.")
    db = _connect(data, path)
    try:
        _migrate(db, path)
        yield Store(db, path)
        db.commit()
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise UserError(f"{path} is in use.", "Wait until the other import has finished.") from error
        if "full" in str(error):
            raise UserError(f"No space is left for {path}.", "Make room and import again.") from error
        if "readonly" in str(error):
            raise UserError(f"{path} cannot be written to.", "Look at its permissions.") from error
        raise
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error) or "malformed" in str(error):
            raise UserError(f"{path} is not a message store.", "Move it away and import the exports again.") from error
        raise
    finally:
        db.close()


def _connect(data: Path, path: Path) -> sqlite3.Connection:
    new = not data.exists()
    make_private_dir(data)
    try:
        if new:
            data.chmod(PRIVATE_DIR_MODE)
        # SQLite gives its journals the mode of the database, so the mode is set before the first write.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE_MODE))
        path.chmod(PRIVATE_FILE_MODE)
        db = sqlite3.connect(path, timeout=30)
    except (OSError, sqlite3.OperationalError) as error:
        raise UserError(f"{path} cannot be opened: {error}.", "Choose another place with --data DIR.") from error
    db.execute("PRAGMA foreign_keys = ON")
    return db


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    done = int(db.execute("PRAGMA user_version").fetchone()[0])
    if done > len(MIGRATIONS):
        raise UserError(f"{path} was written by a newer Greenroom.", "Update Greenroom.")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    # The index of a batch stays in memory: 32 MiB.
    db.execute("PRAGMA cache_size = -32768")
    for number, migration in enumerate(MIGRATIONS[done:], start=done + 1):
        db.execute("BEGIN IMMEDIATE")
        migration(db)
        db.execute(f"PRAGMA user_version = {number}")
        db.commit()
