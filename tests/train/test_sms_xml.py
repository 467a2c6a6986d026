"""Backups as SMS Backup & Restore writes them."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Note, Reading, Record, Tear
from train.sources.sms_xml import SOURCE

Read = Callable[..., list[Record]]
T0 = 1_700_000_000_000


def sms(number: int, body: str = "hi", kind: int = 1, **more: Any) -> str:
    values = {"protocol": 0, "address": "+49 170 1234567", "date": T0 + number, "type": kind, "subject": "null",
              "body": body, "contact_name": "Zoë"} | more  # fmt: skip
    return "<sms " + " ".join(f"{key}={quoteattr(str(value))}" for key, value in values.items()) + " />"


def mms(number: int, parts: str, addresses: str = "", **more: Any) -> str:
    values = {
        "date": T0 + number,
        "msg_box": 1,
        "address": "+491701234567",
        "contact_name": "Zoë",
        "m_id": f"m{number}",
    }
    attributes = " ".join(f"{key}={quoteattr(str(value))}" for key, value in (values | more).items())
    return f"<mms {attributes}><parts>{parts}</parts><addrs>{addresses}</addrs></mms>"


@pytest.fixture
def backup(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: str, count: int | None = None, root: str = "smses", head: str = "") -> Path:
        path = tmp_path / "sms-2024.xml"
        count = len(rows) if count is None else count
        style = "<?xml-stylesheet type='text/xsl' href='sms.xsl'?>"
        head = head or f"<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\n{style}"
        inner = "\n  ".join(rows)
        path.write_text(f'{head}\n<{root} count="{count}" backup_set="x">\n  {inner}\n</{root}>', "utf-8")
        return path

    return write


def kept(records: list[Record]) -> list[Message]:
    return [one for one in records if isinstance(one, Message)]


def test_received_and_sent(backup: Callable[..., Path], read: Read) -> None:
    records = read(backup(sms(1), sms(2, "yo", 2), sms(3, "later", 3), sms(4, "no", 5)), "sms-xml", owner="Mia")
    assert [(m.sender_id, m.sender_name, m.text, m.is_owner) for m in kept(records)] == [
        ("+491701234567", "Zoë", "hi", False), ("me", "Mia", "yo", True),
    ]  # fmt: skip
    assert [one.reason for one in records if isinstance(one, Drop)] == ["a draft", "failed to send"]
    assert Chat("sms", "+491701234567", "Zoë", ChatKind.PERSONAL) in records
    assert Account("sms", "+491701234567", "Zoë", ("+491701234567",)) in records


def test_emoji_come_as_halves_that_xml_forbids(backup: Callable[..., Path], read: Read) -> None:
    row = sms(1, "MARK").replace("MARK", "a &#55357;&#56832; &#55357; &#0; b &#128512;&#10;c")
    assert kept(read(backup(row)))[0].text == "a 😀 \ufffd  b 😀\nc"


def test_parts_of_mms(backup: Callable[..., Path], read: Read) -> None:
    picture = '<part ct="application/smil" text="&lt;smil/&gt;" /><part ct="image/jpeg" data="AAAA" />'
    rows = [
        mms(1, picture + '<part ct="text/plain" text="look" />'),
        mms(2, '<part ct="text/plain" text="null" /><part ct="text/x-vCard" data="QQ==" />'),
        mms(3, '<part ct="text/plain" text="sent" />', msg_box=2),
    ]
    assert [(m.id, m.kind, m.text, m.is_owner) for m in kept(read(backup(*rows)))] == [
        ("m1", Kind.PHOTO, "look", False), ("m2", Kind.CONTACT, "", False), ("m3", Kind.TEXT, "sent", True),
    ]  # fmt: skip


def test_in_groups_the_addresses_tell_who_wrote(backup: Callable[..., Path], read: Read) -> None:
    addresses = '<addr address="+492" type="137" /><addr address="insert-address-token" type="151" />'
    row = mms(
        1, '<part ct="text/plain" text="all" />', addresses, address="+49155512~+49155513", contact_name="Ann, Bob"
    )
    records = read(backup(row.replace("+492", "+49155513")))
    assert kept(records)[0].sender_id == "+49155513"
    assert [one.kind for one in records if isinstance(one, Chat)] == [ChatKind.GROUP]


def test_calls_are_calls(backup: Callable[..., Path], read: Read) -> None:
    row = f'<call number="+491701234567" duration="61" date="{T0}" type="2" contact_name="null" />'
    (message,) = kept(read(backup(row, root="calls")))
    assert (message.kind, message.is_owner, message.text) == (Kind.CALL, True, "call, 61 s")


def test_the_same_text_twice_in_one_moment_is_two_messages(backup: Callable[..., Path], read: Read) -> None:
    found = kept(read(backup(sms(1), sms(1), sms(1, "other"))))
    assert len({m.id for m in found}) == 3


def test_pictures_of_any_size_are_never_held(tmp_path: Path) -> None:
    path = tmp_path / "sms-big.xml"
    part = mms(1, '<part ct="image/jpeg" data="MARK" /><part ct="text/plain" text="after" />')
    before, after = part.split("MARK")
    with path.open("w") as stream:
        stream.write('<?xml version="1.0"?>\n<smses count="1">' + before)
        for _ in range(64):
            stream.write("A" * (1 << 20))
        stream.write(after + "</smses>")
    tracemalloc.start()
    found = kept(list(SOURCE.read(path, Reading())))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found[0].text, found[0].kind) == ("after", Kind.PHOTO)
    assert peak < 8 << 20


def test_a_body_may_speak_of_data(backup: Callable[..., Path], read: Read) -> None:
    texts = ["my data='s fine", 'say data="x" twice', "data="]
    assert [m.text for m in kept(read(backup(*(sms(n, text) for n, text in enumerate(texts)))))] == texts


def test_entities_are_never_expanded(backup: Callable[..., Path], read: Read, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    head = f"""<?xml version="1.0"?><!DOCTYPE smses [<!ENTITY a "{"x" * 1000}"><!ENTITY b "{"&a;" * 1000}">
        <!ENTITY f SYSTEM "file://{tmp_path}/secret">]>"""
    row = sms(1, "MARK").replace("MARK", "safe") + f'<mms date="{T0}" address="1"><parts>&f;&b;</parts></mms>'
    records = read(backup(row, head=head))
    assert "secret" not in str(records)
    assert len(str(records)) < 10_000


def test_a_file_that_breaks_off_is_kept_up_to_there(backup: Callable[..., Path], read: Read) -> None:
    path = backup(*(sms(n, f"text {n}") for n in range(30)))
    path.write_bytes(path.read_bytes()[:-900])
    records = read(path)
    assert 20 < len(kept(records)) < 30
    assert any(isinstance(one, Tear) for one in records)


def test_odd_values_cost_themselves_alone(backup: Callable[..., Path], read: Read) -> None:
    rows = [sms(n) for n in range(2)] + [
        sms(5, date="soon"), sms(6, type="x"), sms(7, address=""), sms(8, address="null"), sms(9, "null"),
        sms(10, date="-5"), sms(11, date="9" * 30), "<sms />", mms(12, ""), sms(13, date=9_214_646_400_000),
    ]  # fmt: skip
    records = read(backup(*rows, count=99))
    assert sum(isinstance(one, Message | Drop) for one in records) == len(rows)
    assert any("says it holds 99" in one.text for one in records if isinstance(one, Note))


quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(lambda text: f"w{text}w")


@quick
@given(st.lists(st.tuples(st.booleans(), texts, st.integers(0, 10**9)), min_size=1), st.booleans())
def test_any_backup_comes_back(tmp_path: Path, rows: list[tuple[bool, str, int]], as_halves: bool) -> None:
    def written(text: str) -> str:
        raw = sms(0, text)
        if as_halves:
            for character in set(text):
                if ord(character) > 0xFFFF:
                    pair = character.encode("utf-16-be")
                    halves = [int.from_bytes(pair[:2], "big"), int.from_bytes(pair[2:], "big")]
                    raw = raw.replace(character, f"&#{halves[0]};&#{halves[1]};")
        return raw

    path = tmp_path / "sms.xml"
    inner = "".join(
        written(text).replace(f'date="{T0}"', f'date="{T0 + at}"').replace('type="1"', f'type="{2 if mine else 1}"')
        for mine, text, at in rows
    )
    path.write_text(f"<smses>{inner}</smses>", "utf-8")
    found = kept(list(SOURCE.read(path, Reading())))
    assert [(m.is_owner, m.text, m.time_ms) for m in found] == [(mine, text, T0 + at) for mine, text, at in rows]
