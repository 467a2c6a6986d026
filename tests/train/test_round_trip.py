"""Random chats, written as each format writes them, read back equal."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from train.messages import Message, Reading, one_by_one
from train.sources import source_named

START = datetime(2024, 3, 1, tzinfo=UTC)
NAMES = ("Alice", "Bob Lee", "Zoë 😭", "+49 170 1234567")

# No line of a message may look like a header or a placeholder; all else is anyone's to write.
lines = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="[<>.\u200e\u200f\ufeff\u2066\u2067\u2068\u2069"),
    max_size=30,
).map(lambda line: f"w{line}w")
texts = st.lists(lines, min_size=1, max_size=3).map("\n".join)
chats = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 400_000), texts), min_size=13, max_size=40)
quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

Chat = list[tuple[str, datetime, str]]


def over_time(rows: list[tuple[str, int, str]]) -> Chat:
    """Messages with times that only go on, over more than twelve days of a month."""
    now, chat = START, []
    for who, step, text in rows:
        now += timedelta(seconds=step)
        chat.append((who, now, text))
    return [*chat, (NAMES[0], max(now, START + timedelta(days=15)), "wlastw")]


def read_back(path: Path, source: str) -> Chat:
    found = one_by_one(source_named(source).read(path, Reading(timezone="UTC")))
    return [
        (m.sender_name or "", datetime.fromtimestamp(m.time_ms / 1000, UTC), m.text)
        for m in found
        if isinstance(m, Message)
    ]


@quick
@given(rows=chats, indent=st.sampled_from([None, 1, 2]), ascii_only=st.booleans())
def test_telegram_json(tmp_path: Path, rows: list[Any], indent: int | None, ascii_only: bool) -> None:
    chat = over_time(rows)
    messages = [
        {
            "id": number,
            "type": "message",
            "date_unixtime": str(int(when.timestamp())),
            "from": who,
            "from_id": f"user{NAMES.index(who) + 1}",
            "text": text if number % 2 else [text[:2], {"type": "bold", "text": text[2:]}],
        }
        for number, (who, when, text) in enumerate(chat)
    ]
    path = tmp_path / "result.json"
    export = {"name": "Club", "type": "private_group", "id": 1, "messages": messages}
    path.write_text(json.dumps(export, indent=indent, ensure_ascii=ascii_only), "utf-8")
    assert read_back(path, "telegram-json") == chat


def twelve(when: datetime, space: str = "\u202f") -> str:
    return f"{when.hour % 12 or 12}:{when:%M}{space}{'PM' if when.hour >= 12 else 'AM'}"


LAYOUTS: dict[str, tuple[int, Callable[[datetime], str]]] = {
    "android day first": (60, lambda t: f"{t:%d/%m/%Y, %H:%M} - "),
    "android month first": (60, lambda t: f"{t.month}/{t.day}/{t:%y}, {twelve(t)} - "),
    "android year first": (60, lambda t: f"{t:%Y-%m-%d, %H:%M} - "),
    "android dots": (60, lambda t: f"{t:%d.%m.%y, %H:%M} - "),
    "android chinese": (
        60,
        lambda t: f"{t.year}/{t.month}/{t.day} {'下午' if t.hour >= 12 else '上午'}{t.hour % 12 or 12}:{t:%M} - ",
    ),
    "ios day first": (1, lambda t: f"[{t:%d.%m.%y, %H:%M:%S}] "),
    "ios month first": (
        1,
        lambda t: f"[{t.month}/{t.day}/{t:%y}, {t.hour % 12 or 12}:{t:%M:%S}\u202f{t:%p}] ",
    ),
    "ios two-digit year first": (1, lambda t: f"[{t:%y/%m/%d, %H:%M:%S}] "),
    "ios korean": (
        1,
        lambda t: f"[{t.year}. {t.month}. {t.day}. {'오후' if t.hour > 11 else '오전'} {t.hour % 12 or 12}:{t:%M:%S}] ",
    ),
}


@pytest.mark.slow
@quick
@given(rows=chats)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_whatsapp_text(tmp_path: Path, layout: str, rows: list[Any]) -> None:
    seconds, header = LAYOUTS[layout]
    chat = [(who, when - timedelta(seconds=when.second % seconds), text) for who, when, text in over_time(rows)]
    path = tmp_path / "_chat.txt"
    path.write_bytes("".join(f"{header(when)}{who}: {text}\n" for who, when, text in chat).encode())
    assert read_back(path, "whatsapp-text") == chat
