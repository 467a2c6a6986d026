"""Chunks of as many messages as fit in a number of tokens, whatever the gaps between them (`--pack`).

The way of *A Simulation of Ed Donner*, which made chunks of up to 200 tokens. A chunk may end within a burst.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from train.dataset.tokens import TokenCounter
from train.sessions import Said, Session, add

_AT_ONCE = 2048


def packed(
    chat: int, said: Iterable[Said], room: int, counter: TokenCounter, opening: Callable[[int], int], prefix: str = ""
) -> Iterator[Session]:
    """Yield chunks of one chat, each of as many messages in a row as fit in `room` tokens.

    `said` comes in the order of time and is not held. `opening` gives the tokens that a turn of a person takes besides
    its messages. A message that is longer than `room` is a chunk of its own. Topics are chunked apart, and nothing
    goes across a place where somebody excluded spoke.
    """
    going_on: dict[str | None, tuple[int, int, Session]] = {}
    for one, tokens in _counted(said, counter, prefix):
        part, used, session = going_on.get(one.topic, (one.part, 0, None))
        if session is not None:
            cost = tokens if session.turns[-1].person == one.person else tokens + opening(one.person)
            if part != one.part or used + cost > room:
                yield session
                session = None
        if session is None:
            session = Session(chat, one.time_ms, one.time_ms, [], one.offset_min)
            used, cost = 0, tokens + opening(one.person)
        add(session, one)
        going_on[one.topic] = (one.part, used + cost, session)
    yield from (session for _, _, session in going_on.values())


def _counted(said: Iterable[Said], counter: TokenCounter, prefix: str) -> Iterator[tuple[Said, int]]:
    """Yield messages with the tokens that each takes as a line of a turn."""
    messages = iter(said)
    while some := list(islice(messages, _AT_ONCE)):
        yield from zip(some, counter.count([f"{prefix}{one.text}\n" for one in some]), strict=True)
