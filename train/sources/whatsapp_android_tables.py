"""The two layouts of WhatsApp's database on Android, as rows of one kind.

Until 2021 everything stood in one table, `messages`, which names chats and people by their JIDs. Since then `message`
refers to rows of `chat` and `jid`, and what only some messages have stands in a table of its own. While a phone was
changing over both were there, one of them hardly filled.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any

import msgspec

from train.export_databases import columns
from train.sources.whatsapp_jids import without_device, words


class Row(msgspec.Struct):
    """A message as it stands in either layout; columns that a version lacks are None."""

    number: int
    key: Any
    """WhatsApp's own id of the message."""
    mine: Any
    sender: Any
    """Who wrote it: a row of `jid`, or a JID."""
    time_ms: Any
    status: Any
    kind: Any
    text: Any
    caption: Any
    file_name: Any
    file_path: Any
    mime: Any
    origin: Any
    """Of a sound 1 where it was spoken into the app."""
    forwarded: Any
    order: Any
    quoted_key: Any
    quoted_chat: Any
    edited_ms: Any
    edited_key: Any
    """The id that the message had before it was edited."""
    revoked_key: Any
    """The id that the message had before it was deleted."""
    action: Any
    """What a line of the app is about."""
    vanishes: Any
    """Seconds after which it was to disappear."""
    mentioned: Any
    version: Any
    """In the older layout 7 for a message that its sender deleted."""


class Chats(msgspec.Struct):
    """A chat as a layout refers to it, its JID and the title it has there."""

    key: Any
    jid: str
    title: str | None


class Layout(ABC):
    """What both layouts have in common: tables by the number of the message, and the people."""

    table = ""
    chat_column = ""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Look at the tables of an open database."""
        self.db = db
        self._known: dict[str, frozenset[str]] = {}
        self.columns = self._in(self.table)
        self._jids: dict[int, str] = {}
        self._same: dict[int, int] = {}
        with suppress(sqlite3.DatabaseError):
            self._read_jids()

    def count(self) -> int:
        """Return how many messages stand in this layout."""
        return int(self.db.execute(f"SELECT count(*) FROM {self.table}").fetchone()[0]) if self.columns else 0

    def jid(self, row: Any) -> str | None:
        """Return a person's or chat's JID by its row, with their number where it is known; None for nobody."""
        if not isinstance(row, int):
            return None
        found = self._jids.get(self._same.get(row, row)) or self._jids.get(row)
        return without_device(found) if found else None

    def own_jid(self, row: Any) -> str:
        """Return a JID by its row as texts refer to it, also where it hides the number."""
        return without_device(self._jids.get(row, "")) if isinstance(row, int) else ""

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield the JIDs of people with the names that they gave themselves."""
        if {"lid_row_id", "display_name"} <= self._in("lid_display_name"):
            for row, name in self.db.execute("SELECT lid_row_id, display_name FROM lid_display_name").fetchall():
                jid = self.jid(row)
                if jid and words(name).strip():
                    yield jid, words(name).strip()

    def rows(self, key: Any) -> Iterator[Row]:
        """Yield the messages of a chat; without a key, those that are in none."""
        condition = self._lost() if key is None else f"m.{self.chat_column} IS ?"
        query = f"SELECT {', '.join(self._selected)} FROM {self.table} m WHERE {condition} ORDER BY m._id"
        for values in self.db.execute(query, [] if key is None else [key]):
            yield Row(*values)

    def reactions(self, key: Any) -> dict[int, dict[tuple[bool, Any], str]]:
        """Return the reactions in a chat by message and by who gave them: whether the owner, else a row of `jid`."""
        given: dict[int, dict[tuple[bool, Any], str]] = {}
        needed = {"_id", "parent_message_row_id", "from_me", "sender_jid_row_id"}
        if not needed <= self._in("message_add_on") or not {"message_add_on_row_id", "reaction"} <= columns(
            self.db, "message_add_on_reaction"
        ):
            return given
        # CROSS JOIN: the messages of the chat first, then what was added to each, by its index.
        query = (
            "SELECT a.parent_message_row_id, a.from_me = 1, iif(a.from_me = 1, 0, a.sender_jid_row_id), r.reaction "
            f"FROM {self.table} m CROSS JOIN message_add_on a ON a.parent_message_row_id = m._id "
            "CROSS JOIN message_add_on_reaction r ON r.message_add_on_row_id = a._id "
            f"WHERE m.{self.chat_column} IS ? ORDER BY a._id"
        )
        for number, own, who, emoji in self.db.execute(query, [key]):
            if isinstance(number, int):
                # Whoever reacts again changes their reaction; an empty one takes it back.
                given.setdefault(number, {})[bool(own), who] = words(emoji)
        return given

    def mentioned(self, row: Row) -> list[tuple[str, str]]:
        """Return the people mentioned in a message: their JID as the text writes it, and the one they go by."""
        if not {"message_row_id", "jid_row_id"} <= self._in("message_mentions"):
            return []
        query = "SELECT jid_row_id FROM message_mentions WHERE message_row_id = ? ORDER BY rowid"
        found = [(self.own_jid(one), self.jid(one)) for (one,) in self.db.execute(query, [row.number])]
        return [(own, jid) for own, jid in found if own and jid]

    @cached_property
    def _selected(self) -> list[str]:
        return self._wanted()

    def _read_jids(self) -> None:
        known = self._in("jid")
        if "_id" not in known:
            return
        raw = "raw_string" if "raw_string" in known else "NULL"
        parts = "user || '@' || server" if {"user", "server"} <= known else "NULL"
        for row, jid in self.db.execute(f"SELECT _id, coalesce({raw}, {parts}) FROM jid"):
            if isinstance(row, int) and jid:
                self._jids[row] = words(jid)
        if {"lid_row_id", "jid_row_id"} <= self._in("jid_map"):
            for hidden, row in self.db.execute("SELECT lid_row_id, jid_row_id FROM jid_map"):
                self._same[hidden] = row

    def _in(self, table: str) -> frozenset[str]:
        """Return the columns of a table, which are asked for with every message."""
        if table not in self._known:
            self._known[table] = columns(self.db, table)
        return self._known[table]

    def _own(self, column: str) -> str:
        return f"m.{column}" if column in self.columns else "NULL"

    def _of(self, table: str, column: str, key: str = "message_row_id", value: str = "m._id") -> str:
        """Return SQL for a column of the row in another table that belongs to the message."""
        if not {column, key} <= self._in(table):
            return "NULL"
        return f"(SELECT t.{column} FROM {table} t WHERE t.{key} = {value} LIMIT 1)"

    def _vanishes(self) -> str:
        # What somebody keeps in the chat does not disappear.
        stays = f"coalesce({self._of('message_ephemeral', 'keep_in_chat')}, 0) > 0"
        return f"iif({stays}, NULL, {self._of('message_ephemeral', 'duration')})"

    @abstractmethod
    def chats(self) -> Iterator[Chats]:
        """Yield the chats."""

    @abstractmethod
    def _wanted(self) -> list[str]: ...

    @abstractmethod
    def _lost(self) -> str: ...


