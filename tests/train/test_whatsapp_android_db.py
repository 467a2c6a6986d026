"""Real databases with the tables of WhatsApp on Android, of both layouts."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.train.exports import WHATSAPP_ANDROID, WHATSAPP_ANDROID_OLD
from train.importing import import_paths
from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Note, Owner, Record
from train.sources.whatsapp_android_db import SOURCE
from train.store import Store

Read = Callable[..., list[Record]]
T0 = 1_700_000_000_000
BOB, ANN = "491701234567@s.whatsapp.net", "447700900123@s.whatsapp.net"
GROUP = "123-456@g.us"


class Phone:
    """A msgstore.db that is being written. Rows of `jid`: 1 Bob, 2 Ann, 3 the group, 4 Ann's hidden id, 5 Bob's tablet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = sqlite3.connect(path)
        people = [(1, BOB), (2, ANN), (3, GROUP), (4, "777@lid"), (5, "491701234567.0:2@s.whatsapp.net"),
                  (6, "status@broadcast"), (7, "9@newsletter"), (8, "13@bot"), (9, "888@lid")]  # fmt: skip
        self.db.executescript(f"""{WHATSAPP_ANDROID}
            INSERT INTO jid_map VALUES (4, 2, 1);
            INSERT INTO lid_display_name VALUES (4, 'Annie', 'ann'), (9, 'Eve', NULL);
            INSERT INTO props (key, value) VALUES ('user_push_name', 'Mia');
            INSERT INTO chat (_id, jid_row_id, subject) VALUES (1, 1, NULL), (2, 3, 'Boat club'), (3, 6, NULL),
                (4, 7, 'News'), (5, 8, NULL), (6, 4, NULL);""")
        for row, jid in people:
            user, _, server = jid.partition("@")
            self.db.execute("INSERT INTO jid (_id, user, server, raw_string) VALUES (?, ?, ?, ?)", [row, user, server, jid])  # fmt: skip

    def add(self, number: int, text: Any = "hi", chat: Any = 1, kind: Any = 0, **more: Any) -> "Phone":
        return self.put("message", _id=number, **{"chat_row_id": chat, "key_id": f"K{number}", "text_data": text, "from_me": 0,
                        "timestamp": T0 + number, "message_type": kind, "status": 0, "sort_id": number} | more)  # fmt: skip

    def put(self, table: str, **row: Any) -> "Phone":
        columns = ", ".join(row)
        self.db.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
        return self

    def media(self, number: int, **row: Any) -> "Phone":
        return self.put("message_media", message_row_id=number, **row)

    def done(self) -> Path:
        self.db.commit()
        self.db.close()
        return self.path


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    return Phone(tmp_path / "msgstore.db")


def kept(records: list[Record]) -> list[Message]:
    return [one for one in records if isinstance(one, Message)]


def reasons(records: list[Record]) -> list[str]:
    return [one.reason for one in records if isinstance(one, Drop)]


def contacts(folder: Path, *rows: tuple[str, str | None, str | None]) -> None:
    db = sqlite3.connect(folder / "wa.db")
    db.execute("CREATE TABLE wa_contacts (_id INTEGER PRIMARY KEY, jid TEXT NOT NULL, display_name TEXT, wa_name TEXT)")
    db.executemany("INSERT INTO wa_contacts (jid, display_name, wa_name) VALUES (?, ?, ?)", rows)
    db.commit()
    db.close()


