"""Sessions on disk between the two passes of a dataset: an unnamed file in the private folder, gone with the process.

Sessions lie one after another, chat by chat in the order they began, and are read back as often as sets are written.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from persona.errors import UserError
from train.dataset.reading import ChatRow
from train.sessions import Session

_BLOCK = 1 << 20
_TOLD_AFTER = 4096


class ChatSpan(msgspec.Struct):
    """The sessions of one chat in the spool, and where the held-out ones begin."""

    chat: ChatRow
    sizes: list[int]
    """How many messages each session holds."""
    casts: list[frozenset[int]]
    """Who speaks in each session; the same people are the same object."""
    first_eval: int
    """The index of the first session that is held out; their number when none is."""
    start: int
    """Where the sessions begin in the file."""
    lengths: array[int]
    """The bytes that each takes there."""


class Spool:
    """The sessions of every chat, written once and read in the same order."""

    def __init__(self, folder: Path) -> None:
        """Make the file in `folder`; a UserError when that cannot be."""
        self.chats: list[ChatSpan] = []
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Session).decode
        self._casts: dict[frozenset[int], frozenset[int]] = {}
        try:
            # Open for as long as the spool is, which `close` ends.
            self._file = tempfile.TemporaryFile(dir=folder, buffering=_BLOCK)  # noqa: SIM115
        except OSError as error:
            raise _cannot_write(folder, error) from error
        self._folder = folder

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def add(self, chat: ChatRow, sessions: Iterable[Session], eval_share: float) -> None:
        """Write the sessions of a chat, which come in the order they began."""
        sizes: list[int] = []
        casts: list[frozenset[int]] = []
        lengths = array("L")
        try:
            start = self._file.tell()
            for session in sessions:
                raw = self._encode(session)
                self._file.write(raw)
                lengths.append(len(raw))
                sizes.append(session.messages)
                cast = frozenset([turn.person for turn in session.turns])
                casts.append(self._casts.setdefault(cast, cast))
        except OSError as error:
            raise _cannot_write(self._folder, error) from error
        if sizes:
            self.chats.append(ChatSpan(chat, sizes, casts, first_held_out(sizes, eval_share), start, lengths))

    def messages_with(self, voices: frozenset[int]) -> int:
        """Return how many messages the sessions hold in which one of `voices` speaks."""
        return sum(
            messages
            for chat in self.chats
            for messages, cast in zip(chat.sizes, chat.casts, strict=True)
            if not cast.isdisjoint(voices)
        )

    def messages_without(self, voices: frozenset[int]) -> int:
        """Return how many messages the other sessions hold."""
        return sum(sum(chat.sizes) for chat in self.chats) - self.messages_with(voices)

    def speakers(self, voices: frozenset[int]) -> set[int]:
        """Return everybody who speaks in a session with one of `voices`, and somebody else."""
        casts = {cast for chat in self.chats for cast in chat.casts}
        return {person for cast in casts if len(cast) > 1 and not cast.isdisjoint(voices) for person in cast}

    def read(
        self, voices: frozenset[int], told: Callable[[int, int], None] | None = None, *, only_eval: bool = False
    ) -> Iterator[tuple[ChatSpan, Session, bool]]:
        """Yield every session in which one of `voices` speaks with its chat, and whether it is held out.

        `told` gets how many messages there are in all, and how many more have been read or passed over.
        """
        total = sum(sum(chat.sizes) for chat in self.chats)
        waiting = 0
        for chat in self.chats:
            self._file.seek(chat.start)
            passed = 0
            for index, (messages, cast, length) in enumerate(zip(chat.sizes, chat.casts, chat.lengths, strict=True)):
                is_eval = index >= chat.first_eval
                if cast.isdisjoint(voices) or (only_eval and not is_eval):
                    passed += length
                else:
                    if passed:
                        self._file.seek(passed, os.SEEK_CUR)
                        passed = 0
                    yield chat, self._decode(self._file.read(length)), is_eval
                waiting += messages
                if told is not None and waiting >= _TOLD_AFTER:
                    told(total, waiting)
                    waiting = 0
        if told is not None:
            told(total, waiting)


def first_held_out(sizes: list[int], eval_share: float) -> int:
    """Return the index of the first of the newest sessions that are as near to the share of messages as they come.

    Whole sessions are held out, and never the oldest. The share does not depend on whom a set is for: what is held out
    for one persona is not trained on by another.
    """
    wanted = eval_share * sum(sizes)
    best, best_miss, taken = len(sizes), wanted, 0
    for first in range(len(sizes) - 1, 0, -1):
        taken += sizes[first]
        miss = abs(taken - wanted)
        if miss < best_miss:
            best, best_miss = first, miss
    return best


def _cannot_write(folder: Path, error: OSError) -> UserError:
    return UserError(f"{folder} cannot be written to: {error.strerror}.", "Make room, or choose another with --data.")
