"""Opens the text of a WhatsApp export, in a file or inside the archive that phones share.

An archive is read in place. Nothing is ever unpacked, so names that point out of it lead nowhere.
"""

import codecs
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from persona.errors import UserError
from train.sources.whatsapp_words import chat_name

MAX_TEXT_BYTES = 1 << 30
"""An archive's text is not read when it claims to be longer: WhatsApp exports at most 40,000 messages."""


def text_lines(path: Path, tears: list[str] | None = None) -> Iterator[str]:
    """Yield the lines of the export at `path` with their line ends.

    Where an archive turns out to be damaged the lines end, and what is wrong is added to `tears`. Raises
    UserError when it cannot be opened at all.
    """
    with _open_text(path) as stream:
        try:
            yield from stream
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            if tears is not None:
                tears.append(f"the archive is damaged: {error}")


def chat_member(path: Path) -> zipfile.ZipInfo | None:
    """Return the text export in an archive, None when it holds none; a UserError when it is broken."""
    with _open_archive(path) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            name = info.filename.rpartition("/")[2]
            if name == "_chat.txt" or (name.lower().endswith(".txt") and chat_name(name[:-4])):
                return info
    return None


def torn_end(path: Path) -> int | None:
    """Return the byte at which a text file ends inside a letter, the one way to tell that it is torn."""
    if path.suffix.lower() == ".zip":
        return None
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


@contextmanager
def _open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise UserError(f"{path} is broken: {error}.", "Export the chat again.") from error
    with archive:
        yield archive


@contextmanager
def _open_text(path: Path) -> Iterator[IO[str]]:
    if path.suffix.lower() != ".zip":
        with path.open("rb") as raw:
            yield _as_text(raw, raw.peek(2)[:2])
        return
    info = chat_member(path)
    if info is None:
        raise UserError(f"There is no chat in {path}.", "It should hold a file _chat.txt.")
    if info.file_size > MAX_TEXT_BYTES:
        raise UserError(f"The chat in {path} claims to be larger than 1 GiB.", "Unpack it and look.")
    if info.flag_bits & 1:
        raise UserError(f"{path} has a password.", "Unpack it and import the folder.")
    with _open_archive(path) as archive:
        try:
            member = archive.open(info)
            start = cast(io.BufferedReader, member).peek(2)[:2]
        except (NotImplementedError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UserError(f"{path} cannot be unpacked: {error}.", "Export the chat again.") from error
        with member:
            yield _as_text(member, start)


def _as_text(raw: IO[bytes], start: bytes) -> IO[str]:
    utf16 = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    # Only a newline ends a line: U+2028 and a lone carriage return belong to the message.
    return io.TextIOWrapper(raw, "utf-16" if utf16 else "utf-8-sig", errors="replace", newline="\n")
