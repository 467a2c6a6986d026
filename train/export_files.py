"""The files of an export, wherever they lie: in a folder, or in the archive they came in.

An archive is read in place, and so is one that lies in another (not deeper: those are named). Nothing is ever unpacked,
so names that point out of it lead nowhere, and a file that claims to be hundreds of times larger than what holds it is
not read.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, cast
from weakref import WeakValueDictionary

from persona.errors import UserError
from train.archive_streams import METHODS, open_anywhere

BOMB_BYTES = 256 << 20
BOMB_RATIO = 150
"""Chats shrink five to forty times in an archive; what claims to be this much larger was made to fill a disk."""
MAX_MEMBERS = 1_000_000
_CHATS_WITH = {"files": ("result.json", "messages.html"), "media": ("chat.md", "index.md")}
"""The folders in which Telegram's exports and signal-export put what was sent, by what lies beside them."""
SHOWN = 5
"""Names given of those that are passed over; of the others the number."""
_ENCRYPTED = 1
"""The bit of a member's flags that says it needs a password."""


class TornFileError(Exception):
    """A file of an export breaks off or is damaged; what was read of it so far is good."""


class ArchivePath:
    """A file or folder inside an archive, with those parts of `pathlib.Path` that reading needs.

    The root is named like the archive without its ending, as if it had been unpacked into a folder.
    """

    __slots__ = ("_archive", "_at")

    def __init__(self, archive: _Archive, at: str = "") -> None:
        """Point at `at` in an archive; `open_archive` gives the root."""
        self._archive = archive
        self._at = at

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self._at.rpartition("/")[2] if self._at else self._archive.path.stem

    @property
    def suffix(self) -> str:
        """The ending of the name with its dot, as `Path.suffix`."""
        return Path(self.name).suffix if self._at else ""

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return Path(self.name).stem if self._at else self.name

    @property
    def parent(self) -> ArchivePath:
        """The folder around it; the root's is the root."""
        return ArchivePath(self._archive, self._at.rpartition("/")[0])

    @property
    def archive(self) -> Path:
        """The archive itself: the file on the disk, also where this lies in an archive in it."""
        return self._archive.file

    @property
    def member(self) -> str:
        """The name of the file or folder within the archive; the root's is empty."""
        return self._at

    def exists(self) -> bool:
        """Return whether there is such a file or folder."""
        return self.is_file() or self.is_dir()

    def is_file(self) -> bool:
        """Return whether it is a file."""
        return self._at in self._archive.files

    def is_dir(self) -> bool:
        """Return whether it is a folder, the root or one that holds something."""
        return not self._at or self._at in self._archive.folders

    def is_symlink(self) -> bool:
        """Return False: links are passed over when an archive is opened."""
        return False

    def iterdir(self) -> Iterator[ArchivePath]:
        """Yield what is in the folder, by name."""
        for name in sorted(self._archive.folders.get(self._at, ())):
            yield self / name

    def __reduce__(self) -> tuple[Callable[..., ArchivePath], tuple[Path, tuple[str, ...], str]]:
        """Hand it to another process as a place on the disk, which opens the archive anew."""
        inside: list[str] = []
        archive = self._archive
        while archive.outer is not None:
            inside.insert(0, archive.at)
            archive = archive.outer
        return _opened_anew, (archive.file, tuple(inside), self._at)

    def __truediv__(self, name: str) -> ArchivePath:
        return ArchivePath(self._archive, f"{self._at}/{name}" if self._at else name)

    def open(self, mode: str = "rb") -> io.BufferedReader:
        """Open the file for reading bytes. Raises UserError when it has a password or is a bomb.

        Reading raises TornFileError where the archive is damaged.
        """
        if mode != "rb":
            raise ValueError("archives are opened for reading bytes")
        return self._archive.open(self._at)

    def size(self) -> int:
        """Return how many bytes the file has."""
        return self._archive.files[self._at].file_size

    def __lt__(self, other: ArchivePath) -> bool:
        return str(self) < str(other)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArchivePath) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return f"{self._archive.path}/{self._at}" if self._at else str(self._archive.path)

    def __repr__(self) -> str:
        return f"ArchivePath({str(self)!r})"


ExportPath = Path | ArchivePath


def children(path: ExportPath) -> list[ExportPath]:
    """Return the files and folders in a folder, by name: no links, and nothing that is neither (pipes, sockets)."""
    if isinstance(path, ArchivePath):
        return list(path.iterdir())
    with os.scandir(path) as inside:
        names = sorted(one.name for one in inside if not one.is_symlink() and (one.is_file() or one.is_dir()))
    return [path / name for name in names]


