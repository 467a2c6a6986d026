"""The first line of each message in a WhatsApp text export: its printed time, its author, the order of dates.

iOS writes `[date, time] Name: text`, Android `date, time - Name: text`. The order of day, month and year is
that of the phone's settings and is nowhere written down, so it is found from all dates of the file together.
"""

import re
from array import array
from collections import Counter
from datetime import date, datetime
from functools import lru_cache

import msgspec

# U+200E and U+200F stand at line starts, U+202A to U+202E and U+2066 to U+2069 around names and numbers.
MARKS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
_UNMARK = str.maketrans("", "", MARKS)
_SPACES = re.compile(r"[\s\u00a0\u202f]+")

_AM = (
    "am", "vorm", "öö", "пп", "πμ", "ص", "ق.ظ", "dop", "de", "fm", "ap", "sa", "pg", "پ.چ",
    "上午", "凌晨", "早上", "清晨", "오전", "午前", "पूर्वाह्न",
)  # fmt: skip
_PM = (
    "pm", "nachm", "ös", "дп", "μμ", "م", "ب.ظ", "odp", "du", "em", "ip", "ch", "ptg", "د.چ",
    "下午", "中午", "晚上", "傍晚", "오후", "午後", "अपराह्न",
)  # fmt: skip


def _period_pattern() -> str:
    def spread(word: str) -> str:
        # "pm" is printed as "p. m.", "P.M.", "p.m" …
        letters = word.replace(".", "")
        if len(letters) == 2 and letters.isalpha() and ord(letters[0]) < 0x700:
            return rf"{letters[0]}\.?\s?{letters[1]}\.?"
        return re.escape(word) + r"\.?"

    return "|".join(spread(word) for word in sorted(_AM + _PM, key=len, reverse=True))


