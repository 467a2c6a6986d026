"""Stand-ins for structured identifiers: the same shape, other letters and digits."""

import re
import unicodedata

from stdnum import luhn

from train.redaction.key import Draws, RedactionKey
from train.redaction.spans import compact

# Common letters of other scripts, between the first and the last character of their blocks.
_OTHER_SCRIPTS = (
    ("\u0370", "\u03ff", "αεικλμνορστ"), ("\u0530", "\u058f", "աենիլմոսրտ"), ("\u0590", "\u05ff", "אבדהילמנרש"),
    ("\u0600", "\u06ff", "ابدرسلمنيه"), ("\u0900", "\u097f", "कगचजतदनपमर"), ("\u0e00", "\u0e7f", "กขคงจชดตนม"),
    ("\u10a0", "\u10ff", "აბგდეილმნრ"), ("\u3040", "\u309f", "あいかきさたなまりん"),
    ("\u30a0", "\u30ff", "アイカキサタナマリン"),
    ("\u4e00", "\u9fff", "明华丽文伟芳军平安云"), ("\uac00", "\ud7af", "민수지영준현서은진하"),
)  # fmt: skip

PHONE_DIGITS = 8
"""How many digits at the end of a phone number tell it: national and international ways of writing share them."""

_VOWELS = "aeiou"
_CONSONANTS = "bdfghklmnprstvz"
_RUSSIAN_VOWELS = "аеиоу"
_RUSSIAN_CONSONANTS = "бвгдзклмнпрст"
_PREFIX = re.compile(
    r"0x|(?:sk-(?:ant-|proj-|or-)?|(?:sk|pk|rk)_(?:live_|test_)?|whsec_|gh[pousr]_|github_pat_|glpat-|AKIA|ASIA|"
    r"AIza|xox[a-z]-|hf_|npm_|"
    r"pypi-|SG\.|eyJ|bc1|ltc1)(?=[\w.-]{14})"
)
_HEX = re.compile(r"(?=[^\d]*\d)[0-9a-fA-F:-]{8,}")
_ANY_VOWEL = frozenset("aeiouyäöüаеёиоуыэюя")


def same_shape(value: str, draws: Draws) -> str:
    """Return other letters and digits in the places of those of `value`; all else, and case, stays.

    The prefix that says whose key a token is stays too, and hexadecimal digits stay such.
    """
    prefix = _PREFIX.match(value)
    keep = prefix.end() if prefix else 0
    consonants = "bcdf" if _HEX.fullmatch(value, keep) else _CONSONANTS
    return value[:keep] + "".join(other_character(char, draws, consonants) for char in value[keep:])


def other_character(char: str, draws: Draws, consonants: str = _CONSONANTS) -> str:
    """Return a drawn character of the same sort: vowel, consonant or digit, upper or lower case, of its script."""
    if char.isdigit() or char.isdecimal():
        return _as_digit(char, draws.below(10))
    if not char.isalpha():
        return char
    lower = char.casefold()[0]
    if "a" <= lower <= "z":
        vowels = "ae" if consonants == "bcdf" else _VOWELS
        choices = vowels if lower in _ANY_VOWEL else consonants
    elif "а" <= lower <= "я" or lower == "ё":
        choices = _RUSSIAN_VOWELS if lower in _ANY_VOWEL else _RUSSIAN_CONSONANTS
    else:
        other = next((letters for first, last, letters in _OTHER_SCRIPTS if first <= lower <= last), "")
        choices = other or (_VOWELS if lower in _ANY_VOWEL else consonants)
    drawn = choices[draws.below(len(choices))]
    return drawn.upper() if char.isupper() else drawn


def _as_digit(char: str, digit: int) -> str:
    own = unicodedata.decimal(char, None)
    return str(digit) if own is None else chr(ord(char) - int(own) + digit)


def written_like(stand_in: str, value: str) -> str:
    """Return the letters and digits of `stand_in` in the places of those of `value`, in its case.

    What `stand_in` has beyond these follows at the end; fewer leave the rest of `value` out.
    """
    rest = iter(stand_in)
    written = []
    for char in value:
        if not (char.isalnum() and compact(char)):
            written.append(char)
            continue
        own = compact(char)
        drawn = "".join(next(rest, "") for _ in own)
        if drawn == own:
            written.append(char)
            continue
        if drawn.isdigit() and len(drawn) == 1 and char.isdecimal():
            drawn = _as_digit(char, int(drawn))
        written.append(drawn.upper() if char.isupper() else drawn)
    return "".join(written) + "".join(rest)


def plain_stand_in(key: RedactionKey, kind: str, value: str, keep: int = 0) -> str:
    """Return the stand-in of a value told by its letters and digits alone; the first `keep` of them stay."""
    known = compact(value)
    if not known:
        return value
    return written_like(key.stand_in(kind, known, lambda draws: known[:keep] + same_shape(known[keep:], draws)), value)


def phone_tail(digits: str) -> str:
    """Return the digits that tell a phone number, given its digits without a country's prefix and an extension."""
    return digits.lstrip("0")[-PHONE_DIGITS:]


