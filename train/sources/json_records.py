"""Reads the records out of a huge JSON document: in pieces, at flat memory, past broken ones.

A streaming parser ends at the first broken byte and does not say which byte that was. This reader knows the
skeleton of the document (objects that hold an array of records) and hands the records on as raw bytes with
their offset, many at a time, so that msgspec decodes them in bulk and one broken record costs one record.

In a pretty-printed document the end of a record is the line that closes it at the indentation it opened at:
JSON strings hold no raw line breaks, so such a line is never text. In any other layout brackets are counted.
"""

import codecs
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

import msgspec

CHUNK_BYTES = 1 << 20
MAX_RECORD_BYTES = 64 << 20
"""A record longer than this is a sign that the file is broken, not of a long message."""

_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_WORD = re.compile(rb"[^\s,\[\]{}\":]++")
# The last branch is a quote whose string does not end in the window.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]|"', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(u[0-9a-fA-F]{4}|[\"\\/bfnrt])|(.?))", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


class Opened(msgspec.Struct, frozen=True):
    """An array of records begins in an object; `scalars` are the object's plain values before it."""

    path: tuple[str, ...]
    scalars: dict[str, Any]


class Closed(msgspec.Struct, frozen=True):
    """The object that held the records ended; `scalars` are all its plain values."""

    path: tuple[str, ...]
    scalars: dict[str, Any]


class Known(msgspec.Struct, frozen=True):
    """A value asked for by its key."""

    key: str
    value: Any


class Records(msgspec.Struct, frozen=True):
    """One or more whole records with the commas between them, and the byte offset of the first."""

    raw: bytes
    offset: int
    close: bytes | None
    """What ends each record, in a pretty-printed document."""

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        """Yield each record with its byte offset."""
        start = _past_comma(self.raw, 0)
        while start < len(self.raw):
            end = self._end(start)
            yield self.raw[start:end], self.offset + start
            start = _past_comma(self.raw, end)

    def _end(self, start: int) -> int:
        if self.close is not None:
            found = self.raw.find(self.close, start)
            return len(self.raw) if found < 0 else found + len(self.close)
        if self.raw[start : start + 1] not in (b"{", b"["):
            plain = _STRING.match(self.raw, start) or _WORD.match(self.raw, start)
            return plain.end() if plain else len(self.raw)
        end = _whole_values(self.raw, start, most=1)
        return len(self.raw) if end <= start else end


class Broken(msgspec.Struct, frozen=True):
    """The document breaks off at byte `offset`; `in_record` when that cuts a record."""

    offset: int
    in_record: bool
    detail: str


Piece = Opened | Closed | Known | Records | Broken


def read_records(
    stream: BinaryIO,
    *,
    records: str,
    descend: frozenset[str],
    know: frozenset[str] = frozenset(),
    progress: Callable[[int], None] | None = None,
) -> Iterator[Piece]:
    """Yield the pieces of the document in `stream`.

    `records` is the key of the arrays of records ("" where the document itself is one), `descend` the keys on the
    way to them, `know` the keys whose values are handed on whole. Everything else is passed over without being held.
    """
    window = _Window(stream, progress)
    try:
        if not records and window.peek() == b"[":
            yield Opened((), {})
            yield from _records(window)
            return
        yield from _walk(window, (), records, descend, know)
    except _BrokenDocumentError as error:
        yield Broken(window.offset, error.in_record, str(error))


def as_utf8(start: bytes) -> bytes:
    """Return the beginning of a file as `open_as_utf8` reads it."""
    return open_as_utf8(io.BytesIO(start)).read()


def open_as_utf8(stream: BinaryIO) -> BinaryIO:
    """Return `stream` past its byte order mark, recoded to UTF-8 when it is UTF-16."""
    start = stream.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        stream.seek(0)
        return cast(BinaryIO, codecs.EncodedFile(stream, "utf-8", "utf-16", errors="replace"))
    if start[:2] in (b"{\0", b"[\0") or start[:2] in (b"\0{", b"\0["):
        stream.seek(0)
        encoding = "utf-16-le" if start[1:2] == b"\0" else "utf-16-be"
        return cast(BinaryIO, codecs.EncodedFile(stream, "utf-8", encoding, errors="replace"))
    stream.seek(3 if start.startswith(codecs.BOM_UTF8) else 0)
    return stream


