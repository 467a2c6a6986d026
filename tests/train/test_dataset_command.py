"""`greenroom dataset` as a person runs it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from typer.testing import CliRunner, Result

from persona.errors import UserError
from scripts.dataset import dataset
from train.dataset_choices import Rule
from train.importing import import_paths
from train.store import open_store

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]


def greenroom_dataset(*words: str | Path) -> Result:
    app = typer.Typer()
    app.command()(dataset)
    return CliRunner().invoke(app, [str(word) for word in words])


def complaint(result: Result) -> str:
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


@pytest.fixture
def talk(tmp_path: Path, telegram_chat: Write, telegram_row: Row) -> Path:
    """A store with a chat of Bob and Alice, twenty sessions long; the private folder."""
    rows = [
        telegram_row(10 * n + m, ("Bob", "Alice")[m % 2], f"word {n} {m} and more words", at=n * 3600 + m)
        for n in range(20)
        for m in range(6)
    ]
    with open_store(tmp_path / "data") as store:
        import_paths(store, [telegram_chat(rows)])
    return tmp_path / "data"


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A tokenizer for which every word and every sign between words is a token."""
    made = Tokenizer(WordLevel({"?": 0}, unk_token="?"))
    made.pre_tokenizer = Whitespace()
    made.enable_truncation(4)
    (tmp_path / "model").mkdir()
    made.save(str(tmp_path / "model" / "tokenizer.json"))
    return tmp_path / "model"


def lines(folder: Path, name: str = "train.jsonl") -> list[Any]:
    return [json.loads(row) for row in (folder / name).read_text("utf-8").splitlines()]


def test_it_says_what_was_written_and_where_to_look(talk: Path) -> None:
    done = greenroom_dataset("--persona", "Alice")
    assert done.exit_code == 0, done.output
    assert "18 sessions to train on, 2 held out" in done.output
    assert "Alice" in done.output
    assert "report.html" in done.output
    assert "'Alice' has only 60 messages" in done.output


def test_another_folder_can_be_written_to(talk: Path, tmp_path: Path) -> None:
    assert greenroom_dataset("--persona", "Alice", "--out", tmp_path / "there").exit_code == 0
    assert (tmp_path / "there" / "train.jsonl").is_file()
    assert not (talk / "dataset").exists()


def test_tokens_are_counted_with_the_tokenizer_that_is_named(talk: Path, tokenizer: Path) -> None:
    done = greenroom_dataset("--persona", "Alice", "--tokenizer", tokenizer, "--max-tokens", "100")
    assert done.exit_code == 0, done.output
    card = json.loads((talk / "dataset" / "card.json").read_bytes())
    assert card["tokens_counted_with"] == "model/tokenizer.json"
    # <|im_start|> Alice word 1 2 and more words <|im_end|>: six words and five tokens for each mark; the name is one.
    (first, *_) = lines(talk / "dataset")
    assert len(first["conversations"]) == 6
    greenroom_dataset("--persona", "Alice", "--tokenizer", tokenizer, "--max-tokens", "60", "--force")
    assert len(lines(talk / "dataset")) > 18


def test_a_recipe_gives_the_length_and_the_tokenizer(talk: Path, tokenizer: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yml"
    recipe.write_text(f"base_model: {tokenizer}\nsequence_len: 60\n")
    assert greenroom_dataset("--persona", "Alice", "--recipe", recipe).exit_code == 0
    card = json.loads((talk / "dataset" / "card.json").read_bytes())
    assert (card["tokens_counted_with"], card["options"]["max_tokens"]) == ("model/tokenizer.json", 60)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--persona", "Alise"], "Did you mean 'Alice'"),
        (["--all"], "Nobody has 1,000 messages in these chats. 'Bob' comes nearest with 60."),
        (["--persona", "Alice", "--all"], "exclude each other"),
        (["--persona", "Alice", "--tokenizer", "nowhere"], "There is no tokenizer.json for 'nowhere'"),
        (["--persona", "Alice", "--recipe", "mistral-fsdp"], "no tokenizer.json for the recipe mistral-fsdp"),
        (["--persona", "Alice", "--recipe", "nothing"], "there is no recipe 'nothing'"),
        (["--persona", "Alice", "--gap", "0"], "--gap must be more than 0"),
        (["--persona", "Alice", "--gap", "nan"], "--gap must be more than 0"),
        (["--persona", "Alice", "--gap", "inf"], "--gap must be more than 0"),
        (["--persona", "Alice", "--force", "--out", __file__], "is a file, not a folder"),
        (["--persona", "Alice", "--one-each", "--out", f"{__file__}/below"], "is a file, not a folder"),
        (["--persona", "Alice", "--eval-share", "1"], "--eval-share 1.0 is not a share"),
        (["--persona", "Alice", "--keep-short", "2"], "--keep-short 2.0 is not a share"),
        (["--persona", "Alice", "--overlap", "-1"], "--overlap -1.0 is not a share"),
        (["--persona", "Alice", "--max-tokens", "3"], "leaves no room"),
        (["--persona", "Alice", "--pack", "3"], "leaves no room"),
        (["--persona", "Alice", "--bubble-prefix", "a\nb"], "cannot hold a line break"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(talk: Path, words: list[str], why: str) -> None:
    text = complaint(greenroom_dataset(*words))
    assert why in text
    assert "\n" not in text
    assert not (talk / "dataset").exists()


def test_a_file_that_is_no_tokenizer_is_said_to_be_none(talk: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "tokenizer.json"
    wrong.write_text("{}")
    assert "is not a tokenizer file" in complaint(greenroom_dataset("--persona", "Alice", "--tokenizer", wrong))


def test_a_folder_that_cannot_be_written_to_is_named(talk: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said = complaint(greenroom_dataset("--persona", "Alice", "--out", tmp_path / "file" / "x"))
    assert f"{tmp_path / 'file'} is a file, not a folder" in said
    assert "--out" in said


def test_every_option_is_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "dataset.md").read_text("utf-8")
    app = typer.Typer()
    app.command()(dataset)
    command = typer.main.get_command(app)
    names = {name for param in command.params for name in (*param.opts, *param.secondary_opts) if name.startswith("--")}
    assert {name for name in names if f"`{name}" not in page} <= {"--install-completion", "--show-completion"}
    assert all(f"| `{rule}` |" in page for rule in Rule)
