"""Cuts the messages of a chat into sessions, and the messages of a session into turns.

A session ends where nobody wrote for longer than the gap, measured in UTC seconds, so midnight and daylight
saving do not matter. A turn is a burst: the messages one person sent in a row, one line each.
"""

from collections.abc import Iterable, Iterator

import msgspec

from persona.names import neutralise
from train.messages import Kind

DEFAULT_GAP_S = 600.0

_PLACEHOLDERS = {
    Kind.SERVICE: "service",
    Kind.CALL: "call",
    Kind.STICKER: "sticker",
    Kind.PHOTO: "photo",
    Kind.VIDEO: "video",
    Kind.GIF: "gif",
    Kind.VOICE: "voice message",
    Kind.AUDIO: "audio",
    Kind.FILE: "file",
    Kind.MEDIA: "media",
    Kind.LOCATION: "location",
    Kind.CONTACT: "contact",
    Kind.POLL: "poll",
}


_NO_SESSION: tuple[int, None] = (0, None)


class Said(msgspec.Struct, frozen=True, gc=False):
    """One message as sessions see it: who said it (a person's id), when (UTC ms) and what."""

    time_ms: int
    seq: int
    person: int
    text: str
    topic: str | None = None
    part: int = 0
    """Counts up where somebody excluded spoke: what follows answers what is not there."""
    offset_min: int | None = None
    """Minutes its writer's clock was ahead of UTC; None when unknown."""


class Turn(msgspec.Struct, array_like=True, gc=False):
    """A burst: one person's messages in a row."""

    person: int
    messages: list[str]


class Session(msgspec.Struct, array_like=True, gc=False):
    """Turns of one chat without a long gap."""

    chat: int
    start_ms: int
    end_ms: int
    turns: list[Turn]
    offset_min: int | None = None
    """Of its first message."""

    @property
    def messages(self) -> int:
        """How many messages the session holds."""
        # A list: a third faster than a generator, and this is asked of every session.
        return sum([len(turn.messages) for turn in self.turns])


def as_said(kind: Kind, text: str, *, keep_media: bool = True) -> str:
    """Return a message as one part of a turn: its text, with a placeholder before a medium's caption.

    Blank lines go, other line breaks stay. Empty when nothing of the message is left.
    """
    if kind is Kind.STICKER:
        emoji = " ".join(neutralise(text).split())
        return f"[sticker {emoji}]".replace(" ]", "]") if keep_media else ""
    body = neutralise(text)
    if "\n" in body:
        body = "\n".join(line for line in map(str.rstrip, body.split("\n")) if line.strip())
    if kind is Kind.TEXT:
        return body
    if not keep_media:
        return "" if kind is Kind.POLL else body
    return f"[{_PLACEHOLDERS[kind]}] {body}".rstrip()


def split_sessions(chat: int, said: Iterable[Said], gap_s: float = DEFAULT_GAP_S) -> Iterator[Session]:
    """Yield the sessions of one chat in the order they began; `said` may come in any order.

    The topics of a group are conversations of their own.
    """
    in_order = sorted(said, key=lambda one: (one.time_ms, one.seq))
    yield from sorted(sessions_in_order(chat, in_order, gap_s), key=lambda session: session.start_ms)


def sessions_in_order(chat: int, said: Iterable[Said], gap_s: float = DEFAULT_GAP_S) -> Iterator[Session]:
    """Yield the sessions of one chat as they end; `said` comes in the order of time, and is not held.

    A session ends with its chat at the latest; those of several topics may overlap, and so come in another order than
    they began.
    """
    gap_ms = round(gap_s * 1000)
    going_on: dict[str | None, tuple[int, Session]] = {}
    for one in said:
        part, session = going_on.get(one.topic, _NO_SESSION)
        time_ms = one.time_ms
        if session is not None and part == one.part and time_ms - session.end_ms <= gap_ms:
            # As `add` does it, which every message would have to call.
            session.end_ms = time_ms
            turn = session.turns[-1]
            if turn.person == one.person:
                turn.messages.append(one.text)
            else:
                session.turns.append(Turn(one.person, [one.text]))
            continue
        if session is not None:
            yield session
        session = Session(chat, time_ms, time_ms, [Turn(one.person, [one.text])], one.offset_min)
        going_on[one.topic] = (one.part, session)
    yield from (session for _, session in going_on.values() if session is not None)


def add(session: Session, one: Said) -> None:
    """Put a message at the end of a session: into the last turn if that is the same person's, or into a new one."""
    session.end_ms = one.time_ms
    if session.turns and session.turns[-1].person == one.person:
        session.turns[-1].messages.append(one.text)
    else:
        session.turns.append(Turn(one.person, [one.text]))
