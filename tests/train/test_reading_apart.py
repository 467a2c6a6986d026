"""Large exports are read in a process of their own: what is read, told and raised is the same."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.train import exports
from train import reading_apart
from train.importing import Report, find_exports, import_paths
from train.messages import Reading, Record, one_by_one
from train.reading_apart import read_apart
from train.sources import source_named
from train.store import open_store

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _however_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_apart, "LEAST_BYTES", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that were started."""
    found: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            found.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    return found


def whatsapp(folder: Path, messages: int) -> Path:
    path = folder / "WhatsApp Chat with Bob.txt"
    lines = [f"13/2/24, 10:{n // 60 % 60:02} - {'AB'[n % 2]}: message {n}\n" for n in range(messages)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def imported(data: Path, *paths: Path, **reading: Any) -> Report:
    with open_store(data) as store:
        return import_paths(store, paths, reading=Reading(timezone="UTC", **reading))[-1]


@pytest.mark.slow
@pytest.mark.parametrize("write", [write for some in exports.EXPORTS.values() for write in some])
@pytest.mark.parametrize("archived", [False, True])
def test_the_records_are_the_same(
    write: Callable[[Path], Path], archived: bool, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    given = write(folder)
    if archived and given.suffix != ".zip":
        given = exports.zipped(given, tmp_path / "export.zip")
    ((path, source),) = find_exports(given)
    here: list[Record] = list(source.read(path, Reading(timezone="UTC")))
    assert list(read_apart(source, path, Reading(timezone="UTC"))) == here
    assert [process.returncode for process in started] == [0]


def test_small_exports_are_read_at_once(
    tmp_path: Path, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = whatsapp(tmp_path, 10)
    monkeypatch.setattr(reading_apart, "LEAST_BYTES", path.stat().st_size + 1)
    assert imported(tmp_path / "data", path).added == 10
    monkeypatch.setattr(reading_apart, "LEAST_BYTES", path.stat().st_size)
    assert imported(tmp_path / "data", path).added == 0
    assert len(started) == 1


def test_what_cannot_be_read_and_tears_are_told_as_ever(tmp_path: Path) -> None:
    locked = tmp_path / "data.db"
    locked.write_bytes(os.urandom(4096))
    source = source_named("imessage-db")
    with pytest.raises(Exception) as here:  # noqa: PT011
        list(source.read(locked, Reading()))
    with pytest.raises(type(here.value)) as apart:
        list(read_apart(source, locked, Reading()))
    assert (str(apart.value), vars(apart.value).get("hint")) == (str(here.value), vars(here.value).get("hint"))
    path = whatsapp(tmp_path, 100)
    path.write_bytes(path.read_bytes().rstrip() + "é".encode()[:1])
    report = imported(tmp_path / "data", path)
    assert report.kept == 100
    assert report.tear is not None
    assert report.tear.detail == "the file ends inside a letter"


def test_halves_of_letters_and_endless_numbers_go_through(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    row = '{"id": %d, "type": "message", "date_unixtime": "1704067200", "from_id": "user1", "text": "a\\ud83d"}'
    path.write_text(
        '{"name": "Bob", "type": "personal_chat", "id": 2, "messages": [' + row % 1 + "," + row % 2**70 + "]}"
    )
    source = source_named("telegram-json")
    assert list(read_apart(source, path, Reading())) == list(source.read(path, Reading()))


def test_progress_counts_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = whatsapp(tmp_path, 50_000)
    told: list[int] = []
    imported(tmp_path / "data", path, progress=told.append)
    assert len(told) > 2
    assert sum(told) == path.stat().st_size


@pytest.mark.slow
def test_when_the_reading_process_is_killed_the_store_is_whole_and_says_so(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    path = whatsapp(tmp_path, 200_000)
    seen = 0

    def kill_at_three_quarters(read: int) -> None:
        nonlocal seen
        seen += read
        if seen > path.stat().st_size * 3 / 4:
            started[0].send_signal(signal.SIGKILL)

    report = imported(tmp_path / "data", path, progress=kill_at_three_quarters)
    assert report.error is not None
    assert "was ended" in report.error.message
    assert 0 < report.kept < 200_000
    with open_store(tmp_path / "data") as store:
        assert store.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.db.execute("SELECT status FROM imports").fetchall() == [("torn",)]
        assert store.count() == report.kept
    assert imported(tmp_path / "data", path).added == 200_000 - report.kept


def test_the_reading_process_ends_with_the_one_that_writes(tmp_path: Path) -> None:
    path = whatsapp(tmp_path, 200_000)
    program = (
        "import os, subprocess, sys; from pathlib import Path; from train import reading_apart\n"
        "from train.messages import Reading; from train.sources import source_named\n"
        "reading_apart.LEAST_BYTES = 0; os.cpu_count = lambda: 2\n"
        "popen = subprocess.Popen\n"
        "def noted(*given, **more):\n"
        "    process = popen(*given, **more); print(process.pid, flush=True); return process\n"
        "subprocess.Popen = noted\n"
        "records = reading_apart.read_apart(source_named('whatsapp-text'), Path(sys.argv[1]), Reading())\n"
        "next(records); next(records); input()"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        reading = int(writing.stdout.readline())
        writing.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while _runs(reading) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(reading)


def _runs(process: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


def test_an_archive_in_an_archive_is_found_by_the_other_process(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    path = whatsapp(tmp_path, 50)
    inner = exports.zipped(path, tmp_path / "WhatsApp Chat with Bob.zip")
    (tmp_path / "outer").mkdir()
    inner.rename(tmp_path / "outer" / inner.name)
    outer = exports.zipped(tmp_path / "outer", tmp_path / "outer.zip")
    ((found, source),) = find_exports(outer)
    here = list(source.read(found, Reading(timezone="UTC")))
    assert len([*one_by_one(here)]) > 50
    assert list(read_apart(source, found, Reading(timezone="UTC"))) == here
    assert [process.returncode for process in started] == [0]
