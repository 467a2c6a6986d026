"""Who is in the message store: people, the accounts they write from, and the names they go by.

A person has one speaker name and any number of accounts. Accounts of different platforms with the same
display name are taken for one person; two accounts of one platform never are, since those are two people
who share a name more often than not.
"""

import difflib
import sqlite3
import unicodedata
from collections import Counter
from collections.abc import Iterable

import msgspec

from persona.errors import UserError
from persona.names import clean_name

NAMELESS = "Deleted Account"
"""What people without a name are called, as Telegram does."""


class Person(msgspec.Struct, frozen=True):
    """One person. `speaker` is the name used in prompts: no two people of a store share one."""

    id: int
    speaker: str
    is_owner: bool = False
    has_name: bool = True
    excluded: bool = False
    """Whether their words are kept out of every dataset."""


class PersonCounts(msgspec.Struct, frozen=True):
    """A person with the accounts they write from, and messages by chat name, most first, and by year."""

    person: Person
    accounts: list[tuple[str, str]]
    messages: int
    chats: list[tuple[str, int]]
    years: list[tuple[int, int]]
    """Messages by year, the oldest first."""


def normal_name(name: str) -> str:
    """Return a display name as it is compared: no case, no invisible characters, single spaces."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join("".join(c for c in folded if unicodedata.category(c) != "Cf").split())


def attach_account(db: sqlite3.Connection, platform: str, account: str, name: str | None) -> tuple[int, Person | None]:
    """Return the row id of an account, making it when it is new, and keep its newest name.

    The second value is the person it was joined to because an account of theirs on another platform has
    the same name; None when it was known, or made a person of its own.
    """
    found = db.execute(
        "SELECT id, name, person_id FROM accounts WHERE platform = ? AND account = ?", [platform, account]
    ).fetchone()
    if found is not None:
        row_id, old_name, person_id = found
        if name is None or name == old_name:
            return row_id, None
        # An account can be known before its name is: the owner's, from the export's own header.
        namesake = _namesake(db, platform, name) if old_name is None else None
        db.execute("UPDATE accounts SET name = ? WHERE id = ?", [name, row_id])
        if namesake is not None and _has_one_account(db, person_id):
            _move_accounts(db, person_id, namesake.id)
            return row_id, namesake
        db.execute("UPDATE people SET name = ? WHERE id = ? AND NOT named_by_hand", [name, person_id])
        return row_id, None
    joined = _namesake(db, platform, name)
    person_id = joined.id if joined else _new_person(db, name)
    cursor = db.execute(
        "INSERT INTO accounts (platform, account, name, person_id) VALUES (?, ?, ?, ?)",
        [platform, account, name, person_id],
    )
    return int(cursor.lastrowid or 0), joined


def _new_person(db: sqlite3.Connection, name: str | None) -> int:
    return int(db.execute("INSERT INTO people (name) VALUES (?)", [name]).lastrowid or 0)


def _has_one_account(db: sqlite3.Connection, person_id: int) -> bool:
    query = "SELECT count(*) FROM accounts WHERE person_id = ?"
    return bool(db.execute(query, [person_id]).fetchone()[0] == 1)


def _move_accounts(db: sqlite3.Connection, old: int, new: int) -> None:
    """Give every account of one person to another, with being the owner and being excluded, and remove the first."""
    db.execute("UPDATE accounts SET person_id = ? WHERE person_id = ?", [new, old])
    for mark in ("is_owner", "excluded"):
        db.execute(
            f"UPDATE people SET {mark} = 1 WHERE id = ? AND (SELECT {mark} FROM people WHERE id = ?)", [new, old]
        )
    db.execute("DELETE FROM people WHERE id = ?", [old])


def _namesake(db: sqlite3.Connection, platform: str, name: str | None) -> Person | None:
    """Return the one person of another platform who goes by `name`, if there is exactly one."""
    if name is None or not normal_name(name):
        return None
    rows = db.execute(
        "SELECT p.id, a.name, p.is_owner FROM people p JOIN accounts a ON a.person_id = p.id "
        "WHERE NOT EXISTS (SELECT 1 FROM accounts own WHERE own.person_id = p.id AND own.platform = ?)",
        [platform],
    )
    wanted = normal_name(name)
    same = {row[0]: row for row in rows if row[1] is not None and normal_name(row[1]) == wanted}
    if len(same) != 1:
        return None
    ((person_id, label, is_owner),) = same.values()
    return Person(person_id, clean_name(label) or NAMELESS, bool(is_owner))


def people(db: sqlite3.Connection) -> list[Person]:
    """Return everybody with the speaker name they go by, in the order they were first seen.

    The first of several with one name keeps it; the others get a number: "Alex Doe 2".
    """
    rows = db.execute("SELECT id, name, is_owner, excluded FROM people ORDER BY id").fetchall()
    names = [clean_name(row[1] or "") for row in rows]
    plain = {_key(name or NAMELESS) for name in names}
    used: set[str] = set()
    found = []
    for (person_id, _, is_owner, excluded), name in zip(rows, names, strict=True):
        speaker = _free_name(name or NAMELESS, used, plain)
        used.add(_key(speaker))
        found.append(Person(person_id, speaker, bool(is_owner), bool(name), bool(excluded)))
    return found


def _free_name(name: str, used: set[str], plain: set[str]) -> str:
    if _key(name) not in used:
        return name
    number = 2
    # A number that somebody's own name ends in is theirs.
    while _key(f"{name} {number}") in used | plain:
        number += 1
    return f"{name} {number}"


def _key(name: str) -> str:
    return name.casefold()


def person_named(known: Iterable[Person], name: str) -> Person:
    """Return the person whose speaker name is `name`; a UserError suggests names that are near."""
    by_name = {normal_name(person.speaker): person for person in known}
    wanted = normal_name(name)
    if wanted in by_name:
        return by_name[wanted]
    near = difflib.get_close_matches(wanted, by_name, n=3, cutoff=0.5)
    near += [key for key in by_name if wanted and wanted in key and key not in near][: 3 - len(near)]
    hint = "See who is in it: greenroom people."
    if near:
        hint = "Did you mean " + " or ".join(repr(by_name[key].speaker) for key in near) + "?"
    raise UserError(f"Nobody in the message store is called {name!r}.", hint)


def set_owner(db: sqlite3.Connection, person: Person) -> None:
    """Make `person` the owner of the history: the only one."""
    db.execute("UPDATE people SET is_owner = (id = ?)", [person.id])


def set_owner_account(db: sqlite3.Connection, account_row: int) -> None:
    """Make the person behind an account the owner, unless somebody is already."""
    if db.execute("SELECT 1 FROM people WHERE is_owner").fetchone() is None:
        db.execute(
            "UPDATE people SET is_owner = 1 WHERE id = (SELECT person_id FROM accounts WHERE id = ?)",
            [account_row],
        )


def owner_names(db: sqlite3.Connection) -> tuple[str, ...]:
    """Return every display name of the owner's accounts; empty when nobody is the owner yet."""
    rows = db.execute(
        "SELECT DISTINCT a.name FROM accounts a JOIN people p ON p.id = a.person_id "
        "WHERE p.is_owner AND a.name IS NOT NULL ORDER BY a.name"
    )
    return tuple(row[0] for row in rows)


