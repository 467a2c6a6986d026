"""Files that are broken, hostile or no exports at all: what is said about them, and what is kept of them."""

import json
import os
import shutil
import socket
import sqlite3
import stat
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from persona.errors import UserError
from tests.train import exports
from train.importing import Report, import_paths
from train.messages import Reading
from train.store import Store

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]
Build = Callable[[Path], Path]

EVERY = [pytest.param(build, id=build.__name__) for builds in exports.EXPORTS.values() for build in builds]
TABLES: dict[Build, tuple[str, str]] = {
    exports.imessage_db: ("message", "text"), exports.signal_db: ("messages", "body"),
    exports.whatsapp_ios_db: ("ZWAMESSAGE", "ZTEXT"), exports.whatsapp_android_db: ("message", "text_data"),
    exports.whatsapp_android_old_db: ("messages", "data"),
}  # fmt: skip
"""The databases, with the table of their messages and the column of their words."""
DATABASES = tuple(TABLES)
TEXTS = [one for one in EVERY if one.values[0] not in (*DATABASES, exports.whatsapp_iphone)]
NAMES = (
    "result.json", "messages.html", "_chat.txt", "WhatsApp Chat with Bob.txt", "sms-2024.xml", "calls-2024.xml", "chat.db",
    "sms.db", "db.sqlite", "ChatStorage.sqlite", "msgstore.db", "wa.db", "msgstore.db.crypt15", "message_1.json", "Messages - Bob.csv", "x.csv", "x.tsv", "x.jsonl",
    "x.json", "chat.md", "data.json", "users.json", "x.zip",
)  # fmt: skip
ZEROS = 3 << 30


def take(store: Store, *paths: Path, source: str | None = None) -> Report:
    """Import, and return the first report; kept + dropped is always what the ledger says."""
    reports = import_paths(store, paths, source=source, reading=Reading(timezone="UTC", owner="Mia"))
    for report, row in zip(
        reversed(reports), store.db.execute("SELECT kept, dropped FROM imports ORDER BY id DESC"), strict=False
    ):
        assert row == (report.kept, report.dropped)
    return reports[0]


def refused(store: Store, path: Path, source: str | None = None) -> str:
    """Return the line that says why nothing is imported."""
    with pytest.raises(UserError) as caught:
        import_paths(store, [path], source=source)
    return str(caught.value)


def texts(store: Store) -> list[str]:
    return [row[0] for row in store.db.execute("SELECT text FROM messages ORDER BY chat_id, time_ms, seq")]


def rewrite(export: Path, change: Callable[[bytes], bytes]) -> Path:
    """Change the bytes of every file of an export."""
    for path in exports.files_of(export):
        path.write_bytes(change(path.read_bytes()))
    return export


# Encodings, lengths and letters, in every format that is text.


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("build", TEXTS)
def test_marks_and_utf16_change_nothing(build: Build, encoding: str, tmp_path: Path, store: Store) -> None:
    # After its own file: what is known by its text is the same message, so that none is added.
    export = build(tmp_path)
    whole = take(store, export).kept
    report = take(store, rewrite(export, lambda raw: raw.decode("utf-8").encode(encoding)))
    assert (report.kept, report.added, report.dropped, report.tear, report.error) == (whole, 0, 0, None, None)


@pytest.mark.parametrize("build", TEXTS)
def test_letters_of_another_encoding_cost_themselves_alone(build: Build, tmp_path: Path, store: Store) -> None:
    report = take(store, rewrite(build(tmp_path), lambda raw: raw.decode("utf-8").encode("latin-1", "replace")))
    assert (report.kept >= exports.COUNT - 1, report.dropped, report.tear, report.error) == (True, 0, None, None)
    # What Meta breaks are bytes read as Latin-1: written as such they are whole again. In XML emoji are numbers.
    read: dict[Build, str] = {exports.meta_json: "text 9 😭 größer", exports.sms_xml: "text 9 😭 gr"}
    assert read.get(build, "text 9 ? gr") in " ".join(texts(store))


