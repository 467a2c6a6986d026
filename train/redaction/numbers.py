"""Finds cards, IBANs, phone numbers, and the numbers that offices give to people.

Every pattern here has bounded repetitions of parts that exclude each other, so a text takes time in proportion to
its length, whatever is in it.
"""

import re
from contextlib import suppress
from functools import lru_cache

import phonenumbers
from stdnum import isbn, luhn
from stdnum.br import cpf
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.iso7064 import mod_97_10 as iban_check
from stdnum.it import codicefiscale

from train.redaction.spans import Found, compact
from train.redaction.stand_ins import phone_tail

# Places written in the national way are tried in this order: where people write numbers without a country.
_REGIONS = ("US", "RU", "GB", "DE", "FR", "ES", "IT", "UA", "PL", "NL", "BR", "PT", "AT", "CH", "IN", "AU")

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

_EXT = (
    rf",?{_GAP}{{0,2}}(?:then )?\(?(?:x|[Ee]xt(?:ension)?\.?|[Дд]об(?:авочный)?\.?|вн(?:утр(?:енний)?)?\.?|#)"
    rf"{_GAP}?:?{_GAP}?\d{{1,6}}"
)
_PHONE = re.compile(
    rf"(?<![\w@#$€£₽№=&/])(?<!\d[.,:/-])(?:\+{_GAP}?|\(\+)?\(?\d"
    r"(?:[ \u00a0\u2007\u2009\u202f.\-‐‑–/()]{0,3}\d){4,21}"
    rf"(?:{_EXT})?(?!\w|[.,:/-]\d)"
)
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
_NO_PHONE_CUE = re.compile(
    r"(?:\b(?:order|parcel|package|shipment|delivery|invoice|ticket|tracking|track|isbn|issn|ean|upc|sku|ref|"
    r"reference|serial|build|version|timestamp|"
    r"unix|epoch|views|likes|population|просмотр\w*|счётчик\w*|id|uid|pid|(?<!in )case|booking|flight|item|article|"
    r"part|page|"
    r"pages|postal|zip|account|acct|бик|bik|кпп|огрн|окпо|"
    r"заказ\w*|сч[её]т\w*|накладн\w*|трек\w*|артикул\w*|билет\w*|рейс\w*|договор\w*|верси\w*|стр|заявк\w*|посылк\w*|"
    r"bestell\w*|rechnung\w*|sendung\w*|commande|facture|pedido|factura|ordine|fattura|encomenda)"
    r"|[№#])[\s.:#№=-]{0,4}(?:(?:number|no|nr|id|номер|numero|número|nummer)[\s.:#№=-]{0,4})?\Z",
    re.I,
)
_AMOUNT_AFTER = re.compile(
    r"\s?(?:[$€£₽¥%°]|(?:usd|eur|gbp|rub|руб\w*|р\b|тыс|млн|млрд|dollars?|euros?|pounds?|bucks|k\b|km|км|kg|кг|шт|"
    r"гр?\b|мл|м\b|"
    r"m/s|м/с|hz|seconds?|секунд\w*|people|users|views|likes|times|раз\b|человек|штук|просмотр\w*|лайк\w*|points?|"
    r"очк\w*|votes|bytes|mb|gb|px|ms|"
    r"мс))",
    re.I,
)
_DATE = re.compile(
    r"(?:(?:19|20)\d\d[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:19|20)?\d\d)"
    r"(?:[ T,-]{0,2}\d{1,2}(?:[:.\-]?\d\d){0,2})?|(?:19|20)\d\d\D{1,3}(?:19|20)\d\d|"
    r"\d{1,2}[.]\d{2}\D{1,3}\d{1,2}[.]\d{2}|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?:[ _-]?\d{4,6})?"
)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:([ .,\u00a0\u2009\u202f])\d{3})(?:\1\d{3})*(?:[.,]\d{1,2})?")
_GROUPS = {
    # How people group numbers of North America, Russia, and what is left out of both at home.
    (3, 3, 4), (4, 3, 3), (4, 6), (1, 3, 3, 4), (1, 3, 3, 2, 2), (3, 3, 2, 2), (3, 2, 2), (1, 3, 7), (1, 3, 3, 2),
    (1, 3, 2, 2, 3),
    (1, 4, 2, 2, 2), (1, 4, 3, 3), (4, 2, 2, 2), (2, 4, 5), (2, 5, 4), (2, 4, 4), (5, 5), (3, 2, 2, 3), (5, 4), (3, 7),
}  # fmt: skip


