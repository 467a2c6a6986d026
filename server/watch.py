"""Personas while the endpoint runs: what is added, replaced or removed in the folders takes effect in seconds.

Polling, because it works on every file system and platform alike, and looking at fifty personas costs about a
millisecond.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

from persona.card import CARD_NAME
from server.engines import Engine
from server.roster import Roster

log = logging.getLogger("greenroom")

EVERY_SECONDS = 0.5
"""How often the folders are looked at. A change counts once two looks in a row saw the same, so that a persona that
is being copied in is not read half."""
PATIENCE_SECONDS = 2.5
"""After this long it counts even while files go on changing: other personas must not wait for them."""

Looks = frozenset[tuple[str, int, int, int]]


def look(folders: Iterable[Path]) -> Looks:
    """Every file of every persona: its path, inode, size in bytes and time of change in nanoseconds."""
    seen: set[tuple[str, int, int, int]] = set()
    for folder in folders:
        for card in folder.glob(f"*/{CARD_NAME}"):
            for where, inner, files in os.walk(card.parent):
                for name in (*inner, *files):
                    path = os.path.join(where, name)
                    try:
                        found = os.stat(path)
                    except OSError:
                        continue  # removed since it was listed, or a link to nothing
                    # The time of a folder changes with what is in it, which is seen for itself.
                    changed = 0 if name in inner else found.st_mtime_ns
                    seen.add((path, found.st_ino, found.st_size, changed))
    return frozenset(seen)


async def follow(roster: Roster, engine: Engine, every_s: float = EVERY_SECONDS) -> None:
    """Keep `roster` and `engine` as the roster's folders are, until cancelled."""
    applied = last = await asyncio.to_thread(look, roster.folders)
    await _apply(roster, engine)  # for what changed since the personas were first read
    changing_since: float | None = None
    while True:
        await asyncio.sleep(every_s)
        now = await asyncio.to_thread(look, roster.folders)
        if now == applied:
            changing_since = None
        else:
            changing_since = changing_since or time.monotonic()
            if now == last or time.monotonic() - changing_since > PATIENCE_SECONDS:
                await _apply(roster, engine)
                applied, changing_since = now, None
        last = now


async def _apply(roster: Roster, engine: Engine) -> None:
    try:
        personas, broken = await asyncio.to_thread(roster.read)
        broken |= await engine.update(personas.values())
        # No await from the engine's switch to this one: no request sees one without the other.
        roster.switch(personas, broken)
    except Exception:
        log.exception("the changed personas were not taken over; those before are served")
