"""The chat history: private, whole after a kill, shared by clients, and careful with other files."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tui.errors import HistoryError
from tui.history import ABANDONED_SECONDS, History
from tui.history_schema import MIGRATIONS
from tui.settings import history_path

ROOT = Path(__file__).resolve().parents[2]


def in_another_process(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python process that runs `code` with our package on its path."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_is_readable_by_its_owner_alone(history_file: Path) -> None:
    history = History(history_file)
    history.add(history.conversation("milo"), "user", "Juno", "hey")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in history_file.parent.iterdir()}
    assert modes == {"history.db": 0o600, "history.db-wal": 0o600, "history.db-shm": 0o600}
    assert stat.S_IMODE(history_file.parent.stat().st_mode) == 0o700


def test_a_file_that_was_left_open_to_others_is_closed_to_them(history_file: Path) -> None:
    History(history_file).close()
    history_file.chmod(0o644)
    History(history_file).close()
    assert stat.S_IMODE(history_file.stat().st_mode) == 0o600


def test_it_lies_in_the_users_data_folder_unless_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GREENROOM_HISTORY")
    assert (history_path().parent.name, history_path().name) == ("greenroom", "history.db")
    monkeypatch.setenv("GREENROOM_HISTORY", str(tmp_path / "else.db"))
    assert history_path() == tmp_path / "else.db"


def test_messages_come_back_in_order_and_in_pages(history_file: Path) -> None:
    history = History(history_file)
    conversation = history.conversation("milo")
    for number in range(5):
        history.add(conversation, "user" if number % 2 == 0 else "assistant", "x", str(number))
    last = history.messages(conversation, last=2)
    assert [message.text for message in last] == ["3", "4"]
    above = history.messages(conversation, last=2, before=last[0].id)
    assert [message.text for message in above] == ["1", "2"]


def test_a_replaced_reply_leaves_the_conversation_but_not_the_file(history_file: Path) -> None:
    history = History(history_file)
    conversation = history.conversation("milo")
    reply = history.add(conversation, "assistant", "Milo", "first try")
    history.replace(reply)
    assert history.messages(conversation, last=9) == []
    assert sqlite3.connect(history_file).execute("SELECT text FROM message").fetchall() == [("first try",)]


def test_a_new_conversation_leaves_the_old_one_and_an_empty_one_is_used_again(history_file: Path) -> None:
    history = History(history_file)
    first = history.conversation("milo")
    assert history.new_conversation("milo") == first
    history.add(first, "user", "Juno", "hey")
    second = history.new_conversation("milo")
    assert second != first
    assert history.conversation("milo") == second
    assert len(history.messages(first, last=9)) == 1


def test_drafts_read_marks_and_choices_are_kept(history_file: Path) -> None:
    history = History(history_file)
    history.save_draft("milo", "wait")
    history.mark_read("milo", 7)
    history.mark_read("milo", 3)  # an older client cannot take it back
    history.set_preference("theme", "greenroom-light")
    history.close()
    again = History(history_file)
    assert (again.contact("milo").draft, again.contact("milo").read_message) == ("wait", 7)
    assert again.preference("theme") == "greenroom-light"


def test_the_tables_are_strict(history_file: Path) -> None:
    History(history_file).close()
    tables = sqlite3.connect(history_file).execute(
        "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'"
    )
    assert dict(tables) == {"conversation": 1, "message": 1, "contact": 1, "preference": 1}


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(history_file: Path) -> None:
    History(history_file).close()
    with sqlite3.connect(history_file) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    before = history_file.read_bytes()
    with pytest.raises(HistoryError, match="written by a newer Greenroom") as caught:
        History(history_file)
    assert "update Greenroom" in caught.value.hint
    assert history_file.read_bytes() == before


def test_another_programs_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE account (id INTEGER)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="another program's database"):
        History(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"not a database at all, just some text\n" * 40, b"SQLite format 3\0" + b"\xff" * 600]
)
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(HistoryError, match=r"notes\.txt"):
        History(path)
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match="cannot open"):
        History(tmp_path / "file" / "history.db")


def test_a_lock_held_too_long_is_said_and_nothing_is_broken(
    history_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.history.LOCK_SECONDS", 0.05)
    history = History(history_file)
    conversation = history.conversation("milo")
    other = sqlite3.connect(history_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(HistoryError, match="database is locked"):
        history.add(conversation, "user", "Juno", "hey")
    other.execute("ROLLBACK")
    history.add(conversation, "user", "Juno", "hey")
    assert len(history.messages(conversation, last=9)) == 1


def test_two_clients_see_each_other(history_file: Path) -> None:
    one, other = History(history_file), History(history_file)
    conversation = one.conversation("milo")
    assert other.changed_elsewhere()
    assert not other.changed_elsewhere()
    one.add(conversation, "user", "Juno", "from one")
    assert other.changed_elsewhere()
    assert [message.text for message in other.messages(conversation, last=9)] == ["from one"]


WRITER = """
import sys
from pathlib import Path
from tui.history import History
history = History(Path(sys.argv[1]))
conversation = history.conversation("milo")
for number in range(50):
    history.add(conversation, "user", sys.argv[2], str(number))
"""


def test_clients_that_start_and_write_at_the_same_time_lose_nothing(history_file: Path) -> None:
    writers = [in_another_process(WRITER, str(history_file), name) for name in "abcd"]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors
    rows = (
        sqlite3.connect(history_file)
        .execute("SELECT name, text FROM message WHERE conversation = 1 ORDER BY id")
        .fetchall()
    )
    for name in "abcd":
        assert [text for writer, text in rows if writer == name] == [str(number) for number in range(50)]


KILLED = """
import sys
from pathlib import Path
from tui.history import History
history = History(Path(sys.argv[1]))
conversation = history.conversation("milo")
history.add(conversation, "user", "Juno", "hey")
reply = history.add(conversation, "assistant", "Milo", "we", "streaming")
print("going", flush=True)
while True:
    reply.text += "ll"
    history.update(reply)
"""


def test_a_client_killed_while_writing_leaves_everything_it_had_written(history_file: Path) -> None:
    client = in_another_process(KILLED, str(history_file))
    assert client.stdout is not None
    assert client.stdout.readline() == "going\n"
    client.send_signal(signal.SIGKILL)
    client.communicate(timeout=60)

    history = History(history_file)
    conversation = history.conversation("milo")
    hey, reply = history.messages(conversation, last=9)
    assert hey.text == "hey"
    assert reply.text.startswith("we")
    assert reply.state == "streaming"  # it may still be alive somewhere
    assert history._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    later = History(history_file, now=lambda: reply.touched_at + ABANDONED_SECONDS + 1)
    assert later.messages(conversation, last=9)[1].state == "stopped"
