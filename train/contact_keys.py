"""Which phone numbers and e-mail addresses people have, and which of two differently printed ones are the same.

A number is compared in E.164 (`+491701234567`) where its country is known: it is printed with one, or the owner's own
numbers tell in which country the rest are dialled. Where it is not, its digits without leading zeros are compared
with the end of the others.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable

import msgspec
import phonenumbers

from train.accounts import phone_of

MIN_DIGITS = 9
"""So many last digits are the same in two numbers only if the numbers are; shorter ones of no country tell nothing."""
_MIN_NATIONAL = 7
"""Below it are the short numbers of services, which every country gives to somebody else."""
_DIALLED_PLUS = re.compile(r"^(?:tel:)?\s*(?:00|\+)\s*", re.IGNORECASE)
_PHONE_PLATFORMS = frozenset({"sms", "imessage", "whatsapp", "signal"})
"""Where an account of digits is a phone number. Elsewhere it is a number of the platform's."""
_EMAIL = re.compile(r"[^@\s<>\"]+@[^@\s<>\"]+\.[^\W\d_]{2,}")
# WhatsApp's own names for accounts look like addresses.
_NOT_EMAIL = re.compile(r"@(s\.whatsapp\.net|c\.us|g\.us|lid|broadcast|newsletter)$")


class Key(msgspec.Struct, frozen=True):
    """What tells a person: an e-mail address, a number in E.164, or (`national`) digits of an unknown country."""

    kind: str
    value: str


def phone_key(printed: str, region: str | None) -> Key | None:
    """Return how a printed number is compared; None for what is no number, and for those of services."""
    # 00 stands for the plus wherever it is not the beginning of a number at home, where none begins with it.
    text = _DIALLED_PLUS.sub("+", printed.strip())
    digits = phonenumbers.normalize_digits_only(text).lstrip("0")
    number = _parsed(text, region)
    if number is not None and not text.startswith(("+", "0")):
        # Some exports write numbers with their country and without the plus.
        whole = _parsed(f"+{digits}", None)
        if whole is not None and phonenumbers.is_valid_number(whole):
            own = whole.country_code == number.country_code or not phonenumbers.is_valid_number(number)
            number = whole if own else number
    if number is not None and _is_whole(number):
        # Extensions tell the people of one company apart.
        end = f";{number.extension}" if number.extension else ""
        return Key("phone", f"+{number.country_code}{phonenumbers.national_significant_number(number)}{end}")
    # E.164 has fifteen digits at most.
    is_number = phone_of(text) is not None and MIN_DIGITS <= len(digits) <= 15
    return Key("national", digits) if is_number else None


def _parsed(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _is_whole(number: phonenumbers.PhoneNumber) -> bool:
    """Return whether a number can be dialled from abroad: local ones and those of services cannot."""
    possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    return possible and len(phonenumbers.national_significant_number(number)) >= _MIN_NATIONAL


def email_key(printed: str) -> Key | None:
    """Return how an address is compared; None for what is none."""
    address = re.sub(r"^mailto:", "", printed.strip(), flags=re.IGNORECASE).casefold()
    return Key("email", address) if _EMAIL.fullmatch(address) and not _NOT_EMAIL.search(address) else None


def home_region(db: sqlite3.Connection) -> str | None:
    """Return the country (`DE`) of the owner's own numbers, in which numbers without one are dialled."""
    rows = db.execute(
        "SELECT k.value FROM account_keys k JOIN accounts a ON a.id = k.account_id "
        "JOIN people p ON p.id = a.person_id WHERE k.kind = 'phone' AND p.is_owner "
        "UNION ALL SELECT a.account FROM accounts a JOIN people p ON p.id = a.person_id WHERE p.is_owner"
    )
    found = Counter[str]()
    for (printed,) in rows:
        key = phone_key(printed, None) if printed.startswith(("+", "00")) else None
        if key is not None and key.kind == "phone":
            region = phonenumbers.region_code_for_number(phonenumbers.parse(key.value.partition(";")[0], None))
            found.update([region] if region else [])
    return found.most_common(1)[0][0] if found else None


class Holder(msgspec.Struct, frozen=True):
    """Somebody who has a number or an address, on which platform, and whether their account is named by it."""

    person: int
    platform: str
    is_account: bool


def keys_of_people(db: sqlite3.Connection, region: str | None) -> dict[Key, list[Holder]]:
    """Return who has each number and address, those that accounts are named by included."""
    found: dict[Key, dict[tuple[int, str], bool]] = {}
    rows = db.execute(
        "SELECT a.person_id, a.platform, k.kind, k.value FROM account_keys k JOIN accounts a ON a.id = k.account_id "
        "UNION ALL SELECT person_id, platform, 'account', account FROM accounts"
    )
    for person, platform, kind, value in rows:
        if kind == "account":
            dialled = value.startswith("+") or platform in _PHONE_PLATFORMS
            key = email_key(value) or (phone_key(value, region) if dialled else None)
        else:
            key = email_key(value) if kind == "email" else phone_key(value, region)
        if key is not None:
            holders = found.setdefault(key, {})
            holders[person, platform] = holders.get((person, platform), False) or kind == "account"
    return {key: [Holder(*who, named) for who, named in whose.items()] for key, whose in found.items()}


class Numbers:
    """Finds a number among others that were printed with more, or less, in front of it."""

    def __init__(self, keys: Iterable[Key]) -> None:
        """Look among `keys`; addresses are found only as they are."""
        self._keys = frozenset(keys)
        self._by_end: dict[str, list[Key]] = {}
        for key in self._keys:
            if key.kind != "email":
                self._by_end.setdefault(key.value[-MIN_DIGITS:], []).append(key)

    def same(self, key: Key) -> list[Key]:
        """Return the keys that are `key`: with several numbers of known countries nobody can say which it is."""
        found = [key] if key in self._keys else []
        if key.kind == "email":
            return found
        for other in self._by_end.get(key.value[-MIN_DIGITS:], ()):
            short, long = sorted((key.value, other.value), key=len)
            # Two numbers with their countries are the same only if they are equal.
            if other != key and "national" in (key.kind, other.kind) and long.endswith(short):
                found.append(other)
        return found
