"""Finds numbers that states give to people by their own shape and check digits, with no word beside them."""

import re
from typing import Any

from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ch import ssn as ahv
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.mx import curp
from stdnum.ru import inn
from stdnum.se import personnummer

from train.redaction.spans import Found


def _alone(shape: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.,:/+-])(?:{shape})(?![\w-]|[.,:/]\d)")


# Whose check digits are asked: a shape that other numbers share needs a check by which nine in ten of those fail.
_CHECKED: tuple[tuple[re.Pattern[str], Any], ...] = (
    (_alone(r"\d{8}-?[A-Za-z]"), dni),
    (_alone(r"[XYZxyz]-?\d{7}-?[A-Za-z]"), nie),
    (_alone(r"[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z]"), codicefiscale),
    (_alone(r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d"), curp),
    (_alone(r"[A-Z]{5}\d{4}[A-Z]"), pan),
    (_alone(r"\d{4}[ -]\d{4}[ -]\d{4}"), aadhaar),
    (_alone(r"\d{2} \d{3} \d{3} \d{3}"), idnr),
    (_alone(r"[12] ?\d{2} ?[01]\d ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}"), nir),
    (_alone(r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}"), nn),
    (_alone(r"756\.\d{4}\.\d{4}\.\d{2}"), ahv),
    (_alone(r"\d{6}-\d{4}"), cpr),
    (_alone(r"(?:19|20)?\d{6}[-+]\d{4}"), personnummer),
    (_alone(r"\d{6}[-+A]\d{3}[0-9A-Z]"), hetu),
    (_alone(r"\d{3}\.\d{3}\.\d{3}-\d{2}"), cpf),
    (_alone(r"\d{12}"), inn),
)
_SHAPED = (
    # SSN; СНИЛС; CPF; NINO; the driving licence of Great Britain.
    _alone(r"(?!000)\d{3}-\d{2}-\d{4}"),
    _alone(r"\d{3}[- ]\d{3}[- ]\d{3}[ -]\d{2}"),
    re.compile(r"(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)"),
    _alone(r"[A-Z9]{5} ?\d{6} ?[A-Z9]{2}\d ?[A-Z]{2}"),
)


def find_national_ids(found: Found) -> None:
    """Find numbers of tax and social offices and of driving licences."""
    for pattern in _SHAPED:
        found.add_all(pattern, "id")
    for pattern, office in _CHECKED:
        found.add_all(pattern, "id", is_one=lambda match, office=office: bool(office.is_valid(match[0])))  # type: ignore[misc]
