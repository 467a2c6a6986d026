"""Takes what tells who somebody is out of messages, and puts something of the same shape in its place.

Most messages hold nothing of the kind, so every search is behind a cheap question that most messages answer with no:
a digit, an @, a slash, one of the words that stand beside secrets, a word that is somebody's name.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence

from train.redaction.accounts import find_accounts, find_registered
from train.redaction.address_stand_in import address_stand_in
from train.redaction.addresses import find_addresses, find_locations
from train.redaction.answers import find_answers
from train.redaction.cards import find_cards, find_ibans
from train.redaction.codes import CODE_WORDS, find_codes
from train.redaction.handles import HANDLE_WORDS, find_handles
from train.redaction.ids import find_ids
from train.redaction.key import RedactionKey
from train.redaction.name_forms import fold
from train.redaction.names import KnownPerson, Names
from train.redaction.passwords import PASSWORD_WORDS, find_behind_emails, find_passwords
from train.redaction.phones import find_phones, phone_parts
from train.redaction.secrets import SEED_WORDS, find_drawn, find_seeds, find_tokens
from train.redaction.spans import ALL_KINDS, Found, Span, compact
from train.redaction.stand_ins import (
    card_stand_in,
    email_key,
    email_stand_in,
    id_stand_in,
    ip_stand_in,
    location_stand_in,
    phone_stand_in,
    plain_stand_in,
    same_shape,
)
from train.redaction.web import (
    SPOKEN_WORDS,
    find_addresses_of_machines,
    find_emails,
    find_links,
    find_spoken_emails,
    find_wallets,
)

_DIGITS = re.compile(r"\d")
_LONG = re.compile(r"[A-Za-z0-9+/_=.:-]{16}")
_WORDS = re.compile(r"[^\W_]+")
_CUES = PASSWORD_WORDS | CODE_WORDS | SEED_WORDS | SPOKEN_WORDS
_LONG_MESSAGE = 20_000
"""From how many characters on runs that can be nothing are not looked at: five times what a chat takes."""
# Single digits, digits in one piece and signs, far more of each than any number has.
_HOPELESS = re.compile(r"(?:(?<![^\W_])\d[ .,:;/|@+*#()_–-]{1,3}){100,}|\d{100,}|[^\w\s]{100,}")
_FILLER = "    "
_BEFORE = 200
"""How many characters of the message before are looked at."""
_COMPACT = ("card", "iban", "id", "phone", "wallet")
_EXACT = frozenset({"link", "secret"})
"""Kinds whose values differ by case and signs."""


class Redactor:
    """Replaces identifiers and the names of hidden people in messages, the same one always by the same stand-in.

    Attributes:
        counts: how many spans were replaced, by kind.
    """

    def __init__(
        self,
        key: RedactionKey,
        *,
        hidden: Sequence[KnownPerson],
        shown: Sequence[KnownPerson],
        forgotten: Callable[[str], bool] | None,
        kinds: frozenset[str] = ALL_KINDS,
    ) -> None:
        """Make a redactor; `key.save()` afterwards keeps its stand-ins for the next run.

        Args:
            key: where stand-ins come from, and where they are written down.
            hidden: people whose names must not appear.
            shown: the speakers of the set. A name they share with somebody hidden stays, except with somebody
                who is excluded.
            forgotten: whether a word, or two with a space between, in small letters, names somebody forgotten.
            kinds: what is looked for.
        """
        self.counts: Counter[str] = Counter()
        self._key = key
        self._kinds = kinds
        with_names = "name" in kinds or "username" in kinds
        self._names = Names(key, hidden, shown, forgotten) if with_names else None

    def redact(self, text: str, before: str = "") -> str:
        """Return a message with stand-ins; as many lines, and empty only where it was.

        Args:
            text: the message.
            before: the message before it in the chat, as it was written: where it asks for a password or a code, the
                answer is looked for.
        """
        spans = self.spans(text, before)
        if not spans:
            return text
        parts: list[str] = []
        at = 0
        for span in spans:
            parts += (text[at : span.start], self.stand_in(span))
            at = span.end
            self.counts[span.kind] += 1
        return "".join((*parts, text[at:]))

    def spans(self, text: str, before: str = "") -> list[Span]:
        """Return what would be replaced, in the order of the text; what is a stand-in already is not."""
        if len(text) > _LONG_MESSAGE and _HOPELESS.search(text):
            return self._around_runs(text, before)
        words = _WORDS.findall(fold(text))
        named = self._names is not None and self._names.may_be_in(text, words)
        digits = len(_DIGITS.findall(text)) if _DIGITS.search(text) else 0
        long = _LONG.search(text)
        handles = "@" in text or not HANDLE_WORDS.isdisjoint(words)
        cues = handles or not _CUES.isdisjoint(words)
        marks = "собака" in text or "@" in text or "/" in text or ":" in text or "at)" in text or "at]" in text
        asked = bool(before) and not _CUES.isdisjoint(_WORDS.findall(fold(before[-_BEFORE:])))
        if not (named or digits or long or cues or marks or asked):
            return []
        found = Found(text)
        if long or marks or (cues and not SPOKEN_WORDS.isdisjoint(words)):
            self._find_web(text, found, bool(long))
        if digits:
            self._find_numbers(text, found, digits)
            find_drawn(found)
        if cues or "code" in text or "код" in text or "p/w" in text or "p: " in text:
            self._find_secrets(text, found, words, digits)
        if asked or (cues and "\n" in text):
            find_answers(text, before[-_BEFORE:], found)
        if handles:
            find_handles(found)
        structured = [span for span in found if span.kind in self._kinds and not self._is_stand_in(span)]
        if not named or self._names is None:
            return structured
        self._names.find(text, found)
        names = [span for span in found if span.kind in ("name", "username") and span.kind in self._kinds]
        there = {span.start for span in structured}
        return sorted(structured + [span for span in names if span.start not in there], key=lambda span: span.start)

    def _around_runs(self, text: str, before: str) -> list[Span]:
        """Return the spans of a text in which runs that can be nothing are left out."""
        parts: list[str] = []
        begins, left_out = [0], [0]
        at = length = 0
        for run in _HOPELESS.finditer(text):
            parts += (text[at : run.start()], _FILLER)
            length += run.start() - at + len(_FILLER)
            at = run.end()
            begins.append(length)
            left_out.append(at - length)
        spans = self.spans("".join((*parts, text[at:])), before)
        found = []
        for span in spans:
            shift = left_out[bisect_right(begins, span.start) - 1]
            found.append(Span(span.start + shift, span.end + shift, span.kind, span.value))
        return [span for span in found if text[span.start : span.end] == span.value]

    def stand_in(self, span: Span) -> str:
        """Return what takes the place of a span, giving out a stand-in where there is none yet."""
        value, key = span.value, self._key
        match span.kind:
            case "name" if self._names is not None:
                return self._names.stand_in(span)
            case "phone":
                _, prefix, extension = phone_parts(value)
                return phone_stand_in(key, value, prefix, extension)
            case "card":
                return card_stand_in(key, value)
            case "email":
                return email_stand_in(key, value)
            case "address":
                return address_stand_in(key, value)
            case "ip":
                return ip_stand_in(key, value)
            case "location":
                return location_stand_in(key, value)
            case "id":
                return id_stand_in(key, value)
            case "iban":
                return plain_stand_in(key, "iban", value, keep=2)
            case kind if kind in _EXACT:
                return key.stand_in(kind, value, lambda draws: same_shape(value, draws))
            case kind:
                return plain_stand_in(key, kind, value)

    def _find_web(self, text: str, found: Found, long: bool) -> None:
        if "/" in text or "www." in text.casefold():
            find_links(text, found)
        if long:
            find_wallets(text, found)
            find_tokens(text, found)
        if "@" in text or "at)" in text or "at]" in text:
            find_emails(text, found)
            find_behind_emails(text, found)
        if "собак" in text or " dot " in text or "at)" in text or "at]" in text or " @ " in text:
            find_spoken_emails(text, found)
        if text.count(":") >= 2 or text.count("-") >= 5:
            find_addresses_of_machines(text, found)

    def _find_numbers(self, text: str, found: Found, digits: int) -> None:
        if digits >= 6:
            find_accounts(found)
        if digits >= 8:
            find_ibans(text, found)
            find_cards(text, found)
        if digits >= 6 and ("." in text or "°" in text):
            find_locations(found)
        if digits >= 4 and text.count(".") >= 3:
            find_addresses_of_machines(text, found)
        if not (text.islower() and text.isascii()):
            find_registered(found)
        if digits >= 2 or "pas" in text.casefold():
            find_ids(text, found)
        find_addresses(text, found)
        if digits >= 5:
            find_phones(text, found)

    def _find_secrets(self, text: str, found: Found, words: list[str], digits: int) -> None:
        if not PASSWORD_WORDS.isdisjoint(words) or "p/w" in text or "p:" in text:
            find_passwords(text, found)
        if not SEED_WORDS.isdisjoint(words):
            find_seeds(found)
        if digits >= 2 or "guard" in words:
            find_codes(text, found)

    def _is_stand_in(self, span: Span) -> bool:
        key, value = self._key, span.value
        if span.kind == "secret" and len(value) < 5:
            # There are so few that most would be some other's stand-in before long.
            return False
        known = compact(value)
        own = {"link": value, "secret": value, "ip": value.casefold(), "email": email_key(value)}.get(span.kind, known)
        if key.is_stand_in(span.kind, own):
            return True
        tail = phone_parts(value)[0] if span.kind == "phone" else ""
        if tail and key.is_stand_in("phone", tail):
            return True
        # A stand-in can look like one of another kind; long ones do not come about by chance.
        return len(known) >= 7 and any(key.is_stand_in(kind, known) for kind in _COMPACT)
