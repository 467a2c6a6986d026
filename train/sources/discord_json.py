"""Discord, as DiscordChatExporter writes it in JSON: one channel a file, or a part of one.

The export names everything by Discord's own ids, so that parts and newer exports of a channel fit together.
"""

import re
from collections.abc import Iterator
from typing import Any

from train.export_files import ExportPath, start_of
from train.messages import (
    Chat,
    ChatKind,
    Drop,
    Kind,
    Message,
    Reading,
    Record,
    Tear,
    as_mentions,
    as_reactions,
)  # fmt: skip
from train.sources.discord_words import is_gif, kind_of_file, plain_text
from train.sources.json_objects import (
    Found,
    moment_in,
    number_in,
    object_in,
    objects_in,
    read_objects,
    text_in,
)  # fmt: skip
from train.sources.json_records import Closed, Known, Opened, as_utf8

PLATFORM = "discord"

_CHANNEL_KINDS = {
    "DirectTextChat": ChatKind.PERSONAL, "1": ChatKind.PERSONAL,
    "GuildNews": ChatKind.CHANNEL, "GuildAnnouncement": ChatKind.CHANNEL, "5": ChatKind.CHANNEL,
}  # fmt: skip
_OWN_WORDS = frozenset({"Default", "Reply", "0", "19", ""})
_CALLS = frozenset({"Call", "3"})
_START = re.compile(rb'\A\s*\{\s*"guild"\s*:\s*\{')
_IN_NAME = re.compile(r"\[(\d{1,20})\](?: \[part \d+\])?\.json\Z", re.IGNORECASE)
"""The channel's id in the name that the program gives a file, of which there may be parts."""


class DiscordJson:
    """Reads the JSON of DiscordChatExporter."""

    name = "discord-json"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is, by the `guild` and `channel` that such a file begins with."""
        if not path.is_file() or path.suffix.lower() != ".json":
            return 0.0
        start = as_utf8(start_of(path))
        if not _START.match(start):
            return 0.0
        # What is said of the server can be longer than the beginning that is looked at.
        return 0.95 if b'"channel"' in start else 0.6

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records of the channel at flat memory."""
        number = _IN_NAME.search(path.name)
        chat = Chat(PLATFORM, number[1] if number else "unknown")
        guild: dict[str, Any] = {}
        for piece in _pieces(path, reading):
            match piece:
                case Known(key="guild", value=dict() as value):
                    guild = value
                case Known(key="channel", value=dict() as value):
                    chat = _chat(value, guild)
                    yield chat
                case Found(values=values, place=place):
                    yield _record(values, place, chat)
                case Drop(reason=reason, place=place):
                    yield Drop(reason, place, chat.id)
                case Tear():
                    yield piece


def _pieces(path: ExportPath, reading: Reading) -> Iterator[Found | Opened | Closed | Known | Drop | Tear]:
    """Yield the pieces of the file; what cannot be read of its head is passed over, for the messages come after it."""
    for know in (frozenset({"guild", "channel"}), frozenset({"channel"}), frozenset({"guild"}), frozenset[str]()):
        begun = False
        for piece in read_objects(path, records="messages", know=know, progress=reading.progress):
            if isinstance(piece, Tear) and not begun and know:
                break
            begun = begun or isinstance(piece, Opened)
            yield piece
        else:
            return


def _chat(channel: dict[str, Any], guild: dict[str, Any]) -> Chat:
    name = text_in(channel, "name")
    server = text_in(guild, "name")
    kind = _CHANNEL_KINDS.get(str(channel.get("type")), ChatKind.GROUP)
    direct = str(channel.get("type")).startswith("Direct") or kind is ChatKind.PERSONAL
    number = channel.get("id")
    return Chat(
        PLATFORM, str(number) if number else name or "unknown", f"{server} #{name}" if server and not direct else name,
        kind,
    )  # fmt: skip


def _record(values: dict[str, Any], place: str, chat: Chat) -> Message | Drop:
    number = _id(values, "id")
    moment = moment_in(values, "timestamp")
    if number is None:
        return Drop("no id", place, chat.id)
    if moment is None:
        return Drop("no date", place, chat.id)
    author = object_in(values, "author")
    reference = object_in(values, "reference")
    kind, text = _content(values)
    forwarded = values.get("forwardedMessage") or str(reference.get("type")) in ("Forward", "1")
    if forwarded and not text:
        text = text_in(object_in(values, "forwardedMessage"), "content")
    if kind is Kind.TEXT and not text.strip():
        return Drop("nothing in it", place, chat.id)
    # Their own name first: nicknames differ from server to server, and are jokes as often as names.
    name = text_in(author, "nickname", "name")
    message = Message(
        PLATFORM, chat.id, number, moment[0], text, kind, str(author["id"]) if author.get("id") else None,
        None if name.startswith("Deleted User") else name or None, None, moment[1], number,
    )  # fmt: skip
    if forwarded:
        message.forwarded_from = ""
    elif reference.get("messageId"):
        message.reply_to = _id(reference, "messageId")
    if (edited := moment_in(values, "timestampEdited")) is not None:
        message.edited_ms = edited[0]
    message.reactions = as_reactions(_reactions(values))
    message.mentions = as_mentions(str(one["id"]) for one in objects_in(values, "mentions") if one.get("id"))
    return message


def _id(values: dict[str, Any], key: str) -> int | None:
    """Return one of Discord's ids, which are whole numbers of 64 bits."""
    number = number_in(values, key)
    return number if number is not None and -(2**63) <= number < 2**63 else None


def _content(values: dict[str, Any]) -> tuple[Kind, str]:
    text = text_in(values, "content")
    row = str(values.get("type") or "")
    if row in _CALLS:
        return Kind.CALL, text
    # What a program posts is nobody's voice, whoever runs it.
    if row not in _OWN_WORDS or object_in(values, "author").get("isBot") is True:
        return Kind.SERVICE, text or row
    names = {str(one.get("id")): text_in(one, "nickname", "name") for one in objects_in(values, "mentions")}
    text = plain_text(text, names)
    files = objects_in(values, "attachments")
    if files:
        return kind_of_file(text_in(files[0], "fileName", "url")), text
    stickers = objects_in(values, "stickers")
    if stickers and not text:
        return Kind.STICKER, text_in(stickers[0], "name")
    if values.get("poll"):
        return Kind.POLL, text_in(object_in(object_in(values, "poll"), "question"), "text") or text
    if is_gif(text):
        return Kind.GIF, ""
    if not text and values.get("embeds"):
        return Kind.MEDIA, ""
    return Kind.TEXT, text


def _reactions(values: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    for one in objects_in(values, "reactions"):
        emoji = object_in(one, "emoji")
        mark = text_in(emoji, "name", "code") or "?"
        users = [str(user["id"]) for user in objects_in(one, "users") if user.get("id")]
        count = min(max(number_in(one, "count") or 1, len(users)), 100_000)
        for index in range(count):
            yield mark, users[index] if index < len(users) else None


SOURCE = DiscordJson()
