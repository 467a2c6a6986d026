"""Real databases with Apple's tables, read as iMessage: what a row is, in which chat, by whom."""

import random
import sqlite3
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persona.errors import UserError
from tests.train.typedstreams import body
from train.export_files import TornFileError
from train.importing import import_paths
from train.messages import (
    Account,
    Chat,
    ChatKind,
    Drop,
    Folded,
    Kind,
    Message,
    Owner,
    Reading,
    Record,
    Tear,
    as_reactions,
    one_by_one,
)
from train.sources.imessage_db import SOURCE
from train.store import Store

Read = Callable[..., list[Record]]
EPOCH = 978_307_200
T0 = 725_000_000  # seconds from 2001: in December 2023

COLUMNS = """ROWID INTEGER PRIMARY KEY, guid TEXT UNIQUE, text TEXT, attributedBody BLOB, date INTEGER,
    is_from_me INTEGER DEFAULT 0, handle_id INTEGER DEFAULT 0, service TEXT, account TEXT, item_type INTEGER DEFAULT 0,
    associated_message_guid TEXT, associated_message_type INTEGER DEFAULT 0, associated_message_emoji TEXT,
    thread_originator_guid TEXT, balloon_bundle_id TEXT, is_audio_message INTEGER DEFAULT 0, date_edited INTEGER,
    date_retracted INTEGER, message_summary_info BLOB, group_title TEXT, group_action_type INTEGER DEFAULT 0,
    is_forward INTEGER DEFAULT 0, subject TEXT, schedule_type INTEGER DEFAULT 0, is_sent INTEGER DEFAULT 1"""


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
            CREATE TABLE attachment (ROWID INTEGER PRIMARY KEY, mime_type TEXT, transfer_name TEXT,
                is_sticker INTEGER DEFAULT 0);
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

    def attach(self, message: int, mime: str | None, name: str | None = None, sticker: int = 0) -> "Phone":
        number = self.db.execute(
            "INSERT INTO attachment (mime_type, transfer_name, is_sticker) VALUES (?, ?, ?)", [mime, name, sticker]
        ).lastrowid
        self.db.execute("INSERT INTO message_attachment_join VALUES (?, ?)", [message, number])
        return self

    def chat(self, row: int, guid: str, style: int | None, members: tuple[int, ...] = (), title: str = "") -> "Phone":
        place = guid.rpartition(";")[2]
        self.db.execute("INSERT INTO chat VALUES (?, ?, ?, ?, ?)", [row, guid, place, style, title])
        self.db.executemany("INSERT INTO chat_handle_join VALUES (?, ?)", [(row, one) for one in members])
        return self

    def done(self) -> Path:
        self.db.commit()
        self.db.close()
        return self.path


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    return Phone(tmp_path / "chat.db")


def kept(records: Iterable[Record]) -> list[Message]:
    return [one for one in one_by_one(records) if isinstance(one, Message)]


def dropped(records: Iterable[Record]) -> list[str]:
    return [one.reason for one in records if isinstance(one, Drop)]


def counted(records: Iterable[Record]) -> int:
    """How many of the file's records these are."""
    return sum(isinstance(one, Message | Drop | Folded) for one in one_by_one(records))


def test_the_body_is_in_the_archive_when_the_text_is_null(phone: Phone, read: Read) -> None:
    long = "not cut off: " + "ü😀" * 200
    path = phone.add(1, None, attributedBody=body(long)).add(2, "plain").done()
    assert [m.text for m in kept(read(path, "imessage-db"))] == [long, "plain"]


@pytest.mark.parametrize("unit", [1, 10**9], ids=["seconds", "nanoseconds"])
@pytest.mark.parametrize("unix", [-2_082_844_800, EPOCH + T0, 9_214_646_399], ids=["1904", "2023", "2262"])
def test_seconds_and_nanoseconds_count_from_2001(phone: Phone, read: Read, unix: int, unit: int) -> None:
    (message,) = kept(read(phone.add(1, "x", date=(unix - EPOCH) * unit).done()))
    assert message.time_ms == unix * 1000


@pytest.mark.parametrize(
    ("date", "time_ms"),
    [
        (0, None), (None, None), ("yesterday", None), (b"\x01", None), (9e99, None), (float("inf"), None),
        (T0 + 0.25, (T0 + EPOCH) * 1000 + 250), (T0 * 1e9, (T0 + EPOCH) * 1000), (str(T0), (T0 + EPOCH) * 1000),
        (T0 * 10**9 + 1_600_000, (T0 + EPOCH) * 1000 + 2),
    ],
)  # fmt: skip
def test_a_row_without_a_time_is_dropped_and_any_number_is_one(
    tmp_path: Path, read: Read, date: Any, time_ms: int | None
) -> None:
    # A column without a type holds what is put there: text stays text.
    phone = Phone(tmp_path / "chat.db", COLUMNS.replace("date INTEGER,", "date,"))
    records = read(phone.add(1, "x", date=date).done())
    assert [m.time_ms for m in kept(records)] == ([] if time_ms is None else [time_ms])
    assert dropped(records) == (["no date"] if time_ms is None else [])


