"""What a dataset would be made of, for tests that look at the store through it."""

from typing import Any

from train.dataset.options import Options
from train.dataset.reading import Reader
from train.sessions import Session, sessions_in_order
from train.store import Store


def sessions_of(store: Store, **options: Any) -> list[list[Session]]:
    """The sessions of each chat that has any."""
    reader = Reader(store, Options(**options))
    found = [list(sessions_in_order(chat.id, reader.said_in(chat))) for chat in reader.chats()]
    return [sessions for sessions in found if sessions]
