"""What is left out of a dataset, and that it can be kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from train.dataset import Options, Written, write_dataset
from train.dataset.cleaning import is_bot_name, is_code
from train.dataset.options import RULES
from train.importing import import_paths
from train.store import Store

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]

STACK_TRACE = """Traceback (most recent call last):
  File "/srv/app/main.py", line 14, in <module>
    run(config)
  File "/srv/app/run.py", line 3, in run
    raise ValueError(config)
ValueError: {'port': 80}"""
FUNCTION = """function total(rows) {
  let sum = 0;
  for (const row of rows) {
    sum += row.price;
  }
  return sum;
}"""
POEM = """roses are red;
violets are blue;
I forgot the milk
and so did you"""
LIST = """for tomorrow:
- eggs
- the blue paint (2 tins)
- something for Pip
- batteries"""


@pytest.fixture
def lines(store: Store, tmp_path: Path) -> Callable[..., tuple[list[str], Written]]:
    """Write Alice's set and return every message in it, and what was counted."""

    def build(**options: Any) -> tuple[list[str], Written]:
        given: dict[str, Any] = {"personas": ("Alice",), "min_messages": 1, "eval_share": 0.0, "redact": False}
        (written,) = write_dataset(store, tmp_path / "out", Options(**(given | options)), force=True)
        rows = (tmp_path / "out" / "train.jsonl").read_text("utf-8").splitlines()
        turns = [turn for row in rows for turn in json.loads(row)["conversations"]]
        return [line for turn in turns for line in turn["value"].split("\n")], written

    return build


@pytest.mark.parametrize(
    ("name", "bot"),
    [
        ("WeatherBot", True),
        ("rose_bot", True),
        ("Group Help Bot", True),
        ("бот", True),
        ("GroupHelpBOT", False),
        ("bot", True),
        ("John Talbot", False),
        ("Abbot", False),
        ("Botond", False),
        ("Robot Chicken", False),
    ],
)
def test_a_bot_is_told_by_its_name(name: str, bot: bool) -> None:
    assert is_bot_name(name) is bot


@pytest.mark.parametrize("text", [STACK_TRACE, FUNCTION, "```\na\nb\nc\nd\n```", '{\n"a": 1,\n"b": [\n2\n]\n}'])
def test_code_is_seen(text: str) -> None:
    assert is_code(text)


@pytest.mark.parametrize("text", [POEM, LIST, "ok\nso\nwait\nwhat\nno", "x = 1", "", "a\n\n\n\n\n\nb"])
def test_what_people_write_is_no_code(text: str) -> None:
    assert not is_code(text)


def test_each_rule_can_be_switched_off(
    store: Store, lines: Callable[..., tuple[list[str], Written]], telegram_chat: Write, telegram_row: Row
) -> None:
    wall = "lorem ipsum dolor " * 80
    automatic = "I am driving at the moment and will call you back at {}:00."
    rows = [
        telegram_row(1, "Bob", "hi"),
        telegram_row(2, "Alice", "my own words"),
        telegram_row(3, "Alice", "forwarded words", forwarded_from="Zed"),
        telegram_row(4, "Alice", wall),
        telegram_row(5, "Alice", STACK_TRACE),
        telegram_row(6, "Weather Bot", "12 degrees", from_id="user77"),
        *(telegram_row(10 + n, "Alice", automatic.format(n)) for n in range(5)),
        {"id": 90, "type": "service", "date_unixtime": "1704067300", "actor": "Bob", "actor_id": "user2", "action": "pin_message", "text": ""},
    ]  # fmt: skip
    import_paths(store, [telegram_chat(rows, type="private_group")])
    marks = {
        "forwards": "[forwarded] forwarded words",
        "walls": wall.strip(),
        "code": STACK_TRACE.split("\n")[0],
        "bots": "12 degrees",
        "repeated": automatic.format(4),
    }
    said, written = lines()
    assert "my own words" in said
    assert not set(marks.values()) & set(said)
    assert sum(line.startswith("I am driving") for line in said) == 3
    assert written.dropped == {"forwards": 1, "walls": 1, "code": 1, "bots": 1, "repeated": 2, "service": 1}
    for rule, mark in marks.items():
        said, written = lines(keep=(rule,))
        assert mark in said
        assert rule not in written.dropped
    said, written = lines(keep=RULES)
    assert any(line.startswith("[service]") for line in said)
    assert written.dropped == {}


def test_who_writes_letters_goes_on_writing_them(
    store: Store, lines: Callable[..., tuple[list[str], Written]], telegram_chat: Write, telegram_row: Row
) -> None:
    birds = "larks wrens finches gulls terns rooks robins swifts crows doves".split()
    letters = [f"Dear Bob, the garden is full of {bird} again and the weather has been kind. " * 15 for bird in birds]
    rows = [telegram_row(n, ("Bob", "Alice")[n % 2], ("short", letters[n // 2])[n % 2]) for n in range(20)]
    import_paths(store, [telegram_chat(rows)])
    said, written = lines(max_tokens=0)
    assert sum(len(line) > 1000 for line in said) == 10
    assert written.dropped == {}


def test_a_feed_is_no_conversation(
    store: Store, lines: Callable[..., tuple[list[str], Written]], telegram_chat: Write, telegram_row: Row
) -> None:
    rows = [telegram_row(n, "Bob", f"item {n}") for n in range(1, 41)]
    rows.append(telegram_row(41, "Alice", "ok"))
    import_paths(store, [telegram_chat(rows)])
    said, written = lines()
    assert said == []
    assert written.dropped == {"one-sided sessions": 41}
    said, _ = lines(keep=("one-sided",))
    assert said[-1] == "ok"


def test_boring_replies_are_trained_less_and_stay_as_context(
    store: Store, tmp_path: Path, telegram_chat: Write, telegram_row: Row
) -> None:
    rows = []
    for n in range(400):
        at = n * 3600
        rows.append(telegram_row(2 * n, "Bob", f"question {n}", at=at))
        rows.append(telegram_row(2 * n + 1, "Alice", "Busy!" if n % 2 else f"a real answer, number {n}", at=at + 5))
    import_paths(store, [telegram_chat(rows)])
    options = Options(("Alice",), min_messages=1, eval_share=0, keep_short=0.25, redact=False)
    (written,) = write_dataset(store, tmp_path / "out", options)
    turns = [
        turn
        for row in (tmp_path / "out" / "train.jsonl").read_text("utf-8").splitlines()
        for turn in json.loads(row)["conversations"]
        if turn["from"] == "Alice"
    ]
    trained = [turn["value"] for turn in turns if turn["train"]]
    assert sum(value.startswith("a real answer") for value in trained) == 200
    assert 30 <= trained.count("Busy!") <= 70
    assert written.dropped["sessions with nothing to train"] == 2 * (200 - trained.count("Busy!"))
