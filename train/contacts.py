"""Names for the people of a store out of an address book: vCards, as phones and mail programs export them."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import vobject

from persona.errors import UserError
from persona.names import clean_name
from train.accounts import phone_of
from train.duplicates import MIN_DIGITS, phone_key
from train.people import merge, people, rename

_CARD = re.compile(r"^BEGIN:VCARD\s*$.*?^END:VCARD\s*$", re.MULTILINE | re.DOTALL | re.IGNORECASE)


class Contact(msgspec.Struct, frozen=True):
    """One card: a name, and the numbers and addresses it holds."""

    name: str
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


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
        text = path.read_bytes().decode("utf-8-sig", "replace").replace("\r\n", "\n")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "Look at the path.") from error
    cards = list(_CARD.finditer(text))
    if not cards:
        raise UserError(f"There is no contact in {path}.", "Export the address book as vCard (.vcf).")
    for found in cards:
        try:
            card = vobject.readOne(found[0], allowQP=True, ignoreUnreadable=True)
            fields = card.contents
            name = next((str(one.value) for one in fields.get("fn", []) if str(one.value).strip()), "")
            if not name and "n" in fields:
                name = " ".join(filter(None, (fields["n"][0].value.given, fields["n"][0].value.family)))
        except Exception as error:  # vobject raises whatever its parts do on a broken card
            line = text.count("\n", 0, found.start()) + 1
            unreadable.append(f"line {line}: {error}")
            continue
        phones = tuple(str(one.value) for one in fields.get("tel", []))
        emails = tuple(str(one.value).strip().casefold() for one in fields.get("email", []))
        if clean_name(name):
            yield Contact(clean_name(name), phones, emails)


def apply_contacts(db: sqlite3.Connection, path: Path) -> Applied:
    """Name people by their contacts, and make the accounts of one contact one person.

    Names given by hand stay, and so do names that people gave themselves: a contact names those who are known by a
    number or an address alone.
    """
    applied = Applied()
    for contact in read_contacts(path, applied.unreadable):
        applied.cards += 1
        wanted = {("phone", phone_key(one, None)[-MIN_DIGITS:]) for one in contact.phones if phone_of(one)}
        wanted |= {("email", one) for one in contact.emails}
        whose = [person for person, keys in _keys(db).items() if keys & wanted]
        if not whose:
            continue
        known = {person.id: person for person in people(db)}
        first, *others = sorted((known[one] for one in whose), key=lambda one: (not one.is_owner, one.id))
        for other in others:
            merge(db, first, other)
            applied.merged.append((first.speaker, other.speaker))
        by_hand = db.execute("SELECT named_by_hand, name FROM people WHERE id = ?", [first.id]).fetchone()
        nameless = by_hand[1] is None or phone_of(by_hand[1]) is not None or "@" in by_hand[1]
        if nameless and contact.name != first.speaker:
            try:
                rename(db, first, contact.name)
            except UserError:
                applied.unreadable.append(f"{contact.name}: somebody else has this name")
                continue
            applied.renamed.append((first.speaker, contact.name))
    return applied


def _keys(db: sqlite3.Connection) -> dict[int, set[tuple[str, str]]]:
    rows = db.execute(
        "SELECT a.person_id, k.kind, k.value FROM account_keys k JOIN accounts a ON a.id = k.account_id "
        "UNION SELECT person_id, iif(instr(account, '@'), 'email', 'phone'), account FROM accounts"
    )
    found: dict[int, set[tuple[str, str]]] = {}
    for person, kind, value in rows:
        key = phone_key(value, None)[-MIN_DIGITS:] if kind == "phone" else value.casefold()
        if kind == "email" or len(key) >= MIN_DIGITS:
            found.setdefault(person, set()).add((kind, key))
    return found
