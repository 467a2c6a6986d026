"""SMS, MMS and calls as the Android app "SMS Backup & Restore" writes them, in XML.

Gigabytes of such a file are pictures in attributes. They are taken out of the bytes before the parser sees them, and
so are the halves of emoji that the app writes as two numbers XML forbids. Entities are never expanded.
"""

import codecs
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from lxml import etree

from train.accounts import handle_of, phone_of
from train.export_files import ExportPath, TornFileError, start_of
from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Note, Owner, Reading, Record, Tear
from train.printed_ids import PrintedIds
from train.sources.json_objects import LAST_MS
from train.sources.json_records import as_utf8, open_as_utf8

PLATFORM = "sms"
OWNER = "me"

_CHUNK_BYTES = 1 << 18
MAX_TAG_BYTES = 1 << 25
"""A longer tag, pictures aside, is no message, and would have to be held whole."""
_ENCODING = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:-]{1,40})["']""")
_ROOT = re.compile(rb"<(?:smses|calls)[\s>]")
_SENT, _RECEIVED = frozenset({"2", "4", "5", "6"}), "1"
_UNSENT = {"3": "a draft", "5": "failed to send"}
_FROM = "137"
"""An `addr` of this type is who sent an MMS: PduHeaders.FROM in Android's source."""
_TOKEN = "insert-address-token"
"""Stands in for the owner's own number."""
_NOTHING = frozenset({"", "null", "(Unknown)"})
_BY_MIME = {"image": Kind.PHOTO, "video": Kind.VIDEO, "audio": Kind.AUDIO}
# A raw "<" never stands inside a value, so this finds the attribute of a part and never the words of a text.
_DATA = re.compile(rb'<part\s(?:[^<]*?\s)?data="')
_PAIR = re.compile(rb"&#(5[5-7]\d{3});&#(5[5-7]\d{3});")
_NUMBER = re.compile(rb"&#(?:(\d{1,7})|x([0-9a-fA-F]{1,6}));")
_CONTROL = bytes(set(range(32)) - {9, 10, 13})


class SmsXml:
    """Reads `sms-….xml` and `calls-….xml`."""

    name = "sms-xml"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is, by the element that such a file begins with."""
        if not path.is_file() or path.suffix.lower() != ".xml":
            return 0.0
        return 0.95 if _ROOT.search(as_utf8(start_of(path, 8192))) else 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records at flat memory, whatever the pictures weigh."""
        yield from _Backup(path, reading).records()


class _Backup:
    def __init__(self, path: ExportPath, reading: Reading) -> None:
        self.path = path
        self.reading = reading
        self.owner_name = reading.owner or next(iter(reading.known_owners), None)
        self.chats: set[str] = set()
        self.accounts: set[tuple[str, str | None]] = set()
        self.ids = PrintedIds()
        self.seen = 0
        self.claimed: int | None = None

    def records(self) -> Iterator[Record]:
        yield Owner(PLATFORM, OWNER, self.owner_name)
        parser = etree.XMLPullParser(
            events=("start", "end"), tag=("smses", "calls", "sms", "mms", "call"), resolve_entities=False,
            load_dtd=False, no_network=True, huge_tree=True, recover=False, encoding="utf-8",
        )  # fmt: skip
        with self.path.open("rb") as stream:
            cleaned = cleaned_chunks(open_as_utf8(stream), _declared(start_of(self.path, 200)))
            try:
                for chunk in cleaned:
                    if self.reading.progress is not None:
                        self.reading.progress(_CHUNK_BYTES)
                    parser.feed(chunk)
                    yield from self._take(parser)
                parser.close()
                yield from self._take(parser)
            except TornFileError as error:
                yield Tear(f"after record {self.seen}", str(error))
            except etree.XMLSyntaxError as error:
                yield from self._take(parser)
                yield Tear(f"record {self.seen + 1}", f"the XML breaks off: {error.msg}")
        if self.claimed is not None and self.claimed != self.seen:
            yield Note(f"{self.path.name} says it holds {self.claimed} records; {self.seen} were found.")

    def _take(self, parser: Any) -> Iterator[Record]:
        for event, element in parser.read_events():
            if event == "start":
                if element.tag in ("smses", "calls"):
                    count = element.get("count", "")
                    self.claimed = int(count) if count.isascii() and count.isdigit() else None
                continue
            if element.tag in ("smses", "calls"):
                continue
            self.seen += 1
            yield from self._record(element)
            # What was read is let go: an element stays in the tree until it is taken out.
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]

    def _record(self, element: Any) -> Iterator[Record]:
        place = f"record {self.seen} ({element.tag})"
        time_ms = _unix_ms(element.get("date"))
        if time_ms is None:
            yield Drop("no date", place)
            return
        with_whom = [one for one in (element.get("address") or element.get("number") or "").split("~") if one]
        members = [handle_of(one) for one in with_whom if one not in (_TOKEN, *_NOTHING)]
        chat = " ".join(sorted(dict.fromkeys(members))) or "unknown"
        name = _known(element.get("contact_name"))
        yield from self._notes(chat, members, with_whom, name)
        kind, text, mine, sender = self._content(element, members)
        unsent = _UNSENT.get(element.get("type") or element.get("msg_box") or "") if element.tag != "call" else None
        if unsent is not None:
            yield Drop(unsent, place, chat)
            return
        if kind is Kind.TEXT and not text.strip():
            yield Drop("nothing in it", place, chat)
            return
        who = OWNER if mine else sender
        own = _known(element.get("m_id")) if element.tag == "mms" else None
        number, slot = self.ids.next(str(time_ms), who or "", f"{kind}{text}")
        shown = self.owner_name if mine else (name if name and len(members) == 1 else who)
        yield Message(
            PLATFORM, chat, own or number, time_ms, text, kind, who, shown, mine, None, self.seen, slot,
        )  # fmt: skip

    def _notes(self, chat: str, members: list[str], printed: list[str], name: str | None) -> Iterator[Record]:
        if chat not in self.chats:
            self.chats.add(chat)
            kind = ChatKind.GROUP if len(set(members)) > 1 else ChatKind.PERSONAL
            yield Chat(PLATFORM, chat, name or ", ".join(printed) or None, kind)
        for one in members:
            known_as = name if len(members) == 1 else None
            if (one, known_as) not in self.accounts:
                self.accounts.add((one, known_as))
                phone = phone_of(one)
                emails = (one,) if "@" in one else ()
                yield Account(PLATFORM, one, known_as, (phone,) if phone else (), emails)

    def _content(self, element: Any, members: list[str]) -> tuple[Kind, str, bool, str | None]:
        """Return the kind and text of a record, whether the owner sent it, and otherwise who did."""
        other = members[0] if len(members) == 1 else None
        if element.tag == "call":
            return Kind.CALL, f"call, {element.get('duration') or '0'} s", element.get("type") == "2", other
        if element.tag == "sms":
            mine = element.get("type") in _SENT
            return Kind.TEXT, _body(element.get("body")), mine, other
        mine = element.get("msg_box") in _SENT or (element.get("msg_box") == "3")
        sender = other
        for address in element.iter("addr"):
            if address.get("type") == _FROM and address.get("address") not in (None, _TOKEN, *_NOTHING):
                sender = handle_of(address.get("address")) if not mine else None
        texts, kind = [], Kind.TEXT
        for part in element.iter("part"):
            mime = part.get("ct") or ""
            if mime == "text/plain":
                texts.append(_body(part.get("text")))
            elif mime != "application/smil" and kind is Kind.TEXT:
                kind = Kind.CONTACT if "vcard" in mime.lower() else _BY_MIME.get(mime.partition("/")[0], Kind.FILE)
                kind = Kind.GIF if mime == "image/gif" else kind
        return kind, "\n".join(one for one in texts if one), mine, sender


