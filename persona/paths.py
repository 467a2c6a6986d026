"""Where a person's things lie: the private folder, and what is in it."""

from __future__ import annotations

import os
from pathlib import Path

from persona.errors import UserError

PRIVATE_DIR_MODE = 0o700
PRIVATE_FILE_MODE = 0o600


def data_dir(chosen: Path | None = None) -> Path:
    """The private folder: `chosen`, else `GREENROOM_DATA`, else `data` in the current folder. Not created here."""
    return (chosen or Path(os.environ.get("GREENROOM_DATA") or "data")).expanduser()


def make_private_dir(path: Path) -> Path:
    """`path` as a folder only its owner can enter, made if need be; parents that are missing are made so too.

    Raises:
        UserError: a file is in the way, or the place cannot be written to.
    """
    try:
        # mkdir(parents=True) would give the parents the usual mode, and the private folder is mostly one of them.
        for folder in reversed([path, *path.parents]):
            if not folder.is_dir():
                folder.mkdir(mode=PRIVATE_DIR_MODE, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make the folder {path}: {error.strerror}.", "Choose another place with --data DIR."
        ) from error
    return path


def models_dir(data: Path) -> Path:
    """Base models, one GGUF file or one folder of safetensors each."""
    return data / "models"


def personas_dir(data: Path) -> Path:
    """One folder for each persona, named by its id."""
    return data / "personas"


def adapter_cache_dir(data: Path) -> Path:
    """Adapters converted for llama.cpp, each named by the hash of what it was made from."""
    return data / "cache" / "adapters"
