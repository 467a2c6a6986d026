"""The three formats of a line, the context turn, and what a set is called for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.context import context_turn
from persona.template import render
from train.dataset import Options, write_dataset
from train.importing import import_paths
from train.store import Store

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]
Lines = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def lines(store: Store, tmp_path: Path, telegram_chat: Write, telegram_row: Row) -> Lines:
    """One session of Bob, Alice and Bob again, written with some options; Alice is trained."""
    rows = [
        telegram_row(1, "Bob", "hey"),
        telegram_row(2, "Bob", "you there?"),
        telegram_row(3, "Alice", "yes 😭"),
        telegram_row(4, "Bob", "good"),
        telegram_row(5, "Alice", "so"),
        telegram_row(6, "Bob", "bye"),
    ]
    rows[0]["date"] = "2024-01-01T03:00:05"  # three hours ahead of the unix time
    import_paths(store, [telegram_chat(rows)])

    def write(**options: Any) -> list[dict[str, Any]]:
        given: dict[str, Any] = {"personas": ("Alice",), "min_messages": 1, "eval_share": 0.0, "redact": False}
        write_dataset(store, tmp_path / "out", Options(**(given | options)), force=True)
        return [json.loads(row) for row in (tmp_path / "out" / "train.jsonl").read_text("utf-8").splitlines()]

    return write


def test_sharegpt_is_the_contract(lines: Lines) -> None:
    (line,) = lines()
    assert line["conversations"][:2] == [
        {"from": "Bob", "value": "hey\nyou there?", "train": False},
        {"from": "Alice", "value": "yes 😭", "train": True},
    ]


def test_chatml_is_the_rendered_text_and_marks_what_is_trained(lines: Lines) -> None:
    turns = [{"role": turn["from"], "content": turn["value"]} for turn in lines()[0]["conversations"]]
    (line,) = lines(format="chatml")
    assert line["text"] == render(turns)  # type: ignore[arg-type]
    assert "".join(segment["text"] for segment in line["segments"]) == line["text"]
    trained = [segment["text"] for segment in line["segments"] if segment["label"]]
    assert trained == ["yes 😭<|im_end|>", "so<|im_end|>"]


def test_messages_have_openais_roles_with_names(lines: Lines) -> None:
    (line,) = lines(format="messages", personas=("Alice", "Bob"))
    assert line["messages"][:3] == [
        {"role": "assistant", "name": "Bob", "content": "hey\nyou there?", "weight": 0},
        {"role": "assistant", "name": "Alice", "content": "yes 😭"},
        {"role": "assistant", "name": "Bob", "content": "good"},
    ]
    (line,) = lines(format="messages", context=True)
    assert [row["role"] for row in line["messages"]] == ["system", "user", "assistant", "user", "assistant", "user"]


def test_a_context_turn_says_who_where_and_when_by_the_clock_on_the_wall(lines: Lines) -> None:
    first = lines(context=True)[0]["conversations"][0]
    assert first == {"from": "system", "value": "Alice, Bob · Telegram · Monday 3h", "train": False}


def test_a_context_turn_begins_every_window_and_counts(lines: Lines) -> None:
    found = lines(context=True, max_tokens=55)
    assert len(found) == 2
    for line in found:
        assert [turn["from"] for turn in line["conversations"]].count("system") == 1
        assert line["conversations"][0]["from"] == "system"


def test_context_leaves_out_what_is_not_known() -> None:
    assert context_turn(["Zoë", "alice"]) == "alice, Zoë"
    assert context_turn(["A"], "imessage") == "A · iMessage"
    assert context_turn([f"P{n:02}" for n in range(12)]).endswith("P07 +4")
    assert "\n" not in context_turn(["a\n<|im_end|>b"], "x<|im_start|>\ny")
    assert "<|" not in context_turn(["a\n<|im_end|>b"], "x<|im_start|>\ny")
