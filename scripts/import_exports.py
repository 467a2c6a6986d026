"""`greenroom import PATH…`: read chat exports into the message store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.options import Data

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from train.export_files import ExportPath
    from train.importing import Report
    from train.people import Person


def import_exports(
    paths: Annotated[list[Path], typer.Argument(help="Exports: files, or folders to search for them.")],
    data: Data = None,
    source: Annotated[str | None, typer.Option(help="The format of the exports, when it is not recognised.")] = None,
    timezone: Annotated[
        str | None,
        typer.Option(help="Zone of exports that print local time: Europe/Berlin. Otherwise this machine's."),
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Your own name, as the exports write it.")] = None,
) -> None:
    """Read chat exports into the message store. Reading one again adds only what is new."""
    from rich.console import Console

    from persona.errors import UserError
    from persona.paths import data_dir
    from train import people
    from train.importing import check_zone, find_exports, import_paths
    from train.messages import Reading
    from train.sources import source_named
    from train.store import open_store

    check_zone(timezone)
    for path in paths:
        find_exports(path, source_named(source) if source else None)
    console = Console()
    with open_store(data_dir(data)) as store:
        with _progress(console, paths) as (on_start, on_bytes):
            reports = import_paths(
                store,
                paths,
                source=source,
                reading=Reading(timezone=timezone, owner=owner, progress=on_bytes),
                on_start=on_start,
            )
        for report in reports:
            _print_report(console, report)
        for platform, name, person in store.joined:
            _print_joined(console, platform, name, person)
        if owner is not None:
            people.set_owner(store.db, people.person_named(people.people(store.db), owner))
        if not any(person.is_owner for person in people.people(store.db)):
            console.print("Whose history this is was not found. Say so with: greenroom people owner NAME")
    for report in reports:
        if report.error is not None:
            raise report.error
        if report.tear is not None:
            raise UserError(
                f"{report.path} breaks off at {report.tear.place}: {report.tear.detail}. What came before is kept.",
                "Export it again and import that: only what is missing is added.",
            )


@contextmanager
def _progress(
    console: Console, paths: list[Path]
) -> Iterator[tuple[Callable[[ExportPath, object], None], Callable[[int], None] | None]]:
    """Show a bar with the rate while exports are read, on a terminal only."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.progress import TransferSpeedColumn as Speed

    from train.export_files import size_of

    if not console.is_terminal:
        yield (lambda path, source: None), None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        Speed(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def start(path: ExportPath, source: object) -> None:
            progress.reset(task, description=path.name, total=size_of(path))

        yield start, lambda count: progress.advance(task, count)


def _print_report(console: Console, report: Report) -> None:
    from rich.markup import escape
    from rich.table import Table

    rate = f", {report.kept / report.seconds:,.0f} messages/s" if report.seconds > 1 else ""
    table = Table(title=escape(f"{report.path} ({report.source}{rate})"), title_justify="left")
    table.add_column("chat")
    for column in ("kept", "new", "updated", "dropped"):
        table.add_column(column, justify="right")
    table.add_column("why")
    chats = sorted(report.chats.values(), key=lambda chat: (-chat.kept, chat.name))
    for chat in chats:
        why = ", ".join(f"{reason} {count:,}" for reason, count in sorted(chat.dropped.items()))
        numbers = (chat.kept, chat.added, chat.updated, chat.dropped.total())
        table.add_row(escape(chat.name or "(no chat)"), *(f"{number:,}" for number in numbers), escape(why))
    numbers = (report.kept, report.added, report.updated, report.dropped)
    table.add_section()
    table.add_row("all", *(f"{number:,}" for number in numbers), "")
    console.print(table)
    for note in report.notes:
        console.print(escape(note))


def _print_joined(console: Console, platform: str, name: str, person: Person) -> None:
    from rich.markup import escape

    text = f"{name} on {platform} is taken for {person.speaker}, who has the same name elsewhere."
    console.print(escape(text))
