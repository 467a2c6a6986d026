"""iMessage and SMS of a Mac or an iPhone: `chat.db`, or `sms.db` out of a backup.

The tables are Apple's own and documented nowhere; their columns vary by version, so only those that are there are
asked for. docs/import.md lists the traps and the test that holds each one.
"""

import plistlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from train.accounts import handle_of, phone_of
from train.export_databases import columns, open_database, tables
from train.export_files import ExportPath, size_of
from train.messages import (
    Account,
    Chat,
    ChatKind,
    Drop,
    Folded,
    Kind,
    Message,
    Owner,
    Reading,
    Record,
    Tear,
    as_mentions,
    as_reactions,
)  # fmt: skip
from train.sources.imessage_typedstream import Body, decode_body

PLATFORM = "imessage"
OWNER = "me"
"""The owner's account: all numbers and addresses of one's own are one account."""

_APPLE_EPOCH_S = 978_307_200
"""2001-01-01 UTC, from which Apple counts."""
_NANOSECONDS_FROM = 10**11
"""Counts above this are nanoseconds (since macOS 10.13): as seconds they would lie 3,000 years ahead."""
_GROUP_STYLE = 43
_TAPBACKS = {2000: "❤️", 2001: "👍", 2002: "👎", 2003: "😂", 2004: "‼️", 2005: "❓"}
_REMOVED = 1000
"""What is added to the type of a tapback that takes one back."""
_WANTED = (
    "guid", "text", "attributedBody", "date", "is_from_me", "handle_id", "item_type", "associated_message_guid",
    "associated_message_type", "associated_message_emoji", "thread_originator_guid", "balloon_bundle_id",
    "is_audio_message", "date_edited", "date_retracted", "message_summary_info", "group_title", "is_forward",
)  # fmt: skip
_URL_BALLOON = "URLBalloonProvider"
_PLACEHOLDER = "\ufffc"
# A tapback on somebody's SMS is sent as a sentence with the whole text in quotes.
_TAPBACK_TEXT = re.compile(
    r"(?:Loved|Liked|Disliked|Laughed at|Emphasi[sz]ed|Questioned|Removed an? .{3,20} from|Reacted \S{1,12} to"
    r"|A adoré|A aimé|Le encantó|Le gustó|Le ha gustado|Ha adorado|Curtiu|Amei|Hat .{3,30} markiert:?)"
    r"\s+(?:[“„«\"].+[”“»\"]|an? (?:image|movie|attachment|audio message|sticker))\s?",
    re.DOTALL,
)
_SENTENCE_ENDS = frozenset('”“»"etr')
_BY_MIME = {"image/gif": Kind.GIF, "text/vcard": Kind.CONTACT, "text/x-vlocation": Kind.LOCATION}
_BY_MIME_GROUP = {"image": Kind.PHOTO, "video": Kind.VIDEO, "audio": Kind.AUDIO}


class IMessageDatabase:
    """Reads `chat.db` and `sms.db`."""

    name = "imessage-db"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is that `path` is such a database, by its tables."""
        found = tables(path)
        return 0.95 if {"message", "handle", "chat_message_join"} <= found else 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records chat by chat; what is held grows with the tapbacks and attachments alone."""
        with open_database(path, reading.scratch) as db:
            yield from _Database(db, path, reading).records()


