"""What must never be in a set, and that a set accounts for every message of the store."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from train import people
from train.dataset import Options, write_dataset
from train.importing import import_paths
from train.store import Store

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]


def everything_in(folder: Path) -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.fixture
def group(store: Store, telegram_chat: Write, telegram_row: Row) -> None:
    """A group in which Carol is somebody to be left out, is spoken of, and is quoted."""
    rows = []
    for n in range(40):
        at = n * 3600
        rows += [
            telegram_row(10 * n, "Bob", f"morning number {n}", at=at),
            telegram_row(10 * n + 1, "Carol", f"the harbour is closed again, take the bus {n}", at=at + 5),
            telegram_row(10 * n + 2, "Alice", f"> the harbour is closed again, take the bus {n}", at=at + 9),
            telegram_row(10 * n + 3, "Alice", f"Carol says no, ask @carol or carol's sister {n}", at=at + 12),
            telegram_row(10 * n + 4, "Bob", f"“The harbour is closed again, take the bus {n}”", at=at + 20),
            telegram_row(10 * n + 5, "Alice", f"Carol: the harbour is closed again, take the bus {n}", at=at + 22),
            telegram_row(10 * n + 6, "Bob", f"fine by me {n}", at=at + 24),
            telegram_row(10 * n + 7, "Alice", f"see you at {n} then", at=at + 25),
        ]
    import_paths(store, [telegram_chat(rows, type="private_group", name="Us")])


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("form", ["sharegpt", "chatml", "messages"])
def test_an_excluded_person_is_nowhere(store: Store, tmp_path: Path, form: str) -> None:
    carol = people.person_named(people.people(store.db), "Carol")
    people.exclude(store.db, carol)
    options = Options(("Alice", "Bob"), min_messages=1, context=True, format=form)  # type: ignore[arg-type]
    (written,) = write_dataset(store, tmp_path / "out", options)
    text = everything_in(tmp_path / "out").casefold()
    assert "see you at" in text
    assert "carol" not in text
    assert "harbour is closed" not in text
    assert written.dropped["excluded people"] == 40


@pytest.mark.usefixtures("group")
def test_a_forgotten_person_is_nowhere(store: Store, tmp_path: Path) -> None:
    store.forget(people.person_named(people.people(store.db), "Carol"))
    write_dataset(store, tmp_path / "out", Options(("Alice", "Bob"), min_messages=1, context=True))
    text = everything_in(tmp_path / "out").casefold()
    assert "see you at" in text
    assert "carol" not in text


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"eval_share": 0.0},
        {"pack": 60},
        {"max_tokens": 40},
        {"max_tokens": 60, "overlap": 1.0},
        {"max_tokens": 16},
        {"keep_short": 0.0},
        {"chats": "personal", "personas": ("Zed",)},
        {"personas": ("Bob",)},
        {"context": True, "max_tokens": 50},
    ],
)
def test_kept_and_dropped_are_all_messages_of_the_store(
    store: Store, tmp_path: Path, telegram_chat: Write, telegram_row: Row, options: dict[str, Any]
) -> None:
    rows = [
        telegram_row(1, "Zed", "hello", from_id="user5"),
        telegram_row(2, "Alice", "hello yourself"),
        telegram_row(3, "Zed", "fwd", from_id="user5", forwarded_from="X"),
        {"id": 4, "type": "service", "date_unixtime": "1704067300", "actor": "Zed", "actor_id": "user5", "action": "pin_message", "text": ""},
    ]  # fmt: skip
    import_paths(store, [telegram_chat(rows, to="zed.json", id=5)])
    import_paths(store, [telegram_chat([telegram_row(1, "Alice", "note")], to="saved.json", id=6, type="saved_messages")])  # fmt: skip
    given: dict[str, Any] = {"personas": ("Alice",), "min_messages": 1} | options
    write_dataset(store, tmp_path / "out", Options(**given), force=True)
    card = json.loads((tmp_path / "out" / "card.json").read_bytes())["store"]
    assert card["kept"] + sum(card["dropped"].values()) == store.count()


@pytest.mark.usefixtures("group")
def test_nothing_is_left_behind_in_the_private_folder(store: Store, tmp_path: Path) -> None:
    before = {path.name for path in store.path.parent.iterdir()}
    write_dataset(store, tmp_path / "out", Options(("Alice",), min_messages=1))
    assert {path.name for path in store.path.parent.iterdir()} - before <= {"redaction-key.json"}
