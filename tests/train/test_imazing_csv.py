"""Tables as iMazing writes them."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Record

Read = Callable[..., list[Record]]
COLUMNS = (
    "Chat Session", "Message Date", "Delivered Date", "Read Date", "Edited Date", "Service", "Type", "Sender ID",
    "Sender Name", "Status", "Replying to", "Subject", "Text", "Reactions", "Attachment", "Attachment type",
)  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: dict[str, str], name: str = "Messages - Zoë.csv", without: tuple[str, ...] = ()) -> Path:
        path = tmp_path / name
        plain = {"Chat Session": "Zoë", "Message Date": "2024-07-05 10:00:00", "Service": "iMessage", "Type": "Incoming",
                 "Sender ID": "+491701234567", "Sender Name": "Zoë", "Text": "hi"}  # fmt: skip
        with path.open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.DictWriter(stream, [one for one in COLUMNS if one not in without], extrasaction="ignore")
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


def test_whatsapp_has_nearly_the_same_table(table: Callable[..., Path], read: Read) -> None:
    (message,) = kept(read(table({}, name="WhatsApp - Zoë.csv", without=("Service",))))
    assert message.platform == "whatsapp"


def test_rows_without_a_date_or_with_too_much_in_them(table: Callable[..., Path], read: Read) -> None:
    path = table({"Message Date": "yesterday"}, {"Message Date": ""}, {})
    path.write_bytes(path.read_bytes() + b"a,b\r\n" + b",".join([b"x"] * 40) + b"\r\n\xff\xfe,\0\r\n")
    records = read(path)
    assert sum(isinstance(one, Message | Drop) for one in records) == 6
    assert len(kept(records)) == 1
