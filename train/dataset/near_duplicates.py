"""Finds in the training part what the evaluation part holds too, word for word or nearly.

One chat can be in a store twice: as text and from a database, with other ids and times. What a model has trained on
says nothing when it is held out, so such sessions are left out of training.

A session is told by its units: each message that is long enough to be somebody's own, or the runs of five words of a
longer one. Units that many held-out sessions share are idioms, and tell nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from train.sessions import Session

SHARE = 0.8
"""How much of the smaller of two sessions the other must hold, by its units, for both to be taken for the same."""
MIN_UNITS = 4
"""Sessions and turns that share fewer are not taken for the same, however small they are."""

_RUN = 5
_MIN_CHARS = 12
_COMMON = 8


class Found:
    """What of a session is held out elsewhere: the whole, or single turns by their index."""

    def __init__(self, whole: bool = False, turns: frozenset[int] = frozenset()) -> None:
        """Note what was found."""
        self.whole = whole
        self.turns = turns


_NOTHING = Found()


class HeldOut:
    """The units of the held-out sessions of a set."""

    def __init__(self) -> None:
        """Begin without any."""
        self._where: dict[int, tuple[int, ...]] = {}
        self._sizes: list[int] = []

    def add(self, session: Session) -> None:
        """Remember a held-out session."""
        number = len(self._sizes)
        units = {unit for turn in session.turns for unit in _units(turn.messages)}
        self._sizes.append(len(units))
        for unit in units:
            known = self._where.get(unit, ())
            if len(known) <= _COMMON:
                self._where[unit] = (*known, number)

    def look_for(self, session: Session) -> Found:
        """Return whether a held-out session says nearly what `session` or one of its turns does, or holds it."""
        where = self._where
        if not where or not self._may_hold(session):
            return _NOTHING
        units = [_units(turn.messages) for turn in session.turns]
        known = {unit for some in units for unit in some if unit in where}
        if len(known) < MIN_UNITS:
            return _NOTHING
        size = len({unit for some in units for unit in some})
        if any(shared >= SHARE * min(size, self._sizes[number]) for number, shared in self._shared(known)):
            return Found(whole=True)
        return Found(turns=frozenset(index for index, some in enumerate(units) if self._holds(set(some))))

    def _may_hold(self, session: Session) -> bool:
        """Return whether a message begins or ends as one that is held out: a first look, a third of the work."""
        where = self._where
        for turn in session.turns:
            for message in turn.messages:
                if len(message) >= _MIN_CHARS:
                    words = message.casefold().split()
                    if hash(tuple(words[:_RUN])) in where or (
                        len(words) > _RUN and hash(tuple(words[-_RUN:])) in where
                    ):
                        return True
        return False

    def _holds(self, units: set[int]) -> bool:
        return len(units) >= MIN_UNITS and any(shared >= SHARE * len(units) for _, shared in self._shared(units))

    def _shared(self, units: Iterable[int]) -> list[tuple[int, int]]:
        """Return the held-out sessions that share enough units to be looked at, with how many."""
        shared = Counter[int]()
        for unit in units:
            places = self._where.get(unit, ())
            if len(places) <= _COMMON:
                shared.update(places)
        return [(number, count) for number, count in shared.items() if count >= MIN_UNITS]


def _units(messages: list[str]) -> list[int]:
    """Return the units of a turn's messages, as hashes."""
    found: list[int] = []
    for message in messages:
        if len(message) < _MIN_CHARS:
            continue
        words = message.casefold().split()
        if len(words) <= _RUN:
            found.append(hash(tuple(words)))
        else:
            found += map(hash, zip(*(words[start:] for start in range(_RUN)), strict=False))
    return found
