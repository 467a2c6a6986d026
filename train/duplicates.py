"""People who are probably one: the same number or address on two platforms, or names that say so."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import combinations

import msgspec
import phonenumbers

from train.accounts import phone_of
from train.people import Person, normal_name, people

MIN_DIGITS = 9
"""So many last digits of two numbers are the same only if the numbers are, whatever stands before them."""


class Duplicate(msgspec.Struct, frozen=True):
    """Two people who may be one, why, and whether that is certain enough to merge without looking."""

    keep: Person
    other: Person
    reason: str
    certain: bool


def find_duplicates(db: sqlite3.Connection) -> list[Duplicate]:
    """Return pairs of people who are likely one, certain ones first; of a pair the one who wrote more is kept."""
    by_id = {person.id: person for person in people(db)}
    written = dict(
        db.execute(
            "SELECT a.person_id, count(*) FROM messages m JOIN accounts a ON a.id = m.sender_id GROUP BY a.person_id"
        ).fetchall()
    )
    found: dict[tuple[int, int], tuple[str, bool]] = {}
    for pair, reason, certain in [*_by_key(db), *_by_name(db)]:
        one, two = sorted(pair)
        if one != two and found.get((one, two), ("", False))[1] <= certain and (one, two) not in found:
            found[one, two] = reason, certain
    duplicates = []
    for (one, two), (reason, certain) in found.items():
        # A name is worth more than a number, then who wrote more.
        keep, other = sorted((one, two), key=lambda who: (-_has_words(by_id[who]), -written.get(who, 0), who))
        duplicates.append(Duplicate(by_id[keep], by_id[other], reason, certain))
    return sorted(duplicates, key=lambda one: (not one.certain, one.keep.speaker, one.other.speaker))


def _has_words(person: Person) -> bool:
    return person.has_name and phone_of(person.speaker) is None and "@" not in person.speaker


def phone_key(printed: str, region: str | None) -> str:
    """Return a number in E.164 where its country is known, else its digits."""
    try:
        number = phonenumbers.parse(printed, region)
        if phonenumbers.is_possible_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        pass
    return re.sub(r"\D", "", printed)


def _by_key(db: sqlite3.Connection) -> Iterator[tuple[tuple[int, int], str, bool]]:
    keys = db.execute(
        "SELECT a.person_id, k.kind, k.value FROM account_keys k JOIN accounts a ON a.id = k.account_id"
    ).fetchall()
    for person, account in db.execute("SELECT person_id, account FROM accounts").fetchall():
        if phone_of(account) and len(account) >= MIN_DIGITS:
            keys.append((person, "phone", account))
        elif re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]{2,}", account):
            keys.append((person, "email", account))
    region = _home_region(db)
    people_of: dict[tuple[str, str], set[int]] = {}
    for person, kind, value in keys:
        key = phone_key(value, region)[-MIN_DIGITS:] if kind == "phone" else value.casefold()
        if kind == "email" or len(key) >= MIN_DIGITS:
            people_of.setdefault((kind, key), set()).add(person)
    for (kind, key), whose in people_of.items():
        said = f"the same number, …{key[-4:]}" if kind == "phone" else f"the same address, {key}"
        for pair in combinations(sorted(whose), 2):
            yield pair, said, True


def _home_region(db: sqlite3.Connection) -> str | None:
    """Return the country of the owner's own number, in which numbers without one are read."""
    rows = db.execute(
        "SELECT k.value FROM account_keys k JOIN accounts a ON a.id = k.account_id "
        "JOIN people p ON p.id = a.person_id WHERE k.kind = 'phone' AND p.is_owner"
    )
    for (value,) in rows:
        try:
            return str(phonenumbers.region_code_for_number(phonenumbers.parse(value, None)))
        except phonenumbers.NumberParseException:
            continue
    return None


def _by_name(db: sqlite3.Connection) -> Iterator[tuple[tuple[int, int], str, bool]]:
    rows = db.execute("SELECT person_id, platform, name FROM accounts WHERE name IS NOT NULL").fetchall()
    by_words: dict[tuple[str, ...], set[int]] = {}
    by_first: dict[str, set[int]] = {}
    platforms: dict[int, set[str]] = {}
    single: set[int] = set()
    for person, platform, name in rows:
        words = tuple(sorted(re.findall(r"[^\W\d_]+", normal_name(name))))
        platforms.setdefault(person, set()).add(platform)
        if words:
            by_words.setdefault(words, set()).add(person)
            by_first.setdefault(normal_name(name).split()[0], set()).add(person)
            if len(words) == 1:
                single.add(person)
    for words, whose in by_words.items():
        for pair in _apart(whose, platforms):
            yield pair, f"the same name, {' '.join(words)}", False
    for first, whose in by_first.items():
        for one, two in _apart(whose, platforms):
            # A first name alone, and one longer name that begins with it: with several it could be any of them.
            if (one in single) != (two in single) and len(whose) == 2:
                yield (one, two), f"perhaps the same {first}", False


def _apart(whose: Iterable[int], platforms: dict[int, set[str]]) -> Iterator[tuple[int, int]]:
    """Yield the pairs who share no platform: two accounts of one platform are two people more often than not."""
    for one, two in combinations(sorted(whose), 2):
        if not platforms[one] & platforms[two]:
            yield one, two
