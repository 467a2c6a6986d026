"""WhatsApp's text export: `_chat.txt`, `WhatsApp Chat with ….txt`, or the archive around one.

The file says neither the order of its dates, nor its time zone, nor the ids of its messages, nor whose phone
it was. The first is found from all dates together, the others as docs/import.md describes; what remains open
is noted. A file is read twice: once to find out these things, once for the messages.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain

from persona.errors import UserError
from train.accounts import phone_of
from train.export_files import ExportPath, TornFileError
from train.export_text import text_lines, torn_end
from train.local_time import zone_of
from train.messages import (
    Account,
    Chat,
    ChatKind,
    Drop,
    Kind,
    Message,
    Note,
    Owner,
    Reading,
    Record,
    Tear,
    as_mentions,
)  # fmt: skip
from train.people import normal_name
from train.printed_ids import PrintedIds
from train.sources import whatsapp_words as words
from train.sources.whatsapp_authors import Authors
from train.sources.whatsapp_headers import MARKS, parse_header, unmarked
from train.sources.whatsapp_survey import Batch, Survey
from train.sources.whatsapp_times import LocalTimes

PLATFORM = "whatsapp"

_ORDER_NAMES = {"dmy": "day, month, year", "mdy": "month, day, year", "ymd": "year, month, day"}
_LOOKED_AT = 50
_MARKS = frozenset(MARKS)
_SUSPECT_BEGINNINGS = frozenset(["", "<", *MARKS])
_SUSPECT_ENDS = frozenset([">", ")", "\u200e", *filter(str.isspace, map(chr, range(0x3001)))])
"""How messages begin and end that the app wrote, or added something to."""
_EMPTY = frozenset([".", "null"])
_HELD = 2_000
"""Messages handed on together."""
_HELD_CHARACTERS = 1 << 20
_HELD_ENDS = 1 << 16
_ANNOUNCEMENTS = 2_000
"""Lines of the app that are looked at to find out whose phone it was."""
_MENTION = re.compile("@\u2068~?([^\u2068\u2069\n]+)\u2069|@(\\d{7,15})(?!\\d)")
_AGAIN = 3
"""A mark in brackets that ends so many messages, and is in no list, is the app's own."""


class WhatsAppText:
    """Reads `_chat.txt` and its like."""

    name = "whatsapp-text"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is that `path` is a WhatsApp text export, by its name and its first lines."""
        if not path.is_file() or path.suffix.lower() != ".txt":
            return 0.0
        try:
            lines = zip(range(_LOOKED_AT), text_lines(path), strict=False)
            headers = sum(parse_header(line) is not None for _, line in lines)
        except (OSError, UserError, TornFileError):
            # A damaged file is still what its name says, and reading it says what is wrong.
            return 0.9 if words.chat_name(path.stem) else 0.0
        named = path.name == "_chat.txt" or "whatsapp" in path.name.lower()
        return 0.95 if named and headers else 0.55 if headers >= 2 else 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records of the export; what is held is some bytes for each message, and the longest one."""
        yield from _Export(path, reading).records()


class _Ends(dict[str, bool]):
    """Whether a line somebody wrote can begin and end so, by its first two letters and its last two."""

    def __missing__(self, ends: str) -> bool:
        # One letter alone is both.
        half = (len(ends) + 1) // 2
        first, last = ends[:half], ends[half:]
        usual = not (
            first[:1] in _SUSPECT_BEGINNINGS
            or last[-1:] in _SUSPECT_ENDS
            or last[-1:] in words.TRAILING
            or ends in _EMPTY
            or words.is_like_phrase(first, last)
        )
        if len(self) >= _HELD_ENDS:
            self.clear()
        self[ends] = usual
        return usual


_ends = _Ends()


class _Cast:
    """Who speaks in a file, and what the app's own lines say about the chat."""

    def __init__(self) -> None:
        self.speakers: set[str] = set()
        self.announcers = Counter[str]()
        self.announcements: list[str] = []
        self.deleter: str | None = None
        self.group = False

    def announce(self, author: str | None, text: str) -> None:
        self.group = self.group or words.names_group(text)
        if len(self.announcements) < _ANNOUNCEMENTS:
            self.announcements.append(text)
        if author is not None:
            self.announcers[author] += 1


