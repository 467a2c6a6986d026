"""`greenroom people`: who is in the message store; merge, rename, exclude, forget, say who the owner is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

people = typer.Typer(help="Who is in the message store.", invoke_without_command=True, no_args_is_help=False)

# Not the shared option: it takes GREENROOM_DATA itself, which must not outrank a --data given to `people`.
Data = Annotated[Path | None, typer.Option("--data", help="The private folder.", show_default="./data")]
Name = Annotated[str, typer.Argument(help="A speaker name, as the list shows it.")]


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@people.callback()
def list_people(
    context: typer.Context,
    owner: Annotated[str | None, typer.Option(help="Set the owner: your own name.")] = None,
    contacts: Annotated[Path | None, typer.Option(help="Name people by an address book, a vCard file.")] = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """List everybody with their accounts and how much they wrote where and when."""
    context.obj = data
    if owner is not None:
        set_owner(context, owner)
    if contacts is not None:
        use_contacts(context, contacts)
    if owner is None and contacts is None and context.invoked_subcommand is None:
        _print_list(data, as_json)


def _print_list(data: Path | None, as_json: bool) -> None:
    import msgspec
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from persona.paths import data_dir
    from train.people import counts
    from train.store import open_store

    with open_store(data_dir(data), create=False) as store:
        found = counts(store.db)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    table = Table()
    table.add_column("speaker", no_wrap=True, overflow="fold")
    table.add_column("accounts")
    table.add_column("messages", justify="right")
    table.add_column("chats")
    table.add_column("years")
    for one in found:
        chats = ", ".join(f"{chat} {number:,}" for chat, number in one.chats[:3])
        more = f", and {len(one.chats) - 3} more" if len(one.chats) > 3 else ""
        accounts = ", ".join(f"{platform}: {name}" for platform, name in one.accounts)
        marks = [word for word, is_so in (("owner", one.person.is_owner), ("excluded", one.person.excluded)) if is_so]
        speaker = one.person.speaker + (f" ({', '.join(marks)})" if marks else "")
        table.add_row(escape(speaker), escape(accounts), f"{one.messages:,}", escape(chats + more), _years(one.years))
    Console().print(table)


def _years(years: list[tuple[int, int]]) -> str:
    """Return the years from first to last with a bar for each: how much of the most was written in it."""
    if not years:
        return ""
    most, by_year = max(number for _, number in years), dict(years)
    span = range(years[0][0], years[-1][0] + 1)
    if len(span) > 40:
        return f"{span[0]} to {span[-1]}"
    bars = "".join(" ▁▂▃▄▅▆▇█"[-(-by_year.get(year, 0) * 8 // most)] for year in span)
    return f"{span[0]} {bars} {span[-1]}" if len(span) > 1 else str(span[0])


@people.command()
def show(context: typer.Context, name: Name, as_json: Json = False, data: Data = None) -> None:
    """Everything that is known about one person: accounts, and messages by chat and by year."""
    import msgspec
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from persona.paths import data_dir
    from train import people as who
    from train.store import open_store

    with open_store(data_dir(data or context.obj), create=False) as store:
        person = who.person_named(who.people(store.db), name)
        (one,) = [found for found in who.counts(store.db) if found.person.id == person.id]
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(one)).decode())
        return
    console = Console()
    console.print(f"[bold]{escape(person.speaker)}[/], {one.messages:,} messages")
    for platform, account in one.accounts:
        console.print(f"  {escape(platform)}: {escape(account)}")
    for title, rows in (("chat", one.chats), ("year", one.years)):
        table = Table(title)
        table.add_column("messages", justify="right")
        for key, number in rows:
            table.add_row(escape(str(key)), f"{number:,}")
        console.print(table)


@people.command()
def duplicates(
    context: typer.Context,
    take: Annotated[bool, typer.Option("--merge", help="Merge those with the same number or address.")] = False,
    data: Data = None,
) -> None:
    """Find people who are probably one, with the command that merges them."""
    import shlex

    from persona.paths import data_dir
    from train import people as who
    from train.duplicates import find_duplicates
    from train.store import open_store

    with open_store(data_dir(data or context.obj), create=False) as store:
        found = find_duplicates(store.db)
        while take and (sure := next((one for one in found if one.certain), None)):
            who.merge(store.db, sure.keep, sure.other)
            typer.echo(f"{sure.other.speaker} is {sure.keep.speaker} now: {sure.reason}.")
            found = find_duplicates(store.db)
    for one in found:
        names = shlex.join([one.keep.speaker, one.other.speaker])
        typer.echo(f"{'certain' if one.certain else 'perhaps'}: {one.reason}\n    greenroom people merge {names}")
    if not found:
        typer.echo("Nobody seems to be in here twice.")


@people.command("contacts")
def use_contacts(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="A vCard file (.vcf).")], data: Data = None
) -> None:
    """Name people by an address book, and make the accounts of one contact one person."""
    from persona.paths import data_dir
    from train.contacts import apply_contacts
    from train.store import open_store

    with open_store(data_dir(data or context.obj), create=False) as store:
        applied = apply_contacts(store.db, file)
    for old, new in applied.renamed:
        typer.echo(f"{old} is called {new} now.")
    for kept, other in applied.merged:
        typer.echo(f"{other} is {kept} now.")
    for problem in applied.unreadable:
        typer.echo(f"passed over, {problem}", err=True)
    typer.echo(f"{applied.cards} contacts: {len(applied.renamed)} names, {len(applied.merged)} merged.")


@people.command()
def exclude(context: typer.Context, name: Name, data: Data = None) -> None:
    """Keep somebody's words out of every dataset. The store keeps them."""
    _set_excluded(data or context.obj, name, excluded=True)


