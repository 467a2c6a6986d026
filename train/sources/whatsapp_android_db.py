"""WhatsApp's own database on Android: `msgstore.db`, decrypted, and the contacts of `wa.db` where that lies beside it.

A message has the same id and a chat the same JID as in an iPhone's `ChatStorage.sqlite`, so the databases of somebody
who changed phones fit together. Text exports have neither.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath

from persona.errors import UserError
from train.export_databases import columns, is_database, open_database, tables
from train.export_files import ExportPath, TornFileError, size_of, start_of
from train.messages import (
    Account,
    Chat,
    ChatKind,
    Drop,
    Kind,
    Message,
    Note,
    Owner,
    Reading,
    Record,
    Tear,
    as_mentions,
    as_reactions,
)  # fmt: skip
from train.sources.json_objects import is_date, number_in
from train.sources.whatsapp_android_tables import Chats, Layout, NewLayout, OldLayout, Row
from train.sources.whatsapp_jids import OWNER, PLATFORM, account_of, chat_kind, phone_of, words

_KINDS = {
    0: Kind.TEXT, 1: Kind.PHOTO, 2: Kind.AUDIO, 3: Kind.VIDEO, 4: Kind.CONTACT, 5: Kind.LOCATION, 7: Kind.SERVICE,
    8: Kind.CALL, 9: Kind.FILE, 10: Kind.CALL, 13: Kind.GIF, 14: Kind.CONTACT, 15: Kind.DELETED, 16: Kind.LOCATION,
    20: Kind.STICKER, 36: Kind.SERVICE, 42: Kind.PHOTO, 43: Kind.VIDEO, 57: Kind.SERVICE, 64: Kind.DELETED,
    66: Kind.POLL, 81: Kind.VIDEO, 82: Kind.VOICE, 88: Kind.SERVICE, 90: Kind.CALL, 103: Kind.SERVICE,
    112: Kind.SERVICE, 116: Kind.SERVICE,
}  # fmt: skip
"""`message_type`, in the older layout `media_wa_type`. Others are what firms send, invitations, events."""
_NO_MESSAGES = {
    11: "not decrypted by the phone", 46: "a vote", 99: "an album, whose pictures are messages of their own",
}  # fmt: skip
_WORDLESS = frozenset({Kind.DELETED, Kind.CONTACT, Kind.CALL, Kind.STICKER})
"""What stands in the text of these is the app's: a card, a name, a length."""
_APP_STATUS, _PLACEHOLDER_STATUS, _REVOKED_VERSION = 6, -1, 7
_NO_CHAT = "-1"
"""The older layout begins with a row in no chat."""
_ACTIONS = {
    1: "subject", 4: "added", 5: "left", 6: "picture", 7: "removed", 10: "number changed", 11: "created", 12: "added",
    13: "left", 14: "removed", 18: "security code", 19: "encrypted", 20: "joined by a link", 27: "description",
    28: "number changed", 56: "disappearing messages", 58: "blocked", 67: "encrypted",
}  # fmt: skip
_ENCRYPTED = re.compile(r"msgstore.*\.db\.crypt\d{1,2}", re.IGNORECASE)
_HOW = (
    "Turn on WhatsApp's end-to-end encrypted backup with a 64-digit key, make one, and decrypt it with a tool that "
    "takes the key (WhatsApp-Chat-Exporter, wa-crypt-tools)."
)


class WhatsAppAndroidDatabase:
    """Reads `msgstore.db`."""

    name = "whatsapp-android-db"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is, by the tables; an encrypted one is told by its name."""
        found = tables(path)
        if {"message", "chat", "jid"} <= found or ("messages" in found and not found.isdisjoint(_BESIDE_MESSAGES)):
            return 0.95
        encrypted = _ENCRYPTED.fullmatch(path.name) and any(start_of(path)) and not is_database(path)
        return 0.9 if encrypted else 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records chat by chat; what is held is the people, and the reactions in one chat at a time.

        Raises UserError for a database that is still encrypted.
        """
        if _ENCRYPTED.fullmatch(path.name) and not is_database(path):
            raise UserError(f"{path} is encrypted.", _HOW)
        with open_database(path, reading.scratch) as db:
            layout, other = sorted((NewLayout(db), OldLayout(db)), key=Layout.count, reverse=True)
            if not {"_id", layout.chat_column} <= layout.columns:
                hint = "It may be of another version of its app; look whether it is the right file."
                raise UserError(f"{path} has no messages of WhatsApp in it.", hint)
            yield from _Database(db, layout, path, reading).records()
            if (left := other.count()) > 1:
                yield Note(
                    f"{path.name}: the app was changing over; {left} rows of its table {other.table} are not read."
                )


