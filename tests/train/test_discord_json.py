"""Channels as DiscordChatExporter writes them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from train.importing import import_paths
from train.messages import Chat, ChatKind, Drop, Kind, Message, Reading, Record, Tear
from train.sources.discord_json import SOURCE
from train.store import Store

Read = Callable[..., list[Record]]


def author(number: int, **more: Any) -> dict[str, Any]:
    return {"id": str(number), "name": f"user{number}", "discriminator": "0000", "nickname": f"Nick {number}"} | more


def row(number: int, content: Any = "hi", who: int = 1, **more: Any) -> dict[str, Any]:
    plain = {
        "id": str(10**18 + number), "type": "Default", "timestamp": f"2024-01-01T10:00:{number:02}.123+01:00",
        "timestampEdited": None, "isPinned": False, "content": content, "author": author(who), "attachments": [],
        "embeds": [], "stickers": [], "reactions": [], "mentions": [],
    }  # fmt: skip
    return plain | more


@pytest.fixture
def channel(tmp_path: Path) -> Callable[..., Path]:
    def write(rows: list[Any], to: str = "Server - general [5].json", indent: int | None = 2, **more: Any) -> Path:
        about = {"id": "5", "type": "GuildTextChat", "name": "general"} | more
        export = {"guild": {"id": "9", "name": "Server"}, "channel": about, "dateRange": {"after": None},
                  "exportedAt": "2024-02-01T00:00:00+00:00", "messages": rows, "messageCount": len(rows)}  # fmt: skip
        path = tmp_path / to
        path.write_text(json.dumps(export, indent=indent, ensure_ascii=False), "utf-8")
        return path

    return write


def kept(records: list[Record]) -> list[Message]:
    return [one for one in records if isinstance(one, Message)]


def test_people_are_their_ids_and_go_by_their_nicknames(channel: Callable[..., Path], read: Read) -> None:
    path = channel(
        [
            row(1),
            row(2, who=2, author=author(2, nickname="")),
            row(3, author=author(3, name="Deleted User", nickname=None)),
        ]
    )
    records = read(path, "discord-json")
    assert [(m.sender_id, m.sender_name) for m in kept(records)] == [("1", "Nick 1"), ("2", "user2"), ("3", None)]
    assert Chat("discord", "5", "Server #general", ChatKind.GROUP) in records


def test_times_have_the_zone_of_the_export(channel: Callable[..., Path], read: Read) -> None:
    stamps = ["2024-01-01T10:00:00+01:00", "2024-01-01T10:00:00.1234567+01:00", "2024-01-01T09:00:00Z"]
    found = kept(read(channel([row(n, timestamp=stamp) for n, stamp in enumerate(stamps)])))
    assert [(m.time_ms, m.offset_min) for m in found] == [(1704099600000, 60), (1704099600123, 60), (1704099600000, 0)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("DirectTextChat", ChatKind.PERSONAL), ("DirectGroupTextChat", ChatKind.GROUP), ("GuildNews", ChatKind.CHANNEL)],
)
def test_kinds_of_channels(channel: Callable[..., Path], read: Read, kind: str, expected: ChatKind) -> None:
    (chat,) = [one for one in read(channel([row(1)], type=kind)) if isinstance(one, Chat)]
    assert chat.kind is expected


def test_what_the_app_and_programs_post_is_nobodys_voice(channel: Callable[..., Path], read: Read) -> None:
    rows = [
        row(1, "Welcome!", type="GuildMemberJoin"), row(2, "beep", author=author(7, isBot=True)),
        row(3, "Started a call", type="Call"), row(4, "yes", type="Reply", reference={"messageId": str(10**18 + 1)}),
    ]  # fmt: skip
    found = kept(read(channel(rows)))
    assert [m.kind for m in found] == [Kind.SERVICE, Kind.SERVICE, Kind.CALL, Kind.TEXT]
    assert found[3].reply_to == 10**18 + 1


def test_forwards_are_marked(channel: Callable[..., Path], read: Read) -> None:
    rows = [
        row(1, "", reference={"type": "Forward", "messageId": "3"}, forwardedMessage={"content": "their words"}),
        row(2, "own"),
    ]
    assert [(m.text, m.forwarded_from) for m in kept(read(channel(rows)))] == [("their words", ""), ("own", None)]


def test_media_stickers_polls_and_links_to_moving_pictures(channel: Callable[..., Path], read: Read) -> None:
    rows = [
        row(1, "look", attachments=[{"fileName": "a.PNG"}]), row(2, "", attachments=[{"fileName": "b.xyz"}]),
        row(3, "", stickers=[{"name": "wave"}]), row(4, "https://tenor.com/view/cat-123"),
        row(5, "", embeds=[{"title": "x"}]), row(6, "", poll={"question": {"text": "Where?"}}),
    ]  # fmt: skip
    assert [(m.kind, m.text) for m in kept(read(channel(rows)))] == [
        (Kind.PHOTO, "look"), (Kind.FILE, ""), (Kind.STICKER, "wave"), (Kind.GIF, ""), (Kind.MEDIA, ""),
        (Kind.POLL, "Where?"),
    ]  # fmt: skip


def test_reactions_mentions_edits(channel: Callable[..., Path], read: Read) -> None:
    reactions = [{"emoji": {"name": "🦀"}, "count": 3, "users": [{"id": "1"}, {"id": "2"}]}]
    edited = "2024-01-01T10:01:00+01:00"
    asked = row(1, "ask <@!2> <:blob:77>", reactions=reactions, mentions=[author(2)], timestampEdited=edited)
    (message,) = kept(read(channel([asked])))
    assert (message.text, message.mentions) == ("ask @Nick 2 :blob:", '["2"]')
    assert (message.reactions, message.edited_ms) == ('[["🦀",3,"1","2"]]', 1704099660000)


def test_what_cannot_be_kept_is_dropped_with_a_reason(channel: Callable[..., Path], read: Read) -> None:
    rows = [row(1, ""), row(2, timestamp="soon"), row(3, id=None), "not a message", row(5, None), row(6, id="9" * 40)]
    records = read(channel(rows, indent=None))
    assert [one.reason for one in records if isinstance(one, Drop)] == [
        "nothing in it", "no date", "no id", "not a readable message", "nothing in it", "no id",
    ]  # fmt: skip


def test_keys_of_any_type_cost_themselves_alone(channel: Callable[..., Path], read: Read) -> None:
    odd = [None, 3, [1], {"a": 1}, "x", True]
    keys = (
        "type",
        "author",
        "attachments",
        "reactions",
        "mentions",
        "reference",
        "stickers",
        "poll",
        "timestampEdited",
    )
    rows = [row(1) | {key: value} for key in keys for value in odd]
    found = [one for one in read(channel(rows)) if isinstance(one, Message | Drop)]
    assert len(found) == len(rows)


def test_an_export_that_was_cut_off_is_kept_up_to_there(channel: Callable[..., Path], read: Read) -> None:
    path = channel([row(n, f"message {n}") for n in range(1, 50)])
    raw = path.read_bytes()
    path.write_bytes(raw[: raw.index(b"message 40")])
    records = read(path)
    assert len(kept(records)) == 39
    assert any(isinstance(one, Tear) for one in records)


quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
chats = st.lists(
    st.tuples(st.integers(1, 3), st.text(min_size=1).map(lambda t: f"w{t}w"), st.integers(0, 10**8)), min_size=1
)


@quick
@given(chats, st.sampled_from([None, 2]))
def test_any_channel_comes_back(tmp_path: Path, chat: list[tuple[int, str, int]], indent: int | None) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    rows, expected = [], []
    for number, (who, text, second) in enumerate(chat):
        text = text.encode("utf-8", "replace").decode().replace("<", "(")
        when = start + timedelta(seconds=second)
        rows.append(row(number, text, who, timestamp=when.isoformat()))
        expected.append((10**18 + number, str(who), text, int(when.timestamp()) * 1000))
    path = tmp_path / "channel.json"
    export = {"guild": {}, "channel": {"id": "5", "type": 0}, "messages": rows}
    path.write_text(json.dumps(export, indent=indent), "utf-8")
    found = [m for m in SOURCE.read(path, Reading()) if isinstance(m, Message)]
    assert [(m.id, m.sender_id, m.text, m.time_ms) for m in found] == expected


def test_parts_of_a_channel_are_one_channel(channel: Callable[..., Path], tmp_path: Path, store: Store) -> None:
    channel([row(n) for n in (1, 2, 3)], to="Server - general [5] [part 1].json")
    channel([row(n) for n in (3, 4)], to="Server - general [5] [part 2].json")
    reports = import_paths(store, [tmp_path])
    assert [report.added for report in reports] == [3, 1]
    assert len(list(store.chats())) == 1
