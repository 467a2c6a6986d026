"""A Slack workspace export: a folder for each channel, a file for each day, and lists of people and channels."""

import re
from collections.abc import Iterator
from typing import Any

from persona.errors import UserError
from train.export_files import ExportPath, TornFileError, children
from train.messages import (
    Account,
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
from train.sources.json_objects import Found, object_in, objects_in, read_objects, text_in

PLATFORM = "slack"

_LISTS = {
    "channels.json": ChatKind.GROUP, "groups.json": ChatKind.GROUP, "mpims.json": ChatKind.GROUP,
    "dms.json": ChatKind.PERSONAL,
}  # fmt: skip
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.json")
_LINK = re.compile(r"<([^<>]+)>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
# Said by a person, in one way or another; every other subtype is the workspace or a program speaking.
_OWN_WORDS = frozenset({"", "me_message", "thread_broadcast", "file_share", "file_comment", "reply_broadcast"})
_CALLS = frozenset({"huddle_thread", "sh_room_created", "sh_room_shared"})
_BY_MIME = {"image": Kind.PHOTO, "video": Kind.VIDEO, "audio": Kind.AUDIO}


class SlackExport:
    """Reads the folder or archive of a workspace export."""

    name = "slack-export"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is, by the lists of users and of channels beside each other."""
        try:
            if not path.is_dir() or not (path / "users.json").is_file():
                return 0.0
            return 0.95 if any((path / name).is_file() for name in _LISTS) else 0.0
        except OSError:
            return 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records channel by channel; what is held is the list of people and one file's pieces."""
        yield from _Workspace(path, reading).records()


class _Workspace:
    def __init__(self, path: ExportPath, reading: Reading) -> None:
        self.path = path
        self.reading = reading
        self.names: dict[str, str] = {}
        self.programs: set[str] = set()
        self.chat = Chat(PLATFORM, "")

    def records(self) -> Iterator[Record]:
        yield from self._people()
        about: dict[str, tuple[dict[str, Any], ChatKind]] = {}
        for file, kind in _LISTS.items():
            for found in self._list(file):
                if isinstance(found, Tear):
                    yield found
                    continue
                # Channels have a folder by their name, direct messages one by their id.
                about[text_in(found, "name") or text_in(found, "id")] = found, kind
                about.setdefault(text_in(found, "id"), (found, kind))
        for folder in children(self.path):
            if folder.is_dir():
                channel, kind = about.get(folder.name, ({}, ChatKind.GROUP))
                yield from self._channel(folder, channel, kind)

    def _list(self, file: str) -> Iterator[dict[str, Any] | Tear]:
        """Yield what is in a list of people or channels; where it breaks off, those after it have no names."""
        if not (self.path / file).is_file():
            return
        try:
            for piece in read_objects(self.path / file, records="", prefix=f"{file}, "):
                if isinstance(piece, Found):
                    yield piece.values
                elif isinstance(piece, Tear):
                    yield piece
        except (OSError, UserError, TornFileError) as error:
            yield Tear(file, str(error))

    def _people(self) -> Iterator[Record]:
        for user in self._list("users.json"):
            if isinstance(user, Tear):
                yield user
                continue
            number = text_in(user, "id")
            if not number:
                continue
            profile = object_in(user, "profile")
            name = text_in(user, "real_name") or text_in(profile, "real_name", "display_name") or text_in(user, "name")
            if name:
                self.names[number] = name
            if user.get("is_bot") is True or number == "USLACKBOT":
                self.programs.add(number)
            emails, phones = text_in(profile, "email"), text_in(profile, "phone")
            yield Account(PLATFORM, number, name or None, (phones,) if phones else (), (emails,) if emails else ())

    def _channel(self, folder: ExportPath, channel: dict[str, Any], kind: ChatKind) -> Iterator[Record]:
        days = [one for one in children(folder) if _DAY.fullmatch(one.name) and one.is_file()]
        if not days:
            return
        members = channel.get("members")
        with_whom = [self.names.get(str(one), str(one)) for one in members] if isinstance(members, list) else []
        name = text_in(channel, "name")
        shown = f"#{name}" if name else ", ".join(with_whom) or folder.name
        self.chat = Chat(PLATFORM, text_in(channel, "id") or folder.name, shown, kind)
        yield self.chat
        for day in days:
            prefix = f"{folder.name}/{day.name}, "
            try:
                for piece in read_objects(day, records="", progress=self.reading.progress, prefix=prefix):
                    match piece:
                        case Found(values=values, place=place):
                            yield self._record(values, place)
                        case Drop(reason=reason, place=place):
                            yield Drop(reason, place, self.chat.id)
                        case Tear():
                            yield piece
            except (OSError, UserError, TornFileError) as error:
                yield Tear(f"{folder.name}/{day.name}", str(error))

    def _record(self, values: dict[str, Any], place: str) -> Message | Drop:
        stamp = text_in(values, "ts")
        time_ms = _unix_ms(stamp)
        if time_ms is None:
            return Drop("no date", place, self.chat.id)
        subtype = text_in(values, "subtype")
        who = text_in(values, "user") or text_in(object_in(values, "comment"), "user") or None
        kind, text = self._content(values, subtype, who)
        if kind is Kind.TEXT and not text.strip():
            return Drop("nothing in it", place, self.chat.id)
        profile = object_in(values, "user_profile")
        name = self.names.get(who or "") or text_in(profile, "real_name", "display_name", "name")
        message = Message(
            PLATFORM, self.chat.id, stamp, time_ms, text, kind, who, name or None, None, None, int(stamp[-6:]),
        )  # fmt: skip
        thread = text_in(values, "thread_ts")
        if thread:
            # A thread is a conversation of its own beside the channel's, as a topic is.
            message.topic = thread
            message.reply_to = thread if thread != stamp else None
        if (edited := _unix_ms(text_in(object_in(values, "edited"), "ts"))) is not None:
            message.edited_ms = edited
        message.reactions = as_reactions(_reactions(values))
        message.mentions = as_mentions(re.findall(r"<@([UW]\w+)", text_in(values, "text")))
        return message

    def _content(self, values: dict[str, Any], subtype: str, who: str | None) -> tuple[Kind, str]:
        text = self._plain(text_in(values, "text") or _rich_text(values.get("blocks")))
        if subtype == "tombstone" or (values.get("hidden") is True and subtype == "message_deleted"):
            return Kind.DELETED, ""
        if subtype in _CALLS:
            return Kind.CALL, text
        if subtype not in _OWN_WORDS or who in self.programs or "bot_id" in values:
            return Kind.SERVICE, text or subtype
        if subtype == "file_comment":
            return Kind.TEXT, self._plain(text_in(object_in(values, "comment"), "comment")) or text
        files = objects_in(values, "files") or objects_in({"file": [values.get("file")]}, "file")
        if files:
            kind = _BY_MIME.get(text_in(files[0], "mimetype").partition("/")[0], Kind.FILE)
            return (Kind.VOICE if text_in(files[0], "subtype") == "slack_audio" else kind), text
        return Kind.TEXT, text

    def _plain(self, text: str) -> str:
        text = _LINK.sub(self._link, text)
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
        return text

    def _link(self, found: re.Match[str]) -> str:
        target, _, label = found[1].partition("|")
        if target.startswith("@"):
            return "@" + (self.names.get(target[1:]) or label or "somebody")
        if target.startswith("#"):
            return f"#{label or 'channel'}"
        if target.startswith("!"):
            return label or "@" + target[1:].partition("^")[0]
        if label and label not in target:
            return f"{label} ({target})"
        return target.removeprefix("mailto:").removeprefix("tel:") if label else target


def _unix_ms(stamp: str) -> int | None:
    """Return `1700000000.123456` as unix milliseconds; None for anything else."""
    found = re.fullmatch(r"(\d{1,11})\.(\d{6})", stamp)
    return int(found[1]) * 1000 + int(found[2][:3]) if found else None


def _rich_text(blocks: Any, depth: int = 0) -> str:
    """Return the words in a message's blocks, for messages that have no text beside them."""
    if depth > 20 or not isinstance(blocks, list):
        return ""
    parts = []
    for block in blocks:
        if not isinstance(block, dict):
            continue
        inner = _rich_text(block.get("elements"), depth + 1)
        match block.get("type"):
            case "text":
                inner = text_in(block, "text")
            case "user":
                inner = f"<@{text_in(block, 'user_id')}>"
            case "link":
                inner = text_in(block, "text", "url")
            case "emoji":
                inner = f":{text_in(block, 'name')}:"
            case "rich_text_list":
                inner = "\n".join(_rich_text([one], depth + 1) for one in objects_in(block, "elements"))
        parts.append(inner)
    return "".join(parts)


def _reactions(values: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    for one in objects_in(values, "reactions"):
        users = one.get("users")
        for user in users if isinstance(users, list) else []:
            yield f":{text_in(one, 'name') or '?'}:", str(user)


SOURCE = SlackExport()
