"""Words that printed times have in them, from Unicode's locale data: day periods and months.

    python -m tests.train.calendar_words

adds what the installed Babel has to `train/sources/whatsapp_calendar.json`; a test says when it is due. Words that its
locale data no longer has stay: phones printed them for years.
"""

import json
import re
from pathlib import Path

from babel import Locale

TABLE = Path(__file__).resolve().parents[2] / "train" / "sources" / "whatsapp_calendar.json"
LOCALES = (
    "af am ar az be bg bn bs ca cs da de de_AT el en en_AU en_CA en_GB en_IN es es_AR es_CO es_MX et eu fa fi fil fr "
    "fr_CA ga gl gu he hi hr hu hy id is it ja ka kk km kn ko ky lo lt lv mk ml mn mr ms my nb ne nl pa pl pt pt_PT "
    "ro ru si sk sl sq sr sv sw ta te th tr uk ur uz vi zh zh_Hant zh_Hant_HK"
).split()
_MORNING = frozenset({"am", "midnight", "morning1", "morning2"})
_NIGHT = frozenset({"night1", "night2"})
# What means another half of the day, or another month, in another language: the more widely spoken one is meant.
_EVENING_TOO = frozenset({"da noite", "noite", "ng gabi", "gabi"})
_MORNING_TOO = frozenset({"öö", "matin", "du matin", "madrugada", "da madrugada", "ночі"})
_MONTHS = {"srp": 8, "lip": 7, "lis": 11, "listopad": 11, "listopada": 11}


def calendar_words() -> dict[str, dict[str, int | str]]:
    """Return which half of the day each period is in, and which month each name is: words without their dots."""
    periods: dict[str, str] = {}
    months: dict[str, int] = {}
    for name in LOCALES:
        locale = Locale.parse(name)
        found = [
            (width, *one) for at in locale.day_periods.values() for width, those in at.items() for one in those.items()
        ]
        for width, period, word in found:
            plain = _plain(word)
            # Single letters, and in narrow columns the night's, stand for too many things.
            if len(plain) < 2 and (plain.isascii() or width == "narrow"):
                continue
            if width == "narrow" and period not in ("am", "pm"):
                continue
            half = "am" if period in _MORNING else "night" if period in _NIGHT else "pm"
            if period in ("am", "pm") or periods.get(plain) is None:
                periods[plain] = half
        for widths in locale.months.values():
            for width, those in widths.items():
                for number, word in those.items():
                    plain = _plain(word)
                    if width != "narrow" and len(plain) > 1 and not plain.isdigit():
                        months[plain] = number
    periods |= dict.fromkeys(_EVENING_TOO, "pm") | dict.fromkeys(_MORNING_TOO, "am")
    return {"periods": dict(sorted(periods.items())), "months": dict(sorted((months | _MONTHS).items()))}


def _plain(word: str) -> str:
    return " ".join(re.sub(r"[.\u200e\u200f]", "", word.casefold()).split())


def missing() -> dict[str, dict[str, int | str]]:
    """Return the words of the installed locale data that the table does not have, or has with another meaning."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    return {
        kind: {word: meaning for word, meaning in words.items() if table[kind].get(word) != meaning}
        for kind, words in calendar_words().items()
    }


def as_file() -> str:
    """Return the table as it is written: one line for each kind of word."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    words = {kind: dict(sorted((table[kind] | more).items())) for kind, more in calendar_words().items()}
    return (
        "{" + ",\n".join(f'"{kind}": {json.dumps(found, ensure_ascii=False)}' for kind, found in words.items()) + "}\n"
    )


if __name__ == "__main__":
    TABLE.write_text(as_file(), encoding="utf-8")
