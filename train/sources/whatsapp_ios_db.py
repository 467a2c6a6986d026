"""WhatsApp's own database on an iPhone: `ChatStorage.sqlite`, out of a backup.

Core Data's tables: one row a message in ZWAMESSAGE, dates in seconds from 2001, people by their JID, which for a
person is the phone number.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from train.export_databases import columns, open_database, tables
from train.export_files import ExportPath, size_of
from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Owner, Reading, Record, Tear
from train.sources.json_objects import is_date
from train.sources.whatsapp_jids import OWNER, PLATFORM, account_of, chat_kind, phone_of, words

_APPLE_EPOCH_S = 978_307_200
_KINDS = {
    0: Kind.TEXT, 1: Kind.PHOTO, 2: Kind.VIDEO, 3: Kind.VOICE, 4: Kind.CONTACT, 5: Kind.LOCATION, 6: Kind.SERVICE,
    7: Kind.TEXT, 8: Kind.FILE, 10: Kind.SERVICE, 11: Kind.GIF, 14: Kind.DELETED, 15: Kind.STICKER, 46: Kind.POLL,
    59: Kind.CALL, 66: Kind.CALL,
}  # fmt: skip
"""ZMESSAGETYPE. 7 is a text with a link; 6 and 10 are the app speaking."""
_WANTED = (
    "ZSTANZAID", "ZTEXT", "ZMESSAGEDATE", "ZISFROMME", "ZMESSAGETYPE", "ZFROMJID", "ZGROUPMEMBER", "ZPUSHNAME",
)  # fmt: skip


class WhatsAppIosDatabase:
    """Reads `ChatStorage.sqlite`."""

    name = "whatsapp-ios-db"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is, by the database's tables."""
        return 0.95 if {"ZWAMESSAGE", "ZWACHATSESSION"} <= tables(path) else 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records chat by chat; what is held is the people and the captions of one chat at a time."""
        with open_database(path, reading.scratch) as db:
            yield from _Database(db, path, reading).records()


class _Database:
    def __init__(self, db: sqlite3.Connection, path: ExportPath, reading: Reading) -> None:
        self.db = db
        self.reading = reading
        self.owner_name = reading.owner or next(iter(reading.known_owners), None)
        self.columns = columns(db, "ZWAMESSAGE")
        self.names: dict[str, str] = {}
        self.members: dict[int, str] = {}
        newest = db.execute("SELECT max(Z_PK) FROM ZWAMESSAGE").fetchone()[0]
        self.bytes_per_row = size_of(path) / max(1, newest or 1)

    def records(self) -> Iterator[Record]:
        yield Owner(PLATFORM, OWNER, self.owner_name)
        with suppress(sqlite3.DatabaseError):
            self._people()
        for jid, name in self.names.items():
            phone = phone_of(jid)
            yield Account(PLATFORM, account_of(jid), name, (phone,) if phone else ())
        for row, jid, name in self._rows("ZWACHATSESSION", "ZCONTACTJID", "ZPARTNERNAME"):
            jid = jid or f"session-{row}"
            chat = Chat(PLATFORM, jid, name or self.names.get(jid), chat_kind(jid))
            yield chat
            yield from self._as_far_as_it_goes(self._messages("ZCHATSESSION = ?", [row], chat))
        lost = "ZCHATSESSION IS NULL OR ZCHATSESSION NOT IN (SELECT Z_PK FROM ZWACHATSESSION)"
        yield from self._as_far_as_it_goes(self._messages(lost, [], None))

    def _as_far_as_it_goes(self, records: Iterator[Record]) -> Iterator[Record]:
        try:
            yield from records
        except sqlite3.DatabaseError as error:
            yield Tear("what was read last", f"the database is damaged: {error}")

    def _people(self) -> None:
        for _, jid, name in self._rows("ZWAPROFILEPUSHNAME", "ZJID", "ZPUSHNAME"):
            if jid and name:
                self.names[jid] = name
        # What the owner's contacts call somebody comes before what they call themselves.
        for _, jid, name in self._rows("ZWACHATSESSION", "ZCONTACTJID", "ZPARTNERNAME"):
            if jid and name and chat_kind(jid) is ChatKind.PERSONAL and phone_of(name) is None:
                self.names[jid] = name
        for row, jid, name in self._rows("ZWAGROUPMEMBER", "ZMEMBERJID", "ZCONTACTNAME"):
            if jid:
                self.members[row] = jid
                if name:
                    self.names.setdefault(jid, name)

    def _rows(self, table: str, jid: str, name: str) -> list[tuple[int, str, str]]:
        """Return the rows of a table of people, by their keys; what a version of the app lacks is empty."""
        known = columns(self.db, table)
        if not known:
            return []
        wanted = [one if one in known else "NULL" for one in (jid, name)]
        rows = self.db.execute(f"SELECT Z_PK, {', '.join(wanted)} FROM {table} ORDER BY Z_PK").fetchall()
        return [(row, words(one), words(other)) for row, one, other in rows]

    def _messages(self, condition: str, parameters: list[int], chat: Chat | None) -> Iterator[Record]:
        wanted = [f"m.{name}" if name in self.columns else "NULL" for name in _WANTED]
        media = columns(self.db, "ZWAMEDIAITEM")
        title = "(SELECT ZTITLE FROM ZWAMEDIAITEM WHERE Z_PK = m.ZMEDIAITEM)" if "ZTITLE" in media else "NULL"
        parent = "(SELECT p.ZSTANZAID FROM ZWAMESSAGE p WHERE p.Z_PK = m.ZPARENTMESSAGE)"
        if "ZPARENTMESSAGE" not in self.columns:
            parent = "NULL"
        unread = 0.0
        query = f"SELECT m.Z_PK, {', '.join(wanted)}, {title}, {parent} FROM ZWAMESSAGE m WHERE {condition}"
        for number, *values in self.db.execute(query + " ORDER BY m.Z_PK", parameters):
            unread += self.bytes_per_row
            if unread > 1 << 16 and self.reading.progress is not None:
                self.reading.progress(int(unread))
                unread = 0.0
            yield self._record(number, values, chat)

    def _record(self, number: int, values: list[Any], chat: Chat | None) -> Message | Drop:
        stanza, text, date, mine, kind_number, jid, member, pushed, title, parent = values
        place = f"message {number}"
        if chat is None:
            return Drop("in no chat", place)
        if not isinstance(date, int | float) or not date or not is_date(_unix_ms(date)):
            return Drop("no date", place, chat.id)
        kind = _KINDS.get(kind_number, Kind.MEDIA)
        body = words(text)
        if kind is Kind.DELETED:
            body = ""
        elif kind not in (Kind.TEXT, Kind.SERVICE, Kind.CALL, Kind.POLL):
            body = words(title) or body if kind is not Kind.FILE else ""
        if kind is Kind.TEXT and not body.strip():
            return Drop("nothing in it", place, chat.id)
        who = None if mine else self._sender(jid, member, chat)
        sender = OWNER if mine else None if who is None else account_of(who)
        name = self.owner_name if mine else self.names.get(who or "") or words(pushed) or None
        if name is None and who is not None:
            name = phone_of(who)
        return Message(
            PLATFORM, chat.id, words(stanza) or f"row-{number}", _unix_ms(date), body, kind, sender, name, bool(mine),
            None, number, None, words(parent) or None,
        )  # fmt: skip

    def _sender(self, jid: Any, member: Any, chat: Chat) -> str | None:
        """Return the JID of who wrote a message: in a group the member's, since the row names the group."""
        if member in self.members:
            return self.members[member]
        if chat.kind is ChatKind.PERSONAL:
            return words(jid) or chat.id
        jid = words(jid)
        return jid if jid and chat_kind(jid) is ChatKind.PERSONAL else None


def _unix_ms(date: float) -> int:
    # A real column holds infinity too.
    return round((date + _APPLE_EPOCH_S) * 1000) if abs(date) < 10**12 else 10**18


SOURCE = WhatsAppIosDatabase()
