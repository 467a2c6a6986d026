"""Deletes a person from the store for good, and keeps imports from bringing them back.

What remains is a salted hash of each account and chat that was deleted, and of each form of the names: enough to
recognise them in an export and in what others wrote, and nothing to read in it.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from hashlib import blake2b

import msgspec

from train.messages import Drop, Message
from train.people import Person


class Forgotten:
    """The accounts and chats of a store that were forgotten."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Look into an open, migrated store; the marks are read when they are first asked for."""
        self.db = db

    @cached_property
    def _marks(self) -> set[bytes]:
        return {row[0] for row in self.db.execute("SELECT mark FROM forgotten")}

    @cached_property
    def _names(self) -> set[bytes]:
        return {row[0] for row in self.db.execute("SELECT mark FROM forgotten_names")}

    @cached_property
    def _salt(self) -> bytes:
        return bytes(self.db.execute("SELECT salt FROM forgotten_salt").fetchone()[0])

    def mark(self, what: str, platform: str, key: str) -> bytes:
        """Return the mark of an account or a chat ("account", "chat") of a platform, or of a "name" of none."""
        return blake2b(f"{what}\0{platform}\0{key}".encode(), key=self._salt, digest_size=16).digest()

    def add(self, marks: Sequence[bytes]) -> None:
        """Remember marks from now on."""
        self.db.executemany("INSERT INTO forgotten VALUES (?) ON CONFLICT DO NOTHING", [(one,) for one in marks])
        self._marks.update(marks)

    def add_names(self, accounts: Sequence[bytes], words: Iterable[str]) -> None:
        """Remember words, and two words with a space between, as names of accounts, given by their marks."""
        marks = [self.mark("name", "", word) for word in words]
        self.db.executemany(
            "INSERT INTO forgotten_names VALUES (?, ?) ON CONFLICT DO NOTHING",
            [(account, mark) for account in accounts for mark in marks],
        )
        self._names.update(marks)

    def remove(self, platform: str, key: str) -> bool:
        """Let an account, and the chat with it, be imported again; False when it was not forgotten.

        What it was called is no longer a name of somebody forgotten, unless another account was called so too.
        """
        marks = {self.mark("account", platform, key), self.mark("chat", platform, key)} & self._marks
        self.db.executemany("DELETE FROM forgotten WHERE mark = ?", [(one,) for one in marks])
        self._marks.difference_update(marks)
        self.db.executemany("DELETE FROM forgotten_names WHERE account = ?", [(one,) for one in marks])
        self.__dict__.pop("_names", None)
        return bool(marks)

    def has_name(self, word: str) -> bool:
        """Return whether a word, as `train.redaction` compares names, is a name of somebody forgotten.

        Two words of a name have a space between them.
        """
        return bool(self._names) and self.mark("name", "", word) in self._names

    def has_account(self, platform: str, account: str) -> bool:
        """Return whether an account was forgotten."""
        return bool(self._marks) and self.mark("account", platform, account) in self._marks

    def has_chat(self, platform: str, chat: str) -> bool:
        """Return whether a chat was forgotten."""
        return bool(self._marks) and self.mark("chat", platform, chat) in self._marks

    def part(self, messages: Sequence[Message]) -> tuple[Sequence[Message], list[Drop]]:
        """Return messages of one chat without those of forgotten people, and a drop for each of these.

        Forgotten people also go from the reactions and mentions of the messages that stay.
        """
        if not self._marks or not messages:
            return messages, []
        platform, chat = messages[0].platform, messages[0].chat_id
        whole = self.has_chat(platform, chat)
        gone = {
            account
            for account in {m.sender_id for m in messages}
            if account is not None and self.has_account(platform, account)
        }
        kept, drops = [], []
        for message in messages:
            if whole or message.sender_id in gone:
                drops.append(Drop("forgotten", f"message {message.id}", None if whole else chat))
                continue
            message.reactions = self._without(message.reactions, platform)
            message.mentions = self._without(message.mentions, platform)
            kept.append(message)
        return kept, drops

    def _without(self, raw: str | None, platform: str) -> str | None:
        return None if raw is None else _without(raw, lambda account: self.has_account(platform, account))


