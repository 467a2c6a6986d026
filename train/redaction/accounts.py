"""Finds numbers of bank accounts, license keys, vouchers, bookings and vehicles."""

import re

from train.redaction.spans import Found

_GAP = r"[ \u00a0\u202f-]"
# Bank of Russia, regulation 809-P: five digits of the kind of account, three of the currency (ISO 4217), twelve more.
_RUSSIAN_ACCOUNT = re.compile(
    rf"(?<!\w)\d{{5}}{_GAP}?(?:810|643|840|978|156|933|398|860|051|944)(?:{_GAP}?\d){{12}}(?!\w)"
)
_ACCOUNT = re.compile(
    r"(?<![^\W_])(?:account|acct|acc|a/c|р/с(?:ч[её]т)?|л/с|к/с|(?:расч[её]тн\w+ |лицев\w+ )?сч[её]т\w{0,2}|"
    r"юмани|yoomoney|киви|qiwi|лицев\w+|konto(?:nummer)?|kontonr|cuenta|compte|conto|rekening)\.?(?!\w)"
    r"(?:\s{1,2}(?:number|no|num|nr|#|nummer|номер|№|получателя|is|это|n°|n|в|рубл\w+|у|банка)\.?(?!\w)){0,3}"
    r"(?:['’]s)?[\s:#№.=–—-]{1,4}(?P<value>\d(?:[ -]?\d){5,24})(?![\w%$€£₽]|[.,:/]\d)",
    re.I,
)
_SORT = re.compile(
    r"(?<![^\W_])(?:sort(?: ?code)?|s/c|bsb)(?!\w)(?:['’]s|\s(?:is|number))?"
    r"[\s:=–—-]{1,4}(?P<value>\d{2}[- ]?\d{2}[- ]?\d{2}|\d{3}-\d{3})"
    r"(?!\w|[.,:/]\d)",
    re.I,
)
# An account of the United Kingdom: eight digits, and six of the bank's branch on either side.
_BETWEEN = r"[\s,/]{1,3}(?:(?:acc(?:oun)?t?|a/c|and|no|number|num|sort(?: code)?|sc|is)\b[\s.,:#]{1,3}){0,3}"
_BRITISH = re.compile(
    rf"(?<![\w.,:/-])(?:(?P<account>\d{{8}}){_BETWEEN}(?P<sort>\d{{2}}-\d{{2}}-\d{{2}})|"
    rf"(?P<sort_first>\d{{2}}-\d{{2}}-\d{{2}}){_BETWEEN}(?P<account_last>\d{{8}}))(?![\w-])"
)
_ROUTING = re.compile(
    r"(?<![^\W_])(?:routing|aba|rtn|transit)(?!\w)(?:\s{1,2}(?:number|no|#|is|transit)\.?){0,2}[\s:#=–—-]{1,4}"
    r"(?P<value>\d{9})(?!\w)",
    re.I,
)
# ISO 3779: seventeen capitals and digits without I, O and Q.
_VEHICLE = re.compile(r"(?<![\w-])(?=[A-Z0-9]{0,14}\d)[A-HJ-NPR-Z0-9]{17}(?![\w-])")
_VEHICLE_CUE = re.compile(
    r"(?<!\w)(?:vin|вин)(?!\w)[^\w\n]{0,3}(?:\w{2,8}[^\w\n]{1,3}){0,2}([A-Za-z0-9]{17})(?!\w)", re.I
)
# A plate of Russia, GOST R 50577: letters that Latin has too.
_PLATE = re.compile(
    r"(?<![\w-])(?:[АВЕКМНОРСТУХ] ?\d{3} ?[АВЕКМНОРСТУХ]{2}(?: ?\d{2,3})?|"
    r"[авекмнорстух]\d{3}[авекмнорстух]{2} ?\d{2,3}|[ABEKMHOPCTYX]\d{3}[ABEKMHOPCTYX]{2} ?\d{2,3})(?![\w-])"
)
_LICENSE = re.compile(r"(?<![\w-])[A-Z0-9]{4,8}(?:-[A-Z0-9]{4,8}){2,7}(?![\w-])")
_VOUCHER = re.compile(
    r"(?<![^\W_])(?:gift ?card|redeem|licen[cs]e|serial|activation|product key|steam|xbox|psn|voucher|key|лиценз\w+|"
    r"активац\w+|ключ\w*|сертификат\w*|"
    r"подарочн\w+)(?!\w)[^\d\n]{0,24}?[\s:=–—-](?P<value>\d{2,6}(?:-\d{2,6}){2,7}|(?=[A-Z0-9-]{0,20}\d)(?=[\d-]{0,20}[A-Z])"
    r"[A-Z0-9][A-Z0-9-]{8,40}[A-Z0-9])(?![\w-])"
)
_BOOKING = re.compile(
    r"(?<![^\W_])(?:(?i:booking|reservation|confirmation|itinerary|record locator|pnr|locator|(?:e-?|train |"
    r"plane |bus )?ticket|"
    r"брон(?:ь|и|ью|ирован\w+)|пнр|резерв\w*))(?!\w)"
    r"(?:[^\S\n]{1,2}(?i:ref(?:erence)?|number|no|code|is|for|the|flight|код\w?|номер|это|билета|на|"
    r"рейс)\.?(?!\w)){0,4}"
    r"[\s:#№=–—-]{1,4}(?P<value>(?=[A-Z]{0,8}\d)(?=\d{0,8}[A-Z])[A-Z0-9]{5,12}|[A-Z]{6})(?![\w-])"
)
_SERIES = re.compile(
    r"(?<!\w)сери(?:я|и|ю)(?: паспорта)?[\s:№-]{1,3}(?P<series>\d{2} ?\d{2})[,;]?\s{1,2}(?:и )?(?:номер|№|ном\.?)"
    r"[\s:№-]{1,3}(?P<number>\d{6})(?!\w)",
    re.I,
)
_CERTIFICATE = re.compile(r"(?<!\w)\d{2} ?\d{2} ?№ ?\d{6}(?!\w)|(?<!\w)[IVXУХ]{1,4}-[А-ЯЁ]{2} ?(?:№ ?)?\d{6}(?!\w)")


def find_accounts(found: Found) -> None:
    """Find numbers of bank accounts: Russian ones by their currency, others after a word for them."""
    found.add_all(_RUSSIAN_ACCOUNT, "id")
    for pattern in (_ACCOUNT, _SORT, _ROUTING):
        found.add_all(pattern, "id", "value")
    for match in _BRITISH.finditer(found.text):
        for group, value in match.groupdict().items():
            if value:
                found.add(*match.span(group), "id")
    for group in ("series", "number"):
        found.add_all(_SERIES, "id", group)
    found.add_all(_CERTIFICATE, "id")


def find_registered(found: Found) -> None:
    """Find license keys and vouchers, numbers of bookings, and of vehicles, by their shape or after a word for them."""
    found.add_all(
        _VEHICLE,
        "plate",
        is_one=lambda match: sum(map(str.isalpha, match[0])) >= 2 and sum(map(str.isdigit, match[0])) >= 3,
    )
    found.add_all(_VEHICLE_CUE, "plate", 1)
    found.add_all(_PLATE, "plate")
    found.add_all(_LICENSE, "secret", is_one=lambda match: any(map(_is_mixed, match[0].split("-"))))
    for pattern in (_VOUCHER, _BOOKING):
        found.add_all(pattern, "secret", "value")


def _is_mixed(group: str) -> bool:
    return not group.isalpha() and not group.isdigit()
