"""Tables as iMazing writes them."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Note, Reading, Record, one_by_one
from train.sources.imazing_csv import SOURCE

Read = Callable[..., list[Record]]
COLUMNS = (
    "Chat Session", "Message Date", "Delivered Date", "Read Date", "Edited Date", "Service", "Type", "Sender ID",
    "Sender Name", "Status", "Replying to", "Subject", "Text", "Reactions", "Attachment", "Attachment type",
)  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    def write(
        *rows: dict[str, str],
        name: str = "Messages - Zoë.csv",
        without: tuple[str, ...] = (),
        columns: tuple[str, ...] = COLUMNS,
        delimiter: str = ",",
        encoding: str = "utf-8-sig",
    ) -> Path:
        path = tmp_path / name
        plain = {"Chat Session": "Zoë", "Message Date": "2024-07-05 10:00:00", "Service": "iMessage", "Type": "Incoming",
                 "Sender ID": "+491701234567", "Sender Name": "Zoë", "Text": "hi"}  # fmt: skip
        with path.open("w", encoding=encoding, newline="") as stream:
            names = [one for one in columns if one not in without]
            writer = csv.DictWriter(stream, names, extrasaction="ignore", delimiter=delimiter)
            writer.writeheader()
            writer.writerows(plain | row for row in rows)
        return path

    return write


def kept(records: list[Record]) -> list[Message]:
    return [one for one in records if isinstance(one, Message)]


def test_incoming_and_outgoing_in_local_time(table: Callable[..., Path], read: Read) -> None:
    own = {"Type": "Outgoing", "Sender ID": "", "Sender Name": "", "Text": "two\nlines"}
    records = read(table({}, own), "imazing-csv", owner="Mia", timezone="Europe/Berlin")
    assert [(m.sender_id, m.sender_name, m.text, m.is_owner, m.time_ms) for m in kept(records)] == [
        ("+491701234567", "Zoë", "hi", False, 1720166400000), ("me", "Mia", "two\nlines", True, 1720166400000),
    ]  # fmt: skip
    assert Chat("imessage", "zoë", "Zoë", ChatKind.PERSONAL) in records
    assert Account("imessage", "+491701234567", "Zoë", ("+491701234567",)) in records


def test_groups_notifications_attachments_reactions_edits(table: Callable[..., Path], read: Read) -> None:
    rows = [
        {"Chat Session": "Ann & Zoë", "Reactions": "Ann: ❤️"}, {"Type": "Notification", "Text": "Zoë left"},
        {"Attachment": "a.heic", "Attachment type": "Image (image/heic)", "Text": ""}, {"Text": ""},
        {"Edited Date": "2024-07-05 10:01:00"},
    ]  # fmt: skip
    records = read(table(*rows), timezone="UTC")
    assert [(m.kind, m.text) for m in kept(records)] == [
        (Kind.TEXT, "hi"), (Kind.SERVICE, "Zoë left"), (Kind.PHOTO, ""), (Kind.TEXT, "hi"),
    ]  # fmt: skip
    assert kept(records)[0].reactions == '[["❤️",1,"ann"]]'
    assert kept(records)[3].edited_ms == 1720173660000
    assert [one.reason for one in records if isinstance(one, Drop)] == ["nothing in it"]
    assert {one.kind for one in records if isinstance(one, Chat)} == {ChatKind.GROUP, ChatKind.PERSONAL}


def test_a_whole_attachment_row_with_every_kind(table: Callable[..., Path], read: Read) -> None:
    kinds = [("Image", "a.png", Kind.PHOTO), ("Video", "a.mov", Kind.VIDEO), ("Audio", "a.m4a", Kind.AUDIO),
             ("image/gif", "a.gif", Kind.GIF), ("Contact", "a.vcf", Kind.CONTACT), ("Location", "", Kind.LOCATION),
             ("", "b.HEIC", Kind.PHOTO), ("text/plain", "c.txt", Kind.FILE), ("Sticker", "d.webp", Kind.STICKER)]  # fmt: skip
    rows = [{"Attachment type": medium, "Attachment": name, "Text": "see"} for medium, name, _ in kinds]
    assert [(m.kind, m.text) for m in kept(read(table(*rows)))] == [(kind, "see") for _, _, kind in kinds]


@pytest.mark.parametrize(
    ("written", "reactions"),
    [
        ("Ann: ❤️", '[["❤️",1,"ann"]]'), ("❤️ (Ann), 👍 (Leo de Luca)", '[["❤️",1,"ann"],["👍",1,"leo de luca"]]'),
        ("Ann reacted with 🦀", '[["🦀",1,"ann"]]'), ("Loved by Ann; Liked by Bob", '[["❤️",1,"ann"],["👍",1,"bob"]]'),
        ("Robin reacted with a heart", '[["❤️",1,"robin"]]'), ("👍🏽", '[["👍🏽",1]]'), ("👩‍👩‍👧 +491701234567", '[["👩‍👩‍👧",1,"+491701234567"]]'),
        ("", None), ("something", None),
    ],
)  # fmt: skip
def test_reactions_are_read_however_they_are_written(
    table: Callable[..., Path], read: Read, written: str, reactions: str | None
) -> None:
    records = read(table({"Reactions": written}))
    assert [m.reactions for m in kept(records)] == [reactions]
    assert any(isinstance(one, Note) for one in records) == (written == "something")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_any_delimiter_and_encoding(table: Callable[..., Path], read: Read, delimiter: str, encoding: str) -> None:
    path = table({"Text": 'a, b; c\td "e"\nÄ'}, delimiter=delimiter, encoding=encoding)
    (message,) = kept(read(path, "imazing-csv", timezone="UTC"))
    assert (message.text, message.sender_name) == ('a, b; c\td "e"\nÄ', "Zoë")


def test_newer_tables_have_ids_and_a_row_for_each_attachment(table: Callable[..., Path], read: Read) -> None:
    columns = ("Chat Session", "Message ID", *COLUMNS[1:5], "Deleted Date", *COLUMNS[5:])
    rows = [
        {"Message ID": "ID-1", "Attachment": "a.png", "Attachment type": "Image", "Text": ""},
        {"Message ID": "ID-1", "Text": "look"}, {"Message ID": "ID-2", "Deleted Date": "2024-07-06 10:00:00"},
        {"Message ID": ""},
    ]  # fmt: skip
    found = kept(read(table(*rows, columns=columns)))
    assert [(m.id, m.kind, m.text) for m in found[:3]] == [
        ("ID-1", Kind.PHOTO, ""), ("ID-1/2", Kind.TEXT, "look"), ("ID-2", Kind.DELETED, ""),
    ]  # fmt: skip
    assert len({m.id for m in found}) == 4


def test_a_table_with_other_names_is_read_by_the_places_of_its_columns(table: Callable[..., Path], read: Read) -> None:
    rows = [{"Type": "Eingehend"}, {"Type": "Ausgehend", "Sender ID": "", "Sender Name": "", "Text": "mine"},
            {"Type": "irgendwie", "Sender ID": "", "Sender Name": "", "Text": "mine too"},
            {"Type": "Benachrichtigung", "Sender ID": "", "Sender Name": "", "Text": "Zoë ging"}]  # fmt: skip
    path = table(*rows, name="Nachrichten - Zoë.csv", delimiter=";", encoding="utf-8-sig")
    raw = path.read_text("utf-8-sig").split("\n", 1)
    path.write_text(";".join(f"Spalte {number}" for number in range(len(COLUMNS))) + "\n" + raw[1], "utf-8-sig")
    records = read(path, "imazing-csv", timezone="UTC")
    assert [(m.kind, m.text, m.sender_id, m.is_owner) for m in kept(records)] == [
        (Kind.TEXT, "hi", "+491701234567", False), (Kind.TEXT, "mine", "me", True), (Kind.TEXT, "mine too", "me", True),
        (Kind.SERVICE, "Zoë ging", None, False),
    ]  # fmt: skip
    assert any(isinstance(one, Note) for one in records)


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", ",".join("abcdefghijklm") + "\n" + ",".join(["2024-01-01 10:00:00"] * 13)]
)
def test_other_tables_are_not_claimed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "Messages - x.csv"
    path.write_text(text)
    assert SOURCE.detect(path) == 0.0


def test_a_chat_that_turns_out_to_have_several_in_it_is_a_group(table: Callable[..., Path], read: Read) -> None:
    ann = {"Sender ID": "+441632960001", "Sender Name": "Ann", "Chat Session": "Boat"}
    one = {"Chat Session": "Boat"}
    by_mail = {"Sender ID": "Zoe@Example.org", "Chat Session": "Zoë"}
    chats = [chat for chat in read(table(one, ann, one, {}, by_mail)) if isinstance(chat, Chat)]
    assert [(chat.id, chat.kind) for chat in chats] == [
        ("boat", ChatKind.PERSONAL), ("boat", ChatKind.GROUP), ("zoë", ChatKind.PERSONAL),
    ]  # fmt: skip


def test_a_table_that_is_cut_off_is_read_so_far(table: Callable[..., Path], read: Read) -> None:
    path = table({"Text": "one"}, {"Text": "two"}, {"Text": "three\nlines"})
    raw = path.read_bytes()
    for end in range(raw.index(b"one"), len(raw), 7):
        path.write_bytes(raw[:end])
        assert 1 <= sum(isinstance(one, Message | Drop) for one in read(path)) <= 3


quick = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
printable = st.text(st.characters(exclude_categories=["Cs", "Cc"])) | st.sampled_from(
    ["日本\n語 😀", 'a "b", c;', "مرحبا"]
)


@quick
@given(st.lists(st.tuples(st.booleans(), printable, st.integers(0, 86_399)), min_size=1, max_size=15))
def test_any_table_comes_back(table: Callable[..., Path], rows: list[tuple[bool, str, int]]) -> None:
    given_rows, expected = [], []
    for mine, text, second in rows:
        at = datetime(2024, 7, 5, tzinfo=UTC) + timedelta(seconds=second)
        row = {"Message Date": f"{at:%Y-%m-%d %H:%M:%S}", "Text": f"w{text}w"}
        given_rows.append(row | ({"Type": "Outgoing", "Sender ID": "", "Sender Name": ""} if mine else {}))
        expected.append(("me" if mine else "+491701234567", f"w{text}w", int(at.timestamp()) * 1000))
    records = list(one_by_one(SOURCE.read(table(*given_rows), Reading(timezone="UTC"))))
    assert [(m.sender_id, m.text, m.time_ms) for m in kept(records)] == expected
    assert len({m.id for m in kept(records)}) == len(rows)


def test_whatsapp_has_nearly_the_same_table(table: Callable[..., Path], read: Read) -> None:
    (message,) = kept(read(table({}, name="WhatsApp - Zoë.csv", without=("Service",))))
    assert message.platform == "whatsapp"


def test_rows_without_a_date_or_with_too_much_in_them(table: Callable[..., Path], read: Read) -> None:
    path = table({"Message Date": "yesterday"}, {"Message Date": ""}, {})
    path.write_bytes(path.read_bytes() + b"a,b\r\n" + b",".join([b"x"] * 40) + b"\r\n\xff\xfe,\0\r\n")
    records = read(path)
    assert sum(isinstance(one, Message | Drop) for one in records) == 6
    assert len(kept(records)) == 1
