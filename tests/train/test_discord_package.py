"""The data that Discord sends on request, as folders and archives of several years."""

import csv
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from train.importing import import_paths
from train.messages import Chat, ChatKind, Drop, Kind, Message, Note, Owner, Record, Tear
from train.store import Store

Read = Callable[..., list[Record]]
BASE = 10**17


def row(number: int, contents: Any = "hi", **more: Any) -> dict[str, Any]:
    return {"ID": 10**18 + number, "Timestamp": f"2024-01-01 10:00:{number:02}", "Contents": contents, "Attachments": ""} | more  # fmt: skip


class Package:
    """A package that is being written."""

    def __init__(self, root: Path, account: str = "Account", messages: str = "Messages") -> None:
        self.root = root
        self.messages = root / messages
        self.index: dict[str, Any] = {}
        self.write(root / account / "user.json", {"id": "2", "username": "mia.moss", "global_name": "Mia"})

    def write(self, path: Path, value: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), "utf-8")

    def channel(self, number: int, rows: Any, listed: str | None = None, prefix: str = "c", **about: Any) -> "Package":
        folder = self.messages / f"{prefix}{BASE + number}"
        self.write(folder / "channel.json", {"id": str(BASE + number)} | about)
        self.index[str(BASE + number)] = listed
        self.write(folder / "messages.json", rows)
        return self

    def table(self, number: int, rows: list[dict[str, Any]], prefix: str = "c", **about: Any) -> "Package":
        self.channel(number, "[]", None, prefix, **about)
        folder = self.messages / f"{prefix}{BASE + number}"
        (folder / "messages.json").unlink()
        with (folder / "messages.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, ["ID", "Timestamp", "Contents", "Attachments"])
            writer.writeheader()
            writer.writerows(rows)
        return self

    def done(self) -> Path:
        self.write(self.messages / "index.json", self.index)
        return self.root


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return Package(tmp_path / "package")


def kept(records: list[Record]) -> list[Message]:
    return [one for one in records if isinstance(one, Message)]


def test_all_messages_are_the_owners_with_discords_ids_and_times(package: Package, read: Read) -> None:
    package.channel(1, [row(2, "second"), row(1, "first")], type="GUILD_TEXT", name="general", guild={"name": "Boat"})
    records = read(package.done(), "discord-package")
    assert Owner("discord", "2", "Mia") in records
    assert [(m.id, m.chat_id, m.sender_id, m.sender_name, m.is_owner, m.text, m.time_ms, m.offset_min) for m in kept(records)] == [
        (10**18 + 2, str(BASE + 1), "2", "Mia", True, "second", 1704103202000, None),
        (10**18 + 1, str(BASE + 1), "2", "Mia", True, "first", 1704103201000, None),
    ]  # fmt: skip
    assert any("import those after it" in one.text for one in records if isinstance(one, Note))


def test_channels_have_the_name_and_kind_that_the_package_gives_them(package: Package, read: Read) -> None:
    package.channel(1, [row(1)], "general in Boat", type=0, name="general", guild={"id": "9", "name": "Boat"})
    package.channel(2, [row(2)], "Direct Message with zoe#0", type="DM", recipients=["1", "2"])
    package.channel(3, [row(3)], "Direct Message with old#1234", type=1, recipients=["2", "5"])
    package.channel(4, [row(4)], None, type="GROUP_DM", name="crew", recipients=["1", "2", "5"])
    package.channel(5, [row(5)], None, type="GUILD_ANNOUNCEMENT").channel(6, [row(6)], "Direct Message with eve#0")
    assert [(one.name, one.kind) for one in read(package.done()) if isinstance(one, Chat)] == [
        ("Boat #general", ChatKind.GROUP), ("zoe", ChatKind.PERSONAL), ("old", ChatKind.PERSONAL),
        ("crew", ChatKind.GROUP), (None, ChatKind.CHANNEL), ("eve", ChatKind.PERSONAL),
    ]  # fmt: skip


def test_tables_of_before_2024_with_messages_of_several_lines(package: Package, read: Read) -> None:
    first = row(1, 'two\nlines, "quoted"', Timestamp="2020-10-22 20:15:01.236000+00:00")
    package.table(1, [first, row(2, "", Attachments="https://cdn.example/a.mp4")], type=0)
    assert [(m.text, m.kind, m.time_ms) for m in kept(read(package.done(), "discord-package"))] == [
        ('two\nlines, "quoted"', Kind.TEXT, 1603397701236), ("", Kind.VIDEO, 1704103202000),
    ]  # fmt: skip


@pytest.mark.parametrize(("account", "messages", "prefix"), [("account", "messages", ""), ("Compte", "Messages", "c"), ("Konto", "Nachrichten", "c")])  # fmt: skip
def test_folders_go_by_names_in_any_language(account: str, messages: str, prefix: str, tmp_path: Path, read: Read) -> None:  # fmt: skip
    records = read(
        Package(tmp_path / "p", account, messages).channel(1, [row(1)], prefix=prefix).done(), "discord-package"
    )
    assert [(m.sender_id, m.sender_name) for m in kept(records)] == [("2", "Mia")]


def test_without_its_account_the_owner_is_who_takes_part_in_every_direct_chat(package: Package, read: Read) -> None:
    package.channel(1, [row(1)], type="DM", recipients=["1", "2"]).channel(2, [row(2)], type=1, recipients=["2", "5"])
    (package.done() / "Account" / "user.json").unlink()
    assert {m.sender_id for m in kept(read(package.root, owner="Mia"))} == {"2"}


def test_mentions_have_names_where_a_direct_chat_tells_them(package: Package, read: Read) -> None:
    package.channel(1, [row(1, "<@1> and <@!7>: <a:crab:55> <@2>")], type=0)
    package.channel(2, [], "Direct Message with zoe#0", type="DM", recipients=["2", "1"])
    (message,) = kept(read(package.done()))
    assert (message.text, message.mentions) == ("@zoe and @somebody: :crab: @Mia", '["1","7","2"]')


def test_media_and_links_to_moving_pictures(package: Package, read: Read) -> None:
    rows = [row(1, "look", Attachments="https://cdn.example/a.PNG?ex=1 https://cdn.example/b.mp4"),
            row(2, "https://tenor.com/view/crab-123"), row(3, "", Attachments="https://cdn.example/x.pdf")]  # fmt: skip
    assert [(m.kind, m.text) for m in kept(read(package.channel(1, rows).done()))] == [
        (Kind.PHOTO, "look"), (Kind.GIF, ""), (Kind.FILE, ""),
    ]  # fmt: skip


def test_messages_are_those_of_the_other_exporter(package: Package, tmp_path: Path, store: Store) -> None:
    import_paths(store, [package.channel(1, [row(1), row(2)], type=0).done()])
    author = {"id": "2", "name": "mia.moss", "nickname": "Mia", "isBot": False}
    rows = [{"id": str(10**18 + n), "type": "Default", "timestamp": f"2024-01-01T10:00:{n:02}+00:00", "content": "hi",
             "author": author, "attachments": [], "embeds": [], "stickers": [], "reactions": [], "mentions": []} for n in (1, 2, 3)]  # fmt: skip
    channel = {"guild": {"id": "9", "name": "Boat"}, "channel": {"id": str(BASE + 1), "type": "GuildTextChat", "name": "general"}, "messages": rows}  # fmt: skip
    (tmp_path / "Boat - general.json").write_text(json.dumps(channel, indent=2), "utf-8")
    (report,) = import_paths(store, [tmp_path / "Boat - general.json"])
    assert (report.added, store.count()) == (1, 3)


def test_the_archive_is_read_as_it_came(package: Package, tmp_path: Path, read: Read) -> None:
    root = package.channel(1, [row(1)]).done()
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        for path in root.rglob("*.json"):
            archive.write(path, path.relative_to(root))
    assert [m.sender_id for m in kept(read(tmp_path / "package.zip", "discord-package"))] == ["2"]


def test_odd_rows_and_broken_files_cost_themselves_alone(package: Package, read: Read) -> None:
    odd: list[Any] = [None, 3, [1], {"a": 1}, True, "x", -1, 2**70]
    rows = [
        row(n) | {key: value} for key in ("ID", "Timestamp", "Contents", "Attachments") for n, value in enumerate(odd)
    ]
    package.channel(1, [5, "no message", *rows]).channel(2, json.dumps([row(50, "kept"), row(51)], indent=4)[:-40])
    package.channel(3, [row(40, "no name")]).table(4, [row(41, ""), row(42, "table")])
    package.write(package.messages / f"c{BASE + 3}" / "channel.json", "{torn")
    records = read(package.done())
    assert sum(isinstance(one, Message | Drop) for one in records) == len(rows) + 2 + 2 + 1 + 2
    tears = [one.place for one in records if isinstance(one, Tear)]
    assert f"c{BASE + 3}/channel.json" in tears
    assert any(place.startswith(f"c{BASE + 2}/messages.json, record 2") for place in tears)
    assert {"kept", "no name", "table"} <= {m.text for m in kept(records)}