def mend(raw: bytes) -> Any:
    r"""Return the JSON value in `raw` after repairing what exporters are known to get wrong.

    Telegram Desktop writes control characters as `\xNN`, which JSON does not know; other unknown escapes
    keep their backslash. Bytes that are not UTF-8 and halves of surrogate pairs become U+FFFD.
    Raises ValueError when it is still not JSON, or nested deeper than anything that was meant to be read.
    """
    text = _ESCAPE.sub(_mended_escape, raw.decode("utf-8", "replace"))
    try:
        return _whole_pairs(json.loads(text, strict=False))
    except RecursionError:
        raise ValueError("brackets in brackets without end") from None


def _mended_escape(found: re.Match[str]) -> str:
    control, known, unknown = found.groups()
    if control is not None:
        return f"\\u00{control}"
    return f"\\{known}" if known is not None else f"\\\\{unknown}"


def _whole_pairs(value: Any) -> Any:
    if isinstance(value, str):
        if not _SURROGATE.search(value):
            return value
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole_pairs(item) for item in value]
    if isinstance(value, dict):
        return {_whole_pairs(key): _whole_pairs(item) for key, item in value.items()}
    return value


class _BrokenDocumentError(Exception):
    def __init__(self, detail: str, *, in_record: bool = False) -> None:
        super().__init__(detail)
        self.in_record = in_record


class _Window:
    """The part of the document in memory: `data` from byte `base` on, read up to index `pos`."""

    def __init__(self, stream: BinaryIO, progress: Callable[[int], None] | None) -> None:
        self.stream = stream
        self.progress = progress
        # A byte order mark was passed over before; offsets count from the start of the file.
        self.base = stream.tell()
        self.data = b""
        self.pos = 0
        self.gap = b""

    @property
    def offset(self) -> int:
        return self.base + self.pos

    def more(self) -> bool:
        """Forget what was read, take in another chunk; False at the end of the file."""
        # As much again as is held of a long record: looking through it each time stays in proportion.
        chunk = self.stream.read(max(CHUNK_BYTES, len(self.data) - self.pos))
        if not chunk:
            return False
        if self.progress is not None:
            self.progress(len(chunk))
        self.base += self.pos
        self.data = self.data[self.pos :] + chunk
        self.pos = 0
        return True

    def peek(self) -> bytes:
        """Go to the next byte that is not blank and return it (b"" at the end); `gap` is the blank before."""
        gap = b""
        while True:
            found = cast(re.Match[bytes], _SPACE.match(self.data, self.pos))
            gap += found.group()
            self.pos = found.end()
            if self.pos < len(self.data):
                self.gap = gap
                return self.data[self.pos : self.pos + 1]
            if not self.more():
                return b""

    def expect(self, byte: bytes) -> None:
        found = self.peek()
        if found != byte:
            raise _BrokenDocumentError("the file ends too early" if not found else "this is not JSON")
        self.pos += 1

    def take(self) -> Any:
        """Return the value that stands here, decoded, and go past it."""
        while True:
            end = self._value_end()
            if end > 0:
                break
            if len(self.data) - self.pos > MAX_RECORD_BYTES or not self.more():
                raise _BrokenDocumentError("the file ends too early")
        raw = self.data[self.pos : end]
        try:
            value = mend(raw)
        except ValueError:
            raise _BrokenDocumentError("this is not JSON") from None
        self.pos = end
        return value

    def _value_end(self) -> int:
        first = self.data[self.pos : self.pos + 1]
        if first in (b"{", b"["):
            return _whole_values(self.data, self.pos, most=1)
        if first == b'"':
            string = _STRING.match(self.data, self.pos)
            return string.end() if string else -1
        word = _WORD.match(self.data, self.pos)
        if word is None:
            raise _BrokenDocumentError("this is not JSON")
        return word.end() if word.end() < len(self.data) else -1

    def skip(self) -> None:
        """Go past the object or array that stands here, however long, without holding it."""
        depth = 0
        while True:
            for token in _TOKEN.finditer(self.data, self.pos):
                mark = token.group()
                if mark == b'"':
                    self.pos = token.start()
                    break
                self.pos = token.end()
                if mark in (b"{", b"["):
                    depth += 1
                elif mark in (b"}", b"]"):
                    depth -= 1
                    if depth == 0:
                        return
            if len(self.data) - self.pos > MAX_RECORD_BYTES or not self.more():
                raise _BrokenDocumentError("the file ends too early")


