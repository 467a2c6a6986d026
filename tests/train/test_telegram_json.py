"""What Telegram Desktop writes, and every trap in it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from train.messages import Chat, ChatKind, Drop, Kind, Message, Owner, Record, Tear
from train.sources import source_of

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]
Messages = Callable[..., list[Message]]
Drops = Callable[..., list[Drop]]
Read = Callable[..., list[Record]]


def test_a_single_chat_is_read_in_order(telegram_chat: Write, telegram_row: Row, messages: Messages) -> None:
    path = telegram_chat([telegram_row(1, "Alice", "hi"), telegram_row(2, "Bob", "hello")])
    kept = messages(path)
    assert [(m.id, m.sender_id, m.sender_name, m.text) for m in kept] == [
        (1, "user1", "Alice", "hi"),
        (2, "user2", "Bob", "hello"),
    ]
    assert [m.time_ms for m in kept] == [1704067205000, 1704067210000]


@pytest.mark.parametrize("indent", [1, 4, None])
def test_a_full_export_holds_chats_and_left_chats(
    tmp_path: Path, telegram_row: Row, read: Read, indent: int | None
) -> None:
    export = {
        "about": 'Here is the data you requested. {["',
        "personal_information": {"user_id": 1, "first_name": "Alice", "last_name": "Doe"},
        "contacts": {"about": "", "list": [{"first_name": "X", "messages": []}]},
        "chats": {
            "about": "",
            "list": [
                {"name": "Bob", "type": "personal_chat", "id": 2, "messages": [telegram_row(1)]},
                {
                    "name": "Club",
                    "type": "private_supergroup",
                    "id": 7,
                    "messages": [telegram_row(1), telegram_row(2)],
                },
            ],
        },
        "left_chats": {
            "list": [{"name": "Old", "type": "private_group", "id": 2, "messages": [telegram_row(5, "Bob")]}]
        },
    }
    path = tmp_path / "result.json"
    path.write_text(json.dumps(export, indent=indent), "utf-8")
    records = read(path)
    assert Owner("telegram", "user1", "Alice Doe") in records
    kept = [record for record in records if isinstance(record, Message)]
    assert [(m.chat_id, m.id) for m in kept] == [
        ("user2", 1),
        ("channel7", 1),
        ("channel7", 2),
        ("chat2", 5),
    ]
    assert {m.is_owner for m in kept if m.sender_name == "Alice"} == {True}
    assert {m.is_owner for m in kept if m.sender_name == "Bob"} == {False}
    kinds = {record.name: record.kind for record in records if isinstance(record, Chat)}
    assert kinds == {"Bob": ChatKind.PERSONAL, "Club": ChatKind.GROUP, "Old": ChatKind.GROUP}


def test_invalid_hex_escapes_are_repaired(telegram_chat: Write, telegram_row: Row, messages: Messages) -> None:
    path = telegram_chat([telegram_row(1, text="bell BELL \\x41"), telegram_row(2, text="fine")])
    path.write_text(path.read_text("utf-8").replace("BELL", r"\x07"), "utf-8")
    # An escaped backslash before an x is text, not an escape.
    assert [m.text for m in messages(path)] == ["bell \x07 \\x41", "fine"]


def test_a_broken_record_costs_itself_alone(
    telegram_chat: Write, telegram_row: Row, messages: Messages, drops: Drops
) -> None:
    path = telegram_chat([telegram_row(n) for n in (1, 2, 3)])
    raw = path.read_bytes()
    at = raw.index(b'"id": 2,\n   "type"') if b'"id": 2,\n   "type"' in raw else raw.rindex(b'"id": 2')
    path.write_bytes(raw[:at] + b'"id" 2' + raw[at + 7 :])
    assert [m.id for m in messages(path)] == [1, 3]
    (drop,) = drops(path)
    assert drop.reason == "not a readable message"
    start = raw.rindex(b"{", 0, at)
    assert drop.place == f"record 2, byte {start}"


def test_bytes_that_are_not_utf8_do_not_end_the_reading(
    telegram_chat: Write, telegram_row: Row, messages: Messages
) -> None:
    path = telegram_chat([telegram_row(1, text="abZZc"), telegram_row(2)])
    path.write_bytes(path.read_bytes().replace(b"ZZ", b"\xff"))
    assert [m.text for m in messages(path)] == ["ab\ufffdc", "hi"]


def test_the_time_is_the_unix_time_and_the_printed_one_gives_the_offset(
    telegram_chat: Write, telegram_row: Row, messages: Messages
) -> None:
    path = telegram_chat([telegram_row(1, at=0, date="2024-01-01T05:30:00"), telegram_row(2, at=0)])
    assert [(m.time_ms, m.offset_min) for m in messages(path)] == [
        (1704067200000, 330),
        (1704067200000, None),
    ]


def test_without_a_unix_time_the_printed_one_is_local(
    telegram_chat: Write, telegram_row: Row, messages: Messages
) -> None:
    row = telegram_row(1, date="2024-07-01T12:00:00")
    del row["date_unixtime"]
    (message,) = messages(telegram_chat([row]), timezone="Europe/Berlin")
    assert message.time_ms == 1719828000000


def test_text_arrays_are_joined_without_spaces(telegram_chat: Write, telegram_row: Row, messages: Messages) -> None:
    text = ["see ", {"type": "link", "text": "a.org"}, ", ", {"type": "bold", "text": "now"}, "!"]
    (message,) = messages(telegram_chat([telegram_row(1, text=text)]))
    assert message.text == "see a.org, now!"


def test_a_deleted_account_keeps_its_id(telegram_chat: Write, telegram_row: Row, messages: Messages) -> None:
    row = telegram_row(1)
    row |= {"from": None, "from_id": "user77"}
    (message,) = messages(telegram_chat([row]))
    assert (message.sender_id, message.sender_name) == ("user77", None)


@pytest.mark.parametrize(
    ("old", "new"),
    [(123, "user123"), (4294967296 + 5, "chat5"), (2 * 4294967296 + 6, "channel6"), ("channel9", "channel9")],
)
def test_old_integer_senders_are_the_same_accounts(
    telegram_chat: Write, telegram_row: Row, messages: Messages, old: int | str, new: str
) -> None:
    (message,) = messages(telegram_chat([telegram_row(1, from_id=old)]))
    assert message.sender_id == new


def test_service_rows_have_an_actor_and_are_not_text(
    telegram_chat: Write, telegram_row: Row, messages: Messages
) -> None:
    service = {"id": 1, "type": "service", "date_unixtime": "1704067200", "actor": "Bob", "actor_id": "user2"}
    rows = [
        service | {"action": "pin_message", "text": ""},
        service | {"id": 2, "action": "phone_call", "text": ""},
    ]
    kept = messages(telegram_chat(rows))
    assert [(m.kind, m.sender_id) for m in kept] == [(Kind.SERVICE, "user2"), (Kind.CALL, "user2")]


def test_saved_messages_reveal_the_owner(telegram_chat: Write, telegram_row: Row, read: Read) -> None:
    path = telegram_chat([telegram_row(1)], type="saved_messages", id=1, name=None)
    records = read(path)
    assert Owner("telegram", "user1") in records
    assert [m.is_owner for m in records if isinstance(m, Message)] == [True]
    assert next(c for c in records if isinstance(c, Chat)).kind is ChatKind.SAVED


def test_forwards_are_marked_also_from_hidden_and_deleted_people(
    telegram_chat: Write, telegram_row: Row, messages: Messages
) -> None:
    rows = [
        telegram_row(1, forwarded_from="News"),
        telegram_row(2, forwarded_from=None),
        telegram_row(3, saved_from="Club"),
        telegram_row(4, via_bot="@quiz"),
        telegram_row(5),
    ]
    assert [m.forwarded_from for m in messages(telegram_chat(rows))] == ["News", "", "Club", "@quiz", None]


def test_media_are_what_they_are_with_their_caption(
    telegram_chat: Write, telegram_row: Row, messages: Messages
) -> None:
    missing = "(File not included. Change data exporting settings to download.)"
    rows = [
        telegram_row(1, text="look", photo=missing),
        telegram_row(2, text="", file=missing, media_type="voice_message"),
        telegram_row(3, text="", file=missing, media_type="sticker", sticker_emoji="😭"),
        telegram_row(4, text="", file=missing, media_type="video_message"),
        telegram_row(5, text="", file=missing, media_type="animation"),
        telegram_row(6, text="the plan", file=missing),
        telegram_row(7, text="", poll={"question": "When?", "closed": False, "answers": []}),
        telegram_row(8, text="", location_information={"latitude": 1.0, "longitude": 2.0}),
        telegram_row(9, text="", contact_information={"first_name": "X", "phone_number": "+1"}),
        telegram_row(10, text="", file=missing, media_type="audio_file"),
    ]
    assert [(m.kind, m.text) for m in messages(telegram_chat(rows))] == [
        (Kind.PHOTO, "look"),
        (Kind.VOICE, ""),
        (Kind.STICKER, "😭"),
        (Kind.VIDEO, ""),
        (Kind.GIF, ""),
        (Kind.FILE, "the plan"),
        (Kind.POLL, "When?"),
        (Kind.LOCATION, ""),
        (Kind.CONTACT, ""),
        (Kind.AUDIO, ""),
    ]


def test_edits_replies_and_reactions_are_kept(telegram_chat: Write, telegram_row: Row, messages: Messages) -> None:
    more = {"edited_unixtime": "1704067300", "reply_to_message_id": 1}
    reactions = [
        {"type": "emoji", "count": 2, "emoji": "❤", "recent": [{"from": "Bob", "from_id": "user2", "date": "x"}]},
        {"type": "custom_emoji", "count": 1},
    ]
    rows = [
        telegram_row(1),
        telegram_row(2, **more, reactions=reactions),
        telegram_row(3, edited="1970-01-01T01:00:00"),
    ]
    _, second, third = messages(telegram_chat(rows), timezone="UTC")
    assert (second.edited_ms, second.reply_to) == (1704067300000, 1)
    assert second.reactions == '[["❤",2,"user2"],["[custom_emoji]",1]]'
    assert third.edited_ms is None


def test_mentions_are_kept_by_id_or_by_name(telegram_chat: Write, telegram_row: Row, messages: Messages) -> None:
    named = {"type": "mention_name", "text": "Carol", "user_id": 3}
    text = ["ask ", named, " or ", {"type": "mention", "text": "@dave"}, {"type": "bold", "text": "!"}]
    path = telegram_chat([telegram_row(1, text=text)])
    (message,) = messages(path)
    assert (message.text, message.mentions) == ("ask Carol or @dave!", '["user3","@dave"]')


def test_a_reply_into_another_chat_is_no_reply_here(
    telegram_chat: Write, telegram_row: Row, messages: Messages
) -> None:
    row = telegram_row(1, reply_to_message_id=5, reply_to_peer_id="channel8")
    assert messages(telegram_chat([row]))[0].reply_to is None


def test_topics_are_followed_along_replies(telegram_chat: Write, telegram_row: Row, messages: Messages) -> None:
    topic = {
        "id": 1,
        "type": "service",
        "date_unixtime": "1704067200",
        "action": "topic_created",
        "title": "A",
    }
    rows = [
        topic | {"actor": "Bob", "actor_id": "user2", "text": ""},
        telegram_row(2, reply_to_message_id=1),
        telegram_row(3, reply_to_message_id=2),
        telegram_row(4),
    ]
    kept = messages(telegram_chat(rows, type="private_supergroup"))
    assert [m.topic for m in kept] == ["1", "1", "1", None]


def test_what_cannot_be_kept_is_dropped_with_a_reason(
    telegram_chat: Write, telegram_row: Row, messages: Messages, drops: Drops
) -> None:
    rows = [
        {"id": 1, "type": "unsupported"},
        telegram_row(2, text=""),
        telegram_row(3),
        {"id": 4, "type": "message"},
    ]
    path = telegram_chat(rows)
    assert [(d.reason, d.place) for d in drops(path)] == [
        ("unsupported by the exporter", "record 1, message 1"),
        ("nothing in it", "record 2, message 2"),
        ("no date", "record 4, message 4"),
    ]
    assert [m.id for m in messages(path)] == [3]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_byte_order_marks_and_utf16_are_read(
    telegram_chat: Write, telegram_row: Row, messages: Messages, encoding: str
) -> None:
    path = telegram_chat([telegram_row(1, text="größer 😭")])
    path.write_bytes(path.read_text("utf-8").encode(encoding))
    assert [m.text for m in messages(path)] == ["größer 😭"]


@pytest.mark.parametrize("indent", [1, None])
def test_a_torn_export_keeps_what_comes_before_the_tear(
    telegram_chat: Write, telegram_row: Row, read: Read, indent: int | None
) -> None:
    path = telegram_chat([telegram_row(n) for n in range(1, 50)], indent=indent)
    whole = path.read_bytes()
    start = whole.index(b"{", whole.index(b'"text_entities"', whole.index(b'"id": 30')) + 100)
    start = whole.index(b'"id": 31') - (4 if indent else 1)
    start = whole.rindex(b"{", 0, whole.index(b'"id": 31'))
    path.write_bytes(whole[: start + 60])
    records = read(path)
    assert sum(isinstance(record, Message) for record in records) == 30
    assert records[-2:] == [
        Drop("torn", f"record 31, byte {start}", "user2"),
        Tear(f"record 31, byte {start}", "the file ends too early"),
    ]


def test_a_record_larger_than_a_reading_step_is_whole(
    telegram_chat: Write, telegram_row: Row, messages: Messages
) -> None:
    long = "word " * 600_000
    for indent in (1, None):
        path = telegram_chat([telegram_row(1), telegram_row(2, text=long), telegram_row(3)], indent=indent)
        assert [len(m.text) for m in messages(path)] == [2, 3_000_000, 2]


def test_keys_in_any_order_give_the_chat_its_name(tmp_path: Path, telegram_row: Row, read: Read) -> None:
    path = tmp_path / "result.json"
    chat = {"id": 2, "messages": [telegram_row(1)], "name": "Bob", "type": "personal_chat"}
    path.write_text(json.dumps(chat, indent=1), "utf-8")
    chats = [record for record in read(path) if isinstance(record, Chat)]
    assert (chats[-1].name, chats[-1].kind) == ("Bob", ChatKind.PERSONAL)
    assert len({chat.id for chat in chats}) == 1


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", '{"messages": "no"}', "not json", '{"a": {"b": [1'])
def test_other_json_is_not_taken_for_an_export(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, "utf-8")
    assert source_of(path) is None


@pytest.mark.parametrize("record", [json.dumps, lambda row: json.dumps(row, indent=2)])
def test_layouts_of_other_programs_lose_nothing(
    tmp_path: Path, telegram_row: Row, read: Read, record: Callable[[Any], str]
) -> None:
    """One record a line, or records indented by nobody's rule, in several chats and over many reading steps."""
    rows = [[record(telegram_row(n, text="x" * 900)) for n in range(1, 3000)] for _ in range(3)]
    chats = [
        f'  {{"name": "{n}", "type": "personal_chat", "id": {n},\n  "messages": [\n  ' + ",\n  ".join(one) + "\n]}"
        for n, one in enumerate(rows)
    ]
    path = tmp_path / "result.json"
    path.write_text('{"chats": {"list": [\n' + ",\n".join(chats) + "\n]}}", "utf-8")
    records = read(path)
    assert sum(isinstance(one, Message) for one in records) == 3 * 2999
    assert not [one for one in records if isinstance(one, (Drop, Tear))]
