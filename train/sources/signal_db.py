"""Signal Desktop's database, once it has been decrypted: a plain SQLite copy of `db.sqlite`.

Signal keeps its messages encrypted with a key from the system's keychain, and Greenroom takes no keys from there.
Columns moved out of each row's JSON over the years, so each is looked for in both.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from persona.errors import UserError
from train.export_databases import columns, is_database, open_database, tables
from train.export_files import ExportPath, TornFileError, size_of
from train.messages import (
    Account,
    Chat,
    ChatKind,
    Drop,
    Kind,
    Message,
    Owner,
    Reading,
    Record,
    Tear,
    as_mentions,
    as_reactions,
)  # fmt: skip
from train.sources.json_objects import number_in, object_in, objects_in, text_in

PLATFORM = "signal"
OWNER = "me"

_OWN_WORDS = frozenset({"incoming", "outgoing"})
_PLACEHOLDER = "\ufffc"
_VOICE_FLAG, _GIF_FLAG = 1, 8
"""Flags of an attachment in Signal's protocol: a voice message, a moving picture."""
_BY_MIME = {"image": Kind.PHOTO, "video": Kind.VIDEO, "audio": Kind.AUDIO}
_WANTED = (
    "id", "json", "type", "body", "conversationId", "source", "sourceServiceId", "sourceUuid", "sent_at", "received_at",
    "isErased", "expireTimer", "hasAttachments",
)  # fmt: skip
_FILES = "SELECT contentType FROM message_attachments WHERE messageId = ? ORDER BY rowid LIMIT 1"
_CONVERSATION = ("id", "type", "name", "profileFullName", "profileName", "e164", "serviceId", "uuid")
_HOW = (
    "Signal's key is in the system's keychain. Export with a tool that asks for it (signal-export, sigtop), or "
    "decrypt a copy with sqlcipher: PRAGMA key, then SELECT sqlcipher_export('plain') into an attached database."
)
_decode = msgspec.json.Decoder().decode


class SignalDatabase:
    """Reads a decrypted `db.sqlite`."""

    name = "signal-db"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is, by the tables; an encrypted one is told by where it lies."""
        if {"messages", "conversations", "items"} <= tables(path):
            return 0.95
        with suppress(OSError, TornFileError, UserError):
            if path.name == "db.sqlite" and path.parent.name == "sql" and path.is_file() and not is_database(path):
                return 0.9
        return 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records chat by chat. Raises UserError for a database that is still encrypted."""
        if not is_database(path):
            raise UserError(f"{path} is encrypted.", _HOW)
        with open_database(path, reading.scratch) as db:
            if "conversationId" not in columns(db, "messages") or "id" not in columns(db, "conversations"):
                raise UserError(f"{path} has no messages of Signal in it.", "Look whether it is the right file.")
            yield from _Database(db, path, reading).records()


