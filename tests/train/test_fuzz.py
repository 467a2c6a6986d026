"""Every format against exports that were spoilt at random: whatever is in a file, an import ends well.

Each case is a number: it chooses a format, an export of it and what is done to that. The numbers are tried in order
until the time is over, `GREENROOM_FUZZ_SECONDS` (60) in all, so a run repeats the one before and gets as far as the
machine lets it. A failure names its case; `GREENROOM_FUZZ_CASE=123` tries that one alone.
"""

import csv
import io
import json
import os
import random
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from persona.errors import UserError
from tests.train.exports import EXPORTS, files_of, zipped
from train.importing import Report, import_paths
from train.messages import Reading
from train.sources import sources
from train.store import Store, open_store

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("GREENROOM_FUZZ_SECONDS", "60"))
SHORT = min(5.0, SECONDS)

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53, 2**63, -(2**63) - 1, 2**70, 10**30, -5, 1.5, -0.0, 1e300, 253402300800,
    253402300800000, 9214646400000, -2082844800, "", " ", "\0", "x" * 5000, "\ud800", "\u202e", "9" * 30, "9" * 5000,
    "1.5", "NaN", "1e9", "²", "٣", "-1", "true", "null", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00",
    "2024-13-45T99:99:99", "1904-01-01T00:00:00Z", "../../x", "[]", [], [[]], [None], [1, "a", {}], {}, {"": None},
    {"id": {}, "text": [], "name": 5},
)  # fmt: skip
ODD_BYTES = (
    b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xff\xfe", b"\xef\xbb\xbf", b"\\", b"\\x1b", b"\\ud800", b'"', b"'", b"{",
    b"}", b"[", b"]", b"<", b">", b"&", b"&#0;", b"&#55357;", b"&x;", b"]]>", b"<!--", b",", b";", b":", b"\r", b"\n",
    b"\t", b"\x1a", b"\xe2\x80\xa8", b"\xe2\x80\x8e", b"9" * 40, b"-", b"1e999", b"NaN", b"null", b"((" * 50, b"[" * 3000,
    b"\xf0\x9f\x98", b"=", b"%s", b"PK\x03\x04", b"\0" * 600,
)  # fmt: skip


class Writes:
    """Notes every file that Python opens for writing, so that none of them lies outside the private folder."""

    def __init__(self) -> None:
        self.inside: Path | None = None
        self.found: list[str] = []

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if self.inside is None or event not in ("open", "os.mkdir", "os.rename", "os.symlink", "sqlite3.connect"):
            return
        if event == "open" and not (isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            return
        path = str(given[0])
        if event == "sqlite3.connect" and path.endswith(("?mode=ro", "?immutable=1")):
            return
        # A name without a folder is a step within one that was opened before, as shutil.rmtree takes them.
        if "/" in path and str(self.inside) not in path:
            self.found.append(f"{event} {path}")

    @contextmanager
    def only_in(self, folder: Path) -> Iterator[None]:
        self.inside, self.found = folder, []
        try:
            yield
        finally:
            self.inside = None
        assert not self.found, f"written outside the data folder: {self.found[:3]}"


writes = Writes()


@pytest.fixture(scope="module", autouse=True)
def _watch() -> None:
    # An audit hook stays for as long as the process does; between cases it does nothing.
    sys.addaudithook(writes)


@pytest.fixture
def empty_store(tmp_path: Path) -> Path:
    with open_store(tmp_path / "template"):
        pass
    return tmp_path / "template" / "messages.db"


def test_every_format_is_here() -> None:
    assert set(EXPORTS) == set(sources()), "a new format needs an export in tests/train/exports.py"


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_the_exports_are_valid_until_they_are_spoilt(name: str, tmp_path: Path, empty_store: Path) -> None:
    for number, build in enumerate(EXPORTS[name]):
        folder = tmp_path / str(number)
        (folder / "in").mkdir(parents=True)
        report = _imported(build(folder / "in"), folder / "data", empty_store, name)[0]
        assert (report.source, report.dropped, report.tear, report.error) == (name, 0, None, None)
        assert report.added >= 11


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("start", "seconds"), [(0, SHORT), pytest.param(1_000_000, SECONDS - SHORT, marks=pytest.mark.slow)]
)
def test_no_file_is_too_broken(start: int, seconds: float, tmp_path: Path, empty_store: Path) -> None:
    chosen = os.environ.get("GREENROOM_FUZZ_CASE")
    end = time.monotonic() + seconds
    number = int(chosen or start)
    while time.monotonic() < end:
        folder = tmp_path / str(number)
        try:
            _try(number, folder, empty_store)
        except BaseException as error:
            error.add_note(f"GREENROOM_FUZZ_CASE={number} tries it again; the export is in {folder / 'in'}")
            raise
        shutil.rmtree(folder)
        if chosen:
            return
        number += 1
    assert number > start or not seconds


def _try(number: int, folder: Path, empty_store: Path) -> None:
    rng = random.Random(number)
    name = rng.choice(sorted(EXPORTS))
    (folder / "in").mkdir(parents=True)
    export = rng.choice(EXPORTS[name])(folder / "in")
    for _ in range(rng.choice((1, 1, 2, 5))):
        _spoil(rng.choice(files_of(export)), rng)
    if rng.random() < 0.15 and export.suffix != ".zip":
        archive = zipped(export, folder / "in" / "export.zip")
        shutil.rmtree(export) if export.is_dir() else export.unlink()
        export = archive
        if rng.random() < 0.5:
            _spoil(export, rng)
        if rng.random() < 0.4:
            export = zipped(archive, folder / "in" / "outer.zip")
            archive.unlink()
            if rng.random() < 0.3:
                _spoil(export, rng)
    for source in sources().values():
        assert 0 <= source.detect(export) <= 1
    before = _look(folder / "in")
    first = _imported(export, folder / "data", empty_store, name)
    assert _look(folder / "in") == before, "the export, or what lies beside it, was changed"
    again = _imported(export, folder / "data", None, name)
    assert [report.added for report in again] == [0] * len(again), "the same file again adds messages"
    assert [(r.kept, r.dropped) for r in again] == [(r.kept, r.dropped) for r in first]


def _look(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def _imported(export: Path, data: Path, empty_store: Path | None, name: str) -> list[Report]:
    """Import an export, as `name` where nothing recognises it any more, and look whether the store is right."""
    if empty_store is not None:
        data.mkdir(mode=0o700)
        shutil.copyfile(empty_store, data / "messages.db")
    reading = Reading(timezone="Europe/Berlin", owner="Mia")
    with writes.only_in(data), open_store(data) as store:
        try:
            reports = import_paths(store, [export], reading=reading)
        except UserError:
            try:
                reports = import_paths(store, [export], reading=reading, source=name)
            except UserError:
                return []
        _check(store, reports, new=empty_store is not None)
        return reports


def _check(store: Store, reports: list[Report], new: bool) -> None:
    columns = "SELECT id, kept, folded, dropped, added, updated, status, tear FROM imports ORDER BY id DESC LIMIT ?"
    ledger = store.db.execute(columns, [len(reports)]).fetchall()[::-1]
    for report, (number, *counts, status, tear) in zip(reports, ledger, strict=True):
        drops = store.db.execute("SELECT reason, place FROM drops WHERE import_id = ?", [number]).fetchall()
        assert all(reason.strip() and place.strip() for reason, place in drops), drops
        if report.error is not None:
            assert report.path.name in str(report.error), report.error
        assert counts == [report.kept, report.folded, report.dropped, report.added, report.updated]
        assert (status, bool(tear)) == (("torn", True) if report.tear or report.error else ("whole", False))
        assert report.tear is None or (report.tear.place.strip() and report.tear.detail.strip())
        assert report.dropped == len(drops)
    odd = "typeof(time_ms) != 'integer' OR typeof(text) != 'text' OR typeof(message) NOT IN ('integer', 'text')"
    assert store.db.execute(f"SELECT * FROM messages WHERE {odd}").fetchall() == []
    for row in store.db.execute("SELECT * FROM messages"):
        assert all(isinstance(value, str | int | None) for value in row)
    if new:
        assert store.count() == sum(report.added for report in reports)


def _spoil(path: Path, rng: random.Random) -> None:
    """Break something in a file: in what it means where it can be read, or in its bytes."""
    ways: list[Callable[[Path, random.Random], None]] = [_spoil_bytes]
    match path.suffix:
        case ".json" | ".jsonl":
            ways += [_spoil_json] * 4
        case ".sqlite" | ".db":
            ways += [_spoil_database] * 4
        case ".csv":
            ways += [_spoil_table] * 2
        case _:
            ways += [_spoil_lines]
    if path.suffix in (".json", ".jsonl", ".txt", ".md", ".xml", ".html", ".csv") and rng.random() < 0.05:
        ways = [_recode]
    rng.choice(ways)(path, rng)


def _spoil_bytes(path: Path, rng: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    at = rng.randrange(len(raw) + 1)
    end = min(len(raw), at + rng.choice((1, 4, 40, 400)))
    match rng.choice(("flip", "cut", "delete", "double", "insert", "insert", "replace", "swap", "empty")):
        case "flip":
            for _ in range(rng.choice((1, 3, 30))):
                if raw:
                    raw[rng.randrange(len(raw))] = rng.randrange(256)
        case "cut":
            del raw[at:]
        case "delete":
            del raw[at:end]
        case "double":
            raw[at:at] = raw[at:end] * rng.choice((1, 2, 20))
        case "insert":
            raw[at:at] = rng.choice(ODD_BYTES)
        case "replace":
            raw[at:end] = rng.choice(ODD_BYTES)
        case "swap":
            other = rng.randrange(len(raw) + 1)
            raw[at:end], raw[other : other + 40] = raw[other : other + 40], raw[at:end]
        case "empty" if rng.random() < 0.1:
            raw.clear()
    path.write_bytes(raw)


def _recode(path: Path, rng: random.Random) -> None:
    text = path.read_bytes().decode("utf-8", "replace")
    encoding = rng.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "latin-1", "cp1252", "utf-32", "utf-7"))
    path.write_bytes(text.encode(encoding, "replace"))


def _spoil_lines(path: Path, rng: random.Random) -> None:
    lines = path.read_bytes().splitlines(keepends=True) or [b""]
    at = rng.randrange(len(lines))
    match rng.choice(("delete", "double", "move", "digits", "digits", "end")):
        case "delete":
            del lines[at]
        case "double":
            lines[at:at] = [lines[at]] * rng.choice((1, 3))
        case "move":
            lines.insert(rng.randrange(len(lines)), lines.pop(at))
        case "digits":
            for number, line in enumerate(lines[at : at + 3], at):
                digits = [n for n, byte in enumerate(line) if byte in b"0123456789"]
                if digits:
                    where = rng.choice(digits)
                    odd = rng.choice((b"9", b"0", b"99999999", b"-1", b"", b"\xd9\xa3", b"9" * 40))
                    lines[number] = line[:where] + odd + line[where + 1 :]
        case "end":
            lines[at] = lines[at].rstrip() + rng.choice((b"\r", b"\r\r\n", b"", b"\0\n"))
    path.write_bytes(b"".join(lines))


def _spoil_json(path: Path, rng: random.Random) -> None:
    raw = path.read_bytes()
    try:
        if path.suffix == ".jsonl":
            value: Any = [json.loads(line) for line in raw.splitlines() if line.strip()]
        else:
            value = json.loads(raw)
    except (ValueError, UnicodeDecodeError, RecursionError):
        return _spoil_bytes(path, rng)
    places = list(_places(value))
    if not places:
        return _spoil_bytes(path, rng)
    around, key = rng.choice(places)
    match rng.choice(("odd", "odd", "odd", "delete", "double", "other")):
        case "odd":
            around[key] = rng.choice(ODD_VALUES)
        case "delete":
            del around[key]
        case "double" if isinstance(around, list):
            around[key:key] = [around[key]] * rng.choice((1, 5))
        case _:
            there, at = rng.choice(places)
            around[key] = json.loads(json.dumps(there[at])) if at in there or isinstance(there, list) else None
    indent = rng.choice((None, 1, 2))
    text = (
        "\n".join(json.dumps(one) for one in value)
        if path.suffix == ".jsonl" and isinstance(value, list)
        else json.dumps(value, indent=indent, ensure_ascii=rng.random() < 0.5)
    )
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return None


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a JSON value: what is around it, and its key there."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def _spoil_table(path: Path, rng: random.Random) -> None:
    try:
        rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8").replace("\0", ""))))
    except (UnicodeDecodeError, csv.Error):
        rows = []
    if not rows or not all(rows):
        return _spoil_bytes(path, rng)
    row = rng.choice(rows)
    match rng.choice(("odd", "odd", "delete", "more", "less", "dialect")):
        case "odd":
            row[rng.randrange(len(row))] = str(rng.choice(ODD_VALUES)).replace("\ud800", "?")
        case "delete":
            rows.remove(row)
        case "more":
            row += ["x"] * rng.choice((1, 50))
        case "less":
            del row[rng.randrange(len(row)) :]
    out = io.StringIO()
    csv.writer(out, delimiter=rng.choice(",,,;\t|"), quoting=rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))).writerows(
        rows
    )
    path.write_bytes(out.getvalue().encode("utf-8"))
    return None


