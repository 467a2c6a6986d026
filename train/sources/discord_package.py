"""The package of one's own data that Discord sends on request: what one wrote oneself, and nothing by anybody else.

`messages/` holds a folder for each channel (`c123`, before 2021 `123`) with `channel.json` and `messages.json` (before
2024 `messages.csv`), and `index.json` with the channels' names. Ids are Discord's own, so that the messages are those
of DiscordChatExporter's files. Folders go by names in the owner's language; what is in them does not.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from persona.errors import UserError
from train.export_files import ExportPath, TornFileError, children, size_of
from train.export_tables import table_rows
from train.messages import Chat, ChatKind, Drop, Kind, Message, Note, Owner, Reading, Record, Tear, as_mentions
from train.sources.discord_words import is_gif, kind_of_file, mentioned_in, plain_text
from train.sources.json_objects import Found, moment_in, number_in, object_in, object_of, read_objects, text_in
from train.sources.json_records import as_utf8

PLATFORM = "discord"

MAX_LIST_BYTES = 32 << 20
"""Lists of names and what is said of a channel are read whole; a longer one is none."""
_FOLDER = re.compile(r"c?([0-9]{15,20})")
_FILES = ("messages.json", "messages.csv")
_KINDS = {
    "1": ChatKind.PERSONAL, "DM": ChatKind.PERSONAL, "5": ChatKind.CHANNEL, "GUILD_ANNOUNCEMENT": ChatKind.CHANNEL,
    "GUILD_NEWS": ChatKind.CHANNEL,
}  # fmt: skip
_WITH_WHOM = re.compile(r"Direct Message with (.+?)(?:#\d{1,5})?")
_NOBODY = "me"
"""The owner's account where the package does not say which it is."""


class DiscordPackage:
    """Reads the folder of messages in a data package."""

    name = "discord-package"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is, by a folder for a channel with its messages in it."""
        try:
            return 0.95 if path.is_dir() and any(True for _ in islice(_channels(path), 1)) else 0.0
        except OSError:
            return 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records channel by channel; what is held is what is said of the channels."""
        yield from _Package(path, reading).records()


def _channels(folder: ExportPath) -> Iterator[tuple[ExportPath, ExportPath, str]]:
    """Yield each channel's folder, the file of its messages, and its id."""
    named = [(found[1], one) for one in children(folder) if (found := _FOLDER.fullmatch(one.name))]
    for number, one in named:
        if one.is_dir():
            for file in (one / name for name in _FILES):
                if file.is_file():
                    yield one, file, number
                    break


class _Channel(msgspec.Struct):
    file: ExportPath
    chat: Chat
    recipients: list[str]


