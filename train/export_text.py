"""The lines of a text export, whatever it is encoded in and wherever it lies."""

import codecs
import io
from collections.abc import Callable, Iterator
from typing import IO

from train.export_files import ArchivePath, ExportPath, TornFileError

_BLOCK_BYTES = 1 << 16
MAX_LINE_CHARS = MAX_LINE_BYTES = 1 << 25
"""A longer line is no message, and would have to be held whole."""


def text_lines(path: ExportPath, tears: list[str] | None = None) -> Iterator[str]:
    """Yield the lines of a text with their line ends: UTF-8, or UTF-16 with its mark; broken bytes are U+FFFD.

    Where the file turns out to be damaged the lines end, and what is wrong is added to `tears`.
    """
    with path.open("rb") as raw:
        try:
            start = raw.peek(2)[:2]
            yield from _as_text(_WithoutEndlessLines(raw, path.name), start)
        except TornFileError as error:
            if tears is not None:
                tears.append(str(error))


def text_blocks(
    path: ExportPath, tears: list[str] | None = None, progress: Callable[[int], None] | None = None
) -> Iterator[str]:
    """Yield what `text_lines` yields, many whole lines at once: some 64 KiB, or the one line that is longer.

    `progress` is told how many bytes were read since it was last told.
    """
    with path.open("rb") as raw:
        lines = _WithoutEndlessLines(raw, path.name)
        begun: list[str] = []
        try:
            encoding = "utf-16" if _is_utf16(raw.peek(2)[:2]) else "utf-8-sig"
            decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
            while data := lines.read1(_BLOCK_BYTES):
                if progress is not None:
                    progress(len(data))
                text = decoder.decode(data)
                end = text.rfind("\n") + 1
                if end:
                    yield "".join([*begun, text[:end]])
                    begun = [text[end:]]
                else:
                    begun.append(text)
            if last := "".join([*begun, decoder.decode(b"", final=True)]):
                yield last
        except TornFileError as error:
            if tears is not None:
                tears.append(str(error))


def torn_end(path: ExportPath) -> int | None:
    """Return the byte at which a text file ends inside a letter, the one way to tell that it is torn."""
    if isinstance(path, ArchivePath):
        return None  # the archive's own checksum tells
    with path.open("rb") as raw:
        if _is_utf16(raw.read(2)):
            return None
        size = raw.seek(0, io.SEEK_END)
        raw.seek(max(0, size - 4))
        end = raw.read()
    decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
    decoder.decode(end)
    left = len(decoder.getstate()[0])
    return size - left if left else None


class _WithoutEndlessLines(io.BufferedIOBase):
    """Hands bytes on until there is no end of line in 32 MiB of them; counting here costs nothing for each line."""

    def __init__(self, raw: IO[bytes], name: str) -> None:
        self._raw = raw
        self._name = name
        self._since = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def read1(self, size: int = -1, /) -> bytes:
        """Return some bytes. Raises TornFileError inside a line that is too long to be held."""
        data = self._raw.read1(size)  # type: ignore[attr-defined]
        self._since = 0 if b"\n" in data else self._since + len(data)
        if self._since > MAX_LINE_BYTES:
            raise TornFileError(f"a line of {self._name} is longer than 32 MiB, which is no text")
        return bytes(data)


def _is_utf16(start: bytes) -> bool:
    return start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _as_text(raw: _WithoutEndlessLines, start: bytes) -> IO[str]:
    # Only a newline ends a line: U+2028 and a lone carriage return belong to the message.
    return io.TextIOWrapper(
        raw,  # type: ignore[type-var]
        "utf-16" if _is_utf16(start) else "utf-8-sig",
        errors="replace",
        newline="\n",
    )