def _spoil_database(path: Path, rng: random.Random) -> None:
    try:
        with closing(sqlite3.connect(path)) as db:
            tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
            table = rng.choice(tables)
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            column = rng.choice(columns)
            some = rng.choice(("1", "rowid = (SELECT max(rowid) FROM {t})", "rowid % 3 = 0", "rowid < 4")).format(
                t=table
            )
            match rng.choice(("set", "set", "set", "set", "swap", "delete", "double", "column", "table", "wal")):
                case "set":
                    odd = rng.choice((None, b"", b"\xff\x00\xfe", b"x" * 9000, *ODD_VALUES))
                    odd = json.dumps(odd) if isinstance(odd, list | dict) else odd
                    if isinstance(odd, int) and abs(odd) >= 2**63:
                        odd = float(odd)
                    odd = odd.encode("utf-8", "surrogatepass") if odd == "\ud800" else odd
                    value = "CAST(? AS TEXT)" if isinstance(odd, bytes) and rng.random() < 0.5 else "?"
                    db.execute(f"UPDATE OR REPLACE {table} SET {column} = {value} WHERE {some}", [odd])
                case "swap":
                    db.execute(f"UPDATE OR REPLACE {table} SET {column} = {rng.choice(columns)} WHERE {some}")
                case "delete":
                    db.execute(f"DELETE FROM {table} WHERE {some}")
                case "double":
                    db.execute(f"CREATE TABLE again AS SELECT * FROM {table} UNION ALL SELECT * FROM {table}")
                    db.execute(f"DROP TABLE {table}")
                    db.execute(f"ALTER TABLE again RENAME TO {table}")
                case "column":
                    db.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO other")
                case "table":
                    db.execute(f"DROP TABLE {table}")
                case "wal":
                    db.execute("PRAGMA journal_mode = WAL")
            db.commit()
    except (sqlite3.Error, IndexError, UnicodeDecodeError):
        _spoil_bytes(path, rng)