def test_replies_apps_and_forwards(phone: Phone, read: Read) -> None:
    phone.add(1, "see", thread_originator_guid="G9").add(2, "seen", is_forward=1).add(3, "body", subject="Subject")
    phone.add(4, "\ufffc", balloon_bundle_id="com.apple.messages.MSMessageExtensionBalloonPlugin:game")
    phone.add(5, "https://example.org", balloon_bundle_id="com.apple.messages.URLBalloonProvider")
    phone.add(6, "\ufffc", is_audio_message=1).add(7, "\ufffc")
    found = kept(read(phone.attach(5, None, "AB12.pluginPayloadAttachment").done()))
    assert [(m.kind, m.text, m.reply_to, m.forwarded_from) for m in found] == [
        (Kind.TEXT, "see", "G9", None), (Kind.TEXT, "seen", None, ""), (Kind.TEXT, "Subject\nbody", None, None),
        (Kind.MEDIA, "", None, None), (Kind.TEXT, "https://example.org", None, None), (Kind.VOICE, "", None, None),
        (Kind.MEDIA, "", None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mime", "name", "kind"),
    [
        ("image/jpeg", None, Kind.PHOTO), ("image/heic", "a.heic", Kind.PHOTO), ("image/gif", None, Kind.GIF),
        ("video/quicktime", None, Kind.VIDEO), ("audio/amr", None, Kind.AUDIO), ("text/vcard", None, Kind.CONTACT),
        ("text/x-vlocation", None, Kind.LOCATION), ("application/pdf", "a.pdf", Kind.FILE), (None, "b.PNG", Kind.PHOTO),
        (None, "voice.caf", Kind.AUDIO), (None, "film.MOV", Kind.VIDEO), (None, None, Kind.FILE),
        (None, "AB12.pluginPayloadAttachment", Kind.TEXT),
    ],
)  # fmt: skip
def test_what_is_attached_says_the_kind_and_the_text_is_its_caption(
    phone: Phone, read: Read, mime: str | None, name: str | None, kind: Kind
) -> None:
    (message,) = kept(read(phone.add(1, "\ufffc see").attach(1, mime, name).done()))
    assert (message.kind, message.text) == (kind, "see")


def test_of_several_things_attached_the_first_that_says_its_kind_counts(phone: Phone, read: Read) -> None:
    phone.add(1, "\ufffc\ufffc").attach(1, None).attach(1, "image/png").attach(1, "video/mp4")
    phone.add(2, "\ufffc").attach(2, "image/heic", sticker=1)
    assert [m.kind for m in kept(read(phone.done()))] == [Kind.PHOTO, Kind.STICKER]


@pytest.mark.parametrize(
    ("item", "action", "title", "kind", "text"),
    [
        (1, 0, None, Kind.SERVICE, "member added"), (1, 1, None, Kind.SERVICE, "member removed"),
        (2, 0, "New name", Kind.SERVICE, "New name"), (3, 0, None, Kind.SERVICE, "member left"),
        (3, 1, None, Kind.SERVICE, "group photo changed"), (3, 4, None, Kind.SERVICE, "background changed"),
        (4, 0, None, Kind.SERVICE, "location sharing"), (6, 0, None, Kind.CALL, ""),
        (99, 0, None, Kind.SERVICE, "event 99"),
    ],
)  # fmt: skip
def test_events_of_a_group_are_service_rows_and_facetime_is_a_call(
    phone: Phone, read: Read, item: int, action: int, title: str | None, kind: Kind, text: str
) -> None:
    phone.add(1, None, chat=2, item_type=item, group_action_type=action, group_title=title)
    (message,) = kept(read(phone.done()))
    assert (message.kind, message.text, message.sender_id) == (kind, text, "+491701234567")


def test_polls_are_kept_their_votes_and_changes_are_not_messages(phone: Phone, read: Read) -> None:
    poll = "com.apple.messages.MSMessageExtensionBalloonPlugin:0000000000:com.apple.messages.Polls"
    phone.add(1, "\ufffc", balloon_bundle_id=poll, associated_message_guid="G1", associated_message_type=2)
    phone.add(2, "\ufffc", balloon_bundle_id=poll, associated_message_guid="G1", associated_message_type=2)
    phone.add(3, None, balloon_bundle_id=poll, associated_message_guid="G1", associated_message_type=4000)
    phone.add(4, "\ufffc", balloon_bundle_id=poll, associated_message_guid="GONE", associated_message_type=2)
    records = read(phone.done())
    assert [(m.id, m.kind, m.text) for m in kept(records)] == [("G1", Kind.POLL, "")]
    assert [one for one in records if isinstance(one, Folded)] == [Folded("edit", "+491701234567")]
    assert dropped(records) == ["vote in a poll", "change of a poll that is not here"]


def test_what_is_scheduled_was_not_said_before_it_is_sent(phone: Phone, read: Read) -> None:
    phone.add(1, "later", schedule_type=2, is_sent=0, is_from_me=1).add(2, "sent", schedule_type=2, is_from_me=1)
    records = read(phone.add(3, "not sent", is_sent=0, is_from_me=1).done())
    assert [m.text for m in kept(records)] == ["sent", "not sent"]
    assert dropped(records) == ["scheduled, and not sent"]


def test_recently_deleted_messages_are_dropped_as_such(phone: Phone, read: Read) -> None:
    phone.db.execute("CREATE TABLE chat_recoverable_message_join (chat_id INTEGER, message_id INTEGER)")
    phone.add(1, "deleted", chat=None).add(2, "lost", chat=None)
    phone.db.execute("INSERT INTO chat_recoverable_message_join VALUES (1, 1)")
    records = read(phone.done())
    assert [one for one in records if isinstance(one, Drop)] == [
        Drop("recently deleted", "message 1"), Drop("in no chat", "message 2"),
    ]  # fmt: skip


def test_mentions_are_handles(phone: Phone, read: Read) -> None:
    (message,) = kept(read(phone.add(1, None, attributedBody=body("hey Zoe", mention="Zoe@Example.org")).done()))
    assert (message.text, message.mentions) == ("hey Zoe", '["zoe@example.org"]')


def test_one_person_by_imessage_and_by_sms_is_one_chat_in_the_order_of_the_rows(phone: Phone, read: Read) -> None:
    phone.add(1, "blue").add(2, "green", chat=3, handle_id=3).add(3, "all", chat=2, handle_id=2).add(4, "blue again")
    records = read(phone.done())
    assert [(m.text, m.chat_id, m.sender_id) for m in kept(records)] == [
        ("blue", "+491701234567", "+491701234567"), ("green", "+491701234567", "+491701234567"),
        ("blue again", "+491701234567", "+491701234567"), ("all", "chat77", "zoe@example.org"),
    ]  # fmt: skip
    assert [one for one in records if isinstance(one, Chat)] == [
        Chat("imessage", "+491701234567", "+491701234567", ChatKind.PERSONAL),
        Chat("imessage", "chat77", "The boat", ChatKind.GROUP),
    ]


@pytest.mark.parametrize(
    ("guid", "style", "members", "kind"),
    [
        ("iMessage;+;chat9", 43, (1,), ChatKind.GROUP), ("iMessage;-;+4930123456", 45, (1, 2), ChatKind.PERSONAL),
        ("iMessage;+;chat9", None, (), ChatKind.GROUP), ("SMS;-;+4930123456", None, (1, 2), ChatKind.GROUP),
        ("SMS;-;+4930123456", None, (1,), ChatKind.PERSONAL), ("SMS;-;32665", 45, (), ChatKind.CHANNEL),
        ("SMS;-;AMAZON", 45, (), ChatKind.CHANNEL), ("RCS;-;Bank", 45, (), ChatKind.CHANNEL),
        ("any;-;262966", 45, (), ChatKind.CHANNEL), ("iMessage;-;urn:biz:ab-12", 45, (), ChatKind.CHANNEL),
        ("SMS;-;ann@example.org", 45, (), ChatKind.PERSONAL), ("AIM;-;annie77", 45, (), ChatKind.PERSONAL),
        ("iMessage;-;me@example.org", 45, (), ChatKind.SAVED),
    ],
)  # fmt: skip
def test_groups_by_their_style_or_name_and_firms_by_their_short_codes(
    phone: Phone, read: Read, guid: str, style: int | None, members: tuple[int, ...], kind: ChatKind
) -> None:
    phone.db.execute("DELETE FROM chat")
    phone.db.execute("DELETE FROM chat_handle_join")
    phone.chat(9, guid, style, members).add(1, "x", chat=9, is_from_me=1, account="E:me@example.org")
    (chat,) = (one for one in read(phone.done()) if isinstance(one, Chat))
    assert chat.kind is kind


def test_in_a_chat_of_two_a_message_without_a_handle_is_the_others(phone: Phone, read: Read) -> None:
    phone.add(1, "whose", handle_id=0).add(2, "whose", chat=2, handle_id=0)
    assert [m.sender_id for m in kept(read(phone.done()))] == ["+491701234567", None]


def test_messages_of_a_chat_that_has_no_row_are_kept(phone: Phone, read: Read) -> None:
    records = read(phone.add(1, "orphan", chat=50).done())
    assert [(m.chat_id, m.text) for m in kept(records)] == [("row-50", "orphan")]


def test_addresses_of_one_contact_are_one_account(phone: Phone, read: Read) -> None:
    phone.db.execute("ALTER TABLE handle ADD person_centric_id TEXT")
    phone.db.execute("UPDATE handle SET person_centric_id = 'P1' WHERE ROWID < 3")
    accounts = [one for one in read(phone.done()) if isinstance(one, Account) and one.id == "zoe@example.org"]
    assert accounts == [
        Account("imessage", "zoe@example.org", "Zoe@Example.org", ("+491701234567",), ("zoe@example.org",))
    ]


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
    assert dropped(records) == ["in no chat"]


def test_a_row_in_two_chats_of_two_people_is_one_record_too(phone: Phone, read: Read) -> None:
    phone.add(1, "twice").add(2, "then")
    phone.db.execute("INSERT INTO chat_message_join VALUES (2, 1)")
    assert [(m.chat_id, m.text) for m in kept(read(phone.done()))] == [
        ("+491701234567", "twice"), ("+491701234567", "then"),
    ]  # fmt: skip


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


def test_a_database_in_an_archive_is_read(tmp_path: Path, read: Read) -> None:
    path = Phone(tmp_path / "chat.db").add(1, "zipped").done()
    with zipfile.ZipFile(tmp_path / "Messages.zip", "w") as archive:
        archive.write(path, "Messages/chat.db")
    path.unlink()
    assert [m.text for m in kept(read(tmp_path / "Messages.zip", "imessage-db"))] == ["zipped"]


def test_rows_of_any_content_are_kept_or_dropped(phone: Phone, read: Read) -> None:
    phone.add(1, None, attributedBody=b"nonsense").add(2, "x", date=None).add(3, "y", date="tomorrow", guid=None)
    phone.add(4, "z", handle_id=99, date=-3_000_000_000).add(5, "far", date=8_300_000_000 * 10**9)
    phone.add(6, b"\xff\x00\xfe").add(7, "w", message_summary_info=b"bplist00broken").add(8, "big" * 3_000_000)
    phone.add(9, "v", associated_message_type="x", item_type="y", group_title=b"\xff", balloon_bundle_id=7)
    phone.add(10, "u", attributedBody="text", is_from_me="me", date_edited="now", thread_originator_guid=5)
    records = read(phone.done())
    assert counted(records) == 10
    assert {m.text[:3] for m in kept(records)} >= {"z", "far", "w", "big", "u"}
    assert "unreadable body: this is no typedstream" in dropped(records)


def test_damage_to_a_body_costs_no_more_than_its_message(phone: Phone, read: Read) -> None:
    chance = random.Random(7)
    whole = body("a text of some length, ü😀", mention="a@example.org")
    for number in range(1, 1500):
        raw = bytearray(whole[: chance.randint(1, len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(chance.randint(1, 6)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        phone.add(number, None, attributedBody=bytes(raw))
    records = read(phone.done())
    assert counted(records) == 1499
    assert all(reason == "nothing in it" or reason.startswith("unreadable body: ") for reason in dropped(records))


def test_what_lies_on_other_pages_than_the_damaged_one_is_read(phone: Phone, read: Read) -> None:
    phone.db.execute("PRAGMA page_size")
    for number in range(1, 3001):
        phone.add(number, f"text {number} " + "of some length " * 20, chat=1 if number < 2900 else 2)
    path = phone.done()
    raw = bytearray(path.read_bytes())
    middle = raw.index(b"text 1400 ") // 4096 * 4096
    raw[middle : middle + 4096] = b"\x55" * 4096
    path.write_bytes(raw)
    records = read(path)
    assert [one.detail for one in records if isinstance(one, Tear)]
    assert counted(records) == 3000
    lost = [one for one in records if isinstance(one, Drop)]
    assert {one.reason for one in lost} == {"on a damaged page of the database"}
    assert "message 1400" in {one.place for one in lost}
    assert len(lost) < 20
    assert len(kept(records)) == 3000 - len(lost)


@pytest.mark.parametrize("table", ["handle", "chat", "attachment", "chat_message_join", "message"])
def test_damage_to_any_table_is_told_and_nothing_else_is_lost(phone: Phone, read: Read, table: str) -> None:
    for number in range(1, 400):
        phone.add(number, "a text of some length " * 5).attach(number, "image/png")
    phone.db.commit()
    (page,) = phone.db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", [table]).fetchone()
    path = phone.done()
    raw = bytearray(path.read_bytes())
    raw[(page - 1) * 4096 : page * 4096] = b"\x55" * 4096
    path.write_bytes(raw)
    records = list(one_by_one(SOURCE.read(path, Reading())))
    assert any(isinstance(one, Tear) for one in records)
    if table not in ("message", "chat_message_join"):
        assert len(kept(records)) == 399


def test_a_database_that_is_locked_says_so(phone: Phone, store: Store) -> None:
    path = phone.add(1, "x").done()
    with sqlite3.connect(path) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        (report,) = import_paths(store, [path])
        assert isinstance(report.error, UserError)
        assert "locked" in str(report.error)
        holder.rollback()


def test_an_import_of_a_damaged_database_keeps_the_rest(phone: Phone, store: Store) -> None:
    for number in range(1, 2000):
        phone.add(number, "a text of some length " * 5)
    path = phone.done()
    raw = bytearray(path.read_bytes())
    raw[200_000:260_000] = b"\x55" * 60_000
    path.write_bytes(raw)
    (report,) = import_paths(store, [path])
    assert report.tear is not None
    assert store.count() > 0


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"SQLite format 3\0" + b"\0" * 5000, b"text\n" * 99])
def test_a_file_that_is_no_database_is_not_claimed_and_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "chat.db"
    path.write_bytes(content)
    assert SOURCE.detect(path) == 0.0
    with pytest.raises((UserError, TornFileError)):
        list(SOURCE.read(path, Reading()))


def test_a_database_of_something_else_is_not_claimed(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "chat.db") as db:
        db.execute("CREATE TABLE message (id INTEGER)")
    assert SOURCE.detect(tmp_path / "chat.db") == 0.0


quick = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
texts = st.text(st.characters(exclude_characters="\0\ufffc", exclude_categories=["Cs"])) | st.sampled_from(
    ["日本語 😀👩‍👩‍👧", "“quoted”", 'say "hi"\nand bye', "Loved “nothing that is here”", "العربية", "x" * 40_000]
)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "mine": st.booleans(), "text": texts, "second": st.integers(0, 10**6), "archived": st.booleans(),
            "mutable": st.booleans(), "group": st.booleans(), "reply": st.none() | st.integers(1, 9),
            "reactions": st.dictionaries(st.sampled_from([1, 2]), st.integers(2000, 2005)),
        }
    ),
    min_size=1, max_size=12,
)  # fmt: skip
WHO = {1: "+491701234567", 2: "zoe@example.org"}
EMOJI = ("❤️", "👍", "👎", "😂", "‼️", "❓")


