"""Workspace exports as Slack writes them."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Record, Tear

Read = Callable[..., list[Record]]
USERS = [
    {"id": "U1", "name": "mia", "real_name": "Mia Moss", "profile": {"email": "mia@example.org", "phone": "+49 170 1"}},
    {"id": "U2", "name": "zoe", "profile": {"real_name": "", "display_name": "Zoë"}, "deleted": True},
    {"id": "U9", "name": "robot", "is_bot": True, "profile": {}},
]


def row(number: int, text: Any = "hi", user: str | None = "U1", **more: Any) -> dict[str, Any]:
    return {"type": "message", "user": user, "text": text, "ts": f"1700000{number:03}.000200"} | more


@pytest.fixture
def workspace(tmp_path: Path) -> Callable[..., Path]:
    """Write a workspace: rows by folder and day."""

    def write(**folders: list[Any]) -> Path:
        root = tmp_path / "Boat Slack export"
        (root / "D5").mkdir(parents=True)
        (root / "users.json").write_text(json.dumps(USERS), "utf-8")
        (root / "channels.json").write_text(json.dumps([{"id": "C1", "name": "general", "members": ["U1", "U2"]}]))
        (root / "dms.json").write_text(json.dumps([{"id": "D5", "members": ["U1", "U2"]}]))
        for folder, rows in folders.items():
            (root / folder).mkdir(exist_ok=True)
            (root / folder / "2024-01-31.json").write_text(json.dumps(rows, indent=4, ensure_ascii=False), "utf-8")
        return root

    return write


def kept(records: list[Record]) -> list[Message]:
    return [one for one in records if isinstance(one, Message)]


def test_channels_and_direct_messages_with_the_names_of_people(workspace: Callable[..., Path], read: Read) -> None:
    records = read(workspace(general=[row(1), row(2, user="U2")], D5=[row(3)]), "slack-export")
    assert [(m.id, m.chat_id, m.sender_id, m.sender_name, m.time_ms) for m in kept(records)] == [
        ("1700000003.000200", "D5", "U1", "Mia Moss", 1700000003000),
        ("1700000001.000200", "C1", "U1", "Mia Moss", 1700000001000),
        ("1700000002.000200", "C1", "U2", "Zoë", 1700000002000),
    ]
    assert [one for one in records if isinstance(one, Chat)] == [
        Chat("slack", "D5", "Mia Moss, Zoë", ChatKind.PERSONAL), Chat("slack", "C1", "#general", ChatKind.GROUP),
    ]  # fmt: skip
    assert Account("slack", "U1", "Mia Moss", ("+49 170 1",), ("mia@example.org",)) in records


def test_marks_of_people_channels_links_and_entities_become_text(workspace: Callable[..., Path], read: Read) -> None:
    text = "<@U2> see <#C1|general> <https://example.org|here> <https://example.org> <!here> a &amp; b &lt;3 &amp;lt;"
    (message,) = kept(read(workspace(general=[row(1, text)])))
    assert message.text == "@Zoë see #general here (https://example.org) https://example.org @here a & b <3 &lt;"
    assert message.mentions == '["U2"]'


def test_words_are_found_in_blocks_when_there_is_no_text(workspace: Callable[..., Path], read: Read) -> None:
    section = {
        "type": "rich_text_section",
        "elements": [{"type": "text", "text": "ask "}, {"type": "user", "user_id": "U2"}],
    }
    blocks = [{"type": "rich_text", "elements": [section]}]
    assert kept(read(workspace(general=[row(1, "", blocks=blocks)])))[0].text == "ask @Zoë"


def test_threads_are_topics_and_answers_are_replies(workspace: Callable[..., Path], read: Read) -> None:
    parent = "1700000001.000200"
    rows = [row(1, thread_ts=parent), row(2, thread_ts=parent), row(3, thread_ts=parent, subtype="thread_broadcast")]
    assert [(m.topic, m.reply_to) for m in kept(read(workspace(general=rows)))] == [
        (parent, None), (parent, parent), (parent, parent),
    ]  # fmt: skip


def test_what_the_workspace_and_programs_say_is_nobodys_voice(workspace: Callable[..., Path], read: Read) -> None:
    rows = [
        row(1, "<@U1> has joined", subtype="channel_join"), row(2, "beep", subtype="bot_message", user=None),
        row(3, "boop", user="U9"), row(4, "", subtype="huddle_thread"), row(5, "x", subtype="tombstone"),
        row(6, "waves", subtype="me_message"), row(7, "", files=[{"mimetype": "image/png"}]),
    ]  # fmt: skip
    assert [m.kind for m in kept(read(workspace(general=rows)))] == [
        Kind.SERVICE, Kind.SERVICE, Kind.SERVICE, Kind.CALL, Kind.DELETED, Kind.TEXT, Kind.PHOTO,
    ]  # fmt: skip


def test_edits_and_reactions(workspace: Callable[..., Path], read: Read) -> None:
    reactions = [{"name": "wave", "users": ["U1", "U2"], "count": 2}]
    (message,) = kept(read(workspace(general=[row(1, edited={"ts": "1700000009.000000"}, reactions=reactions)])))
    assert (message.edited_ms, message.reactions) == (1700000009000, '[[":wave:",2,"U1","U2"]]')


def test_guests_from_elsewhere_have_their_name_in_the_message(workspace: Callable[..., Path], read: Read) -> None:
    (message,) = kept(read(workspace(general=[row(1, user="U77", user_profile={"real_name": "Guest"})])))
    assert (message.sender_id, message.sender_name) == ("U77", "Guest")


def test_the_archive_is_read_as_it_came(workspace: Callable[..., Path], read: Read, tmp_path: Path) -> None:
    root = workspace(general=[row(1)])
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for path in root.rglob("*.json"):
            archive.write(path, path.relative_to(root))
    assert len(kept(read(tmp_path / "export.zip", "slack-export"))) == 1


def test_odd_rows_and_torn_days_cost_themselves_alone(workspace: Callable[..., Path], read: Read) -> None:
    odd = [None, 3, [1], {"a": 1}, True, "1"]
    rows = [
        row(n) | {key: value}
        for key in ("user", "text", "ts", "files", "reactions", "edited")
        for n, value in enumerate(odd)
    ]
    root = workspace(general=["no message", 5, *rows])
    (root / "general" / "2024-02-01.json").write_text(json.dumps([row(50, "kept"), row(51)], indent=4)[:-40])
    records = read(root)
    assert sum(isinstance(one, Message | Drop) for one in records) == len(rows) + 2 + 2
    assert any(isinstance(one, Tear) and "general/2024-02-01.json" in one.place for one in records)
    assert kept(records)[-1].text == "kept"
