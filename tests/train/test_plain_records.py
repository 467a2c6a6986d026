"""Greenroom's plain format: JSONL, JSON lists and CSV."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persona.errors import UserError
from train.importing import import_paths
from train.messages import Chat, ChatKind, Drop, Kind, Message, Reading, Record
from train.sources.plain_records import SOURCE
from train.store import Store

Read = Callable[..., list[Record]]


def kept(records: list[Record]) -> list[Message]:
    return [one for one in records if isinstance(one, Message)]


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in rows), "utf-8")
    return path


def test_a_time_a_sender_and_a_text_are_enough(tmp_path: Path, read: Read) -> None:
    row = {"time": "2024-01-01T10:00:00+02:00", "sender": "Zoë", "text": "hi"}
    records = read(jsonl(tmp_path / "boat club.jsonl", row), "plain", owner="zoë")
    (message,) = kept(records)
    assert (message.sender_name, message.text, message.time_ms, message.offset_min, message.is_owner) == (
        "Zoë", "hi", 1704096000000, 120, True,
    )  # fmt: skip
    assert Chat("plain", "boat club", "boat club", ChatKind.PERSONAL) in records


@pytest.mark.parametrize(
    "time", ["1704096000", 1704096000, 1704096000000, 1704096000.0, "2024-01-01T08:00:00Z", "2024-01-01 09:00"]
)
def test_times_of_several_kinds(tmp_path: Path, read: Read, time: Any) -> None:
    path = jsonl(tmp_path / "x.jsonl", {"Timestamp": time, "From": "A", "Body": "b"})
    assert kept(read(path, timezone="Europe/Berlin"))[0].time_ms == 1704096000000


def test_all_columns(tmp_path: Path, read: Read) -> None:
    row = {"time": 1704096000, "sender": "A", "sender_id": "a1", "text": "t", "chat": "Boat", "chat_kind": "group", "id": 7,
           "platform": "Matrix", "kind": "photo", "reply_to": 5, "is_from_me": "yes", "edited": 1704096060,
           "forwarded_from": "B", "reactions": ["👍", "👍"], "mentions": "a2, a3"}  # fmt: skip
    records = read(jsonl(tmp_path / "x.jsonl", row))
    (m,) = kept(records)
    assert (m.platform, m.chat_id, m.id, m.kind, m.reply_to, m.is_owner) == ("matrix", "boat", 7, Kind.PHOTO, 5, True)
    assert (m.edited_ms, m.forwarded_from, m.reactions, m.mentions) == (1704096060000, "B", '[["👍",2]]', '["a2","a3"]')
    assert Chat("matrix", "boat", "Boat", ChatKind.GROUP) in records


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_csv_of_any_dialect_and_encoding(tmp_path: Path, read: Read, delimiter: str, encoding: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerows([["Date", "Author", "Message"], ["2024-01-01T08:00:00Z", "Zoë", 'two\nlines; "quoted", \t']])
    path = tmp_path / "x.csv"
    path.write_bytes(out.getvalue().encode(encoding))
    (message,) = kept(read(path, "plain"))
    assert (message.sender_name, message.text) == ("Zoë", 'two\nlines; "quoted", \t')


def test_a_json_list_is_read_too(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([{"time": 1704096000 + n, "sender": "A", "text": str(n)} for n in range(3)], indent=2))
    assert [m.text for m in kept(read(path, "plain"))] == ["0", "1", "2"]


def test_a_missing_column_is_named_and_training_data_is_refused(tmp_path: Path, store: Store) -> None:
    path = jsonl(tmp_path / "x.jsonl", {"time": 1, "text": "x"})
    (report,) = import_paths(store, [path], source="plain")
    assert "line 1: there is no column for sender; it has time, text" in str(report.error)
    training = jsonl(tmp_path / "y.jsonl", {"conversations": [{"from": "A", "value": "x"}]})
    with pytest.raises(UserError, match="training data"):
        list(SOURCE.read(training, Reading()))
    assert SOURCE.detect(training) == 0


def test_odd_rows_cost_themselves_alone(tmp_path: Path, read: Read) -> None:
    good = {"time": 1704096000, "sender": "A", "text": "good"}
    odd = [good | {key: value} for key in good for value in (None, 3, [1], {"a": 1}, True)]
    records = read(jsonl(tmp_path / "x.jsonl", good, "not json", "5", "[1]", "{}", *odd, "\0", good))
    assert sum(isinstance(one, Message | Drop) for one in records) == 6 + len(odd) + 1
    assert kept(records)[-1].text == "good"


def test_importing_again_doubles_nothing_and_three_people_are_a_group(tmp_path: Path, store: Store) -> None:
    rows = [{"time": 1704096000, "sender": who, "text": "same"} for who in "ABCA"]
    path = jsonl(tmp_path / "x.jsonl", *rows)
    first, again = import_paths(store, [path])[0], import_paths(store, [path])[0]
    assert (first.added, again.added, again.kept) == (4, 0, 4)
    assert store.db.execute("SELECT kind FROM chats").fetchall() == [("group",)]


quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1).map(lambda t: f"w{t}w")


@quick
@given(st.lists(st.tuples(st.sampled_from(["Mia", "Zoë 😺"]), texts, st.integers(0, 10**9)), min_size=1), st.booleans())
def test_any_chat_comes_back(tmp_path: Path, rows: list[tuple[str, str, int]], as_csv: bool) -> None:
    start = datetime(1990, 1, 1, tzinfo=UTC)
    moments = [(who, text, start + timedelta(seconds=second)) for who, text, second in rows]
    path = tmp_path / ("x.csv" if as_csv else "x.jsonl")
    if as_csv:
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(
                [["time", "sender", "text"], *((t.isoformat(), who, text) for who, text, t in moments)]
            )
    else:
        jsonl(path, *({"time": t.isoformat(), "sender": who, "text": text} for who, text, t in moments))
    found = kept(list(SOURCE.read(path, Reading())))
    assert [(m.sender_name, m.text, m.time_ms) for m in found] == [(w, x, t.timestamp() * 1000) for w, x, t in moments]
