"""`greenroom people`: who is in the message store; merge, rename, say who the owner is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

people = typer.Typer(help="Who is in the message store.", invoke_without_command=True, no_args_is_help=False)

# Not the shared option: it takes GREENROOM_DATA itself, which must not outrank a --data given to `people`.
Data = Annotated[Path | None, typer.Option("--data", help="The private folder.", show_default="./data")]
Name = Annotated[str, typer.Argument(help="A speaker name, as the list shows it.")]


@people.callback()
def list_people(
    context: typer.Context,
    owner: Annotated[str | None, typer.Option(help="Set the owner: your own name.")] = None,
    data: Data = None,
) -> None:
    """List everybody with their accounts and how much they wrote where."""
    context.obj = data
    if owner is not None:
        set_owner(context, owner)
    elif context.invoked_subcommand is None:
        _print_list(data)


def _print_list(data: Path | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from persona.paths import data_dir
    from train.people import counts
    from train.store import open_store

    with open_store(data_dir(data), create=False) as store:
        found = counts(store.db)
    table = Table("speaker", "accounts")
    table.add_column("messages", justify="right")
    table.add_column("chats")
    for one in found:
        chats = ", ".join(f"{chat} {number:,}" for chat, number in one.chats[:3])
        more = f", and {len(one.chats) - 3} more" if len(one.chats) > 3 else ""
        accounts = ", ".join(f"{platform}: {name}" for platform, name in one.accounts)
        speaker = one.person.speaker + (" (owner)" if one.person.is_owner else "")
        table.add_row(escape(speaker), escape(accounts), f"{one.messages:,}", escape(chats + more))
    Console().print(table)


@people.command("owner")
def set_owner(context: typer.Context, name: Name, data: Data = None) -> None:
    """Say whose history this is."""
    from persona.paths import data_dir
    from train import people as who
    from train.store import open_store

    with open_store(data_dir(data or context.obj), create=False) as store:
        person = who.person_named(who.people(store.db), name)
        who.set_owner(store.db, person)
    typer.echo(f"{person.speaker} is the owner.")


@people.command()
def merge(context: typer.Context, name: Name, other: Name, data: Data = None) -> None:
    """Make two people one: the first keeps the name and gets the other's accounts."""
    from persona.paths import data_dir
    from train import people as who
    from train.store import open_store

    with open_store(data_dir(data or context.obj), create=False) as store:
        known = who.people(store.db)
        first, second = who.person_named(known, name), who.person_named(known, other)
        who.merge(store.db, first, second)
    typer.echo(f"{second.speaker} is {first.speaker} now.")


@people.command()
def rename(
    context: typer.Context,
    name: Name,
    new: Annotated[str, typer.Argument(help="The name to use from now on.")],
    data: Data = None,
) -> None:
    """Call somebody by another name in datasets and prompts."""
    from persona.paths import data_dir
    from train import people as who
    from train.store import open_store

    with open_store(data_dir(data or context.obj), create=False) as store:
        person = who.person_named(who.people(store.db), name)
        who.rename(store.db, person, new)
    typer.echo(f"{person.speaker} is called {new} now.")