def test_letters_of_latin_1_in_a_thread_that_meta_did_not_break(tmp_path: Path, store: Store) -> None:
    rows = [{"sender_name": "Zoë", "timestamp_ms": exports.T0_S * 1000 + n, "content": f"größer {n}"} for n in range(3)]
    path = tmp_path / "inbox" / "zoe_7" / "message_1.json"
    path.parent.mkdir(parents=True)
    thread = {"participants": [{"name": "Zoë"}, {"name": "Mia"}], "messages": rows, "title": "Zoë"}
    path.write_bytes(json.dumps(thread, ensure_ascii=False).encode("latin-1"))
    report = take(store, path)
    assert (report.kept, report.dropped, report.tear) == (3, 0, None)
    assert texts(store) == [f"gr\ufffd\ufffder {n}" for n in range(3)]


@pytest.mark.parametrize(
    ("said", "encoding", "read"),
    [("ISO-8859-1", "latin-1", "größer"), ("windows-1252", "cp1252", "größer"), ("UTF-8", "latin-1", "gr\ufffd\ufffder"),
     ("nonsense", "utf-8", "größer"), ("UTF-16", "utf-8", "größer"), ("cp037", "utf-8", "größer")],
)  # fmt: skip
def test_xml_is_in_the_encoding_that_it_names(
    said: str, encoding: str, read: str, tmp_path: Path, store: Store
) -> None:
    export = exports.sms_xml(tmp_path)
    raw = export.read_text("utf-8").replace("encoding='UTF-8'", f"encoding='{said}'").replace("😭", "?")
    export.write_bytes(raw.encode(encoding))
    report = take(store, export)
    assert (report.kept, report.dropped, report.tear) == (exports.COUNT, 0, None)
    assert f"text 9 😭 {read}" in texts(store)


@pytest.mark.parametrize("build", TEXTS)
def test_nul_bytes_cost_themselves_alone(build: Build, tmp_path: Path, store: Store) -> None:
    report = take(store, rewrite(build(tmp_path), lambda raw: raw.replace(b"text 9", b"te\0xt 9")))
    assert (report.kept >= exports.COUNT - 1, report.dropped, report.tear, report.error) == (True, 0, None, None)
    assert any(text.replace("\0", "").replace("\ufffd", "").startswith("text 9") for text in texts(store))


@pytest.mark.slow
@pytest.mark.parametrize("build", EVERY)
def test_a_message_of_ten_megabytes_is_whole(build: Build, tmp_path: Path, store: Store) -> None:
    export = build(tmp_path)
    long = b"text 8" + b" and on" * 1_500_000
    if build in DATABASES:
        table, column = TABLES[build]
        with closing(sqlite3.connect(export)) as db:
            db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = 8", [long.decode()])
            db.commit()
    elif export.suffix == ".zip":
        with zipfile.ZipFile(export) as archive:
            raw = archive.read("_chat.txt")
        with zipfile.ZipFile(export, "w") as archive:
            archive.writestr("_chat.txt", raw.replace(b"text 8", long))
    else:
        rewrite(export, lambda raw: raw.replace(b"text 8", long))
    report = take(store, export)
    assert (report.dropped, report.tear, report.error) == (0, None, None)
    assert max(map(len, texts(store))) >= len(long)


