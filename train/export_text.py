"""The lines of a text export, whatever it is encoded in and wherever it lies."""

import codecs
import io
from collections.abc import Iterator
from functools import partial
from typing import IO

from train.export_files import ArchivePath, ExportPath, TornFileError

MAX_LINE_CHARS = 1 << 25
"""A longer line is no message, and would have to be held whole."""


def text_lines(path: ExportPath, tears: list[str] | None = None) -> Iterator[str]:
    """Yield the lines of a text with their line ends: UTF-8, or UTF-16 with its mark; broken bytes are U+FFFD.

    Where the file turns out to be damaged the lines end, and what is wrong is added to `tears`.
    """
    with path.open("rb") as raw:
        try:
            text = _as_text(raw, raw.peek(2)[:2])
            for number, line in enumerate(iter(partial(text.readline, MAX_LINE_CHARS), ""), 1):
                if len(line) == MAX_LINE_CHARS:
                    raise TornFileError(f"line {number} of {path.name} is longer than 32 MiB, which is no text")
                yield line
        except TornFileError as error:
            if tears is not None:
                tears.append(str(error))


def torn_end(path: ExportPath) -> int | None:
    """Return the byte at which a text file ends inside a letter, the one way to tell that it is torn."""
    if isinstance(path, ArchivePath):
        return None  # the archive's own checksum tells
    with path.open("rb") as raw:
        if raw.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return None
        size = raw.seek(0, io.SEEK_END)
        raw.seek(max(0, size - 4))
        end = raw.read()
    decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
    decoder.decode(end)
    left = len(decoder.getstate()[0])
    return size - left if left else None


def _as_text(raw: io.BufferedReader, start: bytes) -> IO[str]:
    utf16 = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    # Only a newline ends a line: U+2028 and a lone carriage return belong to the message.
    return io.TextIOWrapper(raw, "utf-16" if utf16 else "utf-8-sig", errors="replace", newline="\n")
