"""Reading exports into the store: once, again, newer, older, torn, killed."""

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.errors import UserError
from train.importing import Report, import_paths
from train.messages import Reading
from train.store import MIGRATIONS, Store, open_store

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]


def take(store: Store, *paths: Path, **reading: Any) -> Report:
    return import_paths(store, paths, reading=Reading(timezone="UTC", **reading))[-1]


def texts(store: Store) -> list[str]:
    rows = store.db.execute("SELECT text FROM messages ORDER BY chat_id, time_ms, seq").fetchall()
    return [row[0] for row in rows]


def test_the_same_export_again_changes_nothing(
    store: Store, telegram_chat: Write, telegram_row: Row, whatsapp: Write
) -> None:
    paths = [
        telegram_chat([telegram_row(n) for n in range(1, 20)]),
        whatsapp(*(f"13/2/24, 10:00 - {who}: same" for who in "ABAAB")),
    ]
    for path in paths:
        first = take(store, path)
        assert first.added == first.kept > 0
    before = store.db.execute("SELECT * FROM messages").fetchall()
    for path in paths:
        again = take(store, path)
        assert (again.added, again.updated, again.kept > 0) == (0, 0, True)
    assert store.db.execute("SELECT * FROM messages").fetchall() == before


def test_a_newer_export_adds_what_is_new_and_updates_what_was_edited(
    store: Store, telegram_chat: Write, telegram_row: Row
) -> None:
    old = telegram_chat([telegram_row(1), telegram_row(2, text="teh")], to="old.json")
    edited = telegram_row(2, text="the", edited_unixtime="1704070000")
    new = telegram_chat([telegram_row(1), edited, telegram_row(3)], to="new.json")
    take(store, old)
    report = take(store, new)
    assert (report.kept, report.added, report.updated) == (3, 1, 1)
    assert texts(store) == ["hi", "the", "hi"]
    # Reading the older export once more does not undo the edit.
    assert take(store, old).updated == 0
    assert texts(store) == ["hi", "the", "hi"]


def test_a_newer_whatsapp_export_updates_edited_and_deleted_messages(store: Store, whatsapp: Write) -> None:
    head = ["13/2/24, 10:00 - Alice: one", "13/2/24, 10:00 - Alice: two", "13/2/24, 10:00 - Bob: three"]
    newer = [
        "13/2/24, 10:00 - Alice: one",
        "13/2/24, 10:00 - Alice: 2 <This message was edited>",
        "13/2/24, 10:00 - Bob: This message was deleted",
        "13/2/24, 10:01 - Bob: four",
    ]
    take(store, whatsapp(*head))
    report = take(store, whatsapp(*newer))
    assert (report.added, report.updated) == (1, 2)
    assert texts(store) == ["one", "2", "", "four"]
    again = take(store, whatsapp(*head))
    assert (again.added, again.updated) == (0, 0)
    assert texts(store) == ["one", "2", "", "four"]


def test_a_whatsapp_export_that_begins_inside_a_minute_doubles_nothing(store: Store, whatsapp: Write) -> None:
    lines = [f"13/2/24, 10:00 - Alice: {n}" for n in range(6)] + ["13/2/24, 10:01 - Bob: x"]
    take(store, whatsapp(*lines))
    assert take(store, whatsapp(*lines[3:], "13/2/24, 10:01 - Bob: y")).added == 1
    assert texts(store) == ["0", "1", "2", "3", "4", "5", "x", "y"]


def test_an_export_with_media_names_what_was_omitted(store: Store, whatsapp: Write) -> None:
    end = "13/2/24, 10:01 - Bob: x"
    take(store, whatsapp("13/2/24, 10:00 - Alice: <Media omitted>", end))
    report = take(store, whatsapp("13/2/24, 10:00 - Alice: IMG-1.jpg (file attached)", end))
    assert (report.added, report.updated) == (0, 1)
    assert store.db.execute("SELECT kind FROM messages ORDER BY time_ms").fetchall() == [
        ("photo",),
        ("text",),
    ]


