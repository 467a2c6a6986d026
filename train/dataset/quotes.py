"""The words of excluded people where somebody else has repeated them.

An excluded person's messages never come into a set. Others may have quoted them ("> I hate it here", "Zoë: I hate it
here", or the bare line), so lines that stand among an excluded person's own are taken out of everybody's messages.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection

MIN_CHARS = 12
"""Shorter lines are common property."""

# What stands around a quoted line: quote marks, "> ", "Name: ", "[12.03., 14:05] Name: ".
_LEAD = re.compile(r"^(?:\s*(?:>+|\|)\s*)+")
_HEADER = re.compile(r"^(?:\[[^\]\n]{1,40}\]\s*)?[^:\n]{1,60}:\s+")
_EDGES = " \t\"'“”„«»‘’‚‹›.…!?,;"


class ExcludedWords:
    """Knows the lines that excluded people wrote."""

    def __init__(self, db: sqlite3.Connection, accounts: Collection[int]) -> None:
        """Read what was sent from `accounts`, which are rows of the accounts table."""
        self._lines: set[int] = set()
        for account in sorted(accounts):
            for (text,) in db.execute("SELECT text FROM messages WHERE sender_id = ?", [account]):
                self._lines.update(hash(line) for line in map(_plain, text.split("\n")) if len(line) >= MIN_CHARS)

    def __bool__(self) -> bool:
        """Return whether there is anything to look for."""
        return bool(self._lines)

    def without(self, text: str) -> str:
        """Return `text` without the lines that an excluded person wrote; empty when no other is left."""
        kept = [line for line in text.split("\n") if not self._has(line)]
        return text if "\n" not in text and kept else "\n".join(kept)

    def _has(self, line: str) -> bool:
        if len(line) < MIN_CHARS:
            return False
        bare = _LEAD.sub("", line)
        return any(hash(_plain(one)) in self._lines for one in (line, bare, _HEADER.sub("", bare, count=1)))


def _plain(line: str) -> str:
    return " ".join(line.split()).strip(_EDGES).casefold()
