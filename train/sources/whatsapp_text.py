"""WhatsApp's text export: `_chat.txt`, `WhatsApp Chat with ….txt`, or the archive around one.

The file says neither the order of its dates, nor its time zone, nor the ids of its messages, nor whose phone
it was. The first is found from all dates together, the others as docs/import.md describes; what remains open
is noted. A file is read twice: once to find out these things, once for the messages.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from zoneinfo import ZoneInfo

from persona.errors import UserError
from train.export_files import ExportPath, TornFileError
from train.export_text import text_lines, torn_end
from train.messages import Chat, ChatKind, Drop, Kind, Message, Note, Owner, Reading, Record, Tear
from train.people import normal_name
from train.sources import whatsapp_words as words
from train.sources.whatsapp_lines import MARKS, Authors, Dates, Header, local_time, parse_header, unmarked

PLATFORM = "whatsapp"

_ORDER_NAMES = {"dmy": "day, month, year", "mdy": "month, day, year", "ymd": "year, month, day"}
Shape = tuple[bool, str, bool, bool]


class WhatsAppText:
    """Reads `_chat.txt` and its like."""

    name = "whatsapp-text"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is that `path` is a WhatsApp text export, by its name and its first lines."""
        if not path.is_file() or path.suffix.lower() != ".txt":
            return 0.0
        try:
            lines = zip(range(50), text_lines(path), strict=False)
            headers = sum(parse_header(line) is not None for _, line in lines)
        except (OSError, UserError, TornFileError):
            # A damaged file is still what its name says, and reading it says what is wrong.
            return 0.9 if words.chat_name(path.stem) else 0.0
        named = path.name == "_chat.txt" or "whatsapp" in path.name.lower()
        return 0.95 if named and headers else 0.55 if headers >= 2 else 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records of the export; memory grows with the longest message and the dates alone."""
        yield from _Export(path, reading).records()


class _Survey:
    """What the first reading of a file finds out about the messages of one layout."""

    def __init__(self) -> None:
        self.count = 0
        self.dates = Dates()
        self.authors = Authors()

    def add(self, header: Header) -> None:
        self.count += 1
        self.dates.add(header)
        self.authors.add(header.rest)


class _Cast:
    """Who speaks in a file, and what the app's own lines say about the chat."""

    def __init__(self) -> None:
        self.speakers = Counter[str]()
        self.announcers = Counter[str]()
        self.announcements: list[str] = []
        self.deleter: str | None = None
        self.group = False

    def add(self, author: str | None, kind: Kind, text: str) -> None:
        if kind in (Kind.SERVICE, Kind.CALL) or author is None:
            self.group |= words.names_group(text)
            self.announcements.append(text)
            if author is not None:
                self.announcers[author] += 1
            return
        self.speakers[author] += 1
        if kind is Kind.DELETED and words.is_deleted_by_you(unmarked(text)):
            self.deleter = author


