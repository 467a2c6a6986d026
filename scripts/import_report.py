"""`greenroom import --report`: what every import kept and dropped, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from train.ledger import Entry


def print_report(data: Path, paths: list[Path], *, as_json: bool = False) -> None:
    """Print the ledger of all imports, or of those of `paths`; a UserError when there are none."""
    import msgspec
    from rich.console import Console

    from persona.errors import UserError
    from train.ledger import entries
    from train.store import open_store

    with open_store(data, create=False) as store:
        found = [entry for path in paths for entry in entries(store.db, path)] if paths else entries(store.db)
    if not found:
        where = " and ".join(map(str, paths)) or "this store"
        raise UserError(f"Nothing of {where} was imported yet.", "Import it: greenroom import PATH.")
    if as_json:
        rows = [msgspec.to_builtins(entry) | {"records": entry.records, "adds_up": entry.adds_up} for entry in found]
        print(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    console = Console()
    for entry in found:
        _print_entry(console, entry)


def _print_entry(console: Console, entry: Entry) -> None:
    import time

    from rich.markup import escape
    from rich.table import Table

    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.started))
    console.print(f"[bold]{escape(entry.path)}[/] ({entry.source}, {when}, {entry.status})")
    parts = f"{entry.folded:,} of them parts of messages, " if entry.folded else ""
    sums = "" if entry.adds_up else " [red]The reasons below do not add up to it.[/]"
    console.print(
        f"  {entry.records:,} records = {entry.kept:,} kept + {entry.dropped:,} dropped{sums}\n"
        f"  {parts}{entry.added:,} new, {entry.updated:,} updated"
    )
    if entry.tear:
        console.print(f"  breaks off: {escape(entry.tear)}")
    if entry.reasons:
        table = Table("dropped because", box=None, padding=(0, 2))
        table.add_column("records", justify="right")
        table.add_column("the first of them")
        for reason in entry.reasons:
            table.add_row(escape(reason.reason), f"{reason.count:,}", escape("; ".join(reason.places)))
        console.print(table)
    console.print()