def test_another_time_zone_moves_the_messages_it_does_not_double(store: Store, whatsapp: Write) -> None:
    path = whatsapp("13/2/24, 10:00 - Alice: x", "13/2/24, 10:01 - Bob: y")
    import_paths(store, [path], reading=Reading(timezone="UTC"))
    (report,) = import_paths(store, [path], reading=Reading(timezone="Asia/Tokyo"))
    assert (report.added, report.updated) == (0, 2)
    (first,) = store.db.execute("SELECT min(time_ms) FROM messages").fetchone()
    assert first == 1707786000000


def test_the_ledger_accounts_for_every_record(store: Store, telegram_chat: Write, telegram_row: Row) -> None:
    path = telegram_chat([telegram_row(1), {"id": 2, "type": "unsupported"}, telegram_row(3, text="")])
    report = take(store, path)
    assert (report.kept, report.dropped) == (1, 2)
    ledger = store.db.execute("SELECT path, kept, dropped, added, updated, status FROM imports").fetchall()
    assert ledger == [(str(path), 1, 2, 1, 0, "whole")]
    assert store.db.execute("SELECT reason, place FROM drops").fetchall() == [
        ("unsupported by the exporter", "record 2, message 2"),
        ("nothing in it", "record 3, message 3"),
    ]


def test_a_torn_export_is_kept_up_to_the_tear(store: Store, telegram_chat: Write, telegram_row: Row) -> None:
    path = telegram_chat([telegram_row(n) for n in range(1, 40)])
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b'"id": 30') + 20])
    report = take(store, path)
    assert report.tear is not None
    assert report.tear.place.startswith("record 30, byte ")
    assert (report.kept, report.dropped, store.count()) == (29, 1, 29)
    assert store.db.execute("SELECT status FROM imports").fetchall() == [("torn",)]
    path.write_bytes(whole)
    assert take(store, path).added == 10


@pytest.mark.slow
def test_an_import_that_is_killed_is_whole_and_goes_on(tmp_path: Path, telegram_row: Row) -> None:
    path = tmp_path / "result.json"
    rows = ",\n  ".join(json.dumps(telegram_row(n)) for n in range(1, 150_001))
    path.write_text(f'{{\n "name": "Bob",\n "type": "personal_chat",\n "id": 2,\n "messages": [\n  {rows}\n ]\n}}')
    data = tmp_path / "data"
    program = (
        "import sys; from pathlib import Path; from train.store import open_store\n"
        "from train.importing import import_paths\n"
        "with open_store(Path(sys.argv[2])) as store: import_paths(store, [Path(sys.argv[1])])"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program, str(path), str(data)], cwd=root) as child:
        deadline = time.monotonic() + 60
        while _stored(data) == 0 and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
    stored = _stored(data)
    assert 0 < stored < 150_000, "the import was not killed in the middle"
    with open_store(data) as store:
        assert store.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        report = take(store, path)
        assert (report.kept, report.added, store.count()) == (150_000, 150_000 - stored, 150_000)
        statuses = [row[0] for row in store.db.execute("SELECT status FROM imports ORDER BY id")]
    assert statuses == ["interrupted", "whole"]