class _Database:
    def __init__(self, db: sqlite3.Connection, path: ExportPath, reading: Reading) -> None:
        self.db = db
        self.reading = reading
        self.columns = columns(db, "message")
        self.handles = {row[0]: str(row[1]) for row in db.execute("SELECT ROWID, id FROM handle") if row[1]}
        self.owner_name = reading.owner or next(iter(reading.known_owners), None)
        self.repeated: set[int] = set()
        self.attachments: dict[int, Kind] = {}
        self.reactions: dict[str, list[tuple[str, str | None]]] = {}
        newest = db.execute("SELECT max(ROWID) FROM message").fetchone()[0]
        self.bytes_per_row = size_of(path) / max(1, newest or 1)

    def records(self) -> Iterator[Record]:
        yield from self._owner()
        for one in dict.fromkeys(self.handles.values()):
            phone = phone_of(one)
            yield Account(
                PLATFORM, handle_of(one), one, (phone,) if phone else (), (one.casefold(),) if "@" in one else ()
            )
        several: set[int] = set()
        # On a damaged page these are not complete; the messages are still read as far as they go.
        with suppress(sqlite3.DatabaseError):
            self.attachments.update(self._attachments())
        with suppress(sqlite3.DatabaseError):
            self._collect_tapbacks()
        with suppress(sqlite3.DatabaseError):
            in_several = "SELECT message_id FROM chat_message_join GROUP BY message_id HAVING count(*) > 1"
            several.update(row[0] for row in self.db.execute(in_several))
        for chat_row, chat in self._chats():
            yield chat
            # In the order of the join's own index, so that nothing is sorted, and held, before the first row.
            join = "FROM chat_message_join j CROSS JOIN message m ON m.ROWID = j.message_id WHERE j.chat_id = ?"
            join += " ORDER BY j.message_id"
            yield from self._as_far_as_it_goes(self._messages(join, [chat_row], chat.id, several), chat.id)
        alone = "FROM message m WHERE m.ROWID NOT IN (SELECT message_id FROM chat_message_join)"
        yield from self._as_far_as_it_goes(self._messages(alone, [], None, several), "messages in no chat")

    def _as_far_as_it_goes(self, records: Iterator[Record], where: str) -> Iterator[Record]:
        """Yield the records; where a damaged page ends them, a Tear, and the other chats are still read."""
        try:
            yield from records
        except sqlite3.DatabaseError as error:
            yield Tear(f"chat {where}", f"the database is damaged: {error}")

    def _owner(self) -> Iterator[Record]:
        own: list[str] = []
        for column in ("account", "destination_caller_id"):
            if column in self.columns:
                query = f"SELECT DISTINCT {column} FROM message WHERE is_from_me AND {column} != ''"
                with suppress(sqlite3.DatabaseError):
                    own += [re.sub(r"^[EePp]:", "", str(row[0])) for row in self.db.execute(query)]
        phones = tuple(dict.fromkeys(phone for one in own if (phone := phone_of(one))))
        emails = tuple(dict.fromkeys(one.casefold() for one in own if "@" in one))
        yield Owner(PLATFORM, OWNER, self.owner_name)
        yield Account(PLATFORM, OWNER, self.owner_name, phones, emails)

    def _chats(self) -> Iterator[tuple[int, Chat]]:
        known = columns(self.db, "chat")
        style = "style" if "style" in known else "NULL"
        name = "display_name" if "display_name" in known else "NULL"
        members: dict[int, list[str]] = {}
        if columns(self.db, "chat_handle_join"):
            for chat, handle in self.db.execute("SELECT chat_id, handle_id FROM chat_handle_join ORDER BY 1, 2"):
                members.setdefault(chat, []).append(self.handles.get(handle, "?"))
        query = f"SELECT ROWID, chat_identifier, guid, {style}, {name} FROM chat ORDER BY ROWID"
        for row, identifier, guid, kind, title in self.db.execute(query).fetchall():
            # The same person by iMessage and by SMS is two chats in the file, and one to those who had it.
            place = str(identifier or guid or row)
            group = kind == _GROUP_STYLE or len(members.get(row, ())) > 1 or place.startswith("chat")
            chat_name = title or (", ".join(members.get(row, ())) if group else place) or place
            kinds = ChatKind.GROUP if group else ChatKind.PERSONAL
            yield row, Chat(PLATFORM, place if group else handle_of(place), str(chat_name), kinds)

    def _attachments(self) -> Iterator[tuple[int, Kind]]:
        if not columns(self.db, "message_attachment_join") or "mime_type" not in columns(self.db, "attachment"):
            return
        sticker = "is_sticker" if "is_sticker" in columns(self.db, "attachment") else "0"
        query = (
            f"SELECT j.message_id, a.mime_type, {sticker} FROM message_attachment_join j "
            "JOIN attachment a ON a.ROWID = j.attachment_id"
        )
        for message, mime, is_sticker in self.db.execute(query):
            mime = str(mime or "")
            kind = _BY_MIME.get(mime) or _BY_MIME_GROUP.get(mime.partition("/")[0], Kind.FILE)
            yield message, Kind.STICKER if is_sticker else kind

    def _collect_tapbacks(self) -> None:
        """Find the reactions to each message, by its guid: given, and not taken back later."""
        if "associated_message_type" not in self.columns:
            return
        emoji = "associated_message_emoji" if "associated_message_emoji" in self.columns else "NULL"
        rows = self.db.execute(
            f"SELECT associated_message_guid, associated_message_type, {emoji}, is_from_me, handle_id FROM message "
            "WHERE associated_message_type BETWEEN 2000 AND 3999 ORDER BY date, ROWID"
        )
        for guid, kind, custom, from_me, handle in rows:
            target = _target(guid)
            who = self._account(from_me, handle)
            given = self.reactions.setdefault(target, [])
            mark = (_tapback(kind, custom), who)
            if kind >= 2000 + _REMOVED:
                if mark in given:
                    given.remove(mark)
            else:
                # One person has one tapback on a message: a new one takes the place of the old.
                given[:] = [one for one in given if one[1] != who] + [mark]
        present = "SELECT 1 FROM message WHERE guid = ?"
        gone = [guid for guid in self.reactions if self.db.execute(present, [guid]).fetchone() is None]
        for guid in gone:
            del self.reactions[guid]

    def _account(self, from_me: Any, handle: Any) -> str | None:
        if from_me:
            return OWNER
        known = self.handles.get(handle)
        return None if known is None else handle_of(known)

    def _messages(self, query: str, parameters: list[int], chat: str | None, several: set[int]) -> Iterator[Record]:
        wanted = [f"m.{name}" if name in self.columns else "NULL" for name in _WANTED]
        unread = 0.0
        for number, *values in self.db.execute(f"SELECT m.ROWID, {', '.join(wanted)} {query}", parameters):
            if number in several:
                if number in self.repeated:
                    continue  # the second place of one row of the file, which is one record
                self.repeated.add(number)
            unread += self.bytes_per_row
            if unread > 1 << 16 and self.reading.progress is not None:
                self.reading.progress(int(unread))
                unread = 0.0
            yield self._record(number, values, chat)

    def _record(self, number: int, values: list[Any], chat: str | None) -> Message | Drop | Folded:
        (
            guid, plain, raw, date, from_me, handle, item, target, tapback, _, thread, balloon, audio, edited,
            retracted, summary, title, forward,
        ) = values  # fmt: skip
        place = f"message {number}"
        if chat is None:
            return Drop("in no chat", place)
        if isinstance(tapback, int) and 2000 <= tapback < 4000:
            if _target(target) in self.reactions:
                return Folded("reaction", chat)
            return Drop("reaction to a message that is not here", place, chat)
        time_ms = _unix_ms(date)
        if time_ms is None:
            return Drop("no date", place, chat)
        body, broken = _body(plain, raw)
        text = body.text
        edits = _summary(summary) if summary is not None else {}
        if not text and edits:
            text = _last_edit(edits)
        kind = self._kind(number, item, balloon, audio)
        text = text.replace(_PLACEHOLDER, "").strip() if _PLACEHOLDER in text else text
        if kind is Kind.SERVICE:
            text = str(title or text or f"event {item}")
        elif retracted or (not text and edits.get("rp")):
            kind, text = Kind.DELETED, ""
        elif kind is Kind.TEXT and not text.strip():
            return Drop(broken or "nothing in it", place, chat)
        elif kind is Kind.MEDIA:
            text = ""
        elif text[-1:] in _SENTENCE_ENDS and _TAPBACK_TEXT.fullmatch(text):
            return Drop("tapback sent as text", place, chat)
        sender = self._account(from_me, handle)
        message = Message(
            PLATFORM, chat, str(guid or f"row-{number}"), time_ms, text, kind, sender,
            self.owner_name if from_me else self.handles.get(handle), bool(from_me), None, number,
        )  # fmt: skip
        if thread:
            message.reply_to = str(thread)
        if edited:
            message.edited_ms = _unix_ms(edited)
        if forward:
            message.forwarded_from = ""
        if guid in self.reactions:
            message.reactions = as_reactions(self.reactions[guid])
        if body.mentions:
            message.mentions = as_mentions(map(handle_of, body.mentions))
        return message

    def _kind(self, number: int, item: Any, balloon: Any, audio: Any) -> Kind:
        if item:
            return Kind.CALL if item == 6 else Kind.SERVICE
        if audio:
            return Kind.VOICE
        if balloon and _URL_BALLOON not in str(balloon):
            return Kind.MEDIA
        return Kind.TEXT if balloon else self.attachments.get(number, Kind.TEXT)