def _declared(start: bytes) -> str:
    """Return the encoding that the file says it has, where that is one in which tags can be found; else UTF-8."""
    found = _ENCODING.match(start.removeprefix(codecs.BOM_UTF8))
    try:
        encoding = codecs.lookup(found[1].decode()).name if found else "utf-8"
        return encoding if "<".encode(encoding) == b"<" and b"<\xe9".decode(encoding, "replace")[0] == "<" else "utf-8"
    except (LookupError, UnicodeError):
        return "utf-8"


def cleaned_chunks(stream: BinaryIO, encoding: str = "utf-8") -> Iterator[bytes]:
    """Yield the file in UTF-8, without the values of `data` attributes, and with what XML forbids mended.

    Bytes that are none of `encoding` become U+FFFD. Raises TornFileError at a tag without end.
    """
    held = b""
    in_data = False
    while True:
        chunk = stream.read(_CHUNK_BYTES)
        window = held + chunk
        held = b""
        out = []
        at = 0
        while at < len(window):
            if in_data:
                end = window.find(b'"', at)
                if end < 0:
                    break
                in_data, at = False, end
                continue
            found = _DATA.search(window, at)
            if found is None:
                # From the last tag on: it can go on in the next chunk.
                cut = max(at, window.rfind(b"<", at)) if chunk else len(window)
                out.append(window[at:cut])
                held = window[cut:]
                if len(held) > MAX_TAG_BYTES:
                    raise TornFileError("a tag of more than 32 MiB")
                break
            out.append(window[at : found.end()])
            in_data, at = True, found.end()
        if out:
            yield _mended(b"".join(out), encoding)
        if not chunk:
            if held:
                yield _mended(held, encoding)
            return


def _mended(raw: bytes, encoding: str) -> bytes:
    # Every piece is cut at a tag, so none of them begins or ends inside a letter.
    if not raw.isascii():
        raw = raw.decode(encoding, "replace").encode()
    if b"&#" in raw:
        raw = _PAIR.sub(_joined, raw)
        raw = _NUMBER.sub(_allowed, raw)
    return raw.translate(None, _CONTROL)


def _joined(found: re.Match[bytes]) -> bytes:
    high, low = int(found[1]), int(found[2])
    if 0xD800 <= high < 0xDC00 <= low < 0xE000:
        return b"&#%d;" % (0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    return found[0]


def _allowed(found: re.Match[bytes]) -> bytes:
    number = int(found[1]) if found[1] else int(found[2], 16)
    if 0xD800 <= number < 0xE000 or number > 0x10FFFF or number in (0xFFFE, 0xFFFF):
        return b"&#65533;"
    return b"" if number < 32 and number not in (9, 10, 13) else found[0]


def _unix_ms(date: str | None) -> int | None:
    if date is None or not re.fullmatch(r"-?\d{1,17}", date.strip()):
        return None
    number = int(date)
    # Some versions wrote seconds for MMS; as milliseconds those lie in January 1970.
    number = number * 1000 if 0 < number < 10**11 else number
    return number if 0 < number <= LAST_MS else None


def _known(value: str | None) -> str | None:
    return None if value is None or value in _NOTHING else value


def _body(value: str | None) -> str:
    return "" if value is None or value == "null" else value


SOURCE = SmsXml()
