"""Telegram Desktop's HTML export: a folder of `messages.html`, `messages2.html`, …, 1,000 messages each.

What the page shows is all there is: people and chats have names and no ids, and a message that follows another by
the same person does not repeat the name, also over the border of two files.
"""

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from lxml import etree, html

from persona.errors import UserError
from train.export_files import ExportPath, TornFileError, children, size_of, start_of
from train.local_time import utc_ms, zone_of
from train.messages import Chat, ChatKind, Drop, Kind, Message, Note, Reading, Record, Tear, as_reactions
from train.people import normal_name
from train.sources.json_records import as_utf8, open_as_utf8

PLATFORM = "telegram"

MAX_PAGE_BYTES = 64 << 20
"""A page is held whole."""
_FILE = re.compile(r"messages([0-9]{0,9})\.html", re.IGNORECASE)
_TIME = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d):(\d\d):(\d\d)(?: UTC([+-])(\d\d):(\d\d))?")
_NUMBER = re.compile(r"message(-?\d{1,18})\Z")
_TARGET = re.compile(r"go_to_message(\d{1,18})|GoToMessage\((\d{1,18})\)")
_NAMELESS = "Deleted Account"
_MEDIA = (
    ("media_voice_message", Kind.VOICE), ("media_audio_file", Kind.AUDIO), ("media_video", Kind.VIDEO),
    ("video_file_wrap", Kind.VIDEO), ("animated_wrap", Kind.GIF), ("sticker_wrap", Kind.STICKER),
    ("media_photo", Kind.PHOTO), ("photo_wrap", Kind.PHOTO), ("media_call", Kind.CALL), ("media_poll", Kind.POLL),
    ("media_location", Kind.LOCATION), ("media_live_location", Kind.LOCATION), ("media_venue", Kind.LOCATION),
    ("media_contact", Kind.CONTACT), ("media_game", Kind.MEDIA), ("media_invoice", Kind.MEDIA),
    ("media_file", Kind.FILE),
)  # fmt: skip
# What the page calls a medium that was not exported.
_TITLES = {
    "sticker": Kind.STICKER, "photo": Kind.PHOTO, "video file": Kind.VIDEO, "animation": Kind.GIF,
    "voice message": Kind.VOICE, "video message": Kind.VIDEO, "audio file": Kind.AUDIO,
}  # fmt: skip


class TelegramHtml:
    """Reads the folder of a chat, or one file of it."""

    name = "telegram-html"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is: a folder with such files, or one of them by its first lines."""
        try:
            pages = children(path) if path.is_dir() else [path]
        except OSError:
            return 0.0
        return 0.9 if any(_is_page(one) for one in pages if _FILE.fullmatch(one.name)) else 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records in order; one file is held at a time."""
        yield from _Chat(path, reading).records()


def _is_page(path: ExportPath) -> bool:
    start = as_utf8(start_of(path, 8192))
    return b"Exported Data" in start or b'class="page_wrap"' in start or b"page_header" in start


