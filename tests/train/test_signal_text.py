"""Signal's chats as signal-export, sigtop and signalbackup-tools print them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.train import exports
from train.importing import find_exports, import_paths
from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Owner, Reading, Record
from train.store import Store

Read = Callable[..., list[Record]]
T0 = 1_704_103_200_000  # 2024-01-01 10:00 UTC


def kept(records: list[Record]) -> list[Message]:
    return [one for one in records if isinstance(one, Message)]


def drops(records: list[Record]) -> list[tuple[str, str]]:
    return [(one.reason, one.place) for one in records if isinstance(one, Drop)]


@pytest.fixture
def chat(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return write


# signal-export


def test_stickers_calls_deleted_and_missing_files_of_signal_export(chat: Callable[..., Path], read: Read) -> None:
    path = chat(
        "[2024-01-01 10:00:00] Me: (This message was deleted)\n"
        "[2024-01-01 10:00:01] Bob: [😺](../exported_stickers/ab12/3.webp)  \n"
        "[2024-01-01 10:00:02] Bob:   \n(( 😺 ))\n"
        "[2024-01-01 10:00:03] Bob: look  (media not exported)  \n"
        "[2024-01-01 10:00:04] Bob: Incoming voice call (accepted, 3m 2s)  \n"
        "[2024-01-01 10:00:05] No-Sender: somebody  \n"
        "[2024-01-01 10:00:06] Bob: hi  \n(- Me: 👍, Ann: 😂 -)![a b.jpg](./media/a%20b.jpg)  \n"
        "[2024-01-01 10:00:07] Bob: Missed call me, sorry  \n",
        "Bob/chat.md",
    )
    assert [(m.kind, m.text, m.sender_id) for m in kept(read(path.parent, "signal-text", timezone="UTC"))] == [
        (Kind.DELETED, "", "me"), (Kind.STICKER, "😺", "bob"), (Kind.STICKER, "😺", "bob"), (Kind.MEDIA, "look", "bob"),
        (Kind.CALL, "Incoming voice call (accepted, 3m 2s)", "bob"), (Kind.TEXT, "somebody", None),
        (Kind.PHOTO, "hi", "bob"), (Kind.TEXT, "Missed call me, sorry", "bob"),
    ]  # fmt: skip


def test_a_quote_is_somebody_elses_and_stands_first(chat: Callable[..., Path], read: Read) -> None:
    text = "[2024-01-01 10:00:00] Me: \n\n> one\n> two\n\nmy answer\n> and an arrow of mine  \n"
    (message,) = kept(read(chat(text, "Bob/chat.md")))
    assert message.text == "my answer\n> and an arrow of mine"


def test_the_data_beside_the_text_is_not_read_again_and_what_was_sent_is_no_chat(chat: Callable[..., Path]) -> None:
    path = chat("[2024-01-01 10:00:00] Me: hi\n", "export/Bob/chat.md")
    chat('{"date": "2024-01-01T10:00:00", "sender": "Me", "body": "hi  ", "quote": ""}\n', "export/Bob/data.json")
    chat("2024-01-01 10:00 Eve: hi\n2024-01-01 10:01 You: hi\n", "export/Bob/media/log.txt")
    assert [(found, source.name) for found, source in find_exports(path.parent.parent)] == [
        (path.parent, "signal-text")
    ]


# sigtop


def test_fields_and_words_of_sigtop(chat: Callable[..., Path], read: Read) -> None:
    path = chat(
        "Conversation: Bob Lee (+491701234567)\n\n"
        "From: Bob Lee (+491701234567)\nType: incoming\nSent: Mon, 1 Jan 2024 11:00:00 +0100\n"
        "Received: Mon, 1 Jan 2024 11:00:09 +0100\nReaction: 👍 from Ann (ann.42)\n\nhi\n\nFrom: here to there\n\n"
        "From: You\nType: outgoing\nSent: Mon, 1 Jan 2024 11:00:05 +0100\n"
        "Attachment: no filename (image/jpeg, 99 bytes)\n\nlook\n\n"
        "From: You\nType: outgoing\nSent: Mon, 1 Jan 2024 11:00:06 +0100\nEdited: 2 versions\n\n"
        "| Version: 2\n| Sent: Mon, 1 Jan 2024 11:00:50 +0100\n|\n| > From: Bob Lee (+491701234567)\n"
        "| > Sent: Mon, 1 Jan 2024 11:00:00 +0100\n| >\n| > hi\n|\n| better\n| so\n|\n"
        "| Version: 1\n| Sent: Mon, 1 Jan 2024 11:00:06 +0100\n|\n| worse\n\n"
        "From: You\nType: outgoing\nSent: Mon, 1 Jan 2024 11:00:07 +0100\n\n"
        "> From: Bob Lee (+491701234567)\n> Sent: Mon, 1 Jan 2024 11:00:00 +0100\n> Attachment: x (image/png)\n>\n> hi\n\n"
        "yes\n\nType: keychange\nReceived: Mon, 1 Jan 2024 11:01:00 +0100\n\n"
        "From: Bob Lee (+491701234567)\nType: call-history\nSent: Mon, 1 Jan 2024 11:02:00 +0100\n"
        "Received: Mon, 1 Jan 2024 11:02:00 +0100\n\n"
        "From: You\nType: outgoing\nSent: unknown\n\nwhen?\n\n",
        "Bob Lee (+491701234567).txt",
    )
    records = read(path, "signal-text", timezone="Asia/Tokyo", owner="Mia")
    assert [(m.sender_id, m.sender_name, m.kind, m.text, m.time_ms - T0, m.offset_min) for m in kept(records)] == [
        ("+491701234567", "Bob Lee", Kind.TEXT, "hi\n\nFrom: here to there", 0, 60),
        ("me", "Mia", Kind.PHOTO, "look", 5000, 60), ("me", "Mia", Kind.TEXT, "better\nso", 6000, 60),
        ("me", "Mia", Kind.TEXT, "yes", 7000, 60), (None, None, Kind.SERVICE, "keychange", 60_000, 60),
        ("+491701234567", "Bob Lee", Kind.CALL, "", 120_000, 60),
    ]  # fmt: skip
    first, _, edited, answer, *_ = kept(records)
    assert (edited.edited_ms, edited.reply_to, answer.reply_to) == (T0 + 50_000, first.id, first.id)
    assert first.reactions == '[["👍",1,"ann.42"]]'
    assert Account("signal", "+491701234567", "Bob Lee", ("+491701234567",)) in records
    assert [reason for reason, _ in drops(records)] == ["no readable date"]


def test_lines_of_sigtop_short(chat: Callable[..., Path], read: Read) -> None:
    path = chat(
        "2024-01-01 10:00 Bob: hi\nsecond line\n2024-01-01 10:01 You: [reply to Bob on 2024-01-01 10:00, 2 attachments] look\n"
        "2024-01-01 10:02 You: [edited]\n2024-01-01 10:03 You: [edited] done\n2024-01-01 10:04 Bob: [1] first\n"
        "2024-01-01 10:05 Unknown: [keychange message]\n2024-01-01 10:06 Bob: [call-history message]\n2024-01-01 10:07 Bob:\n",
        "Bob.txt",
    )
    records = read(path, "signal-text", timezone="UTC", owner="Mia")
    assert [(m.sender_name, m.kind, m.text, (m.time_ms - T0) // 60_000) for m in kept(records)] == [
        ("Bob", Kind.TEXT, "hi\nsecond line", 0), ("Mia", Kind.MEDIA, "look", 1), ("Mia", Kind.TEXT, "done", 3),
        ("Bob", Kind.TEXT, "[1] first", 4), ("Unknown", Kind.SERVICE, "keychange", 5), ("Bob", Kind.CALL, "", 6),
    ]  # fmt: skip
    first, answer, edited, *_ = kept(records)
    assert (answer.reply_to, edited.edited_ms) == (first.id, edited.time_ms)
    assert drops(records) == [("nothing in it", "line 4"), ("nothing in it", "line 9")]


def test_the_log_of_a_program_is_no_chat(chat: Callable[..., Path]) -> None:
    chat("2024-01-01 10:00 ERROR: no\n2024-01-01 10:01 INFO: ok\n", "in/log.txt")
    chat("[Jan 02, 2024 10:00:00] error: no\n", "in/other.txt")
    chat("[2024-01-01 10:00:00] Me: hi\n", "in/Bob/chat.md")
    assert [found.name for found, _ in find_exports(chat("x\n", "in/x.txt").parent)] == ["Bob"]


# signalbackup-tools


def test_lines_of_signalbackup_tools(chat: Callable[..., Path], read: Read) -> None:
    path = chat(
        "[Jan 01, 2024 10:00:00] <Bob> hi (Mia Moss: 👍; Bob: ❤️)\nsecond line\n"
        "[Jan 01, 2024 10:00:01] <Bob> hi\nsecond line (Mia Moss: 👍; Bob: ❤️)\n"
        '[Jan 01, 2024 10:00:02] *** <Mia Moss> sent file "a (1).png" (Bob: 😂)\n'
        "[Jan 01, 2024 10:00:03] *** <Bob> sent file of type audio/aac\n[Jan 01, 2024 10:00:04] *** <Bob> sent file\n"
        "[Jan 01, 2024 10:00:05] *** Safety number changed\n"
        "[Jan 01, 2024 10:00:06] <Bob> Poll: When?\n                              [2] today\n                              [0] never\n"
        "[Jan 01, 2024 10:00:07] <Mia Moss> Poll: not really one\n[Jan 01, 2024 10:00:08] <Bob> see (note: this)\n"
        "[Foo 01, 2024 10:00:08] <Bob> never\n",
        "Bob (_id12).txt",
    )
    records = read(path, "signal-text", timezone="UTC")
    assert [(m.sender_id, m.sender_name, m.is_owner, m.kind, m.text) for m in kept(records)] == [
        ("bob", "Bob", False, Kind.TEXT, "hi (Mia Moss: 👍; Bob: ❤️)\nsecond line"),
        ("bob", "Bob", False, Kind.TEXT, "hi\nsecond line"), ("me", "Mia Moss", True, Kind.PHOTO, ""),
        ("bob", "Bob", False, Kind.AUDIO, ""), ("bob", "Bob", False, Kind.FILE, ""),
        (None, None, None, Kind.SERVICE, "Safety number changed"), ("bob", "Bob", False, Kind.POLL, "When?"),
        ("me", "Mia Moss", True, Kind.TEXT, "Poll: not really one"), ("bob", "Bob", False, Kind.TEXT, "see (note: this)"),
    ]  # fmt: skip
    assert [m.reactions for m in kept(records)][1:3] == ['[["👍",1,"me"],["❤️",1,"bob"]]', '[["😂",1,"bob"]]']
    assert Owner("signal", "me", "Mia Moss") in records
    assert drops(records) == [("no readable date", "line 14")]


@pytest.mark.parametrize(("owner", "mine"), [(None, [None, None, None]), ("mia", [False, True, False])])
def test_in_a_group_of_signalbackup_tools_the_owner_has_to_be_told(owner: str | None, mine: list[Any], chat: Callable[..., Path], read: Read) -> None:  # fmt: skip
    lines = [f"[Jan 01, 2024 10:00:0{n}] <{who}> hi\n" for n, who in enumerate(("Bob", "Mia", "Ann"))]
    records = read(chat("".join(lines), "Boat club (_id3).txt"), owner=owner)
    assert [m.is_owner for m in kept(records)] == mine
    assert [one.kind for one in records if isinstance(one, Chat)][-1] is ChatKind.GROUP


@pytest.mark.parametrize("build", exports.EXPORTS["signal-text"])
def test_the_same_text_again_changes_nothing_and_programs_do_not_mix(build: Callable[[Path], Path], tmp_path: Path, store: Store) -> None:  # fmt: skip
    export = build(tmp_path)
    reading = Reading(timezone="UTC", owner="Mia")
    (first,) = import_paths(store, [export], reading=reading)
    assert (first.added, first.dropped) == (exports.COUNT, 0)
    (again,) = import_paths(store, [export], reading=reading)
    assert (again.added, again.updated) == (0, 0)
    assert len(list(store.chats())) == 1