@pytest.mark.parametrize("build", TEXTS)
def test_a_file_that_was_cut_off_keeps_its_beginning(build: Build, tmp_path: Path, store: Store) -> None:
    export = build(tmp_path)
    last = exports.files_of(export)[-1]
    raw = last.read_bytes()
    last.write_bytes(raw[: len(raw) * 7 // 10])
    report = take(store, export)
    assert report.error is None
    assert report.kept >= 3
    if last.suffix in (".json", ".xml", ".html"):
        assert report.tear is not None
        assert report.tear.place.strip()


@pytest.mark.parametrize(
    ("build", "where"),
    [
        (exports.telegram_json, '"text": "text 8"'),
        (exports.discord_json, '"content": "text 8"'),
        (exports.meta_json, '"content": "text 8"'),
        (exports.slack_export, '"text": "text 8"'),
        (exports.discord_package, '"Contents": "text 8"'),
        (exports.plain_jsonl, '"text": "text 8"'),
        (exports.plain_json, '"text": "text 8"'),
    ],
)
@pytest.mark.parametrize("half", [b"\\ud800", b"\\udc00 \\ud83d", b"\xed\xa0\x80", b"\\ud83d\\ud83d\\ude00"])
def test_halves_of_letters_are_stored_and_read_back(
    build: Build, where: str, half: bytes, tmp_path: Path, store: Store
) -> None:
    report = take(
        store, rewrite(build(tmp_path), lambda raw: raw.replace(where.encode(), where[:-1].encode() + half + b'"'))
    )
    assert (report.dropped, report.tear) == (0, None)
    (text,) = [one for one in texts(store) if one.startswith("text 8")]
    assert "\ufffd" in text
    assert text.encode("utf-8").decode("utf-8") == text


@pytest.mark.parametrize(
    "build", [exports.whatsapp_android, exports.signal_text, exports.plain_csv, exports.telegram_html]
)
def test_halves_of_letters_in_bytes_are_stored_and_read_back(build: Build, tmp_path: Path, store: Store) -> None:
    report = take(store, rewrite(build(tmp_path), lambda raw: raw.replace(b"text 8", b"text 8\xed\xa0\xbd")))
    assert (report.dropped, report.tear) == (0, None)
    (text,) = [one for one in texts(store) if one.startswith("text 8")]
    assert text != "text 8"
    assert text.encode("utf-8").decode("utf-8") == text


# Numbers and dates.


@pytest.mark.parametrize(
    ("build", "date", "stored"),
    [
        (exports.discord_json, '"timestamp": "2024-01-01T10:00:08.123+01:00"', '"timestamp": "{iso}"'),
        (exports.meta_json, f'"timestamp_ms": {exports.T0_S + 8}000', '"timestamp_ms": {ms}'),
        (exports.discord_package, '"Timestamp": "2024-01-01 10:00:08"', '"Timestamp": "{iso}"'),
        (exports.plain_jsonl, f'"time": {exports.T0_S + 8}', '"time": {ms}'),
        (exports.plain_json, f'"time": {exports.T0_S + 8}', '"time": "{iso}"'),
        (exports.plain_csv, f"{exports.T0_S + 8}", "{iso}"),
    ],
)
@pytest.mark.parametrize(
    ("ms", "iso", "kept"),
    [
        (-2_082_844_800_000, "1904-01-01T00:00:00Z", True),
        (9_223_286_400_000, "2262-04-11T00:00:00Z", True),
        (253_402_300_800_000, "10000-01-01T00:00:00Z", False),
        (10**18, "9999-12-31T23:59:59-23:00", False),
        (-(10**17), "0001-01-01T00:00:00+23:00", False),
        (10**30, "tomorrow", False),
    ],
)  # fmt: skip
def test_dates_far_away_are_kept_and_those_of_no_calendar_are_dropped_with_their_place(
    build: Build, date: str, stored: str, ms: int, iso: str, kept: bool, tmp_path: Path, store: Store
) -> None:
    new = stored.replace("{ms}", str(ms)).replace("{iso}", iso)
    report = take(store, rewrite(build(tmp_path), lambda raw: raw.replace(date.encode(), new.encode(), 1)))
    times = [row[0] for row in store.db.execute("SELECT time_ms FROM messages")]
    assert (ms in times, report.dropped) == (kept, 0 if kept else 1)
    if not kept:
        ((reason, place),) = store.db.execute("SELECT reason, place FROM drops").fetchall()
        assert reason in ("no date", "no readable date")
        assert place


def test_times_of_telegram_that_no_calendar_has_are_dropped(
    store: Store, telegram_chat: Write, telegram_row: Row
) -> None:
    odd: list[Any] = [253_402_300_800, 10**18, 10**40, "9" * 5000, -2_082_844_800, "²", "soon", 1.5, True]
    rows = [telegram_row(number) | {"date_unixtime": one} for number, one in enumerate(odd, 1)]
    report = take(store, telegram_chat([*rows, telegram_row(50, date_unixtime="9223286400")]))
    assert (report.kept, report.dropped) == (1, len(odd))
    assert store.db.execute("SELECT time_ms FROM messages").fetchall() == [(9_223_286_400_000,)]


def test_ids_beyond_64_bits_cost_their_record_and_negative_ones_nothing(
    store: Store, telegram_chat: Write, telegram_row: Row, tmp_path: Path
) -> None:
    ids = [2**63, -(2**63) - 1, 10**40, 2**63 - 1, -(2**63), -5, 0]
    rows = [telegram_row(number, at=at) | {"id": number} for at, number in enumerate(ids)]
    report = take(store, telegram_chat([*rows, telegram_row(8, reply_to_message_id=2**70)]))
    assert (report.kept, report.dropped) == (5, 3)
    places = store.db.execute("SELECT place FROM drops").fetchall()
    assert [place.partition(",")[0] for (place,) in places] == ["record 1", "record 2", "record 3"]
    plain = tmp_path / "plain.jsonl"
    lines = [
        {"time": exports.T0_S + at, "sender": "A", "text": "x", "id": n, "reply_to": n} for at, n in enumerate(ids)
    ]
    plain.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert (take(store, plain).kept, take(store, plain).added) == (7, 0)


@pytest.mark.parametrize(
    ("build", "name", "other"),
    [(exports.telegram_json, '"id": 7', '"id": 8'), (exports.signal_db, "m7", "m8"),
     (exports.discord_json, f'"id": "{10**18 + 7}"', f'"id": "{10**18 + 8}"'),
     (exports.slack_export, f"{exports.T0_S + 5}.000200", f"{exports.T0_S + 4}.000200"),
     (exports.whatsapp_ios_db, "S7", "S8"), (exports.whatsapp_android_db, "K7", "K8"),
     (exports.whatsapp_android_old_db, "K7", "K8"), (exports.imessage_db, "G7", "G8")],
)  # fmt: skip
def test_two_messages_with_one_id_are_one_and_stay_one(
    build: Build, name: str, other: str, tmp_path: Path, store: Store
) -> None:
    export = build(tmp_path)
    # The same length, so that databases stay whole.
    report = take(store, rewrite(export, lambda raw: raw.replace(name.encode(), other.encode())))
    assert report.error is None
    assert report.added == store.count() == report.kept - report.folded - 1
    assert take(store, export).added == 0


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
@pytest.mark.parametrize(
    ("build", "at"),
    [
        (exports.telegram_json, '"text": "text 8"'), (exports.telegram_json, '"about": "Here is the data"'),
        (exports.telegram_json, '"phone_number": "+447700900123"'), (exports.discord_json, '"content": "text 8"'),
        (exports.discord_json, '"name": "Direct Messages"'), (exports.meta_json, '"content": "text 8"'),
        (exports.slack_export, '"text": "text 8"'), (exports.plain_jsonl, '"text": "text 8"'),
        (exports.plain_json, '"text": "text 8"'), (exports.discord_package, '"Contents": "text 8"'),
        (exports.discord_package, '"name": "general"'), (exports.discord_package, '"username": "mia.moss"'),
    ],
)  # fmt: skip
def test_brackets_without_end(build: Build, at: str, deep: str, tmp_path: Path, store: Store) -> None:
    key = at.partition(":")[0]
    report = take(store, rewrite(build(tmp_path), lambda raw: raw.replace(at.encode(), f"{key}: {deep}".encode(), 1)))
    assert report.error is None
    if deep.endswith("]") and "text 8" in at:
        assert (report.dropped, report.tear) == (1, None)
        assert report.kept >= exports.COUNT - 1
    if deep.endswith("]") and build is exports.discord_json and "Direct Messages" in at:
        assert (report.kept, report.dropped, report.tear) == (exports.COUNT, 0, None)


# Files that are not what their name says.


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_file_is_named(name: str, tmp_path: Path, store: Store) -> None:
    (tmp_path / name).write_bytes(b"")
    line = refused(store, tmp_path / name)
    assert name in line
    assert "\n" not in line
    (tmp_path / "folder").mkdir()
    shutil.move(tmp_path / name, tmp_path / "folder" / name)
    exports.plain_jsonl(tmp_path / "folder")
    assert sum(report.kept for report in import_paths(store, [tmp_path / "folder"])) == exports.COUNT


@pytest.mark.parametrize("name", [name for name in NAMES if name != "x.zip"])
def test_a_folder_with_the_name_of_a_file_is_a_folder(name: str, tmp_path: Path, store: Store) -> None:
    (tmp_path / "all" / name).mkdir(parents=True)
    exports.plain_jsonl(tmp_path / "all" / name)
    assert take(store, tmp_path / "all").kept == exports.COUNT


@pytest.mark.parametrize("source", sorted(exports.EXPORTS))
@pytest.mark.parametrize(
    "raw", [b"", b"\0" * 5000, b"SQLite format 3\0" + b"\xff" * 200, b"<smses", b'{"messages":[{', b"x" * 70]
)
def test_what_is_no_export_at_all_says_so_whatever_it_is_read_as(
    source: str, raw: bytes, tmp_path: Path, store: Store
) -> None:
    suffix = {"plain": ".jsonl", "imazing-csv": ".csv", "slack-export": ""}.get(source, ".bin")
    path = tmp_path / f"thing{suffix}"
    path.write_bytes(raw)
    try:
        report = take(store, path, source=source)
    except UserError as error:
        assert path.name in str(error)  # noqa: PT017
        return
    assert (report.added, store.count()) == (0, 0)
    if report.error is not None:
        assert path.name in str(report.error)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_zeros_larger_than_memory_is_not_read(name: str, tmp_path: Path, store: Store) -> None:
    path = tmp_path / name
    with path.open("wb") as stream:
        stream.truncate(ZEROS)
    tracemalloc.start()
    assert name in refused(store, path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200 << 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("telegram-json", "result.json"), ("discord-json", "x.json"), ("meta-json", "message_1.json"),
        ("whatsapp-text", "_chat.txt"), ("sms-xml", "sms.xml"), ("telegram-html", "messages.html"), ("plain", "x.csv"),
    ],
)  # fmt: skip
def test_zeros_larger_than_memory_are_not_held_even_when_they_are_to_be_read(
    source: str, name: str, tmp_path: Path, store: Store
) -> None:
    path = tmp_path / name
    with path.open("wb") as stream:
        stream.truncate(ZEROS)
    tracemalloc.start()
    try:
        report = take(store, path, source=source)
        assert report.tear is not None or report.error is not None
    except UserError as error:
        assert name in str(error)  # noqa: PT017
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 600 << 20
    assert store.count() == 0


# Databases.


@pytest.mark.parametrize("build", DATABASES)
def test_a_locked_database_is_named(
    build: Build, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.export_databases._BUSY_S", 0.05)
    path = build(tmp_path)
    with closing(sqlite3.connect(path)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        report = take(store, path)
        assert f"{path} is locked by another program" in str(report.error)
    assert take(store, path).kept == exports.COUNT


@pytest.mark.parametrize("build", DATABASES)
def test_a_database_of_another_version_says_what_it_lacks(build: Build, tmp_path: Path, store: Store) -> None:
    path = build(tmp_path)
    table, _ = TABLES[build]
    with closing(sqlite3.connect(path)) as db:
        for _, column, *_ in db.execute(f"PRAGMA table_info({table})").fetchall():
            db.execute(f'ALTER TABLE {table} RENAME COLUMN "{column}" TO "other_{column}"')
        db.commit()
    report = take(store, path)
    assert store.count() == 0
    assert path.name in str(report.error) or report.dropped > 0


@pytest.mark.parametrize("build", DATABASES)
def test_a_database_in_an_archive_is_read_without_unpacking_it_elsewhere(
    build: Build, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No temporary folder there is: whoever wants one fails.
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    (tmp_path / "in").mkdir()
    archive = exports.zipped(build(tmp_path / "in"), tmp_path / "backup.zip")
    assert take(store, archive).kept == exports.COUNT
    assert not any((tmp_path / "data" / "cache").iterdir())


# Archives.


def archive_of(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in members.items():
            archive.writestr(name, raw)
    return path


CHAT = b"13/2/24, 10:00 - Alice: x\n13/2/24, 10:00 - Bob: y\n"


def test_names_that_lead_out_of_an_archive_are_told_and_lead_nowhere(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "WhatsApp Chat with Bob.zip"
    names = [
        "../../evil.txt",
        "/etc/evil.txt",
        "a/../../evil.txt",
        "C:\\evil.txt",
        "c:/evil.txt",
        "..\\evil.txt",
        "a//b.txt",
    ]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_chat.txt", CHAT)
        for name in names:
            archive.writestr(name, CHAT)
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    before = sorted(tmp_path.iterdir())
    report = take(store, path)
    assert (report.kept, report.error) == (2, None)
    note = report.notes[0]
    assert note.startswith(
        f"{path}: passed over as links or names that lead out of it: ../../evil.txt, /etc/evil.txt, "
    )
    assert note.endswith(" and 3 more.")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("build", EVERY)
def test_an_archive_in_an_archive_is_read_where_it_lies(
    build: Build, packing: int, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    (tmp_path / "in").mkdir()
    export = build(tmp_path / "in")
    inner = export if export.suffix == ".zip" else exports.zipped(export, tmp_path / f"{export.stem}.zip")
    outer = tmp_path / "my data.zip"
    with zipfile.ZipFile(outer, "w", packing) as archive:
        archive.write(inner, f"downloads/{inner.name}")
        archive.writestr("downloads/readme.txt", "hello")
    before = sorted(tmp_path.rglob("*"))
    report = take(store, outer)
    assert (report.kept, report.dropped, report.tear, report.error, report.notes) == (
        take(store, inner).kept, 0, None, None, report.notes,
    )  # fmt: skip
    assert not any("passed over" in note for note in report.notes)
    assert str(report.path).startswith(f"{outer}/downloads/{inner.name}")
    assert [one for one in sorted(tmp_path.rglob("*")) if "data" not in one.parts] == [
        one for one in before if "data" not in one.parts
    ]


def test_archives_two_deep_and_those_beside_a_chat_are_not_opened_and_that_is_told(
    tmp_path: Path, store: Store
) -> None:
    inner = archive_of(tmp_path / "inner.zip", **{"_chat.txt": CHAT}).read_bytes()
    middle = archive_of(tmp_path / "middle.zip", **{"b/inner.zip": inner}).read_bytes()
    line = refused(store, archive_of(tmp_path / "outer.zip", **{"a/middle.zip": middle}))
    assert "outer.zip: passed over as archives in an archive: a/middle.zip/b/inner.zip." in line


@pytest.mark.parametrize(
    ("chat", "sent"),
    [("_chat.txt", "00000007-inner.zip"), ("b/WhatsApp-Chat mit Bob.txt", "b/inner.zip"),
     ("b/result.json", "b/files/inner.zip"), ("chat.md", "media/inner.zip")],
)  # fmt: skip
def test_an_archive_that_was_sent_in_a_chat_is_not_opened_and_that_is_told(
    chat: str, sent: str, tmp_path: Path, store: Store
) -> None:
    # The chats in it are somebody else's.
    inner = archive_of(tmp_path / "inner.zip", **{"_chat.txt": CHAT}).read_bytes()
    (tmp_path / "in").mkdir()
    text = {"result.json": exports.telegram_json, "chat.md": exports.signal_text}.get(chat.rpartition("/")[2])
    raw = CHAT if text is None else exports.files_of(text(tmp_path / "in"))[0].read_bytes()
    both = archive_of(tmp_path / "both.zip", **{sent: inner, chat: raw})
    (report,) = import_paths(store, [both], reading=Reading(timezone="UTC"))
    assert report.kept == (2 if text is None else exports.COUNT)
    assert f"{both}: passed over as archives in an archive: {sent}." in report.notes


@pytest.mark.slow
def test_a_large_archive_in_an_archive_is_read_here_and_there_at_flat_memory(tmp_path: Path, store: Store) -> None:
    inner = tmp_path / "inner.zip"
    noise = os.urandom(1 << 20)
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_STORED) as archive:
        for number in range(120):
            archive.writestr(f"media/{number}.jpg", noise[number:])
            if number in (3, 60, 119):
                archive.writestr(f"{number}/_chat.txt", CHAT.replace(b"Alice", b"Alice %d" % number))
    outer = tmp_path / "outer.zip"
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(inner, "inner.zip")
    tracemalloc.start()
    reports = import_paths(store, [outer], reading=Reading(timezone="UTC"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(report.kept, report.tear) for report in reports] == [(2, None)] * 3
    assert peak < 40 << 20


def test_a_damaged_archive_in_an_archive_costs_itself_alone(tmp_path: Path, store: Store) -> None:
    inner = archive_of(tmp_path / "inner.zip", **{"_chat.txt": CHAT}).read_bytes()
    broken = {"cut.zip": inner[:-30], "empty.zip": b"", "none.zip": b"no archive"}
    outer = archive_of(tmp_path / "outer.zip", **{"a/inner.zip": inner, **broken})
    report = take(store, outer)
    assert (report.kept, report.error) == (2, None)
    assert f"{outer}: passed over as broken archives: cut.zip, empty.zip, none.zip." in report.notes


def test_a_bomb_in_an_archive_in_an_archive_is_named_and_not_unpacked(tmp_path: Path, store: Store) -> None:
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(5):
            # Each is small enough alone.
            with archive.open(f"{number}/_chat.txt", "w") as stream:
                stream.write(CHAT)
                for _ in range(60):
                    stream.write(b"\n" * (1 << 20))
    outer = archive_of(tmp_path / "outer.zip", **{"bomb.zip": inner.read_bytes(), "good/_chat.txt": CHAT})
    report = take(store, outer)
    assert report.kept == 2
    assert f"{outer}: passed over as claiming to unpack to far more than they hold: bomb.zip." in report.notes


def test_an_archive_that_can_only_be_read_from_its_beginning_is_named(tmp_path: Path, store: Store) -> None:
    inner = archive_of(tmp_path / "inner.zip", **{"_chat.txt": CHAT})
    with zipfile.ZipFile(tmp_path / "outer.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.write(inner, "inner.zip")
    assert "can only be read from the beginning: inner.zip." in refused(store, tmp_path / "outer.zip")


def test_a_bomb_is_named_and_not_unpacked(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("a/_chat.txt", "w", force_zip64=True) as stream:
            stream.write(CHAT)
            for _ in range(300):
                stream.write(b"\n" * (1 << 20))
        archive.writestr("b/_chat.txt", CHAT)
    # Deflate shrinks a thousand times at most; whatever makes more of it is taken for a bomb too.
    tracemalloc.start()
    report = take(store, path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.kept == 2
    assert any("claiming to unpack to far more than they hold: a/_chat.txt" in note for note in report.notes)
    assert peak < 100 << 20


def locked(path: Path, name: bytes) -> Path:
    """Set the bit that says a member needs a password, in both of its headers."""
    raw = bytearray(path.read_bytes())
    for mark, flags, title in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
        at = -1
        while (at := raw.find(mark, at + 1)) >= 0:
            if raw[at + title : at + title + len(name)] == name:
                raw[at + flags] |= 1
    path.write_bytes(raw)
    return path


def test_an_archive_with_a_password_says_so(tmp_path: Path, store: Store) -> None:
    path = locked(archive_of(tmp_path / "WhatsApp Chat with Bob.zip", **{"_chat.txt": CHAT}), b"_chat.txt")
    try:
        line = str(take(store, path).error)
    except UserError as error:
        line = str(error)
    assert path.name in line
    assert "password" in line


@pytest.mark.parametrize("spoil", [lambda path: locked(path, b"facebook/messages/inbox/eve_6"), None])
def test_one_bad_file_of_many_costs_itself_alone(
    spoil: Callable[[Path], Path] | None, tmp_path: Path, store: Store
) -> None:
    path = exports.zipped(exports.meta_json(tmp_path), tmp_path / "facebook-mia.zip")
    if spoil is None:
        with zipfile.ZipFile(path) as archive:
            start = archive.getinfo("facebook/messages/inbox/eve_6/message_1.json").header_offset
        raw = bytearray(path.read_bytes())
        raw[start + 90 : start + 110] = b"\xff" * 20
        path.write_bytes(raw)
    else:
        spoil(path)
    report = take(store, path)
    assert report.kept == exports.COUNT
    assert report.tear is not None
    assert "eve_6/message_1.json" in f"{report.tear.place} {report.tear.detail}"


@pytest.mark.parametrize("build", [exports.slack_export, exports.telegram_html, exports.meta_json])
def test_places_name_the_file_among_several(build: Build, tmp_path: Path, store: Store) -> None:
    export = build(tmp_path)
    for path in exports.files_of(export):
        raw = path.read_bytes()
        if b"text" in raw:
            path.write_bytes(raw.replace(b"text 8", b"").replace(b"</html>", b""))
    take(store, export)
    places = [row[0] for row in store.db.execute("SELECT place FROM drops WHERE reason = 'nothing in it'")]
    assert len(places) == 1
    assert any(path.name in places[0] for path in exports.files_of(export))


# Folders.


def test_links_in_a_folder_are_not_followed_and_that_is_told(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "all"
    (folder / "sub").mkdir(parents=True)
    exports.plain_jsonl(folder)
    (tmp_path / "else").mkdir()
    exports.telegram_json(tmp_path / "else")
    (folder / "sub" / "result.json").symlink_to(tmp_path / "else" / "result.json")
    (folder / "away").symlink_to(tmp_path / "else")
    (folder / "round").symlink_to(folder)
    (folder / "gone").symlink_to(tmp_path / "nothing")
    reports = import_paths(store, [folder])
    assert [report.source for report in reports] == ["plain"]
    assert reports[0].notes == [f"{folder}: passed over as links: away, gone, round, sub/result.json."]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "x.jsonl"])
def test_pipes_and_sockets_are_not_waited_for(name: str, tmp_path: Path, store: Store) -> None:
    for folder in ("a", "facebook/messages/inbox/zoë_77", "general"):
        (tmp_path / "all" / folder).mkdir(parents=True)
        os.mkfifo(tmp_path / "all" / folder / name)
    with socket.socket(socket.AF_UNIX) as one, pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path / "all")  # the names of sockets are short
        one.bind("socket.json")
        exports.plain_jsonl(tmp_path / "all")
        report = take(store, tmp_path / "all")
    assert report.kept == exports.COUNT
    assert report.notes[0].startswith(f"{tmp_path / 'all'}: passed over as no files: ")
    assert "socket.json" in report.notes[0]
    assert name in refused(store, tmp_path / "all" / "a" / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_what_may_not_be_read_is_told(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "all"
    (folder / "closed").mkdir(parents=True)
    exports.plain_jsonl(folder)
    shut = exports.plain_csv(folder)
    shut.chmod(0)
    (folder / "closed").chmod(0)
    try:
        assert "Permission denied" in refused(store, shut)
        report = take(store, folder)
        assert report.kept == exports.COUNT
        assert report.notes == [f"{folder}: passed over as not readable: boat club.csv, closed."]
    finally:
        (folder / "closed").chmod(0o700)


def test_a_broken_archive_beside_exports_is_told(tmp_path: Path, store: Store) -> None:
    exports.plain_jsonl(tmp_path)
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 cut short")
    report = take(store, tmp_path)
    assert report.kept == exports.COUNT
    assert f"{tmp_path}: passed over as broken archives: broken.zip." in report.notes
