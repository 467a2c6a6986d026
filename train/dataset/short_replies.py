"""Boring replies: the few words somebody answers with again and again ("ok", "busy", "да").

They are how a person writes, but a model that is trained on all of them says little else. With `--keep-short` only a
share of them is trained; the others stay where they are, as context.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

from train.sessions import Session, Turn

MOST_CHARS = 16
MOST_WORDS = 3
MIN_TIMES = 3
MIN_SHARE = 0.005
"""A reply is boring when it is this share of a person's turns, and said so often at least."""
_EDGES = " .,!?…)(:;-–—~*"


class ShortReplies:
    """Learns which replies are boring for whom, and chooses which of them are trained."""

    def __init__(self, keep: float, seed: int) -> None:
        """Train the share `keep` of boring replies; 1 is all of them."""
        self._keep = keep
        self._seed = seed
        self._times: dict[int, Counter[str]] = {}
        self._turns = Counter[int]()

    def learn(self, session: Session, persons: frozenset[int]) -> None:
        """Count the short turns of `persons`."""
        if self._keep >= 1:
            return
        for turn in session.turns:
            if turn.person in persons:
                self._turns[turn.person] += 1
                text = _short(turn)
                if text is not None:
                    self._times.setdefault(turn.person, Counter())[text] += 1

    def trains(self, session: Session, index: int) -> bool:
        """Return whether a turn is trained: always, unless it is boring and not drawn. The same draw every time."""
        if self._keep >= 1:
            return True
        turn = session.turns[index]
        text = _short(turn)
        if text is None:
            return True
        times = self._times.get(turn.person, Counter())[text]
        if times < max(MIN_TIMES, MIN_SHARE * self._turns[turn.person]):
            return True
        drawn = blake2b(f"{self._seed} {session.start_ms} {index} {text}".encode(), digest_size=8).digest()
        return int.from_bytes(drawn) < self._keep * 2**64


def _short(turn: Turn) -> str | None:
    """Return a turn's text as it is compared when it is one short message, else None."""
    if len(turn.messages) != 1 or len(turn.messages[0]) > MOST_CHARS:
        return None
    text = turn.messages[0].casefold().strip(_EDGES)
    return text if len(text.split()) <= MOST_WORDS else None
