"""Reads what was said out of the message store, chat by chat and in the order of time, cleaned.

Every message that is not handed on is counted with a reason, so that what a set holds and what it does not add up to
the store.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from persona.names import neutralise
from train.dataset.cleaning import REPEATED_CHARS, Cleaner
from train.dataset.options import Options, Progress
from train.dataset.quotes import ExcludedWords
from train.dataset.rows import blocks_of
from train.messages import ChatKind, Kind
from train.sessions import Said, as_said
from train.store import Store

_CHAT_KINDS = {
    "personal": frozenset({ChatKind.PERSONAL}),
    "group": frozenset({ChatKind.GROUP}),
    "both": frozenset({ChatKind.PERSONAL, ChatKind.GROUP}),
}
_KINDS = {kind.value: kind for kind in Kind}


class ChatRow(msgspec.Struct, frozen=True):
    """A chat of the store: its row, and where it was."""

    id: int
    platform: str
    has_topics: bool = False


class Reader:
    """Hands on the messages that a dataset may use."""

    def __init__(self, store: Store, options: Options, progress: Progress | None = None) -> None:
        """Prepare to read `store`."""
        self.dropped = Counter[str]()
        """Messages left out, by reason."""
        self.said = Counter[int]()
        """Messages handed on, by person."""
        self.store = store
        self._db = store.db
        self._options = options
        self._progress = progress
        self.total = store.count()
        """Messages of the store."""
        self._digest = hashlib.sha256()
        self._cleaner = Cleaner(store.db, options)
        self._people: dict[int, int] = dict(store.db.execute("SELECT id, person_id FROM accounts"))
        excluded = {row[0] for row in store.db.execute("SELECT id FROM people WHERE excluded")}
        self._excluded = {account for account, person in self._people.items() if person in excluded}
        self._quotes = ExcludedWords(store.db, self._excluded)

    @property
    def sha256(self) -> str:
        """The hash of every message read so far, as the store has it: two stores that agree in it give one set."""
        return self._digest.hexdigest()

    def chats(self) -> Iterator[ChatRow]:
        """Yield the chats whose kind is wanted; the messages of the others are counted as dropped.

        A chat of unknown kind is personal. The order is that of the platforms' own chat ids.
        """
        wanted = _CHAT_KINDS[self._options.chats]
        rows = self._db.execute("SELECT id, platform, kind FROM chats ORDER BY platform, chat").fetchall()
        for chat, platform, kind in rows:
            chat_kind = ChatKind(kind or ChatKind.PERSONAL)
            if chat_kind in wanted:
                query = "SELECT 1 FROM messages WHERE chat_id = ? AND topic IS NOT NULL LIMIT 1"
                yield ChatRow(chat, platform, self._db.execute(query, [chat]).fetchone() is not None)
                continue
            count = int(self._db.execute("SELECT count(*) FROM messages WHERE chat_id = ?", [chat]).fetchone()[0])
            if count:
                self.dropped[f"{chat_kind} chats"] += count
                if self._progress is not None:
                    self._progress("reading", self.total, count)

    def said_in(self, chat: ChatRow, blocks: Iterable[bytes] | None = None) -> Iterator[Said]:
        """Yield what was said in a chat, oldest first; `blocks` are its rows, where somebody has read them."""
        keep_media = self._options.media == "keep"
        decode = msgspec.msgpack.Decoder(list[list[Any]]).decode
        rule_against, bots, people, excluded, quotes = (
            self._cleaner.rule_against, self._cleaner.bots, self._people, self._excluded, self._quotes or None,
        )  # fmt: skip
        part = 0
        dropped, said_by = Counter[str](), Counter[int]()
        for block in blocks_of(self._db, chat.id) if blocks is None else blocks:
            self._digest.update(block)
            rows = decode(block)
            for time_ms, seq, account, name, text, topic, offset_min, forwarded in rows:
                if account is None:
                    dropped["service"] += 1
                    continue
                if account in excluded:
                    # What follows answers what is not there.
                    part += 1
                    dropped["excluded people"] += 1
                    continue
                if name == "deleted":
                    dropped["deleted"] += 1
                    continue
                plain = name == "text" and forwarded is None and account not in bots
                # Most messages are short texts, which no other rule is against.
                if not plain or len(text) >= REPEATED_CHARS:
                    rule = rule_against(account, name, text, forwarded)
                    if rule is not None:
                        dropped[rule] += 1
                        continue
                said = neutralise(text) if name == "text" else ""
                if not said or "\n" in said:
                    said = as_said(_KINDS[name], text, keep_media=keep_media)
                if forwarded is not None and said:
                    said = f"[forwarded] {said}"
                if quotes is not None:
                    said = quotes.without(said)
                if not said:
                    dropped["nothing left"] += 1
                    continue
                person = people[account]
                said_by[person] += 1
                yield Said(time_ms, seq, person, said, topic, part, offset_min)
            if self._progress is not None:
                self._progress("reading", self.total, len(rows))
        self.dropped.update(dropped)
        self.said.update(said_by)