def phone_stand_in(key: RedactionKey, value: str, prefix: int, extension: int) -> str:
    """Return another number, written like `value`.

    Its first `prefix` digits are the country's and stay; from `value[extension:]` on it is an extension. The seventh
    digit from the end is 0 or 1: no subscriber of North America has such a number, and hardly one of another country
    with numbers of ten digits.
    """
    digits = [index for index, char in enumerate(value[:extension]) if char.isdigit()]
    tail = phone_tail("".join(compact(value[index]) for index in digits[prefix:]))

    def make(draws: Draws) -> str:
        drawn = [str(draws.below(10)) for _ in tail]
        if len(tail) == PHONE_DIGITS:
            drawn[0], drawn[1] = str(1 + draws.below(9)), str(draws.below(2))
        return "".join(drawn)

    written = list(value[:extension])
    if tail:
        stand_in = key.stand_in("phone", tail, make)
        for index, digit in zip(digits[-len(tail) :], stand_in, strict=False):
            written[index] = _as_digit(value[index], int(digit))
    rest = value[extension:]
    return "".join(written) + same_shape(rest, key.draws("extension", tail + rest))


def card_stand_in(key: RedactionKey, value: str) -> str:
    """Return a number of the same issuer and length that fails the check every card passes."""
    known = compact(value)

    def make(draws: Draws) -> str:
        if not known.isdecimal():
            # What a receipt has blanked out stays so.
            return known[:1] + "".join(same_shape(char, draws) if char.isdigit() else char for char in known[1:])
        drawn = known[:1] + same_shape(known[1:-1], draws)
        return drawn + str((int(luhn.calc_check_digit(drawn)) + 1 + draws.below(9)) % 10)

    return written_like(key.stand_in("card", known, make), value)


# Who anybody may have mail with: the part after the @ says nothing of the person.
PUBLIC_MAIL = frozenset(
    """gmail googlemail yahoo ymail hotmail outlook live msn icloud me mac aol proton protonmail pm gmx web t-online
    freenet mail yandex ya rambler bk inbox list qq 163 126 naver daum zoho fastmail tutanota posteo mailbox orange
    wanadoo free laposte sfr libero virgilio tiscali alice uol bol terra seznam wp o2 onet interia ukr i rediffmail
    comcast verizon att btinternet sky""".split()
)


_MAC = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}")
_NUMBER = re.compile(r"\d+")
_SSN = re.compile(r"\d{3}-\d{2}-\d{4}")
_AT = re.compile(r"@| ?[\[(]at[\])] ?")


def email_key(value: str) -> str:
    """Return an e-mail address as it is compared: without case, with an @."""
    return _AT.sub("@", value.casefold())


def email_stand_in(key: RedactionKey, value: str) -> str:
    """Return another address: at the same provider where that is a public one, else at a domain of the same shape."""
    known = email_key(value)
    local, _, domain = known.rpartition("@")
    labels = domain.split(".")

    def make(draws: Draws) -> str:
        mine = same_shape(local, draws)
        if labels[0] in PUBLIC_MAIL:
            return f"{mine}@{domain}"
        # One domain has one stand-in, whoever writes from it: drawn for itself, and not for the address.
        other = same_shape(".".join(labels[:-1]), key.draws("domain", domain))
        return f"{mine}@{other}.{labels[-1]}"

    stand_in = key.stand_in("email", known, make)
    at = _AT.search(value.casefold())
    if at is not None and len(at[0]) > 1:
        stand_in = stand_in.replace("@", value[at.start() : at.end()], 1)
    if len(stand_in) != len(value):
        return stand_in
    return "".join(new.upper() if old.isupper() else new for old, new in zip(value, stand_in, strict=True))


def ip_stand_in(key: RedactionKey, value: str) -> str:
    """Return an address of a machine that no machine has: of 240.0.0.0/4 or 2001:db8::/32 (RFC 1112, RFC 3849).

    Hardware addresses become others that are given out locally (the second digit is 2).
    """
    known = value.casefold()

    def make(draws: Draws) -> str:
        if "." in known and ":" not in known:
            parts = [str(240 + draws.below(15))]
            for part in known.split(".")[1:]:
                low, high = {1: (0, 9), 2: (10, 99)}.get(len(part), (100, 255))
                parts.append(str(low + draws.below(high - low + 1)))
            return ".".join(parts)
        if _MAC.fullmatch(known):
            return known[:1] + "2" + "".join(_hex(char, draws) for char in known[2:])
        head, tail = known.partition(":")[::2] if known[:1] != ":" else ("", known)
        rest = "".join(_hex(char, draws) for char in tail)
        groups = rest.split(":")
        return ":".join(["2001", "db8", *groups[-6:]]) if head or "::" in known else rest

    return key.stand_in("ip", known, make)


def _hex(char: str, draws: Draws) -> str:
    return "0123456789abcdef"[draws.below(16)] if char.isalnum() else char


def location_stand_in(key: RedactionKey, value: str) -> str:
    """Return another place on Earth, as precise."""
    known = compact(value)

    def make(draws: Draws) -> str:
        parts = []
        for whole in _NUMBER.findall(value):
            limits = {3: (100, 179), 2: (10, 59), 1: (1, 9)}
            low, high = limits.get(len(whole), (0, 0))
            parts.append(str(low + draws.below(high - low + 1)) if high else same_shape(whole, draws))
        letters = iter(parts)
        return compact(_NUMBER.sub(lambda _: next(letters), value))

    return written_like(key.stand_in("location", known, make), value)


def id_stand_in(key: RedactionKey, value: str) -> str:
    """Return another number of a person; a US social security number begins with 9, as none does."""
    known = compact(value)

    def make(draws: Draws) -> str:
        return ("9" if _SSN.fullmatch(value) else same_shape(known[0], draws)) + same_shape(known[1:], draws)

    return written_like(key.stand_in("id", known, make), value)