def find_cards(text: str, found: Found) -> None:
    """Find card numbers: of 13 to 19 digits, which pass Luhn's check or are written in fours."""
    for match in _IN_FOURS.finditer(text):
        digits = compact(match[0])
        if digits.isascii() and (digits[0] in "23456" or luhn.is_valid(digits)) and len(set(digits)) > 1:
            _add_card(text, match, found)
    for match in _MASKED.finditer(text):
        if sum(map(str.isdigit, match[0])) >= 8:
            found.add(match.start(), match.end(), "card")
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
    if not told and (_NO_PHONE_CUE.search(before) or isbn.is_valid(digits)):
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


def find_phones(text: str, found: Found) -> None:
    """Find phone numbers: international ones by their plus, national ones by how they are grouped or begin."""
    for match in _PHONE.finditer(text):
        extension = _EXTENSION.search(match[0])
        stem = match[0][: extension.start()] if extension else match[0]
        parts = [(match.start() + part.start(), match.start() + part.end()) for part in _PART.finditer(stem)]
        first = 0
        while first < len(parts):
            last = _last_part(text, parts, first)
            if last:
                ends = match.end() if extension and last == len(parts) else parts[last - 1][1]
                found.add(parts[first][0], ends, "phone")
            first = last or first + 1


def _last_part(text: str, parts: list[tuple[int, int]], first: int) -> int:
    """Return up to which part, of digits between spaces, the number goes that begins with `first`; 0 if none does."""
    begin = parts[first][0]
    lasts = range(min(len(parts), first + 8), first, -1)
    if text[begin] in "+(" and text[begin : begin + 2].strip("(").startswith("+"):
        # Two numbers in a row are two: a country's numbers have so many digits and no more.
        for last in lasts:
            digits = compact(text[begin : parts[last - 1][1]])
            if _is_valid(digits) and _is_phone(text, begin, parts[last - 1][1]):
                return last
    return next((last for last in lasts if _is_phone(text, begin, parts[last - 1][1])), 0)


@lru_cache(maxsize=4096)
def _is_valid(digits: str) -> bool:
    with suppress(phonenumbers.NumberParseException):
        return phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))
    return False


def _is_phone(text: str, start: int, end: int) -> bool:
    value = text[start:end]
    digits = compact(value)
    if (
        not digits.isdecimal()
        or not 5 <= len(digits) <= 17
        or len(set(digits)) < 2
        or value.count("(") != value.count(")")
    ):
        return False
    before = text[max(0, start - 40) : start].rpartition("\n")[2]
    cue = _PHONE_CUE.search(before) is not None
    if _NO_PHONE_CUE.search(before) or _AMOUNT_AFTER.match(text, end) or digits.endswith("00000"):
        return False
    if value.lstrip("(").startswith("+"):
        return len(digits) >= 8 or (cue and len(digits) >= 7)
    if (_DATE.fullmatch(value) and not (cue and _is_no_day(value))) or (len(digits) == 13 and isbn.is_valid(digits)):
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
    if "/" in value and groups != (3, 3, 4):
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


