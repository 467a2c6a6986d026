"""Finds in the training part what the evaluation part holds too, word for word or nearly.

One chat can be in a store twice: as text and from a database, with other ids and times. What a model has trained on
says nothing when it is held out, so such sessions are left out of training.

A session is told by its units: each message that is long enough to be somebody's own, and the runs of five words of
longer ones. Units that many held-out sessions share are idioms, and tell nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from train.sessions import Session

SHARE = 0.8
"""How much of the smaller of two sessions, by its characters, the other must hold for both to be the same."""
MIN_CHARS = 40
"""Sessions with less that is their own are not compared, nor are single turns with less."""

_RUN = 5
_MIN_UNIT_CHARS = 12
_COMMON = 8
_WORD = re.compile(r"\w+")


class HeldOut:
    """The units of the held-out sessions of a set."""

    def __init__(self) -> None:
        """Begin without any."""
        self._where: dict[int, tuple[int, ...]] = {}
        self._sizes: list[int] = []

    def add(self, session: Session) -> None:
        """Remember a held-out session."""
        number = len(self._sizes)
        units = dict(_units(session))
        self._sizes.append(sum(units.values()))
        for unit in units:
            known = self._where.get(unit, ())
            if len(known) <= _COMMON:
                self._where[unit] = (*known, number)

    def has_like(self, session: Session) -> bool:
        """Return whether a held-out session says nearly the same as `session`, or one of them holds the other."""
        if not self._where:
            return False
        size = 0
        shared = Counter[int]()
        for unit, chars in dict(_units(session)).items():
            size += chars
            for number in self._places(unit):
                shared[number] += chars
        return any(
            chars >= MIN_CHARS and chars >= SHARE * min(size, self._sizes[number]) for number, chars in shared.items()
        )

    def has_turn(self, messages: list[str]) -> bool:
        """Return whether a held-out session holds nearly all of a turn that is long enough to be compared."""
        if not self._where or sum(map(len, messages)) < MIN_CHARS:
            return False
        size = 0
        shared = Counter[int]()
        for message in messages:
            for unit, chars in _units_of(message):
                size += chars
                shared.update(dict.fromkeys(self._places(unit), chars))
        return any(chars >= MIN_CHARS and chars >= SHARE * size for chars in shared.values())

    def _places(self, unit: int) -> tuple[int, ...]:
        known = self._where.get(unit, ())
        return known if len(known) <= _COMMON else ()


def _units(session: Session) -> Iterator[tuple[int, int]]:
    for turn in session.turns:
        for message in turn.messages:
            yield from _units_of(message)


def _units_of(message: str) -> Iterator[tuple[int, int]]:
    """Yield the units of a message as hashes, each with the characters it stands for."""
    if len(message) < _MIN_UNIT_CHARS:
        return
    words = _WORD.findall(message.casefold())
    if len(words) <= _RUN:
        yield hash(tuple(words)), len(message)
        return
    runs = len(words) - _RUN + 1
    for start in range(runs):
        yield hash(tuple(words[start : start + _RUN])), len(message) // runs or 1