class _Export:
    def __init__(self, path: ExportPath, reading: Reading) -> None:
        self.path = path
        self.reading = reading
        self.zone = ZoneInfo(reading.timezone) if reading.timezone else None
        self.shape: Shape = (False, "", False, False)
        self.authors = Authors()
        self.order = "dmy"
        self.owner: str | None = None
        self.chat = Chat(PLATFORM, "")
        self.before_ms = 0
        self.in_slot = Counter[tuple[str, str]]()
        self.same_text = Counter[tuple[str, str, str]]()
        self.at_time = Counter[str]()
        self.tears: list[str] = []

    def records(self) -> Iterator[Record]:
        example = self._survey()
        cast_ = _Cast()
        for header, _, _ in self._messages():
            author, text = self.authors.split(header.rest)
            cast_.add(author, _content(text, author, self.shape[0])[0], text)
        self.chat = self._chat(cast_)
        yield self.chat
        if self.owner is not None:
            yield Owner(PLATFORM, _account(self.owner), self.owner)
        if example is not None:
            yield Note(f"{self.path.name}: dates like {example} are read as {_ORDER_NAMES[self.order]}.")
        place = ""
        for header, lines, number in self._messages(final=True):
            place = f"line {number}"
            yield self._record(header, lines, place)
        for detail in self.tears:
            yield Tear(place, detail)
        if (torn := torn_end(self.path)) is not None:
            yield Tear(f"byte {torn}", "the file ends inside a letter")

    def _survey(self) -> str | None:
        """Find the layout and the order of the dates; return a date as an example when it stays uncertain."""
        surveys: dict[Shape, _Survey] = {}
        example = ""
        for line in text_lines(self.path):
            header = parse_header(line.rstrip("\r\n"))
            if header is not None:
                surveys.setdefault(header.shape, _Survey()).add(header)
                example = example or header.stamp.split(" ")[0].strip(",")
        if not surveys:
            return None
        # An export opens with a message. Lines of another layout are a chat that was pasted into one.
        first = next(iter(surveys))
        total = sum(survey.count for survey in surveys.values())
        most = max(surveys, key=lambda shape: surveys[shape].count)
        self.shape = first if surveys[first].count * 5 >= total else most
        found = surveys[self.shape].dates.order()
        self.authors = surveys[self.shape].authors
        self.order = found.order
        return None if found.certain else example

    def _messages(self, *, final: bool = False) -> Iterator[tuple[Header, list[str], int]]:
        """Yield each message's header, the lines after the first, and the number of the first."""
        header: Header | None = None
        lines: list[str] = []
        start = 0
        read = 0
        for number, raw in enumerate(text_lines(self.path, self.tears if final else None), 1):
            line = raw.rstrip("\r\n")
            read += len(raw)
            new = parse_header(line)
            if new is None or new.shape != self.shape:
                lines.append(line)
                continue
            if header is not None:
                yield header, lines, start
            header, lines, start = new, [], number
            if final and read > 1 << 16 and self.reading.progress is not None:
                self.reading.progress(read)
                read = 0
        if header is not None:
            yield header, lines, start

    def _record(self, header: Header, lines: list[str], place: str) -> Message | Drop:
        local = local_time(header, self.order)
        if local is None:
            return Drop("no such date", place, self.chat.id)
        author, first = self.authors.split(header.rest)
        body = "\n".join([first, *lines]) if lines else first
        kind, text, edited = _content(body, author, self.shape[0])
        if kind is Kind.TEXT and (not text.strip() or (body == "." and header.rest.endswith(":."))):
            return Drop("expired or view-once message", place, self.chat.id)
        if kind is Kind.TEXT and text == "null" and not self.shape[0]:
            return Drop("expired or view-once message", place, self.chat.id)
        if kind is Kind.SERVICE and author == self.chat.name and self.chat.kind is ChatKind.GROUP:
            author = None  # the app speaks in the group's name; nobody is called that
        time_ms, offset_min = self._utc(local)
        return self._message(header.stamp, author, kind, text, edited, time_ms, offset_min)

    def _message(
        self,
        stamp: str,
        author: str | None,
        kind: Kind,
        text: str,
        edited: bool,
        time_ms: int,
        offset_min: int,
    ) -> Message:
        sender = _account(author) if author is not None else None
        who = sender or ""
        self.at_time[stamp] += 1
        self.in_slot[stamp, who] += 1
        self.same_text[stamp, who, kind + text] += 1
        return Message(
            PLATFORM,
            self.chat.id,
            _digest(stamp, who, kind, text, str(self.same_text[stamp, who, kind + text])),
            time_ms,
            text,
            kind,
            sender,
            author,
            None if self.owner is None or author is None else author == self.owner,
            offset_min,
            self.at_time[stamp],
            _digest(stamp, who, str(self.in_slot[stamp, who])),
            # The mark does not say when a message was edited: after it was sent is all that is known.
            edited_ms=time_ms if edited else None,
        )

    def _utc(self, local: datetime) -> tuple[int, int]:
        """Return the UTC time in ms and the offset of a printed local time.

        In the hour that the clock repeats in autumn, the later reading is taken where the earlier one would
        have time fall back.
        """
        moment = self._in_zone(local)
        ms = round(moment.timestamp() * 1000)
        if ms < self.before_ms:
            later = self._in_zone(local.replace(fold=1))
            later_ms = round(later.timestamp() * 1000)
            if later_ms >= self.before_ms and later_ms - ms <= 7_200_000:
                moment, ms = later, later_ms
        self.before_ms = ms
        offset = moment.utcoffset()
        return ms, round(offset.total_seconds() / 60) if offset is not None else 0

    def _in_zone(self, local: datetime) -> datetime:
        return local.replace(tzinfo=self.zone) if self.zone else local.astimezone()

    def _chat(self, found: _Cast) -> Chat:
        name = next(filter(None, map(words.chat_name, _stems(self.path))), None)
        # On iOS the app's lines carry the name of the chat, which in a group is nobody's.
        subjects = [one for one in found.announcers if one not in found.speakers]
        speakers = sorted(found.speakers)
        group = found.group or len(speakers) > 2
        if name is None and group and subjects:
            name = max(subjects, key=lambda one: found.announcers[one])
        self.owner = self._owner(found, speakers, None if group else name)
        if name is None and not group:
            others = [one for one in speakers if one != self.owner]
            name = others[0] if self.owner is not None and len(others) == 1 else None
        kind = ChatKind.GROUP if group else ChatKind.PERSONAL
        return Chat(PLATFORM, normal_name(name or " | ".join(speakers)), name or " | ".join(speakers), kind)

    def _owner(self, found: _Cast, speakers: list[str], partner: str | None) -> str | None:
        by_name = {normal_name(one): one for one in speakers}
        if self.reading.owner is not None and normal_name(self.reading.owner) in by_name:
            return by_name[normal_name(self.reading.owner)]
        if found.deleter is not None:
            return found.deleter
        if partner is not None and len(speakers) == 2 and normal_name(partner) in by_name:
            return next(one for one in speakers if normal_name(one) != normal_name(partner))
        known = [by_name[normal_name(one)] for one in self.reading.known_owners if normal_name(one) in by_name]
        if known:
            return known[0]
        # The app calls the owner "you" and everybody else by name, so who is never named is the owner.
        said = "\n".join(found.announcements)
        unnamed = [one for one in speakers if one not in said]
        return unnamed[0] if found.group and len(speakers) > 2 and len(unnamed) == 1 else None