_BESIDE_MESSAGES = frozenset({"chat_list", "messages_quotes", "jid"})
"""Tables of the older layout, none of which other programs have beside `messages`."""


class _Database:
    def __init__(self, db: sqlite3.Connection, layout: Layout, path: ExportPath, reading: Reading) -> None:
        self.db = db
        self.layout = layout
        self.path = path
        self.reading = reading
        self.owner_name = reading.owner or next(iter(reading.known_owners), None)
        self.names: dict[str, str] = {}
        self.bytes_per_row = size_of(path) / max(1, layout.count())
        self.reactions: dict[int, dict[tuple[bool, object], str]] = {}
        self.edited: dict[str, str] = {}

    def records(self) -> Iterator[Record]:
        with suppress(sqlite3.DatabaseError):
            self.names |= self.layout.names()
        yield from self._contacts()
        with suppress(sqlite3.DatabaseError):
            self._owner()
        with suppress(sqlite3.DatabaseError):
            self._edits()
        yield Owner(PLATFORM, OWNER, self.owner_name)
        for jid, name in self.names.items():
            phone = phone_of(jid)
            if chat_kind(jid) is ChatKind.PERSONAL:
                yield Account(PLATFORM, account_of(jid), name, (phone,) if phone else ())
        for found in self.layout.chats():
            chat = Chat(PLATFORM, found.jid, self._title(found), chat_kind(found.jid))
            if found.jid != _NO_CHAT:
                yield chat
            yield from self._as_far_as_it_goes(self._messages(found, chat))
        yield from self._as_far_as_it_goes(self._messages(None, None))

    def _as_far_as_it_goes(self, records: Iterator[Record]) -> Iterator[Record]:
        try:
            yield from records
        except sqlite3.DatabaseError as error:
            yield Tear("what was read last", f"the database is damaged: {error}")

    def _title(self, found: Chats) -> str | None:
        return self.names.get(found.jid) or found.title or phone_of(found.jid)

    def _contacts(self) -> Iterator[Tear]:
        """Take the names of the owner's contacts, which come before what people call themselves."""
        beside = self.path.parent / "wa.db"
        if not is_database(beside):
            return
        try:
            with open_database(beside, self.reading.scratch) as db:
                known = columns(db, "wa_contacts")
                wanted = [one if one in known else "NULL" for one in ("jid", "display_name", "wa_name")]
                for row in db.execute(f"SELECT {', '.join(wanted)} FROM wa_contacts").fetchall() if known else ():
                    jid, name, own_name = (words(one).strip() for one in row)
                    if jid and (name or (own_name and jid not in self.names)):
                        self.names[jid] = name or own_name
        except (sqlite3.DatabaseError, UserError, TornFileError) as error:
            yield Tear("wa.db", f"the names of contacts are not read: {error}")

    def _owner(self) -> None:
        if self.owner_name is None and {"key", "value"} <= columns(self.db, "props"):
            found = self.db.execute("SELECT value FROM props WHERE key = 'user_push_name'").fetchone()
            self.owner_name = (words(found[0]).strip() if found else "") or None

    def _edits(self) -> None:
        """Note the first ids of messages that were edited: answers name either."""
        if {"message_row_id", "original_key_id"} <= columns(self.db, "message_edit_info"):
            query = (
                f"SELECT m.key_id, e.original_key_id FROM message_edit_info e JOIN {self.layout.table} m "
                "ON m._id = e.message_row_id WHERE m.key_id != e.original_key_id"
            )
            self.edited = {words(key): words(first) for key, first in self.db.execute(query) if first}

    def _messages(self, found: Chats | None, chat: Chat | None) -> Iterator[Record]:
        key = None if found is None else found.key
        self.reactions = {} if found is None else self.layout.reactions(key)
        unread = 0.0
        for row in self.layout.rows(key):
            unread += self.bytes_per_row
            if unread > 1 << 16 and self.reading.progress is not None:
                self.reading.progress(int(unread))
                unread = 0.0
            yield self._record(row, chat, key)

    def _record(self, row: Row, chat: Chat | None, key: object) -> Message | Drop:
        place = f"message {row.number}"
        if chat is None:
            return Drop("in no chat", place)
        status, number = _number(row.status), _number(row.kind)
        if status == _PLACEHOLDER_STATUS or chat.id == _NO_CHAT:
            return Drop("a place that the app keeps free", place, chat.id)
        time_ms = _number(row.time_ms)
        if not time_ms or not is_date(time_ms):
            return Drop("no date", place, chat.id)
        if (_number(row.vanishes) or 0) > 0 and not self.reading.disappearing:
            return Drop("disappearing message", place, chat.id)
        if number in _NO_MESSAGES:
            return Drop(_NO_MESSAGES[number], place, chat.id)
        kind, text = _content(row, status, number)
        if kind is Kind.TEXT and not text.strip():
            return Drop("nothing in it", place, chat.id)
        mine = row.mine == 1
        who = None if mine else self._sender(row, chat)
        name = self.owner_name if mine else self.names.get(who or "") or (phone_of(who) if who else None)
        ident = words(row.revoked_key) or words(row.edited_key) or words(row.key) or f"row-{row.number}"
        sender = OWNER if mine else account_of(who) if who else None
        message = Message(
            PLATFORM, chat.id, ident, time_ms, text, kind, sender, name, mine, None, _order(row),
        )  # fmt: skip
        quoted = words(row.quoted_key)
        # An answer to a status, or given in private to what was said in a group, is none to anything here.
        if quoted and (row.quoted_chat is None or row.quoted_chat == key):
            message.reply_to = self.edited.get(quoted, quoted)
        if edited := _number(row.edited_ms):
            message.edited_ms = edited if is_date(edited) else None
        if _number(row.forwarded):
            message.forwarded_from = ""
        if given := self.reactions.get(row.number):
            message.reactions = as_reactions(
                (emoji, OWNER if own else self._account(one, chat)) for (own, one), emoji in given.items() if emoji
            )
        if "@" in text:
            self._name_mentioned(row, message)
        return message

    def _account(self, who: object, chat: Chat) -> str | None:
        jid = self.layout.jid(who) or (chat.id if chat.kind is ChatKind.PERSONAL else None)
        return account_of(jid) if jid else None

    def _sender(self, row: Row, chat: Chat) -> str | None:
        """Return the JID of who wrote a message; in a chat of two that is the other one."""
        if chat.kind is ChatKind.PERSONAL:
            return chat.id
        jid = self.layout.jid(row.sender)
        return jid if jid and chat_kind(jid) is ChatKind.PERSONAL else None

    def _name_mentioned(self, row: Row, message: Message) -> None:
        """Put names for the numbers by which a text mentions people."""
        found = self.layout.mentioned(row)
        for own, jid in found:
            if name := self.names.get(jid):
                number = re.compile(rf"@{re.escape(own.partition('@')[0])}(?!\d)")
                message.text = number.sub(lambda _, name=name: f"@{name}", message.text)  # type: ignore[misc]
        message.mentions = as_mentions(account_of(jid) for _, jid in found)