def test_people_are_their_numbers_and_go_by_the_owners_name_for_them(phone: Phone, read: Read, tmp_path: Path) -> None:
    contacts(tmp_path, (BOB, "Bob Lee", "bobby"), (ANN, None, "annie k"))
    phone.add(1).add(2, "yo", from_me=1).add(3, "all", 2, sender_jid_row_id=1).add(4, "me too", 2, sender_jid_row_id=2)
    records = read(phone.done(), "whatsapp-android-db")
    assert [(m.id, m.sender_id, m.sender_name, m.is_owner, m.time_ms) for m in kept(records)] == [
        ("K1", "+491701234567", "Bob Lee", False, T0 + 1), ("K2", "me", "Mia", True, T0 + 2),
        ("K3", "+491701234567", "Bob Lee", False, T0 + 3), ("K4", "+447700900123", "Annie", False, T0 + 4),
    ]  # fmt: skip
    assert Owner("whatsapp", "me", "Mia") in records
    assert Account("whatsapp", "+491701234567", "Bob Lee", ("+491701234567",)) in records
    assert {one.id: (one.name, one.kind) for one in records if isinstance(one, Chat)} == {
        BOB: ("Bob Lee", ChatKind.PERSONAL), GROUP: ("Boat club", ChatKind.GROUP), ANN: ("Annie", ChatKind.PERSONAL),
        "status@broadcast": (None, ChatKind.CHANNEL), "9@newsletter": ("News", ChatKind.CHANNEL),
        "13@bot": (None, ChatKind.CHANNEL),
    }  # fmt: skip


def test_hidden_ids_and_devices_are_the_person_with_the_number(phone: Phone, read: Read) -> None:
    phone.add(1, "hidden", 2, sender_jid_row_id=4).add(2, "tablet", 2, sender_jid_row_id=5)
    phone.add(3, "chat by hidden id", 6).add(4, "nobody knows the number", 2, sender_jid_row_id=9)
    assert [(m.chat_id, m.sender_id, m.sender_name) for m in kept(read(phone.done()))] == [
        (GROUP, "+447700900123", "Annie"), (GROUP, "+491701234567", "+491701234567"), (GROUP, "888@lid", "Eve"),
        (ANN, "+447700900123", "Annie"),
    ]  # fmt: skip


def test_kinds_of_messages(phone: Phone, read: Read) -> None:
    phone.add(1, "the caption", kind=1).add(2, None, kind=2).media(2, file_path="Media/PTT-20240101-WA1.opus")
    phone.add(3, None, kind=2).media(3, mime_type="audio/mpeg").add(4, None, kind=2, origin=1)
    phone.add(5, "plan", kind=9).media(5, media_name="plan.pdf").add(6, "look at page 2", kind=9).media(
        6, media_name="plan.pdf"
    )
    phone.add(7, "BEGIN:VCARD", kind=4).add(8, None, kind=5).add(9, None, kind=13).add(10, None, kind=20)
    phone.add(11, "When?", kind=66).add(12, None, kind=90).add(13, None, kind=42).add(14, None, kind=81).add(
        15, "x", kind=25
    )
    phone.media(9, media_caption="caption of its own")
    assert [(m.kind, m.text) for m in kept(read(phone.done()))] == [
        (Kind.PHOTO, "the caption"), (Kind.VOICE, ""), (Kind.AUDIO, ""), (Kind.VOICE, ""), (Kind.FILE, ""),
        (Kind.FILE, "look at page 2"), (Kind.CONTACT, ""), (Kind.LOCATION, ""), (Kind.GIF, "caption of its own"),
        (Kind.STICKER, ""), (Kind.POLL, "When?"), (Kind.CALL, ""), (Kind.PHOTO, ""), (Kind.VIDEO, ""), (Kind.MEDIA, "x"),
    ]  # fmt: skip


def test_what_the_app_says_is_nobodys_voice(phone: Phone, read: Read) -> None:
    phone.add(1, "Boat club", 2, 7, status=6).put("message_system", message_row_id=1, action_type=11)
    phone.add(2, None, 1, 7, status=6).put("message_system", message_row_id=2, action_type=67)
    phone.add(3, "1690000000", 2, 7, status=6).put("message_system", message_row_id=3, action_type=6)
    assert [(m.kind, m.text) for m in kept(read(phone.done()))] == [
        (Kind.SERVICE, "encrypted"), (Kind.SERVICE, "created: Boat club"), (Kind.SERVICE, "picture"),
    ]  # fmt: skip