def _target(guid: Any) -> str:
    """Return the guid of a tapback's message without the part it is on: `p:0/GUID`, `bp:GUID`."""
    return re.sub(r"^(?:p:\d+/|bp:)", "", str(guid or ""))


def _tapback(kind: int, custom: Any) -> str:
    plain = kind - _REMOVED if kind >= 2000 + _REMOVED else kind
    return str(custom or _TAPBACKS.get(plain) or "[sticker]")


def _unix_ms(date: Any) -> int | None:
    """Return Apple's count as unix milliseconds; None where there is none."""
    if not isinstance(date, int | float) or not date:
        return None
    seconds = date / 1e9 if abs(date) > _NANOSECONDS_FROM else float(date)
    return round((seconds + _APPLE_EPOCH_S) * 1000)


def _body(plain: Any, raw: Any) -> tuple[Body, str | None]:
    """Return the text of a message, from the archive where there is one, and what was wrong with the archive."""
    if isinstance(raw, bytes) and raw:
        try:
            return decode_body(raw), None
        except ValueError as error:
            return Body(str(plain or "")), f"unreadable body: {error}"
    return Body(str(plain or "")), None


def _summary(raw: Any) -> dict[str, Any]:
    try:
        found = plistlib.loads(raw) if isinstance(raw, bytes) else None
    except Exception:  # plistlib raises a dozen kinds of errors on damaged input, and lists none
        return {}
    return found if isinstance(found, dict) else {}


def _last_edit(edits: dict[str, Any]) -> str:
    """Return the newest text of each part of an edited message whose own body is gone."""
    parts = edits.get("ec")
    texts = []
    for key in sorted(parts, key=str) if isinstance(parts, dict) else ():
        versions = parts[key] if isinstance(parts, dict) else None
        last = versions[-1] if isinstance(versions, list) and versions else None
        raw = last.get("t") if isinstance(last, dict) else None
        body, _ = _body("", raw)
        texts.append(body.text)
    return "".join(texts)


SOURCE = IMessageDatabase()