class _Database:
    def __init__(self, db: sqlite3.Connection, path: ExportPath, reading: Reading) -> None:
        self.db = db
        self.reading = reading
        self.owner_name = reading.owner or next(iter(reading.known_owners), None)
        self.columns = columns(db, "messages")
        self.files = {"messageId", "contentType"} <= columns(db, "message_attachments")
        self.own: set[str] = set()
        self.names: dict[str, str | None] = {}
        """People by every id they have: conversation, service id, number."""
        self.accounts: dict[str, str] = {}
        newest = db.execute("SELECT max(rowid) FROM messages").fetchone()[0]
        self.bytes_per_row = size_of(path) / max(1, newest or 1)

    def records(self) -> Iterator[Record]:
        with suppress(sqlite3.DatabaseError):
            self._owner()
        chats: list[Chat] = []
        for row in self._conversations():
            yield from self._person_or_group(row, chats)
        yield Owner(PLATFORM, OWNER, self.owner_name)
        for chat in chats:
            yield chat
            yield from self._as_far_as_it_goes(self._messages("conversationId = ?", [chat.id], chat))
        if "conversationId" in self.columns:
            lost = "conversationId IS NULL OR conversationId NOT IN (SELECT id FROM conversations)"
            yield from self._as_far_as_it_goes(self._messages(lost, [], None))

    def _as_far_as_it_goes(self, records: Iterator[Record]) -> Iterator[Record]:
        try:
            yield from records
        except sqlite3.DatabaseError as error:
            yield Tear("what was read last", f"the database is damaged: {error}")

    def _owner(self) -> None:
        for key, raw in self.db.execute(
            "SELECT id, json FROM items WHERE id IN ('uuid_id', 'number_id', 'accountE164')"
        ):
            value = _json(raw).get("value")
            if isinstance(value, str) and key:
                # "number.device", as the desktop app is a second device of the same account.
                self.own.add(value.rpartition(".")[0] or value)

    def _conversations(self) -> Iterator[dict[str, Any]]:
        known = columns(self.db, "conversations")
        plain = [
            one
            for one in ("id", "type", "name", "profileFullName", "profileName", "e164", "serviceId", "uuid")
            if one in known
        ]
        raw = "json" if "json" in known else "NULL"
        for values in self.db.execute(f"SELECT {', '.join([raw, *plain])} FROM conversations").fetchall():
            yield _json(values[0]) | {key: one for key, one in zip(plain, values[1:], strict=True) if one is not None}

    def _person_or_group(self, row: dict[str, Any], chats: list[Chat]) -> Iterator[Record]:
        number = text_in(row, "id")
        if not number:
            return
        name = text_in(row, "name", "profileFullName", "profileName")
        phone, service = text_in(row, "e164"), text_in(row, "serviceId", "uuid")
        if text_in(row, "type") == "group":
            chats.append(Chat(PLATFORM, number, name or None, ChatKind.GROUP))
            return
        mine = bool({phone, service} & self.own) or row.get("isMe") is True
        account = OWNER if mine else service or phone or number
        if mine and self.owner_name is None:
            self.owner_name = name or None
        for key in (number, phone, service):
            if key:
                self.accounts[key] = account
        self.names[account] = name or phone or None
        chats.append(Chat(PLATFORM, number, name or phone or None, ChatKind.SAVED if mine else ChatKind.PERSONAL))
        yield Account(PLATFORM, account, name or None, (phone,) if phone else ())

    def _messages(self, condition: str, parameters: list[str], chat: Chat | None) -> Iterator[Record]:
        wanted = [name if name in self.columns else "NULL" for name in _WANTED]
        by_time: dict[int, str] = {}
        unread = 0.0
        query = f"SELECT rowid, {', '.join(wanted)} FROM messages WHERE {condition} ORDER BY sent_at, rowid"
        for number, *values in self.db.execute(query, parameters):
            unread += self.bytes_per_row
            if unread > 1 << 16 and self.reading.progress is not None:
                self.reading.progress(int(unread))
                unread = 0.0
            row = {key: one for key, one in zip(_WANTED, values, strict=True) if one is not None}
            yield self._record(number, _json(row.pop("json", None)) | row, chat, by_time)

    def _record(self, number: int, row: dict[str, Any], chat: Chat | None, by_time: dict[int, str]) -> Message | Drop:
        place = f"message {number}"
        if chat is None:
            return Drop("in no chat", place)
        sent = number_in(row, "sent_at") or number_in(row, "timestamp") or number_in(row, "received_at_ms")
        if sent is None or not 0 < sent < 2**53:
            return Drop("no date", place, chat.id)
        if (number_in(row, "expireTimer") or 0) > 0 and not self.reading.disappearing:
            return Drop("disappearing message", place, chat.id)
        kind_of_row = text_in(row, "type")
        if kind_of_row == "story":
            return Drop("a story", place, chat.id)
        ident = text_in(row, "id") or f"row-{number}"
        by_time[sent] = ident
        kind, text, mentions = self._content(row, kind_of_row)
        if kind is Kind.TEXT and not text.strip():
            return Drop("nothing in it", place, chat.id)
        mine = kind_of_row == "outgoing"
        who = OWNER if mine else self._account(text_in(row, "sourceServiceId", "sourceUuid", "source"))
        if who is None and not mine and chat.kind is ChatKind.PERSONAL and kind_of_row == "incoming":
            who = self.accounts.get(chat.id)
        name = self.owner_name if who == OWNER else self.names.get(who or "")
        is_owner = None if who is None else who == OWNER
        message = Message(PLATFORM, chat.id, ident, sent, text, kind, who, name, is_owner, None, number)
        quoted = number_in(object_in(row, "quote"), "id")
        if quoted is not None:
            message.reply_to = by_time.get(quoted)
        edits = objects_in(row, "editHistory")
        if edits:
            message.edited_ms = number_in(row, "editMessageTimestamp") or number_in(edits[0], "timestamp") or sent
        given = objects_in(row, "reactions")
        message.reactions = as_reactions(
            (text_in(one, "emoji") or "?", self._account(text_in(one, "fromId"))) for one in given
        )
        message.mentions = as_mentions(mentions)
        return message

    def _account(self, key: str) -> str | None:
        return self.accounts.get(key, key) if key else None

    def _content(self, row: dict[str, Any], kind_of_row: str) -> tuple[Kind, str, list[str]]:
        text = text_in(row, "body")
        if kind_of_row == "call-history":
            return Kind.CALL, text, []
        if kind_of_row not in _OWN_WORDS:
            return Kind.SERVICE, text or kind_of_row, []
        if row.get("deletedForEveryone") is True or row.get("isErased") in (1, True):
            return Kind.DELETED, "", []
        text, mentions = self._with_names(text, objects_in(row, "bodyRanges"))
        sticker = object_in(row, "sticker")
        if sticker:
            return Kind.STICKER, text_in(sticker, "emoji"), mentions
        files = objects_in(row, "attachments")
        if not files and row.get("hasAttachments") and self.files:
            # Since 2025 these are a table of their own.
            files = [{"contentType": mime} for (mime,) in self.db.execute(_FILES, [row.get("id")])]
        if files:
            return _kind_of(files[0]), text, mentions
        if objects_in(row, "contact"):
            return Kind.CONTACT, text, mentions
        return Kind.TEXT, text, mentions

    def _with_names(self, text: str, ranges: list[dict[str, Any]]) -> tuple[str, list[str]]:
        """Return the text with a name for each placeholder, and the accounts, in the order they stand in."""
        found = []
        # From the end, so that the places before stay where they are. They count UTF-16 units.
        units = text.encode("utf-16-le")
        for one in sorted(ranges, key=lambda one: number_in(one, "start") or 0, reverse=True):
            start, length = number_in(one, "start"), number_in(one, "length") or 1
            account = self._account(text_in(one, "mentionAci", "mentionUuid"))
            if account is None or start is None or not 0 <= start * 2 <= len(units):
                continue
            found.append(account)
            name = self.owner_name if account == OWNER else self.names.get(account)
            shown = f"@{name or 'somebody'}".encode("utf-16-le")
            units = units[: start * 2] + shown + units[(start + length) * 2 :]
        return units.decode("utf-16-le", "replace").replace(_PLACEHOLDER, ""), found[::-1]


def _kind_of(file: dict[str, Any]) -> Kind:
    mime, flags = text_in(file, "contentType"), number_in(file, "flags") or 0
    if flags & _VOICE_FLAG:
        return Kind.VOICE
    if flags & _GIF_FLAG or mime == "image/gif":
        return Kind.GIF
    return _BY_MIME.get(mime.partition("/")[0], Kind.FILE)


def _json(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, str):
        return {}
    try:
        value = _decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


SOURCE = SignalDatabase()
