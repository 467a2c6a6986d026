"""Finds cards and IBANs.

Every pattern here has bounded repetitions of parts that exclude each other, so a text takes time in proportion to
its length, whatever is in it.
"""

import re

from stdnum import isbn, luhn
from stdnum.iso7064 import mod_97_10 as iban_check

from train.redaction.phones import NO_PHONE_CUE
from train.redaction.spans import Found, compact

_GAP = r"[ \u00a0\u2007\u2009\u202f]"
_CARD = re.compile(rf"(?<![\w])(?<!\d[-.,])\d(?:(?:{_GAP}|-)?\d){{11,18}}(?![\w/])(?!(?:{_GAP}|-)\d(?!\d?\s?/))")
# Whatever follows: "4111 1111 1111 1111 500 rub".
_IN_FOURS = re.compile(
    rf"(?<![\w])(?<!\d[-.,])\d{{4}}({_GAP}{{1,2}}|[-.]|"
    rf"{_GAP}?-{_GAP}?)\d{{4}}\1\d{{4}}\1\d{{4}}(?![\w])(?!\1\d{{3}}(?!\w))"
)
_MASKED = re.compile(
    r"(?<![\w*•])\d{4}(?: ?-?\d{2})?[ -]?[*xXхХ•·]{2,4}(?:[ -]?[*xXхХ•·]{4}|"
    r"[*xXхХ•·]{2,6})?[ -]?[*xXхХ•·]{0,2}[ -]?\d{4}(?!\w)"
)
# A card's last day and the number on its back.
_BACK = re.compile(
    r"[\s,;/|]{1,4}(?:(?:exp(?:iry|ires)?|valid|до|срок)\W{1,3})?(?:0[1-9]|"
    r"1[0-2])\s?[/.-]\s?(?:20)?[23]\d[\s,;/|]{1,4}(\d{3,4})(?![\w/])"
)
_PIECE = re.compile(r"\d{13,19}(?=\D)")
_FOURS = re.compile(r"\d{4}\D\d{4}\D\d{4}\D\d{4}|\d{4}\D\d{6}\D\d{5}|\d{4}\D\d{4}\D\d{4}\D\d{4}\D\d{3}")
_CARD_CUE = re.compile(
    r"\b(?:card|visa|mastercard|amex|карт[аыуе]|картой|мир|karte|kreditkarte|tarjeta|carte|carta|cartão)\b", re.I
)

# ISO 13616: how long an IBAN of a country is.
_IBAN_LENGTHS = {
    country: int(length)
    for length, countries in {
        "15": "NO", "16": "BE", "18": "DK FO FI GL NL SD", "19": "MK SI", "20": "AT BA EE KZ LT LU XK",
        "21": "CH HR LI LV", "22": "BG BH CR DE GB GE IE ME RS VA", "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG", "25": "LY PT ST", "26": "IS TR", "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO GT HU LB NI PL SV", "29": "BR EG PS QA UA", "30": "JO KW MU YE", "31": "MT SC",
        "32": "LC", "33": "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
_IBAN = re.compile(rf"(?<!\w)[A-Za-z]{{2}}{_GAP}?\d{{2}}(?:(?:{_GAP}|-)?[A-Za-z0-9]){{11,40}}")


def find_cards(text: str, found: Found) -> None:
    """Find card numbers: of 13 to 19 digits, which pass Luhn's check or are written in fours."""
    for match in _IN_FOURS.finditer(text):
        digits = compact(match[0])
        if digits.isascii() and (digits[0] in "23456" or luhn.is_valid(digits)) and len(set(digits)) > 1:
            _add_card(text, match, found)
    found.add_all(_MASKED, "card", is_one=lambda match: sum(map(str.isdigit, match[0])) >= 8)
    for run in _CARD.finditer(text):
        digits = compact(run[0])
        if not digits.isascii() or len(set(digits)) < 2:
            continue
        # "4111111111111111 07/31": what follows a whole number is its date.
        match = _PIECE.match(text, run.start(), run.end()) or run
        digits = compact(match[0])
        grouped = _FOURS.fullmatch(match[0]) is not None
        before = text[max(0, match.start() - 40) : match.start()].rpartition("\n")[2]
        if _is_card(digits, grouped, before):
            _add_card(text, match, found)


def _add_card(text: str, match: re.Match[str], found: Found) -> None:
    found.add(match.start(), match.end(), "card")
    back = _BACK.match(text, match.end())
    if back:
        found.add(*back.span(1), "secret")


def _is_card(digits: str, grouped: bool, before: str) -> bool:
    """Return whether digits are a card's: cards of people begin with 2 to 6, and pass Luhn's check."""
    told = _CARD_CUE.search(before) is not None
    right = luhn.is_valid(digits)
    if not told and (NO_PHONE_CUE.search(before) or isbn.is_valid(digits)):
        return False
    if digits[0] not in "23456":
        # 81 is UnionPay's too, 1800 is JCB's.
        return (right and (grouped or digits.startswith(("81", "1800")))) or (told and (grouped or len(digits) >= 15))
    if len(digits) == 12:
        # The shortest ones are of Maestro.
        return right and digits[0] in "56"
    return grouped or right or (told and len(digits) >= 15)


def find_ibans(text: str, found: Found) -> None:
    """Find IBANs of every country, in any case and grouping: whose check digits are right, or that are grouped."""
    for match in _IBAN.finditer(text):
        end = _iban_end(match)
        if end is not None:
            found.add(match.start(), end, "iban")


def _iban_end(match: re.Match[str]) -> int | None:
    """Return where an IBAN ends; None where there is none. A right one of a wrong length is taken for one too."""
    text, known = match.string, _IBAN_LENGTHS.get(match[0][:2].upper())
    if known is None:
        return None
    for length in (known, *range(34, 14, -1)):
        end = _end_of(match[0], length)
        if length != known and not match[0][:2].isupper():
            continue
        if end is None or text[match.start() + end : match.start() + end + 1].isalnum():
            continue
        value = compact(match[0][:end])
        mistyped = length == known and match[0][:2].isupper() and sum(map(str.isdigit, value)) >= 10
        if mistyped or iban_check.is_valid(value[4:] + value[:4]):
            return match.start() + end
    return None


def _end_of(text: str, count: int) -> int | None:
    """Return where the first `count` letters and digits of a text end."""
    for index, char in enumerate(text):
        count -= char.isalnum()
        if count == 0:
            return index + 1
    return None
