"""Real databases with the tables of WhatsApp on an iPhone."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Record

Read = Callable[..., list[Record]]
EPOCH = 978_307_200
T0 = 725_000_000.0
BOB, ANN = "491701234567@s.whatsapp.net", "447700900123@s.whatsapp.net"


class Phone:
    """A ChatStorage.sqlite that is being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = sqlite3.connect(path)
        self.db.executescript(f"""
            CREATE TABLE ZWACHATSESSION (Z_PK INTEGER PRIMARY KEY, ZCONTACTJID TEXT, ZPARTNERNAME TEXT);
            CREATE TABLE ZWAGROUPMEMBER (Z_PK INTEGER PRIMARY KEY, ZMEMBERJID TEXT, ZCONTACTNAME TEXT);
            CREATE TABLE ZWAPROFILEPUSHNAME (Z_PK INTEGER PRIMARY KEY, ZJID TEXT, ZPUSHNAME TEXT);
            CREATE TABLE ZWAMEDIAITEM (Z_PK INTEGER PRIMARY KEY, ZTITLE TEXT);
            CREATE TABLE ZWAMESSAGE (Z_PK INTEGER PRIMARY KEY, ZCHATSESSION INTEGER, ZSTANZAID TEXT, ZTEXT TEXT,
                ZMESSAGEDATE TIMESTAMP, ZISFROMME INTEGER, ZMESSAGETYPE INTEGER, ZFROMJID TEXT, ZGROUPMEMBER INTEGER,
                ZPUSHNAME TEXT, ZPARENTMESSAGE INTEGER, ZMEDIAITEM INTEGER, ZGROUPEVENTTYPE INTEGER);
            INSERT INTO ZWACHATSESSION VALUES (1, '{BOB}', 'Bob'), (2, '123-456@g.us', 'Boat club'),
                (3, 'status@broadcast', NULL);
            INSERT INTO ZWAGROUPMEMBER VALUES (7, '{ANN}', NULL), (8, '{BOB}', NULL);
            INSERT INTO ZWAPROFILEPUSHNAME VALUES (1, '{ANN}', 'Annie'), (2, '{BOB}', 'bobby');
            INSERT INTO ZWAMEDIAITEM VALUES (5, 'the caption');""")

    def add(self, number: int, text: str | None = "hi", chat: int | None = 1, kind: int = 0, **more: Any) -> "Phone":
        row = {"Z_PK": number, "ZCHATSESSION": chat, "ZSTANZAID": f"S{number}", "ZTEXT": text, "ZMESSAGEDATE": T0 + number,
               "ZISFROMME": 0, "ZMESSAGETYPE": kind, "ZFROMJID": BOB} | more  # fmt: skip
        names = ", ".join(row)
        self.db.execute(f"INSERT INTO ZWAMESSAGE ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
        return self

    def done(self) -> Path:
        self.db.commit()
        self.db.close()
        return self.path


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    return Phone(tmp_path / "ChatStorage.sqlite")


def kept(records: list[Record]) -> list[Message]:
    return [one for one in records if isinstance(one, Message)]


def test_people_are_their_numbers_and_go_by_the_owners_name_for_them(phone: Phone, read: Read) -> None:
    phone.add(1).add(2, "yo", ZISFROMME=1, ZFROMJID=None)
    phone.add(3, "all", chat=2, ZFROMJID="123-456@g.us", ZGROUPMEMBER=7)
    records = read(phone.done(), "whatsapp-ios-db", owner="Mia")
    assert [(m.id, m.sender_id, m.sender_name, m.is_owner, m.time_ms) for m in kept(records)] == [
        ("S1", "+491701234567", "Bob", False, int(T0 + 1 + EPOCH) * 1000),
        ("S2", "me", "Mia", True, int(T0 + 2 + EPOCH) * 1000),
        ("S3", "+447700900123", "Annie", False, int(T0 + 3 + EPOCH) * 1000),
    ]
    assert {one.id: one.kind for one in records if isinstance(one, Chat)} == {
        BOB: ChatKind.PERSONAL, "123-456@g.us": ChatKind.GROUP, "status@broadcast": ChatKind.CHANNEL,
    }  # fmt: skip
    assert Account("whatsapp", "+491701234567", "Bob", ("+491701234567",)) in records


def test_kinds_of_messages(phone: Phone, read: Read) -> None:
    phone.add(1, None, kind=1, ZMEDIAITEM=5).add(2, None, kind=3).add(3, "gone", kind=14).add(4, "x", kind=6)
    phone.add(5, None, kind=15).add(6, "https://example.org", kind=7).add(7, None, kind=59).add(8, None, kind=77)
    assert [(m.kind, m.text) for m in kept(read(phone.done()))] == [
        (Kind.PHOTO, "the caption"), (Kind.VOICE, ""), (Kind.DELETED, ""), (Kind.SERVICE, "x"), (Kind.STICKER, ""),
        (Kind.TEXT, "https://example.org"), (Kind.CALL, ""), (Kind.MEDIA, ""),
    ]  # fmt: skip


def test_replies_name_the_message_they_answer(phone: Phone, read: Read) -> None:
    assert [m.reply_to for m in kept(read(phone.add(1).add(2, ZPARENTMESSAGE=1).done()))] == [None, "S1"]


def test_rows_of_any_content_are_kept_or_dropped(phone: Phone, read: Read) -> None:
    phone.add(1, chat=None).add(2, chat=99).add(3, None).add(4, ZMESSAGEDATE=None).add(5, ZMESSAGEDATE="soon")
    phone.add(6, ZMESSAGEDATE=-3e9).add(7, ZMESSAGEDATE=8.3e9, ZSTANZAID=None).add(
        8, chat=2, ZGROUPMEMBER=50, ZFROMJID=None
    )
    records = read(phone.done())
    assert [one.reason for one in records if isinstance(one, Drop)] == [
        "nothing in it", "no date", "no date", "in no chat", "in no chat",
    ]  # fmt: skip
    assert [m.id for m in kept(records)] == ["S6", "row-7", "S8"]
