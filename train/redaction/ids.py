"""Finds the numbers that offices give to people, and license plates.

Every pattern here has bounded repetitions of parts that exclude each other, so a text takes time in proportion to
its length, whatever is in it.
"""

import re

from stdnum.br import cpf
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.it import codicefiscale

from train.redaction.phones import DATE
from train.redaction.spans import Found, compact

_SSN = re.compile(r"(?<![\w-])(?!000)\d{3}-\d{2}-\d{4}(?![\w-])")
_SNILS = re.compile(r"(?<![\w-])\d{3}[- ]\d{3}[- ]\d{3}[ -]\d{2}(?![\w-])")
_CPF = re.compile(r"(?<![\w.])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w-])")
_LETTERED = re.compile(
    r"(?<![\w-])(?:\d{8}-?[A-Za-z]|[XYZxyz]-?\d{7}-?[A-Za-z]|[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z])"
    r"(?![\w-])"
)
_NINO = re.compile(r"(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)")
_NIR = re.compile(r"(?<!\w)[12] ?\d{2} ?[01]\d ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}(?!\w)")
_IDNR = re.compile(r"(?<![\w])\d{2} \d{3} \d{3} \d{3}(?![\w])")
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
    for pattern in (_SSN, _SNILS, _NINO):
        found.add_all(pattern, "id")
    found.add_all(_CPF, "id", is_one=lambda match: cpf.is_valid(match[0]) or len(set(match[0])) > 4)
    found.add_all(
        _LETTERED, "id", is_one=lambda match: any(one.is_valid(match[0]) for one in (dni, nie, codicefiscale))
    )
    found.add_all(_NIR, "id", is_one=lambda match: nir.is_valid(compact(match[0]).upper()))
    found.add_all(_ID_BEFORE, "id", "value")
    for cues, pattern, kind in ((_ID_CUE, _ID_VALUE, "id"), (_PLATE_CUE, _PLATE, "plate")):
        for cue in cues.finditer(text):
            line_end = text.find("\n", cue.end(), cue.end() + 60)
            value = pattern.search(text, cue.end(), min(cue.end() + 60, len(text)) if line_end < 0 else line_end)
            if value and (kind == "plate" or _is_id(value[0], cue[0])) and not DATE.fullmatch(value[0]):
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


def find_tax_ids(found: Found) -> None:
    """Find German tax numbers, which have check digits of their own, without a word before them."""
    found.add_all(_IDNR, "id", is_one=lambda match: idnr.is_valid(match[0]))