def _number(value: object) -> int | None:
    """Return the whole number in a column, in the older layout also one that is written as text."""
    return value if value is None or type(value) is int else number_in({"": value}, "")


def _order(row: Row) -> int:
    """Return the place of a message among those of its time, which is the app's own order where it has one."""
    for order in (_number(row.order), row.number):
        if isinstance(order, int) and abs(order) < 2**63:
            return order
    return 0


def _content(row: Row, status: int | None, number: int | None) -> tuple[Kind, str]:
    action = _number(row.action)
    text = words(row.text) if not isinstance(row.text, bytes) or not number else ""
    if status == _APP_STATUS and number not in (8, 10, 90):
        about = _ACTIONS.get(action or 0, "")
        return Kind.SERVICE, f"{about}: {text}" if about in ("subject", "created", "description") and text else about
    kind = _KINDS.get(number or 0, Kind.MEDIA)
    if kind is Kind.SERVICE:
        return kind, _ACTIONS.get(action or 0, "")
    if row.revoked_key or (_number(row.version) == _REVOKED_VERSION and not text and not row.caption):
        kind = Kind.DELETED
    if kind in _WORDLESS:
        return kind, ""
    if kind is Kind.AUDIO and _is_spoken(row):
        kind = Kind.VOICE
    if kind in (Kind.TEXT, Kind.POLL):
        return kind, text
    said = words(row.caption) or text
    if kind is Kind.FILE and said in _titles(row):
        said = ""
    return kind, said


def _is_spoken(row: Row) -> bool:
    name = PurePosixPath(words(row.file_path)).name or words(row.file_name)
    return _number(row.origin) == 1 or name.startswith("PTT-") or words(row.mime).startswith("audio/ogg")


def _titles(row: Row) -> set[str]:
    """Return what a file may be called: where nothing is said beside it, its name stands for what is said."""
    names = {words(row.file_name), PurePosixPath(words(row.file_path)).name}
    return names | {name.rpartition(".")[0] for name in names}


SOURCE = WhatsAppAndroidDatabase()