class _Package:
    def __init__(self, path: ExportPath, reading: Reading) -> None:
        self.path = path
        self.reading = reading
        self.names: dict[str, str] = {}
        self.owner = _NOBODY
        self.owner_name = reading.owner or next(iter(reading.known_owners), None)
        self.tears: list[Tear] = []

    def records(self) -> Iterator[Record]:
        index = self._object(self.path / "index.json")
        channels = [self._channel(*found, index) for found in _channels(self.path)]
        self._find_owner(channels)
        for channel in channels:
            self._name_partner(channel)
        yield from self.tears
        yield Owner(PLATFORM, self.owner, self.owner_name)
        for channel in channels:
            yield channel.chat
            yield from self._messages(channel)
        yield Note(
            f"{self.path.name}: a data package holds what you wrote alone, without answers and reactions. Where you "
            "have files of DiscordChatExporter too, import those after it."
        )

    def _object(self, file: ExportPath) -> dict[str, Any]:
        """Return what is in a small file; nothing where there is none, or where it cannot be read, which is noted."""
        try:
            if not file.is_file():
                return {}
            with file.open("rb") as stream:
                raw = stream.read(MAX_LIST_BYTES + 1)
            if len(raw) <= MAX_LIST_BYTES and (found := object_of(as_utf8(raw))) is not None:
                return found
            self.tears.append(Tear(self._place(file), "it is no list of names"))
        except (OSError, UserError, TornFileError) as error:
            self.tears.append(Tear(self._place(file), str(error)))
        return {}

    def _place(self, file: ExportPath) -> str:
        return file.name if file.parent == self.path else f"{file.parent.name}/{file.name}"

    def _channel(self, folder: ExportPath, file: ExportPath, number: str, index: dict[str, Any]) -> _Channel:
        about = self._object(folder / "channel.json")
        server, name = text_in(object_in(about, "guild"), "name"), text_in(about, "name")
        listed = text_in(index, number)
        kind = _KINDS.get(str(about.get("type")), ChatKind.GROUP)
        partner = _WITH_WHOM.fullmatch(listed)
        if partner is not None and "type" not in about:
            kind = ChatKind.PERSONAL
        shown = f"{server} #{name}" if server and name else name or (partner[1] if partner else listed)
        people = about.get("recipients")
        recipients = [str(one) for one in people] if isinstance(people, list) else []
        return _Channel(file, Chat(PLATFORM, number, shown or None, kind), recipients)

    def _find_owner(self, channels: list[_Channel]) -> None:
        """Find who it is of: a folder beside says so, else it is who takes part in every direct chat."""
        for beside in self._around():
            user = self._object(beside / "user.json") if beside.is_dir() and beside != self.path else {}
            if number_in(user, "id") is not None and text_in(user, "username"):
                self.owner = str(user["id"])
                self.owner_name = self.owner_name or text_in(user, "global_name", "username")
                break
        else:
            direct = [set(one.recipients) for one in channels if one.chat.kind is ChatKind.PERSONAL and one.recipients]
            everywhere = set.intersection(*direct) if len(direct) > 1 else set()
            if len(everywhere) == 1:
                self.owner = everywhere.pop()
        if self.owner_name:
            self.names[self.owner] = self.owner_name

    def _around(self) -> list[ExportPath]:
        try:
            return children(self.path.parent)
        except OSError:
            return []

    def _name_partner(self, channel: _Channel) -> None:
        others = [one for one in channel.recipients if one != self.owner]
        if channel.chat.kind is ChatKind.PERSONAL and len(others) == 1 and channel.chat.name:
            self.names.setdefault(others[0], channel.chat.name)

    def _messages(self, channel: _Channel) -> Iterator[Record]:
        place = self._place(channel.file)
        try:
            if channel.file.name.endswith(".csv"):
                for row in table_rows(channel.file):
                    yield self._record(row.values, f"{place}, line {row.line}", channel.chat)
                if self.reading.progress is not None:
                    self.reading.progress(size_of(channel.file))
                return
            for piece in read_objects(channel.file, records="", progress=self.reading.progress, prefix=f"{place}, "):
                match piece:
                    case Found(values=values, place=where):
                        lowered = {key.lower(): value for key, value in values.items()}
                        yield self._record(lowered, where, channel.chat)
                    case Drop(reason=reason, place=where):
                        yield Drop(reason, where, channel.chat.id)
                    case Tear():
                        yield piece
        except (OSError, UserError, TornFileError) as error:
            yield Tear(place, str(error))

    def _record(self, values: dict[str, Any], place: str, chat: Chat) -> Message | Drop:
        number = number_in(values, "id")
        # Without an offset it is UTC, and with one it is UTC too: never the clock of whoever wrote it.
        moment = moment_in(values, "timestamp")
        if number is None or not 0 <= number < 2**63:
            return Drop("no id", place, chat.id)
        if moment is None:
            return Drop("no date", place, chat.id)
        raw = text_in(values, "contents")
        text = plain_text(raw, self.names)
        files = text_in(values, "attachments").split()
        kind = kind_of_file(files[0]) if files else Kind.TEXT
        if not files and is_gif(text):
            kind, text = Kind.GIF, ""
        if kind is Kind.TEXT and not text.strip():
            return Drop("nothing in it", place, chat.id)
        return Message(
            PLATFORM, chat.id, number, moment[0], text, kind, self.owner, self.owner_name, True, None, number,
            mentions=as_mentions(mentioned_in(raw)),
        )  # fmt: skip


SOURCE = DiscordPackage()
