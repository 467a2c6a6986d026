"""`greenroom redaction`: what would be replaced, and what stand-ins stand for."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from persona.paths import data_dir
from scripts.cli import app, main
from train.redaction import KnownPerson, RedactionKey, Redactor, open_key, reveal
from train.redaction.key import FILE_NAME

HIDDEN = [KnownPerson(1, ("Вера Козлова", "vera_k92")), KnownPerson(2, ("Robert Miller",))]
ORIGINALS = [
    "call +7 903 123-45-67 today",
    "карта 4111 1111 1111 1111",
    "пароль: Hunter22",
    "see https://zoom.us/j/1234567890?pwd=abcDEF1234",
    "ssh to 85.12.33.7",
    "write to jo.miller@example.org",
    "at 12 Maple Street",
    "видел Веру Козлову и Роберта",
    "ROBERT said so",
    "DE89 3704 0044 0532 0130 00",
]


@pytest.fixture
def run() -> Callable[..., Result]:
    def command(*arguments: str, given: str | None = None) -> Result:
        return CliRunner().invoke(app, ["redaction", *arguments], input=given, catch_exceptions=True)

    return command


def redacted(text: str) -> str:
    """Return a text as a dataset would have it, with its stand-ins in the key of the private folder."""
    key = RedactionKey(data_dir(None) / FILE_NAME, bytes([1]) * 32)
    replaced = Redactor(key, hidden=HIDDEN, shown=[], forgotten=None).redact(text)
    key.save()
    return replaced


@pytest.mark.parametrize("text", ORIGINALS)
def test_stand_ins_are_turned_back(run: Callable[..., Result], text: str) -> None:
    replaced = redacted(text)
    assert replaced != text
    shown = run("reveal", replaced)
    assert shown.exit_code == 0, shown.output
    # Of a name only the forms that pymorphy3 makes come back, so case by case: letters and digits are the same.
    assert shown.stdout.rstrip("\n").casefold() == text.casefold()


def test_text_is_read_from_the_input(run: Callable[..., Result]) -> None:
    text = "call +7 903 123-45-67\nor not"
    assert run("reveal", given=redacted(text) + "\n").stdout == text + "\n"


def test_parts_of_words_are_no_stand_ins() -> None:
    replaced = redacted("видел Веру Козлову")
    name = replaced.split()[1]
    assert reveal(open_key(data_dir(None)), f"x{name}x") == f"x{name}x"


def test_without_a_key_there_is_nothing_to_turn_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["greenroom", "redaction", "reveal", "hello"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "redaction-key.json is not there" in capsys.readouterr().err


def test_what_would_be_replaced_is_shown_by_kind(run: Callable[..., Result], tmp_path: Path) -> None:
    shown = run("show", "mail jo@example.org, pin 4821", "--data", str(tmp_path))
    assert shown.stdout == "mail jo@example.org[email], pin 4821[secret]\n"
    assert list(tmp_path.iterdir()) == []


def test_names_of_the_store_are_shown(run: Callable[..., Result], tmp_path: Path) -> None:
    export = tmp_path / "chat.txt"
    export.write_text("01/02/2024, 10:00 - Robert Miller: hi\n01/02/2024, 10:01 - Vera Stone: hello\n")
    assert CliRunner().invoke(app, ["import", str(export)]).exit_code == 0
    assert run("show", "I saw Robert Miller").stdout == "I saw Robert[name] Miller[name]\n"
