"""The rows of chats as the message store has them, in the order of time, by another process where that pays.

Rows come in blocks, each a msgpack array: what is hashed for the card, and what goes between two processes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from train.apart import Apart, Channel, is_worth_it
from train.store import Store

LEAST_APART = 150_000
"""Messages from which on another process reads them: it takes half a second to start, and saves 3 µs a message."""

_ROWS_AT_ONCE = 4096

# One order for every store with the same messages: the platforms' own, not that of the imports.
_MESSAGES = """SELECT time_ms, seq, sender_id, kind, text, topic, offset_min, forwarded_from
    FROM messages WHERE chat_id = ? ORDER BY time_ms, seq, message"""

Blocks = Callable[[int], Iterator[bytes]]
"""Returns the blocks of a chat, by its row."""


def blocks_of(db: sqlite3.Connection, chat: int) -> Iterator[bytes]:
    """Yield the rows of a chat: time, seq, account, kind, text, topic, offset, forwarded from."""
    encode = msgspec.msgpack.Encoder().encode
    cursor = db.execute(_MESSAGES, [chat])
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        yield encode(rows)


@contextmanager
def rows_in_order(store: Store, chats: Sequence[int], messages: int) -> Iterator[Blocks]:
    """Give what returns the blocks of each of `chats`, asked for in this order; `messages` are those of the store."""
    if not is_worth_it(messages, LEAST_APART):
        yield lambda chat: blocks_of(store.db, chat)
        return
    with Apart(_send_rows, store.path, list(chats)) as other:
        yield lambda _: _received(other)


def sort_in(db: sqlite3.Connection, folder: Path) -> None:
    """Let what sorting a long chat takes lie in the private folder."""
    quoted = str(folder).replace("'", "''")
    db.execute(f"PRAGMA temp_store_directory = '{quoted}'")


def _received(other: Apart) -> Iterator[bytes]:
    while block := other.receive():
        yield block


def _send_rows(channel: Channel, path: Path, chats: list[int]) -> None:
    with closing(sqlite3.connect(path, timeout=30)) as db:
        db.execute("PRAGMA query_only = ON")
        sort_in(db, path.parent)
        for chat in chats:
            for block in blocks_of(db, chat):
                channel.send(block)
            # Where a chat ends.
            channel.send(b"")
