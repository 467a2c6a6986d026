"""Signal as text: signal-export's folders, and the files of sigtop and signalbackup-tools.

Each program prints another time of a message (sent, received, to the minute), so what two of them print of one chat
does not fit together: they are chats of their own.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice

from persona.errors import UserError
from train.export_files import ExportPath, TornFileError
from train.export_text import text_lines
from train.local_time import utc_ms, zone_of
from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Owner, Reading, Record, Tear, as_reactions
from train.people import normal_name
from train.printed_ids import PrintedIds
from train.sources import signal_layouts as layouts
from train.sources.json_objects import is_date
from train.sources.signal_layouts import Line, Printed

PLATFORM = "signal"
OWNER = "me"

_LOOKED_AT = 200
"""Lines at the beginning of a file that tell the program by."""
_FOLDER_FILES = ("chat.md", "index.md")
_ME = {"signal-export": "Me", "sigtop": "You", "sigtop-short": "You", "signalbackup": None}
"""What each program calls the owner; the last one uses their name."""
_READERS: dict[str, Callable[[Iterator[Line]], Iterator[Printed]]] = {
    "signal-export": layouts.of_signal_export, "sigtop": layouts.of_sigtop, "sigtop-short": layouts.of_sigtop_short,
    "signalbackup": layouts.of_signalbackup,
}  # fmt: skip
_DETAILED = re.compile(r"(?P<name>.+?) \((?P<detail>\+\d{5,15}|[0-9a-fA-F-]{36}|\w+\.\d{2,})\)")
"""A name with what Signal knows somebody by: a number, an id, a user name."""
_THREAD = re.compile(r" \(_id\d+\)\Z")


class SignalText:
    """Reads the folder of a chat with `chat.md` (or the older `index.md`) in it, or one text file."""

    name = "signal-text"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is, by the name and the first lines."""
        try:
            # The folder as a whole: beside the text lies the same again as data, and what was sent.
            return 0.95 if _layout(_file(path)) else 0.0
        except (OSError, UserError, TornFileError, UnicodeError):
            return 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records of the chat; one message is held at a time, and the names of who speaks."""
        file = _file(path)
        yield from _Chat(file, _layout(file) or "signal-export", reading).records()


def _file(path: ExportPath) -> ExportPath:
    if not path.is_dir():
        return path
    return next((path / name for name in _FOLDER_FILES if (path / name).is_file()), path)


def _layout(file: ExportPath) -> str | None:
    """Return which program wrote a file, by its first lines; None for anything else."""
    if not file.is_file() or file.suffix.lower() not in (".md", ".txt"):
        return None
    lines = list(islice(text_lines(file), _LOOKED_AT))
    if file.name in _FOLDER_FILES:
        return "signal-export" if any(layouts.EXPORT_LINE.match(line) for line in lines[:20]) else None
    if file.suffix.lower() != ".txt" or not lines:
        return None
    if layouts.SIGTOP_HEAD.match(lines[0]) and any(line.startswith("Type: ") for line in lines[1:4]):
        return "sigtop"
    if (found := layouts.BACKUP_LINE.match(lines[0])) and (found["app"] or found["name"]):
        return "signalbackup"
    short = [found for line in lines if (found := layouts.SHORT_LINE.match(line))]
    # Logs of programs look alike, but nobody in them is called "You".
    if layouts.SHORT_LINE.match(lines[0]) and any(one["name"] == "You" for one in short):
        return "sigtop-short"
    return None


class _Chat:
    def __init__(self, file: ExportPath, layout: str, reading: Reading) -> None:
        self.file = file
        self.layout = layout
        self.reading = reading
        self.zone = zone_of(reading)
        self.owner_name = reading.owner or next(iter(reading.known_owners), None)
        self.me = _ME[layout]
        self.ids = PrintedIds()
        self.speakers: set[str] = set()
        self.known: set[str] = set()
        self.by_time: dict[str, str] = {}
        self.seen = 0
        stem = file.parent.name if layout == "signal-export" else file.stem
        self.name = _name_and_detail(_THREAD.sub("", stem))[0]
        # The name of the file holds the number, or the thread's: two people of one name are two chats.
        self.chat_id = f"name:{normal_name(stem)}" if layout == "signal-export" else f"{layout}:{normal_name(stem)}"

    def records(self) -> Iterator[Record]:
        if self.me is None:
            self.me = self._own_name()
        if self.layout != "signalbackup" or self.me is not None:
            yield Owner(PLATFORM, OWNER, self.owner_name)
        yield Chat(PLATFORM, self.chat_id, self.name, ChatKind.PERSONAL)
        tears: list[str] = []
        for one in _READERS[self.layout](enumerate(text_lines(self.file, tears), 1)):
            yield from self._record(one)
        if len(self.speakers) > 2:
            yield Chat(PLATFORM, self.chat_id, self.name, ChatKind.GROUP)
        if tears:
            yield Tear(f"after message {self.seen}", tears[0])

    def _own_name(self) -> str | None:
        """Return the owner's name in a text that calls nobody "me": theirs if it is told, else of two the other."""
        speakers = {one.name for one in _READERS[self.layout](enumerate(text_lines(self.file), 1)) if one.name}
        by_name = {normal_name(name): name for name in speakers}
        for name in (self.reading.owner, *self.reading.known_owners):
            if name is not None and normal_name(name) in by_name:
                return by_name[normal_name(name)]
        others = speakers - {self.name}
        if len(speakers) == 2 and len(others) == 1:
            self.owner_name = self.owner_name or next(iter(others))
            return next(iter(others))
        return None

    def _record(self, one: Printed) -> Iterator[Record]:
        place = f"line {one.line}"
        self.seen += 1
        if not one.is_message:
            yield Drop("not a message", place, self.chat_id)
            return
        try:
            time_ms, offset = utc_ms(one.when, self.zone) if one.when is not None else (None, None)
        except ValueError:
            time_ms, offset = None, None
        if time_ms is None or not is_date(time_ms):
            yield Drop("no readable date", place, self.chat_id)
            return
        text = one.text.strip()
        if one.kind is Kind.TEXT and not text:
            yield Drop("nothing in it", place, self.chat_id)
            return
        mine = one.name is not None and one.name == self.me
        who, name = self._person(one.name)
        if who is not None and who not in self.known:
            self.known.add(who)
            if who.startswith("+"):
                yield Account(PLATFORM, who, name, (who,))
        if who is not None:
            self.speakers.add(who)
        ident, slot = self.ids.next(one.time, who or "", f"{one.kind}{text}")
        self.by_time.setdefault(one.time, ident)
        message = Message(
            PLATFORM, self.chat_id, ident, time_ms, text, one.kind, who, name,
            None if who is None or self.me is None else mine, offset, self.seen, slot,
        )  # fmt: skip
        message.reactions = as_reactions((emoji, self._person(giver)[0]) for giver, emoji in one.reactions)
        if one.answers is not None:
            message.reply_to = self.by_time.get(one.answers)
        if one.edited is not None:
            message.edited_ms = self._edited(one)
        yield message

    def _edited(self, one: Printed) -> int | None:
        try:
            return utc_ms(one.edited, self.zone)[0] if one.edited is not None else None
        except ValueError:
            return None

    def _person(self, printed: str | None) -> tuple[str | None, str | None]:
        """Return the account and the name of somebody as the program prints them."""
        if printed is None:
            return None, None
        if printed == self.me:
            return OWNER, self.owner_name
        name, detail = _name_and_detail(printed)
        return detail or normal_name(name), name


def _name_and_detail(printed: str) -> tuple[str, str | None]:
    found = _DETAILED.fullmatch(printed.strip())
    return (found["name"], found["detail"]) if found else (printed.strip(), None)


SOURCE = SignalText()