class _Export:
    def __init__(self, path: ExportPath, reading: Reading) -> None:
        self.path = path
        self.reading = reading
        self.times = LocalTimes(zone_of(reading))
        self.halves = 0
        self.survey = Survey(path, self._progress)
        self.ios = self.survey.layout is not None and self.survey.layout.shape[0] != "-"
        self.authors = self.survey.layout.authors if self.survey.layout is not None else Authors()
        self.cast = _Cast()
        self.chat = Chat(PLATFORM, "")
        self.ids = PrintedIds()
        self.accounts: dict[str, str] = {}
        self.voices: dict[str, tuple[str, str]] = {}
        """The name and the account of who has written already, by what stands before the colon."""
        self.last: tuple[int | None, int, str, int, int] = None, 0, "", 0, 0
        """When the last message was printed to be sent, the how-manieth of that time, and that time in three ways."""
        self.edit_marks = Counter[str]()
        self.line = 0
        """Where the last message begins."""

    def records(self) -> Iterator[Record]:
        layout = self.survey.layout
        if layout is None:
            yield Chat(PLATFORM, "", None)
            yield from self._tears(self.survey.tears, "the beginning")
            return
        self.chat = self._chat()
        yield self.chat
        if not self.survey.order.certain:
            read_as = _ORDER_NAMES[self.survey.order.order]
            yield Note(f"{self.path.name}: dates like {layout.example} are read as {read_as}.")
        if before := self.survey.text_before():
            yield Drop("text before the first message", f"line {before}", self.chat.id)
        tears: list[str] = []
        yield from self._messages(tears)
        yield from self._what_is_known_now()
        yield from self._tears(tears, f"line {self.line}")

    def _progress(self, read: int) -> None:
        if self.reading.progress is not None:
            # The file is read twice.
            self.halves += read
            self.reading.progress(self.halves // 2)
            self.halves %= 2

    def _tears(self, tears: list[str], place: str) -> Iterator[Tear]:
        for detail in tears:
            yield Tear(place, detail)
        if (torn := torn_end(self.path)) is not None:
            yield Tear(f"byte {torn}", "the file ends inside a letter")

    def _messages(self, tears: list[str]) -> Iterator[list[Message] | Drop]:
        held: list[Message] = []
        room = _HELD_CHARACTERS
        for batch in self.survey.batches(tears, self._progress):
            for found in self._messages_of(batch, held):
                if held:
                    yield held.copy()
                    held.clear()
                yield found
            room -= len(batch.text) + len(batch.rests[0])
            if held and (len(held) >= _HELD or room <= 0):
                yield held.copy()
                held.clear()
                room = _HELD_CHARACTERS
            self.line = batch.first_line
        if held:
            yield held

    def _messages_of(self, batch: Batch, held: list[Message]) -> Iterator[Drop]:
        """Add the messages of a batch to `held`; each Drop is yielded when all before it are there."""
        # A million times for some people: what most messages do not have is asked for once for all of them.
        chat_id, voices, next_ids, hold = self.chat.id, self.voices, self.ids.next, held.append
        links, marked, named = batch.has("https://"), self.ios and batch.has("\u200e"), batch.has("@")
        is_usual = _ends.__getitem__
        lines: list[int] = []
        author: str | None
        sender: str | None
        last, nth, time, time_ms, offset = self.last
        for number, (day, second, rest) in enumerate(zip(batch.days, batch.seconds, batch.rests, strict=True)):
            if day is None:
                lines = lines or batch.lines()
                yield Drop("no such date", f"line {lines[number]}", chat_id)
                continue
            before, _, text = rest.partition(": ")
            voice = voices.get(before)
            if voice is not None and (
                (
                    is_usual(text[:2] + text[-2:])
                    and "\n" not in text
                    and not (links and "https://" in text)
                    and not (marked and "\u200e" in text)
                )
                or self._is_plain(text)
            ):
                author, sender = voice
                kind, edited = Kind.TEXT, False
            else:
                looked = self._looked_into(*self.authors.split(rest), rest)
                if isinstance(looked, str):
                    lines = lines or batch.lines()
                    yield Drop(looked, f"line {lines[number]}", chat_id)
                    continue
                author, kind, text, edited = looked
                sender = None if author is None else self.accounts.get(author) or self._account(author)
                plain = author is not None and self.authors.plain_name(before) == author
                if plain and author is not None and sender is not None and author in self.cast.speakers:
                    # Later ones are told by what stands before the colon alone.
                    voices[before] = author, sender
            mentions = None
            if named and "@" in text and (found := _MENTION.findall(text)):
                mentions = as_mentions(_account(name) if name else f"+{number}" for name, number in found)
                text = text.replace("\u2068", "").replace("\u2069", "")
            if (printed := day * 86_400 + second) == last:
                nth += 1
            else:
                last, nth, time = printed, 1, f"{printed:x}"
                time_ms, offset = self.times.utc(day, second)
            ident, slot = next_ids(time, sender or "", kind._value_ + text)
            # The mark does not say when a message was edited: after it was sent is all that is known.
            hold(Message(
                PLATFORM, chat_id, ident, time_ms, text, kind, sender, author, None, offset, nth, slot,
                None, None, time_ms if edited else None, None, None, mentions,
            ))  # fmt: skip
        self.last = last, nth, time, time_ms, offset

    def _looked_into(self, author: str | None, body: str, rest: str) -> tuple[str | None, Kind, str, bool] | str:
        """Return who wrote a message, its kind, its own text, and whether it was edited; why it is dropped if it is."""
        kind, text, edited = self._content(body, author)
        if kind is Kind.TEXT and _is_empty(text, body, rest, self.ios):
            return "expired or view-once message"
        if kind is Kind.SERVICE or author is None:
            if words.is_not_readable(text):
                return "not received, or to be seen once on the phone"
            self.cast.announce(author, text)
            if author == self.chat.name:
                author = None  # the app speaks in the chat's name
        else:
            self.cast.speakers.add(author)
        return author, kind, text, edited

    def _account(self, author: str) -> str:
        account = self.accounts[author] = _account(author)
        return account

    def _content(self, body: str, author: str | None) -> tuple[Kind, str, bool]:
        """Return the kind of a message, its own text, and whether it was edited."""
        plain = body.lstrip(MARKS) if body[:1] in _MARKS else body
        if author is None:
            return (Kind.CALL if words.is_call(plain) else Kind.SERVICE), plain, False
        edited = False
        if plain.endswith((">", ">\u200e", "> ")):
            plain, edited = self._without_edit_mark(plain)
        if (kind := words.kind_of_phrase(plain)) is not None:
            if kind is Kind.DELETED and words.is_deleted_by_you(plain):
                self.cast.deleter = author
            return kind, "", edited
        if (medium := self._medium(plain, body)) is not None:
            return medium[0], medium[1].strip(MARKS + " \n"), edited
        if "\n" in plain and (question := words.poll_question(plain)) is not None:
            return Kind.POLL, question, edited
        if "https://" in plain and words.is_location(plain):
            return Kind.LOCATION, "", edited
        # On iOS the app marks its own sentences with U+200E.
        if self.ios and body.startswith("\u200e"):
            return (Kind.CALL if words.is_call(plain) else Kind.SERVICE), plain, False
        return Kind.TEXT, plain, edited

    def _is_plain(self, body: str) -> bool:
        """Return whether a message is a line somebody wrote, as far as it can be told without looking closely."""
        return not (
            body[:1] in _SUSPECT_BEGINNINGS
            or body[-1:] in _SUSPECT_ENDS
            or body in _EMPTY
            or ("\n" in body and (":" in body or "：" in body or ")\n" in body))
            or "https://" in body
            or (self.ios and "\u200e" in body)
            or words.may_be_phrase(body)
        )

    def _without_edit_mark(self, text: str) -> tuple[str, bool]:
        found = words.edit_mark(text)
        if found is None or not found[0]:
            return text, False
        before, mark, known = found
        if not known:
            self.edit_marks[mark] += " " in mark
            if self.edit_marks[mark] < _AGAIN:
                return text, False
        return before.rstrip(MARKS + " "), True

    def _medium(self, plain: str, body: str) -> tuple[Kind, str] | None:
        if plain.endswith((">", ")", "\u200e")) or ")\n" in plain:
            file = words.attached(plain)
            if file is not None:
                return file
        if not self.ios or "\u200e" not in body:
            return None
        head, _, tail = body.rpartition("\u200e")
        kind = words.kind_of_phrase(tail)
        if kind is None or kind is Kind.DELETED:
            return None
        # Before a document's placeholder stands its file name.
        return kind, "" if kind in (Kind.FILE, Kind.CONTACT) else head

    def _chat(self) -> Chat:
        """Return the chat as far as it is known before the messages: by the name of the file, or by who speaks."""
        name = next(filter(None, map(words.chat_name, _stems(self.path))), None)
        if name is not None:
            return Chat(PLATFORM, normal_name(name), name)
        for rest in chain.from_iterable(batch.rests for batch in self.survey.batches([])):
            author, body = self.authors.split(rest)
            if author in self.cast.speakers and self._is_plain(body):
                continue
            kind, text, _ = self._content(body, author)
            if kind is Kind.SERVICE or author is None:
                self.cast.announce(author, text)
            else:
                self.cast.speakers.add(author)
        found, self.cast = self.cast, _Cast()
        self.edit_marks.clear()
        speakers = sorted(found.speakers)
        # On iOS the app's lines carry the name of the chat, which in a group is nobody's.
        subjects = [one for one in found.announcers if one not in found.speakers]
        if (found.group or len(speakers) > 2) and subjects:
            name = max(subjects, key=lambda one: found.announcers[one])
        elif not found.group and len(speakers) == 2:
            owner = self._owner(found, speakers, None)
            name = next((one for one in speakers if one != owner), None) if owner is not None else None
        name = name or " | ".join(speakers)
        return Chat(PLATFORM, normal_name(name), name or None)

    def _what_is_known_now(self) -> Iterator[Record]:
        """Yield what only the whole file says: a group or not, and whose phone it was."""
        found, name = self.cast, self.chat.name or ""
        speakers = sorted(found.speakers)
        group = found.group or len(speakers) > 2
        yield Chat(PLATFORM, self.chat.id, name or None, ChatKind.GROUP if group else ChatKind.PERSONAL)
        owner = self._owner(found, speakers, None if group else name)
        if owner is not None:
            yield Owner(PLATFORM, _account(owner), owner)
        for author, account in self.accounts.items():
            if (phone := phone_of(author)) is not None and len(phone) > 7:
                yield Account(PLATFORM, account, None, (phone,))

    def _owner(self, found: _Cast, speakers: list[str], partner: str | None) -> str | None:
        by_name = {normal_name(one): one for one in speakers}
        if self.reading.owner is not None and normal_name(self.reading.owner) in by_name:
            return by_name[normal_name(self.reading.owner)]
        if found.deleter is not None:
            return found.deleter
        if partner and len(speakers) == 2 and normal_name(partner) in by_name:
            return next(one for one in speakers if normal_name(one) != normal_name(partner))
        known = [by_name[normal_name(one)] for one in self.reading.known_owners if normal_name(one) in by_name]
        if known:
            return known[0]
        # The app calls the owner "you" and everybody else by name, so who is never named is the owner.
        said = "\n".join(found.announcements)
        unnamed = [one for one in speakers if one not in said]
        return unnamed[0] if found.group and len(speakers) > 2 and len(unnamed) == 1 else None


def _is_empty(text: str, body: str, rest: str, ios: bool) -> bool:
    if not text or text.isspace():
        return True
    return (body == "." and rest.endswith(":.")) or (text == "null" and not ios)


def _account(author: str) -> str:
    """Return the account of a name: the digits of a phone number, otherwise the name without its case."""
    digits = "".join(c for c in author if c.isdigit())
    if len(digits) >= 7 and not any(c.isalpha() for c in author):
        return f"+{digits}"
    return normal_name(unmarked(author))


def _stems(path: ExportPath) -> list[str]:
    """Return the names that can hold the chat's: the file's, and for `_chat.txt` its folder's."""
    return [path.stem, path.parent.name] if path.name == "_chat.txt" else [path.stem]


SOURCE = WhatsAppText()