class _Chat:
    def __init__(self, path: ExportPath, reading: Reading) -> None:
        self.path = path
        self.reading = reading
        self.zone = zone_of(reading)
        self.chat = Chat(PLATFORM, "")
        self.speakers: set[str] = set()
        self.sender: str | None = None
        self.via: str | None = None
        self.origin = ""
        self.other_zone = False

    def records(self) -> Iterator[Record]:
        pages = [self.path]
        if self.path.is_dir():
            named = [(match, one) for one in children(self.path) if (match := _FILE.fullmatch(one.name))]
            found = [(int(match[1] or 1), one) for match, one in named if one.is_file()]
            pages = [one for _, one in sorted(found, key=lambda pair: pair[0])]
        for page in pages:
            yield from self._page(page)
        if len(self.speakers) > 2 and self.chat.kind is not ChatKind.GROUP:
            # Nothing on the page says whether it is a group; three people do.
            yield Chat(PLATFORM, self.chat.id, self.chat.name, ChatKind.GROUP)
        if self.other_zone:
            yield Note(
                f"{self.chat.name or self.path.name}: it was exported in another time zone. In summer the page prints "
                "a wrong offset; say the zone with --timezone to have those times right."
            )
        yield Note(
            f"{self.chat.name or self.path.name}: an HTML export has no ids. Imported beside a JSON export of the same "
            "chat it doubles it; prefer JSON."
        )

    def _page(self, page: ExportPath) -> Iterator[Record]:
        try:
            with page.open("rb") as stream:
                raw = open_as_utf8(stream).read(MAX_PAGE_BYTES + 1)
        except (OSError, UserError, TornFileError) as error:
            yield Tear(page.name, str(error))
            return
        if len(raw) > MAX_PAGE_BYTES:
            yield Tear(page.name, "it is larger than 64 MiB; a page of a thousand messages never is")
            return
        if self.reading.progress is not None:
            self.reading.progress(size_of(page))
        try:
            tree = html.fromstring(raw, parser=html.HTMLParser(encoding="utf-8", huge_tree=True))
        except (etree.ParserError, etree.XMLSyntaxError, ValueError):
            yield Tear(page.name, "there is no HTML in it")
            return
        if not self.chat.id:
            name = _words(_first(tree, "page_header")).strip() or self.path.name
            self.chat = Chat(PLATFORM, f"html:{normal_name(name)}", name, ChatKind.PERSONAL)
            yield self.chat
        for block in tree.iter("div"):
            if _has(block, "message") and (number := _NUMBER.match(block.get("id") or "")):
                yield self._record(block, int(number[1]), page.name)
        if b"</html>" not in raw[-512:]:
            yield Tear(page.name, "the page has no end")

    def _record(self, block: Any, number: int, page: str) -> Message | Drop:
        place = f"{page}, message {number}"
        body = next((one for one in block.iterchildren("div") if _has(one, "body")), None)
        if body is None:
            return Drop("nothing in it", place, self.chat.id)
        if _has(block, "service"):
            # Lines between days have negative numbers and are the page's own, but they are rows all the same.
            if number < 0:
                return Drop("a line between days", place, self.chat.id)
            return Drop("a service line without a date", place, self.chat.id)
        if not _has(block, "joined"):
            sender = _words(_own(body, "from_name")).strip()
            self.sender, _, via = sender.partition(" via @")
            self.via = via or None
        time_ms, offset = self._time(_own(body, "date"))
        if time_ms is None:
            return Drop("no date", place, self.chat.id)
        inner = next((one for one in body.iterchildren("div") if _has(one, "forwarded")), None)
        kind, text = _content(body if inner is None else inner)
        if kind is Kind.TEXT and not text.strip():
            return Drop("nothing in it", place, self.chat.id)
        name = self.sender or ""
        if name:
            self.speakers.add(name)
        message = Message(
            PLATFORM, self.chat.id, number, time_ms, text, kind, f"html:{normal_name(name)}" if name else None,
            None if name == _NAMELESS else name or None, None, offset, number,
        )  # fmt: skip
        if inner is not None:
            # Of several forwards in a row from one place only the first says where from.
            if (origin := _own(inner, "from_name")) is not None:
                self.origin = (origin.text or "").strip().partition(" via @")[0]
            message.forwarded_from = "" if self.origin == _NAMELESS else self.origin
        elif self.via is not None and kind is Kind.TEXT:
            message.forwarded_from = self.via
        message.reply_to = _reply(body if inner is None else inner)
        message.reactions = as_reactions(_reactions(body))
        return message

    def _winter_offset(self, local: datetime) -> int:
        """Return the offset in minutes that the exporter prints for a time in our zone.

        It prints the clock's time, and beside it the zone's offset in winter, all year round. Where that is our
        zone's, the zone itself tells what the clock was ahead by.
        """
        if self.zone is None:
            return _machine_winter_offset()
        here = local.replace(tzinfo=self.zone)
        offset, summer = here.utcoffset() or timedelta(), here.dst() or timedelta()
        return round((offset - summer).total_seconds() / 60)

    def _time(self, element: Any) -> tuple[int | None, int | None]:
        found = _TIME.search(element.get("title") or "") if element is not None else None
        if found is None:
            return None, None
        day, month, year, hour, minute, second = map(int, found.groups()[:6])
        try:
            local = datetime(year, month, day, hour, minute, second)
            if found[7]:
                ahead = (int(found[8]) * 60 + int(found[9])) * (1 if found[7] == "+" else -1)
                if ahead != self._winter_offset(local):
                    self.other_zone = True
                    return round(local.replace(tzinfo=timezone(timedelta(minutes=ahead))).timestamp() * 1000), ahead
            return utc_ms(local, self.zone)
        except (ValueError, OverflowError):
            return None, None


