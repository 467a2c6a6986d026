"""Tar files that are the same for the same content, and that are taken apart without trusting them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from train.bundle.sealing import private_file

FIXED_TIME = 0
MOST_FILES = 10_000


class ArchiveError(Exception):
    """A file is not an archive that we wrote, or not whole; the message says why in one line."""


def write_tar(out: Path, members: Mapping[str, Path | bytes], *, compress: bool = False) -> None:
    """Write `members` (paths inside the archive, and what stands there) to `out`, whole or not at all.

    The same members give the same bytes: in order of their paths, with no owner, time or mode of this machine.
    """
    draft = out.with_name(f"{out.name}.part")
    try:
        with private_file(draft) as file:
            if compress:
                # Level 1: weights hardly get smaller at any level, and text gets to half at this one.
                with gzip.GzipFile("", "wb", 1, file, mtime=FIXED_TIME) as packed:
                    _write(packed, members)
            else:
                _write(file, members)
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


def _write(file: BinaryIO | gzip.GzipFile, members: Mapping[str, Path | bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(members):
            content = members[name]
            entry = tarfile.TarInfo(name)
            entry.mode, entry.mtime = 0o600, FIXED_TIME
            if isinstance(content, bytes):
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            else:
                entry.size = content.stat().st_size
                with content.open("rb") as source:
                    archive.addfile(entry, source)


def extract(path: Path, into: Path) -> set[str]:
    """Unpack the tar file `path` (gzip or not) into folder `into`; the paths of what was in it.

    Plain files alone, each inside `into` and each once: links, devices and paths that lead out are refused.

    Raises:
        ArchiveError: it is no tar file, breaks off, or holds something else.
        OSError: it cannot be read, or something not written.
    """
    names: set[str] = set()
    try:
        with tarfile.open(path, "r|*") as archive:
            for entry in archive:
                _check(path, entry, names)
                place = into / entry.name
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                source = archive.extractfile(entry)
                assert source is not None  # it is a plain file
                with private_file(place) as out:
                    while chunk := source.read(1 << 20):
                        out.write(chunk)
                names.add(entry.name)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
        raise ArchiveError(f"{path} is not a whole tar file ({error}). Copy it again.") from error
    return names


def _check(path: Path, entry: tarfile.TarInfo, names: set[str]) -> None:
    inside = PurePosixPath(entry.name)
    if not entry.isreg() or inside.is_absolute() or ".." in inside.parts or "\\" in entry.name:
        raise ArchiveError(f"{path} holds {entry.name!r}, which is no plain file inside it. Nothing of it was used.")
    if entry.name in names or len(names) >= MOST_FILES:
        raise ArchiveError(f"{path} holds {entry.name!r} twice, or too many files. Nothing of it was used.")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def first_difference(folder: Path, sums: Mapping[str, str]) -> str | None:
    """What is wrong with the files of `folder` if they are to have `sums` (path: SHA-256), or None."""
    for name, expected in sums.items():
        place = folder / name
        if not place.is_file():
            return f"{name} is missing"
        if sha256(place) != expected:
            return f"{name} is damaged or was changed"
    return None
