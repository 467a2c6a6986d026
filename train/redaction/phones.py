"""Finds phone numbers, and tells the parts of one.

Every pattern here has bounded repetitions of parts that exclude each other, so a text takes time in proportion to
its length, whatever is in it.
"""

import re
from bisect import bisect_right
from contextlib import suppress
from functools import lru_cache

import phonenumbers
from stdnum import isbn

from train.redaction.spans import Found, compact
from train.redaction.stand_ins import phone_tail

# Places written in the national way are tried in this order: where people write numbers without a country.
_REGIONS = ("US", "RU", "GB", "DE", "FR", "ES", "IT", "UA", "PL", "NL", "BR", "PT", "AT", "CH", "IN", "AU")

_GAP = r"[ \u00a0\u2007\u2009\u202f]"

_EXT = (
    rf",?{_GAP}{{0,2}}(?:then )?\(?(?:x|[Ee]xt(?:ension)?\.?|[Дд]об(?:авочный)?\.?|вн(?:утр(?:енний)?)?\.?|#)"
    rf"{_GAP}?:?{_GAP}?\d{{1,6}}"
)
_PHONE = re.compile(
    rf"(?<![\w@#$€£₽№=&/])(?<!\d[.,:/-])(?:\+{_GAP}?|\(\+)?\(?\d"
    r"(?:[ \u00a0\u2007\u2009\u202f.\-‐‑–/()]{0,3}\d){4,21}"
    rf"(?:{_EXT})?(?!\w|[.,:/-]\d)"
)
_MIN_DIGITS, _MAX_DIGITS = 5, 17
_MAX_PARTS = 8
"""Of more parts than this a number is only one as a whole: "9 0 3 1 2 3 4 5 6 7"."""
_NEAR = 36
"""How many characters before a number a word tells of it."""
_MAX_LENGTH = 48
"""How long a number can be with all that stands between its digits."""
_EXTENSION = re.compile(rf"{_EXT}\Z", re.I)
_PART = re.compile(r"[^ \u00a0\u2007\u2009\u202f]+")
_PHONE_CUE = re.compile(
    r"\b(?:phone|tel|tell?e?phone?|mobile?|mob|cell|call|ring|text|sms|dial|reach|number|whats ?app|numbers|phones|"
    r"viber|signal|"
    r"городск\w*|домашн\w*|рабочий|билайн|мегафон|мтс|теле2|сбп|жэк|регистратур\w*|юмани|"
    r"fax|landline|contact|dial\w*|gave me|save|sim|emergenc\w*|тел|телефон\w*|номер\w*|номерок|моб\w*|звони\w*|"
    r"позвони\w*|набер\w+|набрать|перезвони\w*|"
    r"вотсап\w*|"
    r"ватсап\w*|вайбер\w*|"
    r"смс\w*|handy\w*|telefon\w*|nummer|ruf|anrufen|téléphone|tél|numéro|portable|appelle\w*|móvil|movil|teléfono|"
    r"telefono|"
    r"número|numero|llama\w*|cellulare|chiama\w*|telemóvel|celular|liga\w*)\b",
    re.I,
)
_NO_PHONE_WORD = (
    r"(?:\b(?:order|parcel|package|shipment|delivery|invoice|ticket|tracking|track|isbn|issn|ean|upc|sku|ref|"
    r"reference|serial|build|version|timestamp|"
    r"unix|epoch|views|likes|population|просмотр\w*|счётчик\w*|id|uid|pid|(?<!in )case|booking|flight|item|article|"
    r"part|page|"
    r"pages|postal|zip|account|acct|бик|bik|кпп|огрн|окпо|"
    r"заказ\w*|сч[её]т\w*|накладн\w*|трек\w*|артикул\w*|билет\w*|рейс\w*|договор\w*|верси\w*|стр|заявк\w*|посылк\w*|"
    r"bestell\w*|rechnung\w*|sendung\w*|commande|facture|pedido|factura|ordine|fattura|encomenda)"
    r"|[№#])"
)
_NO_PHONE_GAP = r"[\s.:#№=-]{0,4}(?:(?:number|no|nr|id|номер|numero|número|nummer)[\s.:#№=-]{0,4})?"
NO_PHONE_CUE = re.compile(rf"{_NO_PHONE_WORD}{_NO_PHONE_GAP}\Z", re.I)
_NO_PHONE = re.compile(_NO_PHONE_WORD, re.I)
_NO_PHONE_BETWEEN = re.compile(_NO_PHONE_GAP, re.I)
_AMOUNT_AFTER = re.compile(
    r"\s?(?:[$€£₽¥%°]|(?:usd|eur|gbp|rub|руб\w*|р\b|тыс|млн|млрд|dollars?|euros?|pounds?|bucks|k\b|km|км|kg|кг|шт|"
    r"гр?\b|мл|м\b|"
    r"m/s|м/с|hz|seconds?|секунд\w*|people|users|views|likes|times|раз\b|человек|штук|просмотр\w*|лайк\w*|points?|"
    r"очк\w*|votes|bytes|mb|gb|px|ms|"
    r"мс))",
    re.I,
)
DATE = re.compile(
    r"(?:(?:19|20)\d\d[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:19|20)?\d\d)"
    r"(?:[ T,-]{0,2}\d{1,2}(?:[:.\-]?\d\d){0,2})?|(?:1\d|20)\d\d\D{1,3}(?:1\d|20)\d\d|"
    r"\d{1,2}[.]\d{2}\D{1,3}\d{1,2}[.]\d{2}|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?:[ _-]?\d{4,6})?"
)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:([ .,\u00a0\u2009\u202f])\d{3})(?:\1\d{3})*(?:[.,]\d{1,2})?")
_GROUPS = {
    # How people group numbers of North America, Russia, and what is left out of both at home.
    (3, 3, 4), (4, 3, 3), (4, 6), (1, 3, 3, 4), (1, 3, 3, 2, 2), (3, 3, 2, 2), (3, 2, 2), (1, 3, 7), (1, 3, 3, 2),
    (1, 3, 2, 2, 3),
    (1, 4, 2, 2, 2), (1, 4, 3, 3), (4, 2, 2, 2), (2, 4, 5), (2, 5, 4), (2, 4, 4), (5, 5), (3, 2, 2, 3), (3, 2, 2,
    2), (2, 3, 2, 2), (5, 4), (3, 7),
}  # fmt: skip


