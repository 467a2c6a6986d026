"""The chats of an iMessage database, and what was attached to its messages."""

import re
import sqlite3
from collections.abc import Collection, Iterator
from typing import Any

from train.accounts import handle_of, phone_of
from train.export_databases import columns
from train.messages import Chat, ChatKind, Kind

PLATFORM = "imessage"

_GROUP_STYLE, _PERSONAL_STYLE = 43, 45
_GROUP_NAME = re.compile(r"chat\d+")
_SHORT_CODE = re.compile(r"\d{2,6}")
_BUSINESS = "urn:biz:"
_OF_PHONES = frozenset({"SMS", "RCS", "iMessage", "any"})
"""Services where people have numbers and addresses: who has a name there is a firm. In iChat's they had names."""
_BY_MIME = {
    "image/gif": Kind.GIF, "text/vcard": Kind.CONTACT, "text/x-vcard": Kind.CONTACT, "text/directory": Kind.CONTACT,
    "text/x-vlocation": Kind.LOCATION,
}  # fmt: skip
_BY_MIME_GROUP = {"image": Kind.PHOTO, "video": Kind.VIDEO, "audio": Kind.AUDIO}
_BY_ENDING = {
    "gif": Kind.GIF, "jpg": Kind.PHOTO, "jpeg": Kind.PHOTO, "png": Kind.PHOTO, "heic": Kind.PHOTO, "webp": Kind.PHOTO,
    "mov": Kind.VIDEO, "mp4": Kind.VIDEO, "3gp": Kind.VIDEO, "caf": Kind.AUDIO, "m4a": Kind.AUDIO, "amr": Kind.AUDIO,
    "mp3": Kind.AUDIO, "vcf": Kind.CONTACT,
}  # fmt: skip
_PREVIEW = ".pluginpayloadattachment"
"""The ending of what a link's preview is made of, which nobody attached."""


def as_text(value: Any) -> str:
    """Return a value of any type as text: columns of SQLite hold what was put there."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def chats_of(db: sqlite3.Connection, handles: dict[int, str], own: Collection[str]) -> Iterator[tuple[int, Chat]]:
    """Yield each chat with its row. `own` are the owner's handles. Two rows may be one chat.

    Raises sqlite3.DatabaseError where the database is damaged.
    """
    known = columns(db, "chat")
    wanted = (
        name if name in known else "NULL"
        for name in ("chat_identifier", "guid", "style", "display_name", "service_name")
    )  # fmt: skip
    members: dict[int, list[str]] = {}
    if columns(db, "chat_handle_join"):
        for chat, handle in db.execute("SELECT chat_id, handle_id FROM chat_handle_join ORDER BY 1, 2"):
            members.setdefault(chat, []).append(handles.get(handle, "?"))
    query = f"SELECT ROWID, {', '.join(wanted)} FROM chat ORDER BY ROWID"
    for row, identifier, guid, style, title, service in db.execute(query):
        place = as_text(identifier) or as_text(guid).rpartition(";")[2] or str(row)
        those = members.get(row, [])
        if _is_group(style, place, those):
            yield row, Chat(PLATFORM, place, as_text(title) or ", ".join(those) or place, ChatKind.GROUP)
            continue
        # The same person by iMessage and by SMS is two chats in the file, and one to those who had it.
        who = handle_of(place)
        by = as_text(service) or as_text(guid).partition(";")[0]
        kind = ChatKind.SAVED if who in own else ChatKind.CHANNEL if _is_machine(place, by) else ChatKind.PERSONAL
        yield row, Chat(PLATFORM, who, as_text(title) or place, kind)


def _is_group(style: Any, place: str, members: list[str]) -> bool:
    if style in (_GROUP_STYLE, _PERSONAL_STYLE):
        return bool(style == _GROUP_STYLE)
    return _GROUP_NAME.fullmatch(place) is not None or len(members) > 1


def _is_machine(place: str, service: str) -> bool:
    """Return whether what writes from there is a firm's machine: a short code, a name instead of a number."""
    if place.startswith(_BUSINESS) or _SHORT_CODE.fullmatch(place):
        return True
    return service in _OF_PHONES and "@" not in place and phone_of(place) is None


def find_attachments(db: sqlite3.Connection, found: dict[int, Kind]) -> None:
    """Put into `found` what is attached to each message, by its row: of several things the first that says its kind.

    Raises sqlite3.DatabaseError where the database is damaged; what was found before stays.
    """
    known = columns(db, "attachment")
    if not columns(db, "message_attachment_join") or not known:
        return
    wanted = (
        f"a.{name}" if name in known else "NULL" for name in ("mime_type", "transfer_name", "filename", "is_sticker")
    )
    query = (
        f"SELECT j.message_id, {', '.join(wanted)} "
        "FROM message_attachment_join j JOIN attachment a ON a.ROWID = j.attachment_id"
    )
    for message, mime, transferred, path, sticker in db.execute(query):
        name = (as_text(transferred) or as_text(path)).lower()
        if name.endswith(_PREVIEW) and not mime:
            continue
        if found.get(message, Kind.FILE) is Kind.FILE:
            found[message] = Kind.STICKER if sticker else _attachment_kind(as_text(mime).lower(), name)


def _attachment_kind(mime: str, name: str) -> Kind:
    found = _BY_MIME.get(mime) or _BY_MIME_GROUP.get(mime.partition("/")[0])
    return found or _BY_ENDING.get(name.rpartition(".")[2], Kind.FILE)
