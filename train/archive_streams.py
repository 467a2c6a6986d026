"""A file inside an archive as a stream that can be read from anywhere, without being unpacked.

An archive in an archive is read from its end, where its list of files is, and then here and there. Undoing the
compression only goes forwards; so the state of the decoder is kept every 16 MiB, and reading goes on from there.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from bisect import bisect_right
from pathlib import Path
from typing import Any, BinaryIO

STEP_BYTES = 16 << 20
"""Between two kept states: the most that is decoded to get anywhere. A state takes about 40 KiB."""
_IN_BYTES, _OUT_BYTES = 1 << 16, 1 << 20
_HEADER_BYTES = 30
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""The ways of packing that can be read from anywhere: those that every archiver uses."""


def open_anywhere(file: Path, info: zipfile.ZipInfo) -> BinaryIO:
    """Return a member of the archive at `file` as a seekable stream; `info` is of one of `METHODS`.

    Reading raises BadZipFile where it is damaged. Its checksum is not looked at: it is an archive, and what is in that
    has checksums of its own.
    """
    raw = file.open("rb")
    try:
        raw.seek(info.header_offset)
        header = raw.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES or not header.startswith(b"PK\x03\x04"):
            raise zipfile.BadZipFile(f"{info.filename} is not where the list of files says")
        # A name and an extra field stand between the header and the data; the list's own may differ in length.
        start = (
            info.header_offset
            + _HEADER_BYTES
            + int.from_bytes(header[26:28], "little")
            + int.from_bytes(header[28:30], "little")
        )
        stored = info.compress_type == zipfile.ZIP_STORED
        return io.BufferedReader((_Stored if stored else _Inflated)(raw, start, info), _IN_BYTES)
    except BaseException:
        raw.close()
        raise


class _Stored(io.RawIOBase):
    """The bytes of a member as they lie there."""

    def __init__(self, raw: BinaryIO, start: int, info: zipfile.ZipInfo) -> None:
        self._raw = raw
        self._start = start
        self._size = info.file_size
        self._packed = info.compress_size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._read(min(len(buffer), max(0, self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _read(self, count: int) -> bytes:
        self._raw.seek(self._start + self._at)
        return self._raw.read(count)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Inflated(_Stored):
    """The bytes of a member that was deflated, from any place on."""

    def __init__(self, raw: BinaryIO, start: int, info: zipfile.ZipInfo) -> None:
        super().__init__(raw, start, info)
        # Where each state stands in what comes out and in what goes in, and what it has not looked at yet.
        self._states: list[tuple[int, int, bytes, Any]] = [(0, 0, b"", zlib.decompressobj(-zlib.MAX_WBITS))]
        self._go_back(0)

    def _go_back(self, place: int) -> None:
        number = bisect_right(self._states, place, key=lambda state: state[0]) - 1
        self._out_at, self._in_at, self._left, state = self._states[number]
        self._decoder = state.copy()
        self._out = b""

    def _read(self, count: int) -> bytes:
        nearest = bisect_right(self._states, self._at, key=lambda state: state[0]) - 1
        if self._at < self._out_at or self._states[nearest][0] > self._out_at + len(self._out):
            self._go_back(self._at)
        while self._at >= self._out_at + len(self._out):
            if not self._decode_more():
                return b""
        skipped = self._at - self._out_at
        return self._out[skipped : skipped + count]

    def _decode_more(self) -> bool:
        """Decode the next piece; False at the end of the data."""
        self._out_at += len(self._out)
        self._out = b""
        while not self._out:
            if self._decoder.eof:
                return False
            if self._out_at - self._states[-1][0] >= STEP_BYTES:
                self._states.append((self._out_at, self._in_at, self._left, self._decoder.copy()))
            data = self._left
            if not data:
                self._raw.seek(self._start + self._in_at)
                data = self._raw.read(min(_IN_BYTES, self._packed - self._in_at))
                self._in_at += len(data)
                if not data:
                    return False
            try:
                self._out = self._decoder.decompress(data, _OUT_BYTES)
            except zlib.error as error:
                raise zipfile.BadZipFile(f"it is damaged: {error}") from error
            self._left = self._decoder.unconsumed_tail
        return True