def test_replies_reactions_forwards_and_mentions(phone: Phone, read: Read, tmp_path: Path) -> None:
    contacts(tmp_path, (BOB, "Bob", None))
    phone.add(1).add(2, "see", from_me=1).put("message_quoted", message_row_id=2, chat_row_id=1, parent_message_chat_row_id=1, from_me=0, key_id="K1")  # fmt: skip
    phone.add(3, "to a status").put("message_quoted", message_row_id=3, chat_row_id=3, parent_message_chat_row_id=1, from_me=0, key_id="K9")  # fmt: skip
    phone.add(4, "far", origination_flags=1).add(5, "farther").put(
        "message_forwarded", message_row_id=5, forward_score=3
    )
    for number, (parent, mine, who, emoji) in enumerate(
        [(1, 1, 0, "👍"), (2, 0, 1, "😂"), (2, 0, 1, "❤"), (4, 0, 1, "👍"), (4, 0, 1, ""), (5, 0, None, "🙏")], 1
    ):
        phone.put("message_add_on", _id=number, chat_row_id=1, from_me=mine, key_id=f"R{number}", sender_jid_row_id=who, parent_message_row_id=parent)  # fmt: skip
        phone.put("message_add_on_reaction", message_add_on_row_id=number, reaction=emoji)
    phone.add(6, "@777 and @491701234567, not @4917012345678", 2, sender_jid_row_id=1)
    phone.put("message_mentions", message_row_id=6, jid_row_id=4).put(
        "message_mentions", message_row_id=6, jid_row_id=1
    )
    one, two, three, four, five, six = kept(read(phone.done()))
    assert (two.reply_to, three.reply_to) == ("K1", None)
    assert (one.forwarded_from, four.forwarded_from, five.forwarded_from) == (None, "", "")
    assert [m.reactions for m in (one, two, three, four, five)] == [
        '[["👍",1,"me"]]', '[["❤",1,"+491701234567"]]', None, None, '[["🙏",1,"+491701234567"]]',
    ]  # fmt: skip
    assert six.text == "@Annie and @Bob, not @4917012345678"
    assert six.mentions == '["+447700900123","+491701234567"]'


def test_an_edited_or_deleted_message_takes_the_place_of_the_one_it_was(tmp_path: Path, store: Store) -> None:
    for folder in ("january", "february"):
        (tmp_path / folder).mkdir()
    path = Phone(tmp_path / "january" / "msgstore.db").add(1, "frist").add(2, "oops").done()
    import_paths(store, [path])
    # The app gives the row the id of the edit, or of the deletion, and notes the first one.
    later = Phone(tmp_path / "february" / "msgstore.db").add(1, "first", key_id="E1").add(2, None, kind=15, key_id="D2")
    later.put(
        "message_edit_info", message_row_id=1, original_key_id="K1", edited_timestamp=T0 + 99, sender_timestamp=T0
    )
    later.put("message_revoked", message_row_id=2, revoked_key_id="K2").add(3, "see")
    later.put("message_quoted", message_row_id=3, chat_row_id=1, parent_message_chat_row_id=1, from_me=0, key_id="E1")
    (report,) = import_paths(store, [later.done()])
    assert (report.added, report.updated) == (1, 2)
    rows = store.db.execute("SELECT message, kind, text, edited_ms, reply_to FROM messages ORDER BY message").fetchall()
    assert rows == [("K1", "text", "first", T0 + 99, None), ("K2", "deleted", "", None, None), ("K3", "text", "see", None, "K1")]  # fmt: skip


def test_messages_sent_to_disappear_are_read_on_request_alone(phone: Phone, read: Read) -> None:
    phone.add(1).put("message_ephemeral", message_row_id=1, duration=86400, expire_timestamp=0)
    phone.add(2, "kept by hand").put("message_ephemeral", message_row_id=2, duration=86400, expire_timestamp=0, keep_in_chat=1)  # fmt: skip
    path = phone.done()
    assert (reasons(read(path)), [m.id for m in kept(read(path))]) == (["disappearing message"], ["K2"])
    assert [m.id for m in kept(read(path, disappearing=True))] == ["K1", "K2"]