def _walk(
    window: _Window, path: tuple[str, ...], records: str, descend: frozenset[str], know: frozenset[str]
) -> Iterator[Piece]:
    first = window.peek()
    if first == b"{":
        yield from _object(window, path, records, descend, know)
    elif first == b"[":
        window.pos += 1
        while (byte := window.peek()) != b"]":
            if byte == b",":
                window.pos += 1
            elif byte == b"{":
                yield from _object(window, path, records, descend, know)
            else:
                window.take()
        window.pos += 1
    else:
        window.take()


def _object(
    window: _Window, path: tuple[str, ...], records: str, descend: frozenset[str], know: frozenset[str]
) -> Iterator[Piece]:
    window.pos += 1
    scalars: dict[str, Any] = {}
    held_records = False
    while (byte := window.peek()) != b"}":
        if byte == b",":
            window.pos += 1
            continue
        if byte != b'"':
            raise _BrokenDocumentError("the file ends too early" if not byte else "this is not JSON")
        key = window.take()
        window.expect(b":")
        byte = window.peek()
        if key == records and byte == b"[":
            held_records = True
            yield Opened(path, dict(scalars))
            yield from _records(window)
        elif key in descend and byte in (b"{", b"["):
            yield from _walk(window, (*path, key), records, descend, know)
        elif key in know:
            yield Known(key, window.take())
        elif byte in (b"{", b"["):
            window.skip()
        else:
            scalars[key] = window.take()
    window.pos += 1
    if held_records:
        yield Closed(path, scalars)


def _records(window: _Window) -> Iterator[Records]:
    window.pos += 1
    close: bytes | None = None
    last: re.Pattern[bytes] | None = None
    while (byte := window.peek()) != b"]":
        if byte == b",":
            window.pos += 1
            continue
        if byte == b"{" and close is None and (indent := _indent(window)):
            close = b"\n" + indent + b"}"
            # After every record but the last of its array stands a comma.
            last = re.compile(re.escape(close) + rb"(?!,)")
        used, end = _run(window, close, last)
        while end <= window.pos and len(window.data) - window.pos <= MAX_RECORD_BYTES and window.more():
            used, end = _run(window, close, last)
        if end <= window.pos:
            # The end of the file: what no line closes can still be whole in another layout.
            used, end = _run(window, None, None)
        if not byte or end <= window.pos:
            raise _BrokenDocumentError("the file ends too early", in_record=bool(byte))
        yield Records(window.data[window.pos : end], window.offset, used)
        window.pos = end
    window.pos += 1


def _indent(window: _Window) -> bytes:
    """Return what stands before the record on its line; nothing unless the record begins and goes on pretty."""
    _, newline, indent = window.gap.rpartition(b"\n")
    after = window.data[window.pos + 1 : window.pos + 2]
    return indent if newline and after in (b"\n", b"\r") else b""


def _run(window: _Window, close: bytes | None, last: re.Pattern[bytes] | None) -> tuple[bytes | None, int]:
    """Return what ends each record, if that is a line, and the index where the last whole record ends."""
    data, pos = window.data, window.pos
    if close is not None and last is not None and data.startswith(b"{", pos):
        found = last.search(data, pos)
        end = found.end() if found else data.rfind(close, pos) + len(close)
        return close, end if end >= pos + len(close) else -1
    if data.startswith((b"{", b"["), pos):
        return None, _whole_values(data, pos)
    return None, window._value_end() if pos < len(data) else -1


def _whole_values(data: bytes, start: int, most: int | None = None) -> int:
    """Return the index after the last whole object or array from `start` on, -1 when none is whole.

    Stops at the bracket that closes the array around them, and after `most` values.
    """
    depth, end, count = 0, -1, 0
    for token in _TOKEN.finditer(data, start):
        mark = token.group()
        if mark == b"{" or mark == b"[":
            depth += 1
        elif mark == b"}" or mark == b"]":
            depth -= 1
            if depth < 0:
                return end
            if depth == 0:
                end = token.end()
                count += 1
                if count == most:
                    return end
        elif mark == b'"':
            return end
    return end


def _past_comma(raw: bytes, start: int) -> int:
    while start < len(raw) and raw[start : start + 1] in (b",", b" ", b"\n", b"\r", b"\t"):
        start += 1
    return start
