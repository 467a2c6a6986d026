"""Real exports in a temporary folder, a real store beside them, and short ways to look into both."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.train.parrots import Parrot
from train.export_files import TornFileError
from train.importing import find_exports
from train.messages import Drop, Message, Reading, Record, Tear, one_by_one
from train.store import Store, open_store

Row = dict[str, Any]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def telegram_row() -> Callable[..., Row]:
    """A message as Telegram Desktop writes it: number, sender, text, seconds from 2024-01-01."""

    def row(number: int, sender: str = "Alice", text: Any = "hi", at: int | None = None, **more: Any) -> Row:
        people = {"Alice": "user1", "Bob": "user2", "Carol": "user3"}
        seconds = 1704067200 + (number * 5 if at is None else at)
        plain: Row = {
            "id": number,
            "type": "message",
            "date": "2024-01-01T00:00:00",
            "date_unixtime": str(seconds),
            "from": sender,
            "from_id": people.get(sender, "user9"),
            "text": text,
            "text_entities": [{"type": "plain", "text": str(text)}],
        }
        del plain["date"]
        return plain | more

    return row


@pytest.fixture
def telegram_chat(tmp_path: Path) -> Callable[..., Path]:
    """Write a single-chat export, as Telegram Desktop lays it out, and return its path."""

    def write(rows: list[Row], to: str = "result.json", indent: int | None = 1, **more: Any) -> Path:
        path = tmp_path / to
        path.parent.mkdir(parents=True, exist_ok=True)
        chat = {"name": "Bob", "type": "personal_chat", "id": 2} | more | {"messages": rows}
        path.write_text(json.dumps(chat, indent=indent, ensure_ascii=False), "utf-8")
        return path

    return write


@pytest.fixture
def read() -> Callable[..., list[Record]]:
    """Every record of an export, read by the format that recognises it; `source` names the one expected."""

    def records(path: Path, source: str | None = None, **reading: Any) -> list[Record]:
        found = find_exports(path)
        assert source is None or {one.name for _, one in found} == {source}
        return [record for inner, one in found for record in _until_torn(one.read(inner, Reading(**reading)))]

    return records


def _until_torn(records: Iterator[Record]) -> Iterator[Record]:
    try:
        yield from one_by_one(records)
    except TornFileError as error:
        yield Tear("", str(error))


@pytest.fixture
def messages(read: Callable[..., list[Record]]) -> Callable[..., list[Message]]:
    """The kept messages of an export."""

    def kept(path: Path, **reading: Any) -> list[Message]:
        return [record for record in read(path, **reading) if isinstance(record, Message)]

    return kept


@pytest.fixture
def drops(read: Callable[..., list[Record]]) -> Callable[..., list[Drop]]:
    """What is dropped of an export."""

    def dropped(path: Path, **reading: Any) -> list[Drop]:
        return [record for record in read(path, **reading) if isinstance(record, Drop)]

    return dropped


@pytest.fixture
def whatsapp(tmp_path: Path) -> Callable[..., Path]:
    """Write the lines of a WhatsApp text export and return its path."""

    def write(*lines: str, name: str = "WhatsApp Chat with Bob.txt", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
        return path

    return write


@pytest.fixture
def parrot() -> Iterator[Callable[[Callable[[str], str]], Parrot]]:
    made: list[Parrot] = []

    def make(reply: Callable[[str], str]) -> Parrot:
        made.append(Parrot(reply))
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()
