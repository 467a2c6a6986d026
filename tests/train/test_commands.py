"""The commands as a person runs them: what they print, write and exit with."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from persona.errors import UserError
from scripts.dataset import dataset
from scripts.import_exports import import_exports
from scripts.people import people

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]

ROOT = Path(__file__).parents[2]


def greenroom(*words: str | Path) -> Result:
    """Run a command in this process; `result.exception` holds the UserError the dispatcher prints."""
    app = typer.Typer()
    app.command("import")(import_exports)
    app.command("dataset")(dataset)
    app.add_typer(people, name="people")
    return CliRunner().invoke(app, [str(word) for word in words])


def complaint(result: Result) -> str:
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


@pytest.fixture
def exports(telegram_chat: Write, telegram_row: Row, whatsapp: Write) -> list[Path]:
    rows = [telegram_row(n, ("Bob", "Alice")[n % 2], f"text {n}", at=n * 400) for n in range(40)]
    lines = [f"13/2/24, {10 + n // 60}:{n % 60:02} - {('Bob', 'Alice')[n % 2]}: wa {n}" for n in range(30)]
    return [telegram_chat(rows), whatsapp(*lines)]


def test_from_exports_to_a_dataset(exports: list[Path], tmp_path: Path) -> None:
    imported = greenroom("import", *exports, "--timezone", "UTC")
    assert imported.exit_code == 0, imported.output
    assert "telegram-json" in imported.output
    assert "Bob on whatsapp is taken for Bob" in imported.output
    made = greenroom("dataset", "--persona", "Alice")
    assert made.exit_code == 0, made.output
    assert "Alice has" not in made.output
    first = json.loads((tmp_path / "data" / "dataset" / "train.jsonl").read_text("utf-8").splitlines()[0])
    assert first["conversations"][0]["train"] is False


def test_the_summary_counts_what_happened(telegram_chat: Write, telegram_row: Row) -> None:
    path = telegram_chat([telegram_row(1), {"id": 2, "type": "unsupported"}])
    assert "unsupported by the exporter 1" in greenroom("import", path).output


def test_a_torn_export_exits_with_2_after_storing(telegram_chat: Write, telegram_row: Row) -> None:
    path = telegram_chat([telegram_row(n) for n in range(1, 9)])
    raw = path.read_bytes()
    path.write_bytes(raw[: raw.index(b'"id": 5')])
    result = greenroom("import", path)
    assert "breaks off at record 5, byte" in complaint(result)
    assert "Alice" in greenroom("people").output


def test_people_are_listed_merged_renamed_and_owned(exports: list[Path]) -> None:
    greenroom("import", *exports)
    listed = greenroom("people").output
    assert "Alice (owner)" in listed
    assert "Bob 35" in listed
    assert greenroom("people", "rename", "Bob", "Robert").exit_code == 0
    assert greenroom("people", "--owner", "Robert").output == "Robert is the owner.\n"
    assert greenroom("people", "owner", "Alice").exit_code == 0
    assert greenroom("people", "merge", "Alice", "Robert").output == "Robert is Alice now.\n"
    assert "Robert" not in greenroom("people").output.replace("telegram: Bob", "")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["import", "nowhere.json"], "There is nothing at nowhere.json"),
        (["import", str(ROOT / "pyproject.toml")], "is no chat export"),
        (["import", ".", "--source", "fax"], "No export format is called 'fax'"),
        (["import", ".", "--timezone", "Mars/Base"], "no time zone 'Mars/Base'"),
        (["dataset"], "There are no messages"),
        (["people"], "There are no messages"),
        (["people", "rename", "A", "B"], "There are no messages"),
    ],
)
def test_a_mistake_is_one_line_without_a_traceback(words: list[str], why: str) -> None:
    text = complaint(greenroom(*words))
    assert why in text
    assert "\n" not in text


def test_a_mistake_writes_nothing(tmp_path: Path) -> None:
    greenroom("import", "nowhere.json")
    greenroom("dataset")
    assert not (tmp_path / "data").exists()


def test_the_script_runs_from_any_folder_and_exits_with_2_for_a_mistake(tmp_path: Path, exports: list[Path]) -> None:
    script = [sys.executable, str(ROOT / "scripts" / "build_dataset.py")]
    missing = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert missing.returncode == 2
    assert missing.stderr.count("\n") == 1
    assert "Traceback" not in missing.stderr
    greenroom("import", *exports)
    made = subprocess.run([*script, "--persona", "Alice"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "data" / "dataset" / "train.jsonl").stat().st_size > 0


def test_the_commands_do_not_load_torch() -> None:
    program = "import sys, scripts.import_exports, scripts.dataset, scripts.people; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "numpy", "train.store", "rich.table"} & set(modules)
