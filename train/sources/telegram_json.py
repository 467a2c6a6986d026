"""Telegram Desktop's JSON export: `result.json`, of the whole account or of a single chat.

The format is what Telegram Desktop's `export_output_json.cpp` writes; docs/import.md lists its traps and the
test that holds each one.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET

from train.export_files import ExportPath, start_of
from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Owner, Reading, Record, Tear
from train.sources.json_objects import LAST_MS
from train.sources.json_records import (
    Broken,
    Closed,
    Known,
    Opened,
    Piece,
    Records,
    as_utf8,
    mend,
    open_as_utf8,
    read_records,
)
from train.sources.telegram_rows import (
    RawMessage,
    account_of,
    content_of,
    decode_many,
    decode_one,
    forwarded_from,
    lenient,
    mentions_of,
    reactions_of,
    reply_of,
    service_of,
)

PLATFORM = "telegram"

# Bots, channels, "Replies" and login codes are nobody's conversation: all of them count as channels.
_CHAT_KINDS = {
    "personal_chat": ChatKind.PERSONAL,
    "private_group": ChatKind.GROUP,
    "private_supergroup": ChatKind.GROUP,
    "public_supergroup": ChatKind.GROUP,
    "saved_messages": ChatKind.SAVED,
    "bot_chat": ChatKind.CHANNEL,
    "private_channel": ChatKind.CHANNEL,
    "public_channel": ChatKind.CHANNEL,
    "replies": ChatKind.CHANNEL,
    "verification_codes": ChatKind.CHANNEL,
}
# Users, basic groups and channels count their ids separately, so the id alone does not name a chat.
_ID_SPACES = {
    "private_group": "chat",
    "private_supergroup": "channel",
    "public_supergroup": "channel",
} | dict.fromkeys(("private_channel", "public_channel"), "channel")
_DIGITS = re.compile(r"[0-9]{1,19}")
_START = re.compile(rb'\A\s*\{\s*"(about|personal_information|name|type|id|chats|messages)"\s*:')
_EPOCH = datetime(1970, 1, 1)
_SECOND = timedelta(seconds=1)
_LAST_S = LAST_MS // 1000


class TelegramJson:
    """Reads `result.json`."""

    name = "telegram-json"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is that `path` is Telegram's `result.json`, by its first bytes."""
        if not path.is_file() or path.suffix.lower() != ".json":
            return 0.0
        start = as_utf8(start_of(path))
        if not _START.match(start):
            return 0.0
        # `"type": "…"` beside `"messages"`, or the `about` text of a full export, are Telegram's own.
        kinds = b"|".join(kind.encode() for kind in _CHAT_KINDS)
        own = re.search(rb'"type"\s*:\s*"(' + kinds + rb')"', start) or b'"chats"' in start
        return 0.95 if own else 0.6 if path.name == "result.json" else 0.3

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Return the records of the export at flat memory; see `train.messages.Source`."""
        return _Export(reading).records(path)


class _Export:
    """One reading of one file."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.zone = ZoneInfo(reading.timezone) if reading.timezone else None
        self.owner_id: str | None = None
        self.seen = 0
        self.chat = Chat(PLATFORM, "")
        self.saved = False
        self.accounts: dict[str | int | None, str | None] = {}
        self.has_topics = False
        self.topics: dict[int, int] = {}
        self.hours: tuple[str, int] | None = None
        self.offset_min: int | None = None

    def records(self, path: ExportPath) -> Iterator[Record]:
        with path.open("rb") as stream:
            pieces = read_records(
                open_as_utf8(stream),
                records="messages",
                descend=frozenset({"chats", "left_chats", "list"}),
                know=frozenset({"personal_information"}),
                progress=self.reading.progress,
            )
            for piece in pieces:
                if isinstance(piece, Records):
                    try:
                        raws = decode_many(b"[" + piece.raw + b"]")
                    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                        yield from self._one_by_one(piece)
                        continue
                    yield from self._messages(raws)
                else:
                    yield from self._skeleton(piece)

    def _skeleton(self, piece: Piece) -> Iterator[Record]:
        match piece:
            case Opened(scalars=scalars):
                yield from self._open_chat(scalars)
            case Closed(scalars=scalars):
                # Keys may stand in any order, so the name can come after the messages.
                yield _chat(scalars, self.chat.id)
            case Known(value=dict() as person):
                yield from self._found_owner(person.get("user_id"), _full_name(person))
                phone = person.get("phone_number")
                if self.owner_id is not None and isinstance(phone, str):
                    yield Account(PLATFORM, self.owner_id, _full_name(person), phones=(phone,))
            case Broken(offset=offset, in_record=in_record, detail=detail):
                place = f"record {self.seen + 1}, byte {offset}"
                if in_record:
                    self.seen += 1
                    yield Drop("torn", place, self.chat.id or None)
                yield Tear(place, detail)

    def _open_chat(self, scalars: dict[str, Any]) -> Iterator[Record]:
        self.chat = _chat(scalars, "")
        self.saved = self.chat.kind is ChatKind.SAVED
        self.has_topics = False
        self.topics = {}
        yield self.chat
        if self.saved:
            # The chat with oneself has one's own id, and no name.
            yield from self._found_owner(scalars.get("id"), None)

    def _found_owner(self, user_id: Any, name: str | None) -> Iterator[Record]:
        # Always a bare user id, which since 2021 may be above 32 bits: the old peer spaces do not apply here.
        account = f"user{user_id}" if user_id and _DIGITS.fullmatch(str(user_id)) else None
        if account is not None and self.owner_id is None:
            self.owner_id = account
            yield Owner(PLATFORM, account, name)

    def _messages(self, raws: list[RawMessage]) -> Iterator[Record]:
        kept: list[Message] = []
        for raw in raws:
            self.seen += 1
            read = self._message(raw)
            if type(read) is Message:
                kept.append(read)
            else:
                yield read
        yield kept

    def _one_by_one(self, piece: Records) -> Iterator[Record]:
        for one, offset in piece:
            self.seen += 1
            try:
                raw = decode_one(one)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                try:
                    raw = lenient(mend(one))
                except (ValueError, msgspec.ValidationError):
                    place = f"record {self.seen}, byte {offset}"
                    yield Drop("not a readable message", place, self.chat.id or None)
                    continue
            yield self._message(raw)

    def _message(self, raw: RawMessage) -> Message | Drop:
        # A million times for some people: what most messages do not have is asked for together, and once.
        unixtime, date = raw.date_unixtime, raw.date
        if unixtime is not None and 0 < (seconds := _seconds(unixtime)) <= _LAST_S:
            time_ms: int | None = seconds * 1000
            offset_min = None if date is None else self._offset_min(date, seconds)
        else:
            time_ms, offset_min = self._local_ms(date), None
        if time_ms is None:
            reason = "unsupported by the exporter" if raw.type == "unsupported" else "no date"
            return self._drop(reason, raw)
        service = raw.type != "message"
        sender, sender_name = (raw.actor_id, raw.actor) if service else (raw.from_id, raw.from_)
        kind, text = service_of(raw) if service else content_of(raw)
        if not text and kind is Kind.TEXT:
            return self._drop("nothing in it", raw)
        if self.has_topics or raw.action is not None:
            self._follow_topic(raw)
        account = self.accounts.get(sender)
        if account is None and sender is not None:
            account = self.accounts[sender] = account_of(sender)
        number, owner_id = raw.id, self.owner_id
        message = Message(
            PLATFORM, self.chat.id, number, time_ms, text, kind, account, sender_name,
            None if owner_id is None else account == owner_id, offset_min, number,
        )  # fmt: skip
        if raw.reply_to_message_id is not None:
            message.reply_to = reply_of(raw)
        if self.has_topics and (topic := self.topics.get(number)) is not None:
            message.topic = str(topic)
        if raw.edited is not None or raw.edited_unixtime is not None:
            message.edited_ms = self._edited(raw)
        if raw.forwarded_from is not UNSET or raw.forwarded_from_id or raw.saved_from or raw.via_bot:
            message.forwarded_from = forwarded_from(raw, kind)
        if type(raw.text) is list:
            message.mentions = mentions_of(raw.text)
        if raw.reactions:
            message.reactions = reactions_of(raw.reactions)
        if self.saved and account is None and message.forwarded_from is None and not service:
            message.sender_id = owner_id
            message.is_owner = None if owner_id is None else True
        return message

    def _offset_min(self, date: str, seconds: int) -> int | None:
        # The messages of one hour have one offset, where it is of whole hours; taking dates apart is slow.
        hours = (date[:13], seconds // 3600)
        if hours != self.hours:
            self.offset_min = _offset_min(date, seconds)
            self.hours = hours if self.offset_min is not None and self.offset_min % 60 == 0 else None
        return self.offset_min

    def _drop(self, reason: str, raw: RawMessage) -> Drop:
        return Drop(reason, f"record {self.seen}, message {raw.id}", self.chat.id or None)

    def _local_ms(self, date: str | None) -> int | None:
        """Return the time of a printed local date: in the zone that was told, else in this machine's."""
        if date is None:
            return None
        try:
            local = datetime.fromisoformat(date)
            moment = local.replace(tzinfo=self.zone) if self.zone else local.astimezone()
            ms = int(moment.timestamp() * 1000)
        except (ValueError, OverflowError, OSError):
            return None
        # Exports of some years print 1970 where there is no date.
        return ms if ms > 86_400_000 else None

    def _edited(self, raw: RawMessage) -> int | None:
        if raw.edited_unixtime is not None:
            seconds = _seconds(raw.edited_unixtime)
            return seconds * 1000 if 0 < seconds <= _LAST_S else None
        return self._local_ms(raw.edited) if raw.edited is not None else None

    def _follow_topic(self, raw: RawMessage) -> None:
        # Messages carry no topic: each is a reply to the row that created it, or to a message in it.
        if raw.action == "topic_created":
            self.has_topics = True
            self.topics[raw.id] = raw.id
        elif raw.reply_to_message_id is not None and raw.reply_to_peer_id is None:
            topic = self.topics.get(raw.reply_to_message_id)
            if topic is not None:
                self.topics[raw.id] = topic


def _chat(scalars: dict[str, Any], fallback_id: str) -> Chat:
    kind = scalars.get("type")
    number = scalars.get("id")
    space = _ID_SPACES.get(kind, "user") if isinstance(kind, str) and kind in _CHAT_KINDS else ""
    name = scalars.get("name")
    return Chat(
        PLATFORM,
        # A chat whose type came late keeps the id it was opened with.
        fallback_id or (f"{space}{number}" if number is not None else "unknown"),
        name if isinstance(name, str) and name else None,
        _CHAT_KINDS.get(kind) if isinstance(kind, str) else None,
    )


def _seconds(unixtime: str | int) -> int:
    try:
        return int(unixtime)
    except ValueError:
        return 0


def _offset_min(date: str, seconds: int) -> int | None:
    try:
        # Read as if it were UTC, the printed time is as far ahead as the clock was.
        ahead = (datetime.fromisoformat(date) - _EPOCH) // _SECOND - seconds
    except (ValueError, TypeError):
        return None
    return round(ahead / 60) if abs(ahead) <= 50_400 else None


def _full_name(person: dict[str, Any]) -> str | None:
    names = [person.get("first_name"), person.get("last_name")]
    return " ".join(name for name in names if isinstance(name, str) and name) or None


SOURCE = TelegramJson()