_SSN = re.compile(r"(?<![\w-])(?!000)\d{3}-\d{2}-\d{4}(?![\w-])")
_SNILS = re.compile(r"(?<![\w-])\d{3}[- ]\d{3}[- ]\d{3}[ -]\d{2}(?![\w-])")
_CPF = re.compile(r"(?<![\w.])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w-])")
_LETTERED = re.compile(
    r"(?<![\w-])(?:\d{8}-?[A-Za-z]|[XYZxyz]-?\d{7}-?[A-Za-z]|[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z])"
    r"(?![\w-])"
)
_NINO = re.compile(r"(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)")
_NIR = re.compile(r"(?<!\w)[12] ?\d{2} ?[01]\d ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}(?!\w)")
_ID_CUE = re.compile(
    r"\b(?:passport|паспорт\w*|загран\w*|ssn|social(?: security| insurance)?|sin|инн|снилс|огрнип|tax ?id|tin|itin|"
    r"ein|steuer-?(?:id|"
    r"nummer)\w*|"
    r"steueridentifikationsnummer|personalausweis\w*|reisepass\w*|ausweis\w*|sozialversicherungs\w*|dni|nif|nie|cpf|"
    r"cnpj|rg|bsn|"
    r"codice fiscale|nino|national insurance|ni number|nhs|driver'?s? licen[cs]e|licen[cs]e (?:no|number)|dl|ву|прав|"
    r"driving licen[cs]e|водительск\w+|"
    r"права|полис\w*|омс|"
    r"свидетельств\w+|passaporte?o?|pasaporte|passeport|carta d'identità|carte d'identité|sécurité sociale|"
    r"green card|alien|student id|employee id|стс|птс|ss|visa number|id|uscis|personnummer|cedula|cédula|curp|nric|"
    r"id card|identity card|national id|aadhaar|pesel|medicare|удостоверени\w+)\b",
    re.I,
)
# Groups with a digit in each, and letters alone only at both ends.
_ID_VALUE = re.compile(
    r"(?<!\w)(?:[A-Za-z]{1,3}[ -]?|[А-ЯЁа-яё]{1,2}[ -]?)?\d\w{0,19}"
    r"(?:[ \u00a0/-]{1,2}(?:№ ?|N )?(?:\d\w{0,14}|[A-ZА-ЯЁ]{1,2}(?!\w))){0,6}"
    r"|(?<!\w)(?=[A-Z]{0,9}\d)[A-Z][A-Z0-9]{7,19}(?!\w)"
)
_ID_BEFORE = re.compile(
    r"(?<![\w.,-])(?P<value>\d[\d -]{7,14}\d)\s{0,2}[-–—(,]?\s{0,2}(?:это |is |мой |my |the )*"
    r"(?:снилс|инн|паспорт|ssn|passport|nino|полис)(?!\w)",
    re.I,
)
_PLATE_CUE = re.compile(
    r"\b(?:plate|plates|tags|car reg|номера|тачк\w|машин\w+|авто|license plate|licence plate|number plate|"
    r"reg(?:istration)?|госномер\w*|гос\.? ?номер\w*|"
    r"номер\w* (?:машин\w+|авто\w*)|"
    r"kennzeichen|matrícula|matricula|targa|immatriculation|plaque|placa)\b",
    re.I,
)
_PLATE = re.compile(
    r"(?<![\w])(?:[АВЕКМНОРСТУХавекмнорстух] ?\d{3} ?[АВЕКМНОРСТУХавекмнорстух]{2} ?\d{2,3}|"
    r"[A-ZÄÖÜ]{1,3}[- ][A-Z]{1,2}[- ]?\d{1,4}[EH]?|[A-Z]{2}\d{2} ?[A-Z]{3}|[A-Z]{2}[- ]?\d{3}[- ]?[A-Z]{2}|"
    r"[АВЕКМНОРСТУХ] ?\d{3} ?[АВЕКМНОРСТУХ]{2}|\d{4}[- ]?[A-Z]{3}|[A-Z]{3}[- ]?\d{3,4}|\d[A-Z]{3}\d{3}|"
    r"\d{3}[- ]?[A-Z]{3})(?![\w])"
)


def find_ids(text: str, found: Found) -> None:
    """Find numbers of passports, tax and social offices: by their shape and check digits, or after a word for them."""
    for match in _SSN.finditer(text):
        found.add(match.start(), match.end(), "id")
    for pattern in (_SNILS, _CPF):
        for match in pattern.finditer(text):
            if pattern is _SNILS or cpf.is_valid(match[0]) or len(set(match[0])) > 4:
                found.add(match.start(), match.end(), "id")
    for match in _LETTERED.finditer(text):
        if any(one.is_valid(match[0]) for one in (dni, nie, codicefiscale)):
            found.add(match.start(), match.end(), "id")
    for match in _NINO.finditer(text):
        found.add(match.start(), match.end(), "id")
    for match in _NIR.finditer(text):
        if nir.is_valid(compact(match[0]).upper()):
            found.add(match.start(), match.end(), "id")
    for match in _ID_BEFORE.finditer(text):
        found.add(*match.span("value"), "id")
    for cues, pattern, kind in ((_ID_CUE, _ID_VALUE, "id"), (_PLATE_CUE, _PLATE, "plate")):
        for cue in cues.finditer(text):
            line_end = text.find("\n", cue.end(), cue.end() + 60)
            value = pattern.search(text, cue.end(), min(cue.end() + 60, len(text)) if line_end < 0 else line_end)
            if value and (kind == "plate" or _is_id(value[0], cue[0])) and not _DATE.fullmatch(value[0]):
                found.add(value.start(), value.end(), kind)


def _is_id(value: str, cue: str) -> bool:
    digits = sum(map(str.isdigit, value))
    if cue.casefold() in ("id", "ss"):
        # Everything has an id, and few of them are a person's.
        return digits >= 8 and value.replace("-", "").isdigit() and cue.casefold() == "ss"
    if "pas" in cue.casefold() and len(value) == 9 and value.isalnum() and digits:
        return True
    if cue.casefold().startswith("полис") and digits < 8:
        return False
    return digits >= 5 or (digits >= 2 and len(value) >= 8 and value.isalnum() and value.isupper())


def find_tax_ids(text: str, found: Found) -> None:
    """Find German tax numbers, which have check digits of their own, without a word before them."""
    for match in re.finditer(r"(?<![\w])\d{2} \d{3} \d{3} \d{3}(?![\w])", text):
        if idnr.is_valid(match[0]):
            found.add(match.start(), match.end(), "id")