def _stored(data: Path) -> int:
    try:
        with sqlite3.connect(f"file:{data / 'messages.db'}?mode=ro", uri=True, timeout=5) as db:
            return int(db.execute("SELECT count(*) FROM messages").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        if "db" in locals():
            db.close()


def test_the_store_is_for_its_owner_alone(tmp_path: Path, telegram_chat: Write, telegram_row: Row) -> None:
    data = tmp_path / "data"
    old = os.umask(0)
    try:
        with open_store(data) as store:
            take(store, telegram_chat([telegram_row(1)]))
            modes = {stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()}
    finally:
        os.umask(old)
    assert modes == {0o600}
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_the_tables_are_strict_and_versioned(store: Store) -> None:
    assert store.db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    tables = store.db.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'").fetchall()
    assert {name for name, strict in tables if not strict} <= {"sqlite_schema", "sqlite_sequence"}
    assert store.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_store_of_a_newer_greenroom_is_left_alone(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        store.db.execute("PRAGMA user_version = 999")
    with pytest.raises(UserError, match="newer Greenroom"), open_store(tmp_path / "data"):
        pass


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "messages.db").write_text("this is not a database, it is a text of some length" * 20)
    with pytest.raises(UserError, match="not a message store"), open_store(tmp_path / "data"):
        pass


def test_folders_are_searched_and_unknown_files_passed_over(
    store: Store, tmp_path: Path, telegram_chat: Write, telegram_row: Row, whatsapp: Write
) -> None:
    telegram_chat([telegram_row(1)], to="all/ChatExport/result.json")
    whatsapp("13/2/24, 10:00 - A: x", "13/2/24, 10:00 - B: y", name="all/WhatsApp Chat - B/_chat.txt")
    (tmp_path / "all" / "photo.jpg").write_bytes(b"\xff\xd8")
    reports = import_paths(store, [tmp_path / "all"])
    assert sorted(report.source for report in reports) == ["telegram-json", "whatsapp-text"]


def test_a_mistyped_path_changes_nothing(store: Store, tmp_path: Path, telegram_chat: Write, telegram_row: Row) -> None:
    with pytest.raises(UserError, match="nothing at"):
        import_paths(store, [telegram_chat([telegram_row(1)]), tmp_path / "nowhere"])
    assert store.count() == 0


def test_a_folder_without_exports_says_so(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="No chat export was recognised"):
        import_paths(store, [tmp_path / "empty"])


def test_the_owner_of_one_export_is_found_in_the_next(
    store: Store, telegram_chat: Write, telegram_row: Row, whatsapp: Write
) -> None:
    take(store, telegram_chat([telegram_row(1, "Alice")], type="saved_messages", id=1, name=None))
    take(store, whatsapp("13/2/24, 10:00 - Alice: x", "13/2/24, 10:00 - Bob: y", name="_chat.txt"))
    rows = store.db.execute("SELECT name FROM people WHERE is_owner").fetchall()
    assert rows == [("Alice",)]
    assert store.db.execute("SELECT chat FROM chats WHERE platform = 'whatsapp'").fetchall() == [("bob",)]


def test_an_export_that_says_less_takes_nothing_away(store: Store, telegram_chat: Write, telegram_row: Row) -> None:
    recent = [{"from": "Bob", "from_id": "user2", "date": "2024-01-01T00:00:00"}]
    reaction = [{"type": "emoji", "count": 1, "emoji": "❤", "recent": recent}]
    take(
        store,
        telegram_chat([telegram_row(1), telegram_row(2, reply_to_message_id=1, reactions=reaction)], to="full.json"),
    )
    query = "SELECT reply_to, reactions FROM messages WHERE message = 2"
    before = store.db.execute(query).fetchone()
    assert None not in before
    less = take(store, telegram_chat([telegram_row(1), telegram_row(2)], to="less.json"))
    assert less.updated == 0
    assert store.db.execute(query).fetchone() == before
    more = [{"type": "emoji", "count": 2, "emoji": "❤", "recent": recent}]
    assert take(store, telegram_chat([telegram_row(2, reactions=more)], to="more.json")).updated == 1


def test_an_archive_that_was_sent_in_a_chat_is_not_opened(
    store: Store, tmp_path: Path, telegram_chat: Write, telegram_row: Row
) -> None:
    theirs = telegram_chat([telegram_row(1, "Carol")], to="theirs/result.json", id=9)
    telegram_chat([telegram_row(1), telegram_row(2)], to="export/result.json")
    (tmp_path / "export" / "files").mkdir()
    with zipfile.ZipFile(tmp_path / "export" / "files" / "chat.zip", "w") as archive:
        archive.write(theirs, "result.json")
    take(store, tmp_path / "export")
    assert store.count() == 2