@quick
@given(rows)
def test_any_chat_comes_back(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    path = tmp_path / "chat.db"
    path.unlink(missing_ok=True)
    phone = Phone(path)
    expected, reacted = [], 0
    for number, one in enumerate(rows, 1):
        text = f"w{one['text']}w"
        content = {"attributedBody": body(text, mutable=one["mutable"])} if one["archived"] else {"text": text}
        reply = one["reply"] and f"G{one['reply']}"
        phone.add(
            number, date=(T0 + one["second"]) * 10**9, is_from_me=one["mine"], chat=2 if one["group"] else 1,
            thread_originator_guid=reply, **content,
        )  # fmt: skip
        for handle, kind in one["reactions"].items():
            reacted += 1
            target = {"associated_message_guid": f"p:0/G{number}", "associated_message_type": kind}
            phone.add(1000 + reacted, None, handle_id=handle, chat=2 if one["group"] else 1, **target)
        reactions = as_reactions((EMOJI[kind - 2000], WHO[handle]) for handle, kind in one["reactions"].items())
        expected.append((
            "chat77" if one["group"] else WHO[1], f"G{number}", "me" if one["mine"] else WHO[1], text,
            (T0 + one["second"] + EPOCH) * 1000, reply, reactions,
        ))  # fmt: skip
    records = list(one_by_one(SOURCE.read(phone.done(), Reading())))
    found = [(m.chat_id, m.id, m.sender_id, m.text, m.time_ms, m.reply_to, m.reactions) for m in kept(records)]
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    assert counted(records) == len(rows) + reacted