def merge(db: sqlite3.Connection, keep: Person, other: Person) -> None:
    """Make two people one: every account of `other` becomes one of `keep`, whose name stays."""
    if keep.id == other.id:
        raise UserError(f"{keep.speaker!r} is one person already.", "Name two different people.")
    _move_accounts(db, other.id, keep.id)
    # A merged person is called what they were called when they were merged, whatever a later export says.
    db.execute(
        "UPDATE people SET name = ?, named_by_hand = 1 WHERE id = ?",
        [keep.speaker if keep.has_name else None, keep.id],
    )


def rename(db: sqlite3.Connection, person: Person, name: str) -> None:
    """Call `person` by another speaker name, for good; it must be readable and nobody else's."""
    speaker = clean_name(name)
    if not speaker:
        raise UserError(f"{name!r} has nothing readable in it.", "Choose another name.")
    if any(_key(other.speaker) == _key(speaker) and other.id != person.id for other in people(db)):
        raise UserError(
            f"Somebody else is called {speaker!r}.",
            "If they are one person: greenroom people merge. Otherwise choose another name.",
        )
    db.execute("UPDATE people SET name = ?, named_by_hand = 1 WHERE id = ?", [speaker, person.id])


def exclude(db: sqlite3.Connection, person: Person, *, excluded: bool = True) -> None:
    """Keep a person's words out of every dataset from now on, or let them in again."""
    db.execute("UPDATE people SET excluded = ? WHERE id = ?", [excluded, person.id])


