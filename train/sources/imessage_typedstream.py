"""The body of an iMessage: an NSAttributedString in Apple's "typedstream" archive, as `attributedBody` holds it.

The format is that of NeXTSTEP's NSArchiver: values in groups, each group after its type encoding, strings and
objects written once and referred to by number afterwards. Only what attributed strings are made of is decoded;
nothing in a stream is ever turned into an object of a class it names.
"""

import re
import struct
from contextlib import suppress
from typing import Any

import msgspec

_SIGNATURE = b"\x04\x0bstreamtyped"
_TWO_BYTES, _FOUR_BYTES, _REAL, _NEW, _NIL, _END = 0x81, 0x82, 0x83, 0x84, 0x85, 0x86
_FIRST_REFERENCE = 0x92
_MAX_DEPTH = 64
_MENTION = "__kIMMentionConfirmedMention"
_MENTION_BYTES = _MENTION.encode()

# Nearly every body begins with one of a few sequences of classes, and then comes the text. Matching the whole of
# such a beginning is decoding it; whatever looks different goes through the decoder below.
_CLASS = rb"\x84.[A-Za-z]{1,40}[\x00-\x7f]"
_BEGINNING = re.compile(
    rb"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84(?:\x84" + _CLASS + rb")+\x85"
    rb"\x92\x84(?:\x84" + _CLASS + rb")+[\x94-\xa0]\x84\x01\+",
    re.DOTALL,
)


class Body(msgspec.Struct, frozen=True):
    """The text of a body, and the handles (numbers, addresses) of the people it mentions."""

    text: str
    mentions: tuple[str, ...] = ()


def decode_body(raw: bytes) -> Body:
    """Return what is in an `attributedBody`. Raises ValueError where it is not one, or damaged."""
    begins = _BEGINNING.match(raw)
    if begins is None:
        return _Reader(raw).body()
    if _MENTION_BYTES in raw:
        # Of attributes that are not known, or damaged, the text before them is still good.
        with suppress(ValueError):
            return _Reader(raw).body()
    return Body(_text_at(raw, begins.end()))


def _text_at(raw: bytes, at: int) -> str:
    """Return the text that begins with its length at `at`."""
    length = raw[at] if at < len(raw) else _NIL
    at += 1
    if length == _TWO_BYTES:
        length, at = int.from_bytes(raw[at : at + 2], "little"), at + 2
    elif length == _FOUR_BYTES:
        length, at = int.from_bytes(raw[at : at + 4], "little"), at + 4
    elif 0x7F < length < _FIRST_REFERENCE:
        raise ValueError("a length is damaged")
    if at + length > len(raw):
        raise ValueError("the text is cut off")
    return raw[at : at + length].decode("utf-8", "replace")


