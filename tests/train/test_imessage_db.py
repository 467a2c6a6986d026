"""Real databases with Apple's tables, read as iMessage."""

import plistlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persona.errors import UserError
from tests.train.typedstreams import body
from train.importing import import_paths
from train.messages import Account, Chat, ChatKind, Drop, Folded, Kind, Message, Owner, Reading, Record
from train.sources.imessage_db import SOURCE
from train.store import Store

Read = Callable[..., list[Record]]
EPOCH = 978_307_200
T0 = 725_000_000  # seconds from 2001: in December 2023

COLUMNS = """ROWID INTEGER PRIMARY KEY, guid TEXT UNIQUE, text TEXT, attributedBody BLOB, date INTEGER,
    is_from_me INTEGER DEFAULT 0, handle_id INTEGER DEFAULT 0, service TEXT, account TEXT, item_type INTEGER DEFAULT 0,
    associated_message_guid TEXT, associated_message_type INTEGER DEFAULT 0, associated_message_emoji TEXT,
    thread_originator_guid TEXT, balloon_bundle_id TEXT, is_audio_message INTEGER DEFAULT 0, date_edited INTEGER,
    date_retracted INTEGER, message_summary_info BLOB, group_title TEXT"""


class Phone:
    """A chat.db that is being written."""

    def __init__(self, path: Path, columns: str = COLUMNS) -> None:
        self.path = path
        self.db = sqlite3.connect(path)
        self.db.executescript(f"""
            CREATE TABLE message ({columns});
            CREATE TABLE handle (ROWID INTEGER PRIMARY KEY, id TEXT, service TEXT);
            CREATE TABLE chat (ROWID INTEGER PRIMARY KEY, guid TEXT, chat_identifier TEXT, style INTEGER,
                display_name TEXT);
            CREATE TABLE chat_message_join (chat_id INTEGER, message_id INTEGER, PRIMARY KEY (chat_id, message_id));
            CREATE TABLE chat_handle_join (chat_id INTEGER, handle_id INTEGER);
            CREATE TABLE attachment (ROWID INTEGER PRIMARY KEY, mime_type TEXT, is_sticker INTEGER DEFAULT 0);
            CREATE TABLE message_attachment_join (message_id INTEGER, attachment_id INTEGER);
            INSERT INTO handle VALUES (1, '+491701234567', 'iMessage'), (2, 'Zoe@Example.org', 'iMessage'),
                (3, '+491701234567', 'SMS');
            INSERT INTO chat VALUES (1, 'iMessage;-;+491701234567', '+491701234567', 45, ''),
                (2, 'iMessage;+;chat77', 'chat77', 43, 'The boat'), (3, 'SMS;-;+491701234567', '+491701234567', 45, '');
            INSERT INTO chat_handle_join VALUES (1, 1), (2, 1), (2, 2), (3, 3);""")

    def add(self, number: int, text: str | bytes | None = None, chat: int | None = 1, **values: Any) -> "Phone":
        row = {"ROWID": number, "guid": f"G{number}", "text": text, "date": T0 + number, "handle_id": 1} | values
        names = ", ".join(row)
        self.db.execute(f"INSERT INTO message ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
        if chat is not None:
            self.db.execute("INSERT INTO chat_message_join VALUES (?, ?)", [chat, number])
        return self

    def attach(self, message: int, mime: str, sticker: int = 0) -> "Phone":
        number = self.db.execute(
            "INSERT INTO attachment (mime_type, is_sticker) VALUES (?, ?)", [mime, sticker]
        ).lastrowid
        self.db.execute("INSERT INTO message_attachment_join VALUES (?, ?)", [message, number])
        return self

    def done(self) -> Path:
        self.db.commit()
        self.db.close()
        return self.path


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    return Phone(tmp_path / "chat.db")


def kept(records: list[Record]) -> list[Message]:
    return [one for one in records if isinstance(one, Message)]


def test_the_body_is_in_the_archive_when_the_text_is_null(phone: Phone, read: Read) -> None:
    long = "not cut off: " + "ü😀" * 200
    path = phone.add(1, None, attributedBody=body(long)).add(2, "plain").done()
    assert [m.text for m in kept(read(path, "imessage-db"))] == [long, "plain"]


@pytest.mark.parametrize("date", [T0, T0 * 10**9])
def test_seconds_and_nanoseconds_count_from_2001(phone: Phone, read: Read, date: int) -> None:
    (message,) = kept(read(phone.add(1, "x", date=date).done()))
    assert message.time_ms == (T0 + EPOCH) * 1000


def test_a_tapback_is_a_reaction_not_a_message(phone: Phone, read: Read) -> None:
    phone.add(1, "look").add(2, None, associated_message_guid="p:0/G1", associated_message_type=2000, is_from_me=1)
    phone.add(3, None, associated_message_guid="bp:G1", associated_message_type=2006, associated_message_emoji="🦀")
    records = read(phone.done())
    (message,) = kept(records)
    assert message.reactions == '[["❤️",1,"me"],["🦀",1,"+491701234567"]]'
    assert [one for one in records if isinstance(one, Folded)] == [Folded("reaction", "+491701234567")] * 2


def test_a_tapback_taken_back_or_changed_is_gone(phone: Phone, read: Read) -> None:
    for number, kind in ((2, 2001), (3, 2003), (4, 3003)):
        phone.add(number, None, associated_message_guid="p:0/G1", associated_message_type=kind)
    (message,) = kept(read(phone.add(1, "look").done()))
    assert message.reactions is None


def test_tapbacks_to_nothing_and_tapbacks_in_words_are_dropped(phone: Phone, read: Read) -> None:
    phone.add(1, None, associated_message_guid="p:0/GONE", associated_message_type=2000)
    phone.add(2, "Loved “see you at eight”").add(3, "Liked an image").add(4, "Loved the cake, thanks")
    records = read(phone.done())
    assert [m.text for m in kept(records)] == ["Loved the cake, thanks"]
    assert [d.reason for d in records if isinstance(d, Drop)] == [
        "reaction to a message that is not here", "tapback sent as text", "tapback sent as text",
    ]  # fmt: skip


def test_edits_keep_the_last_text_and_unsent_messages_are_deleted(phone: Phone, read: Read) -> None:
    versions = {"ec": {"0": [{"t": body("first")}, {"t": body("second")}]}}
    phone.add(1, None, message_summary_info=plistlib.dumps(versions, fmt=plistlib.FMT_BINARY), date_edited=T0 + 60)
    phone.add(2, None, message_summary_info=plistlib.dumps({"rp": [0]}, fmt=plistlib.FMT_BINARY))
    first, second = kept(read(phone.done()))
    assert (first.text, first.edited_ms) == ("second", (T0 + 60 + EPOCH) * 1000)
    assert (second.kind, second.text) == (Kind.DELETED, "")


def test_replies_attachments_apps_and_events(phone: Phone, read: Read) -> None:
    phone.add(1, "\ufffcsee", thread_originator_guid="G9").attach(1, "image/jpeg")
    phone.add(2, "\ufffc", balloon_bundle_id="com.apple.messages.MSMessageExtensionBalloonPlugin:game")
    phone.add(3, "https://example.org", balloon_bundle_id="com.apple.messages.URLBalloonProvider")
    phone.add(4, None, item_type=2, group_title="New name").add(5, "\ufffc", is_audio_message=1)
    phone.add(6, "\ufffc").attach(6, "image/heic", sticker=1)
    assert [(m.kind, m.text, m.reply_to) for m in kept(read(phone.done()))] == [
        (Kind.PHOTO, "see", "G9"), (Kind.MEDIA, "", None), (Kind.TEXT, "https://example.org", None),
        (Kind.SERVICE, "New name", None), (Kind.VOICE, "", None), (Kind.STICKER, "", None),
    ]  # fmt: skip


def test_mentions_are_handles(phone: Phone, read: Read) -> None:
    (message,) = kept(read(phone.add(1, None, attributedBody=body("hey Zoe", mention="Zoe@Example.org")).done()))
    assert (message.text, message.mentions) == ("hey Zoe", '["zoe@example.org"]')


def test_one_person_by_imessage_and_by_sms_is_one_chat(phone: Phone, read: Read) -> None:
    phone.add(1, "blue").add(2, "green", chat=3, handle_id=3).add(3, "all", chat=2, handle_id=2)
    records = read(phone.done())
    assert [(m.chat_id, m.sender_id) for m in kept(records)] == [
        ("+491701234567", "+491701234567"), ("chat77", "zoe@example.org"), ("+491701234567", "+491701234567"),
    ]  # fmt: skip
    kinds = {one.id: (one.kind, one.name) for one in records if isinstance(one, Chat)}
    assert kinds["chat77"] == (ChatKind.GROUP, "The boat")
    assert kinds["+491701234567"] == (ChatKind.PERSONAL, "+491701234567")


def test_the_owner_is_who_sent_from_here_whatever_the_handle(phone: Phone, read: Read) -> None:
    records = read(phone.add(1, "mine", is_from_me=1, account="E:Me@Example.org").done(), owner="Mia")
    (message,) = kept(records)
    assert (message.sender_id, message.sender_name, message.is_owner) == ("me", "Mia", True)
    assert Owner("imessage", "me", "Mia") in records
    assert Account("imessage", "me", "Mia", emails=("me@example.org",)) in records
    assert Account("imessage", "+491701234567", "+491701234567", phones=("+491701234567",)) in records


def test_a_row_in_two_chats_is_one_record_and_one_in_none_is_dropped(phone: Phone, read: Read) -> None:
    phone.add(1, "twice").add(2, "lost", chat=None)
    phone.db.execute("INSERT INTO chat_message_join VALUES (3, 1)")
    records = read(phone.done())
    assert [m.text for m in kept(records)] == ["twice"]
    assert [d.reason for d in records if isinstance(d, Drop)] == ["in no chat"]


def test_the_newest_messages_are_read_out_of_the_log_and_nothing_is_left_beside_it(tmp_path: Path, read: Read) -> None:
    phone = Phone(tmp_path / "chat.db")
    phone.db.execute("PRAGMA journal_mode = WAL")
    phone.add(1, "in the log").db.commit()

    def files() -> dict[str, bytes]:
        return {one.name: one.read_bytes() for one in tmp_path.glob("chat.db*") if not one.name.endswith("-shm")}

    before = files()
    assert [m.text for m in kept(read(phone.path, scratch=tmp_path / "private"))] == ["in the log"]
    after = {
        one.name: one.read_bytes() for one in tmp_path.iterdir() if one.is_file() and not one.name.endswith("-shm")
    }
    assert after == before
    assert not any((tmp_path / "private").iterdir())


def test_older_tables_have_fewer_columns(tmp_path: Path, read: Read) -> None:
    columns = (
        "ROWID INTEGER PRIMARY KEY, guid TEXT UNIQUE, text TEXT, date INTEGER, is_from_me INTEGER, handle_id INTEGER"
    )
    assert [m.text for m in kept(read(Phone(tmp_path / "sms.db", columns).add(1, "old").done()))] == ["old"]


def test_rows_of_any_content_are_kept_or_dropped(phone: Phone, read: Read) -> None:
    phone.add(1, None, attributedBody=b"nonsense").add(2, "x", date=None).add(3, "y", date="tomorrow", guid=None)
    phone.add(4, "z", handle_id=99, date=-3_000_000_000).add(5, "far", date=8_300_000_000 * 10**9)
    phone.add(6, b"\xff\x00\xfe").add(7, "w", message_summary_info=b"bplist00broken").add(8, "big" * 3_000_000)
    records = read(phone.done())
    assert len([one for one in records if isinstance(one, Message | Drop | Folded)]) == 8
    assert {m.text[:3] for m in kept(records)} >= {"z", "far", "w", "big"}


def test_a_database_that_is_locked_or_damaged_says_so(phone: Phone, store: Store, tmp_path: Path) -> None:
    for number in range(1, 2000):
        phone.add(number, "a text of some length " * 5)
    path = phone.done()
    with sqlite3.connect(path) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        (report,) = import_paths(store, [path])
        assert isinstance(report.error, UserError)
        assert "locked" in str(report.error)
        holder.rollback()
    raw = bytearray(path.read_bytes())
    raw[200_000:260_000] = b"\x55" * 60_000
    path.write_bytes(raw)
    (report,) = import_paths(store, [path])
    assert report.tear is not None
    assert store.count() > 0


quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
rows = st.lists(st.tuples(st.booleans(), st.text(min_size=1), st.integers(0, 10**6), st.booleans()), min_size=1)


@quick
@given(rows)
def test_any_chat_comes_back(tmp_path: Path, rows: list[tuple[bool, str, int, bool]]) -> None:
    path = tmp_path / "chat.db"
    path.unlink(missing_ok=True)
    phone = Phone(path)
    expected = []
    for number, (mine, text, second, archived) in enumerate(rows, 1):
        text = f"w{text}w".encode("utf-8", "replace").decode().replace("\0", "").replace("\ufffc", "")
        given_as: dict[str, Any] = {"attributedBody": body(text)} if archived else {}
        phone.add(number, None if archived else text, date=T0 + second, is_from_me=mine, **given_as)
        expected.append(("me" if mine else "+491701234567", text, (T0 + second + EPOCH) * 1000))
    found = kept(list(SOURCE.read(phone.done(), Reading())))
    assert [(m.sender_id, m.text, m.time_ms) for m in found] == expected