_PERIOD = _period_pattern()
_M = f"[{MARKS}]*"
# \d also matches the digits of Arabic, Persian and Hindi exports, and int() reads them.
_STAMP = (
    rf"(?P<a>\d{{1,4}}){_M}(?P<sep>[./-]|年|년){_M}\s?(?P<b>\d{{1,2}}){_M}(?:[./-]|月|월){_M}\s?(?P<c>\d{{1,4}})"
    rf"(?:[.日일]|\sг\.)?{_M}(?:[,،]?\s+|[,،]){_M}(?:um\s|at\s|à\s|a\slas\s|alle\s)?"
    rf"(?:(?P<pre>{_PERIOD})\s?)?(?P<h>\d{{1,2}})[:.٫](?P<m>\d{{2}})(?:[:.٫](?P<s>\d{{2}}))?"
    rf"(?:\s?{_M}(?P<post>{_PERIOD}))?{_M}"
)
_BRACKETED = re.compile(rf"{_M}\[{_STAMP}\]{_M} ?(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_DASHED = re.compile(rf"{_M}{_STAMP}\s[-–](?: |$)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_AUTHOR = re.compile(r"(?P<name>[^\n]+?):(?: |$|(?=\.$)|(?=\u200e))", re.DOTALL)


class Header(msgspec.Struct, frozen=True, gc=False):
    """The first line of a message: its printed time taken apart, and what follows."""

    stamp: str
    """The time as printed, without marks and with plain spaces: part of the message's id."""
    shape: tuple[bool, str, bool, bool]
    """Brackets, what stands between the parts of the date, whether seconds, whether a day period."""
    parts: tuple[int, int, int]
    digits: tuple[int, int]
    """How many digits the first and the last part of the date have."""
    second: int
    """Seconds from midnight."""
    rest: str


def parse_header(line: str) -> Header | None:
    """Return the header in a line, None when the line continues a message."""
    start = line[:1] if line[:1] not in MARKS else line.lstrip(MARKS)[:1]
    if start == "[":
        found = _BRACKETED.match(line)
    elif start.isdigit():
        found = _DASHED.match(line)
    else:
        return None
    if found is None:
        return None
    hour, minute, second = int(found["h"]), int(found["m"]), int(found["s"] or 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    period = found["pre"] or found["post"]
    if period and hour <= 12:
        hour = hour % 12 + (12 if _is_pm(period) else 0)
    return Header(
        _SPACES.sub(" ", unmarked(line[: found.start("rest")])).strip("[]- –"),
        (start == "[", found["sep"], found["s"] is not None, period is not None),
        (int(found["a"]), int(found["b"]), int(found["c"])),
        (len(found["a"]), len(found["c"])),
        hour * 3600 + minute * 60 + second,
        found["rest"],
    )


@lru_cache(maxsize=64)
def _is_pm(period: str) -> bool:
    plain = re.sub(r"[.\s]", "", period.lower())
    return plain in {word.replace(".", "") for word in _PM}


def unmarked(text: str) -> str:
    """Return `text` without direction marks; joiners stay, emoji and several scripts need them."""
    return text.translate(_UNMARK)


ORDERS = ("dmy", "mdy", "ymd")


class DateOrder(msgspec.Struct, frozen=True):
    """The order of the dates of a file, and whether the dates alone decided it."""

    order: str
    certain: bool


class Dates:
    """Collects the printed dates of a file, to find out what their order is."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, int, int]] = []
        self._seconds = array("i")
        self._year_first = False
        self._separators = Counter[str]()
        self._periods = 0

    def add(self, header: Header) -> None:
        """Take in the date of one message."""
        self._parts.append(header.parts)
        self._seconds.append(header.second)
        self._year_first |= header.digits[0] > 2
        self._separators[header.shape[1]] += 1
        self._periods += header.shape[3]

    def order(self) -> DateOrder:
        """Return the order under which most dates exist, time falls least often, and the file spans least.

        Time in a chat goes on: read in the wrong order, days of one month become months of one year, so the
        wrong reading falls back at the end of a month, or stretches days over a year. Where even that says
        nothing, as in a chat of one day, dots and dashes mean the day is first, and a slash with AM and PM
        that the month is.
        """
        if self._year_first:
            return DateOrder("ymd", True)
        costs = {order: self._cost(order) for order in ORDERS}
        best = min(costs.values())
        left = [order for order in ORDERS if costs[order] == best]
        # Which reading exists and does not fall is certain; the shorter span is only likelier.
        certain = sum(cost[:2] == best[:2] for cost in costs.values()) == 1
        if len(left) > 1:
            separator = self._separators.most_common(1)
            american = bool(separator) and separator[0][0] == "/" and self._periods * 2 > len(self._parts)
            preferred = "mdy" if american else "dmy"
            return DateOrder(preferred if preferred in left else left[0], False)
        return DateOrder(left[0], certain)

    def _cost(self, order: str) -> tuple[int, int, int]:
        impossible = falls = span = 0
        before: tuple[int, int] | None = None
        for parts, second in zip(self._parts, self._seconds, strict=True):
            day = day_of(parts, order)
            if day is None:
                impossible += 1
                continue
            now = (day.toordinal(), second)
            if before is not None:
                falls += now < before
                span += abs(now[0] - before[0])
            before = now
        return impossible, falls, span


@lru_cache(maxsize=65_536)
def day_of(parts: tuple[int, int, int], order: str) -> date | None:
    """Return the day a printed date means in an order, None when there is no such day."""
    value = dict(zip(order, parts, strict=True))
    year = value["y"]
    if year < 100:
        year += 2000
    # WhatsApp began in 2009; other years are another part of the date.
    if not 2009 <= year <= 2100:
        return None
    try:
        return date(year, value["m"], value["d"])
    except ValueError:
        return None


def local_time(header: Header, order: str) -> datetime | None:
    """Return the printed time of a header as a naive local time, None when there is no such day."""
    day = day_of(header.parts, order)
    if day is None:
        return None
    hour, rest = divmod(header.second, 3600)
    return datetime(day.year, day.month, day.day, hour, rest // 60, rest % 60)


class Authors:
    """Collects what stands before the colon in a file, to tell names from the app's own sentences."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._seconds: dict[str, str | None] = {}

    def add(self, rest: str) -> None:
        """Take in what follows the time of one message."""
        found = _AUTHOR.match(rest)
        if found is None:
            return
        name = clean_author(found["name"])
        self._counts[name] += 1
        second = _AUTHOR.match(rest, found.end())
        whole = rest[: second.end("name")] if second and len(second["name"]) < 40 else None
        if self._seconds.setdefault(name, whole) != whole:
            self._seconds[name] = None

    def split(self, rest: str) -> tuple[str | None, str]:
        """Return the author and the text in what follows the time; no author where the app wrote it."""
        found = _AUTHOR.match(rest)
        if found is None:
            return None, rest
        name = clean_author(found["name"])
        if not name or self._is_sentence(name):
            return None, rest
        whole = self._seconds.get(name)
        # A first part is part of a longer name when the same second part follows it in every message.
        if whole is not None and self._counts[name] >= 5 and rest.startswith(whole):
            return clean_author(whole), rest[len(whole) + 1 :].removeprefix(" ")
        return name, rest[found.end() :]

    def _is_sentence(self, name: str) -> bool:
        """Return whether what stands before a colon is the app's: `Ann changed the subject from "A: b"`."""
        if self._counts[name] > 1:
            return False
        words = name.split()
        if len(words) >= 5 or any(quote in name for quote in '"“”„«»'):
            return True
        return any(self._counts[" ".join(words[:end])] > 1 for end in range(1, len(words)))


def clean_author(name: str) -> str:
    """Return a name as people know it: no direction marks, no tilde of a name that is not in the phone."""
    return _SPACES.sub(" ", unmarked(name)).strip().removeprefix("~").strip()
