"""Cuts the messages of a chat into sessions, and the messages of a session into turns.

A session ends where nobody wrote for longer than the gap, measured in UTC seconds, so midnight and daylight
saving do not matter. A turn is a burst: the messages one person sent in a row, one line each.
"""

from collections.abc import Iterable, Iterator

import msgspec

from persona.names import neutralise
from train.messages import ChatKind, Kind
from train.store import Store

DEFAULT_GAP_S = 600.0

# What was not said: rows of the app itself, and what its writer took back. Forwards are left out besides.
_LEFT_OUT = frozenset({Kind.SERVICE, Kind.DELETED, Kind.CALL})
_PLACEHOLDERS = {
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


class Said(msgspec.Struct, frozen=True, gc=False):
    """One message as sessions see it: who said it (a person's id), when (UTC ms) and what."""

    time_ms: int
    seq: int
    person: int
    text: str
    topic: str | None = None
    part: int = 0
    """Counts up where somebody excluded spoke: what follows answers what is not there."""


class Turn(msgspec.Struct):
    """A burst: one person's messages in a row."""

    person: int
    messages: list[str]


class Session(msgspec.Struct):
    """Turns of one chat without a long gap."""

    chat: int
    start_ms: int
    end_ms: int
    turns: list[Turn]

    @property
    def messages(self) -> int:
        """How many messages the session holds."""
        return sum(len(turn.messages) for turn in self.turns)


def as_said(kind: Kind, text: str, *, keep_media: bool = True) -> str:
    """Return a message as one part of a turn: its text, with a placeholder before a medium's caption.

    Blank lines go, other line breaks stay. Empty when nothing of the message is left.
    """
    if kind is Kind.STICKER:
        return f"[sticker {text}]".replace(" ]", "]") if keep_media else ""
    lines = [line for line in map(str.rstrip, neutralise(text).split("\n")) if line.strip()]
    body = "\n".join(lines)
    if kind is Kind.TEXT:
        return body
    if not keep_media:
        return "" if kind is Kind.POLL else body
    return f"[{_PLACEHOLDERS[kind]}] {body}".rstrip()


def split_sessions(chat: int, said: Iterable[Said], gap_s: float = DEFAULT_GAP_S) -> Iterator[Session]:
    """Yield the sessions of one chat in the order they began; `said` may come in any order.

    The topics of a group are conversations of their own.
    """
    topics: dict[tuple[str | None, int], list[Said]] = {}
    for one in said:
        topics.setdefault((one.topic, one.part), []).append(one)
    sessions = [
        session
        for topic in sorted(topics, key=lambda topic: (topic[0] is not None, topic[0] or "", topic[1]))
        for session in _in_order(chat, topics[topic], gap_s)
    ]
    yield from sorted(sessions, key=lambda session: session.start_ms)


def _in_order(chat: int, said: list[Said], gap_s: float) -> Iterator[Session]:
    gap_ms = round(gap_s * 1000)
    session: Session | None = None
    for one in sorted(said, key=lambda one: (one.time_ms, one.seq)):
        if session is None or one.time_ms - session.end_ms > gap_ms:
            if session is not None:
                yield session
            session = Session(chat, one.time_ms, one.time_ms, [])
        session.end_ms = one.time_ms
        if session.turns and session.turns[-1].person == one.person:
            session.turns[-1].messages.append(one.text)
        else:
            session.turns.append(Turn(one.person, [one.text]))
    if session is not None:
        yield session


def sessions_of(
    store: Store,
    *,
    kinds: frozenset[ChatKind] = frozenset({ChatKind.PERSONAL, ChatKind.GROUP}),
    gap_s: float = DEFAULT_GAP_S,
    keep_media: bool = True,
) -> Iterator[list[Session]]:
    """Yield the sessions of each chat of these kinds, chat by chat; chats without any are left out.

    A chat of unknown kind is personal. The order is that of the platforms' own chat ids, not of the imports.
    """
    chats = store.db.execute("SELECT id, kind FROM chats ORDER BY platform, chat").fetchall()
    for chat, kind in chats:
        if ChatKind(kind or ChatKind.PERSONAL) in kinds:
            sessions = list(split_sessions(chat, _said_in(store, chat, keep_media), gap_s))
            if sessions:
                yield sessions


def _said_in(store: Store, chat: int, keep_media: bool) -> Iterator[Said]:
    rows = store.db.execute(
        "SELECT m.time_ms, m.seq, a.person_id, m.kind, m.text, m.topic, p.excluded FROM messages m "
        "JOIN accounts a ON a.id = m.sender_id JOIN people p ON p.id = a.person_id "
        "WHERE m.chat_id = ? AND m.forwarded_from IS NULL ORDER BY m.time_ms, m.seq, m.message",
        [chat],
    )
    kinds = {kind.value: kind for kind in Kind if kind not in _LEFT_OUT}
    part = 0
    for time_ms, seq, person, name, text, topic, excluded in rows:
        kind = kinds.get(name)
        if kind is None:
            continue
        if excluded:
            part += 1
            continue
        said = as_said(kind, text, keep_media=keep_media)
        if said:
            yield Said(time_ms, seq, person, said, topic, part)
