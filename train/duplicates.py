"""People who are probably one: the same number or address on two platforms, or names that say so."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import combinations

import msgspec

from train.accounts import phone_of
from train.contact_keys import Numbers, home_region, keys_of_people
from train.people import Person, normal_name, people


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
        if one != two and ((one, two) not in found or (certain and not found[one, two][1])):
            found[one, two] = reason, certain
    duplicates = []
    for (one, two), (reason, certain) in found.items():
        # A name is worth more than a number, then who wrote more.
        keep, other = sorted((one, two), key=lambda who: (-_has_words(by_id[who]), -written.get(who, 0), who))
        duplicates.append(Duplicate(by_id[keep], by_id[other], reason, certain))
    return sorted(duplicates, key=lambda one: (not one.certain, one.keep.speaker, one.other.speaker))


def _has_words(person: Person) -> bool:
    return person.has_name and phone_of(person.speaker) is None and "@" not in person.speaker


def _by_key(db: sqlite3.Connection) -> Iterator[tuple[tuple[int, int], str, bool]]:
    """Yield pairs who have a number or an address in common, and whether it can only be one person's.

    A family shares a telephone: two accounts of one platform that are named by different numbers stay two people.
    """
    holders = keys_of_people(db, home_region(db))
    numbers = Numbers(holders)
    for key, whose in holders.items():
        said = f"the same number, …{key.value[-4:]}" if key.kind != "email" else f"the same address, {key.value}"
        same = numbers.same(key)
        # Digits without a country that fit the numbers of two countries tell nothing for certain.
        clear = sum(other.kind == "phone" for other in same) < 2
        for one, two in combinations(dict.fromkeys([*whose, *(one for other in same for one in holders[other])]), 2):
            if one.person != two.person:
                both_named = one.platform == two.platform and one.is_account and two.is_account
                yield (one.person, two.person), said, clear and not both_named


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