class _Cues:
    """Where a text has words that say that a number behind them is one for phones, or is something else.

    They are looked for once: a message can be of nothing but numbers.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._told: list[int] | None = None
        self._denied: list[int] = []

    def _look(self) -> list[int]:
        if self._told is None:
            self._told = [match.end() for match in _PHONE_CUE.finditer(self._text)]
            self._denied = [match.end() for match in _NO_PHONE.finditer(self._text)]
        return self._told

    def tell(self, begin: int) -> bool:
        """Return whether a word for phones stands before a place, on its line and near."""
        told = self._look()
        at = bisect_right(told, begin) - 1
        return at >= 0 and begin - told[at] <= _NEAR and "\n" not in self._text[told[at] : begin]

    def deny(self, begin: int) -> bool:
        """Return whether a word for another kind of number stands right before a place."""
        self._look()
        last = bisect_right(self._denied, begin)
        return any(
            begin - end <= _NEAR
            and "\n" not in self._text[end:begin]
            and _NO_PHONE_BETWEEN.fullmatch(self._text, end, begin) is not None
            for end in self._denied[max(0, last - 2) : last]
        )


def find_phones(text: str, found: Found) -> None:
    """Find phone numbers: international ones by their plus, national ones by how they are grouped or begin."""
    cues = _Cues(text)
    for match in _PHONE.finditer(text):
        extension = _EXTENSION.search(match[0])
        stem = match[0][: extension.start()] if extension else match[0]
        parts = [(match.start() + part.start(), match.start() + part.end()) for part in _PART.finditer(stem)]
        if len(parts) > _MAX_PARTS and all(end - start <= 2 for start, end in parts):
            if _last_part(text, cues, parts, 0, only=len(parts)):
                found.add(match.start(), match.end(), "phone")
            continue
        first = 0
        while first < len(parts):
            last = _last_part(text, cues, parts, first)
            if last:
                ends = match.end() if extension and last == len(parts) else parts[last - 1][1]
                found.add(parts[first][0], ends, "phone")
            first = last or first + 1


def _last_part(text: str, cues: _Cues, parts: list[tuple[int, int]], first: int, only: int = 0) -> int:
    """Return up to which part, of digits between spaces, the number goes that begins with `first`; 0 if none does.

    With `only` it goes that far or is none.
    """
    begin = parts[first][0]
    lasts = [only] if only else []
    for last in () if only else range(first + 1, min(len(parts), first + _MAX_PARTS) + 1):
        if parts[last - 1][1] - begin > _MAX_LENGTH:
            break
        lasts.append(last)
    # Ask first what costs nothing: most runs of digits have too few or too many.
    lasts = [last for last in lasts[::-1] if _may_be_phone(text[begin : parts[last - 1][1]])]
    if not lasts:
        return 0
    if cues.deny(begin):
        return 0
    cue = cues.tell(begin)
    if text[begin] in "+(" and text[begin : begin + 2].strip("(").startswith("+"):
        # Two numbers in a row are two: a country's numbers have so many digits and no more.
        for last in lasts:
            digits = compact(text[begin : parts[last - 1][1]])
            if _is_valid(digits) and _is_phone(text, begin, parts[last - 1][1], cue):
                return last
    return next((last for last in lasts if _is_phone(text, begin, parts[last - 1][1], cue)), 0)


def _may_be_phone(value: str) -> bool:
    digits = sum(map(str.isdigit, value))
    return _MIN_DIGITS <= digits <= _MAX_DIGITS and value.count("(") == value.count(")")


@lru_cache(maxsize=4096)
def _is_valid(digits: str) -> bool:
    with suppress(phonenumbers.NumberParseException):
        return phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))
    return False


def _is_phone(text: str, start: int, end: int, cue: bool) -> bool:
    """Return whether `text[start:end]` is a phone number; `cue` says whether a word for one stands before it."""
    value = text[start:end]
    digits = compact(value)
    if not digits.isdecimal() or len(set(digits)) < 2 or digits.endswith("00000") or _AMOUNT_AFTER.match(text, end):
        return False
    if value.lstrip("(").startswith("+"):
        return len(digits) >= 8 or (cue and len(digits) >= 7)
    if (DATE.fullmatch(value) and not (cue and _is_no_day(value))) or (len(digits) == 13 and isbn.is_valid(digits)):
        return False
    if digits.startswith("00"):
        return len(digits) >= 10 and digits[2] != "0"
    return _is_national(value, digits, cue)


def _is_no_day(value: str) -> bool:
    """Return whether three pairs of digits cannot be a day, month and year in any order that people use."""
    pairs = [int(one) for one in re.findall(r"\d+", value)]
    return len(pairs) == 3 and (not 1 <= min(pairs[:2]) <= 12 or max(pairs[:2]) > 31 or 45 <= pairs[2] < 60)


def _is_national(value: str, digits: str, cue: bool) -> bool:
    """Return whether digits without a plus are a phone number, by their grouping, beginning, and a word before."""
    groups = tuple(map(len, re.findall(r"\d+", value)))
    if _THOUSANDS.fullmatch(value) and not (cue and len(digits) >= 9):
        return len(digits) == 9 and " " in value and value[0] in "26789" and not value.endswith("00")
    if cue and (7 <= len(digits) <= 13 or groups == (2, 2, 2)):
        return True
    if len(groups) == 2 and "." in value and digits[0] != "0":
        return False
    if "(" in value:
        return 7 <= len(digits) <= 13
    if len(groups) == 1:
        return _is_valid_somewhere(digits)
    if digits[0] == "0":
        return 9 <= len(digits) <= 12 and not value.startswith("0.")
    if "/" in value and (groups != (3, 3, 4) or value.count("/") > 1):
        # "15327/15327" is a part of a whole.
        return False
    if len(digits) == 11 and digits[0] in "78":
        return True
    if groups in ((3, 4), (4, 4)):
        # Within one town, or in a small country; not from one year or round number to another.
        return not any(part.endswith("00") or 1900 <= int(part) < 2100 for part in re.findall(r"\d+", value))
    if groups == (3, 2, 2):
        return "-" in value
    return groups in _GROUPS and (groups[0] > 1 or digits[0] in "178") and len(digits) >= 9


@lru_cache(maxsize=4096)
def _is_valid_somewhere(digits: str) -> bool:
    """Return whether digits in one piece are a number that somebody can have."""
    if (len(digits) == 11 and digits[0] in "78") or (len(digits) == 10 and digits[0] not in "01"):
        return True
    if len(digits) in (8, 9) and digits[0] != "0":
        return not digits.endswith("00") and not digits.startswith(("19", "20"))
    regions: tuple[str, ...] = ()
    if len(digits) == 11 and digits[0] == "1":
        regions = ("US",)
    elif digits[0] == "0" and 9 <= len(digits) <= 12:
        regions = _REGIONS
    for region in regions:
        with suppress(phonenumbers.NumberParseException):
            if phonenumbers.is_valid_number(phonenumbers.parse(digits, region)):
                return True
    return False


def phone_parts(value: str) -> tuple[str, int, int]:
    """Return the digits that tell a phone number, how many are its country's, and where its extension begins."""
    match = _EXTENSION.search(value)
    extension = match.start() if match else len(value)
    prefix = country_digits(value[:extension])
    return phone_tail(compact(value[:extension])[prefix:]), prefix, extension


def country_digits(value: str) -> int:
    """Return how many digits at the beginning of a phone number lead to its country: "+49", "0049", "8"."""
    digits = compact(value)
    international = value.lstrip("( ").startswith("+")
    if international or digits.startswith("00"):
        out = 0 if international else 2
        for length in (1, 2, 3):
            if int(digits[out : out + length] or 0) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
                return out + length
        return out
    if len(digits) == 11 and digits[0] in "178":
        return 1
    return 0
