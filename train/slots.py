"""Versions of one message, in formats without ids.

Their ids hold the text, so another version of a message has another id; it is recognised by its slot, the place it
stands in: printed time, sender, and the how-manieth of theirs at that time.
"""

import sqlite3
from collections.abc import Sequence

from train.messages import Kind, Message

_AT_ONCE = 500
_MEDIA_KINDS = frozenset(
    {Kind.STICKER, Kind.PHOTO, Kind.VIDEO, Kind.GIF, Kind.VOICE, Kind.AUDIO, Kind.FILE, Kind.MEDIA}
)


class Slots:
    """The slots of a store that were taken before an import: within one each message has its own."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Look into an open, migrated store."""
        self.db = db
        self._taken: dict[tuple[int, int], bool] = {}

    def forget(self) -> None:
        """Look again which chats there are: some were deleted."""
        self._taken.clear()

    def fill(self, chat: int, import_id: int, messages: Sequence[Message]) -> tuple[Sequence[Message], int]:
        """Put edited, deleted and named-medium versions in the place of the version that is stored.

        Returns the messages still to be stored, and how many were replaced here.
        """
        if not self._has_any(chat, import_id):
            return messages, 0
        left: list[Message] = []
        replaced = 0
        stored = self._stored_in(chat, [message.slot for message in messages if message.slot is not None])
        for message in messages:
            there = stored.get(message.slot or "", ())
            if not there or any(known == message.id for known, _, _ in there):
                left.append(message)
                continue
            same = [old for old in there if _is_version(old[1], old[2], message.kind, message.edited_ms)]
            if not same:
                left.append(message)
            elif _is_newer(same[0][1], same[0][2], message.kind, message.edited_ms):
                replaced += self.db.execute(
                    "UPDATE OR IGNORE messages SET message = ?, kind = ?, text = ?, edited_ms = ? "
                    "WHERE chat_id = ? AND message = ?",
                    [message.id, message.kind, message.text, message.edited_ms, chat, same[0][0]],
                ).rowcount
        return left, replaced

    def _has_any(self, chat: int, import_id: int) -> bool:
        key = (chat, import_id)
        if key not in self._taken:
            query = "SELECT 1 FROM messages WHERE chat_id = ? AND slot IS NOT NULL LIMIT 1"
            self._taken[key] = self.db.execute(query, [chat]).fetchone() is not None
        return self._taken[key]

    def _stored_in(self, chat: int, slots: list[str]) -> dict[str, list[tuple[str, str, int | None]]]:
        """Return the id, kind and time of editing of the messages that stand in slots, by slot."""
        found: dict[str, list[tuple[str, str, int | None]]] = {}
        for start in range(0, len(slots), _AT_ONCE):
            some = slots[start : start + _AT_ONCE]
            # By name: SQLite takes the order of the ids for the better one, and reads the whole chat.
            query = (
                "SELECT slot, message, kind, edited_ms FROM messages INDEXED BY messages_slot "
                f"WHERE chat_id = ? AND slot IN ({', '.join('?' * len(some))})"
            )
            for slot, *version in self.db.execute(query, [chat, *some]):
                found.setdefault(slot, []).append((version[0], version[1], version[2]))
        return found


def _is_version(old_kind: str, old_edited: int | None, kind: str, edited: int | None) -> bool:
    """Return whether two different texts in one slot are versions of one message."""
    if kind == Kind.DELETED or old_kind == Kind.DELETED or edited or old_edited:
        return True
    return kind in _MEDIA_KINDS and old_kind in _MEDIA_KINDS and Kind.MEDIA in (kind, old_kind)


def _is_newer(old_kind: str, old_edited: int | None, kind: str, edited: int | None) -> bool:
    if old_kind == Kind.DELETED or kind == Kind.DELETED:
        return old_kind != Kind.DELETED
    if edited or old_edited:
        return (edited or 0) >= (old_edited or 0)
    return old_kind == Kind.MEDIA
