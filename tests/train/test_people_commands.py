"""`greenroom people` and `greenroom import --report`, as a person runs them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scripts.cli import app

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    def command(*arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(app, [*arguments], input=answer, catch_exceptions=True)

    return command


@pytest.fixture
def imported(run: Callable[..., Result], telegram_chat: Write, telegram_row: Row) -> Path:
    rows = [telegram_row(n, who, at=n * 200 * 86400) for n, who in enumerate(["Alice", "Bob", "Alice", "Carol"], 1)]
    path = telegram_chat([*rows, {"id": 9, "type": "unsupported"}], type="private_group", name="Club [x]", id=5)
    assert run("import", str(path)).exit_code == 0
    return path


def test_the_list_shows_counts_by_chat_and_by_year(run: Callable[..., Result], imported: Path) -> None:
    shown = run("people").output
    assert "Club [x] 2" in shown
    assert "2024" in shown
    found = json.loads(run("people", "--json").output)
    assert [(one["person"]["speaker"], one["messages"], one["years"]) for one in found] == [
        ("Alice", 2, [[2024, 1], [2025, 1]]), ("Bob", 1, [[2025, 1]]), ("Carol", 1, [[2026, 1]]),
    ]  # fmt: skip
    assert "Club [x]" in run("people", "show", "alice").output


def test_merge_split_exclude_include(run: Callable[..., Result], imported: Path) -> None:
    assert run("people", "merge", "Alice", "Bob", "Carol").output.splitlines() == [
        "Bob is Alice now.",
        "Carol is Alice now.",
    ]
    assert "Carol is somebody else" in run("people", "split", "Alice", "carol").output
    assert run("people", "exclude", "Carol").exit_code == 0
    assert "(excluded)" in run("people").output
    assert "in datasets again" in run("people", "include", "Carol").output
    assert "Did you mean" in str(run("people", "exclude", "Caro").exception)


def test_forget_asks_first(run: Callable[..., Result], imported: Path) -> None:
    assert "Nothing was deleted" in str(run("people", "forget", "Bob", answer="n\n").exception)
    assert "1 messages are gone" in run("people", "forget", "Bob", answer="y\n").output
    assert "Bob" not in run("people").output
    assert "was not forgotten" in str(run("people", "remember", "telegram", "user99").exception)
    assert run("people", "remember", "telegram", "user2").exit_code == 0


def test_the_report_adds_up_and_says_why(run: Callable[..., Result], imported: Path) -> None:
    shown = run("import", "--report").output
    assert "5 records = 4 kept + 1 dropped" in shown
    assert "unsupported by the exporter" in shown
    assert "record 5, message 9" in shown
    (entry,) = json.loads(run("import", "--report", str(imported), "--json").output)
    assert (entry["records"], entry["kept"], entry["dropped"], entry["adds_up"]) == (5, 4, 1, True)
    assert "was imported yet" in str(run("import", "--report", "/nowhere").exception)


def test_nothing_to_import_says_so(run: Callable[..., Result]) -> None:
    assert "There is nothing to import" in str(run("import").exception)


def test_contacts_and_duplicates_print_what_to_do(run: Callable[..., Result], imported: Path, tmp_path: Path) -> None:
    assert "Nobody seems to be in here twice" in run("people", "duplicates").output
    (tmp_path / "x.vcf").write_text("BEGIN:VCARD\nVERSION:3.0\nFN:Dan\nTEL:+15550100000\nEND:VCARD\n")
    assert "1 contacts: 0 names, 0 merged" in run("people", "--contacts", str(tmp_path / "x.vcf")).output