def passed_over(path: ExportPath) -> list[str]:
    """Say what of a folder (to any depth) or an archive is never read: a sentence for each reason, with the places."""
    found: dict[str, list[str]] = {}
    for reason, place in _out_of_the_archive(path) if isinstance(path, ArchivePath) else _out_of_the_folder(path):
        found.setdefault(reason, []).append(place)
    at = path.archive if isinstance(path, ArchivePath) else path
    return [
        f"{at}: passed over as {reason}: {', '.join(places[:SHOWN])}"
        + (f" and {len(places) - SHOWN} more." if len(places) > SHOWN else ".")
        for reason, places in found.items()
    ]


def _out_of_the_folder(folder: Path) -> Iterator[tuple[str, str]]:
    if not folder.is_dir():
        return
    for around, _, _ in os.walk(folder):
        try:
            with os.scandir(around) as inside:
                for one in sorted(inside, key=lambda one: one.name):
                    place = str(Path(one.path).relative_to(folder))
                    if one.is_symlink():
                        yield "links", place
                    elif not one.is_file() and not one.is_dir():
                        yield "no files", place
                    elif not os.access(one.path, os.R_OK):
                        yield "not readable", place
                    elif one.name.lower().endswith(".zip") and one.is_file() and not zipfile.is_zipfile(one.path):
                        yield "broken archives", place
        except OSError:
            continue  # noted where its own folder was looked through


def _out_of_the_archive(path: ArchivePath) -> Iterator[tuple[str, str]]:
    archive = path._archive
    files = archive.files  # finds those that are unsafe
    for name in archive.unsafe:
        yield "links or names that lead out of it", name.encode("unicode_escape").decode()
    for name, info in files.items():
        if info.flag_bits & _ENCRYPTED:
            yield "locked with a password", name
        elif archive.is_bomb(info):
            yield "claiming to unpack to far more than they hold", name
        elif name in archive.broken:
            yield archive.broken[name], name
        elif name in archive.inner:
            for reason, place in _out_of_the_archive(ArchivePath(archive.inner[name])):
                yield reason, f"{name}/{place}"
        elif name.lower().endswith(".zip"):
            # Too deep, or a file that was sent in a chat.
            yield "archives in an archive", name