class _Object(msgspec.Struct):
    names: tuple[str, ...]
    """The class and those above it."""
    values: list[Any]


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0
        self.order: Any = "little"
        self.strings: list[bytes] = []
        self.objects: list[Any] = []

    def body(self) -> Body:
        try:
            self._header()
            root = self._group()[0]
        except (IndexError, struct.error, RecursionError) as error:
            raise ValueError("the body is cut off or damaged") from error
        if not isinstance(root, _Object) or "NSAttributedString" not in root.names:
            raise ValueError("the body is no attributed string")
        text = next((one for one in map(_string, root.values) if one is not None), None)
        if text is None:
            raise ValueError("the body has no text")
        return Body(text, tuple(dict.fromkeys(_mentioned(root))))

    def _header(self) -> None:
        if self.raw[1:2] == b"\x0b" and self.raw[2:13] == b"typedstream":
            self.order = "big"
        elif not self.raw.startswith(_SIGNATURE):
            raise ValueError("this is no typedstream")
        self.at = len(_SIGNATURE)
        self._integer()

    def _byte(self) -> int:
        value = self.raw[self.at]
        self.at += 1
        return value

    def _take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.raw):
            raise ValueError("the body is cut off")
        taken = self.raw[self.at : self.at + count]
        self.at += count
        return taken

    def _integer(self, head: int | None = None, *, signed: bool = True) -> int:
        head = self._byte() if head is None else head
        if head == _TWO_BYTES:
            return int.from_bytes(self._take(2), self.order, signed=signed)
        if head == _FOUR_BYTES:
            return int.from_bytes(self._take(4), self.order, signed=signed)
        return head - 256 if signed and head > 0x7F else head

    def _reference(self, head: int) -> int:
        """Return the number of a string or an object that was written before."""
        # Heads are signed: numbers go on from 0xFF to 0x00, and in two bytes from 238 on.
        number = self._integer(head) + 256 - _FIRST_REFERENCE
        if number < 0:
            raise ValueError("a reference is damaged")
        return number

    def _unshared(self) -> bytes:
        return self._take(self._integer(signed=False))

    def _shared(self) -> bytes | None:
        head = self._byte()
        if head == _NIL:
            return None
        if head == _NEW:
            self.strings.append(self._unshared())
            return self.strings[-1]
        return self.strings[self._reference(head)]

    def _class(self) -> tuple[str, ...]:
        head = self._byte()
        if head == _NIL:
            return ()
        if head != _NEW:
            known = self.objects[self._reference(head)]
            return known if isinstance(known, tuple) else ()
        name = (self._shared() or b"").decode("ascii", "replace")
        self._integer()
        place = len(self.objects)
        self.objects.append((name,))
        names = (name, *self._class())
        self.objects[place] = names
        return names

    def _object(self, depth: int) -> Any:
        head = self._byte()
        if head == _NIL:
            return None
        if head != _NEW:
            return self.objects[self._reference(head)]
        if depth > _MAX_DEPTH:
            raise ValueError("the body is nested too deeply")
        made = _Object((), [])
        self.objects.append(made)
        made.names = self._class()
        while self.raw[self.at] != _END:
            made.values += self._group(depth + 1)
        self.at += 1
        return made

    def _group(self, depth: int = 0) -> list[Any]:
        encoding = self._shared()
        if not encoding:
            raise ValueError("a type is missing")
        if encoding.startswith(b"["):
            found = re.fullmatch(rb"\[(\d{1,9})[cC]\]", encoding)
            if found is None:
                raise ValueError("a type is not known")
            return [self._take(int(found[1]))]
        return [self._value(kind, depth) for kind in encoding]

    def _value(self, kind: int, depth: int) -> Any:
        match chr(kind):
            case "@":
                return self._object(depth)
            case "+":
                return self._unshared()
            case "c" | "C" | "B":
                return self._byte()
            case "s" | "S" | "i" | "I" | "l" | "L" | "q" | "Q":
                return self._integer(signed=chr(kind).islower())
            case "f" | "d":
                return self._real(chr(kind))
            case "*":
                head = self._byte()
                if head == _NIL:
                    return None
                if head != _NEW:
                    return self.objects[self._reference(head)]
                text = self._shared()
                self.objects.append(text)
                return text
            case ":" | "%":
                return self._shared()
            case "#":
                return self._class()
        raise ValueError("a type is not known")

    def _real(self, kind: str) -> float:
        head = self._byte()
        if head != _REAL:
            return float(self._integer(head))
        order = "<" if self.order == "little" else ">"
        return float(struct.unpack(order + kind, self._take(4 if kind == "f" else 8))[0])


def _string(value: Any) -> str | None:
    if isinstance(value, _Object) and "NSString" in value.names:
        return next((one.decode("utf-8", "replace") for one in value.values if isinstance(one, bytes)), None)
    return None


def _mentioned(root: _Object) -> list[str]:
    """Return the values of the mention attribute in the dictionaries that describe runs of the text."""
    found = []
    for value in root.values:
        if isinstance(value, _Object) and "NSDictionary" in value.names:
            pairs = value.values[1:]
            for key, handle in zip(pairs[::2], pairs[1::2], strict=False):
                name = _string(handle)
                if _string(key) == _MENTION and name is not None:
                    found.append(name)
    return found