def split(db: sqlite3.Connection, person: Person, account: str) -> str:
    """Make one account of a person somebody of their own again, and return the account's name.

    The account is told by its name or its id. Raises UserError when the person has no such account, or no other.
    """
    rows = db.execute("SELECT id, platform, account, name FROM accounts WHERE person_id = ?", [person.id]).fetchall()
    wanted = normal_name(account)
    found = [row for row in rows if wanted in (normal_name(row[2]), normal_name(row[3] or ""))]
    if not found:
        names = ", ".join(f"{row[1]}: {row[3] or row[2]}" for row in rows)
        raise UserError(f"{person.speaker!r} has no account {account!r}.", f"There are: {names}.")
    if len(rows) == 1:
        raise UserError(f"{person.speaker!r} has this account alone.", "There is nothing to split off.")
    row_id, _, key, name = found[0]
    db.execute("UPDATE accounts SET person_id = ? WHERE id = ?", [_new_person(db, name), row_id])
    return str(name or key)


def likely_owners(db: sqlite3.Connection) -> list[Person]:
    """Return who may be the owner, the likeliest first: those who wrote in most chats."""
    rows = db.execute(
        "SELECT a.person_id FROM messages m JOIN accounts a ON a.id = m.sender_id "
        "GROUP BY a.person_id ORDER BY count(DISTINCT m.chat_id) DESC, count(*) DESC"
    )
    by_id = {person.id: person for person in people(db)}
    return [by_id[row[0]] for row in rows.fetchall()]


def counts(db: sqlite3.Connection) -> list[PersonCounts]:
    """Return everybody with their accounts and messages by chat, those who wrote most first."""
    accounts: dict[int, list[tuple[str, str]]] = {}
    for person_id, platform, name in db.execute(
        "SELECT person_id, platform, coalesce(name, account) FROM accounts ORDER BY id"
    ):
        accounts.setdefault(person_id, []).append((platform, name))
    chats: dict[int, Counter[str]] = {}
    years: dict[int, Counter[int]] = {}
    for person_id, chat, year, number in db.execute(
        "SELECT a.person_id, coalesce(c.name, c.chat), strftime('%Y', m.time_ms / 1000, 'unixepoch') AS year, count(*) "
        "FROM messages m JOIN accounts a ON a.id = m.sender_id JOIN chats c ON c.id = m.chat_id "
        "WHERE m.kind != 'service' GROUP BY a.person_id, c.id, year"
    ):
        chats.setdefault(person_id, Counter())[chat] += number
        years.setdefault(person_id, Counter())[int(year or 0)] += number
    found = [
        PersonCounts(
            person,
            accounts.get(person.id, []),
            chats.get(person.id, Counter()).total(),
            chats.get(person.id, Counter()).most_common(),
            sorted(years.get(person.id, Counter()).items()),
        )
        for person in people(db)
    ]
    return sorted(found, key=lambda one: (-one.messages, one.person.id))
