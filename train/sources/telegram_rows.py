"""The messages of Telegram Desktop's JSON export: the keys that are read, and what they say.

Which keys there are is in Telegram Desktop's `export_output_json.cpp`.
"""

import re
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from train.messages import Kind, as_mentions

# Before 2021 one integer held both: the peer's type in the bits above 32 (Telegram Desktop's data_peer_id.h).
_PEER_SPACES = {0: "user", 1: "chat", 2: "channel"}
_MEDIA_KINDS = {
    "sticker": Kind.STICKER,
    "voice_message": Kind.VOICE,
    "video_message": Kind.VIDEO,
    "video_file": Kind.VIDEO,
    "animation": Kind.GIF,
    "audio_file": Kind.AUDIO,
}
_DIGITS = re.compile(r"[0-9]{1,19}")
_Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An id: 64 bits, as Telegram has them and as the store holds them."""


class _Entity(Struct, gc=False):
    text: str = ""
    type: str = ""
    user_id: str | int | None = None


class _Reactor(Struct, gc=False):
    from_id: str | int | None = None


class _Reaction(Struct, gc=False):
    type: str = ""
    count: int = 1
    emoji: str | None = None
    recent: list[_Reactor] = []


class _Poll(Struct):
    question: str | list[str | _Entity] = ""


class RawMessage(Struct, gc=False):
    """The keys of a message that are read; of the ones left out nothing is needed."""

    id: _Number
    type: str = "message"
    date: str | None = None
    date_unixtime: str | int | None = None
    edited: str | None = None
    edited_unixtime: str | int | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    from_id: str | int | None = None
    actor: str | None = None
    actor_id: str | int | None = None
    action: str | None = None
    text: str | list[str | _Entity] = ""
    media_type: str | None = None
    sticker_emoji: str | None = None
    photo: Any = None
    file: Any = None
    poll: _Poll | None = None
    location_information: Any = None
    contact_information: Any = None
    forwarded_from: str | UnsetType | None = UNSET
    forwarded_from_id: str | int | None = None
    saved_from: str | None = None
    via_bot: str | None = None
    reply_to_message_id: _Number | None = None
    reply_to_peer_id: str | int | None = None
    reactions: list[_Reaction] | None = None


_encode = msgspec.json.Encoder().encode
decode_many = msgspec.json.Decoder(list[RawMessage]).decode
decode_one = msgspec.json.Decoder(RawMessage).decode


def account_of(peer: str | int | None) -> str | None:
    """Return `user123`, `chat123` or `channel123`, whichever way the export wrote it."""
    if isinstance(peer, str):
        if not _DIGITS.fullmatch(peer):
            return peer or None
        peer = int(peer)
    if not peer or peer < 0:
        return None
    return f"{_PEER_SPACES.get(peer >> 32, 'user')}{peer & 0xFFFFFFFF if peer >> 32 < 3 else peer}"


def content_of(raw: RawMessage) -> tuple[Kind, str]:
    """Return the kind and the text of a message: of a medium its caption, of a sticker its emoji."""
    text = raw.text if type(raw.text) is str else _text(raw.text)
    if raw.media_type is not None:
        kind = _MEDIA_KINDS.get(raw.media_type, Kind.MEDIA)
        return (kind, raw.sticker_emoji or "") if kind is Kind.STICKER else (kind, text)
    if raw.photo is not None:
        return Kind.PHOTO, text
    if raw.file is not None:
        return Kind.FILE, text
    if raw.poll is not None:
        return Kind.POLL, _text(raw.poll.question)
    if raw.location_information is not None:
        return Kind.LOCATION, text
    if raw.contact_information is not None:
        return Kind.CONTACT, text
    return Kind.TEXT, text


def service_of(raw: RawMessage) -> tuple[Kind, str]:
    """Return the kind of a service row, and what happened."""
    kind = Kind.CALL if raw.action in ("phone_call", "group_call", "conference_call") else Kind.SERVICE
    return kind, raw.action or raw.type


def _text(text: str | list[str | _Entity]) -> str:
    if isinstance(text, str):
        return text
    return "".join([part if isinstance(part, str) else part.text for part in text])


def forwarded_from(raw: RawMessage, kind: Kind) -> str | None:
    """Return whose words a message of some kind is, where they are not the sender's, as `Message.forwarded_from`."""
    if raw.forwarded_from is not UNSET:
        return raw.forwarded_from or ""
    if raw.forwarded_from_id is not None:
        return ""
    if raw.saved_from is not None:
        return raw.saved_from
    # What an inline bot wrote is not the sender's own words either.
    return raw.via_bot if kind is Kind.TEXT else None


def reply_of(raw: RawMessage) -> int | None:
    """Return the number of the message of this chat that a message answers."""
    # With a peer it is a reply to a message of another chat.
    return None if raw.reply_to_peer_id is not None else raw.reply_to_message_id


def reactions_of(reactions: list[_Reaction]) -> str:
    """Return reactions as `Message.reactions` holds them."""
    # The export names the latest few who reacted, and counts the others.
    rows: list[list[str | int]] = []
    for one in reactions:
        accounts = [account for who in one.recent if (account := account_of(who.from_id)) is not None]
        rows.append([one.emoji or f"[{one.type}]", one.count, *accounts])
    return _encode(rows).decode()


def mentions_of(text: list[str | _Entity]) -> str | None:
    """Return whom a text mentions, as `Message.mentions` holds them."""
    found: list[str] = []
    for part in text:
        if isinstance(part, _Entity) and part.type in ("mention", "mention_name"):
            account = account_of(part.user_id) if part.user_id is not None else part.text
            if account:
                found.append(account)
    return as_mentions(found)


def lenient(value: Any) -> RawMessage:
    """Return the message in a decoded object whose unimportant keys may have unexpected types."""
    if not isinstance(value, dict):
        raise ValueError("a message is an object")
    try:
        return msgspec.convert(value, RawMessage)
    except msgspec.ValidationError:
        needed = (
            "id",
            "type",
            "date",
            "date_unixtime",
            "from",
            "from_id",
            "text",
            "action",
            "forwarded_from",
        )
        return msgspec.convert({key: value[key] for key in needed if key in value}, RawMessage, strict=False)
