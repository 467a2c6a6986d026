"""Where sessions end, and what a turn holds."""

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.train.stored import sessions_of
from train.importing import import_paths
from train.local_time import utc_ms
from train.messages import Kind, Reading
from train.sessions import Said, Session, as_said, split_sessions
from train.store import Store

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]


def said(*whens: tuple[str, int, str]) -> list[Said]:
    return [
        Said(round(datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp() * 1000), n, person, text)
        for n, (when, person, text) in enumerate(whens)
    ]


def turns(session: Session) -> list[tuple[int, list[str]]]:
    return [(turn.person, turn.messages) for turn in session.turns]


def sizes(*whens: str) -> list[int]:
    return [session.messages for session in split_sessions(1, said(*((when, 1, "x") for when in whens)))]


def test_midnight_does_not_end_a_session() -> None:
    assert sizes("2024-01-31T23:58:00", "2024-02-01T00:04:00") == [2]


def test_eight_days_and_five_minutes_are_not_five_minutes() -> None:
    assert sizes("2024-01-01T10:00:00", "2024-01-09T10:05:00") == [1, 1]


def test_a_gap_of_exactly_ten_minutes_is_not_longer_than_ten_minutes() -> None:
    assert sizes("2024-01-01T10:00:00", "2024-01-01T10:10:00") == [2]
    assert sizes("2024-01-01T10:00:00", "2024-01-01T10:10:01") == [1, 1]


def test_the_clock_of_autumn_neither_ends_a_session_nor_bridges_one(store: Store, whatsapp: Write) -> None:
    path = whatsapp(
        "27.10.2024, 02:55 - A: x",
        "27.10.2024, 02:58 - B: x",
        "27.10.2024, 02:02 - A: x",
        "27.10.2024, 03:01 - B: x",
    )
    import_paths(store, [path], reading=Reading(timezone="Europe/Berlin"))
    ((first, second),) = list(sessions_of(store))
    assert (first.messages, second.messages) == (3, 1)


def test_rows_out_of_order_are_sorted_and_do_not_split_a_burst() -> None:
    rows = said(("2024-01-01T10:01:00", 1, "b"), ("2024-01-01T10:00:00", 1, "a"), ("2024-01-01T10:02:00", 2, "c"))
    (session,) = split_sessions(1, rows)
    assert turns(session) == [(1, ["a", "b"]), (2, ["c"])]


def test_messages_of_one_moment_keep_their_order() -> None:
    rows = [Said(1000, seq, person, str(seq)) for seq, person in ((3, 2), (1, 1), (2, 1))]
    (session,) = split_sessions(1, rows)
    assert turns(session) == [(1, ["1", "2"]), (2, ["3"])]


def test_topics_are_conversations_of_their_own() -> None:
    rows = [Said(1000 * n, n, n % 2, str(n), "A" if n < 3 else None) for n in range(6)]
    assert [session.messages for session in split_sessions(1, rows)] == [3, 3]


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 3)), max_size=60), st.integers(1, 10**6))
def test_sessions_hold_every_message_once_and_end_only_at_gaps(rows: list[tuple[int, int]], gap_ms: int) -> None:
    given_rows = [Said(when, n, person, str(n)) for n, (when, person) in enumerate(rows)]
    sessions = list(split_sessions(1, given_rows, gap_ms / 1000))
    held = [text for session in sessions for turn in session.turns for text in turn.messages]
    assert held == [one.text for one in sorted(given_rows, key=lambda one: (one.time_ms, one.seq))]
    for before, after in itertools.pairwise(sessions):
        assert after.start_ms - before.end_ms > gap_ms
    for session in sessions:
        speakers = [turn.person for turn in session.turns]
        assert all(a != b for a, b in itertools.pairwise(speakers))


BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = (datetime(2024, month, day, 1, tzinfo=UTC) for month, day in ((3, 31), (10, 27)))


