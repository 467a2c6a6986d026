"""Reads vCards: address books as phones and mail programs export them, versions 2.1, 3.0 and 4.0 in one file.

`vobject` reads most cards too, but a card without an end takes the next one with it, a card within a card (`AGENT`)
fails, bytes of another encoding are lost, a broken line is printed with what stands in it, and every photo is decoded.
Here only names, numbers and addresses are looked at.
Formats: RFC 2426 (3.0), RFC 6350 (4.0), versit's vCard 2.1.
"""

import codecs
import quopri
import re
from collections.abc import Iterable, Iterator

import msgspec

from persona.names import clean_name

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WANTED = frozenset({"BEGIN", "END", "VERSION", "FN", "N", "NICKNAME", "ORG", "TEL", "EMAIL"})
# Apple groups properties: item1.TEL.
_PROPERTY = re.compile(rb"\s*(?:[\w-]+\.)*([A-Za-z][\w-]*)((?:;(?:[^\":]|\"[^\"]*\")*)?):")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_NUMBER_OR_ADDRESS = re.compile(r"[+\d\s().\-/]+|\S+@\S+")


class Contact(msgspec.Struct, frozen=True):
    """One card: the line it begins on, a name, and the numbers and addresses it holds, as they are written."""

    line: int
    name: str
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


class BadCard(msgspec.Struct, frozen=True):
    """A card that is passed over: the line it begins on, and why."""

    line: int
    reason: str


def read_cards(raw: bytes) -> Iterator[Contact | BadCard]:
    """Yield every card of a file in its order, good or bad. Cards without a number or an address are cards too."""
    card: _Card | None = None
    nested = 0
    end = 0
    for end, name, parameters, value in _properties(_as_utf8(raw).splitlines()):
        opens = name == "BEGIN" and value.strip().upper() == b"VCARD"
        closes = name == "END" and value.strip().upper() == b"VCARD"
        if card is None:
            card = _Card(end) if opens else None
        elif opens and card.awaits_agent:
            nested += 1
        elif opens:
            yield BadCard(card.line, f"the card has no end before line {end}, where another begins")
            card, nested = _Card(end), 0
        elif closes and nested:
            nested -= 1
        elif closes:
            yield card.read()
            card = None
        elif not nested:
            card.take(name, parameters, value)
            nested += name == "AGENT" and value.strip().upper() == b"BEGIN:VCARD"
    if card is not None:
        yield BadCard(card.line, "the card has no end: the file breaks off")


def _as_utf8(raw: bytes) -> bytes:
    """Return the bytes of a file with UTF-16, which old address books export, turned into UTF-8."""
    if raw.startswith(codecs.BOM_UTF8):
        return raw[len(codecs.BOM_UTF8) :]
    if raw.startswith(_UTF16):
        return raw.decode("utf-16", "replace").encode()
    for encoding, beginning in (("utf-16-be", b"\0B\0E\0G\0I\0N"), ("utf-16-le", b"B\0E\0G\0I\0N\0")):
        if beginning in raw[:64]:
            return raw.decode(encoding, "replace").encode()
    return raw


def _properties(lines: Iterable[bytes]) -> Iterator[tuple[int, str, str, bytes]]:
    """Yield line number, name, parameters and value of the properties that are looked at, with folded lines joined."""
    start = 0
    parts: list[bytes] = []
    soft = False
    for number, line in enumerate(lines, 1):
        if soft and line.strip().upper() != b"END:VCARD":
            parts.append(line)
        elif parts and line[:1] in (b" ", b"\t"):
            parts.append(line[1:])
            continue
        else:
            yield from _property(start, parts)
            start, parts = number, [line]
        # Only the first line shows whether a "=" at the end is the soft break of quoted-printable.
        soft = line.endswith(b"=") and _is_quoted_printable(parts[0])
    yield from _property(start, parts)


def _is_quoted_printable(line: bytes) -> bool:
    return b"QUOTED-PRINTABLE" in line.partition(b":")[0].upper()


def _property(line: int, parts: list[bytes]) -> Iterator[tuple[int, str, str, bytes]]:
    found = _PROPERTY.match(parts[0]) if parts else None
    if found is None:
        return
    name = found[1].decode("ascii").upper()
    if name not in _WANTED and name != "AGENT":
        return
    value = parts[0][found.end() :]
    parameters = found[2].decode("ascii", "replace").upper()
    if "QUOTED-PRINTABLE" in parameters:
        value = quopri.decodestring(b"\n".join([value, *parts[1:]]))
    else:
        value = b"".join([value, *parts[1:]])
    yield line, name, parameters, value


class _Card:
    """What was read of one card so far."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.awaits_agent = False
        self.names: dict[str, str] = {}
        self.phones: list[str] = []
        self.emails: list[str] = []

    def take(self, name: str, parameters: str, value: bytes) -> None:
        # Version 2.1 puts the card of somebody's agent between the lines of theirs.
        self.awaits_agent = name == "AGENT" and not value.strip()
        text = _decoded(value, parameters)
        if name == "TEL" and text.strip():
            self.phones.append(_unescaped(text).strip())
        elif name == "EMAIL" and text.strip():
            self.emails.append(_unescaped(text).strip())
        elif name == "N":
            family, given, *_ = [*_fields(text), "", ""]
            self.names.setdefault(name, f"{given} {family}")
        elif name == "ORG":
            self.names.setdefault(name, _fields(text)[0])
        elif name in ("FN", "NICKNAME"):
            self.names.setdefault(name, _unescaped(text))

    def read(self) -> Contact | BadCard:
        """Return the card: named by its formatted name, else by the parts of one, a nickname or a company."""
        candidates = [clean_name(self.names.get(one, "")) for one in ("FN", "N", "NICKNAME", "ORG")]
        # Phones call a contact without a name by its number.
        name = next((one for one in candidates if one and not _NUMBER_OR_ADDRESS.fullmatch(one)), "")
        if not name:
            return BadCard(self.line, "the card has no name")
        return Contact(self.line, name, tuple(self.phones), tuple(self.emails))


def _decoded(value: bytes, parameters: str) -> str:
    """Return a value as text: in the encoding it names, else UTF-8, else the one of Western Europe."""
    named = re.search(r"CHARSET=\"?([\w-]+)", parameters)
    for encoding in (named[1] if named else "utf-8", "utf-8", "cp1252"):
        try:
            return value.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return value.decode("latin-1")


def _fields(value: str) -> list[str]:
    """Return the parts of a value that semicolons separate."""
    return [_unescaped(part) for part in re.split(r"(?<!\\);", value)]


def _unescaped(value: str) -> str:
    return _ESCAPE.sub(lambda found: " " if found[1] in "nN" else found[1], value)