def _machine_winter_offset() -> int:
    return -time.timezone // 60


def _has(element: Any, name: str) -> bool:
    return name in (element.get("class") or "").split()


def _own(body: Any, name: str) -> Any:
    """Return the child of a body with a class; what a forwarded message nests is not the body's own."""
    return next((one for one in body.iterchildren() if _has(one, name)), None)


def _first(tree: Any, name: str) -> Any:
    return next((one for one in tree.iter("div") if _has(one, name)), None)


def _content(body: Any) -> tuple[Kind, str]:
    text = _words(_own(body, "text")).strip("\n ")
    wrap = _own(body, "media_wrap")
    if wrap is None:
        return Kind.TEXT, text
    classes = {name for one in wrap.iter() if isinstance(one.tag, str) for name in (one.get("class") or "").split()}
    title = _words(next((one for one in wrap.iter("div") if _has(one, "title")), None)).strip()
    kind = _TITLES.get(title.lower())
    if kind is None:
        kind = next((kind for name, kind in _MEDIA if name in classes), Kind.MEDIA)
    if kind is Kind.STICKER:
        status = _words(next((one for one in wrap.iter("div") if _has(one, "status")), None)).strip()
        return kind, status.partition(",")[0].strip() if status and not status[0].isascii() else ""
    if kind is Kind.POLL:
        return kind, _words(next((one for one in wrap.iter("div") if _has(one, "question")), None)).strip()
    return kind, text


def _words(element: Any) -> str:
    """Return the text of an element as it shows: `<br>` is a line break, the layout of the source is nothing."""
    if element is None:
        return ""
    parts = [_laid_out(element.text)]
    for one in element.iterchildren():
        if one.tag == "br":
            parts.append("\n")
        elif isinstance(one.tag, str):
            parts.append(_words(one))
        parts.append(_laid_out(one.tail))
    return "".join(parts)


def _laid_out(text: str | None) -> str:
    if not text:
        return ""
    # The exporter puts a message on one line of its own, and writes each line break in it as <br>.
    return text.strip("\r\n") if text.strip() else "" if "\n" in text else text


def _reply(body: Any) -> int | None:
    block = _own(body, "reply_to")
    if block is None:
        return None
    for link in block.iter("a"):
        found = _TARGET.search(f"{link.get('href') or ''} {link.get('onclick') or ''}")
        if found:
            return int(found[1] or found[2])
    return None


def _reactions(body: Any) -> Iterator[tuple[str, str | None]]:
    block = next((one for one in body.iter("span", "div") if _has(one, "reactions")), None)
    for one in block.iter("span", "div") if block is not None else ():
        if not _has(one, "reaction"):
            continue
        emoji = next((_words(part).strip() for part in one.iter() if _has(part, "emoji")), "") or "?"
        people = [part.get("title") for part in one.iter() if part.get("title") and _has(part, "initials")]
        printed = next((_words(part).strip() for part in one.iter() if _has(part, "count")), "")
        count = int(printed) if printed.isascii() and printed.isdigit() and len(printed) < 6 else max(1, len(people))
        for index in range(max(count, len(people))):
            yield emoji, f"html:{normal_name(people[index])}" if index < len(people) else None


SOURCE = TelegramHtml()
