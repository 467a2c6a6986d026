"""Greenroom's own plain format, for chats from anywhere else: a message a line in JSONL, or a row in CSV.

Needed are a time, a sender and a text; docs/import.md lists the columns and their other names.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from persona.errors import UserError
from train.accounts import phone_of
from train.export_files import ExportPath, TornFileError, start_of
from train.export_tables import header_of, open_text, table_rows
from train.local_time import utc_ms, zone_of
from train.messages import Chat, ChatKind, Drop, Kind, Message, Reading, Record, Tear, as_mentions, as_reactions
from train.people import normal_name
from train.printed_ids import PrintedIds
from train.sources.json_objects import Found, read_objects
from train.sources.json_records import as_utf8, mend

COLUMNS: dict[str, tuple[str, ...]] = {
    "time": ("time", "timestamp", "date", "datetime", "sent_at", "created_at", "when"),
    "sender": ("sender", "from", "author", "name", "speaker", "sender_name", "user", "username"),
    "text": ("text", "message", "body", "content"),
    "chat": ("chat", "conversation", "channel", "thread", "room", "chat_name"),
    "chat_kind": ("chat_kind", "chat_type"),
    "id": ("id", "message_id"),
    "platform": ("platform", "service", "network"),
    "kind": ("kind", "type"),
    "reply_to": ("reply_to", "in_reply_to"),
    "is_owner": ("is_owner", "is_from_me", "from_me", "me"),
    "edited": ("edited", "edited_at"),
    "forwarded_from": ("forwarded_from",),
    "reactions": ("reactions",),
    "mentions": ("mentions",),
    "sender_id": ("sender_id", "from_id", "author_id", "user_id"),
}
"""The columns, and the names each may have; the first is its own."""
NEEDED = ("time", "sender", "text")
MAX_LINE_CHARS = 1 << 26
"""A longer line is no message; what is left of it counts as the next."""
_NUMBER = re.compile(r"-?\d{9,19}(?:\.\d+)?")
_KINDS = {kind.value: kind for kind in Kind}
_CHAT_KINDS = {kind.value: kind for kind in ChatKind} | {"private": ChatKind.PERSONAL, "direct": ChatKind.PERSONAL}
_TRUE = frozenset({"true", "1", "yes", "y"})
_decode = msgspec.json.Decoder().decode
_Row = dict[str, Any]


class PlainRecords:
    """Reads JSONL, a JSON list of objects, and CSV."""

    name = "plain"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is, by the columns of the first row."""
        if not path.is_file() or path.suffix.lower() not in (".csv", ".tsv", ".jsonl", ".ndjson", ".json"):
            return 0.0
        names = _header(path)
        return 0.6 if all(_named(names, column) for column in NEEDED) else 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records at flat memory. Raises UserError when a needed column is missing from the first row."""
        names = _header(path)
        if "conversations" in names or "messages" in names:
            raise UserError(
                f"{path} holds training data, not messages.",
                "Give it to axolotl, or import the chats it was made from.",
            )
        missing = [column for column in NEEDED if not _named(names, column)]
        if missing:
            found = ", ".join(names[:20]) or "nothing"
            raise UserError(
                f"{path}, line 1: there is no column for {' and '.join(missing)}; it has {found}.",
                "Each message needs " + ", ".join(NEEDED) + "; docs/import.md lists their other names.",
            )
        yield from _Table(path, reading).records()


def _header(path: ExportPath) -> list[str]:
    if path.suffix.lower() in (".csv", ".tsv"):
        return header_of(path)
    try:
        if path.suffix.lower() == ".json" and not _begins_list(path):
            return []  # whatever it is, all of it would have to be read to find no list in it
        for piece in _json_rows(path):
            return [str(key).lower() for key in piece.values] if isinstance(piece, Found) else []
    except (OSError, TornFileError, UnicodeError):
        pass
    return []


def _begins_list(path: ExportPath) -> bool:
    return as_utf8(start_of(path, 256)).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _named(names: list[str], column: str) -> str | None:
    return next((name for name in COLUMNS[column] if name in names), None)


def _json_rows(path: ExportPath) -> Iterator[Found | Drop | Tear]:
    """Yield the objects of a JSON list, or of the lines of a JSONL file."""
    if path.suffix.lower() == ".json":
        for piece in read_objects(path, records=""):
            if isinstance(piece, Found | Drop | Tear):
                yield piece
        return
    with open_text(path) as text:
        number = 0
        try:
            while line := text.readline(MAX_LINE_CHARS):
                number += 1
                if line.strip():
                    yield _line(line, f"line {number}")
        except TornFileError as error:
            yield Tear(f"line {number + 1}", str(error))


def _line(line: str, place: str) -> Found | Drop:
    try:
        value = _decode(line.strip().lstrip("\ufeff"))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        try:
            value = mend(line.strip().lstrip("\ufeff").encode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):
            value = None
    return Found(value, place) if isinstance(value, dict) else Drop("not a readable message", place)


class _Table:
    def __init__(self, path: ExportPath, reading: Reading) -> None:
        self.path = path
        self.reading = reading
        self.zone = zone_of(reading)
        self.chats: dict[tuple[str, str], set[str]] = {}
        self.ids = PrintedIds()
        self.seen = 0
        wanted = [reading.owner, *reading.known_owners]
        self.owners = {normal_name(one) for one in wanted if one}

    def records(self) -> Iterator[Record]:
        if self.path.suffix.lower() in (".csv", ".tsv"):
            for row in table_rows(self.path):
                yield from self._row(dict(row.values), f"line {row.line}")
            return
        for piece in _json_rows(self.path):
            if isinstance(piece, Found):
                yield from self._row(piece.values, piece.place)
            else:
                yield piece

    def _row(self, values: _Row, place: str) -> Iterator[Record]:
        self.seen += 1
        row = {str(key).lower(): value for key, value in values.items()}
        if not row:
            yield Drop("not a readable message", place)
            return
        get = {
            column: next((row[n] for n in names if row.get(n) not in (None, "")), None)
            for column, names in COLUMNS.items()
        }
        platform = str(get["platform"] or "plain").strip().lower()
        chat_name = str(get["chat"] or self.path.stem)
        chat = normal_name(chat_name)
        time = self._time(get["time"])
        if time is None:
            yield Drop("no date" if get["time"] is None else "no readable date", place, chat)
            return
        kind = _KINDS.get(str(get["kind"] or "text").lower(), Kind.TEXT)
        text = get["text"] if isinstance(get["text"], str) else "" if get["text"] is None else str(get["text"])
        if kind is Kind.TEXT and not text.strip():
            yield Drop("nothing in it", place, chat)
            return
        name = None if get["sender"] is None else str(get["sender"]).strip()
        sender = (
            str(get["sender_id"])
            if get["sender_id"] is not None
            else (phone_of(name) or normal_name(name))
            if name
            else None
        )
        yield from self._chat(platform, chat, chat_name, get["chat_kind"], sender)
        yield self._message(get, platform, chat, time, text, kind, sender, name)

    def _message(
        self, get: dict[str, Any], platform: str, chat: str, time: tuple[int, int | None], text: str, kind: Kind,
        sender: str | None, name: str | None,
    ) -> Message:  # fmt: skip
        owner: bool | None = str(get["is_owner"]).lower() in _TRUE if get["is_owner"] is not None else None
        if owner is None and self.owners and name is not None:
            owner = normal_name(name) in self.owners
        own, slot = get["id"], None
        if not isinstance(own, str | int) or isinstance(own, bool) or (isinstance(own, int) and abs(own) >= 2**63):
            own, slot = self.ids.next(str(time[0]), sender or "", f"{kind}{text}")
        message = Message(
            platform, chat, own, time[0], text, kind, sender, name, owner, time[1], self.seen, slot,
        )  # fmt: skip
        if get["reply_to"] is not None:
            message.reply_to = get["reply_to"] if isinstance(get["reply_to"], int) else str(get["reply_to"])
        if get["edited"] is not None and (edited := self._time(get["edited"])) is not None:
            message.edited_ms = edited[0]
        if get["forwarded_from"] is not None:
            message.forwarded_from = str(get["forwarded_from"])
        message.mentions = as_mentions(_words(get["mentions"]))
        message.reactions = as_reactions((one, None) for one in _words(get["reactions"]))
        return message

    def _chat(self, platform: str, chat: str, name: str, kind: Any, sender: str | None) -> Iterator[Record]:
        speakers = self.chats.get((platform, chat))
        if speakers is None:
            speakers = self.chats[platform, chat] = set()
            yield Chat(platform, chat, name, _CHAT_KINDS.get(str(kind).lower(), ChatKind.PERSONAL))
        if sender is not None and sender not in speakers and len(speakers) < 3:
            speakers.add(sender)
            if len(speakers) == 3 and kind is None:
                yield Chat(platform, chat, name, ChatKind.GROUP)

    def _time(self, value: Any) -> tuple[int, int | None] | None:
        """Return a time as UTC ms and offset: ISO 8601, or unix time in seconds or milliseconds."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return None
        printed = str(value).strip()
        try:
            if _NUMBER.fullmatch(printed):
                number = float(printed) if "." in printed else int(printed)
                # As milliseconds, the first 10 digits of seconds would all lie in 1970.
                return (round(number * 1000) if abs(number) < 10**11 else round(number)), None
            return utc_ms(datetime.fromisoformat(printed), self.zone)
        except (ValueError, OverflowError):
            return None


def _value(row: _Row, names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return [one for one in re.split(r"[\s,;]+", value) if one]
    return [str(one) for one in value if isinstance(one, str | int)] if isinstance(value, list) else []


SOURCE = PlainRecords()
