"""`greenroom import PATH…`: read chat exports into the message store."""

from __future__ import annotations

import sys
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
    from train.store import Store


def import_exports(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Exports: files, archives, or folders to search for them.")
    ] = None,
    data: Data = None,
    source: Annotated[str | None, typer.Option(help="The format of the exports, when it is not recognised.")] = None,
    timezone: Annotated[
        str | None,
        typer.Option(help="Zone of exports that print local time: Europe/Berlin. Otherwise this machine's."),
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Your own name, as the exports write it.")] = None,
    disappearing: Annotated[
        bool, typer.Option("--disappearing", help="Keep messages too that were sent to disappear.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Read nothing: show what earlier imports (of PATHS) kept and dropped.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --report: print JSON.")] = False,
) -> None:
    """Read chat exports into the message store. Reading one again adds only what is new."""
    from rich.console import Console

    from persona.errors import UserError
    from persona.paths import data_dir
    from scripts.import_report import print_report
    from train import people
    from train.importing import check_zone, find_exports, import_paths
    from train.messages import Reading
    from train.sources import source_named
    from train.store import open_store

    if report:
        print_report(data_dir(data), paths or [], as_json=as_json)
        return
    if not paths:
        raise UserError("There is nothing to import.", "Name an export, or a folder with exports in it.")
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
                reading=Reading(timezone=timezone, owner=owner, progress=on_bytes, disappearing=disappearing),
                on_start=on_start,
            )
        for done in reports:
            _print_report(console, done)
        for platform, name, person in store.joined:
            _print_joined(console, platform, name, person)
        if owner is not None:
            people.set_owner(store.db, people.person_named(people.people(store.db), owner))
        if not any(person.is_owner for person in people.people(store.db)):
            _ask_for_owner(console, store)
    failed = [done.error for done in reports if done.error is not None]
    for error in failed[1:]:
        print(f"greenroom: {error}", file=sys.stderr)
    if failed:
        raise failed[0]
    for done in reports:
        if done.tear is not None:
            raise UserError(
                f"{done.path} breaks off at {done.tear.place}: {done.tear.detail}. What came before is kept.",
                "Export it again and import that: only what is missing is added.",
            )


def _ask_for_owner(console: Console, store: Store) -> None:
    """Ask who the person at the terminal is; elsewhere say how to tell."""
    from rich.markup import escape
    from rich.prompt import IntPrompt

    from train.people import likely_owners, set_owner

    likely = likely_owners(store.db)[:9]
    if not likely or not (sys.stdin.isatty() and console.is_terminal):
        console.print("Whose history this is was not found. Say so with: greenroom people owner NAME")
        return
    console.print("Whose history is this? Which one are you?")
    for number, person in enumerate(likely, 1):
        console.print(f"  {number}  {escape(person.speaker)}")
    console.print("  0  none of these, or later")
    chosen = IntPrompt.ask("number", choices=[str(number) for number in range(len(likely) + 1)], default=0)
    if chosen:
        set_owner(store.db, likely[chosen - 1])


SHOWN_CHATS = 30
"""Rows of the table at the end; `greenroom people` has everybody."""


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
    for chat in chats[:SHOWN_CHATS]:
        why = ", ".join(f"{reason} {count:,}" for reason, count in sorted(chat.dropped.items()))
        numbers = (chat.kept, chat.added, chat.updated, chat.dropped.total())
        table.add_row(escape(chat.name or "(no chat)"), *(f"{number:,}" for number in numbers), escape(why))
    if len(chats) > SHOWN_CHATS:
        rest = chats[SHOWN_CHATS:]
        sums = (sum(c.kept for c in rest), sum(c.added for c in rest), sum(c.updated for c in rest))
        dropped = sum(chat.dropped.total() for chat in rest)
        table.add_row(f"{len(rest):,} more chats", *(f"{number:,}" for number in (*sums, dropped)), "")
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
