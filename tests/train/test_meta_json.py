"""Threads of Messenger and Instagram as Meta writes them."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from train.importing import import_paths
from train.messages import Chat, ChatKind, Drop, Kind, Message, Owner, Reading, Record, Tear
from train.sources.meta_json import SOURCE, repaired
from train.store import Store

Read = Callable[..., list[Record]]
T0 = 1_700_000_000_000


def broken(value: Any) -> Any:
    """A value as Meta writes it: the bytes of each string read as Latin-1."""
    if isinstance(value, str):
        return value.encode("utf-8").decode("latin-1")
    if isinstance(value, list):
        return [broken(one) for one in value]
    return {key: broken(one) for key, one in value.items()} if isinstance(value, dict) else value


def row(number: int, content: str | None = "hi", who: str = "Zoë", **more: Any) -> dict[str, Any]:
    plain = {"sender_name": who, "timestamp_ms": T0 + number * 1000, "is_geoblocked_for_viewer": False}
    return plain | ({} if content is None else {"content": content}) | more


@pytest.fixture
def thread(tmp_path: Path) -> Callable[..., Path]:
    """Write a thread, newest message first, and return the export's folder."""

    def write(rows: list[Any], *, name: str = "zoë_77", file: str = "message_1.json", box: str = "inbox",
              people: tuple[str, ...] = ("Zoë", "Mia"), **more: Any) -> Path:  # fmt: skip
        folder = tmp_path / "facebook" / "messages" / box / name
        folder.mkdir(parents=True, exist_ok=True)
        about = {"participants": [{"name": one} for one in people], "messages": rows[::-1], "title": people[0],
                 "is_still_participant": True, "thread_path": f"{box}/{name}"} | more  # fmt: skip
        (folder / file).write_text(json.dumps(broken(about), indent=2), "utf-8")
        return tmp_path / "facebook"

    return write


def kept(records: list[Record]) -> list[Message]:
    return [one for one in records if isinstance(one, Message)]


def test_every_string_is_repaired_and_clean_ones_are_left_alone(thread: Callable[..., Path], read: Read) -> None:
    (message,) = kept(read(thread([row(1, "naïve 😭 да")]), "meta-json"))
    assert (message.text, message.sender_name) == ("naïve 😭 да", "Zoë")
    assert [repaired(one) for one in ("plain", "é", "日本", "Ã©t", "😭")] == ["plain", "é", "日本", "ét", "😭"]


def test_files_of_a_thread_are_one_chat_in_the_order_of_time(thread: Callable[..., Path], store: Store) -> None:
    thread([row(1, "first"), row(2, "second"), row(2, "third", time=0)], file="message_2.json")
    path = thread([row(3, "fourth")])
    reports = import_paths(store, [path])
    assert len(reports) == 1
    texts = store.db.execute("SELECT text FROM messages ORDER BY time_ms, seq").fetchall()
    assert [text for (text,) in texts] == ["first", "second", "third", "fourth"]
    assert store.db.execute("SELECT count(*) FROM chats").fetchone() == (1,)
    again = import_paths(store, [path])[0]
    assert (again.added, again.updated, again.kept) == (0, 0, 4)


def test_all_boxes_are_read_and_the_owner_takes_part_in_every_thread(thread: Callable[..., Path], read: Read) -> None:
    thread([row(1)])
    thread([row(2, who="Mia")], name="club_5", box="archived_threads", people=("Ann", "Bob", "Mia"))
    records = read(thread([row(3, who="Eve")], name="eve_6", people=("Eve", "Mia")))
    assert [one.name for one in records if isinstance(one, Owner)] == ["Mia"]
    assert [m.is_owner for m in kept(records)] == [True, False, False]
    kinds = {one.id: one.kind for one in records if isinstance(one, Chat)}
    assert kinds == {"zoë_77": ChatKind.PERSONAL, "club_5": ChatKind.GROUP, "eve_6": ChatKind.PERSONAL}


def test_reactions_stay_with_their_message_and_their_words_are_dropped(thread: Callable[..., Path], read: Read) -> None:
    rows = [
        row(1, "look", reactions=[{"reaction": "😂", "actor": "Mia"}]), row(2, "Reacted 😂 to your message "),
        row(3, "Mia liked a message"), row(4, "I liked a message in a bottle film"),
    ]  # fmt: skip
    records = read(thread(rows))
    assert [(m.text, m.reactions) for m in kept(records)][::-1] == [
        ("look", '[["😂",1,"mia"]]'), ("I liked a message in a bottle film", None),
    ]  # fmt: skip
    assert sum(isinstance(one, Drop) for one in records) == 2