class NewLayout(Layout):
    """`message`, `chat` and `jid`."""

    table = "message"
    chat_column = "chat_row_id"

    def chats(self) -> Iterator[Chats]:
        """Yield the chats."""
        known = self._in("chat")
        title = "subject" if "subject" in known else "NULL"
        for row, jid, name in self.db.execute(f"SELECT _id, jid_row_id, {title} FROM chat ORDER BY _id").fetchall():
            yield Chats(row, self.jid(jid) or f"chat-{row}", words(name) or None)

    def _wanted(self) -> list[str]:
        flags = self._own("origination_flags")
        return [
            "m._id", self._own("key_id"), self._own("from_me"), self._own("sender_jid_row_id"), self._own("timestamp"),
            self._own("status"), self._own("message_type"), self._own("text_data"),
            self._of("message_media", "media_caption"), self._of("message_media", "media_name"),
            self._of("message_media", "file_path"), self._of("message_media", "mime_type"), self._own("origin"),
            f"coalesce({flags} & 1, 0) OR coalesce({self._of('message_forwarded', 'message_row_id')}, 0) > 0",
            self._own("sort_id"), self._of("message_quoted", "key_id"), self._of("message_quoted", "chat_row_id"),
            self._of("message_edit_info", "edited_timestamp"), self._of("message_edit_info", "original_key_id"),
            self._of("message_revoked", "revoked_key_id"), self._of("message_system", "action_type"), self._vanishes(),
            "NULL", "NULL",
        ]  # fmt: skip

    def _lost(self) -> str:
        return "m.chat_row_id IS NULL OR m.chat_row_id NOT IN (SELECT _id FROM chat WHERE _id IS NOT NULL)"


class OldLayout(Layout):
    """`messages`, with the JIDs themselves."""

    table = "messages"
    chat_column = "key_remote_jid"

    def chats(self) -> Iterator[Chats]:
        """Yield the chats."""
        titles: dict[str, str] = {}
        if {"key_remote_jid", "subject"} <= self._in("chat_list"):
            for jid, title in self.db.execute("SELECT key_remote_jid, subject FROM chat_list"):
                titles[words(jid)] = words(title)
        if {"jid_row_id", "subject"} <= self._in("chat"):
            for row, title in self.db.execute("SELECT jid_row_id, subject FROM chat WHERE subject IS NOT NULL"):
                titles[self.own_jid(row)] = words(title)
        query = "SELECT DISTINCT key_remote_jid FROM messages WHERE key_remote_jid IS NOT NULL ORDER BY key_remote_jid"
        for (key,) in self.db.execute(query).fetchall():
            yield Chats(key, without_device(words(key)), titles.get(words(key)) or None)

    def jid(self, row: Any) -> str | None:
        """Return a JID as it stands in the row, or by its row where it is referred to."""
        return without_device(row) if isinstance(row, str) and "@" in row else super().jid(row)

    def mentioned(self, row: Row) -> list[tuple[str, str]]:
        """Return the people mentioned in a message."""
        listed = [without_device(one.strip()) for one in words(row.mentioned).split(",") if "@" in one]
        return [(one, one) for one in listed] or super().mentioned(row)

    def _wanted(self) -> list[str]:
        quoted = self._own("quoted_row_id")
        return [
            "m._id", self._own("key_id"), self._own("key_from_me"), self._own("remote_resource"),
            self._own("timestamp"), self._own("status"), self._own("media_wa_type"), self._own("data"),
            self._own("media_caption"), self._own("media_name"), "NULL", self._own("media_mime_type"),
            self._own("origin"), self._own("forwarded"), "NULL", self._of("messages_quotes", "key_id", "_id", quoted),
            self._of("messages_quotes", "key_remote_jid", "_id", quoted),
            self._of("message_edit_info", "edited_timestamp"), self._of("message_edit_info", "original_key_id"),
            "NULL", f"iif({self._own('status')} = 6, {self._own('media_size')}, NULL)", self._vanishes(),
            self._own("mentioned_jids"), self._own("edit_version"),
        ]  # fmt: skip

    def _lost(self) -> str:
        return "m.key_remote_jid IS NULL"
