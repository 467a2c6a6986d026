"""Signal as the tool signal-export writes it: a folder a chat, with `chat.md` in it."""

import re
from collections.abc import Iterator
from datetime import datetime

from train.export_files import ExportPath, TornFileError
from train.export_text import text_lines
from train.local_time import utc_ms, zone_of
from train.messages import Chat, ChatKind, Drop, Kind, Message, Owner, Reading, Record, as_reactions
from train.people import normal_name
from train.printed_ids import PrintedIds

PLATFORM = "signal"
OWNER = "me"

_LINE = re.compile(
    r"\[(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?)\] (?P<name>[^:\n]{1,200}): ?(?P<text>.*)", re.DOTALL
)
_REACTIONS = re.compile(r"\(- (?P<all>.+) -\)\s*\Z")
_FILE = re.compile(r"(?P<image>!?)\[(?P<name>[^\]\n]*)\]\((?:\./)?media/[^)\n]*\)")
_ENDINGS = {
    "jpg": Kind.PHOTO, "jpeg": Kind.PHOTO, "png": Kind.PHOTO, "webp": Kind.PHOTO, "gif": Kind.GIF, "mp4": Kind.VIDEO,
    "mov": Kind.VIDEO, "m4a": Kind.VOICE, "aac": Kind.VOICE, "mp3": Kind.AUDIO, "ogg": Kind.AUDIO,
}  # fmt: skip


class SignalText:
    """Reads `chat.md`, or the older `index.md`."""

    name = "signal-text"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is, by the name and the first lines."""
        if not path.is_file() or path.name not in ("chat.md", "index.md"):
            return 0.0
        try:
            lines = zip(range(20), text_lines(path), strict=False)
            return 0.9 if any(_LINE.match(line) for _, line in lines) else 0.0
        except (OSError, TornFileError, UnicodeError):
            return 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records of the chat; one message is held at a time."""
        yield from _Chat(path, reading).records()


class _Chat:
    def __init__(self, path: ExportPath, reading: Reading) -> None:
        self.path = path
        self.zone = zone_of(reading)
        self.owner_name = reading.owner or next(iter(reading.known_owners), None)
        self.ids = PrintedIds()
        self.speakers: set[str] = set()
        self.name = path.parent.name
        self.chat_id = f"name:{normal_name(self.name)}"
        self.seen = 0

    def records(self) -> Iterator[Record]:
        yield Owner(PLATFORM, OWNER, self.owner_name)
        yield Chat(PLATFORM, self.chat_id, self.name, ChatKind.PERSONAL)
        for number, text in self._blocks():
            yield self._record(text, f"line {number}")
        if len(self.speakers) > 2:
            yield Chat(PLATFORM, self.chat_id, self.name, ChatKind.GROUP)

    def _blocks(self) -> Iterator[tuple[int, str]]:
        """Yield each message with the number of its first line; what stands before the first is one block too."""
        start = 1
        lines: list[str] = []
        for number, line in enumerate(text_lines(self.path), 1):
            if _LINE.match(line) and lines:
                yield start, "".join(lines)
                lines.clear()
            if not lines:
                if not line.strip():
                    continue
                start = number
            lines.append(line)
        if lines:
            yield start, "".join(lines)

    def _record(self, block: str, place: str) -> Message | Drop:
        self.seen += 1
        found = _LINE.match(block)
        if found is None:
            return Drop("not a message", place, self.chat_id)
        try:
            time_ms, offset = utc_ms(datetime.fromisoformat(found["time"]), self.zone)
        except ValueError:
            return Drop("no readable date", place, self.chat_id)
        name, text = found["name"].strip(), found["text"].strip()
        reactions: list[tuple[str, str | None]] = []
        if given := _REACTIONS.search(text):
            text = text[: given.start()].rstrip()
            pairs = [one.partition(":") for one in given["all"].split(",")]
            reactions = [(emoji.strip(), normal_name(who)) for who, _, emoji in pairs if emoji.strip()]
        # A quote is what somebody else wrote.
        own = [line for line in text.split("\n") if not line.startswith("> ") and line.strip() != ">"]
        text = "\n".join(own).strip()
        files = list(_FILE.finditer(text))
        text = _FILE.sub("", text).strip()
        kind = Kind.TEXT
        if files:
            ending = files[0]["name"].rpartition(".")[2].lower()
            kind = _ENDINGS.get(ending, Kind.PHOTO if files[0]["image"] else Kind.FILE)
        if kind is Kind.TEXT and not text:
            return Drop("nothing in it", place, self.chat_id)
        mine = name == "Me"
        who = OWNER if mine else normal_name(name)
        self.speakers.add(who)
        ident, slot = self.ids.next(found["time"], who, f"{kind}{text}")
        return Message(
            PLATFORM, self.chat_id, ident, time_ms, text, kind, who, self.owner_name if mine else name, mine, offset,
            self.seen, slot, reactions=as_reactions(reactions),
        )  # fmt: skip


SOURCE = SignalText()
