"""People who are excluded, and people who are forgotten for good."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.train.stored import sessions_of
from train.forgetting import Forgotten
from train.importing import import_paths
from train.messages import Reading
from train.people import exclude, people, person_named
from train.store import Store, open_store

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]


@pytest.fixture
def group(telegram_chat: Write, telegram_row: Row) -> Path:
    rows = [telegram_row(1, "Alice", "one"), telegram_row(2, "Bob", "SECRET two"), telegram_row(3, "Carol", "three")]
    rows[2]["reactions"] = [
        {"type": "emoji", "count": 2, "emoji": "❤", "recent": [{"from_id": "user2"}, {"from_id": "user1"}]}
    ]
    rows[2]["text"] = ["hey ", {"type": "mention_name", "text": "you", "user_id": 2}]
    return telegram_chat(rows, to="group/result.json", type="private_group", id=5, name="Club")


@pytest.fixture
def personal(telegram_chat: Write, telegram_row: Row) -> Path:
    rows = [telegram_row(1, "Alice", "dear Bob"), telegram_row(2, "Bob", "SECRET answer")]
    return telegram_chat(rows, to="personal/result.json", name="Bob")


def who(store: Store, name: str) -> Any:
    return person_named(people(store.db), name)


def test_the_words_of_the_excluded_are_in_no_session_and_cut_it(store: Store, group: Path) -> None:
    import_paths(store, [group])
    exclude(store.db, who(store, "Bob"))
    (sessions,) = sessions_of(store)
    assert [[turn.messages for turn in session.turns] for session in sessions] == [[["one"]], [["hey you"]]]
    exclude(store.db, who(store, "Bob"), excluded=False)
    assert [len(session.turns) for (session,) in sessions_of(store)] == [3]


def test_the_forgotten_are_gone_from_every_byte(tmp_path: Path, group: Path, personal: Path) -> None:
    with open_store(tmp_path / "data") as store:
        import_paths(store, [group, personal])
        assert store.forget(who(store, "Bob")) == 3
        rows = store.db.execute("SELECT text, reactions, mentions FROM messages").fetchall()
        assert rows == [("one", None, None), ("hey you", '[["❤",1,"user1"]]', None)]
        assert [person.speaker for person in people(store.db)] == ["Alice", "Carol"]
    left = b"".join(one.read_bytes() for one in (tmp_path / "data").iterdir())
    assert b"SECRET" not in left
    assert b"Bob" not in left
    assert b"user2" not in left


def test_imports_do_not_bring_the_forgotten_back(store: Store, group: Path, personal: Path) -> None:
    import_paths(store, [group, personal])
    store.forget(who(store, "Bob"))
    reports = import_paths(store, [group, personal])
    assert [(one.kept, one.dropped, one.added) for one in reports] == [(2, 1, 0), (0, 2, 0)]
    assert store.db.execute("SELECT DISTINCT reason FROM drops").fetchall() == [("forgotten",)]
    assert "Bob" not in {person.speaker for person in people(store.db)}
    assert store.db.execute("SELECT reactions FROM messages WHERE reactions IS NOT NULL").fetchall() == [
        ('[["❤",1,"user1"]]',)
    ]
    assert store.forgotten.remove("telegram", "user2")
    assert import_paths(store, [group, personal])[1].added == 2


def test_what_is_remembered_of_them_cannot_be_read(store: Store, group: Path) -> None:
    import_paths(store, [group])
    store.forget(who(store, "Bob"))
    marks = [row[0] for row in store.db.execute("SELECT mark FROM forgotten")]
    assert len(marks) == 1
    assert len(marks[0]) == 16
    assert not store.forgotten.has_account("telegram", "user3")
    with sqlite3.connect(":memory:") as other:
        other.execute("CREATE TABLE forgotten_salt (salt)")
        other.execute("INSERT INTO forgotten_salt VALUES (?)", [b"another salt"])
        assert Forgotten(other).mark("account", "telegram", "user2") not in marks


def test_whatsapp_exports_named_after_the_forgotten(tmp_path: Path, whatsapp: Write) -> None:
    with open_store(tmp_path / "data") as store:
        path = whatsapp("13/2/24, 10:00 - Alice: x", "13/2/24, 10:00 - Bob: SECRET")
        import_paths(store, [path], reading=Reading(timezone="UTC"))
        store.forget(who(store, "Bob"))
        assert json.dumps(store.db.execute("SELECT path FROM imports").fetchall()) == '[["(forgotten)"]]'
    assert b"Bob" not in b"".join(one.read_bytes() for one in (tmp_path / "data").iterdir())


def test_a_forgotten_owner_does_not_come_back_and_what_was_dropped_is_in_the_ledger(
    store: Store, telegram_chat: Write, telegram_row: Row
) -> None:
    saved = telegram_chat([telegram_row(1, "Alice", "to myself")], to="saved/result.json", type="saved_messages", id=1)
    import_paths(store, [saved])
    store.forget(next(one for one in people(store.db) if one.is_owner))
    report = import_paths(store, [saved])[0]
    assert people(store.db) == []
    assert report.dropped == store.db.execute("SELECT count(*) FROM drops").fetchone()[0] == 1
