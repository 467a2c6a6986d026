"""Half of the work in another process: the same bytes, what it raises is raised here, and it never outlives this one."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.errors import UserError
from tests.train.apart_functions import die, echo, fail, note_and_wait
from train.apart import Apart
from train.dataset import Options, rows, write_dataset, writing
from train.dataset.reading import Reader
from train.importing import import_paths
from train.store import Store

ROOT = Path(__file__).parents[2]
Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]


def test_frames_go_both_ways_and_the_result_comes_back() -> None:
    with Apart(echo, 2) as other:
        other.send(b"ab")
        assert other.receive() == b"abab"
        other.send(b"")
        assert other.receive() == b""
        assert other.result() == "done"


def test_what_is_raised_there_is_raised_here_whatever_is_asked() -> None:
    def receive(other: Apart) -> None:
        other.send(b"x")
        other.receive()

    def send(other: Apart) -> None:
        while True:
            other.send(b"x" * 100_000)

    for ask in (receive, send):
        with Apart(fail) as other, pytest.raises(UserError, match="The other half failed"):
            ask(other)


def test_a_process_that_is_killed_is_told_of() -> None:
    with Apart(die) as other:
        other.send(b"x")
        with pytest.raises(UserError, match="was ended"):
            other.result()


def test_it_ends_when_nobody_wants_more(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with Apart(note_and_wait, str(note)):
        while not note.exists():
            time.sleep(0.01)
    assert not note.exists()


def test_it_ends_when_this_process_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    program = (
        "import sys, time; from train.apart import Apart; from tests.train.apart_functions import note_and_wait\n"
        "with Apart(note_and_wait, sys.argv[1]): time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(note)], cwd=ROOT)
    while not note.exists():
        time.sleep(0.01)
    process.kill()
    process.wait()
    # Its `finally` takes the note away.
    while note.exists():
        time.sleep(0.01)


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    def switch(on: bool) -> None:
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        for module in (rows, writing):
            monkeypatch.setattr(module, "LEAST_APART", 0 if on else 10**9)

    return switch


@pytest.fixture
def chats(store: Store, telegram_chat: Write, telegram_row: Row) -> None:
    """Three chats; the second is empty of anything that a set could use."""
    for chat in range(3):
        some = [
            telegram_row(n, ("Bob", "Alice")[n % 2], f"number {n} 😭\nof chat {chat}", at=n * 200 + chat)
            for n in range(60)
        ]
        some = [row | {"forwarded_from": "X"} for row in some] if chat == 1 else some
        import_paths(store, [telegram_chat(some, to=f"{chat}.json", id=chat + 1)])


@pytest.mark.usefixtures("chats")
@pytest.mark.parametrize("options", [{}, {"redact": False, "context": True, "format": "chatml", "max_tokens": 60}])
def test_a_set_is_the_same_to_the_byte(
    store: Store, tmp_path: Path, apart: Callable[[bool], None], options: dict[str, Any]
) -> None:
    sets = []
    for on in (False, True):
        apart(on)
        folder = tmp_path / str(on)
        (written,) = write_dataset(store, folder, Options(min_messages=1, **options))
        assert written.train_lines
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        sets.append((files, written.trained, written.dropped, written.redacted, written.too_long))
    assert sorted(sets[0][0]) == ["card.json", "eval.jsonl", "report.html", "train.jsonl"]
    assert sets[0] == sets[1]


@pytest.mark.usefixtures("chats")
def test_a_set_that_cannot_be_written_is_told_of_and_leaves_nothing(
    store: Store, tmp_path: Path, apart: Callable[[bool], None]
) -> None:
    apart(True)
    folder = tmp_path / "out"
    (folder / "eval.jsonl").mkdir(parents=True)
    with pytest.raises(UserError, match="cannot be written"):
        write_dataset(store, folder, Options(min_messages=1), force=True)
    assert [path.name for path in folder.iterdir() if path.is_file()] in ([], ["train.jsonl"])


@pytest.mark.usefixtures("chats")
def test_an_error_on_this_side_leaves_no_half_set(
    store: Store, tmp_path: Path, apart: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    apart(True)

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("train.dataset.drafting.Drafter._draft", broken)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(store, tmp_path / "out", Options(min_messages=1))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.usefixtures("chats")
def test_rows_of_a_chat_are_those_of_the_store(store: Store, apart: Callable[[bool], None]) -> None:
    store.commit()
    reader = Reader(store, Options())
    found = []
    for on in (False, True):
        apart(on)
        with rows.rows_in_order(store, [chat.id for chat in reader.chats()], reader.total) as blocks:
            found.append([b"".join(blocks(chat.id)) for chat in reader.chats()])
    assert found[0] == found[1]
    assert len(found[0]) == 3