def test_media_calls_unsent_and_lines_of_the_app(thread: Callable[..., Path], read: Read) -> None:
    rows = [
        row(1, None, photos=[{"uri": "x"}]), row(2, "Zoë sent an attachment.", share={"link": "https://example.org"}),
        row(3, "The video chat ended.", call_duration=5), row(4, "x", is_unsent=True), row(5, None, sticker={"u": 1}),
        row(6, "Zoë named the group Boat."), row(7, None, audio_files=[{}]),
        row(8, "Zoë sent an attachment.", share={"link": "l", "share_text": "theirs", "original_content_owner": "p"}),
    ]  # fmt: skip
    assert [(m.kind, m.text) for m in kept(read(thread(rows)))][::-1] == [
        (Kind.PHOTO, ""), (Kind.TEXT, "https://example.org"), (Kind.CALL, "The video chat ended."), (Kind.DELETED, ""),
        (Kind.STICKER, ""), (Kind.SERVICE, "Zoë named the group Boat."), (Kind.VOICE, ""), (Kind.MEDIA, ""),
    ]  # fmt: skip


def test_people_who_left_have_no_name(thread: Callable[..., Path], read: Read) -> None:
    (message,) = kept(read(thread([row(1, who="Facebook user")], people=("Facebook user", "Mia"))))
    assert (message.sender_id, message.sender_name) == ("facebook user", None)


def test_encrypted_chats_come_in_another_layout(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "Zoë_3.json"
    rows = [
        {
            "isUnsent": False,
            "media": [],
            "reactions": [],
            "senderName": "Zoë",
            "text": "да 😭",
            "timestamp": T0,
            "type": "text",
        }
    ]
    path.write_text(json.dumps({"participants": ["Zoë", "Mia"], "threadName": "Zoë_3", "messages": rows}), "utf-8")
    (message,) = kept(read(path, "meta-json"))
    assert (message.text, message.sender_name, message.time_ms) == ("да 😭", "Zoë", T0)


def test_the_archive_is_read_as_it_came_and_instagram_is_told_by_its_name(
    thread: Callable[..., Path], read: Read, tmp_path: Path
) -> None:
    folder = thread([row(1)])
    with zipfile.ZipFile(tmp_path / "instagram-mia-2024.zip", "w") as archive:
        for path in folder.rglob("*.json"):
            archive.write(path, f"your_activity/{path.relative_to(folder)}")
    (message,) = kept(read(tmp_path / "instagram-mia-2024.zip", "meta-json"))
    assert message.platform == "instagram"


def test_what_is_no_message_costs_itself_alone(thread: Callable[..., Path], read: Read) -> None:
    odd = [None, 3, [1], {"a": 1}, True, "1"]
    keys = ("sender_name", "content", "reactions", "share", "photos", "timestamp_ms")
    rows = [row(n) | {key: value} for n, (key, value) in enumerate((key, value) for key in keys for value in odd)]
    records = read(thread([*rows, row(99, "good")]))
    assert sum(isinstance(one, Message | Drop) for one in records) == len(rows) + 1
    assert any(m.text == "good" for m in kept(records))


def test_a_torn_file_does_not_keep_the_others_from_being_read(thread: Callable[..., Path], read: Read) -> None:
    folder = thread([row(n, f"text {n}") for n in range(9)], file="message_2.json")
    torn = folder / "messages/inbox/zoë_77/message_2.json"
    torn.write_bytes(torn.read_bytes()[:700])
    records = read(thread([row(20, "whole")]))
    assert any(isinstance(one, Tear) and "message_2.json" in one.place for one in records)
    assert kept(records)[-1].text == "whole"


quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
people = st.sampled_from(["Mia", "Zoë", "Дима"])


@quick
@given(st.lists(st.tuples(people, st.text(min_size=1).map(lambda t: f"w{t}w"), st.integers(0, 10**6)), min_size=1))
def test_any_thread_comes_back(tmp_path: Path, rows: list[tuple[str, str, int]]) -> None:
    clean = [(who, text.encode("utf-8", "replace").decode(), T0 + at) for who, text, at in rows]
    messages = [{"sender_name": who, "timestamp_ms": at, "content": text} for who, text, at in clean]
    path = tmp_path / "message_1.json"
    path.write_text(json.dumps(broken({"participants": [], "messages": messages[::-1]})), "utf-8")
    found = [m for m in SOURCE.read(path, Reading()) if isinstance(m, Message)]
    assert [(m.sender_name, m.text, m.time_ms) for m in sorted(found, key=lambda m: m.seq)] == clean