@people.command()
def include(context: typer.Context, name: Name, data: Data = None) -> None:
    """Let somebody's words into datasets again."""
    _set_excluded(data or context.obj, name, excluded=False)


def _set_excluded(data: Path | None, name: str, *, excluded: bool) -> None:
    from persona.paths import data_dir
    from train import people as who
    from train.store import open_store

    with open_store(data_dir(data), create=False) as store:
        person = who.person_named(who.people(store.db), name)
        who.exclude(store.db, person, excluded=excluded)
    typer.echo(f"{person.speaker} is {'in no dataset from now on' if excluded else 'in datasets again'}.")


@people.command()
def forget(
    context: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: Data = None,
) -> None:
    """Delete somebody from the store for good: their words, and personal chats with them. Imports stay without them."""
    from persona.errors import UserError
    from persona.paths import data_dir
    from train import people as who
    from train.store import open_store

    with open_store(data_dir(data or context.obj), create=False) as store:
        person = who.person_named(who.people(store.db), name)
        (one,) = [found for found in who.counts(store.db) if found.person.id == person.id]
        if not yes:
            question = (
                f"Delete {person.speaker}, their {one.messages:,} messages and the chats with them alone, for good?"
            )
            if not typer.confirm(question):
                raise UserError("Nothing was deleted.")
        deleted = store.forget(person)
    typer.echo(f"{deleted:,} messages are gone. Datasets and adapters made before still hold them: make those again.")


@people.command()
def remember(
    context: typer.Context,
    platform: Annotated[str, typer.Argument(help="telegram, whatsapp, …")],
    account: Annotated[str, typer.Argument(help="The account's id there.")],
    data: Data = None,
) -> None:
    """Let imports bring a forgotten account back."""
    from persona.errors import UserError
    from persona.paths import data_dir
    from train.store import open_store

    with open_store(data_dir(data or context.obj), create=False) as store:
        if not store.forgotten.remove(platform, account):
            raise UserError(f"{account} on {platform} was not forgotten.", "Write the id as the export has it.")
    typer.echo("The next import brings it back.")


@people.command()
def split(
    context: typer.Context,
    name: Name,
    account: Annotated[str, typer.Argument(help="The account's name or id.")],
    data: Data = None,
) -> None:
    """Undo a merge: one of somebody's accounts becomes a person of its own."""
    from persona.paths import data_dir
    from train import people as who
    from train.store import open_store

    with open_store(data_dir(data or context.obj), create=False) as store:
        person = who.person_named(who.people(store.db), name)
        alone = who.split(store.db, person, account)
    typer.echo(f"{alone} is somebody else than {person.speaker} now.")


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
def merge(
    context: typer.Context,
    name: Name,
    others: Annotated[list[str], typer.Argument(help="Who is the same person.")],
    data: Data = None,
) -> None:
    """Make people one: the first keeps the name and gets the others' accounts."""
    from persona.paths import data_dir
    from train import people as who
    from train.store import open_store

    with open_store(data_dir(data or context.obj), create=False) as store:
        known = who.people(store.db)
        first, *rest = [who.person_named(known, one) for one in (name, *others)]
        for other in rest:
            who.merge(store.db, first, other)
    for other in rest:
        typer.echo(f"{other.speaker} is {first.speaker} now.")


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
