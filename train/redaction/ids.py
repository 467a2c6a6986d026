"""Finds the numbers that offices give to people, and license plates.

Every pattern here has bounded repetitions of parts that exclude each other, so a text takes time in proportion to
its length, whatever is in it.
"""

import re

from train.redaction.national_ids import find_national_ids
from train.redaction.phones import DATE
from train.redaction.spans import Found

_ID_CUE = re.compile(
    r"\b(?:id card|identity card|passport|паспорт\w*|загран\w*|ssn|utr|ein|social(?: security| insurance)?|sin|"
    r"инн|снилс|огрнип|tax ?id|tin|"
    r"itin|steuer-?(?:id|"
    r"nummer)\w*|"
    r"steueridentifikationsnummer|personalausweis\w*|perso|reisepass\w*|ausweis\w*|sozialversicherungs\w*|dni|nif|nie|cpf|"
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
    r"|(?<!\w)(?=[A-Z]{0,9}\d)[A-Z][A-Z0-9]{7,19}(?!\w)|"
    r"(?<!\w)[A-Z]{3,6} \d{5,7} [A-Z0-9]{3,6}(?!\w)"
)
_ID_BEFORE = re.compile(
    r"(?<![\w.,-])(?P<value>\d[\d -]{7,14}\d)\s{0,2}[-–—(,]?\s{0,2}(?:это |is |мой |my |the )*"
    r"(?:снилс|инн|паспорт|ssn|passport|nino|полис)(?!\w)",
    re.I,
)
_PASSPORT = re.compile(r"(?<!\w)[A-Z]{1,2}\d{6,8}(?!\w)")
_PLATE_CUE = re.compile(
    r"\b(?:plates?|tags|car reg|rego|номера|тачк\w|машин\w+|авто|таксист\w*|такси|license plate|licence plate|"
    r"number plate|reg(?:istration)?|госномер\w*|гос\.? ?номер\w*|номер\w* (?:машин\w+|авто\w*)|"
    r"kennzeichen|matrícula|matricula|targa|immatriculation|plaque|placa)\b",
    re.I,
)
# After a word for one: letters in capitals and digits in one to four groups.
_PLATE = re.compile(
    r"(?<![\w])(?:[АВЕКМНОРСТУХавекмнорстух] ?\d{3} ?[АВЕКМНОРСТУХавекмнорстух]{2}(?: ?\d{2,3})?|"
    r"(?=[A-ZÄÖÜ0-9 .·-]{0,9}\d)(?=[0-9 .·-]{0,6}[A-ZÄÖÜ])[A-ZÄÖÜ0-9]{1,4}(?:[ .·-]{1,3}?[A-ZÄÖÜ0-9]{1,4}){1,3}|"
    r"(?=[A-ZÄÖÜ]{0,6}\d)(?=[0-9]{0,6}[A-ZÄÖÜ])[A-ZÄÖÜ0-9]{5,8})"
    r"(?![\w])"
)
# Plates that look like nothing else: of Great Britain, France, Germany, Italy.
_PLATE_ALONE = re.compile(
    r"(?<![\w-])(?:[A-Z]{2}(?:0[2-9]|[125-7]\d) [A-HJ-PR-Z]{3}|[A-HJ-NP-TV-Z]{2}-\d{3}-[A-HJ-NP-TV-Z]{2}|"
    r"[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} \d{2,4}[EH]?)(?![\w-])"
)


def find_ids(text: str, found: Found) -> None:
    """Find numbers of passports, tax and social offices: by their shape and check digits, or after a word for them."""
    find_national_ids(found)
    found.add_all(_ID_BEFORE, "id", "value")
    found.add_all(_PLATE_ALONE, "plate")
    for cues, pattern, kind in ((_ID_CUE, _ID_VALUE, "id"), (_PLATE_CUE, _PLATE, "plate")):
        for cue in cues.finditer(text):
            line_end = text.find("\n", cue.end(), cue.end() + 60)
            value = pattern.search(text, cue.end(), min(cue.end() + 60, len(text)) if line_end < 0 else line_end)
            if value is None or DATE.fullmatch(value[0]):
                continue
            if sum(map(str.isdigit, value[0])) >= 2 if kind == "plate" else _is_id(value[0], cue[0]):
                found.add(value.start(), value.end(), kind)
                if kind == "id":
                    # "my passport is N1234567, hers PA0940443"
                    for more in _PASSPORT.finditer(text, value.end(), min(len(text), value.end() + 60)):
                        found.add(more.start(), more.end(), kind)


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
