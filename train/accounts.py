"""What an account is called where a format prints names and numbers, and has no ids of its own."""

import re
import unicodedata

_NUMBER = re.compile(r"\+?[\d\s().\-/\u00a0\u202f\u2010-\u2015]{5,}")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def phone_of(text: str) -> str | None:
    """Return a printed phone number as its digits, with the plus it has; None when `text` is no phone number."""
    plain = _INVISIBLE.sub("", text).strip()
    if not _NUMBER.fullmatch(plain):
        return None
    digits = "".join(str(unicodedata.digit(c)) for c in plain if c.isdigit())
    return ("+" if plain.startswith("+") else "") + digits if len(digits) >= 5 else None


def handle_of(text: str) -> str:
    """Return a phone number or an e-mail address as it is compared: digits, or lower case."""
    return phone_of(text) or text.strip().casefold()