def _without(raw: str, is_gone: Callable[[str], bool]) -> str | None:
    """Return reactions or mentions, as messages hold them, without some accounts; None when none is left."""
    rows = []
    for row in json.loads(raw):
        if isinstance(row, list):
            left = [one for one in row[2:] if not is_gone(one)]
            count = row[1] - (len(row) - 2 - len(left))
            if count > 0:
                rows.append([row[0], count, *left])
        elif not is_gone(row):
            rows.append(row)
    return msgspec.json.encode(rows).decode() if rows else None


def forget(db: sqlite3.Connection, forgotten: Forgotten, person: Person) -> int:
    """Delete a person with their accounts, messages, reactions and mentions, and the personal chats with them.

    Returns how many messages were deleted. Nothing of them is left in the file or beside it; see Forgotten for what
    is remembered. Commits.
    """
    db.execute("PRAGMA secure_delete = ON")
    accounts = db.execute(
        "SELECT id, platform, account, name FROM accounts WHERE person_id = ?", [person.id]
    ).fetchall()
    rows = [row[0] for row in accounts]
    marks = ", ".join("?" * len(rows)) or "NULL"
    chats = db.execute(
        f"SELECT DISTINCT c.id, c.platform, c.chat, c.name FROM chats c JOIN messages m ON m.chat_id = c.id "
        f"WHERE m.sender_id IN ({marks}) AND coalesce(c.kind, 'personal') = 'personal'",
        rows,
    ).fetchall()
    # Both sides of a chat between the two: the owner's half of it speaks of them in every line.
    chats = [] if person.is_owner else chats
    before = db.total_changes
    db.executemany("DELETE FROM messages WHERE chat_id = ?", [(chat[0],) for chat in chats])
    db.execute(f"DELETE FROM messages WHERE sender_id IN ({marks})", rows)
    deleted = db.total_changes - before
    _scrub_marks(db, {str(account[2]) for account in accounts})
    for chat_row, platform, chat, _ in chats:
        forgotten.add([forgotten.mark("chat", platform, chat)])
        db.execute("DELETE FROM drops WHERE chat = ?", [chat])
        db.execute("DELETE FROM chats WHERE id = ?", [chat_row])
    account_marks = [forgotten.mark("account", platform, account) for _, platform, account, _ in accounts]
    forgotten.add(account_marks)
    forgotten.add_names(account_marks, _words_for(db, person))
    names = {str(one) for one in (person.speaker, *(a[2] for a in accounts), *(a[3] for a in accounts)) if one}
    for name in names:
        # Exports are often called after the person: "WhatsApp Chat with Zoë.txt".
        db.execute("UPDATE imports SET path = '(forgotten)' WHERE instr(path, ?) > 0", [name])
        db.execute("DELETE FROM drops WHERE instr(place, ?) > 0", [name])
    db.execute(f"DELETE FROM account_keys WHERE account_id IN ({marks})", rows)
    db.execute("DELETE FROM accounts WHERE person_id = ?", [person.id])
    db.execute("DELETE FROM people WHERE id = ?", [person.id])
    db.commit()
    # The log holds what the pages were before, and free pages keep their content until they are used again.
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return deleted


def _words_for(db: sqlite3.Connection, person: Person) -> set[str]:
    # Here, because every import opens the store, and few forget somebody.
    from train.redaction.names import known_people, name_marks

    return {word for one in known_people(db) if one.person == person.id for word in name_marks(one.names)}


def _scrub_marks(db: sqlite3.Connection, accounts: set[str]) -> None:
    rows = db.execute(
        "SELECT chat_id, message, reactions, mentions FROM messages WHERE reactions IS NOT NULL OR mentions IS NOT NULL"
    ).fetchall()
    for chat, message, reactions, mentions in rows:
        left = [raw if raw is None else _without(raw, accounts.__contains__) for raw in (reactions, mentions)]
        if left != [reactions, mentions]:
            db.execute(
                "UPDATE messages SET reactions = ?, mentions = ? WHERE chat_id = ? AND message = ?",
                [*left, chat, message],
            )
