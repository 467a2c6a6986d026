"""The copies of adapters that vLLM reads, and which of them nobody reads any more.

An endpoint holds a shared lock on each copy that it serves. One that nobody has locked, and that was not asked for
within the last hour (vLLM takes its time to start, and locks nothing until it has), is removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from persona.card import ADAPTER_WEIGHTS
from persona.errors import UserError
from persona.gguf_lora import fingerprint, read_config
from persona.paths import adapter_cache_dir, make_private_dir

UNUSED_SECONDS = 3600
"""How long after it was last asked for a copy is kept that nobody has locked."""


def copies_dir(data: Path) -> Path:
    """Where the copies lie, one folder each, named by the hash of what is in it."""
    return adapter_cache_dir(data).resolve() / "vllm"


def kept_adapter(adapter: Path, data: Path) -> Path:
    """A copy of `adapter` under the private folder, named by what is in it.

    vLLM reads an adapter again when it has had to make room, and keeps its prefix cache by the path: a folder that
    changes under it would mix two versions.

    Raises:
        UserError: the adapter cannot be read, or is of a kind that vLLM cannot serve.
    """
    read_config(adapter)
    try:
        kept = copies_dir(data) / fingerprint(adapter)[:32]
        if not kept.is_dir():
            make_private_dir(kept.parent)
            unfinished = Path(tempfile.mkdtemp(dir=kept.parent, suffix=".part"))
            for name in (ADAPTER_WEIGHTS, "adapter_config.json"):
                shutil.copyfile(adapter / name, unfinished / name)
            if fingerprint(unfinished)[:32] != kept.name:
                shutil.rmtree(unfinished)
                raise UserError(f"{adapter} changed while it was read.", "It is read again when it is whole.")
            try:
                unfinished.rename(kept)
            except OSError:  # another endpoint was faster
                shutil.rmtree(unfinished)
                if not kept.is_dir():
                    raise
        os.utime(kept)
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror}.", "Add the persona again.") from error
    return kept


class Held:
    """The copies that this process serves."""

    def __init__(self) -> None:
        self._locks: dict[Path, int] = {}

    def hold(self, copies: Iterable[Path]) -> None:
        """Hold `copies` from now on, and let go of those that were held before and are not among them."""
        wanted = set(copies)
        for copy in wanted - self._locks.keys():
            lock = os.open(copy, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_SH)
            self._locks[copy] = lock
        for copy in self._locks.keys() - wanted:
            os.close(self._locks.pop(copy))


def remove_unused(data: Path, unused_s: float = UNUSED_SECONDS) -> list[Path]:
    """Remove the copies that nobody serves (see above), and come back with them."""
    removed: list[Path] = []
    folder = copies_dir(data)
    for copy in sorted(folder.iterdir()) if folder.is_dir() else []:
        try:
            if time.time() - copy.stat().st_mtime < unused_s:
                continue
            lock = os.open(copy, os.O_RDONLY)
        except OSError:
            continue  # another endpoint removed it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(copy, ignore_errors=True)
            removed.append(copy)
        finally:
            os.close(lock)
    return removed