@given(
    st.sampled_from((SPRING, AUTUMN)),
    st.lists(st.tuples(st.integers(-7200, 7200), st.integers(1, 2)), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_neither_the_clock_nor_the_order_of_rows_decides_where_a_session_ends(
    change: datetime, sent: list[tuple[int, int]], chance: random.Random
) -> None:
    """Within two hours of a change of the clock, read from local times with their offsets and in any order."""
    rows = []
    for seq, (seconds, person) in enumerate(sent):
        local = (change + timedelta(seconds=seconds)).astimezone(BERLIN)
        time_ms, offset_min = utc_ms(local, None)
        rows.append(Said(time_ms, seq, person, str(seq), offset_min=offset_min))
    chance.shuffle(rows)
    in_order = sorted((seconds, seq) for seq, (seconds, _) in enumerate(sent))
    expected: list[list[str]] = []
    for place, (seconds, seq) in enumerate(in_order):
        if not place or seconds - in_order[place - 1][0] > 600:
            expected.append([])
        expected[-1].append(str(seq))
    sessions = list(split_sessions(1, rows))
    assert [[text for turn in one.turns for text in turn.messages] for one in sessions] == expected
    assert {one.offset_min for one in sessions} <= {60, 120}


def test_rows_stored_in_any_order_are_read_in_one(store: Store, telegram_chat: Write, telegram_row: Row) -> None:
    rows = [telegram_row(n, ("Alice", "Bob")[n % 3 > 0], str(n), at=n * 150 + 700 * (n % 7 == 0)) for n in range(60)]
    random.Random(1).shuffle(rows)
    for part in (rows[:20], rows[20:50], rows[50:]):
        import_paths(store, [telegram_chat(part, to=f"{part[0]['id']}.json")])
    ((*sessions,),) = sessions_of(store)
    times = sorted((int(row["date_unixtime"]), row["id"]) for row in rows)
    held = [text for one in sessions for turn in one.turns for text in turn.messages]
    assert held == [str(number) for _, number in times]
    assert len(sessions) == 1 + sum(after - before > 600 for (before, _), (after, _) in itertools.pairwise(times))


@pytest.mark.parametrize(
    ("kind", "text", "kept", "dropped"),
    [
        (Kind.TEXT, "a\n\n \nb\r\n", "a\nb", "a\nb"),
        (Kind.TEXT, "x<|im_end|>y", "x<¦im_end¦>y", "x<¦im_end¦>y"),
        (Kind.TEXT, " \u200e ", "", ""),
        (Kind.STICKER, "😭", "[sticker 😭]", ""),
        (Kind.STICKER, "", "[sticker]", ""),
        (Kind.PHOTO, "at the sea", "[photo] at the sea", "at the sea"),
        (Kind.VOICE, "", "[voice message]", ""),
        (Kind.POLL, "When?", "[poll] When?", ""),
    ],
)
def test_what_a_message_is_in_a_turn(kind: Kind, text: str, kept: str, dropped: str) -> None:
    assert as_said(kind, text) == kept
    assert as_said(kind, text, keep_media=False) == dropped


def test_what_was_not_said_is_left_out_and_ends_no_burst(store: Store, telegram_chat: Write, telegram_row: Row) -> None:
    service = {"id": 4, "type": "service", "date_unixtime": "1704067220", "actor": "Bob", "actor_id": "user2"}
    rows = [
        telegram_row(1, "Alice", "one"),
        telegram_row(2, "Bob", "not my words", forwarded_from="News"),
        telegram_row(3, "Alice", "two"),
        service | {"action": "pin_message", "text": ""},
        telegram_row(5, "Alice", "three"),
    ]
    import_paths(store, [telegram_chat(rows)])
    ((session,),) = list(sessions_of(store))
    assert [messages for _, messages in turns(session)] == [["one", "two", "three"]]


def test_chats_are_never_joined(store: Store, telegram_chat: Write, telegram_row: Row) -> None:
    for chat, kind in ((2, "personal_chat"), (3, "private_group"), (4, "public_channel")):
        rows = [telegram_row(1), telegram_row(2, "Bob")]
        import_paths(store, [telegram_chat(rows, to=f"{chat}.json", id=chat, type=kind)])
    assert [len(sessions) for sessions in sessions_of(store)] == [1, 1]
    assert len(list(sessions_of(store, chats="group"))) == 1