def start_of(path: ExportPath, count: int = 4096) -> bytes:
    """Return the first bytes of a file, nothing where there is none or it cannot be read. For `Source.detect`."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as stream:
            return stream.read(count)
    except (OSError, UserError, TornFileError):
        return b""


def size_of(path: ExportPath) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(size_of(inner) for inner in children(path))
    return path.size() if isinstance(path, ArchivePath) else path.stat().st_size


def is_archive(path: ExportPath) -> bool:
    """Return whether `path` is a file that should be an archive, by its ending, and is to be opened.

    Of those in archives that is one deep, and no file that was sent in a chat: chats in such a one are somebody else's.
    """
    if path.suffix.lower() != ".zip" or not path.is_file():
        return False
    return isinstance(path, Path) or (path._archive.outer is None and not _was_sent(path))


def is_attachment(path: Path) -> bool:
    """Return whether a file of a folder on the disk lies where an export puts what was sent in a chat."""
    return any((path.parent.parent / one).is_file() for one in _CHATS_WITH.get(path.parent.name, ()))


def _was_sent(path: ArchivePath) -> bool:
    """Return whether a file is an attachment: it lies where an export puts those."""
    archive, folder = path._archive, path.parent.member
    if folder not in archive.sent:
        around, _, name = folder.rpartition("/")
        beside = archive.folders[folder]
        above = archive.folders[around] if folder else set()
        archive.sent[folder] = not above.isdisjoint(_CHATS_WITH.get(name, ())) or any(
            one == "_chat.txt" or ("whatsapp" in one and one.endswith(".txt")) for one in map(str.lower, beside)
        )
    return archive.sent[folder]


def open_archive(path: ExportPath) -> ArchivePath:
    """Return the root of an archive. Raises UserError when it is none, is a bomb, or is broken beyond reading."""
    if isinstance(path, ArchivePath):
        return ArchivePath(path._archive.opened(path.member))
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns)
    # As long as somebody holds it: what was opened in it is known to whoever asks what was passed over.
    archive = _open.get(key)
    if archive is None:
        archive = _open[key] = _Archive(path)
    return ArchivePath(archive)


def _opened_anew(file: Path, inside: tuple[str, ...], at: str) -> ArchivePath:
    """Return `at` in an archive, or in one that lies in it: `inside` are the names on the way, outermost first."""
    root = open_archive(file)
    for name in inside:
        root = open_archive(ArchivePath(root._archive, name))
    return ArchivePath(root._archive, at)


class _Archive:
    """One open archive and the tree of its names."""

    def __init__(self, path: Path, outer: _Archive | None = None, info: zipfile.ZipInfo | None = None) -> None:
        """Open the archive at `path`, which is `info` in `outer` where it lies in another."""
        self.path = path
        self.file: Path = path if outer is None else outer.file
        self.outer = outer
        self.at = "" if info is None else info.filename
        self.shrunk = 1.0
        """The share of its bytes that an archive in an archive takes up."""
        try:
            if info is None:
                self.zip = zipfile.ZipFile(path)
            else:
                self.shrunk = min(1.0, info.compress_size / max(info.file_size, 1))
                self.zip = zipfile.ZipFile(open_anywhere(self.file, info))
        except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
            raise UserError(f"{path} is a broken archive: {error}.", "Export or download it again.") from error
        if len(self.zip.infolist()) > MAX_MEMBERS:
            raise UserError(f"{path} holds more than a million files.", "Unpack what you need of it.")
        self.unsafe: list[str] = []
        """Names that lead out of the archive, and links."""
        self.inner: dict[str, _Archive] = {}
        """Archives in it that were opened."""
        self.sent: dict[str, bool] = {}
        """Whether what lies in a folder was sent in a chat, for those that were looked at."""
        self.broken: dict[str, str] = {}
        """Archives in it that could not be opened, and what they are instead."""

    def opened(self, at: str) -> _Archive:
        """Return the archive that lies in this one at `at`."""
        if at in self.inner:
            return self.inner[at]
        info = self.files[at]
        place = f"{at} in {self.path}"
        hint = "Unpack it yourself if it is real."
        if info.flag_bits & _ENCRYPTED:
            raise UserError(f"{place} has a password.", "Unpack the archive and import the folder.")
        if info.compress_type not in METHODS:
            self.broken[at] = "archives packed in a way that can only be read from the beginning"
            raise UserError(f"{place} cannot be read where it lies.", "Unpack the archive and import the folder.")
        if self.is_bomb(info):
            raise UserError(f"{place} claims to unpack to far more than it holds; it is not read.", hint)
        try:
            inner = _Archive(Path(f"{self.path}/{at}"), self, info)
        except UserError:
            self.broken[at] = "broken archives"
            raise
        # One by one they may be small: what counts is what all of them would fill from what is really there.
        claimed = sum(one.file_size for one in inner.zip.infolist())
        if claimed > BOMB_BYTES and claimed > BOMB_RATIO * max(info.compress_size, 1):
            self.broken[at] = "claiming to unpack to far more than they hold"
            raise UserError(f"{place} claims to unpack to far more than it holds; it is not read.", hint)
        self.inner[at] = inner
        return inner

    def is_bomb(self, info: zipfile.ZipInfo) -> bool:
        """Return whether a file claims to be far larger than anything that shrinks to its size."""
        return info.file_size > BOMB_BYTES and info.file_size > BOMB_RATIO * max(info.compress_size * self.shrunk, 1)

    @cached_property
    def files(self) -> dict[str, zipfile.ZipInfo]:
        found = {}
        for info in self.zip.infolist():
            name = info.filename.rstrip("/")
            parts = name.split("/")
            link = stat.S_ISLNK(info.external_attr >> 16)
            if link or not name or any(part in ("", ".", "..") for part in parts) or _leads_out(name):
                self.unsafe.append(info.filename)
            elif not info.is_dir():
                found[name] = info
        return found

    @cached_property
    def folders(self) -> dict[str, set[str]]:
        """The names in each folder; "" is the root."""
        tree: dict[str, set[str]] = {"": set()}
        for name in self.files:
            while name:
                folder, _, last = name.rpartition("/")
                names = tree.setdefault(folder, set())
                if last in names:
                    break
                names.add(last)
                name = folder
        return tree

    def open(self, at: str) -> io.BufferedReader:
        info = self.files.get(at)
        if info is None:
            raise FileNotFoundError(2, "no such file in the archive", f"{self.path}/{at}")
        place = f"{at} in {self.path}"
        if info.flag_bits & _ENCRYPTED:
            raise UserError(f"{place} has a password.", "Unpack the archive and import the folder.")
        if self.is_bomb(info):
            size = f"{info.file_size / 2**30:,.1f} GiB from {info.compress_size / 2**20:,.1f} MiB"
            raise UserError(f"{place} claims to unpack to {size}; it is not read.", "Unpack it yourself if it is real.")
        try:
            return io.BufferedReader(cast(io.RawIOBase, _Member(self.zip.open(info), place)), 1 << 16)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
            raise UserError(f"{place} cannot be unpacked: {error}.", "Export or download it again.") from error


_open: WeakValueDictionary[tuple[str, int, int], _Archive] = WeakValueDictionary()


def _leads_out(name: str) -> bool:
    return "\\" in name or "\0" in name or (len(name) > 1 and name[1] == ":")


class _Member(io.RawIOBase):
    """A member of an archive as a raw stream; damage is a TornFileError whatever the compression calls it."""

    def __init__(self, stream: IO[bytes], place: str) -> None:
        self.stream = stream
        self.place = place

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        try:
            data = self.stream.read(len(buffer))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            raise TornFileError(f"{self.place} is damaged: {error}") from error
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self.stream.seek(offset, whence)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise TornFileError(f"{self.place} is damaged: {error}") from error

    def tell(self) -> int:
        return self.stream.tell()

    def close(self) -> None:
        self.stream.close()
        super().close()