def test_rows_that_are_no_messages_are_dropped_with_a_reason(phone: Phone, read: Read) -> None:
    phone.add(1, kind=11).add(2, kind=99).add(3, None).add(4, timestamp=0).add(5, status=-1).add(6, chat=50)
    assert reasons(read(phone.done())) == [
        "not decrypted by the phone", "an album, whose pictures are messages of their own", "nothing in it", "no date",
        "a place that the app keeps free", "in no chat",
    ]  # fmt: skip


def test_rows_of_any_content_are_kept_or_dropped(phone: Phone, read: Read) -> None:
    odd: list[Any] = [None, b"\xff\x00", "", "x", 1.5, -5, 2**62]
    number = 0
    for column in ("text_data", "timestamp", "message_type", "status", "sender_jid_row_id", "sort_id", "origin"):
        for value in odd:
            if not (column == "sort_id" and value is None):
                number += 1
                phone.add(number, chat=2, **{column: value})
    records = read(phone.done())
    assert len(kept(records)) + len(reasons(records)) == number
    assert all(isinstance(m.text, str) and isinstance(m.seq, int) for m in kept(records))


def test_it_goes_on_where_an_iphone_ended(phone: Phone, tmp_path: Path, store: Store) -> None:
    db = sqlite3.connect(tmp_path / "ChatStorage.sqlite")
    db.executescript(f"""
        CREATE TABLE ZWACHATSESSION (Z_PK INTEGER PRIMARY KEY, ZCONTACTJID TEXT, ZPARTNERNAME TEXT);
        CREATE TABLE ZWAMESSAGE (Z_PK INTEGER PRIMARY KEY, ZCHATSESSION INTEGER, ZSTANZAID TEXT, ZTEXT TEXT,
            ZMESSAGEDATE TIMESTAMP, ZISFROMME INTEGER, ZMESSAGETYPE INTEGER, ZFROMJID TEXT);
        INSERT INTO ZWACHATSESSION VALUES (1, '{BOB}', 'Bob');
        INSERT INTO ZWAMESSAGE VALUES (1, 1, 'K1', 'hi', {T0 / 1000 - 978_307_200}, 0, 0, '{BOB}');""")
    db.commit()
    db.close()
    import_paths(store, [tmp_path / "ChatStorage.sqlite"])
    (report,) = import_paths(store, [phone.add(1).add(2, "new phone").done()])
    assert report.added == 1
    assert store.count() == 2


def test_an_encrypted_backup_says_what_to_do(tmp_path: Path, store: Store) -> None:
    (tmp_path / "msgstore-2024-01-01.1.db.crypt15").write_bytes(bytes(range(256)) * 8)
    (report,) = import_paths(store, [tmp_path])
    assert "is encrypted" in str(report.error)
    assert "64-digit key" in str(report.error)


