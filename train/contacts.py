"""Names for the people of a store out of an address book: vCards, as phones and mail programs export them."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from persona.errors import UserError
from train.accounts import phone_of
from train.contact_keys import Key, Numbers, email_key, home_region, keys_of_people, phone_key
from train.people import merge, people, rename
from train.vcards import BadCard, Contact, read_cards


class Applied(msgspec.Struct):
    """What an address book changed: (old name, new name), (kept, merged) and the cards that could not be read."""

    renamed: list[tuple[str, str]] = msgspec.field(default_factory=list)
    merged: list[tuple[str, str]] = msgspec.field(default_factory=list)
    unreadable: list[str] = msgspec.field(default_factory=list)
    cards: int = 0


def read_contacts(path: Path, unreadable: list[str]) -> Iterator[Contact]:
    """Yield the cards of a file; of those that cannot be read the line is added to `unreadable`.

    Raises UserError when there is no card in it.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "Look at the path.") from error
    empty = True
    for card in read_cards(raw):
        empty = False
        if isinstance(card, BadCard):
            unreadable.append(f"line {card.line}: {card.reason}")
        else:
            yield card
    if empty:
        raise UserError(f"There is no contact in {path}.", "Export the address book as vCard (.vcf).")


def apply_contacts(db: sqlite3.Connection, path: Path) -> Applied:
    """Name people by their contacts, and make the accounts of one contact one person.

    Names given by hand stay, and so do names that people gave themselves: a contact names those who are known by a
    number or an address alone. What stands in the cards of two people (a family's telephone) merges nobody.
    """
    applied = Applied()
    region = home_region(db)
    cards = [(card, _keys_of(card, region)) for card in read_contacts(path, applied.unreadable)]
    applied.cards = len(cards)
    holders = keys_of_people(db, region)
    numbers = Numbers(holders)
    names_of: dict[Key, set[str]] = {}
    for card, keys in cards:
        for key in keys:
            names_of.setdefault(key, set()).add(card.name.casefold())
    merged_into: dict[int, int] = {}
    for card, keys in cards:
        own = [key for key in keys if len(names_of[key]) == 1]
        found = (one.person for key in own for same in numbers.same(key) for one in holders[same])
        whose = {_now(person, merged_into) for person in found}
        if whose:
            _apply(db, card, whose, merged_into, applied)
    return applied


def _keys_of(card: Contact, region: str | None) -> set[Key]:
    found = [*(phone_key(one, region) for one in card.phones), *map(email_key, card.emails)]
    return {key for key in found if key is not None}


def _now(person: int, merged_into: dict[int, int]) -> int:
    """Return who a person is by now."""
    while person in merged_into:
        person = merged_into[person]
    return person


def _apply(
    db: sqlite3.Connection, card: Contact, whose: set[int], merged_into: dict[int, int], applied: Applied
) -> None:
    known = {person.id: person for person in people(db)}
    first, *others = sorted((known[one] for one in whose), key=lambda one: (not one.is_owner, one.id))
    for other in others:
        merge(db, first, other)
        merged_into[other.id] = first.id
        applied.merged.append((first.speaker, other.speaker))
    _, name = db.execute("SELECT named_by_hand, name FROM people WHERE id = ?", [first.id]).fetchone()
    nameless = name is None or phone_of(name) is not None or "@" in name
    if not nameless or card.name == first.speaker:
        return
    try:
        rename(db, first, card.name)
    except UserError:
        applied.unreadable.append(f"{card.name}: somebody else has this name")
        return
    applied.renamed.append((first.speaker, card.name))