def _content(body: str, author: str | None, ios: bool) -> tuple[Kind, str, bool]:
    """Return the kind of a message, its own text, and whether it was edited."""
    plain = body.lstrip(MARKS)
    if author is None:
        return (Kind.CALL if words.is_call(plain) else Kind.SERVICE), plain, False
    plain, edited = words.without_edit_mark(plain)
    plain = plain.rstrip(MARKS + " ") if edited else plain
    if words.is_deleted(unmarked(plain)):
        return Kind.DELETED, "", False
    medium = _medium(plain, body, ios)
    if medium is not None:
        return medium[0], medium[1].strip(MARKS + " \n"), edited
    if (question := words.poll_question(plain)) is not None:
        return Kind.POLL, question, edited
    if words.is_location(plain):
        return Kind.LOCATION, "", edited
    # On iOS the app marks its own sentences with U+200E.
    if ios and body.startswith("\u200e"):
        return (Kind.CALL if words.is_call(plain) else Kind.SERVICE), plain, False
    return Kind.TEXT, plain, edited


def _medium(plain: str, body: str, ios: bool) -> tuple[Kind, str] | None:
    if words.is_media_omitted(plain):
        return Kind.MEDIA, ""
    file = words.attached(plain)
    if file is not None:
        return file
    head, mark, tail = body.rpartition("\u200e")
    if not ios or (not mark and len(tail.split()) > 3):
        return None
    file = words.attached(tail)
    if file is not None:
        return file[0], head or file[1]
    kind = words.omitted_kind(tail)
    if kind is None:
        return None
    # Before a document's placeholder stands its file name.
    return kind, "" if kind in (Kind.FILE, Kind.CONTACT) else head


def _account(author: str) -> str:
    """Return the account of a name: the digits of a phone number, otherwise the name without its case."""
    digits = "".join(c for c in author if c.isdigit())
    if len(digits) >= 7 and not any(c.isalpha() for c in author):
        return f"+{digits}"
    return normal_name(author)


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def _stems(path: ExportPath) -> list[str]:
    """Return the names that can hold the chat's: the file's, and for `_chat.txt` its folder's."""
    return [path.stem, path.parent.name] if path.name == "_chat.txt" else [path.stem]


SOURCE = WhatsAppText()
