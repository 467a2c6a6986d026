"""Files that only their owner can read, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from persona.errors import UserError
from persona.paths import PRIVATE_FILE_MODE


def open_private(path: Path) -> BinaryIO:
    """Open a file to write that only its owner can read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE_MODE)
    os.fchmod(handle, PRIVATE_FILE_MODE)
    return open(handle, "wb", buffering=1 << 20)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all; a UserError where that cannot be."""
    draft = path.with_name(f"{path.name}.part")
    try:
        with open_private(draft) as file:
            file.write(content)
        draft.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> UserError:
    """Return what to say when the system does not let a file be written."""
    return UserError(f"{path} cannot be written: {error.strerror}.", "Look at the folder, and the space that is left.")
