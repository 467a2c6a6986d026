"""The chat history: one SQLite file, private to its owner, safe to use from several clients at once.

Every write is one short transaction in WAL mode, so a client killed at any moment leaves a file that opens,
with everything that was written before. Superseded replies and old conversations stay in the file. Times
are Unix seconds. Every method raises HistoryError with a line that names the file.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tui.errors import HistoryError
from tui.history_schema import APPLICATION_ID, MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Role = Literal["user", "assistant"]
State = Literal["whole", "streaming", "stopped", "failed"]

LOCK_SECONDS = 2.0
"""How long a write waits for another client's; each holds the lock for milliseconds."""

ABANDONED_SECONDS = 15.0
"""A streaming reply that was not touched for so long lost its client."""

_COLUMNS = "id, conversation, role, name, text, sent_at, touched_at, state, tokens, seconds"


@dataclass
class Message:
    """One turn as stored: `text` has one bubble a line; `tokens` and `seconds` are the reply's speed."""

    id: int
    conversation: int
    role: Role
    name: str
    text: str
    sent_at: float
    touched_at: float
    state: State
    tokens: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Contact:
    """What the list remembers of a persona: the draft and the last message that was seen."""

    draft: str = ""
    read_message: int = 0


class History:
    """An open history file; `close` it, or leave that to the end of the process."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.time) -> None:
        """Open `path`, making it (mode 600, missing folders 700) and bringing it up to date."""
        self.path = path
        self._now = now
        with self._in_words("open"):
            self._db = _open(path)
        try:
            with self._in_words("open"):
                self._settle()
        except HistoryError:
            self._db.close()
            raise
        self._seen_version = self._data_version()

    def close(self) -> None:
        """Close the file; further calls raise HistoryError."""
        self._db.close()

    # ---- conversations

    def newest_conversation(self, persona: str) -> int | None:
        """Return the id of the newest conversation with `persona`, or None."""
        with self._in_words("read"):
            row = self._db.execute(
                "SELECT id FROM conversation WHERE persona = ? ORDER BY id DESC LIMIT 1", (persona,)
            ).fetchone()
        return int(row[0]) if row else None

    def conversation(self, persona: str) -> int:
        """Return the id of the newest conversation with `persona`, starting one if there is none."""
        with self._write():
            newest = self.newest_conversation(persona)
            return newest if newest is not None else self._begin(persona)

    def new_conversation(self, persona: str) -> int:
        """Start a conversation with `persona` and return its id; an empty newest one is used again."""
        with self._write() as db:
            row = db.execute(
                "SELECT id, EXISTS (SELECT 1 FROM message WHERE conversation = conversation.id) "
                "FROM conversation WHERE persona = ? ORDER BY id DESC LIMIT 1",
                (persona,),
            ).fetchone()
            return int(row[0]) if row and not row[1] else self._begin(persona)

    def _begin(self, persona: str) -> int:
        row = self._db.execute(
            "INSERT INTO conversation (persona, started_at) VALUES (?, ?) RETURNING id",
            (persona, self._now()),
        ).fetchone()
        return int(row[0])

    # ---- messages

    def messages(self, conversation: int, *, last: int, before: int | None = None) -> list[Message]:
        """Return up to `last` messages in order: the newest ones, or those before the id `before`.

        Replaced replies are left out. A reply whose client was killed comes back as `stopped`.
        """
        with self._in_words("read"):
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM message WHERE conversation = ? AND replaced_at IS NULL "
                "AND id < ? ORDER BY id DESC LIMIT ?",
                (conversation, before if before is not None else 2**62, last),
            ).fetchall()
        found = [Message(*row) for row in reversed(rows)]
        for message in found:
            if message.state == "streaming" and self._now() - message.touched_at > ABANDONED_SECONDS:
                message.state = "stopped"
        return found

    def add(self, conversation: int, role: Role, name: str, text: str, state: State = "whole") -> Message:
        """Store a message and return it; it is in the file when this returns."""
        now = self._now()
        with self._write() as db:
            row = db.execute(
                "INSERT INTO message (conversation, role, name, text, sent_at, touched_at, state) "
                f"VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING {_COLUMNS}",
                (conversation, role, name, text, now, now, state),
            ).fetchone()
        return Message(*row)

    def update(self, message: Message) -> None:
        """Store how far a reply has come: its text, state and speed."""
        message.touched_at = self._now()
        with self._write() as db:
            db.execute(
                "UPDATE message SET text = ?, state = ?, touched_at = ?, tokens = ?, seconds = ? WHERE id = ?",
                (
                    message.text,
                    message.state,
                    message.touched_at,
                    message.tokens,
                    message.seconds,
                    message.id,
                ),
            )

    def replace(self, message: Message) -> None:
        """Take a reply out of its conversation because another takes its place; it stays in the file."""
        with self._write() as db:
            db.execute("UPDATE message SET replaced_at = ? WHERE id = ?", (self._now(), message.id))

    # ---- what the list and the composer remember

    def contact(self, persona: str) -> Contact:
        """Return the draft and the read mark of `persona`."""
        with self._in_words("read"):
            row = self._db.execute("SELECT draft, read_message FROM contact WHERE persona = ?", (persona,)).fetchone()
        return Contact(*row) if row else Contact()

    def save_draft(self, persona: str, draft: str) -> None:
        """Remember what stands in the composer for `persona`."""
        with self._write() as db:
            db.execute(
                "INSERT INTO contact (persona, draft) VALUES (?, ?) "
                "ON CONFLICT (persona) DO UPDATE SET draft = excluded.draft",
                (persona, draft),
            )

    def mark_read(self, persona: str, message: int) -> None:
        """Remember that everything up to the message with id `message` was seen."""
        with self._write() as db:
            db.execute(
                "INSERT INTO contact (persona, read_message) VALUES (?, ?) ON CONFLICT (persona) "
                "DO UPDATE SET read_message = max(read_message, excluded.read_message)",
                (persona, message),
            )

    def preference(self, key: str) -> str | None:
        """Return a stored choice of the user, such as the theme."""
        with self._in_words("read"):
            row = self._db.execute("SELECT value FROM preference WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else None

    def set_preference(self, key: str, value: str) -> None:
        """Store a choice of the user."""
        with self._write() as db:
            db.execute(
                "INSERT INTO preference VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, value),
            )

    def changed_elsewhere(self) -> bool:
        """Return whether another client has written since this was last asked."""
        version = self._data_version()
        changed = version != self._seen_version
        self._seen_version = version
        return changed

    # ---- the file

    def _data_version(self) -> int:
        with self._in_words("read"):
            return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def _settle(self) -> None:
        """Check whose file this is and apply the migrations it has not had."""
        db = self._db
        known = len(MIGRATIONS)
        # Read first: a file that is up to date opens while another client writes, and a foreign file is
        # refused before a single byte of it is changed.
        if self._version() < known:
            db.execute("PRAGMA journal_mode = WAL")
            with self._write():
                version = self._version()  # another client may have migrated while we waited
                for migration in MIGRATIONS[version:]:
                    migration(db)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {known}")
        db.execute("PRAGMA foreign_keys = ON")
        # In WAL mode NORMAL survives a killed process; only a power cut may cost the last few writes.
        db.execute("PRAGMA synchronous = NORMAL")

    def _version(self) -> int:
        """Return how many migrations the file has had; raises HistoryError for a file that is not ours."""
        db = self._db
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        owner = int(db.execute("PRAGMA application_id").fetchone()[0])
        tables = int(db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
        if owner != APPLICATION_ID and (tables or version):
            raise HistoryError(
                f"{self.path} is another program's database, not a chat history",
                hint="point GREENROOM_HISTORY at another file",
            )
        if version > len(MIGRATIONS):
            raise HistoryError(
                f"{self.path} was written by a newer Greenroom (format {version}; this one knows "
                f"{len(MIGRATIONS)}) and was left untouched",
                hint="update Greenroom, or point GREENROOM_HISTORY at another file",
            )
        return version

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """Run a block as one transaction that holds the write lock from its start."""
        with self._in_words("write"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have rolled it back already
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _in_words(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise HistoryError(
                f"cannot {what} the chat history {self.path}: {error}",
                hint="free the file or its disk, or point GREENROOM_HISTORY at another file",
            ) from error


def _open(path: Path) -> sqlite3.Connection:
    """Return a connection to `path`, which only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # SQLite gives its -wal and -shm files the mode of the database, so the mode must be right first.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
