"""Signal: decrypted databases with its tables, and the text that signal-export writes."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from train.importing import import_paths
from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Owner, Record
from train.store import Store

Read = Callable[..., list[Record]]
T0 = 1_700_000_000_000
BOB, MIA = "aaaa-bob", "bbbb-mia"


class Desktop:
    """A db.sqlite that is being written."""

    def __init__(self, path: Path, columns: str = "id TEXT, json TEXT, type TEXT, body TEXT, conversationId TEXT, sourceServiceId TEXT, sent_at INTEGER, expireTimer INTEGER, hasAttachments INTEGER") -> None:  # fmt: skip
        self.path = path
        self.db = sqlite3.connect(path)
        self.db.executescript(f"""
            CREATE TABLE messages (rowid INTEGER PRIMARY KEY, {columns});
            CREATE TABLE conversations (id TEXT, json TEXT, type TEXT, name TEXT, profileFullName TEXT, e164 TEXT, serviceId TEXT);
            CREATE TABLE items (id TEXT, json TEXT);
            CREATE TABLE message_attachments (messageId TEXT, contentType TEXT);
            INSERT INTO items VALUES ('uuid_id', '{{"id":"uuid_id","value":"{MIA}.2"}}');
            INSERT INTO conversations VALUES ('c1', '{{}}', 'private', NULL, 'Bob Lee', '+491701234567', '{BOB}'),
                ('c2', '{{}}', 'group', 'Boat', NULL, NULL, NULL), ('c3', '{{}}', 'private', NULL, 'Mia', NULL, '{MIA}');""")

    def add(self, number: int, body: str | None = "hi", chat: str | None = "c1", kind: str = "incoming", source: str | None = BOB, at: Any = None, **more: Any) -> "Desktop":  # fmt: skip
        row = {"id": f"m{number}", "type": kind, "body": body, "conversationId": chat, "sourceServiceId": source,
               "sent_at": T0 + number if at is None else at, "json": json.dumps(more)}  # fmt: skip
        names = ", ".join(row)
        self.db.execute(f"INSERT INTO messages ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
        return self

    def done(self) -> Path:
        self.db.commit()
        self.db.close()
        return self.path


@pytest.fixture
def desktop(tmp_path: Path) -> Desktop:
    return Desktop(tmp_path / "db.sqlite")


def kept(records: list[Record]) -> list[Message]:
    return [one for one in records if isinstance(one, Message)]


def test_people_the_owner_and_kinds_of_chats(desktop: Desktop, read: Read) -> None:
    desktop.add(1).add(2, "yo", kind="outgoing", source=None).add(3, "note", "c3", "outgoing", None).add(4, "all", "c2")
    records = read(desktop.done(), "signal-db")
    assert [(m.id, m.sender_id, m.sender_name, m.is_owner) for m in kept(records)] == [
        ("m1", BOB, "Bob Lee", False), ("m2", "me", "Mia", True), ("m4", BOB, "Bob Lee", False), ("m3", "me", "Mia", True),
    ]  # fmt: skip
    assert {one.id: one.kind for one in records if isinstance(one, Chat)} == {
        "c1": ChatKind.PERSONAL, "c2": ChatKind.GROUP, "c3": ChatKind.SAVED,
    }  # fmt: skip
    assert Owner("signal", "me", "Mia") in records
    assert Account("signal", BOB, "Bob Lee", ("+491701234567",)) in records


def test_quotes_reactions_mentions_edits_and_deletions(desktop: Desktop, read: Read) -> None:
    desktop.add(1, "look").add(2, "see", quote={"id": T0 + 1}, reactions=[{"emoji": "👍", "fromId": "c3"}])
    desktop.add(3, "😀\ufffc hi", bodyRanges=[{"start": 2, "length": 1, "mentionAci": BOB}])
    desktop.add(4, "x", deletedForEveryone=True).add(5, "new", editHistory=[{"timestamp": T0 + 60}, {"timestamp": T0}])
    first, second, third, fourth, fifth = kept(read(desktop.done()))
    assert (first.reply_to, second.reply_to, second.reactions) == (None, "m1", '[["👍",1,"me"]]')
    assert (third.text, third.mentions) == ("😀@Bob Lee hi", f'["{BOB}"]')
    assert (fourth.kind, fourth.text, fifth.edited_ms) == (Kind.DELETED, "", T0 + 60)


def test_what_the_app_says_calls_media_and_stickers(desktop: Desktop, read: Read) -> None:
    desktop.add(1, None, kind="keychange").add(2, None, kind="call-history").add(3, None, sticker={"emoji": "😺"})
    desktop.add(4, "look", attachments=[{"contentType": "image/png"}]).add(
        5, None, attachments=[{"contentType": "audio/aac", "flags": 1}]
    )
    desktop.add(6, None)
    desktop.db.execute("UPDATE messages SET hasAttachments = 1 WHERE id = 'm6'")
    desktop.db.execute("INSERT INTO message_attachments VALUES ('m6', 'video/mp4')")
    assert [(m.kind, m.text) for m in kept(read(desktop.done()))] == [
        (Kind.SERVICE, "keychange"), (Kind.CALL, ""), (Kind.STICKER, "😺"), (Kind.PHOTO, "look"), (Kind.VOICE, ""), (Kind.VIDEO, ""),
    ]  # fmt: skip


def test_messages_sent_to_disappear_are_read_on_request_alone(desktop: Desktop, read: Read) -> None:
    path = desktop.add(1, expireTimer=3600).add(2, kind="story").done()
    assert [one.reason for one in read(path) if isinstance(one, Drop)] == ["disappearing message", "a story"]
    assert [m.id for m in kept(read(path, disappearing=True))] == ["m1"]


def test_an_encrypted_database_says_what_to_do(tmp_path: Path, store: Store) -> None:
    (tmp_path / "Signal" / "sql").mkdir(parents=True)
    (tmp_path / "Signal" / "sql" / "db.sqlite").write_bytes(bytes(range(256)) * 64)
    (report,) = import_paths(store, [tmp_path / "Signal"])
    assert "is encrypted" in str(report.error)
    assert "sqlcipher" in str(report.error)


def test_rows_of_any_content_are_kept_or_dropped(desktop: Desktop, read: Read) -> None:
    desktop.add(1, chat=None).add(2, chat="gone").add(3, at="soon").add(4, None).add(5, at=9_214_646_400_000).add(
        6, at=-5
    )
    odd: list[Any] = [None, 3, [1], {"a": 1}, True, "x"]
    keys = ("reactions", "quote", "bodyRanges", "attachments", "sticker", "editHistory", "contact")
    for number, (key, value) in enumerate(((key, value) for key in keys for value in odd), 10):
        desktop.add(number, **{key: value})
    desktop.db.execute("INSERT INTO messages (id, json, conversationId) VALUES ('z', 'not json', 'c1')")
    found = [one for one in read(desktop.done()) if isinstance(one, Message | Drop)]
    assert len(found) == 7 + len(odd) * len(keys)


def test_older_tables_have_everything_in_json(tmp_path: Path, read: Read) -> None:
    old = Desktop(tmp_path / "db.sqlite", "id TEXT, json TEXT, conversationId TEXT, sent_at INTEGER")
    row = {"type": "incoming", "body": "old", "sourceUuid": BOB}
    old.db.execute("INSERT INTO messages VALUES (1, 'm1', ?, 'c1', ?)", [json.dumps(row), T0])
    assert [(m.text, m.sender_name) for m in kept(read(old.done()))] == [("old", "Bob Lee")]


def test_the_text_of_signal_export(tmp_path: Path, read: Read) -> None:
    (tmp_path / "Bob Lee").mkdir()
    (tmp_path / "Bob Lee" / "chat.md").write_text(
        "[2024-01-01 10:00] Bob Lee: hi  \nsecond line  \n(- Me: 👍, Ann: 😂 -)\n\n"
        "[2024-01-01 10:00:05] Me: \n> hi\n\nanswer: yes\n[2024-01-01 10:01] Bob Lee: ![a.png](./media/a.png)  \nlook\n"
        "[2024-13-01 10:01] Bob Lee: never\n",
        "utf-8",
    )
    records = read(tmp_path / "Bob Lee", "signal-text", timezone="UTC", owner="Mia")
    assert [(m.sender_name, m.text, m.kind, m.time_ms) for m in kept(records)] == [
        ("Bob Lee", "hi  \nsecond line", Kind.TEXT, 1704103200000), ("Mia", "answer: yes", Kind.TEXT, 1704103205000),
        ("Bob Lee", "look", Kind.PHOTO, 1704103260000),
    ]  # fmt: skip
    assert kept(records)[0].reactions == '[["👍",1,"me"],["😂",1,"ann"]]'
    assert [one.reason for one in records if isinstance(one, Drop)] == ["no readable date"]