def test_contacts_that_cannot_be_read_cost_their_names_alone(phone: Phone, store: Store, tmp_path: Path) -> None:
    (tmp_path / "wa.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 2000)
    (report,) = import_paths(store, [phone.add(1).done()])
    assert report.kept == 1
    assert report.tear is not None
    assert report.tear.place == "wa.db"


class OldPhone(Phone):
    """The same as it was until 2021."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = sqlite3.connect(path)
        self.db.executescript(f"""{WHATSAPP_ANDROID_OLD}
            INSERT INTO chat_list (key_remote_jid, subject) VALUES ('{BOB}', NULL), ('{GROUP}', 'Boat club');
            INSERT INTO messages (_id, key_remote_jid, key_id, status) VALUES (1, '-1', '-1', -1);
            INSERT INTO messages_quotes VALUES (1, '{BOB}', 0, 'K2', NULL, 0), (2, '{GROUP}', 0, 'K2', NULL, 0);""")

    def add(self, number: int, text: Any = "hi", chat: Any = BOB, kind: Any = 0, **more: Any) -> "OldPhone":
        self.put("messages", _id=number, **{"key_remote_jid": chat, "key_from_me": 0, "key_id": f"K{number}", "data": text,
                 "timestamp": T0 + number, "media_wa_type": str(kind), "status": 0, "edit_version": 0} | more)  # fmt: skip
        return self


def test_the_older_layout(tmp_path: Path, read: Read) -> None:
    phone = OldPhone(tmp_path / "msgstore.db").add(2).add(3, "yo", key_from_me=1, quoted_row_id=1)
    phone.add(4, b"\xff\xd8 a small picture", kind=1, media_caption="look").add(5, None, kind=2, origin=1)
    phone.add(6, "private answer", quoted_row_id=2).add(7, "", edit_version=7).add(8, None, kind=15).add(9, forwarded=1)
    phone.add(10, "all", GROUP, remote_resource=ANN).add(
        11, "x @447700900123", GROUP, remote_resource=BOB, mentioned_jids=ANN
    )
    phone.add(12, "Boat", GROUP, status=6, media_size=1, remote_resource=ANN)
    contacts(tmp_path, (ANN, "Ann", None))
    records = read(phone.done(), "whatsapp-android-db", owner="Mia")
    assert reasons(records) == ["a place that the app keeps free"]
    assert [(m.id, m.chat_id, m.sender_name, m.kind, m.text, m.reply_to, m.forwarded_from) for m in kept(records)] == [
        ("K10", GROUP, "Ann", Kind.TEXT, "all", None, None),
        ("K11", GROUP, "+491701234567", Kind.TEXT, "x @Ann", None, None),
        ("K12", GROUP, "Ann", Kind.SERVICE, "subject: Boat", None, None),
        ("K2", BOB, "+491701234567", Kind.TEXT, "hi", None, None),
        ("K3", BOB, "Mia", Kind.TEXT, "yo", "K2", None),
        ("K4", BOB, "+491701234567", Kind.PHOTO, "look", None, None),
        ("K5", BOB, "+491701234567", Kind.VOICE, "", None, None),
        ("K6", BOB, "+491701234567", Kind.TEXT, "private answer", None, None),
        ("K7", BOB, "+491701234567", Kind.DELETED, "", None, None),
        ("K8", BOB, "+491701234567", Kind.DELETED, "", None, None),
        ("K9", BOB, "+491701234567", Kind.TEXT, "hi", None, ""),
    ]  # fmt: skip
    assert [one.name for one in records if isinstance(one, Chat)] == ["Boat club", "+491701234567"]


def test_of_two_layouts_in_one_file_the_one_that_is_filled_is_read(phone: Phone, read: Read) -> None:
    phone.add(1).add(2).add(3).db.executescript(f"""{WHATSAPP_ANDROID_OLD}
        INSERT INTO messages (_id, key_remote_jid, key_id, status) VALUES (1, '-1', '-1', -1), (2, '{BOB}', 'K1', 0);""")
    records = read(phone.done())
    assert [m.id for m in kept(records)] == ["K1", "K2", "K3"]
    assert [one.text for one in records if isinstance(one, Note)] == [
        "msgstore.db: the app was changing over; 2 rows of its table messages are not read."
    ]


def test_databases_of_other_programs_are_not_taken_for_it(tmp_path: Path) -> None:
    for number, tables in enumerate((("messages", "messages_fts", "chats"), ("message", "chat", "handle"))):
        db = sqlite3.connect(tmp_path / f"{number}.db")
        for table in tables:
            db.execute(f"CREATE TABLE {table} (_id INTEGER PRIMARY KEY)")
        db.commit()
        db.close()
        assert SOURCE.detect(tmp_path / f"{number}.db") == 0
